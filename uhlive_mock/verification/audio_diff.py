"""Where two sounds that drift apart are the same again.

A probe, a tenth of a second that is no silence, is taken of one of them and looked for in the other, by the sum
of the squares of what differs:

    a probe of what came, found later in what was expected     something is missing
    a probe of what was expected, found later in what came     too much came

The sum is the two energies less twice the correlation, and the correlation of a long sound with a short probe is
quick by FFT, block by block. Of several places, as a tone has, that counts from where most is the same, then the
nearest. What explains the whole difference in length is tried before anything is looked for.

Whether what came is the sound that was to come, and how it is not.

The first look compares sample by sample. When that fails, the likeliest mistakes are tried one by one, and the
first that explains what came is told:

    the length        the end is missing, or something came behind it
    the form          the bytes are swapped, or are another codec's than the join says
    one byte          a byte was lost or added somewhere, and each sample from there on is made of two halves
    one place         only a part in the middle differs
    a shift           something is missing somewhere, or too much came, and the rest is the same (`alignment`)

What a codec cannot keep of a sample is no difference: G.711 is compared within half a step of its law.

Whether a speaker was heard to say what a file says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .sound import Samples


from typing import TYPE_CHECKING

from ..model.audio import SAMPLES_PER_MS, Codec
from .sound import LOUDEST, allowance, decoded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .sound import Samples

    Allowed = NDArray[np.int32] | int


from os import PathLike

from ..protocol.speaker_audio import Hearing
from .sound import name_of, read_sound

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
    import numpy as np

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
    import numpy as np

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


_BEFORE, _AFTER = 2, 4
_LEAST = 40
"""Fewer samples than this that are the same by another reading prove nothing."""

_NAMES = {Codec.LINEAR: "16-bit linear", Codec.ALAW: "A-law (g711a)", Codec.ULAW: "mu-law (g711u)"}


class AudioDifference(msgspec.Struct, frozen=True, kw_only=True):
    """How what came is not what was expected. Positions and lengths are in samples, of which 8 are a millisecond.

    `first` is the first sample that differs, None when only the lengths do; `differing` of the samples that both
    have do, the last of them `last`. `around` lists sample number, expected and received around the first.
    `findings` say what probably happened.
    """

    expected: int
    received: int
    first: int | None = None
    last: int | None = None
    differing: int = 0
    around: tuple[tuple[int, int, int], ...] = ()
    findings: tuple[str, ...] = ()

    @property
    def first_ms(self) -> float | None:
        """Where the first difference is, in milliseconds; where the shorter ends when only the lengths differ."""
        first = min(self.expected, self.received) if self.first is None else self.first
        return first / SAMPLES_PER_MS

    def lines(self) -> Iterator[str]:
        """What a person reads."""
        yield f"expected {ms(self.expected)} ({self.expected} samples)"
        yield f"received {ms(self.received)} ({self.received} samples)"
        if self.first is not None and self.last is not None:
            compared = min(self.expected, self.received)
            yield f"first difference at {ms(self.first)}, sample {self.first}:"
            yield from self._table()
            upto = "" if self.differing == 1 else f", the last at {ms(self.last)}"
            verb = "differs" if self.differing == 1 else "differ"
            yield f"{self.differing} of {compared} samples {verb}{upto}"
        yield from self.findings

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _table(self) -> Iterator[str]:
        rows = [("sample", "expected", "received"), *(tuple(map(str, row)) for row in self.around)]
        widths = [max(map(len, row)) for row in rows]
        for column in range(3):
            cells = (row[column].rjust(width) for row, width in zip(rows[1:], widths[1:], strict=True))
            yield f"  {rows[0][column]:<8}  " + "  ".join(cells)


def compare(
    data: bytes, expected: Samples, *, codec: Codec = Codec.LINEAR, tolerance: int = 0
) -> AudioDifference | None:
    """How encoded audio is not the expected sound; None when it is.

    Args:
        data: the bytes that came.
        expected: the samples that were to come.
        codec: how the bytes code samples.
        tolerance: how far each sample may be off, of 32768.
    """
    import numpy as np

    received = decoded(data, codec)
    both = min(len(received), len(expected))
    if codec is Codec.LINEAR and not tolerance and np.array_equal(received, expected):
        return None
    reading = _Reading(data, codec, expected, tolerance)
    where = np.flatnonzero(reading.differs())
    if not len(where) and len(received) == len(expected):
        return None
    if not len(where):
        return AudioDifference(
            expected=len(expected), received=len(received), findings=tuple(_length(received, len(expected)))
        )
    first, last = int(where[0]), int(where[-1])
    near = range(max(0, first - _BEFORE), min(both, first + _AFTER + 1))
    return AudioDifference(
        expected=len(expected),
        received=len(received),
        first=first,
        last=last,
        differing=len(where),
        around=tuple((place, int(expected[place]), int(received[place])) for place in near),
        findings=tuple(_findings(data, reading, first, last)),
    )


def ms(samples: int) -> str:
    """A number of samples in milliseconds."""
    return f"{samples / SAMPLES_PER_MS:.3f}".rstrip("0").rstrip(".") + " ms"


class _Reading:
    """Bytes read in one codec, against what is expected."""

    def __init__(self, data: bytes, codec: Codec, expected: Samples, tolerance: int) -> None:
        import numpy as np

        self.codec = codec
        self.tolerance = tolerance
        self.received = decoded(data, codec)
        self.expected = expected
        if codec is Codec.ULAW:
            self.expected = np.clip(expected, -LOUDEST[codec], LOUDEST[codec]).astype(np.int16)
        own = allowance(data, codec)
        self.allowed: Allowed = np.maximum(own, tolerance) if not isinstance(own, int) else max(own, tolerance)

    def differs(self, received_from: int = 0, expected_from: int = 0) -> NDArray[np.bool_]:
        """For each sample from those places on, as far as both go, whether it differs."""
        import numpy as np

        size = max(0, min(len(self.received) - received_from, len(self.expected) - expected_from))
        received = self.received[received_from : received_from + size].astype(np.int32)
        expected = self.expected[expected_from : expected_from + size].astype(np.int32)
        allowed = self.allowed if isinstance(self.allowed, int) else self.allowed[received_from:][:size]
        differs: NDArray[np.bool_] = np.abs(received - expected) > allowed
        return differs

    def same(self, received_from: int = 0, expected_from: int = 0) -> int:
        """How many samples from those places on are the same."""
        import numpy as np

        differs = self.differs(received_from, expected_from)
        return int(np.argmax(differs)) if differs.any() else len(differs)

    @property
    def fits(self) -> bool:
        """Whether all of it is the same, and it is long enough to mean something."""
        overlap = min(len(self.received), len(self.expected))
        enough = overlap >= max(_LEAST, len(self.expected) // 2)
        return enough and not self.differs().any()


def _findings(data: bytes, reading: _Reading, first: int, last: int) -> Iterator[str]:
    missing = len(reading.expected) - len(reading.received)
    if not reading.received.any():
        yield "only silence came"
    elif explained := (
        _other_form(data, reading)
        or _odd_byte(data, reading, first)
        or _one_place(reading, first, last)
        or _shifted(reading, first)
    ):
        yield explained
    elif missing:
        yield f"{ms(abs(missing))} {'less' if missing > 0 else 'more'} came than was expected"
    if reading.codec is not Codec.LINEAR:
        yield f"(differences within a step of {_NAMES[reading.codec]} are not counted)"


def _length(received: Samples, expected: int) -> Iterator[str]:
    if not len(received):
        yield "no audio came"
    elif len(received) < expected:
        yield f"the last {ms(expected - len(received))} are missing; the rest is the same"
    else:
        silent = "more" if received[expected:].any() else "of silence"
        yield f"{ms(len(received) - expected)} {silent} came behind it; the rest is the same"


def _other_form(data: bytes, reading: _Reading) -> str:
    """Whether the bytes are right and were only read in the wrong way."""
    expected, tolerance = reading.expected, reading.tolerance
    if reading.codec is Codec.LINEAR and _Reading(_swapped(data), Codec.LINEAR, expected, tolerance).fits:
        return "the bytes of each sample are swapped: it is big-endian; expected little-endian"
    for codec in Codec:
        if codec is not reading.codec and _Reading(data, codec, expected, tolerance).fits:
            return f"the bytes are {_NAMES[codec]}, and then they are the same; the join says {reading.codec.value}"
    return ""


def _swapped(data: bytes) -> bytes:
    whole = bytearray(data[: len(data) // 2 * 2])
    whole[0::2], whole[1::2] = whole[1::2], whole[0::2]
    return bytes(whole)


def _odd_byte(data: bytes, reading: _Reading, first: int) -> str:
    """Whether the samples from the first difference on are the same when read from their other half."""
    if reading.codec is not Codec.LINEAR:
        return ""
    halves = _Reading(data[2 * first + 1 :], Codec.LINEAR, reading.expected, reading.tolerance)
    for expected_from, what in ((first, "a byte too many came"), (first + 1, "a byte is missing")):
        # The sample that the byte is in may be like neither.
        same = halves.same(1, expected_from + 1)
        if same >= _LEAST or (same and same == len(reading.expected) - expected_from - 1):
            where = f"at {ms(first)}" if first else "at the start"
            rest = _rest(halves, 1, expected_from + 1)
            return f"{what} {where}, and from there on each sample is made of the halves of two; {rest}"
    return ""


def _one_place(reading: _Reading, first: int, last: int) -> str:
    """Whether a part in the middle differs and what is behind it is the same."""
    span = last + 1 - first
    behind = min(len(reading.received), len(reading.expected)) - last - 1
    if len(reading.received) != len(reading.expected) or behind < max(span, _LEAST):
        return ""
    if span == 1:
        return "only this sample differs; the rest is the same"
    return f"only {ms(span)} from there on differ; the rest is the same"


def _shifted(reading: _Reading, first: int) -> str:
    """Whether it is the same again once something is left out."""
    shift = find_shift(
        reading.received[first:],
        reading.expected[first:],
        lambda received, expected: reading.same(first + received, first + expected),
    )
    if shift is None:
        return ""
    rest = _rest(reading, first + shift.extra, first + shift.missing)
    return f"{_of_shift(reading, shift, first)}; {rest}"


def _of_shift(reading: _Reading, shift: Shift, first: int) -> str:
    where = f"at {ms(first)}"
    if not first:
        where = "at the start"
    elif not reading.received[:first].any():
        where = f"in the silence before {ms(first)}"
    if shift.missing:
        return f"{ms(shift.missing)} are missing {where}"
    silent = "" if reading.received[first : first + shift.extra].any() else " of silence"
    return f"{ms(shift.extra)}{silent} too many came {where}"


def _rest(reading: _Reading, received_from: int, expected_from: int) -> str:
    """How long it is the same from those places on, and what becomes of the end."""
    same = reading.same(received_from, expected_from)
    received, expected = len(reading.received) - received_from, len(reading.expected) - expected_from
    if same < min(received, expected):
        return f"the next {ms(same)} are the same"
    if received < expected:
        return f"the rest is the same, but its last {ms(expected - received)} are missing too"
    if received > expected:
        return f"the rest is the same, and {ms(received - expected)} more came behind it"
    return "the rest is the same"


def why_not_equal(
    hearing: Hearing, data: bytes, source: str | PathLike[str] | bytes, *, tolerance: int = 0
) -> str | None:
    """What to say when a speaker's audio, as encoded in `data`, is not the sound expected; None when it is.

    Args:
        source: a file's path, the bytes of a WAV file, or raw little-endian 16-bit samples.
        tolerance: how far each sample may be off, of 32768.

    Raises:
        ConfigurationError: the sound expected cannot be read, or is not 8 kHz, mono and 16 bits.
    """
    expected = read_sound(source)
    codec, recording = hearing.options.audio_codec, hearing.recording
    kept, dropped = len(data) // codec.sample_width, recording.dropped_bytes // codec.sample_width
    if dropped and kept + dropped == len(expected):
        expected = expected[:kept]
    difference = compare(data, expected, codec=codec, tolerance=tolerance)
    if difference is None:
        return None
    lines = [f"the audio of {hearing.speaker} in {hearing.conversation} is not {name_of(source)}"]
    lines += difference.lines()
    if dropped:
        lines.append(f"({ms(kept + dropped)} came, of which only the first {ms(kept)} were kept)")
    if hearing.left_cleanly is None and kept < len(expected):
        lines.append(f"({hearing.speaker} has not left: more may be on its way)")
    return "\n  ".join(lines)
