"""What headerless sound is coded in, with numbers worked out by hand."""

from __future__ import annotations

import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, strategies as st
from uhlive_client.codecs import Encoding, RawFormat
from uhlive_client.errors import ConfigurationError

formats = st.builds(
    RawFormat,
    sample_rate=st.integers(1, 200_000),
    channels=st.integers(1, 8),
    encoding=st.sampled_from(Encoding),
)


@given(raw=formats)
def test_a_format_is_read_back_from_its_text(raw):
    assert RawFormat.parse(str(raw)) == raw


@pytest.mark.parametrize(
    ("text", "encoding"), [("8000:1:linear", "s16"), ("8000:1:g711a", "alaw"), ("8000:1:g711u", "ulaw")]
)
def test_the_names_of_the_service_are_understood_too(text, encoding):
    assert RawFormat.parse(text).encoding is Encoding(encoding)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "RATE:CHANNELS:ENCODING"),
        ("8000", "RATE:CHANNELS:ENCODING"),
        ("8000:1", "expected one of u8, "),
        ("8000:one:s16", "RATE:CHANNELS:ENCODING"),
        ("-8000:1:s16", "RATE:CHANNELS:ENCODING"),
        ("8000:1:mp3", "'mp3'; expected one of u8, "),
        ("8000:1:s16:le", "'s16:le'"),
        ("0:1:s16", "0 samples a second"),
        ("8000:0:s16", "0 channels"),
        ("8000:5000:s16", "5000 channels; expected 1 to 1024"),
        ("8" * 5000 + ":1:s16", "smaller numbers"),
        ("٨٠٠٠:1:s16", "RATE:CHANNELS:ENCODING"),
    ],
)
def test_what_is_no_format_says_what_is(text, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        RawFormat.parse(text)


@given(text=st.text())
def test_any_text_is_a_format_or_a_mistake_in_one(text):
    with suppress(ConfigurationError):
        assert isinstance(RawFormat.parse(text), RawFormat)


@pytest.mark.parametrize(
    ("encoding", "coded", "sample"),
    [
        ("u8", b"\xc0", 0.5),
        ("s8", b"\x40", 0.5),
        ("s16", struct.pack("<h", 16_384), 0.5),
        ("s24", b"\x00\x00\x40", 0.5),
        ("s32", struct.pack("<i", 2**30), 0.5),
        ("f32", struct.pack("<f", 0.5), 0.5),
        ("f64", struct.pack("<d", 0.5), 0.5),
        ("alaw", b"\xd5", 8 / 32_768),
        ("ulaw", b"\xff", 0.0),
    ],
)
def test_samples_of_each_encoding(encoding, coded, sample):
    raw = RawFormat(sample_rate=8000, channels=2, encoding=Encoding(encoding))
    assert raw.frame_size == 2 * len(coded)
    assert raw.decode(coded * 4).tolist() == [[sample, sample], [sample, sample]]


def test_channels_are_columns():
    raw = RawFormat(sample_rate=8000, channels=2)
    coded = np.array([[1, 2], [3, 4]], "<i2").tobytes()
    assert (raw.decode(coded) * 32_768).tolist() == [[1, 2], [3, 4]]
