"""Recordings as WAV files."""

from __future__ import annotations

import json
from io import BytesIO

import numpy as np
import pytest
import soundfile as sf

from uhlive_mock.model.audio import Codec
from uhlive_mock.protocol.speaker_audio import Recording
from uhlive_mock.server.files import wav_bytes, write_wav


@pytest.fixture
def recording() -> Recording:
    recording = Recording(Codec.ULAW)
    recording.add(bytes(range(256)), 0.0)
    return recording


def test_a_wav_file_holds_exactly_the_samples(recording):
    with sf.SoundFile(BytesIO(wav_bytes(recording))) as wav:
        assert (wav.samplerate, wav.channels, wav.subtype) == (8000, 1, "PCM_16")
        assert wav.read(dtype="int16").astype("<i2").tobytes() == recording.linear()


def test_half_a_sample_is_left_out():
    recording = Recording(Codec.LINEAR)
    recording.add(b"\x01\x02\x03", 0.0)
    samples, _ = sf.read(BytesIO(wav_bytes(recording)), dtype="int16")
    assert samples.tolist() == [0x0201]


def test_a_silent_speaker_makes_an_empty_file():
    samples, rate = sf.read(BytesIO(wav_bytes(Recording(Codec.LINEAR))))
    assert (len(samples), rate) == (0, 8000)


def test_a_written_file_is_the_same(recording, tmp_path):
    write_wav(tmp_path / "alice.wav", recording)
    assert (tmp_path / "alice.wav").read_bytes() == wav_bytes(recording)
    assert [path.name for path in tmp_path.iterdir()] == ["alice.wav"]


def test_gaps_are_listed_beside_it(recording, tmp_path):
    recording.add(bytes(8000), 2.032)
    write_wav(tmp_path / "alice.wav", recording)
    gaps = json.loads((tmp_path / "alice.gaps.json").read_text())
    assert gaps == [{"position": 256, "silence_s": pytest.approx(2.0)}]
    samples, _ = sf.read(tmp_path / "alice.wav")
    assert len(samples) == 8256
    assert np.abs(samples).max() > 0


def test_gaps_of_an_earlier_recording_do_not_stay(recording, tmp_path):
    (tmp_path / "alice.gaps.json").write_text("[]")
    write_wav(tmp_path / "alice.wav", recording)
    assert not (tmp_path / "alice.gaps.json").exists()


def test_a_directory_that_is_not_there_is_an_error(recording, tmp_path):
    with pytest.raises(FileNotFoundError):
        write_wav(tmp_path / "nowhere" / "alice.wav", recording)
