"""Whether a speaker was heard to say what a file says."""

from __future__ import annotations

from os import PathLike

from ..protocol.hearing import Hearing
from .comparison import compare, ms
from .sound import name_of, read_sound


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
