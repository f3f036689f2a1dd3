"""The schema for editors accepts what the loader accepts and refuses what it refuses about keys and types."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from uhlive_mock.errors import ScenarioError
from uhlive_mock.model.fault import FaultKind
from uhlive_mock.scenarios import builtin_scenario, format_scenario, json_schema, parse_scenario
from uhlive_mock.scenarios.nodes import read_nodes
from uhlive_mock.scenarios.values import plain

FIXTURES = Path(__file__).parents[2] / "fixtures"
VALIDATOR = Draft202012Validator(json_schema())

SOUND = {
    "everything": """\
version: 1
scenario: billets
match: {conversation: "support-*"}
seed: 7
timing: {latency: 100ms, jitter: 0, interim_every: 0.5, word: 1min 30s}
limits:
  throttle: {rate: 20.5 kB/s, burst: 64KiB, action: "off", measure: framed}
  gap: {after: 5s, action: leave}
  idle: {after: off, close_code: 4000}
  chunk: {max: 64000, action: report}
speakers:
  "*":
    - {at: 0.4s, until: 2.1s, say: "[Lyon](location_city)", normalized: Lyon., country: ch, confidence: 1}
    - {after: 1s, segment: très bien, confidence: 0.5}
    - {when: joined, event: {name: custom_event, payload: {a: [1]}}}
    - {at: 3, entity: {name: city, source: lyon, display: Lyon, value: {a: 1}, confidence: 0.97}, lang: fr}
    - {at: 4s, relation: {name: location, members: [location_street]}}
    - {at: 5s, tags: [{id: t1, label: Request, confidence: 0.8}], confidence: 0.5}
    - {at: 5s, interim: bonjour}
    - {at: 5s, normalized: Bonjour.}
    - {at: 6s, fault: {close: 1011, count: all, speaker: Bob, probability: 0.5}}
    - {at: 6s, fault: {delay_events: 2s, count: 3, event: "entity_*", probability: 1}}
    - {at: 6s, fault: {join_error: full}}
    - {at: 6s, fault: {token_status: 503}}
    - {at: 6s, fault: {reset: true}}
    - {after: 1s, fault: cut_frame}
  Bob: {loop: 24s, ghost: true, say_from: first_audio, script: [{at: 1s, say: oui}]}
  Zoe: {ghost: false, script: []}
""",
    "no limits": "version: 1\nlimits: {throttle: off, gap: off, idle: off, chunk: off}\nspeakers: {}\n",
    "the default limits": "version: 1\nlimits: {throttle: {}, idle: {}}\nspeakers: {}\n",
    "silence": "version: 1\nspeakers: {}\n",
    "builtin": format_scenario(builtin_scenario()),
    "billets": (FIXTURES / "billets.yaml").read_text(encoding="utf-8"),
    "delivery": (FIXTURES / "delivery.yaml").read_text(encoding="utf-8"),
}

CUES = {
    "no trigger": "{say: oui}",
    "two triggers": "{at: 1s, after: 1s, say: oui}",
    "no action": "{at: 1s}",
    "two actions": "{at: 1s, segment: oui, normalized: Oui.}",
    "until without at": "{after: 1s, until: 2s, say: oui}",
    "normalized beside an interim": "{at: 1s, interim: oui, normalized: Oui.}",
    "lang beside an event": "{at: 1s, event: {name: x}, lang: fr}",
    "unknown moment": "{when: join, say: oui}",
    "duration in hours": "{at: 1h, say: oui}",
    "negative duration": "{at: -1, say: oui}",
    "text that is a number": "{at: 1s, say: 12}",
    "text of white space": "{at: 1s, segment: ' '}",
    "confidence above 1": "{at: 1s, say: oui, confidence: 2}",
    "entity name with a hyphen": "{at: 1s, entity: {name: a-b, source: a}}",
    "entity without source": "{at: 1s, entity: {name: a}}",
    "relation without members": "{at: 1s, relation: {name: a, members: []}}",
    "tags without tag": "{at: 1s, tags: []}",
    "unknown fault": "{at: 1s, fault: rest}",
    "bare fault that takes a value": "{at: 1s, fault: close}",
    "fault without a kind": "{at: 1s, fault: {count: 2}}",
    "fault of two kinds": "{at: 1s, fault: {close: 1011, reset: true}}",
    "fault that is false": "{at: 1s, fault: {reset: false}}",
    "fault with a code never sent": "{at: 1s, fault: {close: 1005}}",
    "fault with a status of success": "{at: 1s, fault: {token_status: 200}}",
    "fault that never applies": "{at: 1s, fault: {reset: true, count: 0}}",
    "fault that is never likely": "{at: 1s, fault: {reset: true, probability: 0}}",
    "fault of no event with an event": "{at: 1s, fault: {reset: true, event: a}}",
    "until beside a fault": "{at: 1s, until: 2s, fault: reset}",
    "lang beside a fault": "{at: 1s, fault: reset, lang: fr}",
}

LIMITS = {
    "unknown limit": "{rate: 20 kB/s}",
    "limit that is on": "{gap: on}",
    "limit of nothing": "{gap: }",
    "rate without a unit": "{throttle: {rate: 20}}",
    "rate in bits": "{throttle: {rate: 160 kbit/s}}",
    "unknown action": "{throttle: {action: leave}}",
    "unknown measure": "{throttle: {measure: bytes}}",
    "negative size": "{chunk: {max: -1}}",
    "size in an unknown unit": "{chunk: {max: 64 KB}}",
    "close code never sent": "{idle: {close_code: 1006}}",
    "gap after off": "{gap: {after: off}}",
}

SCRIPTS = {
    "say_from without ghost": "{say_from: joined, script: []}",
    "say_from of a speaker that is no ghost": "{ghost: false, say_from: joined, script: []}",
    "say_from left": "{ghost: true, say_from: left, script: []}",
    "ghost by another word": "{ghost: yes, script: []}",
}


def plain_of(document: str) -> object:
    root, problems = read_nodes(document, "<string>")
    assert not problems
    return plain(root)


def with_a_foreign_key(value: object) -> Iterator[object]:
    """Copies of a document, each with one unknown key, in every mapping but those that hold any JSON."""
    root = copy.deepcopy(value)

    def visit(part: object) -> Iterator[object]:
        if isinstance(part, dict):
            part["foreign"] = "x"
            yield root
            del part["foreign"]
        for key, inner in list(part.items() if isinstance(part, dict) else enumerate(part)):
            if isinstance(inner, dict | list) and key not in ("payload", "value"):
                yield from visit(inner)

    yield from visit(root)


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(json_schema())
    assert json.loads(json.dumps(json_schema())) == json_schema()


@pytest.mark.parametrize("name", SOUND)
def test_sound_documents_are_accepted(name: str) -> None:
    parse_scenario(SOUND[name])
    assert [error.message for error in VALIDATOR.iter_errors(plain_of(SOUND[name]))] == []


@pytest.mark.parametrize("name", SOUND)
def test_an_unknown_key_in_any_mapping_is_refused_as_the_loader_does(name: str) -> None:
    tried = 0
    for foreign in with_a_foreign_key(plain_of(SOUND[name])):
        assert not VALIDATOR.is_valid(foreign)
        with pytest.raises(ScenarioError, match=r"unknown key 'foreign'|speakers\.foreign"):
            parse_scenario(json.dumps(foreign, ensure_ascii=False))
        tried += 1
    assert tried >= 2


@pytest.mark.parametrize("mistake", CUES)
def test_a_mistake_in_a_cue_is_refused_as_the_loader_does(mistake: str) -> None:
    document = f"version: 1\nspeakers:\n  Alice:\n    - {CUES[mistake]}\n"
    assert not VALIDATOR.is_valid(plain_of(document))
    with pytest.raises(ScenarioError):
        parse_scenario(document)


@pytest.mark.parametrize("mistake", LIMITS)
def test_a_mistake_in_the_limits_is_refused_as_the_loader_does(mistake: str) -> None:
    document = f"version: 1\nspeakers: {{}}\nlimits: {LIMITS[mistake]}\n"
    assert not VALIDATOR.is_valid(plain_of(document))
    with pytest.raises(ScenarioError):
        parse_scenario(document)


@pytest.mark.parametrize("mistake", SCRIPTS)
def test_a_mistake_about_a_ghost_is_refused_as_the_loader_does(mistake: str) -> None:
    document = f"version: 1\nspeakers:\n  Bob: {SCRIPTS[mistake]}\n"
    assert not VALIDATOR.is_valid(plain_of(document))
    with pytest.raises(ScenarioError):
        parse_scenario(document)


@pytest.mark.parametrize("kind", FaultKind)
def test_every_fault_is_accepted_with_what_it_takes(kind: FaultKind) -> None:
    value = {"a status": "503", "a close code": "1011", "a text": "full", "a duration": "2s"}
    taken = next(
        (text for what, text in value.items() if kind.takes.replace("an HTTP", "a").startswith(what)), "true"
    )
    document = f"version: 1\nspeakers: {{Bob: [{{at: 1s, fault: {{{kind}: {taken}}}}}]}}\n"
    assert VALIDATOR.is_valid(plain_of(document))
    assert parse_scenario(document).speakers["Bob"].cues[0].action.kind is kind  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "document", ["version: 2\nspeakers: {}", "speakers: {}", "version: 1", "[]", "version: 1\nspeakers: []"]
)
def test_a_mistake_at_the_top_is_refused_as_the_loader_does(document: str) -> None:
    assert not VALIDATOR.is_valid(plain_of(document))
    with pytest.raises(ScenarioError):
        parse_scenario(document)


def test_every_key_has_a_description() -> None:
    def properties(schema: object) -> Iterator[tuple[str, object]]:
        if isinstance(schema, dict):
            if schema.get("additionalProperties") is False:
                yield from schema["properties"].items()
            for inner in schema.values():
                yield from properties(inner)
        elif isinstance(schema, list):
            for inner in schema:
                yield from properties(inner)

    described = list(properties(json_schema()))
    assert len(described) > 30
    assert all(isinstance(schema, dict) and schema["description"].endswith(".") for _, schema in described)
