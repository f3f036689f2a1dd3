"""What `run` and `serve` leave behind: findings, recordings, pacing."""

from __future__ import annotations

import json
import signal
import sys

import msgspec
import pytest
import soundfile as sf

from uhlive_mock.protocol.journal import Entry
from uhlive_mock.protocol.pacing import Pacing

CLIENT = """
import json, os, sys, urllib.parse, urllib.request, websocket
from uhlive.auth import build_authentication_request as build
from uhlive.stream.conversation import Conversation, build_conversation_url

url, form = build(os.environ["UHLIVE_API_CLIENT"], os.environ["UHLIVE_API_SECRET"])
with urllib.request.urlopen(url, urllib.parse.urlencode(form).encode()) as answer:
    token = json.load(answer)["access_token"]

def call(speaker, *chunks, conversation="conv1"):
    socket = websocket.create_connection(build_conversation_url(token), timeout=10)
    conversation = Conversation(os.environ["UHLIVE_API_CLIENT"], conversation, speaker)
    socket.send(conversation.join())
    conversation.receive(socket.recv())
    for chunk in chunks:
        socket.send_binary(conversation.send_audio_chunk(chunk))
    socket.send(conversation.leave())
    while not conversation.left:
        conversation.receive(socket.recv())
    socket.close()
"""
LATE = "version: 1\nspeakers:\n  Alice:\n    - at: 1s\n      until: 2s\n      say: hello\n"
SILENT = "version: 1\nspeakers: {}\n"
LARGE = "call('Alice', bytes(70_000)); call('Alice', bytes(80_000)); call('Bob', bytes(90_000))"


@pytest.fixture
def run(mock, tmp_path):
    """Run a program of ours with `run`; `scenario` is a document, `then` what the program does."""

    def run(*options: str, scenario: str = SILENT, then: str = "call('Alice', bytes(1600))"):
        document = tmp_path / "call.yaml"
        document.write_text(scenario)
        program = tmp_path / "program.py"
        program.write_text(CLIENT + then)
        return mock("run", "--clock", "audio", str(document), *options, "--", sys.executable, str(program))

    return run


# --- findings ---


def test_a_clean_run_says_nothing(run):
    done = run("--strict")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_broken_rule_is_told_once_for_each_speaker(run):
    done = run(then=LARGE)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "uhlive-mock: Alice: chunk: 70000 bytes of audio in one chunk; at most 64000 are allowed (2 times)",
        "uhlive-mock: Bob: chunk: 90000 bytes of audio in one chunk; at most 64000 are allowed",
        "uhlive-mock: a rule is explained by: uhlive-mock explain NAME",
    ]


HASTY = """
socket = websocket.create_connection(build_conversation_url(token), timeout=10)
conversation = Conversation(os.environ["UHLIVE_API_CLIENT"], "conv1", "Alice")
socket.send(conversation.join())
conversation.receive(socket.recv())
for _ in range(2):
    socket.send_binary(conversation.send_audio_chunk(bytes(801)))
socket.send(conversation.leave())
while not conversation.left:
    conversation.receive(socket.recv())
socket.close()
"""


def test_what_else_the_client_did_wrong_is_told_and_nothing_twice(run):
    done = run("--strict", then=HASTY)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "uhlive-mock: Alice: odd_samples: a chunk of 16-bit audio ended in the middle of a sample: 801 bytes"
        " (2 times)",
        "uhlive-mock: a rule is explained by: uhlive-mock explain NAME",
    ]


def test_a_warning_is_told_and_does_not_count(run):
    done = run("--strict", "--clock", "real", then="call('Alice', *[bytes(16_000)] * 3)")
    assert done.returncode == 0
    assert done.stderr.startswith("uhlive-mock: warning: Alice: faster_than_real_time: audio came faster than")


@pytest.mark.parametrize(
    ("options", "scenario", "then", "code"),
    [
        (["--strict"], SILENT, "call('Alice', bytes(70_000))", 1),
        (["--strict"], LATE, "call('Alice')", 1),
        (["--strict"], LATE, "call('Alice'); sys.exit(7)", 7),
        ([], LATE, "call('Alice')", 0),
    ],
)
def test_strict_turns_findings_into_exit_code_1(run, options, scenario, then, code):
    done = run(*options, scenario=scenario, then=then)
    assert done.returncode == code, done.stderr


def test_a_speaker_the_scenario_waited_for_in_vain_is_told(run):
    done = run(scenario=LATE, then="call('alice')")
    assert "speaker 'Alice' of scenario 'call' never joined; joined: 'alice'" in done.stderr


def test_what_a_program_that_just_ends_had_sent_is_counted(run):
    abrupt = "call('Alice', bytes(1600)) if False else os._exit(main())"
    main = """
def main():
    socket = websocket.create_connection(build_conversation_url(token), timeout=10)
    conversation = Conversation(os.environ["UHLIVE_API_CLIENT"], "conv1", "Alice")
    socket.send(conversation.join())
    conversation.receive(socket.recv())
    socket.send_binary(conversation.send_audio_chunk(bytes(16_000)))
    return 0
"""
    done = run(scenario=LATE, then=main + abrupt)
    assert "cue 0 of Alice was never played: it needs 2 s of audio, 1 s of audio arrived" in done.stderr


@pytest.mark.parametrize(("options", "code"), [(["--strict"], 1), ([], 0)])
def test_serve_tells_its_findings_when_it_stops(serve, tmp_path, options, code):
    document = tmp_path / "call.yaml"
    document.write_text(LATE)
    served = serve(str(document), *options)
    exit_code, log = served.stop()
    assert exit_code == code
    assert log == "uhlive-mock: scenario 'call' spoke in no conversation: it is for '*'; joined: none\n"


def test_serve_that_is_interrupted_exits_with_130_whatever_it_found(serve, tmp_path):
    document = tmp_path / "call.yaml"
    document.write_text(LATE)
    code, log = serve(str(document), "--strict").stop(signal.SIGINT)
    assert code == 130
    assert "spoke in no conversation" in log


# --- recordings and journal ---


def test_audio_writes_a_file_for_each_stay(run, tmp_path):
    then = "call('Alice', bytes(1600)); call('Alice', bytes(800)); call('../Bob', bytes(400), conversation='a/b')"
    done = run("--audio", str(tmp_path / "audio"), then=then)
    assert done.returncode == 0, done.stderr
    frames = {path.name: sf.info(path).frames for path in sorted((tmp_path / "audio").iterdir())}
    assert frames == {"a_b-___Bob-1.wav": 200, "conv1-Alice-1.wav": 800, "conv1-Alice-2.wav": 400}


def test_serve_writes_audio_as_well(serve, tmp_path):
    served = serve("--audio", str(tmp_path / "audio"))
    assert (tmp_path / "audio").is_dir()
    assert served.stop()[0] == 0


def test_the_journal_reads_back_line_by_line(run, tmp_path):
    run("--journal", str(tmp_path / "journal.jsonl"))
    lines = (tmp_path / "journal.jsonl").read_text().splitlines()
    entries = [msgspec.json.decode(line, type=Entry) for line in lines]
    assert [entry.index for entry in entries] == list(range(len(entries)))
    assert [entry.audio_bytes for entry in entries if entry.event == "audio_chunk"] == [1600]


# --- pacing ---


def test_pacing_is_a_table_for_each_speaker_on_stderr(run):
    done = run("--pacing", then="call('Alice', *[bytes(1600)] * 30); call('Bob')")
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0] == "uhlive-mock: pacing of Alice in conv1"
    assert lines[1].startswith("verdict      faster than real time: ")
    assert "chunk sizes  30 of 1600 bytes" in lines
    assert "uhlive-mock: pacing of Bob in conv1" in lines
    assert lines[-12] == "verdict      no audio"


def test_pacing_of_nobody_says_so(run):
    assert run("--pacing", then="").stderr.splitlines()[-1] == (
        "uhlive-mock: nobody joined as a speaker, so there is no pacing"
    )


def test_pacing_as_json_reads_back(run, tmp_path):
    done = run("--pacing-json", str(tmp_path / "pacing.json"), then="call('Alice', *[bytes(1600)] * 3)")
    assert done.stderr == ""
    [alice] = json.loads((tmp_path / "pacing.json").read_text())
    assert {name: alice[name] for name in ("conversation", "speaker", "left_cleanly", "verdict")} == {
        "conversation": "conv1",
        "speaker": "Alice",
        "left_cleanly": True,
        "verdict": "keeps real time",
    }
    pacing = msgspec.convert(alice["pacing"], Pacing)
    assert (pacing.chunks, pacing.chunk_sizes) == (3, ((1600, 3),))


# --- options that cannot be used ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--audio", "/dev/null/audio"], "cannot write audio to /dev/null/audio: Not a directory"),
        (["--pacing-json", "/nowhere/pacing.json"], "cannot write the pacing to /nowhere/pacing.json: No"),
    ],
)
def test_a_place_that_cannot_be_written_is_one_sentence_before_anything_runs(mock, options, message):
    done = mock("run", *options, "--", sys.executable, "-c", "print('ran')")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"uhlive-mock: {message}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["serve", "run"])
def test_help_names_the_options(mock, command):
    text = mock(command, "--help").stdout
    assert {"--audio", "--strict", "--no-strict"} <= set(text.split())
    assert ("--pacing-json" in text.split()) == (command == "run")
