"""The audio in the payload of a chunk: the bytes of a binary push, or the base64 `blob` of a JSON one.

S: the Python SDKs push binary, the JavaScript SDK sends a `blob`, on either framing.

What one speaker sent, put together again.

The bytes are kept as they came, in the speaker's codec, up to a cap; `linear()` decodes them. How they were
cut into chunks does not matter, not even through the middle of a sample.

Time is not part of the sound: chunks are joined without a seam. A gap mark says where a live listener, who
hears every chunk as it arrives, would have heard silence: where a chunk came more than `gap_s` after all the
sound before it had been heard.

What the service hears of one speaker: its audio, how it was paced, and its silences.

A `Hearing` outlives the channel that filled it: a test asks it, after the call, what was sent and how.
"""

from __future__ import annotations

import base64
import binascii
from functools import cache

import msgspec

from ..model.audio import SAMPLE_RATE, Codec
from ..model.limits import Gap, GapAction
from ..model.scenario import Scenario
from .admission import JoinOptions
from .flow_control import Watchdog
from .journal import Entry
from .pacing import Pacing, PacingJudge


def chunk_size(payload: object) -> int | None:
    """Bytes of audio in the payload of a chunk, None when it has none."""
    if isinstance(payload, bytes):
        return len(payload)
    blob = payload.get("blob") if isinstance(payload, dict) else None
    return len(blob.rstrip("=")) * 3 // 4 if isinstance(blob, str) else None


def chunk_audio(payload: object) -> bytes | None:
    """The audio of a chunk: the bytes of a binary push, or the base64 `blob` of a JSON one; else None."""
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, dict) and isinstance(payload.get("blob"), str):
        try:
            return base64.b64decode(payload["blob"], validate=True)
        except (binascii.Error, ValueError):
            return None
    return None


CAP_BYTES = 64 * 1024 * 1024
"""How much is kept by default: 70 minutes of linear audio, 140 of G.711."""

GAP_S = 0.2
"""Silence longer than this is marked. A network's jitter is shorter, a pause in speech is longer."""


class GapMark(msgspec.Struct, frozen=True, kw_only=True):
    """Silence of `silence_s` seconds before the sample number `position`."""

    position: int
    silence_s: float


class Recording:
    """One speaker's audio. Feed it with `add`.

    Args:
        codec: how the bytes code samples.
        cap_bytes: how many bytes are kept, from the first on.
        gap_s: silence longer than this is marked, in seconds.
    """

    def __init__(self, codec: Codec, *, cap_bytes: int = CAP_BYTES, gap_s: float = GAP_S) -> None:
        self.codec = codec
        self._cap = cap_bytes
        self._gap_s = gap_s
        self._kept = bytearray()
        self._gaps: list[GapMark] = []
        self._heard_until: float | None = None
        self.dropped_bytes = 0
        """Bytes that came after the cap was reached."""

    @property
    def size(self) -> int:
        """Bytes kept, as the speaker encoded them."""
        return len(self._kept)

    @property
    def samples(self) -> int:
        """Whole samples kept."""
        return len(self._kept) // self.codec.sample_width

    @property
    def duration_s(self) -> float:
        """Seconds of sound kept."""
        return self.samples / SAMPLE_RATE

    @property
    def truncated(self) -> bool:
        """Whether more came than is kept."""
        return self.dropped_bytes > 0

    @property
    def gaps(self) -> tuple[GapMark, ...]:
        """Where a live listener heard silence, in order."""
        return tuple(self._gaps)

    def add(self, chunk: bytes, at_s: float) -> None:
        """`chunk` came at `at_s`, in seconds of whichever clock."""
        room = self._cap - len(self._kept)
        kept = chunk if len(chunk) <= room else chunk[:room]
        self.dropped_bytes += len(chunk) - len(kept)
        if not kept:
            return
        before = self.samples
        if self._heard_until is None:
            self._heard_until = at_s
        elif at_s > self._heard_until:
            silence_s = at_s - self._heard_until
            if silence_s > self._gap_s:
                self._gaps.append(GapMark(position=before, silence_s=silence_s))
            self._heard_until = at_s
        self._kept += kept
        self._heard_until += (self.samples - before) / SAMPLE_RATE

    def encoded(self) -> bytes:
        """The bytes kept, as they came."""
        return bytes(self._kept)

    def linear(self) -> bytes:
        """The sound as 16-bit little-endian samples; half a sample at the end is left out."""
        if self.codec is Codec.LINEAR:
            return bytes(memoryview(self._kept)[: 2 * self.samples])
        low, high = _g711_tables(self.codec)
        decoded = bytearray(2 * len(self._kept))
        decoded[0::2] = self._kept.translate(low)
        decoded[1::2] = self._kept.translate(high)
        return bytes(decoded)


@cache
def _g711_tables(codec: Codec) -> tuple[bytes, bytes]:
    """The low and the high byte of the sample behind each of the 256 codes."""
    decode = _alaw if codec is Codec.ALAW else _ulaw
    samples = [decode(code) & 0xFFFF for code in range(256)]
    return bytes(sample & 0xFF for sample in samples), bytes(sample >> 8 for sample in samples)


def _alaw(code: int) -> int:
    """ITU-T G.711, table 1: even bits inverted, then sign, 3 bits of segment and 4 of a linear step."""
    code ^= 0x55
    segment, step = (code >> 4) & 7, code & 15
    size = (step << 4) + 8 if segment == 0 else ((step << 4) + 0x108) << (segment - 1)
    return size if code & 0x80 else -size


def _ulaw(code: int) -> int:
    """ITU-T G.711, table 2: all bits inverted; a bias of 33 in 14 bits, 132 in 16, makes segments alike."""
    code ^= 0xFF
    segment, step = (code >> 4) & 7, code & 15
    size = (((step << 3) + 132) << segment) - 132
    return -size if code & 0x80 else size


class Hearing:
    """One speaker's stay, as heard. Times are seconds of the speaker's own time; `wall` is real time."""

    def __init__(
        self,
        *,
        topic: str,
        conversation: str,
        options: JoinOptions,
        gap: Gap,
        now: float,
        socket: int = 0,
        join: Entry | None = None,
        scenario: Scenario | None = None,
    ) -> None:
        self.topic = topic
        self.conversation = conversation
        """The id of the conversation, as its client knows it."""
        self.options = options
        self.socket = socket
        """The number of its connection in the journal."""
        self.join = join
        """The journal's entry of its `phx_join`, for the journal may lose it; None if it had by the answer."""
        self.scenario = scenario
        """The scenario that spoke when it joined."""
        self.recording = Recording(options.audio_codec)
        self.left_cleanly: bool | None = None
        """True after a leave, False after a lost connection or a crash, None while it stays."""
        self._judge = PacingJudge()
        self._gap = Watchdog(gap.after_ms / 1000 if gap.action is not GapAction.OFF else None)
        self._gap.feed(now)
        self._bytes = 0

    @property
    def speaker(self) -> str:
        """Whom."""
        return self.options.speaker

    @property
    def samples(self) -> int:
        """Whole samples received."""
        return self._bytes // self.options.audio_codec.sample_width

    @property
    def pacing(self) -> Pacing:
        """How the audio was paced so far, on real time."""
        return self._judge.pacing()

    def chunk(self, audio: bytes, now: float, wall: float) -> int:
        """A chunk arrived at `now`. Returns the whole samples it completes."""
        before = self.samples
        self._bytes += len(audio)
        samples = self.samples - before
        self.recording.add(audio, now)
        self._judge.chunk(samples, len(audio), wall)
        return samples

    def fed(self, now: float) -> None:
        """Silence counts from `now` on."""
        self._gap.feed(now)

    def throttled(self, seconds: float) -> None:
        """The server read nothing for so long, in real seconds."""
        self._judge.throttled(seconds)

    def hold(self) -> None:
        """The server reads nothing: that is not the speaker's silence."""
        self._gap.suspend()

    def resume(self, now: float) -> None:
        """The server reads again."""
        self._gap.resume(now)

    def silent_at(self) -> float | None:
        """When the speaker will have been silent for too long."""
        return self._gap.deadline()

    def fell_silent(self, now: float) -> bool:
        """Whether the speaker has been silent for too long; true once."""
        return self._gap.fired(now)

    def left(self, *, cleanly: bool) -> None:
        """The stay is over."""
        self._gap.stop()
        if self.left_cleanly is None:
            self.left_cleanly = cleanly
