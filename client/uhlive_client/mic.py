"""Sound from a microphone, with the `mic` extra.

    async with microphone() as sound:
        call.play(sound)

The sound card is opened at its own rate, for few of them know 8 kHz, and resampled here. It does not wait: what
nobody takes within `AHEAD_S` seconds is lost and counted in `sound.lost`, in chunks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import TYPE_CHECKING

from .codecs import Codec
from .errors import AudioError, ConfigurationError
from .live_audio import Fan, LiveStream
from .shaping import Shaper

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AHEAD_S = 10.0
"""Sound that is kept while nobody takes it, in seconds."""


@asynccontextmanager
async def microphone(
    *, device: int | str | None = None, codec: Codec | str = Codec.LINEAR, chunk_ms: int = 100
) -> AsyncIterator[LiveStream]:
    """Listen to a microphone, until the context is left.

    Args:
        device: its number or a part of its name, as `python -m sounddevice` lists them; the default one if None.
        codec: how the chunks are coded.
        chunk_ms: sound in a chunk, in milliseconds.

    Raises:
        AudioError: there is no such microphone, or it cannot be opened; raised by the stream, it stopped.
        ConfigurationError: `sounddevice`, or the PortAudio library it needs, is not installed.
        ValueError: `chunk_ms` is not positive, or `codec` is not a codec.
    """
    sd = _sounddevice()
    try:
        rate = round(sd.query_devices(device, "input")["default_samplerate"])
    except (sd.PortAudioError, ValueError) as problem:
        raise AudioError(f"no such microphone: {problem}") from None
    shaper = Shaper(sample_rate=rate, codec=codec, chunk_ms=chunk_ms)
    fan = Fan(asyncio.get_running_loop(), channels=1, room=max(2, round(AHEAD_S * 1000 / chunk_ms)))

    def heard(frames: NDArray[np.float32], _count: int, _time: object, _status: object) -> None:
        for chunk in shaper.feed(frames[:, 0].copy()):
            fan.offer((chunk,), wait=False)

    def stopped() -> None:
        fan.end(AudioError("the microphone stopped; was it unplugged?"))

    try:
        stream = sd.InputStream(
            device=device,
            samplerate=rate,
            channels=1,
            dtype="float32",
            blocksize=max(1, rate * min(chunk_ms, 100) // 1000),
            callback=heard,
            finished_callback=stopped,
        )
    except sd.PortAudioError as problem:
        raise AudioError(f"the microphone cannot be opened: {problem}") from None
    with stream:
        try:
            yield fan.streams[0]
        finally:
            fan.close()


def _sounddevice() -> ModuleType:
    try:
        import sounddevice
    except ModuleNotFoundError:
        raise ConfigurationError(
            'a microphone needs sounddevice; install it with: pip install "uhlive-mock[mic]"'
        ) from None
    except OSError as problem:
        # I: sounddevice's wheels bring PortAudio for macOS and Windows only.
        raise ConfigurationError(
            f"a microphone needs the PortAudio library ({problem}); on Debian: apt install libportaudio2"
        ) from None
    module: ModuleType = sounddevice
    return module
