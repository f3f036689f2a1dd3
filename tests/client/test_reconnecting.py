"""A line that is lost in mid-call and mended, on both shells, against the mock."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from uhlive_client.errors import ChannelCrashed, ConnectionLost
from uhlive_client.events import Reconnected, Segment, SpeakerLeft
from uhlive_client.settings import Reconnect

from uhlive_mock import scenario
from uhlive_mock.model.limits import Gap, Idle, Limits, Throttle
from uhlive_mock.protocol.journal import Kind

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("no_task_survives")]

AT_ONCE = Reconnect(attempts=3, first_s=0, seed=1)
CHUNK = bytes(160)  # 10 ms
PATIENT = Limits(gap=Gap(action="off"), idle=Idle(after_ms=None))
HELLO = scenario("hello", latency_ms=0).speaker("*").segment("oui", at=0, until=0.05).build()


@pytest.fixture
def space(mock_server):
    with mock_server.space(scenario=HELLO, limits=PATIENT) as space:
        yield space


class Endless:
    """Sound, until somebody says that it is enough."""

    def __init__(self) -> None:
        self.enough = False

    def __iter__(self):
        while not self.enough:
            yield CHUNK


async def until(call, kind):
    """The events up to the first of a kind, which is the last of them."""
    events = [await anext(call)]
    while not isinstance(events[-1], kind):
        events.append(await anext(call))
    return events


@pytest.mark.parametrize(
    ("fault", "value", "reason"),
    [
        ("reset", None, "without a close code"),
        ("close", 1012, "with code 1012"),
        ("cut_frame", None, "without a close code"),
        ("crash", None, "channel_crash"),
    ],
)
async def test_a_call_goes_on_after_a_loss(connect, reach, space, fault, value, reason):
    sound = Endless()
    async with connect(**reach(space, reconnect=AT_ONCE)) as call:
        call.play(sound)
        first = (await until(call, Segment))[-1]
        space.inject(fault, value)
        again = (await until(call, Reconnected))[-1]
        assert reason in again.reason
        assert again.attempts == 1
        second = (await until(call, Segment))[-1]
        sound.enough = True
        assert isinstance([event async for event in call][-1], SpeakerLeft)
    # The service counts from zero again, and the origin of the new stay makes up for it.
    assert (first.start_ms, second.start_ms) == (0, again.origin)
    assert again.origin >= 50


async def test_what_comes_due_in_the_gap_is_lost_and_counted_and_nothing_is_queued(connect, reach, space):
    sound = [bytes([number]) * 160 for number in range(1, 61)]  # each chunk can be told from the others
    async with connect(**reach(space, reconnect=Reconnect(first_s=0.2, jitter=0))) as call:
        call.play(sound)
        await until(call, Segment)
        space.inject("reset")
        [*_, again] = await until(call, Reconnected)
        assert [event async for event in call]
        report = call.pacing
    first, second = (speaker.audio for speaker in space.speakers)
    assert second == b"".join(sound)[-len(second) :]
    assert again.origin == 600 - len(second) / 16
    assert len(first) / 16000 + again.lost_audio_s + len(second) / 16000 == pytest.approx(0.6, abs=0.03)
    assert again.gap_s >= 0.2
    assert again.lost_audio_s == pytest.approx(again.gap_s, abs=0.1)
    # What is left was sent when it was due: nothing was hurried after the gap.
    assert report.audio_s == pytest.approx(0.6 - again.lost_audio_s)
    assert report.late_p50_ms < 1000 * again.gap_s / 2


async def test_sound_sent_as_fast_as_it_goes_is_late_and_not_lost(connect, reach, mock_server):
    """Everything was due at once, so nothing comes due in the gap; it waits instead."""
    unhurried = msgspec.structs.replace(PATIENT, throttle=Throttle(action="off"))

    def sound():
        for number in range(2000):
            if number == 1000:
                space.inject("reset")
            yield CHUNK

    with mock_server.space(scenario=HELLO, limits=unhurried) as space:
        async with connect(**reach(space, reconnect=Reconnect(first_s=0.05, jitter=0))) as call:
            call.play(sound(), rate=float("inf"))
            again = (await until(call, Reconnected))[-1]
            assert again.lost_audio_s == 0
            assert isinstance([event async for event in call][-1], SpeakerLeft)
        received = [len(speaker.audio) // len(CHUNK) for speaker in space.speakers]
    assert received[0] <= 1001
    assert received[1] == 2000 - again.origin / 10


async def test_chunks_sent_by_hand_are_dropped_while_the_line_is_down(connect, reach, space):
    async with connect(**reach(space, reconnect=Reconnect(first_s=0.2, jitter=0))) as call:
        await call.send(CHUNK)
        space.inject("reset")
        mending = asyncio.ensure_future(until(call, Reconnected))
        sent = 1
        while not mending.done():
            await call.send(CHUNK)
            sent += 1
            await asyncio.sleep(0.01)
        [again] = [event for event in mending.result() if isinstance(event, Reconnected)]
        assert 0 < again.lost_audio_s < sent / 100
        await call.leave()


async def test_a_loss_is_noticed_and_mended_though_nobody_iterates(connect, reach, space):
    async with connect(**reach(space, reconnect=AT_ONCE)) as call:
        space.inject("reset")
        await call.stream([CHUNK] * 20)
        await call.leave()
        events = [event async for event in call]
    assert [type(event) for event in events if isinstance(event, Reconnected | SpeakerLeft)] == [
        Reconnected,
        SpeakerLeft,
    ]


async def test_an_observer_comes_back_too(connect, reach, space):
    async with connect(**reach(space, reconnect=AT_ONCE, readonly=True)) as call:
        space.inject("close", 1011)
        [*_, again] = await until(call, Reconnected)
        assert again.lost_audio_s == 0
        await call.leave()


async def test_several_losses_are_several_gaps(connect, reach, space):
    async with connect(**reach(space, reconnect=AT_ONCE)) as call:
        for number in range(3):
            space.inject("close", 4000 + number)
            [*_, again] = await until(call, Reconnected)
            assert f"code {4000 + number}" in again.reason
        await call.leave()
    assert len(space.speakers) == 4


async def test_attempts_that_fail_are_followed_by_others(connect, reach, space):
    async with connect(**reach(space, reconnect=AT_ONCE)) as call:
        space.inject("handshake_status", 503)
        space.inject("join_error", "no capacity")
        space.inject("reset")
        [*_, again] = await until(call, Reconnected)
        assert again.attempts == 3
        await call.leave()


@pytest.mark.parametrize("fault", ["reset", "crash"])
async def test_when_no_attempt_succeeds_the_loss_is_raised(connect, reach, space, fault):
    kind = {"reset": ConnectionLost, "crash": ChannelCrashed}[fault]
    async with connect(**reach(space, reconnect=AT_ONCE)) as call:
        space.inject("handshake_status", 503, count=None)
        space.inject(fault)
        call.play([CHUNK] * 100)
        with pytest.raises(kind) as loss:
            await until(call, SpeakerLeft)
        assert loss.value.__notes__ == [
            "Joining again failed 3 times; the last time: the service refused the socket: HTTP 503; expected 101"
        ]
        with pytest.raises(kind):
            await call.send(CHUNK)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("close: 1011", ConnectionLost), ("crash: true", ChannelCrashed), ("reset: true", ConnectionLost)],
)
async def test_a_service_that_lets_us_join_and_then_drops_us_is_given_up(
    connect, reach, mock_server, tmp_path, fault, kind
):
    path = tmp_path / "flapping.yaml"
    path.write_text(f'version: 1\nspeakers:\n  "*":\n    - {{when: joined, fault: {{{fault}}}}}\n')
    with mock_server.space(scenario=path, limits=PATIENT) as space:
        async with connect(**reach(space, reconnect=AT_ONCE)) as call:
            with pytest.raises(kind) as loss:
                await until(call, SpeakerLeft)
        assert loss.value.__notes__ == ["Joined again 3 times, and no stay lasted 5 s"]
        assert len(space.journal.messages(event="phx_join")) == 4


async def test_who_goes_while_the_line_is_down_goes_at_once(connect, reach, space):
    async with connect(**reach(space, reconnect=Reconnect(first_s=60, jitter=0))) as call:
        waiting = asyncio.ensure_future(until(call, Reconnected))
        call.play([CHUNK] * 1000)
        space.inject("reset")
        await asyncio.to_thread(space.journal.wait_for, kind=Kind.CLOSED)
        began = time.monotonic()
    assert time.monotonic() - began < 60  # the delay before it would try again
    with pytest.raises(ConnectionLost, match="was lost"):
        await waiting


async def test_without_being_asked_nothing_is_mended(connect, reach, space):
    async with connect(**reach(space)) as call:
        space.inject("reset")
        with pytest.raises(ConnectionLost):
            await until(call, Reconnected)
    assert len(space.speakers) == 1


async def test_true_is_the_default_way_to_reconnect(connect, reach, space):
    async with connect(**reach(space, reconnect=True)) as call:
        space.inject("close", 1011)
        [*_, again] = await until(call, Reconnected)
        assert again.gap_s >= 0.25
        await call.leave()


async def test_the_lost_stay_may_end_after_the_new_one_began(connect, service):
    """A service that does not notice at once says goodbye to our first stay when we are there again."""

    async def forgetful(peer):
        await peer.accept()
        if len(service.peers) == 1:
            peer.socket.transport.abort()
            return
        await peer.say("speaker_left", {"speaker": "Alice", "timestamp": 1})
        await peer.bye(await peer.listen())

    service.script = forgetful
    terms = {"conversation": "conv1", "speaker": "Alice", "timeout": 5.0, "reconnect": AT_ONCE}
    async with connect(**service.settings, **terms) as call:
        assert isinstance((await until(call, SpeakerLeft))[0], Reconnected)
        report = await call.stream_and_leave([CHUNK])
        assert report.chunks == 1
        assert isinstance((await until(call, SpeakerLeft))[-2], Segment)
