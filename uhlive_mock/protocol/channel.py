"""A channel: one participant's stay on one topic.

    join ──► joined ──► left          phx_leave: what the audio has reached, then speaker_left to everyone
                  └───► dropped       socket gone, crash, rejoin: the same, but the dropped side hears nothing

The channel turns what its client pushes into audio for the player, and what the player says into broadcasts.
It knows nothing of refs and replies; the session does.

Its own time is the time since the join, plus `lead`. On a clock that audio drives, `lead` is the duration of
the audio received, so a speaker's cues follow that speaker's audio and nobody else's; on every other clock it
stays 0.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Literal

from ..model.account import Account
from ..model.audio import SAMPLE_RATE
from ..model.events import SpeakerJoined, SpeakerLeft
from ..wire.framing import Framing, Message
from .join import JoinOptions, JoinRefused, read_join
from .journal import Kind
from .plan import UTTERANCE_STRIDE, Voice
from .player import Player
from .space import TOPIC_PREFIX, Space


class ChannelCrashed(Exception):
    """The channel cannot go on; the client gets `phx_error` and no reply."""


PushReply = tuple[Literal["ok", "error"], dict[str, str]]
"""Status and response of the reply to a push."""


class Channel:
    """One joined topic of one socket. Build it with `join`."""

    def __init__(
        self,
        *,
        space: Space,
        account: Account,
        framing: Framing,
        topic: str,
        options: JoinOptions,
        socket: int,
        join_ref: object,
        deliver: Callable[[str, Message, float], None],
        evict: Callable[[float], None],
    ) -> None:
        self.framing = framing
        self.vocabulary = account.vocabulary
        self.options = options
        self.event_join_ref = join_ref if space.behaviour.events_carry_join_ref else None
        self.deliver = deliver
        self.evict = evict
        self._space = space
        self._topic = topic
        self._socket = socket
        self._conversation = space.conversation(topic, account)
        self._joined_at = 0.0
        self._lead = 0.0
        self._bytes = 0
        self._player = self._cast(_conversation_id(topic, account))

    @classmethod
    def join(
        cls,
        payload: object,
        now: float,
        *,
        space: Space,
        account: Account,
        framing: Framing,
        topic: str,
        socket: int,
        join_ref: object,
        deliver: Callable[[str, Message, float], None],
        evict: Callable[[float], None],
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
        for namesake in _namesakes(space, topic, options):
            match behaviour.duplicate_speaker:
                case "reject":
                    raise JoinRefused(behaviour.reason_duplicate_speaker)
                case "replace":
                    namesake.evict(now)
                case "allow":
                    pass
        channel = cls(
            space=space,
            account=account,
            framing=framing,
            topic=topic,
            options=options,
            socket=socket,
            join_ref=join_ref,
            deliver=deliver,
            evict=evict,
        )
        channel._enter(now)
        return channel

    def push(self, event: object, payload: object, now: float) -> PushReply | None:
        """Take a push of the client.

        Returns:
            Status and response of the reply, or None for a push that is not answered.

        Raises:
            ChannelCrashed: the service has no way to read it.
        """
        behaviour = self._space.behaviour
        audio = _audio(payload) if event == "audio_chunk" else None
        if audio is None:
            match behaviour.unhandled_push:
                case "crash":
                    raise ChannelCrashed
                case "error":
                    return "error", {"reason": "unhandled event"}
                case "ignore":
                    return None
        if self.options.readonly:
            return ("error", {"reason": "readonly"}) if behaviour.readonly_audio == "error" else None
        self._hear(len(audio), now)
        return ("ok", {}) if behaviour.chunk_reply == "ok" else None

    def tick(self, now: float) -> None:
        """Broadcast what is due at `now`."""
        # Due times become times of the space and never the reverse, so that a tick at `next_deadline`, as
        # rounded as it may be, always has something to do.
        while (due_at := self._player.next_deadline()) is not None and self._on_clock(due_at) <= now:
            for event in self._player.due(due_at):
                self._conversation.broadcast(event, now)

    def next_deadline(self) -> float | None:
        """When `tick` will next have something to do, on the space's clock."""
        due_at = self._player.next_deadline()
        return None if due_at is None else self._on_clock(due_at)

    def leave(self, now: float) -> None:
        """The participant leaves: everything its audio has reached, then its `speaker_left`, to everyone."""
        self._finish(now)
        if not self.options.readonly:
            self._conversation.broadcast(self._left(now), now)
        elif self._space.behaviour.observer_left:
            self._conversation.tell(self, self._left(now), now)
        self._conversation.remove(self)
        self._space.forget_if_empty(self._topic)

    def drop(self, now: float) -> None:
        """The participant is gone without leaving; the others hear the rest and its `speaker_left`."""
        self._conversation.remove(self)
        self._finish(now)
        if not self.options.readonly:
            self._conversation.broadcast(self._left(now), now)
        self._space.forget_if_empty(self._topic)

    # --- inside ---

    def _cast(self, conversation_id: str) -> Player:
        options = self.options
        scenario = self._space.scenario_for(conversation_id)
        script = scenario.script_for(options.speaker)
        first = 0
        if options.readonly:
            script = type(script)()
        elif self._space.behaviour.utterance_ids == "conversation":
            first = self._conversation.take_speaker_number() * UTTERANCE_STRIDE
        voice = Voice(
            speaker=options.speaker,
            model=options.model,
            country=options.country,
            interim_results=options.interim_results,
            origin_ms=options.origin,
            first_utterance=first,
        )
        return Player(script, voice, scenario.timing, self._space.seed if scenario.seed is None else scenario.seed)

    def _enter(self, now: float) -> None:
        self._conversation.enter(self)
        self._joined_at = now
        self._player.joined(self._own(now))
        if self.options.readonly:
            return
        self._conversation.broadcast(
            SpeakerJoined(
                speaker=self.options.speaker,
                lang=self.options.model[:2],
                country=self.options.country,
                interim_results=self.options.interim_results,
                rescoring=self.options.rescoring,
                timestamp_ms=self._timestamp_ms(now),
            ),
            now,
            without=self,
        )

    def _hear(self, size: int, now: float) -> None:
        width = self.options.audio_codec.sample_width
        before, already = self._own(now), self._bytes // width
        self._bytes += size
        received = self._bytes // width
        if self._space.follow_audio:
            self._lead = received / SAMPLE_RATE
        self._player.heard(received - already, before, self._own(now))

    def _finish(self, now: float) -> None:
        for event in self._player.leave(self._own(now)):
            self._conversation.broadcast(event, now)
        for unplayed in self._player.unplayed():
            self._space.journal.record(
                Kind.UNPLAYED,
                now,
                socket=self._socket,
                speaker=self.options.speaker,
                topic=self._topic,
                note=str(unplayed),
            )

    def _left(self, now: float) -> SpeakerLeft:
        return SpeakerLeft(
            speaker=self.options.speaker,
            timestamp_ms=self._timestamp_ms(now),
            reason=self._space.behaviour.left_reason,
        )

    def _own(self, now: float) -> float:
        return now - self._joined_at + self._lead

    def _on_clock(self, own: float) -> float:
        return self._joined_at + (own - self._lead)

    def _timestamp_ms(self, now: float) -> int:
        return int((now + self._lead) * 1000)


def _conversation_id(topic: str, account: Account) -> str:
    own = f"{TOPIC_PREFIX}{account.client_id}@"
    if topic.startswith(own):
        return topic.removeprefix(own)
    # Another identifier, or none at all, which only `identifier_must_match=False` lets in.
    named = topic.removeprefix(TOPIC_PREFIX)
    return named.partition("@")[2] or named


def _namesakes(space: Space, topic: str, options: JoinOptions) -> list[Channel]:
    conversation = space.conversations.get(topic)
    if conversation is None or options.readonly:
        return []
    return [
        other
        for other in conversation.participants
        if isinstance(other, Channel) and not other.options.readonly and other.options.speaker == options.speaker
    ]


def chunk_size(payload: object) -> int | None:
    """Bytes of audio in the payload of a chunk, None when it has none."""
    if isinstance(payload, bytes):
        return len(payload)
    blob = payload.get("blob") if isinstance(payload, dict) else None
    return len(blob.rstrip("=")) * 3 // 4 if isinstance(blob, str) else None


def _audio(payload: object) -> bytes | None:
    """The audio of a chunk: the bytes of a binary push, or the base64 `blob` of a JSON one; else None."""
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, dict) and isinstance(payload.get("blob"), str):
        try:
            return base64.b64decode(payload["blob"], validate=True)
        except (binascii.Error, ValueError):
            return None
    return None
