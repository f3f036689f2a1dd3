"""Stands in for the `sounddevice` package: a microphone that hears a WAV file and then falls silent for good.

The file is named by SOUND_FILE; SOUND_RATE speeds the sound card's clock up.
"""

import os
import threading
import time
import wave


class RawInputStream:
    """Calls `callback(indata, frames, time, status)` for each block, on a thread of its own."""

    def __init__(self, *, callback, channels, samplerate, dtype, blocksize):
        assert (channels, samplerate, dtype) == (1, 8000, "int16")
        self._callback = callback
        self._blocksize = blocksize
        self._running = False
        self._thread = threading.Thread(target=self._run)

    @property
    def active(self):
        return self._thread.is_alive()

    def start(self):
        self._running = True
        self._thread.start()

    def stop(self):
        self._running = False
        self._thread.join()

    def close(self):
        pass

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.stop()

    def _run(self):
        rate = 8000 * float(os.environ.get("SOUND_RATE", "1"))
        with wave.open(os.environ["SOUND_FILE"], "rb") as sound:
            heard, started = 0, time.monotonic()
            while self._running and (block := sound.readframes(self._blocksize)):
                heard += len(block) // 2
                time.sleep(max(0.0, started + heard / rate - time.monotonic()))
                self._callback(block, len(block) // 2, None, None)
