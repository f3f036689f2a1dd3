"""What is kept of a test that failed."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from hypothesis import given, strategies as st

from uhlive_mock.testing.trial import folder_of, safe_name

ROOT = Path("/kept")


def test_a_test_s_folder_is_named_after_it():
    assert folder_of(ROOT, "tests/test_it.py::TestCase::test_name") == ROOT / "tests/test_it.py/TestCase/test_name"
    assert folder_of(ROOT, "test_it.py::test_name[1-fr]") == ROOT / "test_it.py/test_name[1-fr]"


def test_what_no_file_can_be_called_is_replaced_and_still_told_apart():
    one, other = folder_of(ROOT, "test_it.py::test_name[a b]"), folder_of(ROOT, "test_it.py::test_name[a?b]")
    assert one.name.startswith("test_name[a_b]-")
    assert one != other


@given(st.text(min_size=1), st.text(min_size=1))
def test_names_are_safe_and_different_names_stay_different(one, other):
    name = safe_name(one)
    assert len(PurePosixPath(name).parts) == 1
    assert name not in (".", "..")
    assert len(name) <= 90
    assert (one == other) == (name == safe_name(other))


@given(st.text())
def test_a_folder_never_leaves_the_root(nodeid):
    assert folder_of(ROOT, nodeid).is_relative_to(ROOT)
    assert ".." not in folder_of(ROOT, nodeid).parts


SOURCE = """
import os
from websockets.sync.client import connect
from uhlive.stream.conversation import Conversation

def test_it(uhlive_sdk, uhlive_mock):
    for name in ("Alice", "Bob/Carol"):
        with connect(uhlive_sdk.conversation_url()) as socket:
            speaker = Conversation(uhlive_sdk.client_id, "conv1", name)
            socket.send(speaker.join(model="fr"))
            speaker.receive(socket.recv())
            socket.send(speaker.send_audio_chunk(bytes(1600)))
            socket.send(speaker.leave())
            while not speaker.left:
                speaker.receive(socket.recv())
    assert os.environ.get("PASS")
"""


def test_a_failed_test_s_journal_recordings_and_timeline_are_kept_until_it_passes(run, pytester, monkeypatch):
    options = ("--uhlive-mock-artifacts=kept", "--uhlive-mock-no-strict")
    folder = pytester.path / "kept" / "test_it.py" / "test_it"
    result = run(SOURCE, *options)
    result.stdout.fnmatch_lines(
        ["kept in kept/test_it.py/test_it: journal.jsonl, timeline.txt, conv1-Alice.wav, conv1-Bob_Carol-*.wav"]
    )
    entries = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert "phx_join" in [entry.get("event") for entry in entries]
    assert (folder / "conv1-Alice.wav").read_bytes()[:4] == b"RIFF"
    assert "Alice" in (folder / "timeline.txt").read_text()

    (folder / "of another run").touch()
    run("", *options)
    assert not (folder / "of another run").exists()
    assert (folder / "journal.jsonl").exists()

    monkeypatch.setenv("PASS", "1")
    run("", *options).assert_outcomes(passed=1)
    assert not folder.exists()


def test_they_are_kept_in_the_cache_by_default(run, pytester):
    run("def test_it(uhlive_mock): assert 0", plugins=["cacheprovider"])
    assert (pytester.path / ".pytest_cache/d/uhlive-mock/test_it.py/test_it/journal.jsonl").exists()


def test_without_a_cache_they_are_kept_in_the_folder_for_temporary_files(run, pytester):
    result = run("def test_it(uhlive_mock): assert 0")
    [folder] = pytester.path.glob("uhlive-mock-*")
    assert (folder / "test_it.py/test_it/journal.jsonl").exists()
    result.stdout.fnmatch_lines([f"kept in {folder.name}/test_it.py/test_it: journal.jsonl, timeline.txt"])


def test_a_folder_of_the_ini_file_is_the_project_s(run, pytester, monkeypatch):
    pytester.makeini("[pytest]\nuhlive_mock_artifacts = kept\n")
    pytester.makepyfile(test_it="def test_it(uhlive_mock): assert 0")
    monkeypatch.chdir(pytester.mkdir("below"))
    run("", "..")
    assert (pytester.path / "kept/test_it.py/test_it/journal.jsonl").exists()


def test_a_folder_that_cannot_be_written_is_said_and_fails_nothing_else(run, pytester):
    (pytester.path / "kept").write_text("a file")
    result = run("def test_it(uhlive_mock): assert 0", "--uhlive-mock-artifacts=kept")
    result.stdout.fnmatch_lines(["nothing could be kept in kept/test_it.py/test_it: *"])
    result.assert_outcomes(failed=1)
