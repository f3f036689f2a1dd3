"""A space: everything one test can see or change, in one disposable object.

What it is made of is in its `SpaceSettings`; its time is its clock. It has a journal, the faults that wait, the
live conversations and the open sockets. Nothing is shared between spaces, so throwing one away resets it:

    end()       every socket is closed, and the watchers are called
    reset()     the same, but a fresh space takes its place and is its `successor`; what its old sockets still do
                belongs to the old space
    latest      the space as it is now, after any reset

Time and sockets are given: the layers above own the timers, tick a socket at its `next_deadline()`, and `settle()`
after whatever they do to a socket or to the space: an effect for one socket may be an effect for all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

import msgspec

from ..errors import ConfigurationError
from ..model.account import Account
from ..model.fault import Fault, Stage
from ..model.scenario import ANYONE, RawEvent, Scenario
from ..model.settings import Drive, Expectations, SpaceSettings
from ..scenarios.events import LiveEvent, Pushed
from ..wire.vocabulary import Setting
from .clock import Clock
from .conversation import Conversation
from .faults import FaultBox
from .journal import Journal
from .records import EndedBy, SkipReason
from .speaker_audio import SpeakerAudio

TOPIC_PREFIX = "conversation:"
SHORTEST_SECRET = 8
"""Characters. A shorter secret may well be a word of the call."""


def conversation_id(topic: str, account: Account) -> str:
    """The id of the conversation of a topic."""
    own = f"{TOPIC_PREFIX}{account.client_id}@"
    if topic.startswith(own):
        return topic.removeprefix(own)
    # Another identifier, or none at all, which only `identifier_must_match=False` lets in.
    named = topic.removeprefix(TOPIC_PREFIX)
    return named.partition("@")[2] or named


class OpenSocket(Protocol):
    """A connection, as far as its space needs it."""

    def shutdown(self) -> None:
        """Close the connection, as a server that goes away does."""

    def carry_out(self) -> None:
        """Drain its effects and arm its timer."""

    def finish(self, now: float, by: EndedBy) -> None:
        """The space is over, and so is the socket."""

    def tick(self, now: float) -> None:
        """Run what is due at `now`."""

    def strike(self, fault: Fault, now: float) -> bool:
        """A fault from outside. False when it is meant for no participant here."""

    def next_deadline(self) -> float | None:
        """When the socket next needs a tick, on the space's clock."""

    def rearm(self) -> None:
        """Set the timer anew: the clock jumped."""

    def in_flight(self) -> bool:
        """Whether the client has sent what is not read yet, or the connection is about to end."""


class Space:
    """Accounts that share scenarios, behaviour, limits, a clock and a journal.

    `hearings` has one entry for each speaker's stay, in the order of their joins, those that are over included.
    """

    def __init__(self, settings: SpaceSettings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.real = clock.real
        """Seconds of real time, from any start, for the judgement of pacing."""
        self.name = settings.name
        self.seed = settings.seed
        self.behaviour = settings.behaviour
        self.limits = settings.limits
        self.accounts = {account.client_id: account for account in settings.accounts}
        self.scenarios = settings.scenarios
        """Each participant that joins gets the script of one of these."""
        self.follow_audio = settings.clock is Drive.AUDIO
        """Whether each speaker's time is moved by the audio it sends."""
        self.paced = settings.clock is Drive.REAL
        """Whether time passes by itself, so that a client that streams has to keep pace with it."""
        self.expectations = Expectations()
        """How its client is judged; a reset does not change that."""
        secrets = {account.client_secret for account in settings.accounts}
        self.journal = Journal(clock.wall, secrets=set(filter(self._hides, secrets)))
        self.faults = FaultBox(settings.seed, self.journal)
        self.conversations: dict[str, Conversation] = {}
        self.hearings: list[SpeakerAudio] = []
        self.sockets: dict[OpenSocket, None] = {}
        """Its open sockets, in the order they were opened."""
        self.ended_at: float | None = None
        """When it ended, in Unix seconds."""
        self.successor: Space | None = None
        """What a reset put in its place."""
        self.frames: dict[str, bytes] = {}
        """The frame of each text that sockets are being sent, until all is settled; they share it."""
        self._awake: dict[OpenSocket, None] = {}
        self._watchers: list[Callable[[], None]] = []

    def _hides(self, secret: str) -> bool:
        """Whether a secret tells itself from all that is no secret."""
        return len(secret) >= SHORTEST_SECRET and not any(secret in client_id for client_id in self.accounts)

    # --- its end --------------------------------------------------------------------------------------------------

    @property
    def latest(self) -> Space:
        """The space as it is now, after any reset."""
        space = self
        while space.successor is not None:
            space = space.successor
        return space

    @property
    def over(self) -> bool:
        """Whether the space has ended, and none took its place."""
        return self.latest.ended_at is not None

    def when_over(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call `watcher` when the space ends, however often it is reset before. Returns what takes that back."""
        watchers = self._watchers
        watchers.append(watcher)
        return lambda: watchers.remove(watcher)

    def end(self) -> None:
        """Close every socket and forget what waits for its turn, for good."""
        self._close_sockets(EndedBy.SPACE_CLOSED)
        self.settle()
        for watcher in tuple(self._watchers):
            watcher()

    def reset(self) -> Space:
        """End the space, and return the one that takes its place: as this one was made, on a clock that begins now.

        Raises:
            ConfigurationError: the space has ended.
        """
        if self.ended_at is not None:
            raise ConfigurationError(f"the space {self.name!r} has ended; a reset needs one that lives")
        self._close_sockets(EndedBy.SPACE_RESET)
        fresh = self.successor = Space(self.settings, self.clock.fresh())
        fresh.expectations = self.expectations
        fresh._watchers = self._watchers
        self.journal.hand_over(fresh.journal)
        self.settle()
        return fresh

    def _close_sockets(self, by: EndedBy) -> None:
        self.ended_at = self.clock.wall()
        now = self.clock.now()
        for socket in tuple(self.sockets):
            socket.shutdown()
        for socket in tuple(self.sockets):
            socket.finish(now, by)
        self.sockets.clear()
        self.faults.forget(now, SkipReason.NO_TURN)

    # --- its sockets ----------------------------------------------------------------------------------------------

    def wake(self, socket: OpenSocket) -> None:
        """Note that a socket has effects to carry out."""
        self._awake[socket] = None

    def settle(self) -> None:
        """Carry out every effect of every socket; the end of whatever is done to one, or to the space."""
        while self._awake:
            socket = next(iter(self._awake))
            del self._awake[socket]
            socket.carry_out()
        self.frames.clear()

    # --- what a test does to it -----------------------------------------------------------------------------------

    def inject(self, fault: Fault) -> None:
        """Let something go wrong: at once where it can, else when its turn comes.

        What strikes sockets strikes as many as it counts, in the order they were opened; what is left of the
        count waits for those to come.
        """
        now = self.clock.now()
        left = fault.count
        if fault.kind.stage in (Stage.CHANNEL, Stage.SOCKET):
            for socket in tuple(self.sockets):
                if left != 0 and socket.strike(fault, now) and left is not None:
                    left -= 1
        if left != 0:
            self.faults.arm(msgspec.structs.replace(fault, count=left))

    def push(self, conversation: str, events: Collection[Pushed], now: float) -> None:
        """Tell everyone in the live conversation of that id or topic, in the order given.

        Raises:
            ConfigurationError: no participant is in it, or one of the events is none.
        """
        for pushed in events:
            if not isinstance(pushed, LiveEvent | RawEvent):
                raise ConfigurationError(
                    f"an event to push is a {type(pushed).__name__}; expected segment(...), event(...) or the like"
                )
        live = self.live(conversation)
        live.push(events, self.scenario_for(live.id), now)

    def advance(self, seconds: float) -> None:
        """Jump the clock, stopping at each deadline on the way, in order, and settling there.

        Raises:
            ConfigurationError: `seconds` is negative or not finite.
        """
        if not isinstance(seconds, int | float) or not 0 <= seconds < float("inf"):
            raise ConfigurationError(f"advance takes a number of seconds, 0 or more; found {seconds!r}")
        clock = self.clock
        target = clock.now() + seconds
        while True:
            due = [
                (deadline, socket)
                for socket in self.sockets
                if (deadline := socket.next_deadline()) is not None and deadline <= target
            ]
            if not due:
                break
            deadline, socket = min(due, key=lambda pair: pair[0])
            clock.advance(max(0.0, deadline - clock.now()))
            socket.tick(max(deadline, clock.now()))
            self.settle()
        clock.advance(max(0.0, target - clock.now()))
        self.settle()
        for socket in self.sockets:
            socket.rearm()

    # --- its conversations ----------------------------------------------------------------------------------------

    def seed_of(self, scenario: Scenario) -> int:
        """The seed that decides what is random in a scenario."""
        return self.seed if scenario.seed is None else scenario.seed

    def scenario_for(self, conversation_id: str) -> Scenario:
        """The scenario that speaks in a conversation."""
        for scenario in self.scenarios:
            if scenario.speaks_in(conversation_id):
                return scenario
        return Scenario(name="silence")

    def conversation(self, topic: str, account: Account) -> Conversation:
        """The live conversation of a topic, created when there is none."""
        if topic not in self.conversations:
            setting = Setting(topic=topic, client_id=account.client_id, campaign_id=self.behaviour.campaign_id)
            self.conversations[topic] = Conversation(
                setting,
                conversation_id(topic, account),
                faults=self.faults,
                behaviour=self.behaviour,
                seed=self.seed,
            )
        return self.conversations[topic]

    def live(self, conversation: str) -> Conversation:
        """The live conversation of an id or a topic: that of the first account, when several have one of that id.

        Raises:
            ConfigurationError: no participant is in one of that id.
        """
        if conversation in self.conversations:
            return self.conversations[conversation]
        named = [live for live in self.conversations.values() if live.id == conversation]
        if not named:
            found = ", ".join(repr(live.id) for live in self.conversations.values()) or "none"
            raise ConfigurationError(f"nobody is in conversation {conversation!r}; live conversations: {found}")
        return min(named, key=lambda live: list(self.accounts).index(live.setting.client_id))

    def forget_if_empty(self, topic: str) -> None:
        """End a conversation that has no participant any more."""
        conversation = self.conversations.get(topic)
        if conversation and not conversation.participants:
            del self.conversations[topic]

    def unheard(self) -> list[str]:
        """One sentence for each scenario, and each named speaker of one, that was never given a chance.

        The likeliest cause is a name that the program and the scenario write differently.
        """
        joined = {hearing.speaker: None for hearing in self.hearings}
        ids = {hearing.conversation: None for hearing in self.hearings}
        sentences = []
        for scenario in self.scenarios:
            if not any(hearing.scenario is scenario for hearing in self.hearings):
                found = ", ".join(map(repr, ids)) or "none"
                pattern = scenario.match.conversation
                sentences.append(
                    f"scenario {scenario.name!r} spoke in no conversation: it is for {pattern!r}; joined: {found}"
                )
                continue
            for name, script in scenario.speakers.items():
                if name != ANYONE and not script.ghost and name not in joined:
                    found = ", ".join(map(repr, joined)) or "nobody"
                    sentences.append(
                        f"speaker {name!r} of scenario {scenario.name!r} never joined; joined: {found}"
                    )
        return sentences
