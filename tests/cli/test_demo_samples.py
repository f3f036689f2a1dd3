"""The sample calls are what their README says, and their scenarios match the speech."""

from __future__ import annotations

import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from uhlive_mock.model.scenario import At, Say, SayRelation, SayTags, Scenario
from uhlive_mock.scenarios import check_scenario, load_scenario

FIXTURES = Path(__file__).parents[2] / "fixtures"
CALLS = ("billets", "delivery")
TRACKS = [(call, speaker) for call in CALLS for speaker in ("Alice", "Bob")]
WINDOW_MS = 10
NEAR_MS = 100
QUIET = 100


def frames_of(call: str, speaker: str) -> np.ndarray:
    with wave.open(str(FIXTURES / f"{call}-{speaker.lower()}.wav")) as reader:
        return np.frombuffer(reader.readframes(reader.getnframes()), dtype="<i2")


def loud_windows(call: str, speaker: str) -> np.ndarray:
    """Which windows of 10 ms have a sample that is not nearly silent."""
    samples = np.abs(frames_of(call, speaker).astype(np.int32))
    size = 8 * WINDOW_MS
    return samples[: len(samples) // size * size].reshape(-1, size).max(axis=1) > QUIET


def spans_of(scenario: Scenario, speaker: str) -> list[tuple[int, int]]:
    """The start and the end of every utterance, in milliseconds."""
    spans = []
    for cue in scenario.speakers[speaker].cues:
        if isinstance(cue.action, Say):
            assert isinstance(cue.trigger, At)
            assert cue.until_ms is not None
            spans.append((cue.trigger.position_ms, cue.until_ms))
    return spans


@pytest.mark.parametrize(("call", "speaker"), TRACKS)
def test_speech_is_8_khz_16_bit_mono(call: str, speaker: str) -> None:
    with wave.open(str(FIXTURES / f"{call}-{speaker.lower()}.wav")) as reader:
        assert (reader.getframerate(), reader.getsampwidth(), reader.getnchannels()) == (8000, 2, 1)
        assert 10 <= reader.getnframes() / 8000 <= 30


@pytest.mark.parametrize("call", CALLS)
def test_both_speakers_are_equally_long(call: str) -> None:
    assert len(frames_of(call, "Alice")) == len(frames_of(call, "Bob"))


@pytest.mark.parametrize(("call", "speaker"), TRACKS)
def test_speech_lies_inside_the_cues_and_silence_outside(call: str, speaker: str) -> None:
    loud = loud_windows(call, speaker)
    inside = np.zeros_like(loud)
    for start_ms, end_ms in spans_of(load_scenario(FIXTURES / f"{call}.yaml"), speaker):
        inside[start_ms // WINDOW_MS : -(-end_ms // WINDOW_MS)] = True
        span = loud[start_ms // WINDOW_MS : end_ms // WINDOW_MS]
        assert span.mean() > 0.6
    assert not (loud & ~inside).any()


@pytest.mark.parametrize(("call", "speaker"), TRACKS)
def test_positions_are_within_100_ms_of_the_speech(call: str, speaker: str) -> None:
    loud = loud_windows(call, speaker)
    for start_ms, end_ms in spans_of(load_scenario(FIXTURES / f"{call}.yaml"), speaker):
        heard = np.flatnonzero(loud[start_ms // WINDOW_MS : end_ms // WINDOW_MS])
        assert heard[0] * WINDOW_MS <= NEAR_MS
        assert (end_ms - start_ms) - (heard[-1] + 1) * WINDOW_MS <= NEAR_MS


@pytest.mark.parametrize("call", CALLS)
def test_speakers_take_turns(call: str) -> None:
    scenario = load_scenario(FIXTURES / f"{call}.yaml")
    turns = sorted((start, end) for speaker in scenario.speakers for start, end in spans_of(scenario, speaker))
    for (_, end), (start, _) in pairwise(turns):
        assert 400 <= start - end <= 800


@pytest.mark.parametrize("call", CALLS)
def test_scenarios_show_every_kind_of_annotation(call: str) -> None:
    assert check_scenario(FIXTURES / f"{call}.yaml") == []
    scenario = load_scenario(FIXTURES / f"{call}.yaml")
    actions = [cue.action for script in scenario.speakers.values() for cue in script.cues]
    says = [action for action in actions if isinstance(action, Say)]
    assert scenario.name == call
    assert set(scenario.speakers) == {"Alice", "Bob"}
    assert all(say.normalized for say in says)
    assert any(entity.value is not None for say in says for entity in say.entities)
    assert any(isinstance(action, SayRelation) for action in actions)
    assert any(isinstance(action, SayTags) for action in actions)
