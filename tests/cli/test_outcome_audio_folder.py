"""A folder of WAV files, one for each speaker's stay."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest
import soundfile as sf
import websocket as ws
from hypothesis import given, strategies as st

from uhlive_mock import ConfigurationError
from uhlive_mock.cli.outcome import LONGEST_NAME, AudioFolder, safe_name
from uhlive_mock.server import files


class Speaker:
    """A speaker on a socket of its own."""

    def __init__(self, space, name: str, conversation: str = "conv1") -> None:
        self.topic = f"conversation:{space.client_id}@{conversation}"
        self.socket = ws.create_connection(
            f"{space.ws_url}/socket/websocket?jwt={space.issue_token()}&vsn=2.0.0", timeout=5
        )
        self.socket.send(json.dumps(["1", "1", self.topic, "phx_join", {"speaker": name}]))
        assert json.loads(self.socket.recv())[4]["status"] == "ok"

    def say(self, space, audio: bytes) -> None:
        """Send a chunk and wait until it has arrived."""
        before = len(space.journal.messages(event="audio_chunk"))
        header = bytes([0, 1, 1, len(self.topic.encode()), 11]) + b"12" + self.topic.encode() + b"audio_chunk"
        self.socket.send_binary(header + audio)
        while len(space.journal.messages(event="audio_chunk")) == before:
            space.journal.wait_for(event="audio_chunk")

    def leave(self) -> None:
        self.socket.send(json.dumps(["1", "9", self.topic, "phx_leave", {}]))
        while json.loads(self.socket.recv())[3] != "speaker_left":
            pass
        self.socket.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_every_stay_becomes_a_file_of_exactly_what_was_sent(server, tmp_path):
    space = server.space(clock="audio")
    with AudioFolder(tmp_path / "new" / "folder", space):
        for audio in (b"\x01\x02" * 800, b"\x03\x04" * 400):
            alice = Speaker(space, "Alice")
            alice.say(space, audio)
            alice.leave()
        bob = Speaker(space, "Bob", "conv2")
        bob.say(space, b"\x05\x06" * 80)
    folder = tmp_path / "new" / "folder"
    assert names(folder) == ["conv1-Alice-1.wav", "conv1-Alice-2.wav", "conv2-Bob-1.wav"]
    for name, audio in (("conv1-Alice-1", b"\x01\x02" * 800), ("conv1-Alice-2", b"\x03\x04" * 400)):
        with sf.SoundFile(folder / f"{name}.wav") as wav:
            assert (wav.samplerate, wav.channels, wav.subtype) == (8000, 1, "PCM_16")
            assert bytes(wav.buffer_read(dtype="int16")) == audio
    assert sf.info(folder / "conv2-Bob-1.wav").frames == 80
    bob.socket.shutdown()


def test_a_file_is_there_soon_after_its_stay_is_over(server, tmp_path, monkeypatch):
    written = threading.Event()
    real = files.write_wav
    monkeypatch.setattr(files, "write_wav", lambda *given: (real(*given), written.set()))
    space = server.space(clock="audio")
    with AudioFolder(tmp_path, space):
        Speaker(space, "Alice").leave()
        assert written.wait(5)
        assert names(tmp_path) == ["conv1-Alice-1.wav"]
        assert sf.info(tmp_path / "conv1-Alice-1.wav").frames == 0


def test_gaps_are_listed_beside_the_file(server, tmp_path):
    space = server.space(clock="manual")
    with AudioFolder(tmp_path, space):
        alice = Speaker(space, "Alice")
        alice.say(space, bytes(1600))
        space.advance(2)
        alice.say(space, bytes(1600))
        space.advance(1)
        alice.leave()
    assert names(tmp_path) == ["conv1-Alice-1.gaps.json", "conv1-Alice-1.wav"]
    [gap] = json.loads((tmp_path / "conv1-Alice-1.gaps.json").read_text())
    assert gap["position"] == 800


def test_a_file_that_exists_is_never_overwritten(server, tmp_path):
    (tmp_path / "conv1-Alice-1.wav").write_text("mine")
    space = server.space()
    with AudioFolder(tmp_path, space):
        Speaker(space, "Alice").leave()
    assert names(tmp_path) == ["conv1-Alice-1.wav", "conv1-Alice-2.wav"]
    assert (tmp_path / "conv1-Alice-1.wav").read_text() == "mine"


def test_hostile_names_stay_in_the_folder_and_apart(server, tmp_path):
    folder = tmp_path / "audio"
    space = server.space()
    with AudioFolder(folder, space):
        for speaker, conversation in (("../../etc/passwd", "a/../.."), ("..\\x", "a/../.."), ("//x", "a/../..")):
            Speaker(space, speaker, conversation).leave()
    assert names(folder) == [
        "a_.._..-___.._etc_passwd-1.wav",
        "a_.._..-___x-1.wav",
        "a_.._..-__x-1.wav",
    ]
    assert names(tmp_path) == ["audio"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("Alice", "Alice"),
        ("Zoë van-der.Berg_2", "Zoë_van-der.Berg_2"),
        ("客户", "客户"),
        ("../x", "___x"),
        (".hidden", "_hidden"),
        ("-rf", "_rf"),
        ("..", "__"),
        ("", "_"),
        ("a\0b\nc:d*e?f", "a_b_c_d_e_f"),
        ("x" * 1000, "x" * LONGEST_NAME),
    ],
)
def test_a_name_becomes_part_of_a_files_name(name, safe):
    assert safe_name(name) == safe


@given(st.text(), st.text())
def test_any_two_names_make_a_files_name_that_any_system_takes(conversation, speaker):
    name = f"{safe_name(conversation)}-{safe_name(speaker)}-1000.gaps.json"
    assert len(name.encode()) <= 255
    assert Path(name).name == name
    assert not name.startswith((".", "-"))
    assert not set('\0\n/\\:*?"<>|') & set(name)


def test_a_folder_that_cannot_be_made_is_refused(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"cannot write audio to .*file/audio: Not a directory"):
        AudioFolder(tmp_path / "file" / "audio", server.space())


def test_a_file_that_cannot_be_written_is_told_and_the_others_are_written(server, tmp_path, caplog):
    space = server.space()
    with AudioFolder(tmp_path / "audio", space):
        alice = Speaker(space, "Alice")
        shutil.rmtree(tmp_path / "audio")
    alice.socket.shutdown()
    [record] = caplog.records
    assert record.getMessage().startswith("the audio of Alice was not written: [Errno 2]")
