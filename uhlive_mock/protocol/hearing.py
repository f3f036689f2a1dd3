"""What the service hears of one speaker: its audio, how it was paced, and its silences.

A `Hearing` outlives the channel that filled it: a test asks it, after the call, what was sent and how.
"""

from __future__ import annotations

from ..model.limits import Gap, GapAction
from ..model.scenario import Scenario
from .join import JoinOptions
from .journal import Entry
from .limits import Watchdog
from .pacing import Pacing, PacingJudge
from .recording import Recording


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
