"""What only the blocking shell has: a loop in a thread, Ctrl-C while one waits, sound from any iterable."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

import pytest
from uhlive_client import blocking
from uhlive_client.errors import ConnectionLost, UsageError
from uhlive_client.events import Reply, Segment, SpeakerLeft

from uhlive_mock import scenario

CHUNK = bytes(160)  # 10 ms
HELLO = scenario("hello", latency_ms=0).speaker("*").segment("oui", at=0, until=0.05).build()
LONG = 60.0
"""Seconds that would be waited for in vain; a test that waits so long hangs."""


@pytest.fixture
def space(mock_server):
    with mock_server.space(scenario=HELLO) as space:
        yield space


def of_calls() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("uhlive-client")]


# --- Ctrl-C -----------------------------------------------------------------------------------------------


@pytest.fixture
def interrupt():
    """A function that sends Ctrl-C to this thread in a moment, when it waits or is about to."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timers = []

    def soon() -> None:
        timers.append(threading.Timer(0.1, signal.pthread_kill, (threading.get_ident(), signal.SIGINT)))
        timers[-1].start()

    yield soon
    for timer in timers:
        timer.join()
    signal.signal(signal.SIGINT, before)


def wait_for_an_event(call: blocking.Call) -> None:
    next(call)


def wait_for_the_time_of_a_chunk(call: blocking.Call) -> None:
    call.stream([bytes(32_000)] * 30)


def wait_for_the_last_chunk_before_leaving(call: blocking.Call) -> None:
    call.stream_and_leave([bytes(64_000)] * 15)


def wait_for_the_source(call: blocking.Call) -> None:
    def silent():
        yield CHUNK
        threading.Event().wait(LONG)

    call.stream(silent())


WAITS: list[Callable[[blocking.Call], None]] = [
    wait_for_an_event,
    wait_for_the_time_of_a_chunk,
    wait_for_the_last_chunk_before_leaving,
    wait_for_the_source,
]


@pytest.mark.usefixtures("nothing_survives")
@pytest.mark.parametrize("wait", WAITS, ids=lambda wait: wait.__name__)
def test_ctrl_c_ends_a_wait_and_leaving_the_context_leaves(reach, mock_server, interrupt, wait):
    silence = scenario("silence").speaker("*").segment("oui", at=100, until=101).build()
    with mock_server.space(scenario=silence) as space:

        def converse() -> None:
            with blocking.connect(**reach(space, timeout=LONG)) as call:
                interrupt()
                wait(call)

        with pytest.raises(KeyboardInterrupt):
            converse()
        assert len(space.journal.messages(event="phx_leave")) == 1


@pytest.mark.usefixtures("nothing_survives")
@pytest.mark.parametrize("fault", ["handshake_hang", "join_silence"])
def test_ctrl_c_ends_connecting(reach, space, interrupt, fault):
    space.inject(fault)
    interrupt()
    with pytest.raises(KeyboardInterrupt), blocking.connect(**reach(space, timeout=LONG)):
        pytest.fail("joined")


def test_ctrl_c_does_not_wait_for_the_authentication_server(reach, mock_server, interrupt):
    with mock_server.space() as space:
        space.inject("token_delay", LONG)
        interrupt()
        with pytest.raises(KeyboardInterrupt), blocking.connect(**reach(space, asks=True, timeout=5.0)):
            pytest.fail("joined")
        left = of_calls()
        assert [(thread.name, thread.daemon) for thread in left] == [("uhlive-client token", True)]
    for thread in left:
        thread.join()


@pytest.mark.usefixtures("nothing_survives")
def test_a_call_goes_on_after_an_interrupted_wait(reach, space, interrupt):
    with blocking.connect(**reach(space)) as call:
        interrupt()
        with pytest.raises(KeyboardInterrupt):
            next(call)
        call.stream_and_leave([CHUNK] * 10)
        assert [type(event) for event in call if isinstance(event, Segment | SpeakerLeft)] == [Segment, SpeakerLeft]


# --- sound ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nothing_survives")
def test_sound_is_taken_in_a_thread_that_may_wait(reach, space):
    takers = []

    def sound():
        for _ in range(3):
            takers.append(threading.current_thread().name)
            yield CHUNK

    with blocking.connect(**reach(space)) as call:
        call.stream(sound())
        call.play(sound())
        assert isinstance(list(call)[-1], SpeakerLeft)
    assert takers == [threading.current_thread().name] * 3 + ["uhlive-client play"] * 3


@pytest.mark.usefixtures("nothing_survives")
def test_a_source_may_use_the_call_that_streams_it(reach, space):
    def sound():
        yield CHUNK
        call.send(CHUNK)
        yield CHUNK

    with blocking.connect(**reach(space)) as call:
        assert call.stream(sound()).chunks == 2
        call.leave()
    assert len(space.conversation("conv1").speaker("Alice").audio) == 3 * len(CHUNK)


@pytest.mark.usefixtures("nothing_survives")
def test_what_cannot_be_iterated_is_told_where_it_is_streamed(reach, space):
    with blocking.connect(**reach(space)) as call, pytest.raises(TypeError, match="not iterable"):
        call.stream(None)


def test_a_source_that_does_not_end_is_left_behind(reach, space):
    waiting, gone = threading.Event(), threading.Event()

    def silent():
        yield CHUNK
        waiting.set()
        gone.wait()

    with blocking.connect(**reach(space, timeout=0.5)) as call:
        call.play(silent())
        assert waiting.wait(30)
    [left] = of_calls()
    assert (left.name, left.daemon) == ("uhlive-client play", True)
    gone.set()
    left.join()


# --- after the end ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nothing_survives")
def test_what_was_heard_can_be_read_after_the_context_is_left(reach, space):
    with blocking.connect(**reach(space)) as call:
        call.stream_and_leave([CHUNK] * 10)
    assert isinstance(list(call)[-1], SpeakerLeft)
    assert call.pacing.chunks == 10
    with pytest.raises(UsageError, match="cannot stream while left"):
        call.stream([CHUNK])


@pytest.mark.usefixtures("nothing_survives")
def test_nothing_is_sent_or_awaited_after_the_context_is_left(reach, space):
    with blocking.connect(**reach(space)) as call:
        pass
    assert not call.joined
    for verb in (lambda: [event for event in call if not isinstance(event, Reply)], call.leave):
        with pytest.raises(ConnectionLost, match="it is closed"):
            verb()
    with pytest.raises(UsageError):
        call.send(CHUNK)
    with pytest.raises(ConnectionLost, match="it is closed"):
        call.play([CHUNK])


@pytest.mark.usefixtures("nothing_survives")
def test_a_thread_that_iterates_while_the_context_is_left_is_let_go(reach, space):
    endings = []

    def listen() -> None:
        try:
            endings.append(list(call))
        except ConnectionLost as loss:
            endings.append(loss)

    with blocking.connect(**reach(space, readonly=True)) as call:
        thread = threading.Thread(target=listen)
        thread.start()
    thread.join()
    assert len(endings) == 1  # the loss, or the service's goodbye if that came first
