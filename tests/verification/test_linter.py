"""The linter: what a client on a real session is told it did wrong, rule by rule."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable

import pytest

from uhlive_mock.model.account import Account
from uhlive_mock.model.fault import Fault, FaultKind
from uhlive_mock.model.limits import Chunk, Gap, GapAction, Idle, Limits, Throttle, ThrottleAction
from uhlive_mock.model.settings import Drive, SpaceSettings
from uhlive_mock.protocol.clock import Clock
from uhlive_mock.protocol.records import Closed, EndedBy, Opened
from uhlive_mock.protocol.socket import Socket
from uhlive_mock.protocol.space import Space
from uhlive_mock.verification.judge import JournalReader
from uhlive_mock.verification.linter import RACE_S
from uhlive_mock.verification.rules import Severity, Violation
from uhlive_mock.wire.framing import Framing

TOPIC = "conversation:acme@conv1"
SDK_JOIN = {
    "readonly": False,
    "speaker": "Alice",
    "model": "fr",
    "country": "fr",
    "interim_results": True,
    "rescoring": True,
    "origin": 0,
    "audio_codec": "linear",
}
JS_JOIN = {"speaker": "Alice", "model": "en", "country": "us", "readonly": False, "wrapper": "uhlive"}


class Place:
    """A space in memory. Its time, and Unix time with it, passes only with `wait`."""

    def __init__(self, *, paced: bool = False, limits: Limits | None = None, **settings) -> None:
        self.now = 1000.0
        made_of = SpaceSettings(
            accounts=(Account(client_id="acme", client_secret="s"),),
            clock=Drive.REAL if paced else Drive.MANUAL,
            limits=limits or Limits(),
            **settings,
        )
        self.space = Space(made_of, Clock(made_of.clock, real=lambda: self.now, wall=lambda: self.now))
        self.clients: list[Client] = []

    def connect(self, framing: Framing = Framing.VSN2) -> Client:
        client = Client(self, framing, len(self.clients) + 1)
        self.clients.append(client)
        return client

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            for client in self.clients:
                client.session.tick(self.now)
                client.feed()

    @property
    def violations(self) -> list[Violation]:
        return JournalReader.of(self.space).violations()

    @property
    def broken(self) -> list[str]:
        return [violation.rule for violation in self.violations]

    @property
    def only(self) -> Violation:
        [violation] = self.violations
        return violation


class Client:
    """A client in the manner of the Python SDK, unless told otherwise; what is sent in vain waits unread."""

    def __init__(self, place: Place, framing: Framing, number: int) -> None:
        self.place = place
        self.framing = framing
        place.space.journal.note(Opened(framing=framing), place.now, socket=number)
        self.session = Socket(
            space=place.space,
            account=place.space.accounts["acme"],
            framing=framing,
            now=place.now,
            number=number,
        )
        self.unread: list[str | bytes] = []
        self.ref = 0

    def feed(self) -> None:
        while self.unread and self.session.reading and not self.session.ended:
            self.session.receive(self.unread.pop(0), self.place.now)

    def raw(self, message: str | bytes) -> None:
        self.unread.append(message)
        self.feed()

    def say(
        self,
        event: object,
        payload: object = None,
        *,
        topic: object = TOPIC,
        ref: object = ...,
        join_ref: object = "1",
    ) -> None:
        self.ref += 1
        ref = str(self.ref) if ref is ... else ref
        payload = {} if payload is None else payload
        if self.framing is Framing.VSN2:
            self.raw(json.dumps([join_ref, ref, topic, event, payload]))
        else:
            self.raw(json.dumps({"topic": topic, "event": event, "payload": payload, "ref": self.ref}))

    def join(self, speaker: str = "Alice", *, topic: str = TOPIC, **fields) -> Client:
        self.say("phx_join", {**SDK_JOIN, "speaker": speaker, **fields}, topic=topic)
        return self

    def audio(
        self, size: int = 1600, *, topic: str = TOPIC, join_ref: str = "1", sizes: Iterable[int] = ()
    ) -> None:
        self.ref += 1
        fields = [text.encode() for text in (join_ref, str(self.ref), topic, "audio_chunk")]
        self.raw(bytes([0, *(sizes or map(len, fields))]) + b"".join(fields) + bytes(size))

    def blob(self, size: int = 1600, *, join_ref: object = "1") -> None:
        self.say("audio_chunk", {"blob": base64.b64encode(bytes(size)).decode()}, join_ref=join_ref)

    def beat(self, ref: object = ...) -> None:
        self.say("heartbeat", topic="phoenix", join_ref=None, ref=ref)

    def leave(self, **fields) -> None:
        self.say("phx_leave", **fields)

    def close(self, *, unsent: int = 0) -> None:
        self.session.closed(self.place.now, Closed(by=EndedBy.CLIENT, code=1000, unsent=unsent))


@pytest.fixture
def place() -> Place:
    return Place()


# --- who does nothing wrong ---


def test_a_whole_call_is_fine(place):
    alice = place.connect().join()
    alice.audio()
    alice.leave()
    alice.close()
    assert place.violations == []


def test_an_observer_may_just_go(place):
    place.connect().join("Olga", readonly=True).close()
    olga = place.connect().join("Olga", readonly=True)
    olga.leave()
    olga.close(unsent=2)
    assert place.violations == []


def test_a_leave_of_what_is_not_joined_is_fine(place):
    alice = place.connect()
    alice.leave()
    alice.join().leave()
    alice.leave()
    alice.close()
    assert place.violations == []


def test_whoever_left_may_join_again_with_refs_from_one(place):
    alice = place.connect()
    for _ in range(3):
        alice.ref = 0
        alice.join().audio()
        alice.leave()
    alice.close()
    assert place.violations == []


def test_null_refs_ask_for_no_answer_and_may_be_used_again(place):
    alice = place.connect().join()
    for _ in range(2):
        alice.say("phx_leave", ref=None)
        alice.join()
    assert place.violations == []


# --- refs ---


def test_a_ref_used_twice_is_told_with_its_frame_and_its_moment(place):
    alice = place.connect().join()
    alice.audio(4000)
    alice.ref -= 1
    alice.audio(1600)
    violation = place.only
    assert (violation.rule, violation.speaker, violation.topic) == ("reference_reuse", "Alice", TOPIC)
    assert violation.sentence.endswith(': "2"')
    assert violation.frame == f'["1","2","{TOPIC}","audio_chunk",<1600 bytes of audio>]'
    assert violation.at_s == 0.25
    assert violation.severity is Severity.ERROR


def test_an_integer_is_no_reuse_of_a_text_that_looks_the_same(place):
    alice = place.connect().join()
    alice.say("phx_leave", ref=1)
    assert place.violations == []


def test_heartbeats_count_their_refs_as_well(place):
    alice = place.connect()
    alice.beat("7")
    alice.beat("7")
    assert place.broken == ["reference_reuse"]


def test_another_join_ref_than_the_joins_is_told_and_its_audio_does_not_count(place):
    alice = place.connect().join()
    alice.audio(join_ref="9")
    alice.audio(join_ref="9")
    assert (place.only.rule, place.only.times, place.only.at_s) == ("wrong_join_ref", 2, None)
    assert '"9"; it joined with "1"' in place.only.sentence


def test_vsn1_has_no_join_refs_to_get_wrong(place):
    alice = place.connect(Framing.VSN1).join()
    alice.blob()
    alice.leave()
    alice.close()
    assert place.violations == []


# --- when ---


def test_audio_and_pushes_before_any_join_are_told_apart(place):
    alice = place.connect()
    alice.audio()
    alice.say("anything")
    assert place.broken == ["audio_before_join", "push_before_join"]


def test_audio_after_a_refused_join_is_before_the_join(place):
    place.space.faults.arm(Fault(kind=FaultKind.JOIN_ERROR, value="maintenance"))
    alice = place.connect().join()
    alice.audio()
    assert place.broken == ["audio_before_join"]
    bob = place.connect().join("Bob", model="tlh")
    bob.audio()
    assert place.violations[1].sentence.endswith("the join was refused")


def test_audio_after_the_leave_is_told_of_whoever_left(place):
    alice = place.connect().join()
    alice.audio(800)
    alice.leave()
    alice.audio()
    assert (place.only.rule, place.only.speaker, place.only.at_s) == ("audio_after_leave", "Alice", 0.05)


def test_a_second_join_without_a_leave_is_told_and_the_first_stay_is_nobodys_fault(place):
    alice = place.connect().join()
    alice.join()
    alice.audio()
    alice.leave()
    alice.close()
    assert place.broken == ["double_join"]


def test_a_join_that_was_answered_with_an_error_leaves_the_first_stay_alone(place):
    alice = place.connect().join()
    place.space.faults.arm(Fault(kind=FaultKind.JOIN_ERROR, value="maintenance"))
    alice.join()
    alice.audio()
    alice.leave()
    alice.close()
    assert place.broken == ["double_join"]


# --- what ---


@pytest.mark.parametrize(
    "topic",
    ["lobby", "conversation:acme", "conversation:acme@", "conversation:other@conv1", "phoenix", "", None, 3, ["a"]],
)
def test_a_topic_that_is_no_conversation_of_the_account_is_told(place, topic):
    place.connect().say("phx_join", SDK_JOIN, topic=topic)
    assert place.broken == ["bad_topic"]


def test_any_conversation_will_do_where_the_identifier_need_not_match():
    from uhlive_mock.model.behaviour import Behaviour

    place = Place(behaviour=Behaviour(identifier_must_match=False))
    place.connect().join(topic="conversation:anything").leave(topic="conversation:anything")
    assert place.violations == []


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ('["1","1"]', '["1","1"]'),
        ("{", "<a text of 1 characters>"),
        (b"\x05hello", "<6 bytes, beginning 05 68 65 6c 6c>"),
    ],
)
def test_a_frame_that_is_no_message_is_told_and_ends_everything_else(place, message, shown):
    alice = place.connect().join()
    alice.raw(message)
    assert (place.only.rule, place.only.frame) == ("bad_frame", shown)


def test_a_secret_in_a_frame_that_is_no_message_is_not_shown(place):
    place.connect().raw('{"client_secret": "hush"}')
    place.connect().raw('{"client_secret": "hush"')
    assert "hush" not in place.space.journal.to_jsonl()


@pytest.mark.parametrize("sizes", [(1, 1, 22, 11), (1, 1, 23, 12), (1, 1, 24, 11), (1, 0, 23, 11), (1, 1, 23, 0)])
def test_a_header_whose_sizes_lie_within_the_frame_is_told(place, sizes):
    alice = place.connect().join()
    alice.audio(sizes=sizes)
    assert place.broken == ["bad_frame"]


def test_half_a_sample_is_told_at_the_place_where_its_chunk_begins(place):
    alice = place.connect().join()
    alice.audio(1600)
    alice.audio(801)
    assert (place.only.rule, place.only.at_s) == ("odd_samples", 0.1)


def test_bytes_of_g711_are_whole_samples(place):
    alice = place.connect().join(audio_codec="g711a")
    alice.audio(801)
    assert place.violations == []


# --- limits ---


def test_a_chunk_that_is_too_large_shows_the_chunk():
    place = Place(limits=Limits(chunk=Chunk(max=1000), throttle=Throttle(action=ThrottleAction.OFF)))
    alice = place.connect().join()
    alice.audio(800)
    alice.audio(1600)
    assert (place.only.rule, place.only.at_s) == ("chunk_size", 0.05)
    assert "<1600 bytes of audio>" in place.only.frame


def test_audio_too_fast_for_the_throttle_is_told_once():
    place = Place(limits=Limits(throttle=Throttle(rate=1000, burst=1000, action=ThrottleAction.REPORT)))
    alice = place.connect().join()
    for _ in range(3):
        alice.audio(1600)
    assert place.broken == ["throttle"]


@pytest.mark.parametrize("action", [GapAction.LEAVE, GapAction.ERROR, GapAction.CLOSE])
def test_whoever_a_gap_ended_is_not_blamed_for_not_leaving(action):
    place = Place(limits=Limits(gap=Gap(after_ms=3000, action=action)))
    alice = place.connect().join()
    alice.audio(1600)
    place.wait(4)
    alice.close()
    assert (place.only.rule, place.only.at_s, place.only.frame) == ("gap", 0.1, "gap: no audio for 3 s")


def test_a_socket_that_idles_away_lacked_a_heartbeat():
    place = Place(limits=Limits(idle=Idle(after_ms=10_000)))
    place.connect().join("Olga", readonly=True)
    place.wait(11)
    assert (place.only.rule, place.only.speaker) == ("missing_heartbeat", "Olga")


def test_audio_ahead_of_time_is_told_where_time_passes_by_itself():
    place, unpaced = Place(paced=True), Place()
    for each in (place, unpaced):
        alice = each.connect().join()
        alice.audio(16_000)
        alice.audio(16_000)
        alice.audio(16_000)
        alice.audio(1600)
    assert unpaced.violations == []
    assert (place.only.rule, place.only.at_s, place.only.severity) == (
        "faster_than_real_time",
        2.0,
        Severity.WARNING,
    ), place.violations
    assert place.only.times == 2


def test_audio_on_time_is_not_ahead():
    place = Place(paced=True)
    alice = place.connect().join()
    for _ in range(10):
        alice.audio(8000)
        place.wait(0.5)
    assert place.violations == []


# --- the end ---


def test_a_close_without_a_leave_is_told(place):
    alice = place.connect().join()
    alice.audio()
    alice.close()
    assert (place.only.rule, place.only.frame) == ("close_without_leave", "closed by the client with 1000")
    assert (place.only.speaker, place.only.topic, place.only.at_s) == ("Alice", TOPIC, 0.1)


def test_a_close_before_the_speaker_left_could_be_sent_is_told(place):
    alice = place.connect().join()
    alice.leave()
    alice.close(unsent=3)  # reply, phx_close, speaker_left
    assert place.broken == ["leave_without_waiting"]


def test_a_message_behind_the_speaker_left_may_go_unsent(place):
    alice = place.connect().join()
    alice.leave()
    alice.beat()
    alice.close(unsent=1)
    assert place.violations == []


def test_who_is_still_there_is_told_only_at_the_end(place):
    alice = place.connect().join()
    place.connect().join("Olga", readonly=True)
    assert place.violations == []
    [left] = JournalReader.of(place.space).still_joined()
    assert (left.rule, left.speaker) == ("close_without_leave", "Alice")
    alice.session.closed(place.now, Closed(by=EndedBy.SPACE_CLOSED))
    assert place.violations == []
    [left] = JournalReader.of(place.space).still_joined()
    assert left.sentence.endswith("the space was closed")


# --- faults and races ---


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.CLOSE, value=1011),
        Fault(kind=FaultKind.RESET),
        Fault(kind=FaultKind.CUT_FRAME),
        Fault(kind=FaultKind.CRASH),
        Fault(kind=FaultKind.CLOSE_CHANNEL),
        Fault(kind=FaultKind.MUTE_HEARTBEATS),
    ],
)
def test_an_end_after_a_fault_is_nobodys_fault(place, fault):
    alice = place.connect().join()
    assert alice.session.strike(fault, place.now)
    alice.close()
    assert place.violations == []


def test_after_a_crash_one_may_join_again_and_must_leave(place):
    alice = place.connect().join()
    alice.session.strike(Fault(kind=FaultKind.CRASH), place.now)
    alice.join()
    alice.audio()
    alice.leave()
    alice.close()
    assert place.violations == []


def test_audio_that_races_the_end_of_its_stay_is_let_pass_and_later_is_not(place):
    alice = place.connect().join()
    alice.session.strike(Fault(kind=FaultKind.CRASH), place.now)
    alice.audio()
    alice.say("anything")
    place.now += RACE_S
    alice.audio()
    assert place.violations == []
    place.now += 0.5
    alice.audio()
    assert place.only.sentence.endswith("the service had ended the stay 2.5 s before")


def test_audio_that_waited_unread_may_come_any_time_after_the_end(place):
    alice = place.connect().join()
    alice.session.strike(Fault(kind=FaultKind.STOP_READING, value=10_000), place.now)
    alice.session.strike(Fault(kind=FaultKind.CRASH), place.now)
    alice.audio()
    place.wait(11)
    assert place.violations == []


def test_a_join_that_met_silence_may_be_tried_again(place):
    place.space.faults.arm(Fault(kind=FaultKind.JOIN_SILENCE))
    alice = place.connect().join()
    alice.leave()
    alice.join()
    alice.audio()
    alice.leave()
    alice.close()
    assert place.violations == []


# --- merging ---


def test_one_violation_for_each_rule_socket_and_speaker_in_the_order_of_the_first(place):
    alice, bob = place.connect().join(), place.connect().join("Bob")
    for client in (alice, bob, alice, bob, alice):
        client.audio(801)
        client.beat("same")
    found = [(violation.rule, violation.speaker, violation.times) for violation in place.violations]
    assert found == [
        ("odd_samples", "Alice", 3),
        ("odd_samples", "Bob", 2),
        ("reference_reuse", None, 2),
        ("reference_reuse", None, 1),
    ]


# --- frames as text ---


def test_a_frame_is_shown_in_the_framing_of_its_socket(place):
    alice = place.connect(Framing.VSN1)
    alice.say("anything", {"a": [1, None]}, topic="lobby")
    assert place.only.frame == '{"topic":"lobby","event":"anything","ref":1,"payload":{"a":[1,null]}}'


def test_a_long_frame_is_cut_and_stays_on_its_line(place):
    place.connect().say("anything", {"text": "\u2028\n" + "x" * 1000}, topic="lobby")
    frame = place.only.frame
    assert len(frame) == 160
    assert len(frame.splitlines()) == 1
    assert frame.endswith("…")


# --- severity by dialect ---


def test_phoenix_js_may_disconnect_while_it_is_joined(place):
    browser = place.connect()
    browser.say("phx_join", JS_JOIN, ref="1")
    browser.blob()
    browser.beat()
    browser.close()
    assert (place.only.rule, place.only.severity) == ("close_without_leave", Severity.WARNING)


def test_the_python_sdks_own_example_leaves_and_closes_at_once(place):
    alice = place.connect().join()
    alice.leave()
    alice.close(unsent=3)
    assert (place.only.rule, place.only.severity) == ("leave_without_waiting", Severity.WARNING)


def test_anybody_else_has_to_wait(place):
    other = place.connect()
    other.say("phx_join", {"speaker": "Alice"}, ref="1")
    other.leave()
    other.close(unsent=3)
    assert (place.only.rule, place.only.severity) == ("leave_without_waiting", Severity.ERROR)
