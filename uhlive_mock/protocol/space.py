"""A space: everything one test can see or change, in one disposable object.

Accounts, scenarios, behaviour, seed, journal and live conversations. Nothing is shared between spaces, so
throwing one away resets it. A space has no clock here; the layers above give `now` to whatever needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..errors import ConfigurationError
from ..model.account import Account
from ..model.behaviour import Behaviour
from ..model.limits import Limits
from ..model.scenario import ANYONE, Scenario
from ..wire.vocabulary import Setting
from .conversation import Conversation
from .faults import FaultBox
from .journal import Journal
from .speaker_audio import Hearing

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


class Space:
    """Accounts that share scenarios, behaviour, limits and a journal.

    `hearings` has one entry for each speaker's stay, in the order of their joins, those that are over included.

    Args:
        limits: the rules of sockets, and of conversations whose scenario has none of its own.
        scenarios: the first whose `match` fits a conversation speaks in it; none fitting, nobody speaks.
        seed: decides everything random that a scenario's own seed does not.
        paced: time passes by itself, so whoever streams has to keep pace with it.
        name: what messages call it; the first client id by default.
        follow_audio: each speaker's time is moved by the audio it sends (the `audio` clock).
        wall: Unix time in seconds, for the journal.
        real: seconds of real time, from any start, for the judgement of pacing; `wall` by default.

    Raises:
        ConfigurationError: two accounts have one client id, or there is none.
    """

    def __init__(
        self,
        *,
        accounts: Iterable[Account],
        scenarios: Iterable[Scenario],
        wall: Callable[[], float],
        real: Callable[[], float] | None = None,
        behaviour: Behaviour | None = None,
        limits: Limits | None = None,
        seed: int = 0,
        follow_audio: bool = False,
        paced: bool = True,
        name: str = "",
    ) -> None:
        self.accounts: dict[str, Account] = {}
        for account in accounts:
            if account.client_id in self.accounts:
                raise ConfigurationError(f"client {account.client_id!r} is given twice")
            self.accounts[account.client_id] = account
        if not self.accounts:
            raise ConfigurationError("the space has no account; expected at least one")
        self.scenarios = self._given = tuple(scenarios)
        """Whoever joins gets the script of one of these."""
        self.behaviour = behaviour or Behaviour()
        self.limits = limits or Limits()
        self.seed = seed
        self.follow_audio = follow_audio
        self.paced = paced
        self.name = name or next(iter(self.accounts))
        self.real = real or wall
        self._wall = wall
        secrets = {account.client_secret for account in self.accounts.values()}
        self.journal = Journal(wall, secrets=set(filter(self._hides, secrets)))
        self.faults = FaultBox(seed, self.journal)
        self.conversations: dict[str, Conversation] = {}
        self.hearings: list[Hearing] = []

    def _hides(self, secret: str) -> bool:
        """Whether a secret tells itself from all that is no secret."""
        return len(secret) >= SHORTEST_SECRET and not any(secret in client_id for client_id in self.accounts)

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
            self.conversations[topic] = Conversation(setting, conversation_id(topic, account))
        return self.conversations[topic]

    def live(self, conversation: str) -> Conversation:
        """The live conversation of an id or a topic: that of the first account, when several have one of that id.

        Raises:
            ConfigurationError: nobody is in one of that id.
        """
        if conversation in self.conversations:
            return self.conversations[conversation]
        named = [live for live in self.conversations.values() if live.id == conversation]
        if not named:
            found = ", ".join(repr(live.id) for live in self.conversations.values()) or "none"
            raise ConfigurationError(f"nobody is in conversation {conversation!r}; live conversations: {found}")
        return min(named, key=lambda live: list(self.accounts).index(live.setting.client_id))

    def anew(self) -> Space:
        """The space as it was made: nobody has joined, nothing has happened. Listeners of the journal move on."""
        fresh = Space(
            accounts=self.accounts.values(),
            scenarios=self._given,
            wall=self._wall,
            real=self.real,
            behaviour=self.behaviour,
            limits=self.limits,
            seed=self.seed,
            follow_audio=self.follow_audio,
            paced=self.paced,
            name=self.name,
        )
        self.journal.hand_over(fresh.journal)
        return fresh

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

    def forget_if_empty(self, topic: str) -> None:
        """End a conversation that nobody takes part in any more."""
        conversation = self.conversations.get(topic)
        if conversation and not conversation.participants:
            del self.conversations[topic]
