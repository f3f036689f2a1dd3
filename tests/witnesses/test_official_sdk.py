"""Programs written for the real service, on the official SDK that is installed, against the mock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from uhlive_mock.cli.demo import sample
from uhlive_mock.model.scenario import Say
from uhlive_mock.scenarios import load_scenario

ENTITY = {"legacy": "EntityFound", "universal": "EntityRecognized"}
SEGMENT = {"legacy": "SegmentDecoded", "universal": "AudioSegmentDecoded"}
INTERIM = {"legacy": "WordsDecoded", "universal": "AudioWordsDecoded"}


def said(speaker: str) -> list[Say]:
    script = load_scenario(sample("billets.yaml")).script_for(speaker)
    return [cue.action for cue in script.cues if isinstance(cue.action, Say)]


@pytest.fixture(scope="session")
def lines(run_program: Callable[..., object]) -> Callable[..., list[list[str]]]:
    """The lines a program printed, each split at its bars, once it has ended well."""

    def run(*arguments: str, **variables: str) -> list[list[str]]:
        done = run_program(*arguments, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return [line.split(" | ") for line in done.stdout.splitlines()]

    return run


@pytest.fixture(scope="session")
def printed(lines: Callable[..., list[list[str]]]) -> list[list[str]]:
    """What a live program prints in a call."""
    return lines("live_sync.py")


def test_a_live_program_hears_every_utterance_of_its_call(printed, sdk_vocabulary):
    assert printed[0] == ["joined"]
    assert printed[-1] == ["left True"]
    segments = [line for line in printed if line[0] == SEGMENT[sdk_vocabulary]]
    assert [line[2] for line in segments] == [say.text for say in said("Alice")]
    assert [int(line[3]) for line in segments] == [len(say.text.split()) for say in said("Alice")]


def test_a_live_program_sees_interims_grow_into_the_segment_of_their_id(printed, sdk_vocabulary):
    for number, say in enumerate(said("Alice")):
        interims = [line[2] for line in printed if line[:2] == [INTERIM[sdk_vocabulary], str(number)]]
        assert interims
        assert all(say.text.startswith(text) for text in interims)
        assert interims == sorted(interims, key=len)


def test_a_live_program_reads_entities_in_the_words_of_its_sdk(printed, sdk_vocabulary):
    found = [line[2:4] for line in printed if line[0] == ENTITY[sdk_vocabulary]]
    scripted = [[str(entity.display), entity.source] for say in said("Alice") for entity in say.entities]
    assert scripted
    assert [entity for entity in scripted if entity in found] == scripted


def test_an_asyncio_program_without_interims_gets_none(lines, sdk_vocabulary):
    printed = lines("live_async.py")
    kinds = [line[0] for line in printed]
    assert kinds[0] == "joined"
    assert kinds[-1] == "left True"
    assert INTERIM[sdk_vocabulary] not in kinds
    assert [line[2] for line in printed if line[0] == SEGMENT[sdk_vocabulary]] == [
        say.text for say in said("Alice")
    ]


def test_a_file_streaming_program_ends_with_its_own_speaker_left(lines, raw_speech: Callable[[str], Path]):
    printed = lines("file_sync.py", str(raw_speech("billets-bob")))
    count, last = printed[0][0].split()
    assert last == "SpeakerLeft"
    assert int(count) > len(said("Bob"))


def test_a_program_in_the_wrong_vocabulary_does_not_go_unnoticed(run_program, sdk_vocabulary):
    other = "legacy" if sdk_vocabulary == "universal" else "universal"
    done = run_program("live_sync.py", vocabulary=other)
    assert done.returncode != 0
    assert "AttributeError" in done.stderr
