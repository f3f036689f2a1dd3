"""Work that other threads have for the server's loop, up to its end and after."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from uhlive_mock import (
    ConfigurationError,
    MockServer,
    WaitTimeout,
    event,
    scenario,
)
from uhlive_mock.errors import InternalError
from uhlive_mock.server import loop_portal
from uhlive_mock.server.loop_portal import LoopPortal

SILENCE = scenario("silence").build()


def meddle(space, over: threading.Event) -> int:
    """Do everything there is to do, again and again, until it is over."""
    rounds = 0
    acts = (
        lambda: space.push("conv1", event("custom")),
        lambda: space.advance(0.1),
        lambda: space.drop("Bob"),
        space.reset,
        space.journal.entries,
    )
    while not over.is_set():
        for act in acts:
            with suppress(ConfigurationError):  # they are gone by now
                act()
        rounds += 1
    return rounds


def test_nothing_hangs_and_nothing_breaks_while_the_server_stops(dial):
    for _ in range(3):
        server = MockServer(tls_port=None).start()
        space = server.space(scenario=SILENCE, clock="manual")
        dial(space, "Alice"), dial(space, "Bob")
        over = threading.Event()
        with ThreadPoolExecutor(4) as pool:
            meddling = [pool.submit(meddle, space, over) for _ in range(4)]
            server.stop()
            over.set()
            for thread in meddling:
                thread.result(5)
        assert server.defects == []


def test_work_that_waits_when_the_loop_ends_is_done_by_it():
    pending, started = LoopPortal(), threading.Event()
    loop = asyncio.new_event_loop()
    pending.begin(loop)

    def call() -> int:
        started.set()
        return pending.call(lambda: 7)

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(call)
        started.wait(5)
        while not pending._waiting:
            pass
        pending.finish()
        assert answer.result(5) == 7
    loop.close()
    assert pending.call(lambda: 8) == 8


def test_work_keeps_its_own_timeout(server):
    def fail() -> None:
        raise WaitTimeout("mine")

    with pytest.raises(WaitTimeout, match="mine"):
        server.call(fail)


def test_a_loop_that_does_not_get_to_its_work_is_told(monkeypatch):
    pending, loop = LoopPortal(), asyncio.new_event_loop()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(pending.begin, loop).result(5)
    monkeypatch.setattr(loop_portal, "ANSWER_TIMEOUT_S", 0.01)
    with pytest.raises(InternalError, match="did not answer"):
        pending.call(lambda: None)
    loop.close()
