"""The rules with their ids, and what kind of client breaks them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.errors import ConfigurationError
from uhlive_mock.protocol.journal import Entry, Kind
from uhlive_mock.verification.rules import OTHERS, RULES, ClientKind, ClientTraits, Severity, known, opt_out
from uhlive_mock.wire.framing import Framing

PYTHON = {
    "readonly": False,
    "speaker": "Alice",
    "model": "fr",
    "country": "fr",
    "interim_results": True,
    "rescoring": True,
    "origin": 0,
    "audio_codec": "linear",
}


@pytest.mark.parametrize("rule", [*RULES.values(), *OTHERS.values()], ids=lambda rule: rule.id)
def test_every_rule_has_a_sentence_and_says_from_where_we_know(rule):
    assert rule.sentence[0].isupper()
    assert rule.sentence.endswith(".")
    assert bool(rule.grade) == bool(rule.evidence) == (rule.id in RULES)
    assert all(severity is Severity.WARNING for severity in rule.milder.values())
    assert bool(opt_out(rule.id)) == (rule.id != "defect")


def test_ids_to_allow_are_known_or_refused_with_the_one_that_was_meant():
    assert known(["gap", "*", "unheard"]) == {"gap", "*", "unheard"}
    for wrong, message in {
        "chunk": "there is no rule 'chunk' to allow; did you mean 'chunk_size'?",
        "unplayed_cues": "there is no rule 'unplayed_cues' to allow; did you mean 'unplayed_cue'?",
        "defect": "a defect of uhlive-mock itself cannot be allowed; please report it",
        "xyz": "there is no rule 'xyz' to allow; expected '*' or any of reference_reuse, ",
    }.items():
        with pytest.raises(ConfigurationError) as refused:
            known(["gap", wrong])
        assert str(refused.value).startswith(message)


# --- kinds of clients ---


def seen(*messages: dict[str, object], framing: str = "vsn2") -> ClientKind:
    traits = ClientTraits()
    traits.framing = Framing(framing)
    for message in messages:
        traits.see(Entry(index=0, wall=0.0, now=0.0, kind=Kind.RECEIVED, **message))
    return traits.kind


def join(payload: dict[str, object], *, join_ref: object = "1", ref: object = "1") -> dict[str, object]:
    return {"event": "phx_join", "join_ref": join_ref, "ref": ref, "payload": payload}


BINARY = {"event": "audio_chunk", "audio_bytes": 2, "binary": True}
BLOB = {"event": "audio_chunk", "audio_bytes": 2}
BEAT = {"topic": "phoenix", "event": "heartbeat"}
OLDER = {name: value for name, value in PYTHON.items() if name != "audio_codec"}
WRAPPED = {"speaker": "a", "wrapper": "uhlive"}


@pytest.mark.parametrize(
    ("messages", "kind"),
    [
        ([], ClientKind.OTHER),
        ([BEAT], ClientKind.OTHER),
        ([join(PYTHON)], ClientKind.PYTHON),
        ([join(PYTHON), BINARY, join(PYTHON, ref="9")], ClientKind.PYTHON),
        ([join(OLDER), BINARY], ClientKind.PYTHON),
        ([join(PYTHON), BEAT], ClientKind.JAVASCRIPT),
        ([join(PYTHON | {"more": 1})], ClientKind.OTHER),
        ([join({"speaker": "Alice"}), BINARY], ClientKind.OTHER),
        ([join(WRAPPED, join_ref="6", ref="6")], ClientKind.JAVASCRIPT),
        ([join({"speaker": "a"}, join_ref="6", ref="6"), BLOB], ClientKind.JAVASCRIPT),
        ([join({"speaker": "a"}, join_ref="6", ref="6"), BEAT, BINARY], ClientKind.JAVASCRIPT),
        ([join({"speaker": "a"}, join_ref="6", ref="7"), BEAT], ClientKind.OTHER),
        ([join({"speaker": "a"}, join_ref=6, ref=6), BEAT], ClientKind.OTHER),
    ],
)
def test_a_client_is_known_by_its_joins_its_audio_and_its_heartbeats(messages, kind):
    assert seen(*messages) is kind


def test_nobody_on_vsn1_is_an_official_client():
    assert seen(join(PYTHON), BINARY, framing="vsn1") is ClientKind.OTHER


JSON = st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=2))


@given(event=JSON, join_ref=JSON, ref=JSON, payload=JSON | st.dictionaries(st.text(max_size=3), JSON, max_size=2))
def test_whatever_a_client_sends_it_is_some_client(event, join_ref, ref, payload):
    message = {"event": event, "join_ref": join_ref, "ref": ref, "payload": payload}
    assert seen(message, message | {"event": "phx_join"}) in ClientKind
