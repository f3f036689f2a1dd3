"""Reading the sound that a test expects, and what G.711 makes of it.

What is expected has to be what the service takes: 8 kHz, one channel, samples of 16 bits. A file may hold them
in any form that loses nothing of them; one at another rate is refused, for resampling would decide the outcome.
"""

from __future__ import annotations

from io import BytesIO
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ..model.audio import SAMPLE_RATE, Codec
from ..protocol.speaker_audio import Recording

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.int16]

_EXPECTED = "expected 8000 Hz, 1 channel, 16 bits"
_RAW = frozenset({".raw", ".pcm"})
_EXACT = frozenset({"PCM_16", "PCM_S8", "PCM_U8", "ULAW", "ALAW", "DPCM_16", "DPCM_8", "ALAC_16"})
_FULL_SCALE = 32_768


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
    import numpy as np

    if len(data) % 2:
        raise ConfigurationError(f"{name} has {len(data)} bytes; expected whole samples of 2 bytes")
    return np.frombuffer(data, "<i2").astype(np.int16, copy=False)


def _read_file(file: BytesIO, name: str) -> Samples:
    import numpy as np
    import soundfile as sf

    try:
        with sf.SoundFile(file) as sound:
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


def decoded(data: bytes, codec: Codec) -> Samples:
    """The samples behind encoded audio; half a sample at the end is left out."""
    import numpy as np

    if codec is Codec.LINEAR:
        return np.frombuffer(data, "<i2", count=len(data) // 2).astype(np.int16, copy=False)
    return _sample_of_code(codec)[np.frombuffer(data, np.uint8)]


def allowance(data: bytes, codec: Codec) -> NDArray[np.int32] | int:
    """How far each sample of encoded audio may be from its source, for the codec alone.

    Half a step of the law where the sample lies, and less than half of its smallest step, for encoders differ in
    how they round.
    """
    import numpy as np

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
    import numpy as np

    table = Recording(codec)
    table.add(bytes(range(256)), 0.0)
    return np.frombuffer(table.linear(), "<i2").astype(np.int16, copy=False)
