"""Whether what a speaker was heard to say is the sound that was to come, and how it is not.

The first look compares sample by sample. When that fails, the likeliest mistakes are tried one by one, and the
first that explains what came is told:

    the length        the end is missing, or something came behind it
    the form          the bytes are swapped, or are another codec's than the join says
    one byte          a byte was lost or added somewhere, and each sample from there on is made of two halves
    one place         only a part in the middle differs
    a shift           something is missing somewhere, or too much came, and the rest is the same (`find_shift`)

What a codec cannot keep of a sample is no difference: G.711 is compared within half a step of its law.
"""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..model.audio import SAMPLES_PER_MS, Codec
from ..protocol.speaker_audio import SpeakerAudio
from .sound import LOUDEST, Samples, Shift, allowance, decoded, find_shift, name_of, read_sound

_BEFORE, _AFTER = 2, 4
_LEAST = 40
"""Fewer samples than this that are the same when decoded in another way prove nothing."""

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
    received = decoded(data, codec)
    both = min(len(received), len(expected))
    if codec is Codec.LINEAR and not tolerance and np.array_equal(received, expected):
        return None
    sound = _Decoded(data, codec, expected, tolerance)
    where = np.flatnonzero(sound.differs())
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
        findings=tuple(_findings(data, sound, first, last)),
    )


def ms(samples: int) -> str:
    """A number of samples in milliseconds."""
    return f"{samples / SAMPLES_PER_MS:.3f}".rstrip("0").rstrip(".") + " ms"


class _Decoded:
    """Bytes decoded by one codec, against what is expected."""

    def __init__(self, data: bytes, codec: Codec, expected: Samples, tolerance: int) -> None:
        self.codec = codec
        self.tolerance = tolerance
        self.received = decoded(data, codec)
        self.expected = expected
        if codec is Codec.ULAW:
            self.expected = np.clip(expected, -LOUDEST[codec], LOUDEST[codec]).astype(np.int16)
        own = allowance(data, codec)
        self.allowed: NDArray[np.int32] | int = (
            np.maximum(own, tolerance) if not isinstance(own, int) else max(own, tolerance)
        )

    def differs(self, received_from: int = 0, expected_from: int = 0) -> NDArray[np.bool_]:
        """For each sample from those places on, as far as both go, whether it differs."""
        size = max(0, min(len(self.received) - received_from, len(self.expected) - expected_from))
        received = self.received[received_from : received_from + size].astype(np.int32)
        expected = self.expected[expected_from : expected_from + size].astype(np.int32)
        allowed = self.allowed if isinstance(self.allowed, int) else self.allowed[received_from:][:size]
        differs: NDArray[np.bool_] = np.abs(received - expected) > allowed
        return differs

    def same(self, received_from: int = 0, expected_from: int = 0) -> int:
        """How many samples from those places on are the same."""
        differs = self.differs(received_from, expected_from)
        return int(np.argmax(differs)) if differs.any() else len(differs)

    @property
    def fits(self) -> bool:
        """Whether all of it is the same, and it is long enough to mean something."""
        overlap = min(len(self.received), len(self.expected))
        return overlap >= max(_LEAST, len(self.expected) // 2) and not self.differs().any()


def _findings(data: bytes, sound: _Decoded, first: int, last: int) -> Iterator[str]:
    missing = len(sound.expected) - len(sound.received)
    if not sound.received.any():
        yield "only silence came"
    elif explained := (
        _other_form(data, sound)
        or _odd_byte(data, sound, first)
        or _one_place(sound, first, last)
        or _shifted(sound, first)
    ):
        yield explained
    elif missing:
        yield f"{ms(abs(missing))} {'less' if missing > 0 else 'more'} came than was expected"
    if sound.codec is not Codec.LINEAR:
        yield f"(differences within a step of {_NAMES[sound.codec]} are not counted)"


def _length(received: Samples, expected: int) -> Iterator[str]:
    if not len(received):
        yield "no audio came"
    elif len(received) < expected:
        yield f"the last {ms(expected - len(received))} are missing; the rest is the same"
    else:
        silent = "more" if received[expected:].any() else "of silence"
        yield f"{ms(len(received) - expected)} {silent} came behind it; the rest is the same"


def _other_form(data: bytes, sound: _Decoded) -> str:
    """Whether the bytes are right and were only read in the wrong way."""
    expected, tolerance = sound.expected, sound.tolerance
    if sound.codec is Codec.LINEAR and _Decoded(_swapped(data), Codec.LINEAR, expected, tolerance).fits:
        return "the bytes of each sample are swapped: it is big-endian; expected little-endian"
    for codec in Codec:
        if codec is not sound.codec and _Decoded(data, codec, expected, tolerance).fits:
            return f"the bytes are {_NAMES[codec]}, and then they are the same; the join says {sound.codec.value}"
    return ""


def _swapped(data: bytes) -> bytes:
    whole = bytearray(data[: len(data) // 2 * 2])
    whole[0::2], whole[1::2] = whole[1::2], whole[0::2]
    return bytes(whole)


def _odd_byte(data: bytes, sound: _Decoded, first: int) -> str:
    """Whether the samples from the first difference on are the same when read from their other half."""
    if sound.codec is not Codec.LINEAR:
        return ""
    halves = _Decoded(data[2 * first + 1 :], Codec.LINEAR, sound.expected, sound.tolerance)
    for expected_from, what in ((first, "a byte too many came"), (first + 1, "a byte is missing")):
        # The sample that the byte is in may be like neither.
        same = halves.same(1, expected_from + 1)
        if same >= _LEAST or (same and same == len(sound.expected) - expected_from - 1):
            where = f"at {ms(first)}" if first else "at the start"
            rest = _rest(halves, 1, expected_from + 1)
            return f"{what} {where}, and from there on each sample is made of the halves of two; {rest}"
    return ""


def _one_place(sound: _Decoded, first: int, last: int) -> str:
    """Whether a part in the middle differs and what is behind it is the same."""
    span = last + 1 - first
    behind = min(len(sound.received), len(sound.expected)) - last - 1
    if len(sound.received) != len(sound.expected) or behind < max(span, _LEAST):
        return ""
    if span == 1:
        return "only this sample differs; the rest is the same"
    return f"only {ms(span)} from there on differ; the rest is the same"


def _shifted(sound: _Decoded, first: int) -> str:
    """Whether it is the same again once something is left out."""
    shift = find_shift(
        sound.received[first:],
        sound.expected[first:],
        lambda received, expected: sound.same(first + received, first + expected),
    )
    if shift is None:
        return ""
    return f"{_of_shift(sound, shift, first)}; {_rest(sound, first + shift.extra, first + shift.missing)}"


def _of_shift(sound: _Decoded, shift: Shift, first: int) -> str:
    where = f"at {ms(first)}"
    if not first:
        where = "at the start"
    elif not sound.received[:first].any():
        where = f"in the silence before {ms(first)}"
    if shift.missing:
        return f"{ms(shift.missing)} are missing {where}"
    silent = "" if sound.received[first : first + shift.extra].any() else " of silence"
    return f"{ms(shift.extra)}{silent} too many came {where}"


def _rest(sound: _Decoded, received_from: int, expected_from: int) -> str:
    """How long it is the same from those places on, and what becomes of the end."""
    same = sound.same(received_from, expected_from)
    received, expected = len(sound.received) - received_from, len(sound.expected) - expected_from
    if same < min(received, expected):
        return f"the next {ms(same)} are the same"
    if received < expected:
        return f"the rest is the same, but its last {ms(expected - received)} are missing too"
    if received > expected:
        return f"the rest is the same, and {ms(received - expected)} more came behind it"
    return "the rest is the same"


def why_not_equal(
    speaker: SpeakerAudio, data: bytes, source: str | PathLike[str] | bytes, *, tolerance: int = 0
) -> str | None:
    """What to say when a speaker's audio, as encoded in `data`, is not the sound expected; None when it is.

    Args:
        source: a file's path, the bytes of a WAV file, or raw little-endian 16-bit samples.
        tolerance: how far each sample may be off, of 32768.

    Raises:
        ConfigurationError: the sound expected cannot be read, or is not 8 kHz, mono and 16 bits.
    """
    expected = read_sound(source)
    codec, recording = speaker.options.audio_codec, speaker.recording
    kept, dropped = len(data) // codec.sample_width, recording.dropped_bytes // codec.sample_width
    if dropped and kept + dropped == len(expected):
        expected = expected[:kept]
    difference = compare(data, expected, codec=codec, tolerance=tolerance)
    if difference is None:
        return None
    lines = [f"the audio of {speaker.speaker} in {speaker.conversation} is not {name_of(source)}"]
    lines += difference.lines()
    if dropped:
        lines.append(f"({ms(kept + dropped)} came, of which only the first {ms(kept)} were kept)")
    if speaker.left_cleanly is None and kept < len(expected):
        lines.append(f"({speaker.speaker} has not left: more may be on its way)")
    return "\n  ".join(lines)
