"""The head of a WAV stream: what comes before the samples, read from something that cannot be sought.

    raw, size = read_head(exactly)      # exactly(n) gives the next n bytes

A WAV is "RIFF", a size, "WAVE" and then chunks: four letters, a size, that many bytes, and one more to make it
even. `fmt ` says how samples are coded, `data` holds them, anything else is passed over. Who writes to a pipe
does not know the size of `data` yet, and writes 0, all ones or a number of its own imagination, so a size that
can be one of those only means "until the end". RF64 keeps the real size in `ds64`.

D: RFC 2361 and the WAVEFORMATEXTENSIBLE documentation for the tags; EBU TECH 3306 for RF64.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from .codecs import Encoding, RawFormat
from .errors import AudioError, ConfigurationError

Exactly = Callable[[int], bytes]
"""Gives the next so many bytes; fewer only at the end of the stream."""

_ENCODINGS = {
    (1, 8): Encoding.U8,
    (1, 16): Encoding.S16,
    (1, 24): Encoding.S24,
    (1, 32): Encoding.S32,
    (3, 32): Encoding.F32,
    (3, 64): Encoding.F64,
    (6, 8): Encoding.ALAW,
    (7, 8): Encoding.ULAW,
}
"""By format tag and bits a sample."""

_EXTENSIBLE = 0xFFFE
_UNTOLD = 0x7FFF_0000
"""A `data` at least so big is of no known size: sox writes 0x7FFFF000 and a little less, ffmpeg all ones."""

_PIECE = 65_536
_LONGEST_FORMAT = 4096


def read_head(exactly: Exactly) -> tuple[RawFormat, int | None]:
    """The format of the samples that follow, and their bytes; None for until the end.

    Raises:
        AudioError: this is no WAV stream, or one that is coded in a way we do not read.
    """
    start = exactly(12)
    if start[:4] not in (b"RIFF", b"RF64") or start[8:] != b"WAVE":
        found = f"begins with {start[:4]!r}" if start else "nothing at all"
        raise AudioError(f"not a WAV stream ({found}); samples without header need RATE:CHANNELS:ENCODING")
    raw: RawFormat | None = None
    long_size: int | None = None
    while True:
        name, size = _chunk(exactly)
        if name == b"data":
            if raw is None:
                raise AudioError("a WAV stream without a format; expected `fmt ` before `data`")
            if start[:4] == b"RF64" and long_size is not None:
                return raw, long_size
            return raw, size if 0 < size < _UNTOLD else None
        if name in (b"fmt ", b"ds64") and size <= _LONGEST_FORMAT:
            body = exactly(size + size % 2)
            if name == b"fmt ":
                raw = _format(body)
            elif len(body) >= 16:
                # A size of 0 is one that was never filled in.
                long_size = struct.unpack_from("<Q", body, 8)[0] or None
        else:
            _skip(exactly, size + size % 2)


def _chunk(exactly: Exactly) -> tuple[bytes, int]:
    head = exactly(8)
    if len(head) < 8:
        raise AudioError("a WAV stream that ends before its sound; expected `data`")
    name, size = struct.unpack("<4sI", head)
    return name, size


def _skip(exactly: Exactly, size: int) -> None:
    while size:
        piece = exactly(min(size, _PIECE))
        if not piece:
            return  # the next chunk's head says that the stream has ended
        size -= len(piece)


def _format(body: bytes) -> RawFormat:
    if len(body) < 16:
        raise AudioError(f"a WAV stream whose format has {len(body)} bytes; expected at least 16")
    tag, channels, sample_rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE and len(body) >= 26:
        (tag,) = struct.unpack_from("<H", body, 24)
    encoding = _ENCODINGS.get((tag, bits))
    if encoding is None:
        raise AudioError(f"a WAV stream of format {tag} with {bits} bits; expected PCM, float, A-law or mu-law")
    try:
        return RawFormat(sample_rate=sample_rate, channels=channels, encoding=encoding)
    except ConfigurationError as problem:
        raise AudioError(f"a WAV stream of {problem}") from None
