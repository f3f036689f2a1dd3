"""Who plays what: the voice and the player of whoever joins, and the ghosts of a conversation."""

from __future__ import annotations

from ..model.scenario import ANYONE, Scenario, Script
from .admission import JoinOptions
from .conversation import Conversation
from .ghost import Ghost
from .player import Player
from .recognizer import UTTERANCE_STRIDE, Voice
from .space import Space


class Casting:
    """The casting of one conversation, for one participant of it."""

    def __init__(self, space: Space, scenario: Scenario, conversation: Conversation, options: JoinOptions) -> None:
        self._space = space
        self._scenario = scenario
        self._conversation = conversation
        self._options = options

    def voice(self) -> Voice:
        """The participant's voice; an observer's speaks nothing and takes no utterance ids."""
        options = self._options
        return Voice(
            speaker=options.speaker,
            model=options.model,
            country=options.country,
            interim_results=options.interim_results,
            rescoring=options.rescoring,
            origin_ms=options.origin,
            first_utterance=0 if options.readonly else self._utterances_of(options.speaker),
        )

    def player(self, voice: Voice) -> Player:
        """The participant's script in play."""
        script = Script() if self._options.readonly else self._scenario.script_for(voice.speaker)
        return Player(script, voice, self._scenario.timing, self._seed)

    def absent(self) -> Player:
        """Somebody who is not there, and speaks all the same in what a test pushes."""
        return Player(Script(), self.voice(), self._scenario.timing, self._seed)

    def ghosts(self) -> list[Ghost]:
        """The ghosts that the participant's joining calls up, in its language."""
        allowed = self._space.behaviour.duplicate_speaker == "allow"
        return [
            Ghost(self._ghost_voice(name), self._scenario, self._seed)
            for name, script in self._scenario.speakers.items()
            if script.ghost and (allowed or name != self._options.speaker)
        ]

    def _ghost_voice(self, name: str) -> Voice:
        return Voice(
            speaker=name,
            model=self._options.model,
            country=self._options.country,
            origin_ms=self._options.origin,
            first_utterance=self._utterances_of(name),
        )

    @property
    def _seed(self) -> int:
        return self._space.seed_of(self._scenario)

    def _utterances_of(self, speaker: str) -> int:
        """The first utterance id of a speaker: by its place in the scenario, so that who joins first does not
        matter; those who have none, or find it taken, come behind, in the order of their joins.
        """
        if self._space.behaviour.utterance_ids == "speaker":
            return 0
        named = [name for name in self._scenario.speakers if name != ANYONE]
        own = [named.index(speaker)] if speaker in named else []
        return self._conversation.take_place(*own, len(named)) * UTTERANCE_STRIDE
