"""What a space is made of, as one value, and what a test expects of its client.

Every way to ask for a space ends in `SpaceSettings`: `MockServer.space`, the pytest marker with its ini keys,
options and variables, the options of `serve` and `run`, and the control API. They are checked here, once. A setting
of a space is a field here; each of those ways needs a line more to let its users say it.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ..errors import ConfigurationError
from .account import Account
from .behaviour import Behaviour
from .limits import Limits
from .scenario import Scenario


class Drive(StrEnum):
    """What moves a space's clock: real time, the audio received, or only `advance()`."""

    REAL = "real"
    AUDIO = "audio"
    MANUAL = "manual"


class SpaceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a space is made of.

    Args:
        accounts: who may ask for a token; at least one.
        scenarios: the first whose `match` fits a conversation speaks in it; with none, no speaker speaks.
        clock: what moves its time.
        rate: seconds of its time for each second of real time; only for the real clock.
        seed: decides everything random that a scenario's own seed does not.
        behaviour: what the service does where nothing is known for certain.
        limits: the rules of sockets, and of conversations whose scenario has none of its own.
        name: what messages call it, such as a test's id; the first client id by default.

    Raises:
        ConfigurationError: two accounts have one client id, or there is none; the clock is none of the three; the
            rate is not positive, or given with a clock that real time does not move.
    """

    accounts: tuple[Account, ...]
    scenarios: tuple[Scenario, ...] = ()
    clock: Drive = Drive.REAL
    rate: float = 1.0
    seed: int = 0
    behaviour: Behaviour = msgspec.field(default_factory=Behaviour)
    limits: Limits = msgspec.field(default_factory=Limits)
    name: str = ""

    def __post_init__(self) -> None:
        if not self.accounts:
            raise ConfigurationError("the space has no account; expected at least one")
        client_ids = [account.client_id for account in self.accounts]
        if repeated := next((each for each in client_ids if client_ids.count(each) > 1), None):
            raise ConfigurationError(f"client {repeated!r} is given twice")
        if not isinstance(self.clock, Drive):
            raise ConfigurationError(f"clock is {self.clock!r}; expected {' or '.join(Drive)}")
        if not 0 < self.rate < float("inf"):
            raise ConfigurationError(f"the clock's rate is {self.rate}; expected more than 0")
        if self.rate != 1 and self.clock is not Drive.REAL:
            raise ConfigurationError(f"rate is for the real clock; the clock is {self.clock}")
        if not self.name:
            msgspec.structs.force_setattr(self, "name", client_ids[0])

    @property
    def account(self) -> Account:
        """The (first) account."""
        return self.accounts[0]


class Expectations(msgspec.Struct, frozen=True, kw_only=True):
    """How a test judges its client: the ids of rules that it may break, and of those whose warnings are errors,
    `*` for all that the other does not name; and whether it is to do nothing at all.
    """

    allowed: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    expects_nothing: bool = False
