"""What came against the sound that was to come."""

from __future__ import annotations

import time
from io import BytesIO

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings, strategies as st

from uhlive_mock.model.audio import Codec
from uhlive_mock.verification.audio_diff import compare, ms

SECOND = 8000
SUBTYPES = {Codec.LINEAR: "PCM_16", Codec.ALAW: "ALAW", Codec.ULAW: "ULAW"}
CODECS = st.sampled_from(Codec)
EVERY = np.arange(-32768, 32768).astype(np.int16)


def noise(samples: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 3000, samples).clip(-32000, 32000).astype(np.int16)


def encoded(samples: np.ndarray, codec: Codec = Codec.LINEAR) -> bytes:
    file = BytesIO()
    sf.write(file, samples, SECOND, format="RAW", subtype=SUBTYPES[codec])
    return file.getvalue()


NOISE = noise(4 * SECOND)
PLACES = st.integers(0, len(NOISE) - 2000)
LENGTHS = st.integers(1, 1500)


# --- the same ---


@pytest.mark.parametrize("codec", Codec)
def test_a_sound_is_the_same_in_every_codec(codec):
    for sound in (NOISE, EVERY, NOISE[:0]):
        assert compare(encoded(sound, codec), sound, codec=codec) is None


@pytest.mark.parametrize("codec", [Codec.ALAW, Codec.ULAW])
def test_the_next_step_of_the_law_is_a_difference(codec):
    levels = np.unique(sf.read(BytesIO(bytes(range(256))), dtype="int16", format="RAW", subtype=SUBTYPES[codec],
                               samplerate=SECOND, channels=1)[0])  # fmt: skip
    found = compare(encoded(levels[1:], codec), levels[:-1], codec=codec)
    assert found.differing == len(levels) - 1


def test_a_tolerance_is_how_far_each_sample_may_be_off():
    assert compare(encoded(NOISE + np.int16(3)), NOISE, tolerance=3) is None
    assert compare(encoded(NOISE + np.int16(3)), NOISE, tolerance=2).differing == len(NOISE)


# --- what happened to it ---


@given(place=PLACES, length=LENGTHS, codec=CODECS)
def test_what_is_missing_is_found_where_it_is_missing(place, length, codec):
    came = np.concatenate([NOISE[:place], NOISE[place + length :]])
    found = compare(encoded(came, codec), NOISE, codec=codec)
    assert place <= found.first <= place + 20
    where = "at the start" if found.first == 0 else f"at {ms(found.first)}"
    assert found.findings[0] == f"{ms(length)} are missing {where}; the rest is the same"


@given(place=PLACES, length=LENGTHS, codec=CODECS, silent=st.booleans())
def test_what_came_too_much_is_found_where_it_came(place, length, codec, silent):
    extra = np.zeros(length, np.int16) if silent else noise(length, seed=2)
    came = np.concatenate([NOISE[:place], extra, NOISE[place:]])
    found = compare(encoded(came, codec), NOISE, codec=codec)
    assert place <= found.first <= place + 20
    where = "at the start" if found.first == 0 else f"at {ms(found.first)}"
    of_silence = " of silence" if silent and found.first == place and codec is not Codec.ALAW else ""
    assert found.findings[0].replace(" of silence", of_silence) == (
        f"{ms(length)}{of_silence} too many came {where}; the rest is the same"
    )


@settings(max_examples=25)
@given(place=PLACES, lost=LENGTHS, cut=LENGTHS)
def test_a_loss_in_the_middle_and_a_cut_at_the_end_are_both_told(place, lost, cut):
    came = np.concatenate([NOISE[:place], NOISE[place + lost : -cut]])
    found = compare(encoded(came), NOISE)
    if len(came) - place > 800:
        end = f"; the rest is the same, but its last {ms(cut)} are missing too"
        assert found.findings[0].startswith(f"{ms(lost)} are missing")
        assert found.findings[0].endswith(end)


@given(length=LENGTHS, codec=CODECS)
def test_an_end_that_was_cut_is_told(length, codec):
    found = compare(encoded(NOISE[:-length], codec), NOISE, codec=codec)
    assert (found.first, found.differing) == (None, 0)
    assert found.findings == (f"the last {ms(length)} are missing; the rest is the same",)


def test_what_came_behind_the_end_is_told():
    silence, more = np.zeros(80, np.int16), noise(80)
    assert compare(encoded(np.append(NOISE, silence)), NOISE).findings == (
        "10 ms of silence came behind it; the rest is the same",
    )
    assert compare(encoded(np.append(NOISE, more)), NOISE).findings == (
        "10 ms more came behind it; the rest is the same",
    )
    assert compare(b"", NOISE).findings == ("no audio came",)


@given(place=st.integers(0, len(NOISE) - 200), bit=st.integers(0, 15))
def test_a_flipped_bit_is_found(place, bit):
    came = NOISE.copy()
    came[place] ^= np.array(1 << bit, np.uint16).view(np.int16)
    found = compare(encoded(came), NOISE)
    assert (found.first, found.last, found.differing) == (place, place, 1)
    assert f"first difference at {ms(place)}, sample {place}:" in found.lines()
    assert (place, int(NOISE[place]), int(came[place])) in found.around
    assert found.findings == ("only this sample differs; the rest is the same",)


@given(place=st.integers(0, 2 * len(NOISE) - 400), lost=st.booleans())
def test_a_byte_lost_or_added_is_found(place, lost):
    data = encoded(NOISE)
    came = data[:place] + data[place + 1 :] if lost else data[:place] + b"\x5a" + data[place:]
    found = compare(came, NOISE)
    assert abs(found.first - place // 2) <= 3
    where = "at the start" if found.first == 0 else f"at {ms(found.first)}"
    what = "a byte is missing" if lost else "a byte too many came"
    assert found.findings[0].startswith(f"{what} {where}, and from there on each sample is made of the halves")


def test_a_part_that_differs_is_told():
    came = NOISE.copy()
    came[8000:8800] = noise(800, seed=3)
    assert compare(encoded(came), NOISE).findings[0].endswith("from there on differ; the rest is the same")


def test_swapped_bytes_are_told():
    [finding] = compare(NOISE.byteswap().tobytes(), NOISE).findings
    assert finding == "the bytes of each sample are swapped: it is big-endian; expected little-endian"


@pytest.mark.parametrize("said", Codec)
@pytest.mark.parametrize("sent", Codec)
def test_another_codec_than_the_join_says_is_told(said, sent):
    found = compare(encoded(NOISE, sent), NOISE, codec=said)
    if said is sent:
        assert found is None
    else:
        assert f"({sent.value})" in found.findings[0] or sent is Codec.LINEAR
        assert found.findings[0].endswith(f"and then they are the same; the join says {said.value}")


def test_silence_instead_of_sound_is_told():
    assert compare(bytes(2 * len(NOISE)), NOISE).findings == ("only silence came",)


def test_what_has_nothing_in_common_is_told_without_a_guess():
    found = compare(encoded(noise(len(NOISE), seed=9)), NOISE)
    assert found.findings == ()
    assert found.differing > 30_000


@given(came=st.binary(max_size=400), expected=st.binary(max_size=400), codec=CODECS, tolerance=st.integers(0, 5))
def test_any_bytes_can_be_compared(came, expected, codec, tolerance):
    sound = np.frombuffer(expected[: len(expected) // 2 * 2], "<i2")
    found = compare(came, sound, codec=codec, tolerance=tolerance)
    if found:
        assert str(found)


def test_what_one_reads():
    came = np.concatenate([NOISE[:9602], NOISE[10562:]])
    rows = [line.split() for line in str(compare(encoded(came), NOISE)).splitlines()]
    assert rows[:2] == [
        ["expected", "4000", "ms", "(32000", "samples)"],
        ["received", "3880", "ms", "(31040", "samples)"],
    ]
    assert rows[2] == ["first", "difference", "at", "1200.25", "ms,", "sample", "9602:"]
    assert rows[3] == ["sample", *(str(place) for place in range(9600, 9607))]
    assert rows[4] == ["expected", *(str(NOISE[place]) for place in range(9600, 9607))]
    assert rows[5] == ["received", *(str(came[place]) for place in range(9600, 9607))]
    assert " ".join(rows[7]) == "120 ms are missing at 1200.25 ms; the rest is the same"


def test_ten_minutes_are_compared_in_a_moment():
    def cost(sound: np.ndarray) -> float:
        began = time.process_time()
        assert compare(encoded(np.delete(sound, slice(80_000, 80_800))), sound).findings
        return time.process_time() - began

    long = noise(600 * SECOND)
    # In proportion, with room for what one of the two has in its caches; a quadratic search would take 400 times.
    assert cost(long) < 100 * cost(long[: 30 * SECOND])
