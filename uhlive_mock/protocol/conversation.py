"""A conversation: who takes part in it, and who hears what.

    joined        speaker_joined to the *others*; nothing for an observer (D: JavaScript SDK)
    any event     to everyone, observers and the speaker included, encoded once for each form it takes
    left          speaker_left to everyone, the leaver included; nothing for an observer
    late joiner   is told nothing of what was before (S: "joined after us")

A **ghost** is a speaker that the server plays, so that one program can rehearse a call of two. It joins when the
first participant has joined, speaks at the pace of real speech on the conversation's time, and leaves after its
last word, or when nobody is left to hear it. Its positions count from its join, or from the conversation's first
audio (`say_from`). The conversation's time is that of the space, moved on by the speaker who has sent the most
audio where audio moves time. It never goes back, not even when that speaker leaves.

**Pushed events** are a test's. A participant, a ghost, or a speaker who is not there at all says them
(`PushedEvents`).

The first **utterance id** of a speaker is given out here, by its place in the scenario, so that it does not matter
who joins first; speakers who have no place, or find it taken, come behind, in the order of their joins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, count

from msgspec import structs

from ..model.account import Vocabulary
from ..model.audio import SAMPLE_RATE
from ..model.behaviour import Behaviour
from ..model.events import Event, Raw, SpeakerJoined, SpeakerLeft
from ..model.fault import Fault
from ..model.scenario import ANYONE, Moment, RawEvent, Scenario, Script
from ..scenarios.events import Joining, LiveEvent, Pushed
from ..wire.framing import Framing, Message, encode
from ..wire.vocabulary import Setting, render
from .admission import JoinOptions
from .faults import FaultBox, send_event
from .flow_control import FlowControl
from .journal import Participation
from .outbox import Letter, Outbox
from .plan import Happening
from .player import Player
from .recognizer import UTTERANCE_STRIDE, SpeakerProfile


class Participant:
    """One side of a conversation: how it is spoken to, and what it says.

    `event_join_ref` is the join_ref that its events carry, null by default. `lead` is by how many seconds its audio
    has moved its own time on.
    """

    def __init__(
        self,
        *,
        outbox: Outbox,
        flow: FlowControl,
        vocabulary: Vocabulary,
        event_join_ref: object,
        participation: Participation,
        player: Player,
        options: JoinOptions,
    ) -> None:
        self.outbox = outbox
        self.flow = flow
        self.vocabulary = vocabulary
        self.event_join_ref = event_join_ref
        self.participation = participation
        self.player = player
        self.options = options
        self.speaker = options.speaker
        self.lead = 0.0
        self.form = (outbox.framing, vocabulary, type(event_join_ref), str(event_join_ref))
        """Participants of one form are sent one text."""

    @property
    def framing(self) -> Framing:
        """How its socket frames messages."""
        return self.outbox.framing


class Conversation:
    """The participants of one topic, in the order they joined."""

    def __init__(
        self,
        setting: Setting,
        identifier: str = "",
        *,
        faults: FaultBox,
        behaviour: Behaviour | None = None,
        seed: int = 0,
    ) -> None:
        self.setting = setting
        self.id = identifier
        """As its client knows it."""
        self.participants: list[Participant] = []
        self.ghosts: list[Ghost] = []
        self._faults = faults
        self._behaviour = behaviour or Behaviour()
        self._seed = seed
        self._absent: dict[str, Player] = {}
        """Speakers in pushed events who are not there."""
        self._spoken_of: dict[str, Participation] = {}
        """The latest stay of each speaker, by name: what an event that names it is about."""
        self._places: set[int] = set()
        self._past_lead = 0.0

    @property
    def lead(self) -> float:
        """By how many seconds the audio of its speakers has moved its time on."""
        return max(self._past_lead, *(participant.lead for participant in self.participants), 0.0)

    def seed_of(self, scenario: Scenario) -> int:
        """The seed that decides what is random in a scenario."""
        return self._seed if scenario.seed is None else scenario.seed

    # --- who is there ---

    def profile(self, options: JoinOptions, scenario: Scenario) -> SpeakerProfile:
        """The profile of a participant; an observer speaks nothing and takes no utterance ids."""
        return SpeakerProfile(
            speaker=options.speaker,
            model=options.model,
            country=options.country,
            interim_results=options.interim_results,
            rescoring=options.rescoring,
            origin_ms=options.origin,
            first_utterance=0 if options.readonly else self._first_utterance(options.speaker, scenario),
        )

    def enter(self, participant: Participant) -> None:
        """Add a participant; it hears every event from now on."""
        self.participants.append(participant)
        if not participant.options.readonly:
            self._spoken_of[participant.speaker] = participant.participation

    def remove(self, participant: Participant) -> None:
        """Remove a participant; it hears nothing from now on."""
        self._past_lead = self.lead
        self.participants.remove(participant)

    def take_place(self, *wanted: int) -> int:
        """The first wanted place that no speaker of the conversation has ever had, or the next one behind them."""
        places = chain(wanted, count(wanted[-1]))
        place = next(place for place in places if place not in self._places)
        self._places.add(place)
        return place

    def _first_utterance(self, speaker: str, scenario: Scenario) -> int:
        if self._behaviour.utterance_ids == "speaker":
            return 0
        named = [name for name in scenario.speakers if name != ANYONE]
        own = [named.index(speaker)] if speaker in named else []
        return self.take_place(*own, len(named)) * UTTERANCE_STRIDE

    # --- who hears what ---

    def broadcast(self, event: Event, now: float, *, without: Participant | None = None) -> None:
        """Tell everyone, or everyone but one."""
        forms: dict[tuple[object, ...], tuple[str, Message]] = {}
        for participant in tuple(self.participants):
            if participant is not without:
                self._tell(participant, event, forms, now)

    def tell(self, participant: Participant, event: Event, now: float) -> None:
        """Tell one participant only."""
        self._tell(participant, event, {}, now)

    def message(self, event: Event, vocabulary: Vocabulary, join_ref: object) -> Message:
        """The message of an event in a vocabulary."""
        name, payload = render(vocabulary, event, self.setting)
        return Message(join_ref, None, self.setting.topic, name, payload)

    def _tell(
        self, to: Participant, event: Event, forms: dict[tuple[object, ...], tuple[str, Message]], now: float
    ) -> None:
        form = forms.get(to.form)
        if form is None:
            message = self.message(event, to.vocabulary, to.event_join_ref)
            form = forms[to.form] = encode(to.outbox.framing, message), message
        text, message = form
        named = message.payload.get("speaker") if isinstance(message.payload, dict) else None
        of = self._spoken_of.get(named) if isinstance(named, str) else None
        letter = Letter(text, message, to.participation, of)
        if self._faults.armed:
            other = partial(self._in_other_vocabulary, to, event)
            last = isinstance(event, SpeakerLeft)
            send_event(self._faults, to.outbox, to.flow, letter, now, other=other, last=last)
        else:
            to.outbox.send(now, letter)

    def _in_other_vocabulary(self, to: Participant, event: Event) -> Message:
        """The message of an event in the vocabulary that the participant's account does not have."""
        other = next(vocabulary for vocabulary in Vocabulary if vocabulary is not to.vocabulary)
        return self.message(event, other, to.event_join_ref)

    # --- what a test pushes ---

    def push(self, events: Iterable[Pushed], scenario: Scenario, now: float) -> None:
        """Tell everyone, in the order given.

        Args:
            scenario: the one that would speak for a speaker who joined now.
        """
        for event in events:
            self.broadcast(self._whole(event, scenario, now), now)

    def _whole(self, pushed: Pushed, scenario: Scenario, now: float) -> Event:
        if isinstance(pushed, RawEvent):
            return Raw(speaker="", name=pushed.name, payload=pushed.payload)
        player = self._player_of(pushed.speaker) or self._absent_player(pushed, scenario)
        event = player.pushed.event(pushed, player.received_ms, now + self.lead)
        if isinstance(event, SpeakerLeft) and event.reason is None:
            return structs.replace(event, reason=self._behaviour.left_reason)
        return event

    def _player_of(self, speaker: str) -> Player | None:
        """The player under that name: of the speaker who joined last, else of a ghost. An observer has none."""
        for participant in reversed(self.participants):
            if participant.speaker == speaker and not participant.options.readonly:
                return participant.player
        return next((ghost.player for ghost in self.ghosts if ghost.speaker == speaker), None)

    def _absent_player(self, pushed: LiveEvent, scenario: Scenario) -> Player:
        known = self._absent.get(pushed.speaker)
        if known and not isinstance(pushed.action, Joining):
            return known
        options = JoinOptions(speaker=pushed.speaker)
        if isinstance(pushed.action, Joining):
            model, country = pushed.action.lang or options.model, pushed.action.country or options.country
            options = structs.replace(options, model=model, country=country)
        profile = self.profile(options, scenario)
        player = self._absent[pushed.speaker] = Player(Script(), profile, scenario.timing, self.seed_of(scenario))
        return player

    # --- ghosts ---

    def ghosts_join(self, scenario: Scenario, caller: JoinOptions, now: float) -> None:
        """The ghosts of a scenario join, in the language of the participant who calls; everyone is told."""
        allowed = self._behaviour.duplicate_speaker == "allow"
        joining = [
            Ghost(self._ghost_profile(name, caller, scenario), scenario, self.seed_of(scenario))
            for name, script in scenario.speakers.items()
            if script.ghost and (allowed or name != caller.speaker)
        ]
        self.ghosts += joining
        for ghost in joining:
            self.broadcast(ghost.enter(now + self.lead), now)

    def audio_began(self, now: float) -> None:
        """A participant has sent its first audio."""
        for ghost in self.ghosts:
            ghost.start(self._own(ghost, now))

    def ghosts_deadline(self) -> float | None:
        """When `ghost_speaks` will next have something to do, on the space's clock."""
        return min((due_at for due_at, _, _ in self._ghosts_due()), default=None)

    def ghost_speaks(self, now: float) -> Iterator[Fault]:
        """Broadcast what the ghost of the earliest deadline says then; the faults of its cues come out."""
        _, due_at, ghost = min(self._ghosts_due(), key=lambda each: each[0])
        return self._broadcast_ghost(ghost, ghost.due(due_at), now)

    def ghosts_leave(self, ghosts: Iterable[Ghost], now: float) -> Iterator[Fault]:
        """Ghosts leave: nobody is left to hear them, or a speaker takes their name. Their faults come out."""
        for ghost in tuple(ghosts):
            yield from self._broadcast_ghost(ghost, ghost.leave(self._own(ghost, now)), now)

    def _broadcast_ghost(self, ghost: Ghost, said: list[Happening], now: float) -> Iterator[Fault]:
        for happening in said:
            if isinstance(happening, Fault):
                yield happening
            else:
                self.broadcast(happening, now)
        if ghost.gone and ghost in self.ghosts:
            self.ghosts.remove(ghost)

    def _ghost_profile(self, name: str, caller: JoinOptions, scenario: Scenario) -> SpeakerProfile:
        return SpeakerProfile(
            speaker=name,
            model=caller.model,
            country=caller.country,
            origin_ms=caller.origin,
            first_utterance=self._first_utterance(name, scenario),
        )

    def _own(self, ghost: Ghost, now: float) -> float:
        return now - ghost.entered_at + self.lead

    def _ghosts_due(self) -> Iterator[tuple[float, float, Ghost]]:
        """Each ghost that waits for something, with the deadline on the space's clock and in its own time."""
        lead = self.lead if self.ghosts else 0.0
        for ghost in self.ghosts:
            own = ghost.next_deadline()
            if own is not None:
                yield ghost.entered_at + (own - lead), own, ghost


class Ghost:
    """One ghost in one conversation. But for `enter`, times are seconds of its own time, from its join.

    Deadlines are compared on the space's clock: `due(next_deadline())` always does something, however the deadline
    was rounded on the way.
    """

    def __init__(self, profile: SpeakerProfile, scenario: Scenario, seed: int) -> None:
        self.gone = False
        self.entered_at = 0.0
        """When it joined, on the conversation's time."""
        self._profile = profile
        self.speaker = profile.speaker
        script = scenario.speakers[profile.speaker]
        self.player = Player(script, profile, scenario.timing, seed)
        """Its script in play."""
        self._waits_for = script.say_from
        self._started: float | None = None
        self._samples = 0
        self._last = 0.0

    def enter(self, now: float) -> SpeakerJoined:
        """The ghost joins at `now`, on the conversation's time; returns the event for everyone."""
        self.entered_at = now
        self.player.joined(0.0)
        if self._waits_for is Moment.JOINED:
            self.start(0.0)
        return self._profile.joined(now)

    def start(self, now: float) -> None:
        """Positions count from `now` on, unless they count already."""
        if self._started is None:
            self._started = self._last = now
            self.player.began(now)

    def next_deadline(self) -> float | None:
        """When `due` will next have something; None while it waits for the first audio."""
        if self.player.finished:
            return self._last
        deadline = self.player.next_deadline()
        position_ms = self.player.next_position_ms
        if self._started is None or position_ms is None:
            return deadline
        reached = self._started + position_ms / 1000
        return reached if deadline is None else min(deadline, reached)

    def due(self, now: float) -> list[Happening]:
        """What the ghost says by `now`; its own `speaker_left` comes last."""
        if self.gone:
            return []
        if self._started is not None and now > self._last:
            # Rounded, so that a position is reached at its very sample however the deadline was rounded.
            samples = round((now - self._started) * SAMPLE_RATE)
            self.player.heard(samples - self._samples, self._last, now)
            self._samples = samples
        self._last = max(self._last, now)
        said = self.player.due(now)
        return said + self.leave(now) if self.player.finished else said

    def leave(self, now: float) -> list[Happening]:
        """The ghost leaves."""
        if self.gone:
            return []
        self.gone = True
        left = SpeakerLeft(speaker=self.speaker, timestamp_ms=int((self.entered_at + now) * 1000))
        return [*self.player.leave(now), left]
