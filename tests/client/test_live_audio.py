"""A microphone, with a stand-in for `sounddevice` that says what the test lets it say.

The stand-in knows only what PortAudio is documented to do: the stream has the rate it was asked for, blocks come on
another thread, and `finished_callback` is called when it stops.
"""

from __future__ import annotations

import sys
import threading
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from uhlive_client.errors import AudioError, ConfigurationError
from uhlive_client.live_audio import microphone

pytestmark = pytest.mark.asyncio


class PortAudioError(Exception):
    pass


class Card:
    """A sound card of 48 kHz. `say` lets it hear something."""

    def __init__(self) -> None:
        self.stream: SimpleNamespace | None = None
        self.refuses = False
        self.is_open = False

    def query_devices(self, device, kind):
        assert kind == "input"
        if device == "nothing":
            raise ValueError("No input device matching 'nothing'")
        return {"default_samplerate": 48_000.0}

    def input_stream(self, **asked):
        if self.refuses:
            raise PortAudioError("Device unavailable")
        self.stream = SimpleNamespace(**asked)
        return self

    def __enter__(self):
        self.is_open = True
        return self

    def __exit__(self, *error):
        self.is_open = False
        self.stream.finished_callback()

    def say(self, samples: np.ndarray) -> None:
        for block in np.array_split(samples, max(1, len(samples) // self.stream.blocksize)):
            self.on_a_thread(self.stream.callback, block.reshape(-1, 1), len(block), None, None)

    def on_a_thread(self, act, *arguments) -> None:
        thread = threading.Thread(target=act, args=arguments)
        thread.start()
        thread.join()


@pytest.fixture
def card(monkeypatch) -> Card:
    card = Card()
    module = ModuleType("sounddevice")
    module.PortAudioError = PortAudioError
    module.query_devices = card.query_devices
    module.InputStream = card.input_stream
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return card


async def test_sound_is_taken_at_the_cards_rate_and_comes_out_at_8_khz(card):
    async with microphone() as sound:
        assert (card.stream.samplerate, card.stream.channels, card.stream.dtype) == (48_000, 1, "float32")
        assert card.stream.blocksize == 4800
        card.say(np.full(48_000, 0.5, np.float32))
        chunks = [await anext(sound) for _ in range(8)]  # the resampler keeps the last of it for a while
    assert {len(chunk) for chunk in chunks} == {1600}
    assert np.abs(np.frombuffer(b"".join(chunks[1:]), "<i2") - 16_384).max() < 50
    assert not card.is_open


async def test_what_nobody_takes_is_lost_and_counted(card):
    async with microphone(codec="g711u", chunk_ms=1000) as sound:
        card.say(np.zeros(48_000 * 15, np.float32))
        heard = [await anext(sound) for _ in range(10)]
        assert [len(chunk) for chunk in heard] == [8000] * 10
        assert sound.lost == 4


async def test_a_microphone_that_stops_is_told_after_what_it_said(card):
    async with microphone() as sound:
        card.say(np.zeros(9600, np.float32))
        card.on_a_thread(card.stream.finished_callback)
        assert await anext(sound) == bytes(1600)
        with pytest.raises(AudioError, match="the microphone stopped"):
            await anext(sound)


async def test_leaving_is_the_end_of_the_sound(card):
    async with microphone() as sound:
        pass
    with pytest.raises(StopAsyncIteration):
        await anext(sound)


async def test_no_such_microphone(card):
    with pytest.raises(AudioError, match="no such microphone: No input device matching 'nothing'"):
        async with microphone(device="nothing"):
            pytest.fail("opened")


async def test_a_microphone_that_cannot_be_opened(card):
    card.refuses = True
    with pytest.raises(AudioError, match="cannot be opened: Device unavailable"):
        async with microphone():
            pytest.fail("opened")


async def test_without_the_extra_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)  # as if it were not there
    with pytest.raises(ConfigurationError, match=r'pip install "uhlive-mock\[mic\]"'):
        async with microphone():
            pytest.fail("opened")


async def test_without_portaudio_the_message_says_so(monkeypatch, tmp_path):
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError, match="PortAudio library not found"):
        async with microphone():
            pytest.fail("opened")
