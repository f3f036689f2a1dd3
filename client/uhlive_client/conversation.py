"""One stay in one conversation, from the join to the last word. Nothing here touches the network.

    stay = Conversation("acme", "conv1", JoinOptions(speaker="Alice"))
    send(stay.join())                       # then feed every frame received:
    event = stay.receive(frame)             # until stay.state is State.JOINED
    send(stay.audio(chunk))                 # as often as there is sound
    send(stay.leave())                      # then go on receiving until stay.over

Rules.

- A `Conversation` is one join: refs count up from 1 and are never reset, so a second join needs another
  object. S: the SDK's own object breaks when joined twice.
- Leaving takes a while: after `phx_leave` the service still sends the transcript of what it has heard. A
  speaker's stay ends with its own `speaker_left`. D. A `phx_close` before it ends nothing, and one after it
  changes nothing. S: the SDK's state flips back there.
- An observer causes no `speaker_left` (D), so its stay ends with `phx_close` (I: stock Phoenix).
- A stay whose socket was lost ends when the service notices, perhaps long after the next one was joined
  under the same name. So `earlier` stays may each send a `speaker_left` of ours that ends nothing, as long as
  we are not leaving ourselves.
- What the service does in a state that does not expect it is reported but moves nothing (a `speaker_left`
  before the join is answered is of an earlier stay under our name); what the caller does in a state that
  does not allow it raises `UsageError`.
"""

from __future__ import annotations

from enum import Enum, auto

import msgspec

from .codecs import Codec
from .errors import ChannelCrashed, ConfigurationError, JoinRefused, UsageError
from .events import Closed, Event, Reply, SpeakerLeft
from .vocabulary import parse, reason_in
from .wire import Framing, Message, decode, encode

CHUNK_LIMIT = 64_000
"""Most bytes of audio in one message. D: 64 kB; the stricter of the two readings."""


class JoinOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a join asks for; its fields are the payload, in the order the official SDK writes them.

    Args:
        readonly: observe only: stream nothing, receive everything.
        speaker: the alias that tags our events.
        model: the language model, such as `fr`, `en`, `es`; an observer may leave it empty.
        country: two letters (ISO 3166) by which entities are read.
        interim_results: whether to send transcripts that may still change.
        rescoring: whether to refine final segments with a bigger model.
        origin: Unix milliseconds that are time zero of our events; 0 counts from the first sample.
        audio_codec: how our audio is coded.

    Raises:
        ConfigurationError: no speaker, or no model for a speaker.
    """

    readonly: bool = False
    speaker: str
    model: str = "fr"
    country: str = "fr"
    interim_results: bool = True
    rescoring: bool = True
    origin: int = 0
    audio_codec: Codec = Codec.LINEAR

    def __post_init__(self) -> None:
        if not self.speaker:
            raise ConfigurationError("the speaker's name is empty; expected an alias such as Alice")
        if not self.readonly and not self.model:
            raise ConfigurationError("the model is empty; only an observer can do without")


class State(Enum):
    """Where a conversation stands."""

    IDLE = auto()
    JOINING = auto()
    JOINED = auto()
    LEAVING = auto()
    LEFT = auto()


class _Move(Enum):
    # The caller's.
    JOIN = "join"
    AUDIO = "send audio"
    LEAVE = "leave"
    # The service's.
    ACCEPTED = "accepted"
    REFUSED = "refused"
    CLOSED = "closed"
    DONE = "done"
    CRASHED = "crashed"


_NEXT = {
    (State.IDLE, _Move.JOIN): State.JOINING,
    (State.JOINING, _Move.ACCEPTED): State.JOINED,
    (State.JOINING, _Move.REFUSED): State.LEFT,
    (State.JOINING, _Move.CRASHED): State.LEFT,
    (State.JOINED, _Move.AUDIO): State.JOINED,
    (State.JOINED, _Move.LEAVE): State.LEAVING,
    (State.JOINED, _Move.CLOSED): State.LEAVING,  # the service ends the stay; the last words follow
    (State.JOINED, _Move.DONE): State.LEFT,
    (State.JOINED, _Move.CRASHED): State.LEFT,
    (State.LEAVING, _Move.DONE): State.LEFT,
    (State.LEAVING, _Move.CRASHED): State.LEFT,
}


class Conversation:
    """The state machine of one stay.

    Args:
        identifier: the account's identifier. S: it is the client id, and the token's `azp`.
        conversation_id: any name; all who use the same name meet in it.
        options: what the join asks for.
        framing: how messages lie in frames; must be what the socket's address says.
        earlier: how many stays of ours in this conversation were lost without a leave.
    """

    def __init__(
        self,
        identifier: str,
        conversation_id: str,
        options: JoinOptions,
        *,
        framing: Framing = Framing.VSN2,
        earlier: int = 0,
    ) -> None:
        self.identifier = identifier
        self.conversation_id = conversation_id
        self.options = options
        self.framing = framing
        self.topic = f"conversation:{identifier}@{conversation_id}"
        self._state = State.IDLE
        self._last_ref = 0
        self._join_ref: str | None = None
        self._heartbeat_ref: str | None = None
        self._earlier = earlier

    def __repr__(self) -> str:
        return f"<Conversation {self.topic} as {self.speaker!r}, {self._state.name.lower()}>"

    @property
    def speaker(self) -> str:
        """Our alias."""
        return self.options.speaker

    @property
    def state(self) -> State:
        """Where we stand."""
        return self._state

    @property
    def over(self) -> bool:
        """Whether nothing more is to be expected."""
        return self._state is State.LEFT

    @property
    def awaits_heartbeat(self) -> bool:
        """Whether the answer to the last heartbeat is still to come."""
        return self._heartbeat_ref is not None

    def join(self) -> str | bytes:
        """The frame that asks to join; then receive until `state` is `JOINED`."""
        self._act(_Move.JOIN)
        self._join_ref = str(self._last_ref + 1)
        return self._frame("phx_join", self.options)

    def audio(self, chunk: bytes) -> str | bytes:
        """The frame of a chunk of audio, coded as the join said. D: at most 64 kB, at the pace of speech.

        Raises:
            UsageError: not joined, an observer, or a chunk over 64 kB.
            WireError: the topic does not fit in a binary frame.
        """
        if self.options.readonly:
            raise UsageError("an observer sends no audio; join without readonly to speak")
        if len(chunk) > CHUNK_LIMIT:
            raise UsageError(f"a chunk of {len(chunk)} bytes; expected at most {CHUNK_LIMIT}, so cut it in pieces")
        self._act(_Move.AUDIO)
        return self._frame("audio_chunk", bytes(chunk))

    def leave(self) -> str | bytes:
        """The frame that asks to leave; then receive until `over`, or lose the end of the transcript.

        Raises:
            UsageError: not joined.
        """
        self._act(_Move.LEAVE)
        return self._frame("phx_leave", {})

    def heartbeat(self) -> str | bytes:
        """The frame of a Phoenix heartbeat, in any state; for transports that cannot send pings.

        D: the service closes a socket that sends nothing for 60 s. I: anything sent counts.
        """
        self._heartbeat_ref = self._ref()
        return encode(
            Message(join_ref=None, ref=self._heartbeat_ref, topic="phoenix", event="heartbeat", payload={}),
            self.framing,
        )

    def receive(self, frame: str | bytes) -> Event | None:
        """The event in a frame of the service's; `None` for a frame of another topic.

        Raises:
            JoinRefused: the answer to our join is an error.
            ChannelCrashed: the conversation died on the service's side.
            WireError: the frame is not a Phoenix message of our framing.
        """
        message = decode(frame, self.framing)
        if message.topic == "phoenix":
            if message.ref is not None and message.ref == self._heartbeat_ref:
                self._heartbeat_ref = None
            return parse(message)
        if message.topic != self.topic:
            return None
        # The join_ref is not looked at: there is one join per socket, and D: broadcasts bear none.
        if message.event == "phx_error":
            self._follow(_Move.CRASHED)
            raise ChannelCrashed(reason_in(message.payload) or "")
        event = parse(message)
        match event:
            case Reply(ref=ref, ok=ok) if ref == self._join_ref and self._state is State.JOINING:
                self._follow(_Move.ACCEPTED if ok else _Move.REFUSED)
                if not ok:
                    raise JoinRefused(event.reason or f"no reason given, response {event.response!r}")
            case SpeakerLeft(speaker=self.speaker) if not self.options.readonly:
                if self._state is State.JOINED and self._earlier:
                    self._earlier -= 1
                else:
                    self._follow(_Move.DONE)
            case Closed():
                self._follow(_Move.DONE if self.options.readonly else _Move.CLOSED)
        return event

    def _act(self, move: _Move) -> None:
        after = _NEXT.get((self._state, move))
        if after is None:
            allowed = " or ".join(was.name.lower() for was, with_ in _NEXT if with_ is move)
            raise UsageError(f"cannot {move.value} while {self._state.name.lower()}; expected {allowed}")
        self._state = after

    def _follow(self, move: _Move) -> None:
        self._state = _NEXT.get((self._state, move), self._state)

    def _ref(self) -> str:
        self._last_ref += 1
        return str(self._last_ref)

    def _frame(self, event: str, payload: object) -> str | bytes:
        return encode(
            Message(join_ref=self._join_ref, ref=self._ref(), topic=self.topic, event=event, payload=payload),
            self.framing,
        )
