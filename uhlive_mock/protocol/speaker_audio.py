"""One speaker's audio: decoded, put together again, and judged by its pace and its silences.

    chunk_audio    the audio in the payload of a push
    Recording      what the speaker sent, put together again
    SpeakerAudio   both, with the pacing and the gap rule; a test asks it, after the call, what was sent and how

The bytes are kept as they came, in the speaker's codec, up to a cap; `linear()` decodes them. How they were
cut into chunks does not matter, not even through the middle of a sample.

Time is not part of the sound: chunks are joined without a seam. A gap mark says where a live listener, who
hears every chunk as it arrives, would have heard silence: where a chunk came more than `gap_s` after all the
sound before it had been heard.

The **gap** rule: a speaker must not send no audio for longer than `Gap.after_ms`, from its join and then from its
last chunk. Time in which the server does not read does not count.
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
from .journal import Entry, Participation
from .pacing import Pacing, PacingJudge


def chunk_size(payload: object) -> int | None:
    """Bytes of audio in the payload of a chunk, None when it has none.

    S: the Python SDKs push binary, the JavaScript SDK sends a base64 `blob`, on either framing.
    """
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


NEVER = float("inf")

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
        self._width = codec.sample_width
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
        return len(self._kept) // self._width

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
        size = len(self._kept)
        room = self._cap - size
        if len(chunk) > room:
            self.dropped_bytes += len(chunk) - room
            chunk = chunk[:room]
        if not chunk:
            return
        before = size // self._width
        if self._heard_until is None:
            self._heard_until = at_s
        elif at_s > self._heard_until:
            silence_s = at_s - self._heard_until
            if silence_s > self._gap_s:
                self._gaps.append(GapMark(position=before, silence_s=silence_s))
            self._heard_until = at_s
        self._kept += chunk
        self._heard_until += ((size + len(chunk)) // self._width - before) / SAMPLE_RATE

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


class SpeakerAudio:
    """One speaker's audio in one conversation. Times are seconds of the speaker's own time; `wall` is real time.

    Args:
        participation: how entries of the journal refer to the speaker's stay.
        join: the journal's entry of its `phx_join`, for the journal may lose it.
        scenario: the scenario that spoke when it joined.
    """

    def __init__(
        self,
        *,
        topic: str,
        conversation: str,
        options: JoinOptions,
        gap: Gap,
        now: float,
        socket: int = 0,
        participation: Participation | None = None,
        join: Entry | None = None,
        scenario: Scenario | None = None,
    ) -> None:
        self.topic = topic
        self.conversation = conversation
        """The id of the conversation, as its client knows it."""
        self.options = options
        self.speaker = options.speaker
        self.socket = socket
        """The number of its connection in the journal."""
        self.participation = participation or Participation(-1, options.speaker, 0.0)
        self.join = join
        self.scenario = scenario
        self.recording = Recording(options.audio_codec)
        self.samples = 0
        """Whole samples received."""
        self.left_cleanly: bool | None = None
        """True after a leave, False after a lost connection or a crash, None while it stays."""
        self._judge = PacingJudge()
        self.silent_at = NEVER
        """When the speaker will have been silent for too long; infinity while that does not count."""
        self._gap_s = NEVER if gap.action is GapAction.OFF else gap.after_ms / 1000
        self._held = self._fell_silent = False
        self.fed(now)
        self._bytes = 0
        self._width = options.audio_codec.sample_width

    @property
    def stay(self) -> int:
        """What entries of the journal call its stay: the index of its `phx_join`."""
        return self.participation.stay

    @property
    def pacing(self) -> Pacing:
        """How the audio was paced so far, on real time."""
        return self._judge.pacing()

    def chunk(self, audio: bytes, now: float, wall: float) -> int:
        """A chunk arrived at `now`. Returns the whole samples it completes."""
        before = self.samples
        self._bytes += len(audio)
        self.samples = self._bytes // self._width
        self.participation.at_s = self.samples / SAMPLE_RATE
        self.recording.add(audio, now)
        self._judge.chunk(self.samples - before, len(audio), wall)
        return self.samples - before

    def fed(self, now: float) -> None:
        """Silence counts from `now` on."""
        self._fell_silent = False
        if not self._held:
            self.silent_at = now + self._gap_s

    def throttled(self, seconds: float) -> None:
        """The server read nothing for so long, in real seconds."""
        self._judge.throttled(seconds)

    def hold(self) -> None:
        """The server reads nothing: that is not the speaker's silence."""
        self._held, self.silent_at = True, NEVER

    def resume(self, now: float) -> None:
        """The server reads again: silence counts from zero, if it counted before."""
        if self._held:
            self._held = False
            if not self._fell_silent:
                self.silent_at = now + self._gap_s

    def fell_silent(self, now: float) -> bool:
        """Whether the speaker has been silent for too long; true once."""
        if now < self.silent_at:
            return False
        self._fell_silent, self.silent_at = True, NEVER
        return True

    def left(self, *, cleanly: bool) -> None:
        """The stay is over."""
        self._gap_s = self.silent_at = NEVER
        if self.left_cleanly is None:
            self.left_cleanly = cleanly
