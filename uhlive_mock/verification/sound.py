"""The sound that a test expects: how it is read, what G.711 makes of it, and where another is the same again.

What is expected has to be what the service takes: 8 kHz, one channel, samples of 16 bits. A file may hold them
in any form that loses nothing of them; one at another rate is refused, for resampling would decide the outcome.

Two sounds that drift apart are compared by a probe, a tenth of a second that is no silence. It is taken of one of
them and looked for in the other, by the sum of the squares of what differs:

    a probe of what came, found later in what was expected     something is missing
    a probe of what was expected, found later in what came     too much came

The sum is the two energies less twice the correlation, and the correlation of a long sound with a short probe is
quick by FFT, block by block. Of several places, as a tone has, that counts from where most is the same, then the
nearest. What explains the whole difference in length is tried before anything is looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from os import PathLike, fspath
from pathlib import Path

import msgspec
import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from ..errors import ConfigurationError
from ..model.audio import SAMPLE_RATE, Codec
from ..protocol.speaker_audio import Recording

Samples = NDArray[np.int16]

_EXPECTED = "expected 8000 Hz, 1 channel, 16 bits"
_RAW = frozenset({".raw", ".pcm"})
_EXACT = frozenset({"PCM_16", "PCM_S8", "PCM_U8", "ULAW", "ALAW", "DPCM_16", "DPCM_8", "ALAC_16"})
_FULL_SCALE = 32_768
_ONES = b"\xff" * 4
_ALL_ONES = (1 << 64) - 1


def read_sound(source: str | PathLike[str] | bytes) -> Samples:
    """The samples of a sound: a file's path, the bytes of a WAV file, or raw little-endian 16-bit samples.

    Raises:
        ConfigurationError: there is no such file, or it is not 8 kHz, mono and 16 bits.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
        if data[:4] in (b"RIFF", b"RIFX", b"RF64") and data[8:12] == b"WAVE":
            return _read_file(BytesIO(data), "the WAV file given as bytes")
        return _read_raw(data, "the raw audio given")
    path = Path(fspath(source))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror or error}") from None
    return _read_raw(data, str(path)) if path.suffix.lower() in _RAW else _read_file(BytesIO(data), str(path))


def name_of(source: str | PathLike[str] | bytes) -> str:
    """What a message calls a sound."""
    return "what was expected" if isinstance(source, bytes | bytearray | memoryview) else Path(fspath(source)).name


def _read_raw(data: bytes, name: str) -> Samples:
    if len(data) % 2:
        raise ConfigurationError(f"{name} has {len(data)} bytes; expected whole samples of 2 bytes")
    return np.frombuffer(data, "<i2").astype(np.int16, copy=False)


def _read_file(file: BytesIO, name: str) -> Samples:
    try:
        with sf.SoundFile(_with_a_length(file)) as sound:
            found = f"{sound.samplerate} Hz, {sound.channels} channel{'s' * (sound.channels != 1)}, {sound.subtype}"
            if sound.samplerate != SAMPLE_RATE or sound.channels != 1:
                raise ConfigurationError(f"{name} has {found}; {_EXPECTED}")
            if sound.subtype in _EXACT:
                samples: Samples = sound.read(dtype="int16")
                return samples
            scaled = sound.read(dtype="float64") * _FULL_SCALE
    except sf.SoundFileError as error:
        why = str(getattr(error, "error_string", error)).rstrip(".")
        raise ConfigurationError(f"{name} is no sound file that can be read ({why}); {_EXPECTED}") from None
    whole = np.rint(scaled).clip(-_FULL_SCALE, _FULL_SCALE - 1)
    if not np.array_equal(whole, scaled):
        raise ConfigurationError(f"{name} has {found}, with samples that 16 bits do not hold; {_EXPECTED}")
    return np.asarray(whole, np.int16)


def _with_a_length(file: BytesIO) -> BytesIO:
    """A WAV or AU file whose writer did not know its length, for a pipe was before it; others as they are.

    S: libsndfile reads a size of all ones as "until the end", and 0, or an RF64 whose `ds64` is empty, as no sound.
    """
    data = file.getvalue()
    if data[:4] == b".snd" and data[8:12] == bytes(4):
        return BytesIO(data[:8] + _ONES + data[12:])
    if data[:4] not in (b"RIFF", b"RF64"):
        return file
    at, length = 12, 0
    while (name := data[at : at + 4]) not in (b"data", b""):
        if name == b"ds64":
            length = int.from_bytes(data[at + 16 : at + 24], "little") % _ALL_ONES
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    if length or data[at + 4 : at + 8] not in (bytes(4), _ONES):
        return file
    return BytesIO(b"RIFF" + _ONES + data[8 : at + 4] + _ONES + data[at + 8 :])


def decoded(data: bytes, codec: Codec) -> Samples:
    """The samples behind encoded audio; half a sample at the end is left out."""
    if codec is Codec.LINEAR:
        return np.frombuffer(data, "<i2", count=len(data) // 2).astype(np.int16, copy=False)
    return _sample_of_code(codec)[np.frombuffer(data, np.uint8)]


def allowance(data: bytes, codec: Codec) -> NDArray[np.int32] | int:
    """How far each sample of encoded audio may be from its source, for the codec alone.

    Half a step of the law where the sample lies, and less than half of its smallest step, for encoders differ in
    how they round.
    """
    if codec is Codec.LINEAR:
        return 0
    codes = np.arange(256)
    if codec is Codec.ALAW:
        segments = ((codes ^ 0x55) >> 4) & 7
        steps, least = 16 << np.maximum(segments - 1, 0), 16
    else:
        segments = ((codes ^ 0xFF) >> 4) & 7
        steps, least = 8 << segments, 8
    allowed: NDArray[np.int32] = (steps // 2 + least // 2 - 1).astype(np.int32)
    return allowed[np.frombuffer(data, np.uint8)]


LOUDEST = {Codec.LINEAR: _FULL_SCALE, Codec.ALAW: _FULL_SCALE, Codec.ULAW: 32_635}
"""Louder samples than this are coded as this. ITU-T G.711: the mu-law's last step ends at 8159 of 14 bits."""


def _sample_of_code(codec: Codec) -> Samples:
    table = Recording(codec)
    table.add(bytes(range(256)), 0.0)
    return np.frombuffer(table.linear(), "<i2").astype(np.int16, copy=False)


# --- where two sounds are the same again -------------------------------------------------------------------

PROBE = 800
"""Samples of a probe."""

_PROBES = 4
"""How many probes are tried, one behind the other."""

_REACH = 100
"""How many lengths of a probe are looked through for sound, so that silence is passed over."""

_PLACES = 20
"""How many places that look alike are looked at."""

_SHORTEST = 16
_BLOCK = 65_536
_LOUD = 64
"""A probe must span more than this from its least to its greatest sample."""


class Shift(msgspec.Struct, frozen=True):
    """So many samples are missing, or so many too many came; one of the two is 0."""

    missing: int
    extra: int


Same = Callable[[int, int], int]
"""How many samples are the same from a place in what came and a place in what was expected on."""


def find_shift(received: Samples, expected: Samples, same: Same) -> Shift | None:
    """What to leave out at the start of one sound so that it goes on like the other; None when nothing helps."""
    shorter = len(expected) - len(received)
    likeliest = Shift(max(0, shorter), max(0, -shorter))
    if shorter and same(likeliest.extra, likeliest.missing) == min(len(received), len(expected)):
        return likeliest
    found = [Shift(missing, 0) for missing in _offsets(received, expected)]
    found += [Shift(0, extra) for extra in _offsets(expected, received)]
    least = min(PROBE, len(received), len(expected)) // 2
    good = [(length, shift) for shift in found if (length := same(shift.extra, shift.missing)) >= least]
    if not good:
        return None
    return max(good, key=lambda each: (each[0], -each[1].missing - each[1].extra))[1]


def _offsets(of: Samples, within: Samples) -> Iterator[int]:
    """By how much later probes of one sound are found in another; the likeliest first."""
    size = min(PROBE, len(of), len(within))
    if size < _SHORTEST:
        return
    probes = 0
    for place in range(0, min(len(of) - size + 1, _REACH * size), size):
        probe = of[place : place + size].astype(np.float64)
        if np.ptp(probe) <= _LOUD:
            continue
        probes += 1
        errors = _errors(within[place + 1 :], probe)
        # The law's quantisation leaves an error of a few hundredths of the energy at most.
        limit = 1 + 0.02 * float(probe @ probe)
        alike = np.flatnonzero(errors <= limit)
        if len(alike):
            likeliest = np.argsort(np.floor(10 * errors[alike] / limit), kind="stable")
            yield from (int(offset) + 1 for offset in alike[likeliest[:_PLACES]])
            return
        if probes == _PROBES:
            return


def _errors(within: Samples, probe: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of the squares of what differs, for each place the probe may have in a sound."""
    size = len(probe)
    if len(within) < size:
        return np.empty(0)
    samples = within.astype(np.float64)
    sums = np.concatenate(([0.0], np.cumsum(samples * samples)))
    energy = sums[size:] - sums[:-size]
    mirrored = np.conj(np.fft.rfft(probe, _BLOCK))
    step = _BLOCK - size + 1
    correlation = np.empty(len(energy))
    for start in range(0, len(energy), step):
        block = np.fft.rfft(samples[start : start + _BLOCK], _BLOCK)
        part = np.fft.irfft(block * mirrored, _BLOCK)[:step]
        correlation[start : start + step] = part[: len(energy) - start]
    errors: NDArray[np.float64] = energy - 2 * correlation + probe @ probe
    return errors
