"""Waiting until what clients have sent is read, instead of sleeping."""

from __future__ import annotations

import contextlib

import pytest


@pytest.fixture
def space(server):
    with server.space(clock="audio") as space:
        yield space


@pytest.mark.parametrize("number", range(5))
def test_what_was_sent_and_the_close_after_it_have_happened(space, dial, number):
    alice = dial(space)
    for _ in range(20):
        alice.audio(1600)
    alice.say("phx_leave")
    alice.socket.send_close()
    assert space.settle()
    speaker = space.conversation("conv1").speaker("Alice")
    assert speaker.left_cleanly
    assert len(speaker.audio) == 32_000
    assert space._portal.space.sockets == {}


def test_a_client_whose_connection_ended_is_gone(space, dial):
    alice = dial(space)
    alice.socket.shutdown()
    assert space.settle()
    assert space.conversation("conv1").speaker("Alice").left_cleanly is False


def test_a_client_that_stays_is_not_waited_for(space, dial):
    dial(space)
    assert space.settle(timeout=0)


def test_what_a_fault_keeps_from_being_read_is_not_waited_for(space, dial):
    alice = dial(space)
    space.inject("stop_reading", 60)
    alice.audio(1600)
    assert space.settle(timeout=0)
    assert space.conversation("conv1").speaker("Alice").audio == b""


def test_something_that_is_always_on_its_way_is_waited_for_only_so_long(space):
    class Endless:
        def in_flight(self):
            return True

        def shutdown(self):
            pass

        def finish(self, now, note):
            pass

    space._portal.space.sockets[Endless()] = None
    assert not space.settle(timeout=0.01)


def test_nobody_is_waited_for_in_a_space_that_ended(server, dial):
    space = server.space()
    alice = dial(space)
    space.close()
    with contextlib.suppress(OSError):
        alice.audio(1600)
    assert space.settle(timeout=0)
