"""A channel: one participant's stay on one topic.

    join ──► joined ──► left          phx_leave: what the audio has reached, then speaker_left to everyone
                  ├───► closed        the service ends the stay: phx_close, then the same
                  ├───► crashed       the same without the crashing side, which gets phx_error
                  └───► dropped       socket gone, rejoin, or another speaker of its name: the same, unheard

The channel turns what its client pushes into audio for the player, and what the player says into broadcasts; a
fault among its cues strikes here (`strike`), on whichever participant it is meant for. It ends its own stay, as the
process of a Phoenix channel does, and `over` tells the socket so. A rule or a fault that ends the whole socket ends
its `outbox`.

The **gap** rule and the **chunk** rule are kept here.

Its own time counts from the join, `now - joined_at + lead`. On a clock that audio drives, `lead` is the audio it
sent, so a speaker's cues follow that speaker's audio and no other; on every other clock it stays 0.

The file is long because all that can end a stay is here, so that the order of what is then sent can be read at
once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from ..errors import ConfigurationError
from ..model.account import Account
from ..model.audio import SAMPLE_RATE
from ..model.events import SpeakerLeft
from ..model.fault import Fault, FaultKind, Stage
from ..model.limits import ChunkAction, GapAction, Limits
from ..model.scenario import Script
from .admission import JoinOptions, JoinRefused, read_join
from .conversation import Conversation, Participant
from .faults import strike_socket
from .flow_control import FlowControl
from .journal import Entry, Participation
from .outbox import Close, Outbox
from .plan import Happening
from .player import Player
from .records import Closed, EndedBy, LimitRule, RuleBroken, SkipReason, Value
from .space import TOPIC_PREFIX, Space
from .speaker_audio import SpeakerAudio, chunk_audio

_NEVER = float("inf")


PushReply = tuple[Literal["ok", "error"], dict[str, str]]
"""Status and response of the reply to a push."""


class Channel(Participant):
    """One joined topic of one socket. Build it with `join`.

    `join_ref` is that of the join, and `reply_ref` the one that replies carry. They differ for a join with a null
    join_ref: the channel then answers with the join's ref.
    """

    def __init__(
        self,
        *,
        space: Space,
        account: Account,
        topic: str,
        options: JoinOptions,
        entry: Entry,
        participation: Participation,
        refs: tuple[object, object],
        outbox: Outbox,
        flow: FlowControl,
    ) -> None:
        self.topic = topic
        self.join_ref, self.reply_ref = refs
        self._conversation = space.conversation(topic, account)
        self.scenario = scenario = space.scenario_for(self._conversation.id)
        self.limits: Limits = scenario.limits or space.limits
        self._profile = self._conversation.profile(options, scenario)
        script = Script() if options.readonly else scenario.script_for(options.speaker)
        super().__init__(
            outbox=outbox,
            flow=flow,
            vocabulary=account.vocabulary,
            event_join_ref=self.reply_ref if space.behaviour.events_carry_join_ref else None,
            participation=participation,
            player=Player(script, self._profile, scenario.timing, self._conversation.seed_of(scenario)),
            options=options,
        )
        self.over = False
        """Whether its stay has ended, or is about to."""
        self._gone = False
        self._space = space
        self._entry = entry
        self._joined_at = 0.0
        self._audio: SpeakerAudio | None = None
        self._follows_audio = space.follow_audio

    @classmethod
    def join(
        cls,
        payload: object,
        now: float,
        *,
        space: Space,
        account: Account,
        topic: str,
        entry: Entry,
        participation: Participation,
        refs: tuple[object, object],
        outbox: Outbox,
        flow: FlowControl,
    ) -> Channel:
        """Join a conversation; the others are told of a speaker.

        Args:
            entry: the journal's entry of the `phx_join`.
            participation: how entries refer to the stay that begins with it.
            refs: the join_ref of the join, and the one that replies carry.

        Raises:
            JoinRefused: the topic is another identifier's, or the payload is not acceptable.
        """
        behaviour = space.behaviour
        own = f"{TOPIC_PREFIX}{account.client_id}@"
        if behaviour.identifier_must_match and not (topic.startswith(own) and len(topic) > len(own)):
            raise JoinRefused(behaviour.reason_unauthorized)
        options = read_join(payload, behaviour)
        _make_room(space, topic, options, now)
        channel = cls(
            space=space,
            account=account,
            topic=topic,
            options=options,
            entry=entry,
            participation=participation,
            refs=refs,
            outbox=outbox,
            flow=flow,
        )
        channel._enter(now)
        return channel

    # --- what the client sends ---

    def push(self, event: object, payload: object, now: float) -> PushReply | None:
        """Take a push of the client. What the service has no way to read crashes the channel.

        Returns:
            Status and response of the reply, or None for a push that is not answered.
        """
        behaviour = self._space.behaviour
        audio = None
        if event == "audio_chunk":
            audio = payload if type(payload) is bytes else chunk_audio(payload)
        if audio is None:
            match behaviour.unhandled_push:
                case "crash":
                    self.crash(now)
                case "error":
                    return "error", {"reason": "unhandled event"}
                case "ignore":
                    pass
            return None
        if self._audio is None:
            return ("error", {"reason": "readonly"}) if behaviour.readonly_audio == "error" else None
        if len(audio) > self.limits.chunk.max:
            refused = self._too_large(len(audio), now)
            if refused or self.outbox.ended:
                return refused
        self._hear(self._audio, audio, now)
        return ("ok", {}) if behaviour.chunk_reply == "ok" else None

    def leave(self, now: float) -> None:
        """The client leaves; the socket has answered."""
        if self._space.behaviour.phx_close_on_leave:
            self._push("phx_close", {}, now)
        self._leave(now, cleanly=True)

    # --- time ---

    def start(self, now: float) -> None:
        """The join has been answered: ghosts may join now."""
        if not self._conversation.ghosts and self._conversation.participants == [self]:
            self._conversation.ghosts_join(self.scenario, self.options, now)

    def tick(self, now: float) -> None:
        """Let happen what is due, one by one and in the order of time, then see to a silence that is too long."""
        # Due times become times of the space and never the reverse, so that a tick at `next_deadline`, as
        # rounded as it may be, always has something to do.
        while not self.over and not self.outbox.ended:
            own_at = self._joined_at + (self.player.ready_at - self.lead)
            if self._conversation.ghosts:
                ghosts_at = self._conversation.ghosts_deadline()
                if ghosts_at is not None and ghosts_at < own_at and ghosts_at <= now:
                    self.strike_for_ghost(self._conversation.ghost_speaks(now), now)
                    continue
            happening = self.player.take(self.player.ready_at) if own_at <= now else None
            if happening is None:
                break
            self._happen(happening, now)
        audio = self._audio
        if audio and not self.over and not self.outbox.ended:
            silent_at = audio.silent_at
            if self._joined_at + (silent_at - self.lead) <= now and audio.fell_silent(silent_at):
                self._fell_silent(now)

    def next_deadline(self) -> float | None:
        """When `tick` will next have something to do, on the space's clock."""
        soonest = self.player.ready_at
        if self._audio and self._audio.silent_at < soonest:
            soonest = self._audio.silent_at
        deadline = None if soonest == _NEVER else self._joined_at + (soonest - self.lead)
        if not self._conversation.ghosts:
            return deadline
        ghosts_at = self._conversation.ghosts_deadline()
        return min((at for at in (deadline, ghosts_at) if at is not None), default=None)

    def hold(self) -> None:
        """The socket is not read for a while: that is not silence."""
        if self._audio:
            self._audio.hold()

    def resume(self, now: float, throttled_s: float) -> None:
        """The socket is read again, after it was left unread for so many real seconds."""
        if self._audio:
            self._audio.resume(self._own(now))
            self._audio.throttled(throttled_s)

    # --- how the stay ends without the client's leave ---

    def close(self, now: float) -> None:
        """The service makes the participant leave: `phx_close`, then its `speaker_left` to everyone."""
        # S: a phx_close read after the own speaker_left makes the Python SDKs believe they are joined.
        self._push("phx_close", {}, now)
        self._leave(now, cleanly=False)

    def crash(self, now: float) -> None:
        """The channel crashes: the others hear the rest and its `speaker_left`, the client gets `phx_error`."""
        self.drop(now)
        self._push("phx_error", self._space.behaviour.release.crash, now)

    def evict(self, now: float) -> None:
        """Another speaker of its name takes its place."""
        self.drop(now)
        self._push("phx_close", {}, now)

    def drop(self, now: float) -> None:
        """The participant is gone without leaving; the others hear the rest and its `speaker_left`."""
        self.over = True
        self._conversation.remove(self)
        self._finish(now, cleanly=False)
        if not self.options.readonly:
            self._conversation.broadcast(self._left(now), now)
        self._go(now)

    # --- faults ---

    def strike(self, fault: Fault, now: float) -> None:
        """A cue of the script lets something go wrong: here and now, or when the fault's turn comes."""
        faults, stage = self._space.faults, fault.kind.stage
        target = self._named(fault.speaker) or self
        here_and_now = stage in (Stage.CHANNEL, Stage.SOCKET) and fault.speaker in (None, target.speaker)
        if target._gone and (here_and_now or stage is Stage.EVENTS):
            why = SkipReason.NOBODY_LEFT
            of = self.participation if fault.speaker in (None, self.speaker) else None
            faults.skip(fault, now, why, speaker=fault.speaker, socket=self.outbox.socket, of=of)
        elif stage is Stage.EVENTS:
            own = fault if fault.speaker else msgspec.structs.replace(fault, speaker=target.speaker)
            faults.arm(own, by=target.speaker)
        elif not here_and_now:
            faults.arm(fault)
        elif faults.chance(
            fault, now, speaker=target.speaker, socket=target.outbox.socket, of=target.participation
        ):
            target._strike_now(fault, now)

    def apply(self, fault: Fault, now: float) -> None:
        """Let a fault of the channel or the socket stage happen."""
        match fault.kind:
            case FaultKind.CRASH:
                self.crash(now)
            case FaultKind.CLOSE_CHANNEL:
                self.close(now)
            case _:
                strike_socket(fault, self.outbox, self.flow, now)

    def _strike_now(self, fault: Fault, now: float) -> None:
        faults, number, of = self._space.faults, self.outbox.socket, self.participation
        if not self.outbox.is_open:
            faults.skip(fault, now, SkipReason.SOCKET_GONE, speaker=self.speaker, socket=number, of=of)
        elif self.over and fault.kind.stage is Stage.CHANNEL:
            faults.skip(fault, now, SkipReason.CHANNEL_GONE, speaker=self.speaker, socket=number, of=of)
        else:
            faults.applied(fault, now, speaker=self.speaker, socket=number, of=of)
            self.apply(fault, now)

    def _named(self, speaker: str | None) -> Channel | None:
        if speaker in (None, self.speaker):
            return None
        return next((other for other in channels_of(self._conversation) if other.speaker == speaker), None)

    def strike_for_ghost(self, faults: Iterator[Fault], now: float) -> None:
        """Faults of a ghost, which has no connection: the listener who has been there longest is struck."""
        for fault in faults:
            next(iter(channels_of(self._conversation)), self).strike(fault, now)

    # --- inside ---

    def _enter(self, now: float) -> None:
        self._conversation.enter(self)
        self._joined_at = now
        self.player.joined(self._own(now))
        if self.options.readonly:
            return
        self._audio = SpeakerAudio(
            topic=self.topic,
            conversation=self._conversation.id,
            options=self.options,
            gap=self.limits.gap,
            now=self._own(now),
            socket=self.outbox.socket,
            participation=self.participation,
            join=self._entry,
            scenario=self.scenario,
        )
        self._space.hearings.append(self._audio)
        self._conversation.broadcast(self._profile.joined(now + self.lead), now, without=self)

    def _hear(self, speaker_audio: SpeakerAudio, audio: bytes, now: float) -> None:
        before = now - self._joined_at + self.lead
        samples = speaker_audio.chunk(audio, before, self._space.real())
        after = before
        if samples and samples == speaker_audio.samples and self._conversation.ghosts:
            self._conversation.audio_began(now)
        if self._follows_audio:
            self.lead = lead = speaker_audio.samples / SAMPLE_RATE
            if lead > self.flow.audio_lead:
                self.flow.audio_lead = lead
            after = now - self._joined_at + lead
        speaker_audio.fed(after)
        self.player.heard(samples, before, after)

    def _too_large(self, size: int, now: float) -> PushReply | None:
        limit = self.limits.chunk
        if limit.action is ChunkAction.OFF:
            return None
        broken = RuleBroken(rule=LimitRule.CHUNK, found=size, limit=limit.max)
        self._note(broken, now)
        if limit.action is ChunkAction.CLOSE:
            self._end_socket(broken, now)
        return ("error", {"reason": "chunk too large"}) if limit.action is ChunkAction.ERROR else None

    def _fell_silent(self, now: float) -> None:
        broken = RuleBroken(rule=LimitRule.GAP, limit=self.limits.gap.after_ms / 1000)
        self._note(broken, now)
        match self.limits.gap.action:
            case GapAction.LEAVE:
                self.close(now)
            case GapAction.ERROR:
                self.crash(now)
            case GapAction.CLOSE:
                self._end_socket(broken, now)
            case GapAction.REPORT | GapAction.OFF:
                pass

    def _end_socket(self, broken: RuleBroken, now: float) -> None:
        code = self._space.behaviour.rule_close_code
        self.outbox.end(Close(code), now, Closed(by=EndedBy.RULE, code=code, cause=broken))

    def _happen(self, happening: Happening, now: float) -> None:
        if isinstance(happening, Fault):
            self.strike(happening, now)
        else:
            self._conversation.broadcast(happening, now)

    def _leave(self, now: float, *, cleanly: bool) -> None:
        self.over = True
        self._finish(now, cleanly=cleanly)
        if not self.options.readonly:
            self._conversation.broadcast(self._left(now), now)
        elif self._space.behaviour.observer_left:
            self._conversation.tell(self, self._left(now), now)
        self._go(now)

    def _finish(self, now: float, *, cleanly: bool) -> None:
        for happening in self.player.leave(self._own(now)):
            self._happen(happening, now)
        for unplayed in self.player.unplayed():
            self._note(unplayed, now)
        if self._audio:
            self._audio.left(cleanly=cleanly)

    def _go(self, now: float) -> None:
        self._gone = True
        if self._audio:
            # Only now: its own `speaker_left` was the last event that one could strike.
            self._space.faults.forget(now, SkipReason.NO_EVENT, by=self.speaker)
        if self in self._conversation.participants:
            self._conversation.remove(self)
        if not self._conversation.participants:
            self.strike_for_ghost(self._conversation.ghosts_leave(self._conversation.ghosts, now), now)
        self._space.forget_if_empty(self.topic)

    def _left(self, now: float) -> SpeakerLeft:
        return SpeakerLeft(
            speaker=self.speaker,
            timestamp_ms=int((now + self.lead) * 1000),
            reason=self._space.behaviour.left_reason,
        )

    def _push(self, event: str, payload: object, now: float) -> None:
        self.outbox.push(self.join_ref, self.join_ref, self.topic, event, payload, now, self.participation)

    def _note(self, value: Value, now: float) -> None:
        self._space.journal.note(
            value, now, socket=self.outbox.socket, speaker=self.speaker, topic=self.topic, of=self.participation
        )

    def _own(self, now: float) -> float:
        return now - self._joined_at + self.lead


def channels_of(conversation: Conversation) -> list[Channel]:
    """The channels in a conversation, in the order they joined."""
    return [participant for participant in conversation.participants if isinstance(participant, Channel)]


def drop(space: Space, speaker: str, now: float, conversation: str | None = None) -> None:
    """Make a participant leave the conversation of that id or topic, or every one it is in; a ghost just leaves.

    Raises:
        ConfigurationError: nobody is in that conversation, or nobody of that name.
    """
    live = list(space.conversations.values()) if conversation is None else [space.live(conversation)]
    present = [(channel.speaker, each.id) for each in live for channel in channels_of(each)]
    present += [(ghost.speaker, each.id) for each in live for ghost in each.ghosts]
    if speaker not in {name for name, _ in present}:
        found = ", ".join(f"{name!r} in {place!r}" for name, place in present) or "nobody"
        where = "any conversation" if conversation is None else f"conversation {live[0].id!r}"
        raise ConfigurationError(f"no speaker {speaker!r} is in {where}; joined: {found}")
    for each in live:
        channels = channels_of(each)
        _ghosts_leave(each, speaker, now)
        for channel in channels:
            if channel.speaker == speaker and channel in each.participants:
                channel.close(now)


def _make_room(space: Space, topic: str, options: JoinOptions, now: float) -> None:
    """See to the participants and ghosts that have the name of a new speaker already.

    Raises:
        JoinRefused: there are, and `behaviour.duplicate_speaker` rejects it.
    """
    conversation, behaviour = space.conversations.get(topic), space.behaviour
    if conversation is None or options.readonly or behaviour.duplicate_speaker == "allow":
        return
    namesakes = [
        other
        for other in channels_of(conversation)
        if not other.options.readonly and other.speaker == options.speaker
    ]
    ghosts = [ghost for ghost in conversation.ghosts if ghost.speaker == options.speaker]
    if (namesakes or ghosts) and behaviour.duplicate_speaker == "reject":
        raise JoinRefused(behaviour.reason_duplicate_speaker)
    _ghosts_leave(conversation, options.speaker, now)
    for namesake in namesakes:
        namesake.evict(now)


def _ghosts_leave(conversation: Conversation, name: str, now: float) -> None:
    ghosts = [ghost for ghost in conversation.ghosts if ghost.speaker == name]
    if ghosts:
        first = channels_of(conversation)[0]
        first.strike_for_ghost(conversation.ghosts_leave(ghosts, now), now)
