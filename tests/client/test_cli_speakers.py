"""Several speakers in one command, against the mock."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner
from uhlive_client.cli import main

from uhlive_mock import MockServer, scenario

CALL = (
    scenario("call")
    .gap(action="off")  # five seconds are a quarter of one at this rate
    .speaker("Alice")
    .say("bonjour Bob", at=0.5, until=1.5)
    .say("au revoir", at=4.5, until=5.5)
    .speaker("Bob")
    .say("bonjour Alice", at=2.0, until=3.0)
    .build()
)
WORDS = ["[Alice 0:00.5] bonjour Bob", "[Bob 0:02.0] bonjour Alice", "[Alice 0:04.5] au revoir"]
BOTH = ("--speaker", "Alice", "--speaker", "Bob", "--conversation", "conv1")


@pytest.fixture(scope="module")
def server():
    with MockServer() as server:
        yield server


@pytest.fixture
def space(server):
    with server.space(scenario=CALL, rate=20) as space:
        yield space


@pytest.fixture
def stereo(tmp_path):
    """A function that writes a call of six seconds at 48 kHz, whose channels are told apart by their loudness."""

    def write(suffix=".flac", seconds=6):
        path = tmp_path / f"call{suffix}"
        frames = np.tile(np.array([0.25, -0.5]), (48_000 * seconds, 1))
        sf.write(path, frames, 48_000)
        return path

    return write


def run(space, *args) -> tuple[int, str, str]:
    result = CliRunner(env=os.environ | space.env).invoke(main, [str(arg) for arg in args])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def heard(space, speaker: str) -> np.ndarray:
    return np.frombuffer(space.conversation("conv1").speaker(speaker).audio, "<i2")


def check_words(out: str) -> None:
    """Each speaker's words, in order, up to the leaving. Whose come first is decided by two connections."""
    for name in ("Alice", "Bob"):
        own = [line for line in out.splitlines() if name in line.partition("]")[0]]
        assert own == [*(line for line in WORDS if line.startswith(f"[{name}")), f"{name} left"]


def test_the_channels_of_a_call_are_speakers(space, stereo):
    code, out, err = run(space, "stream", stereo(), "--split-channels", *BOTH, "--rate", 20)
    assert code == 0
    check_words(out)
    assert re.fullmatch(r"(\w+ pacing: 6.0 s of audio in .*, 60 chunks, .*, lead 5.\d s\n){2}", err)
    for speaker, level in (("Alice", 8192), ("Bob", -16_384)):
        samples = heard(space, speaker)
        assert len(samples) == 48_000
        assert np.abs(samples[400:-400] - level).max() < 50
        assert space.conversation("conv1").speaker(speaker).left_cleanly


def test_subtitles_name_the_speakers(space, stereo):
    code, out, _ = run(space, "stream", stereo(), "--split-channels", *BOTH, "--rate", 20, "--format", "srt")
    assert code == 0
    assert re.findall(r"^(\w+): (.*)$", out, re.MULTILINE) == [
        ("Alice", "bonjour Bob"),
        ("Bob", "bonjour Alice"),
        ("Alice", "au revoir"),
    ]


def test_every_event_is_told_once_though_each_call_hears_it(space, stereo):
    code, out, _ = run(space, "stream", stereo(), "--split-channels", *BOTH, "--rate", 20, "--format", "jsonl")
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    spoken = [(event["speaker"], event["text"]) for event in events if event["event"] == "Segment"]
    assert sorted(spoken) == [("Alice", "au revoir"), ("Alice", "bonjour Bob"), ("Bob", "bonjour Alice")]
    assert [event["event"] for event in events].count("SpeakerLeft") == 2


def test_files_and_channels_give_the_speakers_their_names(space, stereo, tone):
    mono = tone(0.1)
    code, out, _ = run(
        space, "stream", mono, stereo(seconds=1), "--split-channels", "--conversation", "conv1", "--rate", 20
    )
    assert code == 0
    assert sorted(out.splitlines()) == sorted(f"{name} left" for name in (mono.stem, "call-1", "call-2"))


def test_a_call_on_stdin_is_two_speakers_in_step(space, stereo):
    with stereo(".wav").open("rb") as call:
        done = subprocess.run(
            [sys.executable, "-m", "uhlive_client", "stream", "-", "--split-channels", *BOTH, "--rate", "20"],
            stdin=call,
            env=os.environ | space.env,
            capture_output=True,
            text=True,
            timeout=20,
        )
    assert done.returncode == 0
    check_words(done.stdout)


STREAM = f"{sys.executable} -m uhlive_client stream --conversation conv1 --rate 20"


def shell(space, command: str, folder) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command.replace("STREAM", STREAM)],
        cwd=folder,
        env=os.environ | space.env,
        capture_output=True,
        text=True,
        timeout=20,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize(
    "command",
    [
        "cat call.wav | STREAM /dev/stdin",
        "STREAM <(cat call.wav)",
        "mkfifo pipe && (cat call.wav > pipe &) && STREAM pipe",
        "cat cut.wav | STREAM -",
        "STREAM --raw 8000:1:s16 <(tail -c +45 call.wav)",
    ],
)
def test_a_file_a_fifo_and_stdin_give_the_same_samples(space, tmp_path, command):
    sound = np.random.default_rng(3).integers(-9000, 9000, 4000).astype("<i2")
    sf.write(tmp_path / "call.wav", sound, 8000, subtype="PCM_16")
    whole = (tmp_path / "call.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[:40] + bytes(4) + whole[44:])  # as it comes out of a pipe
    done = shell(space, command.replace("STREAM", "STREAM --speaker Alice"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert np.array_equal(heard(space, "Alice"), sound)


def test_one_program_may_write_to_several_pipes(space, stereo, tmp_path):
    """It opens all of them before it writes to any."""
    stereo(".wav", seconds=1)
    done = shell(space, "mkfifo one two; tee one < call.wav > two & STREAM two one --speaker Bob", tmp_path)
    assert (done.returncode, sorted(done.stdout.splitlines())) == (0, ["Bob left", "one left"])


@pytest.mark.parametrize("command", ["STREAM pipe ./pipe", "cat call.wav | STREAM - /dev/stdin"])
def test_a_pipe_is_read_once(space, stereo, tmp_path, command):
    stereo(".wav", seconds=1)
    os.mkfifo(tmp_path / "pipe")
    done = shell(space, command, tmp_path)
    assert done.returncode == 2
    assert "a pipe is given twice; it can be read once" in done.stderr


def test_ctrl_c_does_not_wait_for_somebody_to_write_to_a_pipe(space, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    done = shell(space, "timeout --preserve-status -s INT 3 STREAM pipe", tmp_path)
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("kind", "value", "sentence"),
    [("crash", None, "the conversation crashed"), ("close", 1011, "the connection was lost with code 1011")],
)
def test_when_one_fails_the_others_leave_with_their_last_words(server, stereo, kind, value, sentence):
    call = scenario("failing").gap(action="off").speaker("Alice").say("bonjour Bob", at=0.5, until=1.5)
    with server.space(scenario=call.speaker("Bob").fault(kind, value, at=4).build(), rate=20) as space:
        code, out, err = run(space, "stream", stereo(seconds=60), "--split-channels", *BOTH, "--rate", 20)
        assert space.conversation("conv1").speaker("Alice").left_cleanly
        assert len(heard(space, "Alice")) < 8000 * 50
    assert code == 1
    assert re.fullmatch(rf"Error: Bob: {sentence}.*\n", err)
    assert out == f"{WORDS[0]}\nAlice left\n"


def test_when_one_cannot_join_nobody_streams(space, stereo):
    space.inject("join_error", "no room", speaker="Bob")
    code, _, err = run(space, "stream", stereo(), "--split-channels", *BOTH, "--rate", 20)
    assert (code, err) == (1, "Error: Bob: the service refused the conversation: no room\n")
    assert space.journal.messages(event="audio_chunk") == []


def test_ctrl_c_lets_everybody_leave(space, stereo):
    process = subprocess.Popen(
        [sys.executable, "-m", "uhlive_client", "stream", str(stereo(seconds=60)), "--split-channels", *BOTH],
        env=os.environ | space.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        for speaker in ("Alice", "Bob"):
            space.journal.wait_for(event="audio_chunk", speaker=speaker, timeout=10)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert sorted(out.splitlines()) == ["Alice left", "Bob left"]
    assert re.fullmatch(r"(\w+ pacing: .*\n){2}", err)
    assert all(space.conversation("conv1").speaker(name).left_cleanly for name in ("Alice", "Bob"))


def test_an_observer_sees_a_whole_call(server, tmp_path):
    ghosts = tmp_path / "ghosts.yaml"
    ghosts.write_text(
        "version: 1\n"
        "speakers:\n"
        "  Bob: {ghost: true, say_from: joined, script: [{at: 1s, until: 2s, say: très bien}]}\n"
        '  "*": [{at: 9s, say: non}]\n'
    )
    with server.space(scenario=ghosts, rate=20) as space:
        code, out, err = run(space, "observe", "--conversation", "conv1", "--format", "vtt")
    assert (code, err) == (0, "")
    assert out == "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\ntrès bien\n"


def test_a_call_ten_times_as_long_needs_no_more_memory(server, stereo):
    """Held whole, the longer one would need 17 MB more than about 50, as samples between -1 and 1."""
    unlimited = scenario("long").throttle(action="off").speaker("*").say("oui", at=0.5, until=1).build()
    program = (
        "import resource, sys; from uhlive_client.cli import main; main(sys.argv[1:], standalone_mode=False);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )

    def peak(seconds: int) -> int:
        with server.space(scenario=unlimited) as space:
            arguments = ["stream", str(stereo(seconds=seconds)), "--split-channels", *BOTH, "--rate", "inf"]
            done = subprocess.run(
                [sys.executable, "-c", program, *arguments],
                env=os.environ | space.env,
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
            assert len(heard(space, "Bob")) == 8000 * seconds
        return int(done.stdout.splitlines()[-1])

    assert peak(50) < 1.15 * peak(5)
