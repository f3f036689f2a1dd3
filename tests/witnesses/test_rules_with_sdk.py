"""Rules, faults and ghosts as programs on the official SDK meet them, and how their audio is judged."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import websocket as ws
from uhlive.stream import conversation as sdk
from uhlive.stream.conversation.error import UhliveError
from uhlive_client.aio import connect

from uhlive_mock import MockServer, scenario
from uhlive_mock.protocol.journal import Kind
from uhlive_mock.protocol.pacing import Pacing

UNIVERSAL = hasattr(sdk, "EntityRecognized")
SEGMENT = "AudioSegmentDecoded" if UNIVERSAL else "SegmentDecoded"
NAME = "audio_segment_decoded" if UNIVERSAL else "segment_decoded"


@pytest.fixture(scope="module")
def server() -> Iterator[MockServer]:
    with MockServer() as server:
        yield server


class Program:
    """A user's program in this process: the SDK's conversation on a socket of websocket-client."""

    def __init__(self, space, speaker: str) -> None:
        self.conversation = sdk.Conversation(space.client_id, "conv1", speaker)
        url = f"{space.ws_url}/socket/websocket?jwt={space.issue_token()}&vsn=2.0.0"
        self.socket = ws.create_connection(url, timeout=5)

    def join(self, **options) -> None:
        self.socket.send(self.conversation.join(**options))
        assert isinstance(self.event(), sdk.Ok)

    def send(self, audio: bytes) -> None:
        self.socket.send_binary(self.conversation.send_audio_chunk(audio))

    def leave(self) -> None:
        self.socket.send(self.conversation.leave())

    def event(self):
        return self.conversation.receive(self.socket.recv())

    def events(self) -> list:
        """Everything up to the own `speaker_left`."""
        events = []
        while not self.conversation.left:
            events.append(self.event())
        return [event for event in events if not isinstance(event, sdk.Ok)]


Start = Callable[..., Program]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a program, which joins unless told not to."""
    programs: list[Program] = []

    def start(space, speaker: str = "Alice", *, join: bool = True, **options) -> Program:
        program = Program(space, speaker)
        programs.append(program)
        if join:
            program.join(**options)
        return program

    yield start
    for program in programs:
        program.socket.shutdown()


@pytest.fixture
def open_space(server, sdk_vocabulary):
    """A space in the vocabulary of the installed SDK."""
    spaces = []

    def open_space(**settings):
        spaces.append(server.space(vocabulary=sdk_vocabulary, **settings))
        return spaces[-1]

    yield open_space
    for space in spaces:
        space.close()


@pytest.fixture
def words(open_space):
    """A space where a second of audio is three words, and where time stands."""
    call = scenario("words", latency_ms=0).speaker("*")
    for start, word in enumerate(("un", "deux", "trois")):
        call = call.segment(word, at=start / 10, until=start / 10 + 0.1)
    return open_space(scenario=call.gap(action="off").build(), clock="manual")


def kinds(events: list) -> list[str]:
    return [type(event).__name__ for event in events]


def texts(events: list) -> list[str]:
    return [event.value if UNIVERSAL else event.transcript for event in events if type(event).__name__ == SEGMENT]


def rules(space) -> list[str]:
    return [entry.note or "" for entry in space.journal.entries() if entry.kind is Kind.RULE]


# --- pacing ---


def stream_file(program: Program, chunks: int, pause_s: float) -> None:
    """The SDK's file example: 8000 bytes, half a second of audio, then a sleep."""
    for _ in range(chunks):
        program.send(bytes(8000))
        time.sleep(pause_s)
    program.leave()
    program.events()


def sleep_between(program: Program, chunks: int, chunk_s: float) -> None:
    """What drifts: sleep as long as the chunk lasts, and do some work besides."""
    for _ in range(chunks):
        program.send(bytes(round(chunk_s * 16_000)))
        done = time.monotonic() + chunk_s / 5
        while time.monotonic() < done:
            pass
        time.sleep(chunk_s)
    program.leave()
    program.events()


@pytest.fixture(scope="module")
def paced(server) -> dict[str, Pacing]:
    """How real programs paced three seconds of audio, at the speed of life, all at the same time."""
    vocabulary = "universal" if UNIVERSAL else "legacy"
    quiet = scenario("quiet").build()
    spaces = {name: server.space(scenario=quiet, vocabulary=vocabulary) for name in ("file", "sleeper", "anchored")}
    programs = {name: Program(spaces[name], "Alice") for name in ("file", "sleeper")}
    for program in programs.values():
        program.join()

    async def anchored() -> None:
        space = spaces["anchored"]
        chunks = [bytes(320)] * 150
        settings = {"client_id": space.client_id, "url": space.ws_url, "token": space.issue_token()}
        async with connect(conversation="conv1", speaker="Alice", **settings) as call:
            call.play(chunks)
            async for _ in call:
                pass

    works = [
        threading.Thread(target=stream_file, args=(programs["file"], 6, 0.5)),
        threading.Thread(target=sleep_between, args=(programs["sleeper"], 150, 0.02)),
        threading.Thread(target=asyncio.run, args=(anchored(),)),
    ]
    for work in works:
        work.start()
    for work in works:
        work.join()
    for program in programs.values():
        program.socket.shutdown()
    assert [rules(space) for space in spaces.values()] == [[], [], []]
    return {name: space.conversation("conv1").speaker("Alice").pacing for name, space in spaces.items()}


def test_the_sdks_file_example_keeps_real_time(paced):
    judged = paced["file"]
    assert judged.chunk_sizes == ((8000, 6),)
    assert not judged.faster_than_real_time, judged.table()
    assert judged.throttled_s == 0
    assert judged.verdict == "keeps real time", judged.table()


def test_an_anchored_client_does_not_drift(paced):
    judged = paced["anchored"]
    assert judged.chunks == 150
    assert judged.verdict == "keeps real time", judged.table()


def test_a_client_that_sleeps_a_chunk_between_chunks_drifts(paced):
    judged = paced["sleeper"]
    assert judged.drifting, judged.table()
    assert judged.drift_ppm > 100_000
    assert judged.verdict.startswith("drifts: ")


def test_the_file_example_in_quick_motion_is_not_throttled_on_a_clock_as_quick(open_space, start):
    space = open_space(scenario=scenario("quiet").build(), rate=10)
    stream_file(start(space), 20, 0.05)
    assert rules(space) == []
    assert space.conversation("conv1").speaker("Alice").pacing.throttled_s == 0


def test_the_file_example_at_ten_times_the_speed_is_throttled_and_found_out(open_space, start):
    """160 kB in 1 s of the space: 64 kB are let through, the rest takes 4.8 s at 20 kB/s, or 0.5 s of ours."""
    space = open_space(scenario=scenario("quiet").build(), rate=10)
    stream_file(start(space), 20, 0.005)
    assert rules(space) == ["throttle: audio comes faster than the limit"]
    chunks = [entry.now for entry in space.journal.messages(event="audio_chunk")]
    assert chunks[-1] - chunks[0] >= (19 * 8000 - 64_000) / 20_000 - 2e-6
    judged = space.conversation("conv1").speaker("Alice").pacing
    assert judged.faster_than_real_time
    assert judged.throttled_s > 0
    assert judged.verdict.startswith("faster than real time")


# --- rules ---


def test_a_program_that_falls_silent_is_left_by_the_service(open_space, start):
    space = open_space(scenario=scenario("quiet").gap(after=5).build(), clock="manual")
    alice = start(space)
    space.advance(5)
    assert kinds(alice.events()) == ["SpeakerLeft"]
    assert alice.conversation.left


# --- faults ---


def test_a_join_that_is_refused_raises_the_reason(words, start):
    words.inject("join_error", "no capacity")
    with pytest.raises(UhliveError, match="no capacity"):
        start(words)
    start(words).leave()


def test_a_join_that_is_never_answered_times_out(words, start):
    words.inject("join_silence")
    alice = start(words, join=False)
    alice.socket.settimeout(0.05)
    alice.socket.send(alice.conversation.join())
    with pytest.raises(ws.WebSocketTimeoutException):
        alice.event()
    assert alice.conversation.left


@pytest.mark.parametrize(
    ("kind", "value", "heard"),
    [
        ("drop_events", None, ["deux", "trois"]),
        ("duplicate_events", None, ["un", "un", "deux", "trois"]),
        ("reorder_events", None, ["deux", "un", "trois"]),
        ("delay_events", 30, ["un", "deux", "trois"]),
    ],
)
def test_events_come_as_the_fault_has_them(words, start, kind, value, heard):
    alice = start(words)
    words.inject(kind, value)
    alice.send(bytes(16_000))
    words.journal.wait_for(event="audio_chunk")
    if value:
        words.advance(value)
    alice.leave()
    assert texts(alice.events()) == heard


def test_a_renamed_event_is_unknown(words, start):
    alice = start(words)
    words.inject("rename_events", "something_new")
    alice.send(bytes(16_000))
    unknown = alice.event()
    assert isinstance(unknown, sdk.Unknown)
    assert "something_new" in repr(unknown)


def test_an_event_cut_short_is_no_json(words, start):
    alice = start(words)
    words.inject("malformed_json")
    alice.send(bytes(16_000))
    with pytest.raises(json.JSONDecodeError):
        alice.event()
    alice.leave()
    assert texts(alice.events()) == ["deux", "trois"]


def test_an_entity_in_the_wrong_vocabulary_breaks_the_program(open_space, start):
    call = scenario("entity", latency_ms=0).speaker("*").say("vers [Lyon](location_city)", at=0, until=0.5)
    space = open_space(scenario=call.build(), clock="manual")
    alice = start(space)
    space.inject("wrong_vocabulary", event="entity_*")
    alice.send(bytes(16_000))
    with pytest.raises(AttributeError, match="group"):
        list(iter(alice.event, None))


def test_a_segment_in_the_wrong_vocabulary_is_unknown(words, start):
    alice = start(words)
    words.inject("wrong_vocabulary")
    alice.send(bytes(16_000))
    assert isinstance(alice.event(), sdk.Unknown)


def test_a_crash_of_the_channel_raises(words, start):
    alice = start(words)
    words.inject("crash")
    with pytest.raises(UhliveError, match="channel crashed"):
        alice.event()


def test_a_channel_that_the_service_closes_ends_the_program_well(words, start):
    alice = start(words)
    words.inject("close_channel")
    assert kinds(alice.events()) == ["SpeakerLeft"]


@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [
        ("close", 1011, json.JSONDecodeError),  # websocket-client reads a close as an empty text
        ("reset", None, ConnectionResetError),
        ("cut_frame", None, ws.WebSocketConnectionClosedException),
    ],
)
def test_a_socket_that_ends_raises(words, start, kind, value, error):
    alice = start(words)
    words.inject(kind, value)
    with pytest.raises(error):
        alice.event()


# --- ghosts ---


@pytest.mark.parametrize(("clock", "rate"), [("manual", 1), ("real", 10)])
def test_alice_hears_a_ghost_join_talk_and_leave(open_space, start, clock, rate):
    call = scenario("ghost", latency_ms=200).speaker("Alice").speaker("Bob").ghost()
    call = call.segment("bonjour Alice", at=1, until=2).segment("au revoir", at=3, until=4)
    space = open_space(scenario=call.gap(action="off").build(), clock=clock, rate=rate)
    alice = start(space)
    if clock == "manual":
        space.advance(5)
    heard = [alice.event() for _ in range(4)]
    assert kinds(heard) == ["SpeakerJoined", SEGMENT, SEGMENT, "SpeakerLeft"]
    assert [event.speaker for event in heard] == ["Bob"] * 4
    assert texts(heard) == ["bonjour Alice", "au revoir"]
    assert not alice.conversation.left
    joined, *said, left = (entry.now for entry in space.journal.messages(kind=Kind.SENT) if entry.speaker == "Bob")
    late = [moment - joined - due for moment, due in zip(said, (2.2, 4.2), strict=True)]
    assert min(late) >= -2e-6  # on no clock early, and on one that waits for nobody not late either
    assert max(late) <= 2e-6 or clock == "real"
    assert left >= said[-1]


def test_a_ghost_that_waits_for_the_first_audio_talks_after_it(open_space, start):
    call = (
        scenario("ghost", latency_ms=0).speaker("Bob").ghost(say_from="first_audio").segment("oui", at=0, until=1)
    )
    space = open_space(scenario=call.gap(action="off").build(), clock="manual")
    alice = start(space)
    assert kinds([alice.event()]) == ["SpeakerJoined"]
    space.advance(10)
    assert not space.journal.messages(event=NAME)
    alice.send(bytes(1600))
    began = space.journal.wait_for(event="audio_chunk").now
    space.advance(2)
    assert texts([alice.event()]) == ["oui"]
    assert space.journal.messages(event=NAME)[0].now == pytest.approx(began + 1, abs=2e-6)
    assert kinds([alice.event()]) == ["SpeakerLeft"]
