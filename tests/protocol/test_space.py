"""A space as a value: its end, its successor, and what a test does to its sockets, which are in memory here."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from uhlive_mock.errors import ConfigurationError
from uhlive_mock.model.account import Account
from uhlive_mock.model.fault import Fault, FaultKind
from uhlive_mock.model.scenario import Scenario
from uhlive_mock.model.settings import Drive, Expectations, SpaceSettings
from uhlive_mock.protocol.clock import Clock
from uhlive_mock.protocol.records import EndedBy
from uhlive_mock.protocol.space import Space


@dataclass
class Real:
    """Real and Unix time, moved by hand."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def real() -> Real:
    return Real()


def space_of(real: Real, **settings) -> Space:
    made_of = SpaceSettings(**{"accounts": (Account(client_id="acme", client_secret="s"),), **settings})
    return Space(made_of, Clock(made_of.clock, rate=made_of.rate, real=real, wall=real))


@dataclass(eq=False)
class Socket:
    """A socket that notes what it is told, and has deadlines."""

    space: Space
    deadlines: list[float] = field(default_factory=list)
    takes: int = 1000
    told: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.space.sockets[self] = None

    def shutdown(self) -> None:
        self.told.append("shutdown")

    def carry_out(self) -> None:
        self.told.append("carry out")

    def finish(self, now: float, by: EndedBy) -> None:
        self.told.append((now, by))

    def tick(self, now: float) -> None:
        self.told.append(now)
        self.space.wake(self)
        self.deadlines = [deadline for deadline in self.deadlines if deadline > now]

    def strike(self, fault: Fault, now: float) -> bool:
        self.takes -= 1
        self.told.append(fault)
        return self.takes >= 0

    def next_deadline(self) -> float | None:
        return min(self.deadlines, default=None)

    def rearm(self) -> None:
        self.told.append("rearm")

    def in_flight(self) -> bool:
        return False


CLOSE = Fault(kind=FaultKind.CLOSE, value=1011)


# --- its end ---


def test_a_space_that_ends_closes_its_sockets_before_it_finishes_them(real):
    space = space_of(real, clock=Drive.MANUAL)
    socket, other = Socket(space), Socket(space)
    space.advance(5)
    real.seconds += 2
    space.end()
    assert socket.told[1:] == other.told[1:] == ["shutdown", (1005.0, EndedBy.SPACE_CLOSED)]
    assert space.sockets == {}
    assert (space.ended_at, space.over, space.latest) == (1002.0, True, space)


def test_what_waits_for_its_turn_never_has_it(real):
    space = space_of(real)
    space.inject(CLOSE)
    space.end()
    assert list(space.faults) == []
    [entry] = space.journal
    assert entry.note == "close: 1011: its turn never came"


def test_watchers_are_called_when_the_space_ends_however_often_it_is_reset(real):
    calls: list[str] = []
    space = space_of(real)
    space.when_over(lambda: calls.append("one"))
    take_back = space.when_over(lambda: calls.append("two"))
    fresh = space.reset()
    take_back()
    assert calls == []
    fresh.end()
    assert calls == ["one"]


# --- a reset ---


def test_a_reset_space_is_succeeded_by_one_that_is_made_of_the_same(real):
    space = space_of(real, scenarios=(Scenario(name="call"),), clock=Drive.MANUAL, seed=7)
    socket = Socket(space)
    space.scenarios = (Scenario(name="another"),)
    space.advance(60)
    real.seconds += 5
    fresh = space.reset()
    assert socket.told[1:] == ["shutdown", (1060.0, EndedBy.SPACE_RESET)]
    assert fresh.settings is space.settings
    assert [scenario.name for scenario in fresh.scenarios] == ["call"]
    assert fresh.clock.now() == 1005.0
    assert (list(fresh.journal), fresh.sockets, fresh.conversations, fresh.hearings) == ([], {}, {}, [])
    assert (space.successor, space.ended_at, fresh.ended_at) == (fresh, 1005.0, None)


def test_the_latest_is_found_from_any_of_them(real):
    first = space_of(real)
    second = first.reset()
    third = second.reset()
    assert first.latest is second.latest is third.latest is third
    assert not first.over
    third.end()
    assert first.over


def test_a_space_that_has_ended_has_no_successor(real):
    space = space_of(real, name="my test")
    space.end()
    with pytest.raises(ConfigurationError, match="the space 'my test' has ended; a reset needs one that lives"):
        space.reset()


def test_what_a_test_expects_survives_a_reset(real):
    space = space_of(real)
    space.expectations = Expectations(allowed=frozenset({"gap"}), expects_nothing=True)
    assert space.reset().expectations == Expectations(allowed=frozenset({"gap"}), expects_nothing=True)


def test_listeners_of_the_journal_move_on(real):
    space, heard = space_of(real), []
    space.journal.listen(heard.append)
    fresh = space.reset()
    fresh.inject(CLOSE)
    fresh.end()
    space.inject(CLOSE)
    space.faults.forget(0.0, "no")
    assert len(heard) == 1


# --- faults ---


def test_a_fault_strikes_the_oldest_sockets_first_and_as_many_as_it_counts(real):
    space = space_of(real)
    sockets = [Socket(space) for _ in range(3)]
    fault = Fault(kind=FaultKind.CLOSE, value=1011, count=2)
    space.inject(fault)
    assert [socket.told for socket in sockets] == [[fault], [fault], []]
    assert list(space.faults) == []


def test_what_is_left_of_a_fault_waits(real):
    space = space_of(real)
    Socket(space, takes=1)
    Socket(space, takes=0)
    space.inject(Fault(kind=FaultKind.CLOSE, value=1011, count=3))
    assert [fault.count for fault in space.faults] == [2]


def test_a_fault_without_a_count_strikes_all_and_waits(real):
    space = space_of(real)
    sockets = [Socket(space) for _ in range(3)]
    always = Fault(kind=FaultKind.CLOSE, value=1011, count=None)
    space.inject(always)
    assert all(socket.told == [always] for socket in sockets)
    assert list(space.faults) == [always]


def test_a_fault_of_another_stage_waits_for_its_turn(real):
    space = space_of(real)
    socket = Socket(space)
    space.inject(Fault(kind=FaultKind.JOIN_ERROR, value="no"))
    assert socket.told == []
    assert [fault.kind for fault in space.faults] == [FaultKind.JOIN_ERROR]


# --- time ---


def test_a_jump_stops_at_each_deadline_in_order_and_settles_there(real):
    space = space_of(real, clock=Drive.MANUAL)
    early, late = Socket(space, deadlines=[1003.0, 1007.0]), Socket(space, deadlines=[1005.0, 1011.0])
    space.advance(10)
    assert early.told == [1003.0, "carry out", 1007.0, "carry out", "rearm"]
    assert late.told == [1005.0, "carry out", "rearm"]
    assert space.clock.now() == 1010.0


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "1"])
def test_a_jump_is_a_number_of_seconds(real, seconds):
    with pytest.raises(ConfigurationError, match="advance takes a number of seconds, 0 or more; found"):
        space_of(real).advance(seconds)


def test_sockets_settle_once_each_until_none_has_anything_to_do(real):
    space, order = space_of(real), []

    class Talkative(Socket):
        def carry_out(self) -> None:
            order.append(self.takes)
            if self.takes == 1:
                space.wake(others[1])

    others = [Talkative(space, takes=1), Talkative(space, takes=2)]
    space.frames["text"] = b"frame"
    space.wake(others[0])
    space.wake(others[0])
    space.settle()
    assert (order, space.frames) == ([1, 2], {})
