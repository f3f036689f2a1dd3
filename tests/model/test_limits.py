"""What limits refuse when they are built, and how well each of them is known."""

from __future__ import annotations

from typing import get_type_hints

import msgspec
import pytest
from websockets.exceptions import ProtocolError
from websockets.frames import Close

from uhlive_mock.errors import ScenarioError
from uhlive_mock.model.behaviour import Grade
from uhlive_mock.model.limits import Chunk, Gap, GapAction, Idle, Limits, Throttle, is_close_code


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Throttle(rate=0), "throttle.rate is 0; expected more than 0"),
        (lambda: Throttle(rate=-1), "throttle.rate is -1; expected more than 0"),
        (lambda: Throttle(burst=0), "throttle.burst is 0; expected more than 0"),
        (lambda: Gap(after_ms=0), "gap.after is 0 ms; expected more than 0"),
        (lambda: Idle(after_ms=0), "idle.after is 0 ms; expected more than 0"),
        (lambda: Chunk(max=0), "chunk.max is 0; expected more than 0"),
        (
            lambda: Idle(close_code=1006),
            "idle.close_code is 1006; expected 1000 to 1003, 1007 to 1014 or 3000 to 4999",
        ),
    ],
)
def test_a_bad_limit_is_refused_with_what_was_found_and_what_was_expected(build, message):
    with pytest.raises(ScenarioError) as refused:
        build()
    assert str(refused.value) == message


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1014, 3000, 4999])
def test_these_close_codes_may_be_sent(code):
    assert is_close_code(code)
    assert Idle(close_code=code).close_code == code


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000])
def test_these_close_codes_may_not(code):
    assert not is_close_code(code)


def test_the_websocket_library_agrees_on_which_close_codes_may_be_sent():
    def sendable(code):
        try:
            Close(code, "").check()
        except ProtocolError:
            return False
        return True

    assert [code for code in range(6000) if sendable(code)] == [code for code in range(6000) if is_close_code(code)]


def test_an_idle_socket_may_live_for_ever():
    assert Idle(after_ms=None).after_ms is None


def test_the_defaults_are_what_the_provider_publishes():
    limits = Limits()
    assert (limits.throttle.rate, limits.chunk.max, limits.idle.after_ms) == (20_000, 64_000, 60_000)


@pytest.mark.parametrize("limit", [Throttle, Gap, Idle, Chunk])
def test_every_field_says_what_it_decides_and_how_well_that_is_known(limit):
    for name, hint in get_type_hints(limit, include_extras=True).items():
        (meta,) = hint.__metadata__
        assert meta.description.endswith("."), name
        assert meta.extra["grade"] in set(Grade)


def test_limits_are_frozen_and_survive_a_trip_through_json():
    limits = Limits(gap=Gap(after_ms=1, action=GapAction.OFF), idle=Idle(after_ms=None))
    assert msgspec.json.decode(msgspec.json.encode(limits), type=Limits) == limits
    with pytest.raises(AttributeError):
        limits.gap = Gap()
