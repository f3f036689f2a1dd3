"""Which sounds a test may expect, and how they are read."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import soundfile as sf

from uhlive_mock.errors import ConfigurationError
from uhlive_mock.verification.sound import read_sound

SECOND = 8000
NOISE = np.random.default_rng(1).normal(0, 3000, 4 * SECOND).clip(-32000, 32000).astype(np.int16)


def test_a_file_of_any_form_that_keeps_the_samples_is_read(tmp_path):
    for name, options in {
        "a.wav": {},
        "b.wav": {"subtype": "FLOAT"},
        "c.wav": {"subtype": "PCM_24"},
        "d.flac": {},
        "e.au": {},
        "f.aiff": {},
    }.items():
        sf.write(tmp_path / name, NOISE / 32768, SECOND, **options)
        assert np.array_equal(read_sound(tmp_path / name), NOISE)
        assert np.array_equal(read_sound(str(tmp_path / name)), NOISE)
    assert np.array_equal(read_sound((tmp_path / "a.wav").read_bytes()), NOISE)
    assert np.array_equal(read_sound(NOISE.tobytes()), NOISE)
    (tmp_path / "g.raw").write_bytes(NOISE.tobytes())
    assert np.array_equal(read_sound(tmp_path / "g.raw"), NOISE)


FMT = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, SECOND, 16_000, 2, 16)
ODD = b"LIST" + struct.pack("<I", 3) + b"odd\0"
ONES = 0xFFFF_FFFF


def ds64(size: int) -> bytes:
    return b"ds64" + struct.pack("<IQQQI", 28, size, size, size, 0)


@pytest.mark.parametrize(
    ("start", "riff", "before", "size"),
    [
        (b"RIFF", 36, FMT, 0),
        (b"RIFF", 0, FMT, 0),
        (b"RIFF", ONES, ODD + FMT + ODD, 0),
        (b"RIFF", ONES, FMT, ONES),
        (b"RIFF", 0x7FFF_F024, FMT, 0x7FFF_F000),
        (b"RF64", ONES, ds64(0) + FMT, ONES),
        (b"RF64", ONES, ds64((1 << 64) - 1) + FMT, ONES),
        (b"RF64", ONES, ds64(2 * len(NOISE)) + FMT, ONES),
        (b"RF64", ONES, FMT, ONES),
    ],
)
def test_a_file_that_came_through_a_pipe_holds_what_follows_its_header(tmp_path, start, riff, before, size):
    head = start + struct.pack("<I", riff) + b"WAVE" + before + b"data" + struct.pack("<I", size)
    (tmp_path / "x.wav").write_bytes(head + NOISE.astype("<i2").tobytes())
    assert np.array_equal(read_sound(tmp_path / "x.wav"), NOISE)
    assert np.array_equal(read_sound((tmp_path / "x.wav").read_bytes()), NOISE)


@pytest.mark.parametrize("size", [0, ONES])
def test_so_does_an_au(tmp_path, size):
    head = struct.pack(">4sIIIII", b".snd", 24, size, 3, SECOND, 1)
    (tmp_path / "x.au").write_bytes(head + NOISE.astype(">i2").tobytes())
    assert np.array_equal(read_sound(tmp_path / "x.au"), NOISE)


@pytest.mark.parametrize(
    ("rate", "shape", "subtype", "found"),
    [
        (16_000, (800,), "PCM_16", "16000 Hz, 1 channel, PCM_16; expected 8000 Hz, 1 channel, 16 bits"),
        (8000, (800, 2), "PCM_16", "8000 Hz, 2 channels, PCM_16; expected 8000 Hz, 1 channel, 16 bits"),
        (
            8000,
            (800,),
            "FLOAT",
            "8000 Hz, 1 channel, FLOAT, with samples that 16 bits do not hold; expected 8000 Hz",
        ),
    ],
)
def test_another_form_is_refused_with_what_was_found(tmp_path, rate, shape, subtype, found):
    sf.write(tmp_path / "x.wav", np.full(shape, 0.1), rate, subtype=subtype)
    with pytest.raises(ConfigurationError, match=found):
        read_sound(tmp_path / "x.wav")


@pytest.mark.parametrize(
    ("content", "found"),
    [(None, "cannot read .*x.wav: No such file"), (b"text", "x.wav is no sound file that can be read")],
)
def test_what_cannot_be_read_is_refused(tmp_path, content, found):
    if content:
        (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(ConfigurationError, match=found):
        read_sound(tmp_path / "x.wav")
    with pytest.raises(ConfigurationError, match="has 3 bytes; expected whole samples of 2 bytes"):
        read_sound(b"abc")
