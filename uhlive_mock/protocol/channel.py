"""A channel: one participant's stay on one topic.

    join ──► joined ──► left          phx_leave: what the audio has reached, then speaker_left to everyone
                  └───► dropped       socket gone, crash, rejoin: the same, but the dropped side hears nothing

The channel turns what its client pushes into audio for the player, and what the player says into broadcasts.
It knows nothing of refs and replies: the session does, and is its `Seat`.

Its own time counts from the join, `now - joined_at + lead`. On a clock that audio drives, `lead` is the audio it
sent, so a speaker's cues follow that speaker's audio and nobody else's; on every other clock it stays 0.
"""

from __future__ import annotations

from typing import Literal, Protocol

from ..model.account import Account, Vocabulary
from ..model.audio import SAMPLE_RATE
from ..model.events import Event, SpeakerLeft
from ..model.fault import Fault, Stage
from ..model.limits import ChunkAction, GapAction, Limits
from ..wire.framing import Framing, Message
from .admission import JoinOptions, JoinRefused, read_join
from .casting import Casting
from .plan import Happening
from .records import Kind, LimitRule, RuleBroken, SkipReason, Value
from .space import TOPIC_PREFIX, Space
from .speaker_audio import Hearing, chunk_audio

_NEVER = float("inf")


class ChannelCrashed(Exception):
    """The channel cannot go on; the client gets `phx_error` and no reply."""


class SocketRefused(Exception):
    """The socket cannot go on; it is closed for the rule that was broken, and the client is told no reason."""

    def __init__(self, broken: RuleBroken) -> None:
        self.broken = broken
        super().__init__(str(broken))


PushReply = tuple[Literal["ok", "error"], dict[str, str]]
"""Status and response of the reply to a push."""


class Seat(Protocol):
    """What a channel needs of the session it sits in."""

    framing: Framing
    socket: int

    def deliver(self, channel: Channel, text: str, message: Message, event: Event, now: float) -> None:
        """Send an event to the client; `text` is `message` in the socket's framing."""

    def evict(self, channel: Channel, now: float) -> None:
        """Another speaker takes the channel's place: close it."""

    def dismiss(self, channel: Channel, now: float) -> None:
        """The service makes the speaker leave."""

    def silenced(self, channel: Channel, action: GapAction, now: float) -> None:
        """The speaker sent no audio for too long."""

    def strike(self, channel: Channel, fault: Fault, now: float) -> None:
        """A cue of the channel's script lets something go wrong."""


class Channel:
    """One joined topic of one socket. Build it with `join`."""

    def __init__(
        self, *, space: Space, account: Account, topic: str, options: JoinOptions, seat: Seat, join_ref: object
    ) -> None:
        self.framing = seat.framing
        self.vocabulary = account.vocabulary
        self.topic = topic
        self.options = options
        self.event_join_ref = join_ref if space.behaviour.events_carry_join_ref else None
        self.lead = 0.0
        self._conversation = space.conversation(topic, account)
        self.scenario = space.scenario_for(self._conversation.id)
        self.limits: Limits = self.scenario.limits or space.limits
        self._seat = seat
        self._space = space
        self._joined_at = 0.0
        self._gone = False
        self._casting = Casting(space, self.scenario, self._conversation, options)
        self._voice = self._casting.voice()
        self.player = self._casting.player(self._voice)
        """Its script in play."""
        self._hearing: Hearing | None = None

    @classmethod
    def join(
        cls,
        payload: object,
        now: float,
        *,
        space: Space,
        account: Account,
        topic: str,
        seat: Seat,
        join_ref: object,
    ) -> Channel:
        """Join a conversation; the others are told of a speaker.

        Raises:
            JoinRefused: the topic is another identifier's, or the payload is not acceptable.
        """
        behaviour = space.behaviour
        own = f"{TOPIC_PREFIX}{account.client_id}@"
        if behaviour.identifier_must_match and not (topic.startswith(own) and len(topic) > len(own)):
            raise JoinRefused(behaviour.reason_unauthorized)
        options = read_join(payload, behaviour)
        _make_room(space, topic, options, now)
        channel = cls(space=space, account=account, topic=topic, options=options, seat=seat, join_ref=join_ref)
        channel._enter(now)
        return channel

    @property
    def speaker(self) -> str:
        """The name it joined under."""
        return self.options.speaker

    def push(self, event: object, payload: object, now: float) -> PushReply | None:
        """Take a push of the client.

        Returns:
            Status and response of the reply, or None for a push that is not answered.

        Raises:
            ChannelCrashed: the service has no way to read it.
            SocketRefused: it is a chunk larger than the limit, and that closes the socket.
        """
        behaviour = self._space.behaviour
        audio = chunk_audio(payload) if event == "audio_chunk" else None
        if audio is None:
            match behaviour.unhandled_push:
                case "crash":
                    raise ChannelCrashed
                case "error":
                    return "error", {"reason": "unhandled event"}
                case "ignore":
                    return None
        if self._hearing is None:
            return ("error", {"reason": "readonly"}) if behaviour.readonly_audio == "error" else None
        if len(audio) > self.limits.chunk.max and (refused := self._too_large(len(audio), now)):
            return refused
        self._hear(self._hearing, audio, now)
        return ("ok", {}) if behaviour.chunk_reply == "ok" else None

    def start(self, now: float) -> None:
        """The join has been answered: ghosts may join now."""
        if not self._conversation.ghosts and self._conversation.participants == [self]:
            self._conversation.raise_ghosts(self._casting.ghosts(), now)

    def tick(self, now: float) -> None:
        """Broadcast what is due at `now`, and see to a silence that has become too long."""
        self._play(now)
        hearing = self._hearing
        silent_at = hearing.silent_at() if hearing else None
        if (
            hearing
            and silent_at is not None
            and self._on_clock(silent_at) <= now
            and hearing.fell_silent(silent_at)
        ):
            self._seat.silenced(self, self.limits.gap.action, now)

    def next_deadline(self) -> float | None:
        """When `tick` will next have something to do, on the space's clock."""
        own = [self.player.next_deadline(), self._hearing.silent_at() if self._hearing else None]
        deadlines = [self._on_clock(deadline) for deadline in own if deadline is not None]
        ghosts = self._conversation.ghosts_deadline()
        return min(deadlines if ghosts is None else [*deadlines, ghosts], default=None)

    def hold(self) -> None:
        """The socket is not read for a while: that is not silence."""
        if self._hearing:
            self._hearing.hold()

    def resume(self, now: float, throttled_s: float) -> None:
        """The socket is read again, after it was left unread for so many real seconds."""
        if self._hearing:
            self._hearing.resume(self._own(now))
            self._hearing.throttled(throttled_s)

    def leave(self, now: float, *, cleanly: bool = True) -> None:
        """The participant leaves: everything its audio has reached, then its `speaker_left`, to everyone."""
        self._finish(now, cleanly=cleanly)
        if not self.options.readonly:
            self._conversation.broadcast(self._left(now), now)
        elif self._space.behaviour.observer_left:
            self._conversation.tell(self, self._left(now), now)
        self._go(now)

    def drop(self, now: float) -> None:
        """The participant is gone without leaving; the others hear the rest and its `speaker_left`."""
        self._conversation.remove(self)
        self._finish(now, cleanly=False)
        if not self.options.readonly:
            self._conversation.broadcast(self._left(now), now)
        self._go(now)

    def dismiss(self, now: float) -> None:
        """The service makes the participant leave."""
        self._seat.dismiss(self, now)

    def in_other_vocabulary(self, event: Event) -> Message:
        """The message of an event in the vocabulary that this participant's account does not have."""
        other = next(vocabulary for vocabulary in Vocabulary if vocabulary is not self.vocabulary)
        return self._conversation.message(event, other, self.event_join_ref)

    # --- as a participant ---

    def deliver(self, text: str, message: Message, event: Event, now: float) -> None:
        """Queue an event for the client."""
        self._seat.deliver(self, text, message, event, now)

    def strike_for_ghost(self, fault: Fault, now: float) -> None:
        """A cue of a ghost's script lets something go wrong."""
        # A ghost has no connection: whoever of its listeners has been there longest is struck.
        listeners = (other for other in self._conversation.participants if isinstance(other, Channel))
        next(listeners, self)._strike(fault, now)

    # --- inside ---

    def _play(self, now: float) -> None:
        """Let happen what is due, one by one and in the order of time: a fault may end the stay in between."""
        # Due times become times of the space and never the reverse, so that a tick at `next_deadline`, as
        # rounded as it may be, always has something to do.
        while True:
            due_at = self.player.next_deadline()
            own_at = _NEVER if due_at is None else self._on_clock(due_at)
            ghosts_at = self._conversation.ghosts_deadline()
            if ghosts_at is not None and ghosts_at < own_at and ghosts_at <= now:
                self._conversation.play_ghost(now, self.strike_for_ghost)
                continue
            happening = None if due_at is None or own_at > now else self.player.take(due_at)
            if happening is None:
                return
            self._happen(happening, now)

    def _enter(self, now: float) -> None:
        self._conversation.enter(self)
        self._joined_at = now
        self.player.joined(self._own(now))
        if self.options.readonly:
            return
        self._hearing = Hearing(
            topic=self.topic,
            conversation=self._conversation.id,
            options=self.options,
            gap=self.limits.gap,
            now=self._own(now),
            socket=self._seat.socket,
            join=self._space.journal.latest(Kind.RECEIVED, event="phx_join", socket=self._seat.socket),
            scenario=self.scenario,
        )
        self._space.hearings.append(self._hearing)
        self._conversation.broadcast(self._voice.joined(now + self.lead), now, without=self)

    def _hear(self, hearing: Hearing, audio: bytes, now: float) -> None:
        before = self._own(now)
        samples = hearing.chunk(audio, before, self._space.real())
        if samples and samples == hearing.samples:
            self._conversation.audio_began(now)
        if self._space.follow_audio:
            self.lead = hearing.samples / SAMPLE_RATE
        hearing.fed(self._own(now))
        self.player.heard(samples, before, self._own(now))

    def _too_large(self, size: int, now: float) -> PushReply | None:
        limit = self.limits.chunk
        if limit.action is ChunkAction.OFF:
            return None
        broken = RuleBroken(rule=LimitRule.CHUNK, found=size, limit=limit.max)
        self._note(broken, now)
        if limit.action is ChunkAction.CLOSE:
            raise SocketRefused(broken)
        return ("error", {"reason": "chunk too large"}) if limit.action is ChunkAction.ERROR else None

    def _happen(self, happening: Happening, now: float) -> None:
        if isinstance(happening, Fault):
            self._strike(happening, now)
        else:
            self._conversation.broadcast(happening, now)

    def _strike(self, fault: Fault, now: float) -> None:
        faults, stage = self._space.faults, fault.kind.stage
        target = self._named(fault.speaker) or self
        here_and_now = stage in (Stage.CHANNEL, Stage.SOCKET) and fault.speaker in (None, target.speaker)
        if target._gone and (here_and_now or stage is Stage.EVENTS):
            faults.skip(fault, now, SkipReason.NOBODY_LEFT, speaker=fault.speaker, socket=self._seat.socket)
        elif not here_and_now or faults.chance(fault, now, speaker=target.speaker, socket=target._seat.socket):
            target._seat.strike(target, fault, now)

    def _named(self, speaker: str | None) -> Channel | None:
        if speaker in (None, self.speaker):
            return None
        others = (other for other in self._conversation.participants if isinstance(other, Channel))
        return next((other for other in others if other.speaker == speaker), None)

    def _finish(self, now: float, *, cleanly: bool) -> None:
        for happening in self.player.leave(self._own(now)):
            self._happen(happening, now)
        for unplayed in self.player.unplayed():
            self._note(unplayed, now)
        if self._hearing:
            self._hearing.left(cleanly=cleanly)

    def _go(self, now: float) -> None:
        self._gone = True
        if self._hearing:
            # Only now: its own `speaker_left` was the last event that one could strike.
            self._space.faults.forget(now, SkipReason.NO_EVENT, by=self.speaker)
        if self in self._conversation.participants:
            self._conversation.remove(self)
        if not self._conversation.participants:
            self._conversation.lay_ghosts(self._conversation.ghosts, now, self.strike_for_ghost)
        self._space.forget_if_empty(self.topic)

    def _left(self, now: float) -> SpeakerLeft:
        return SpeakerLeft(
            speaker=self.speaker,
            timestamp_ms=int((now + self.lead) * 1000),
            reason=self._space.behaviour.left_reason,
        )

    def _note(self, value: Value, now: float) -> None:
        self._space.journal.note(value, now, socket=self._seat.socket, speaker=self.speaker, topic=self.topic)

    def _own(self, now: float) -> float:
        return now - self._joined_at + self.lead

    def _on_clock(self, own: float) -> float:
        return self._joined_at + (own - self.lead)


def _make_room(space: Space, topic: str, options: JoinOptions, now: float) -> None:
    """See to those who have the name of a new speaker already, ghosts included.

    Raises:
        JoinRefused: there are, and `behaviour.duplicate_speaker` rejects it.
    """
    conversation, behaviour = space.conversations.get(topic), space.behaviour
    if conversation is None or options.readonly or behaviour.duplicate_speaker == "allow":
        return
    channels = [other for other in conversation.participants if isinstance(other, Channel)]
    namesakes = [other for other in channels if not other.options.readonly and other.speaker == options.speaker]
    ghosts = [ghost for ghost in conversation.ghosts if ghost.speaker == options.speaker]
    if (namesakes or ghosts) and behaviour.duplicate_speaker == "reject":
        raise JoinRefused(behaviour.reason_duplicate_speaker)
    conversation.lay_ghosts(ghosts, now, channels[0].strike_for_ghost)
    for namesake in namesakes:
        namesake._seat.evict(namesake, now)
