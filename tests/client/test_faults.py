"""Every kind of fault the mock has, thrown at both shells: what comes of it, in time, and nothing left behind."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest
from uhlive_client.errors import (
    AuthenticationError,
    ChannelCrashed,
    ConnectionLost,
    HandshakeRefused,
    JoinRefused,
    Timeout,
    UhliveClientError,
    WireError,
)
from uhlive_client.events import Segment, UnknownEvent

from uhlive_mock import scenario
from uhlive_mock.model.fault import FaultKind, Stage

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("no_task_survives")]

SHORT = 0.3
"""Seconds that a client waits who is going to wait in vain."""
LONG = 60
"""Seconds that a fault lasts which should outlast the client."""
CALL = (
    scenario("call", latency_ms=0)
    .speaker("*")
    .segment("oui", at=0, until=0.02)
    .event("one", {}, at=0.02)
    .event("two", {}, at=0.02)
    .build()
)
WHOLE = ["oui", "one", "two", "Reply", "Closed", "SpeakerLeft"]
"""What is heard of a call to which nothing happens. The leave is answered before the last words."""


@dataclass
class Case:
    """A fault, and what should come of it: an error, and the events before or without it, if they matter."""

    kind: str
    value: object = None
    error: type[UhliveClientError] | None = None
    match: str = ""
    heard: list[str] | None = None
    plays: bool = True
    reach: dict[str, object] = field(default_factory=dict)
    terms: dict[str, object] = field(default_factory=dict)

    @property
    def before_the_join(self) -> bool:
        return FaultKind(self.kind).stage in (Stage.TOKEN, Stage.HANDSHAKE)

    def __str__(self) -> str:
        return "-".join([self.kind, *(str(value) for value in [self.value] if value), *self.terms])


def without(name: str) -> list[str]:
    return [event for event in WHOLE if event != name]


IMPATIENT = {"timeout": SHORT}
CASES = [
    Case("token_status", 503, AuthenticationError, "answered 503"),
    Case("token_status", 401, AuthenticationError, "answered 401"),
    Case("token_error", "invalid_client", AuthenticationError, "400, invalid_client"),
    Case("token_delay", LONG, Timeout, "no answer from 127", terms=IMPATIENT),
    Case("handshake_status", 503, HandshakeRefused, "HTTP 503"),
    # The token is asked for once more when it may have been the reason.
    Case("handshake_status", 403, heard=WHOLE),
    Case("handshake_status", 403, HandshakeRefused, "HTTP 403", reach={"count": 2}),
    Case("handshake_hang", None, Timeout, "no socket from 127", terms=IMPATIENT),
    Case("join_error", "no capacity", JoinRefused, "no capacity"),
    Case("join_silence", None, Timeout, "no answer to the join", terms=IMPATIENT),
    Case("join_delay", LONG, Timeout, "no answer to the join", terms=IMPATIENT),
    Case("join_delay", 0.1, heard=WHOLE),
    Case("delay_events", LONG, Timeout, "speaker_left for Alice", terms=IMPATIENT),
    Case("delay_events", 0.2, heard=["Reply", "Closed", "oui", "one", "two", "SpeakerLeft"]),
    Case("drop_events", heard=without("one"), reach={"event": "one"}),
    Case("drop_events", None, Timeout, "speaker_left", reach={"event": "speaker_left"}, terms=IMPATIENT),
    Case("duplicate_events", heard=["oui", "one", *WHOLE[1:]], reach={"event": "one"}),
    Case("reorder_events", heard=["oui", "two", "one", *WHOLE[3:]], reach={"event": "one"}),
    Case("rename_events", "eins", heard=["oui", "eins", *WHOLE[2:]], reach={"event": "one"}),
    # The name tells the vocabulary, so it is heard all the same.
    Case("wrong_vocabulary", heard=WHOLE),
    Case("malformed_json", None, WireError, "not JSON", heard=["oui"], reach={"event": "one"}),
    Case("crash", None, ChannelCrashed, "channel_crash"),
    Case("close_channel", heard=["Closed", "SpeakerLeft"]),
    Case("close", 1000, ConnectionLost, "with code 1000"),
    Case("close", 1011, ConnectionLost, "with code 1011"),
    Case("close", 4001, ConnectionLost, "with code 4001"),
    Case("reset", None, ConnectionLost, "without a close code"),
    Case("cut_frame", None, ConnectionLost, "without a close code"),
    # What is sent meanwhile waits in the kernel's buffers, and so does the leave.
    Case("stop_reading", LONG, Timeout, "speaker_left for Alice", terms=IMPATIENT),
    Case("stop_reading", 0.1),
    Case("stop_writing", LONG, Timeout, "no answer to the join", terms=IMPATIENT),
    Case("stop_writing", 0.1, heard=WHOLE),
    Case("mute_heartbeats", heard=WHOLE),
    Case(
        "mute_heartbeats",
        None,
        ConnectionLost,
        "no answer to a ping within 0.3 s",
        plays=False,
        terms=IMPATIENT | {"ping_interval": 0.05},
    ),
    Case(
        "mute_heartbeats",
        None,
        ConnectionLost,
        "no answer to a heartbeat within 0.3 s",
        plays=False,
        terms=IMPATIENT | {"heartbeat": 0.05, "ping_interval": None},
    ),
    Case(
        "stop_reading",
        LONG,
        ConnectionLost,
        "no answer to a ping",
        plays=False,
        terms=IMPATIENT | {"ping_interval": 0.05},
    ),
]


async def test_every_kind_has_its_case():
    assert {case.kind for case in CASES} == {kind.value for kind in FaultKind}


def named(event: object) -> str:
    match event:
        case Segment(text=text):
            return text
        case UnknownEvent(name=name):
            return name
    return type(event).__name__


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_fault_has_the_outcome_that_is_documented(connect, reach, mock_server, case):
    with mock_server.space(scenario=CALL) as space:
        space.inject(case.kind, case.value, speaker=None if case.before_the_join else "Alice", **case.reach)
        heard: list[str] = []

        async def converse() -> None:
            async with connect(**reach(space, asks=case.before_the_join, **case.terms)) as call:
                if case.plays:
                    call.play([bytes(320)])
                async for event in call:
                    heard.append(named(event))

        began = time.monotonic()
        if case.error is None:
            await converse()
        else:
            with pytest.raises(case.error, match=case.match):
                await converse()
        assert time.monotonic() - began < 60
        if case.heard is not None:
            assert heard == case.heard
