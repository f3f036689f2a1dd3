"""A space's journal over HTTP, and waiting for what it says."""

from __future__ import annotations

import asyncio
import http.client
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from urllib.parse import urlsplit

import aiohttp
import msgspec
import pytest

from uhlive_mock import MockServer
from uhlive_mock.protocol.journal import Entry
from uhlive_mock.server.space_handle import SpaceHandle

LONG = 60
"""Seconds that nobody here waits to the end."""


@pytest.fixture
def space(server) -> Iterator[SpaceHandle]:
    with server.space(client_id="acme/1", clock="audio") as space:
        yield space


PATH = "spaces/acme%2F1/journal"


def until(looks: Callable[[], bool]) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + 5
    while not looks():
        assert time.monotonic() < deadline, "it never was"


def waiting(server, space, number=1) -> Callable[[], bool]:
    """Whether so many wait for the journal of a space."""
    return lambda: server.call(lambda: len(space._portal.space.journal._listeners)) == number


# --- reading ---


def test_it_reads_as_the_handle_does(control, space, dial):
    peer = dial(space)
    peer.audio(1600)
    peer.hear_all()
    got = control("GET", PATH)
    assert got["dropped"] == 0
    assert msgspec.convert(got["entries"], list[Entry]) == space.journal.entries()
    assert control("GET", PATH, event="phx_join")["entries"][0]["payload"]["speaker"] == "Alice"


@pytest.mark.parametrize(
    ("query", "events"),
    [
        ({"event": "audio_chunk"}, ["audio_chunk"] * 3),
        ({"event": "audio_chunk", "limit": 2}, ["audio_chunk"] * 2),
        ({"event": "audio_chunk", "speaker": "Bob"}, ["audio_chunk"]),
        ({"conversation": "conv2", "kind": "received"}, ["phx_join", "audio_chunk"]),
        ({"conversation": "conv", "kind": "received"}, []),
        ({"event": "phx_reply", "kind": "received"}, []),
        ({"speaker": ""}, []),
    ],
)
def test_filters_narrow_it_down(control, space, dial, query, events):
    alice, bob = dial(space), dial(space, "Bob", conversation="conv2")
    for peer, chunks in ((alice, 2), (bob, 1)):
        for _ in range(chunks):
            peer.audio(160)
        peer.hear_all()
    assert [entry["event"] for entry in control("GET", PATH, **query)["entries"]] == events


def test_whoever_knows_the_last_index_gets_what_came_after(control, space, dial):
    peer = dial(space)
    last = control("GET", PATH)["entries"][-1]["index"]
    assert control("GET", PATH, after=last)["entries"] == []
    peer.audio(160)
    peer.hear_all()
    assert control("GET", PATH, after=last, limit=1)["entries"][0]["event"] == "audio_chunk"
    assert len(control("GET", PATH, after=-1)["entries"]) > last


def test_it_comes_as_lines_on_request(control, space, dial):
    dial(space).say("hello", {"text": "one\u2028line"})
    space.journal.wait_for(event="hello")
    lines = control("GET", PATH, headers={"Accept": "text/html, application/jsonl;q=0.9"}).decode()
    assert [msgspec.json.decode(line, type=Entry) for line in lines.splitlines()] == space.journal.entries()


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"evnt": "x"}, "unknown query parameter 'evnt'; did you mean 'event'?"),
        ({"kind": "recieved"}, "query parameter kind: unknown value 'recieved'; did you mean 'received'?"),
        ({"after": "x"}, "query parameter after: expected int"),
        ({"after": "1.5"}, "query parameter after: expected int"),
        ({"limit": "0"}, "query parameter limit: expected int >= 1"),
        ({"limit": "NaN"}, "query parameter limit: expected int"),
        ({"event": ["a", "b"]}, "query parameter 'event' is given twice"),
    ],
)
def test_a_filter_that_does_not_exist_is_refused(control, space, query, error):
    assert error in control.refused(400, "GET", PATH, **query)


def test_a_query_that_is_no_text_is_refused(control, space):
    assert "percent-encoded UTF-8" in control.refused(400, "GET", f"{PATH}?event=%FF")
    assert "percent-encoded UTF-8" in control.refused(400, "GET", "spaces/%FF")


# --- waiting ---


@pytest.fixture
def ask(control) -> Iterator[Callable[..., Future[tuple[int, dict[str, object]]]]]:
    """Wait on a thread of the test's; the status and the answer are to come."""
    pool = ThreadPoolExecutor()

    def wait(**query: object) -> tuple[int, dict[str, object]]:
        url = f"{control.url}/_mock/{PATH}/wait"
        answer = control.session.get(url, params={"timeout": LONG, **query}, timeout=LONG)
        return answer.status_code, answer.json()

    yield lambda **query: pool.submit(wait, **query)
    pool.shutdown()


def test_what_has_come_is_answered_at_once(control, space, dial):
    dial(space)
    found = control("GET", f"{PATH}/wait", event="phx_join", speaker="Alice", conversation="conv1", timeout=0)
    assert found["payload"]["speaker"] == "Alice"


def test_what_is_to_come_is_waited_for(server, control, space, dial, ask):
    asked = ask(event="audio_chunk", speaker="Alice")
    until(waiting(server, space))
    dial(space).audio(320)
    status, entry = asked.result(LONG)
    assert (status, entry["audio_bytes"]) == (200, 320)
    until(waiting(server, space, 0))


def test_what_came_before_is_passed_over_on_request(server, space, dial, ask):
    peer = dial(space)
    peer.audio(160)
    peer.hear_all()
    asked = ask(event="audio_chunk", after=space.journal.entries()[-1].index)
    until(waiting(server, space))
    peer.audio(320)
    assert asked.result(LONG)[1]["audio_bytes"] == 320


def test_a_rule_that_was_broken_can_be_waited_for(control, space, dial, ask):
    asked = ask(kind="rule")
    dial(space)
    control("POST", "spaces/acme%2F1/advance", {"seconds": 5})
    assert asked.result(LONG)[1]["note"] == "gap: no audio for 5 s"


def test_what_never_comes_is_answered_in_time_with_what_came_instead(control, space, dial):
    dial(space)
    why = control.refused(408, "GET", f"{PATH}/wait", event="phx_joim", timeout=0.01)
    assert why.startswith("no message with event=phx_joim came within 0.01 s")
    assert "did you mean 'phx_join'?" in why


@pytest.mark.parametrize("timeout", ["-1", "601", "inf", "nan", "soon", "true", "1e999"])
def test_a_wait_has_an_end(control, space, timeout):
    assert "query parameter timeout: " in control.refused(400, "GET", f"{PATH}/wait", timeout=timeout)


def test_a_wait_ends_with_its_space(server, space, ask):
    asked = ask(event="never")
    until(waiting(server, space))
    space.close()
    status, answer = asked.result(5)
    assert (status, answer["error"]) == (404, "the space 'acme/1' ended meanwhile")


def test_a_wait_outlives_a_reset(server, space, dial, ask):
    dial(space)
    asked = ask(event="phx_join", after=space.journal.entries()[-1].index)
    until(waiting(server, space))
    space.reset()
    dial(space, "Bob")
    assert asked.result(LONG)[1]["speaker"] == "Bob"


def test_a_wait_ends_with_the_server():
    with MockServer(tls_port=None) as server, ThreadPoolExecutor() as pool:
        space = server.space(client_id="acme")
        host = urlsplit(str(server.urls["http_url"]))
        caller = http.client.HTTPConnection(host.hostname or "", host.port, timeout=LONG)
        caller.request("GET", f"/_mock/spaces/acme/journal/wait?event=never&timeout={LONG}")
        answer = pool.submit(caller.getresponse)
        until(waiting(server, space))
        server.stop()
        assert answer.result(5).status == 503
        caller.close()


def test_nothing_is_left_of_a_caller_that_went_away(server, control, space):
    host = urlsplit(control.url)
    caller = http.client.HTTPConnection(host.hostname or "", host.port, timeout=5)
    caller.request("GET", f"/_mock/{PATH}/wait?event=never&timeout={LONG}")
    until(waiting(server, space))
    caller.close()
    until(waiting(server, space, 0))


def test_two_hundred_may_wait_at_once(server, control, space, dial):
    async def wait_all() -> list[tuple[int, str]]:
        connector = aiohttp.TCPConnector(limit=0)
        url = f"{control.url}/_mock/spaces/acme%2F1/journal/wait"

        async def wait(session: aiohttp.ClientSession, number: int) -> tuple[int, str]:
            query = {"event": "audio_chunk", "speaker": "Alice" if number % 2 else "Bob", "timeout": str(LONG)}
            target = aiohttp.client.URL(url, encoded=True).with_query(query)
            async with session.get(target) as answer:
                return answer.status, (await answer.json())["speaker"]

        async with aiohttp.ClientSession(connector=connector) as session:
            tasks = [asyncio.create_task(wait(session, number)) for number in range(200)]
            await asyncio.to_thread(until, waiting(server, space, 200))
            await asyncio.to_thread(speak)
            return await asyncio.gather(*tasks)

    def speak() -> None:
        for name in ("Alice", "Bob"):
            dial(space, name).audio(160)

    answers = asyncio.run(wait_all())
    assert answers == [(200, "Alice" if number % 2 else "Bob") for number in range(200)]
