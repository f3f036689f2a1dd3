"""Both shells, end to end against a small service over TLS."""

from __future__ import annotations

import asyncio

import pytest
from uhlive_client import aio
from uhlive_client.errors import (
    AudioError,
    AuthenticationError,
    ChannelCrashed,
    ConfigurationError,
    ConnectionLost,
    HandshakeRefused,
    JoinRefused,
    Timeout,
    Unreachable,
    UsageError,
)
from uhlive_client.events import Closed, Reply, Segment, SpeakerLeft

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("no_task_survives")]

ALICE = {"conversation": "conv1", "speaker": "Alice", "timeout": 5.0}
CHUNK = bytes(160)  # 10 ms of linear silence


async def test_a_stay_from_the_token_to_the_last_word(connect, service):
    async with connect(**service.settings, **ALICE) as call:
        call.play([CHUNK] * 3)
        events = [event async for event in call]
    assert [type(event) for event in events] == [Reply, Closed, Segment, SpeakerLeft]
    assert service.peer.audio == CHUNK * 3
    assert service.peer.path == "/socket/websocket?jwt=token-of-acme&vsn=2.0.0"
    assert b"POST /realms/uhlive/protocol/openid-connect/token " in service.token_requests[0]
    assert service.token_requests[0].endswith(b"client_id=acme&grant_type=client_credentials&client_secret=s3cret")


async def test_settings_come_from_the_environment(connect, service, monkeypatch):
    monkeypatch.setenv("UHLIVE_API_CLIENT", "acme")
    monkeypatch.setenv("UHLIVE_API_SECRET", "s3cret")
    monkeypatch.setenv("UHLIVE_AUTH_SERVER", service.settings["auth_server"])
    monkeypatch.setenv("UHLIVE_API_URL", service.settings["url"])
    monkeypatch.setenv("SSL_CERT_FILE", str(service.settings["ca_file"]))
    async with connect(**ALICE) as call:
        await call.leave()
        assert SpeakerLeft(speaker="Alice", timestamp_ms=1) in [event async for event in call]


async def test_a_token_we_have_is_used_without_asking(connect, service):
    async with connect(**service.settings, **ALICE, token="ours") as call:
        await call.leave()
    assert service.token_requests == []
    assert service.peer.path.startswith("/socket/websocket?jwt=ours&")


async def test_pacing_takes_as_long_as_the_speech_and_is_reported(connect, service):
    clock = asyncio.get_running_loop().time
    async with connect(**service.settings, **ALICE) as call:
        began = clock()
        report = await call.stream([CHUNK] * 20)
        took = clock() - began
        assert call.pacing is report
    assert (report.chunks, report.audio_s) == (20, pytest.approx(0.2))
    assert took >= 0.2
    assert 0 < report.wall_s <= took


async def test_rate_divides_the_time(connect, service):
    clock = asyncio.get_running_loop().time
    async with connect(**service.settings, **ALICE) as call:
        began = clock()
        await call.stream([bytes(16_000)] * 5, rate=50.0)  # 5 s of sound
        assert 0.08 <= clock() - began < 5


async def test_a_stall_of_the_source_is_caught_up(service):
    async def microphone():
        for count in range(40):
            if count == 5:
                await asyncio.sleep(0.1)
            yield CHUNK

    clock = asyncio.get_running_loop().time
    async with aio.connect(**service.settings, **ALICE) as call:
        began = clock()
        report = await call.stream(microphone())
        assert clock() - began >= 0.4
    assert report.late_max_ms > 80
    # Of 35 chunks from the stall on, ten are late until it is made up for; otherwise all of them would be.
    assert report.late_p50_ms < report.late_max_ms / 2


async def test_sound_sent_fast_may_be_heard_slowly(connect, service):
    async def slow(peer):
        await peer.accept()
        ref = await peer.listen()
        await asyncio.sleep(0.6)  # of the second of sound it was given
        await peer.bye(ref)

    service.script = slow
    async with connect(**service.settings, **ALICE | {"timeout": 0.3}, token="ours") as call:
        await call.stream_and_leave([bytes(16_000)], rate=float("inf"))
        assert isinstance([event async for event in call][-1], SpeakerLeft)


async def test_chunks_may_come_from_an_async_source(service):
    async def microphone():
        for _ in range(3):
            await asyncio.sleep(0)
            yield CHUNK

    async with aio.connect(**service.settings, **ALICE) as call:
        report = await call.stream_and_leave(microphone())
        assert report.chunks == 3
        assert isinstance([event async for event in call][-1], SpeakerLeft)


async def test_g711_is_paced_by_its_own_sample_width(connect, service):
    async with connect(**service.settings, **ALICE, audio_codec="g711a") as call:
        report = await call.stream([bytes(80)] * 2)
    assert report.audio_s == pytest.approx(0.02)


async def test_a_stream_stops_when_the_service_ends_the_stay(connect, service):
    async def impatient(peer):
        await peer.accept()
        await peer.read()
        await peer.say("speaker_left", {"speaker": "Alice", "timestamp": 1})

    service.script = impatient
    async with connect(**service.settings, **ALICE) as call:
        call.play([CHUNK] * 1000)
        assert [type(event) async for event in call] == [SpeakerLeft]
        assert 0 < call.pacing.chunks < 1000


async def test_an_observer_is_done_when_the_channel_is_closed(connect, service):
    async def observed(peer):
        await peer.accept()
        await peer.segment("bonjour", "Bob")
        await peer.reply(await peer.listen())
        await peer.say("phx_close", {}, refs=("1", "1"))

    service.script = observed
    async with connect(**service.settings, **ALICE, readonly=True) as call:
        heard = await anext(call)
        await call.leave()
        assert isinstance(heard, Segment)
        assert [type(event) async for event in call] == [Reply, Closed]


async def test_events_before_the_join_reply_are_not_lost(connect, service):
    async def eager(peer):
        ref, _ = await peer.read()
        await peer.segment("déjà", "Bob")
        await peer.reply(ref)
        await peer.bye(await peer.listen())

    service.script = eager
    async with connect(**service.settings, **ALICE) as call:
        await call.leave()
        assert next(e.text for e in [event async for event in call] if isinstance(e, Segment)) == "déjà"


async def test_leaving_the_context_says_leave(connect, service):
    left = asyncio.Event()

    async def patient(peer):
        await peer.accept()
        await peer.listen()
        left.set()

    service.script = patient
    async with connect(**service.settings, **ALICE):
        pass
    async with asyncio.timeout(1):
        await left.wait()


async def test_leaving_the_context_stops_what_is_playing(connect, service):
    async with connect(**service.settings, **ALICE) as call:
        call.play([CHUNK] * 1000)
        await asyncio.sleep(0)
    assert call.pacing.chunks < 1000


async def test_a_call_plays_once(connect, service):
    async with connect(**service.settings, **ALICE) as call:
        call.play([CHUNK])
        with pytest.raises(UsageError, match="plays once"):
            call.play([CHUNK])


async def test_streaming_after_leaving_is_misuse(connect, service):
    async with connect(**service.settings, **ALICE) as call:
        await call.leave()
        await call.leave()
        with pytest.raises(UsageError, match="cannot stream while left"):
            await call.stream([CHUNK])


async def test_what_goes_wrong_in_play_is_raised_after_the_last_word(connect, service):
    def damaged():
        yield CHUNK
        raise AudioError("hello.wav: damaged after 0.1 s")

    events = []

    async def listen(call):
        async for event in call:
            events.append(event)

    async with connect(**service.settings, **ALICE) as call:
        call.play(damaged())
        with pytest.raises(AudioError, match="damaged"):
            await listen(call)
    assert isinstance(events[-1], SpeakerLeft)


# --- refusals ---------------------------------------------------------------------------------------------


async def test_a_refused_join_gives_the_services_reason(connect, service):
    async def refusing(peer):
        ref, _ = await peer.read()
        await peer.reply(ref, "error", {"reason": "unknown model"})

    service.script = refusing
    with pytest.raises(JoinRefused, match="unknown model") as refusal:
        async with connect(**service.settings, **ALICE):
            pytest.fail("joined")
    assert refusal.value.reason == "unknown model"


async def test_refused_credentials_give_keycloaks_words(connect, service):
    service.token_answer = (401, b'{"error":"unauthorized_client","error_description":"Invalid client"}')
    with pytest.raises(AuthenticationError) as refusal:
        async with connect(**service.settings, **ALICE):
            pytest.fail("joined")
    assert (refusal.value.status, refusal.value.error, refusal.value.description) == (
        401,
        "unauthorized_client",
        "Invalid client",
    )


@pytest.mark.parametrize("status", [403, 503])
async def test_a_refused_handshake_gives_the_status(connect, service, status):
    service.handshake_status = status
    with pytest.raises(HandshakeRefused, match=f"HTTP {status}") as refusal:
        async with connect(**service.settings, **ALICE):
            pytest.fail("joined")
    assert refusal.value.status == status


@pytest.mark.parametrize("setting", ["auth_server", "url"])
async def test_nobody_there(connect, service, unused_tcp_port, setting):
    nowhere = f"127.0.0.1:{unused_tcp_port}"
    settings = service.settings | {setting: nowhere if setting == "auth_server" else f"wss://{nowhere}"}
    with pytest.raises(Unreachable, match=nowhere):
        async with connect(**settings, **ALICE):
            pytest.fail("joined")


@pytest.mark.parametrize("token", [None, "ours"], ids=["at the token", "at the socket"])
async def test_a_certificate_of_a_stranger_is_not_trusted(connect, service, token):
    settings = service.settings | {"ca_file": None}
    with pytest.raises(Unreachable, match="certificate"):
        async with connect(**settings, **ALICE, token=token):
            pytest.fail("joined")


async def test_something_that_is_no_websocket_server(connect, service):
    settings = service.settings | {"url": f"wss://{service.settings['auth_server']}"}
    with pytest.raises(HandshakeRefused, match="HTTP 200; expected 101"):
        async with connect(**settings, **ALICE, token="ours"):
            pytest.fail("joined")


async def test_a_missing_account_is_told_before_anything_is_sent(connect):
    with pytest.raises(ConfigurationError, match="UHLIVE_API_CLIENT"):
        async with connect(**ALICE):
            pytest.fail("joined")


# --- losses -----------------------------------------------------------------------------------------------


async def test_a_lost_socket_is_told_with_its_code(connect, service):
    async def dropping(peer):
        await peer.accept()
        await peer.read()
        await peer.socket.close(1011)

    service.script = dropping
    async with connect(**service.settings, **ALICE) as call:
        call.play([CHUNK] * 50)
        with pytest.raises(ConnectionLost) as loss:
            async for _ in call:
                pass
    assert loss.value.code == 1011


async def test_even_a_normal_close_is_a_loss_before_the_last_word(connect, service):
    async def closing(peer):
        await peer.accept()
        await peer.listen()
        await peer.socket.close(1000)

    service.script = closing
    async with connect(**service.settings, **ALICE) as call:
        with pytest.raises(ConnectionLost, match="code 1000"):
            await call.leave()
        with pytest.raises(ConnectionLost, match="code 1000"):
            [event async for event in call]


async def test_an_aborted_socket_has_no_code(connect, service):
    async def aborting(peer):
        await peer.accept()
        peer.socket.transport.abort()

    service.script = aborting
    async with connect(**service.settings, **ALICE) as call:
        with pytest.raises(ConnectionLost) as loss:
            await anext(call)
    assert loss.value.code is None


async def test_sending_on_a_lost_socket(connect, service):
    async def closing(peer):
        await peer.accept()
        await peer.socket.close(1001)

    service.script = closing
    async with connect(**service.settings, **ALICE) as call:
        with pytest.raises(ConnectionLost, match="1001"):
            await anext(call)
        with pytest.raises(ConnectionLost, match="1001"):
            await call.send(CHUNK)


async def test_a_crash_of_the_channel(connect, service):
    async def crashing(peer):
        await peer.accept()
        await peer.say("phx_error", {"reason": "channel_crash"}, refs=("1", "1"))

    service.script = crashing
    async with connect(**service.settings, **ALICE) as call:
        with pytest.raises(ChannelCrashed, match="channel_crash"):
            await anext(call)


async def test_no_answer_to_the_join(connect, service):
    async def mute(peer):
        await peer.read()

    service.script = mute
    with pytest.raises(Timeout, match=r"no answer to the join within 0.3 s"):
        async with connect(**service.settings, **ALICE | {"timeout": 0.3}, token="ours"):
            pytest.fail("joined")


async def test_no_end_to_a_stay_that_we_leave_while_waiting(connect, service):
    async def mute(peer):
        await peer.accept()
        await peer.listen()

    service.script = mute
    async with connect(**service.settings, **ALICE | {"timeout": 0.3}, token="ours") as call:
        waiting = asyncio.ensure_future(anext(call))
        await asyncio.sleep(0)
        with pytest.raises(Timeout, match="speaker_left for Alice"):
            await call.leave()
        with pytest.raises(Timeout, match="speaker_left for Alice"):
            await waiting


async def test_no_token_gets_into_a_log(connect, service, caplog):
    caplog.set_level("DEBUG")
    async with connect(**service.settings, **ALICE) as call:
        await call.leave()
    assert "token-of-acme" in service.peer.path
    ours = [record.getMessage() for record in caplog.records if record.name != "websockets.server"]
    assert [message for message in ours if "token-of-acme" in message] == []
