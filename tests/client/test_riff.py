"""The head of a WAV stream, with soundfile's files as the witness and heads written by hand."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st
from uhlive_client.codecs import Encoding, RawFormat
from uhlive_client.errors import AudioError
from uhlive_client.piped_audio import read_wav_header

PROPERTY = settings(deadline=None, derandomize=True, max_examples=60)
SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW")


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(body) if size is None else size) + body + bytes(len(body) % 2)


def fmt(tag=1, channels=1, rate=8000, bits=16) -> bytes:
    frame = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits))


def wav(*chunks: bytes, start: bytes = b"RIFF") -> io.BytesIO:
    return io.BytesIO(start + struct.pack("<I", 0xFFFF_FFFF) + b"WAVE" + b"".join(chunks))


@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64"])
@pytest.mark.parametrize("subtype", SUBTYPES)
def test_what_soundfile_writes(container, subtype):
    file = io.BytesIO()
    samples = np.linspace(-0.5, 0.5, 300).reshape(100, 3)
    sf.write(file, samples, 44_100, format=container, subtype=subtype)
    file.seek(0)
    raw, size = read_wav_header(file.read)
    assert raw == RawFormat(sample_rate=44_100, channels=3, encoding=raw.encoding)
    assert raw.encoding.subtype == subtype
    assert size == 100 * raw.frame_size
    file_again = io.BytesIO(file.getvalue())
    assert np.array_equal(raw.decode(file.read(size)), sf.read(file_again, dtype="float32")[0])


@pytest.mark.parametrize("size", [0, 0x7FFF_0000, 0x7FFF_F000, 0xFFFF_FFFF])
def test_a_size_that_nobody_knew_is_until_the_end(size):
    assert read_wav_header(wav(fmt(), chunk(b"data", b"", size)).read)[1] is None


def test_other_chunks_are_passed_over_whatever_their_size():
    head = wav(chunk(b"LIST", b"odd"), fmt(), chunk(b"junk", bytes(200_001)), chunk(b"data", b"\1\2"))
    assert read_wav_header(head.read) == (RawFormat(sample_rate=8000), 2)
    assert head.read() == b"\1\2"


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        (io.BytesIO(), "nothing at all"),
        (io.BytesIO(b"fLaC....WAVE"), "fLaC"),
        (io.BytesIO(b"RIFF....AVI "), "RIFF"),
        (wav(), "ends before its sound"),
        (wav(fmt()), "ends before its sound"),
        (wav(fmt(), chunk(b"junk", b"", 5_000_000)), "ends before its sound"),
        (wav(chunk(b"data", b"\1\2")), "expected `fmt ` before `data`"),
        (wav(chunk(b"fmt ", b"\1\0")), "2 bytes; expected at least 16"),
        (wav(fmt(tag=85)), "format 85 with 16 bits"),
        (wav(fmt(bits=12)), "format 1 with 12 bits"),
        (wav(fmt(channels=0)), "0 channels"),
        (wav(fmt(rate=0)), "0 samples a second"),
    ],
)
def test_what_is_no_wav_says_so(head, sentence):
    with pytest.raises(AudioError, match=sentence):
        read_wav_header(head.read)


@PROPERTY
@given(garbage=st.binary(max_size=300), with_start=st.booleans())
def test_any_bytes_are_a_head_or_a_mistake(garbage, with_start):
    stream = wav(garbage) if with_start else io.BytesIO(garbage)
    try:
        raw, size = read_wav_header(stream.read)
    except AudioError:
        return
    assert isinstance(raw.encoding, Encoding)
    assert size is None or size > 0


@PROPERTY
@given(cut=st.integers(0, 44))
def test_a_head_cut_anywhere_is_no_head(cut):
    whole = wav(fmt(), chunk(b"data", b"", 100)).getvalue()
    with pytest.raises(AudioError):
        read_wav_header(io.BytesIO(whole[: min(cut, len(whole) - 1)]).read)
