"""The journal: bounded, without secrets, and the same when it has been written down and read back."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, strategies as st

from uhlive_mock.model.fault import Fault, FaultKind
from uhlive_mock.protocol.journal import Entry, Journal, Kind, to_line
from uhlive_mock.protocol.plan import Axis
from uhlive_mock.protocol.records import (
    Closed,
    Defect,
    LimitRule,
    Login,
    Malformed,
    Opened,
    Refused,
    RuleBroken,
    Skipped,
    Struck,
    Truncated,
    Unplayed,
)
from uhlive_mock.protocol.redaction import CUT, MASK, MAX_CHARS
from uhlive_mock.server.files import JournalFile

TOPIC = "conversation:acme@conv1"
HEADER = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9"
JWT = f"{HEADER}.eyJhenAiOiJhY21lIiwiZXhwIjoxNzAwMDAwMDAwfQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ"

TEXTS = st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def journal(**options) -> Journal:
    return Journal(lambda: 1_700_000_000.5, **options)


def filled(count: int, *, capacity: int) -> Journal:
    written = journal(capacity=capacity)
    for number in range(count):
        written.record(Kind.RECEIVED, float(number), topic=TOPIC, event="any", ref=number)
    return written


def read_back(text: str) -> list[Entry]:
    return [msgspec.json.decode(line, type=Entry) for line in text.splitlines()]


# --- bounds ---


def test_a_journal_that_is_not_full_is_not_truncated():
    written = filled(3, capacity=3)
    assert (written.dropped, written.truncated) == (0, False)
    assert read_back(written.to_jsonl()) == list(written)


def test_a_full_journal_loses_its_oldest_entries_and_says_so():
    written = filled(10, capacity=3)
    assert [entry.index for entry in written] == [7, 8, 9]
    assert (len(written), written.dropped, written.truncated) == (3, 7, True)


def test_the_export_of_a_truncated_journal_begins_with_how_many_are_missing():
    first, *rest = read_back(filled(10, capacity=3).to_jsonl())
    assert (first.kind, first.index, first.note) == (
        Kind.TRUNCATED,
        6,
        "the first 7 entries are missing",
    )
    assert [entry.index for entry in rest] == [7, 8, 9]


def test_a_journal_that_keeps_nothing_still_counts():
    [mark] = read_back(filled(4, capacity=0).to_jsonl())
    assert (mark.kind, mark.index) == (Kind.TRUNCATED, 3)


# --- written down and read back ---

FAULTS = st.sampled_from(
    [Fault(kind=FaultKind.CLOSE, value=1011), Fault(kind=FaultKind.JOIN_ERROR, value="\u2028", speaker="Bob")]
)
SECONDS = st.floats(0, 1e6)
BROKEN = st.builds(RuleBroken, limit=SECONDS, found=SECONDS)
CAUSES = st.none() | BROKEN | st.builds(Struck, fault=FAULTS) | st.from_type(Malformed)
VALUES = st.one_of(
    BROKEN,
    st.builds(Struck, fault=FAULTS),
    st.builds(Skipped, fault=FAULTS),
    st.builds(Closed, cause=CAUSES),
    *map(st.from_type, (Opened, Refused, Login, Unplayed, Malformed, Defect, Truncated)),
)
ENTRIES = st.builds(
    Entry,
    index=st.integers(0, 10**9),
    wall=st.floats(allow_nan=False, allow_infinity=False),
    now=st.floats(allow_nan=False, allow_infinity=False),
    kind=st.sampled_from(Kind),
    socket=st.integers(0, 10**6),
    speaker=st.none() | st.text(),
    topic=JSON,
    event=JSON,
    join_ref=JSON,
    ref=JSON,
    payload=JSON,
    audio_bytes=st.none() | st.integers(0, 10**9),
    value=st.none() | VALUES,
    cut=st.booleans(),
)


@given(ENTRIES)
def test_an_entry_written_as_a_line_reads_back_as_itself(entry):
    line = to_line(entry)
    assert msgspec.json.decode(line, type=Entry) == entry
    assert line.decode().splitlines() == [line.decode().removesuffix("\n")]


@given(st.lists(st.tuples(st.sampled_from(Kind), JSON, JSON), max_size=8), st.integers(1, 8))
def test_an_export_reads_back_as_the_journal(messages, capacity):
    written = journal(capacity=capacity)
    for kind, topic, payload in messages:
        written.record(kind, 1.0, topic=topic, payload=payload)
    assert read_back(written.to_jsonl()) == list(written.export())


def test_a_file_has_the_same_lines(tmp_path):
    file = JournalFile(tmp_path / "journal.jsonl")
    written = filled(5, capacity=3)
    for entry in written.export():
        file.write(entry)
    file.close()
    assert (tmp_path / "journal.jsonl").read_text() == written.to_jsonl()


def test_a_disk_that_is_full_is_told_once_and_does_no_harm(caplog):
    file = JournalFile("/dev/full")
    for entry in filled(3, capacity=3):
        file.write(entry)
    file.close()
    [record] = caplog.records
    assert record.getMessage() == "the journal /dev/full ends before its time: No space left on device"


# --- what is looked at ---


@pytest.mark.parametrize("field", ["topic", "event", "join_ref", "ref", "payload", "speaker"])
def test_a_token_anywhere_in_a_clients_message_is_masked(field):
    written = journal()
    written.record(Kind.RECEIVED, 0.0, **{field: f"a {JWT}"})
    [entry] = written
    assert getattr(entry, field) == f"a {MASK}"
    assert HEADER not in written.to_jsonl()


def test_secrets_in_a_payload_are_masked_by_their_key():
    written = journal()
    written.record(Kind.RECEIVED, 0.0, payload={"auth": {"x": 1}, "a": [{"Client_Secret": "hush"}]})
    [entry] = written
    assert entry.payload == {"auth": MASK, "a": [{"Client_Secret": MASK}]}


def test_a_token_in_the_topic_of_an_audio_chunk_is_masked():
    written = journal()
    written.record(Kind.RECEIVED, 0.0, topic=f"conversation:{JWT}", event="audio_chunk", audio_bytes=1600)
    [entry] = written
    assert entry.topic == f"conversation:{MASK}"


def test_a_large_payload_of_a_client_is_cut_and_says_so():
    written = journal()
    written.record(Kind.RECEIVED, 0.0, payload={"text": "x" * 100_000})
    written.record(Kind.RECEIVED, 0.0, payload={"text": "short"})
    large, small = written
    assert (large.cut, small.cut) == (True, False)
    assert isinstance(large.payload, dict)
    assert MAX_CHARS - 10 < large.payload["text"].index(CUT) < MAX_CHARS


class Untouched(dict):
    """A payload that must not be looked into."""

    def items(self):
        raise AssertionError("the payload was looked into")


def test_what_the_server_sends_is_not_looked_into():
    written = journal()
    payload = Untouched(text="x" * 100_000)
    written.record(Kind.RECEIVED, 0.0, topic=TOPIC, event="phx_join", payload={"speaker": "Alice"})
    written.record(Kind.SENT, 0.0, topic=TOPIC, event="audio_segment_decoded", payload=payload)
    *_, entry = written
    assert entry.payload is payload
    assert not entry.cut


def test_what_the_server_repeats_of_a_token_is_masked_as_well():
    written = journal()
    written.record(Kind.SENT, 0.0, topic=TOPIC, payload={"speaker": "Alice"})
    written.record(Kind.RECEIVED, 0.0, event="phx_join", speaker=JWT, payload={"speaker": JWT})
    large = {"speaker": JWT, "text": "x" * 100_000}
    written.record(Kind.SENT, 0.0, topic=TOPIC, event=f"{JWT}", speaker=JWT, payload=large, value=Refused(why=JWT))
    *_, entry = written
    assert (entry.event, entry.speaker, entry.note) == (MASK, MASK, MASK)
    assert entry.payload == {**large, "speaker": MASK}
    assert not entry.cut


def test_what_the_server_repeats_of_a_large_topic_is_cut_as_well():
    written = journal()
    for kind in (Kind.RECEIVED, Kind.SENT):
        written.record(kind, 0.0, topic="x" * 1_000_000)
    assert all(entry.cut and len(str(entry.topic)) < MAX_CHARS + 50 for entry in written)


@pytest.mark.parametrize("field", ["speaker", "topic", "event", "ref", "join_ref"])
def test_no_field_of_a_join_carries_a_token_into_the_journal_of_a_session(room, field):
    place, values = room(), {"topic": TOPIC, "event": "phx_join", "ref": "1", "join_ref": "1", "speaker": "Alice"}
    values[field] = f"{values[field]}{JWT}"
    peer, other = place.connect(), place.connect().joined("Bob")
    speaker = values.pop("speaker")
    peer.send(values["join_ref"], values["ref"], values["topic"], values["event"], {"speaker": speaker})
    peer.send(values["join_ref"], "2", values["topic"], "phx_leave")
    other.leave()
    text = place.space.journal.to_jsonl()
    assert MASK in text
    assert HEADER not in text


# --- findings ---


def test_findings_say_each_rule_once_for_each_speaker():
    written = journal()
    throttle = RuleBroken(rule=LimitRule.THROTTLE)
    for speaker, broken in (
        ("Alice", throttle),
        ("Bob", RuleBroken(rule=LimitRule.GAP, limit=5)),
        ("Alice", throttle),
        ("Alice", RuleBroken(rule=LimitRule.CHUNK, found=80_000, limit=64_000)),
        ("Alice", RuleBroken(rule=LimitRule.CHUNK, found=90_000, limit=64_000)),
        (None, throttle),
    ):
        written.note(broken, 0.0, speaker=speaker)
    unplayed = Unplayed(speaker="Alice", index=0, axis=Axis.AUDIO, due_ms=900, received_ms=500, played=0, planned=1)
    written.note(unplayed, 0.0, speaker="Alice")
    assert written.findings() == [
        "Alice: throttle: audio comes faster than the limit (2 times)",
        "Bob: gap: no audio for 5 s",
        "Alice: chunk: 80000 bytes of audio in one chunk; at most 64000 are allowed (2 times)",
        "throttle: audio comes faster than the limit",
    ]
    assert written.unplayed() == [
        "cue 0 of Alice was never played: it needs 0.9 s of audio, 0.5 s of audio arrived"
    ]


def test_an_entry_names_the_rule_that_the_ledger_explains():
    from uhlive_mock import ledger

    for rule in LimitRule:
        entry = Entry(index=0, wall=0.0, now=0.0, kind=Kind.RULE, value=RuleBroken(rule=rule, limit=1, found=2))
        assert ledger.find(entry.rule)


def test_a_line_is_json_with_only_what_there_is():
    written = journal()
    written.record(Kind.OPENED, 2.5, socket=1)
    assert json.loads(written.to_jsonl()) == {
        "index": 0,
        "wall": 1_700_000_000.5,
        "now": 2.5,
        "kind": "opened",
        "socket": 1,
    }
