"""The OpenAPI document of the control API, and whether the server keeps to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from uhlive_mock.control.app import OPERATIONS, openapi

DOCUMENT: dict[str, Any] = openapi(OPERATIONS, version="1", needs_token=False)
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
DESCRIBED = [
    pytest.param(method.upper(), path, operation, id=operation["operationId"])
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]


def inside(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from inside(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from inside(inner)


def validate(value: object, schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


# --- the document ---


def test_it_is_served_as_it_is_made(control):
    served = control("GET", "openapi.json")
    assert served["openapi"] == "3.1.0"
    assert served["paths"] == DOCUMENT["paths"]
    assert served["components"].keys() == DOCUMENT["components"].keys()


def test_it_has_every_operation_and_each_has_a_name_of_its_own():
    assert len(DESCRIBED) == len(OPERATIONS)
    assert len({operation["operationId"] for _, _, operation in (param.values for param in DESCRIBED)}) == len(
        DESCRIBED
    )


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_one(name):
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


def test_every_reference_leads_somewhere_and_every_schema_is_referred_to():
    references = {found["$ref"] for found in inside(DOCUMENT) if isinstance(found.get("$ref"), str)}
    assert {reference.removeprefix("#/components/schemas/") for reference in references} == SCHEMAS.keys()


@pytest.mark.parametrize(("method", "path", "operation"), DESCRIBED)
def test_every_name_in_a_path_is_described_and_every_link_fits(method, path, operation):
    described = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
    assert described == re.findall(r"\{(\w+)\}", path)
    names = {each.values[2]["operationId"] for each in DESCRIBED}
    for response in operation["responses"].values():
        assert {link["operationId"] for link in response.get("links", {}).values()} <= names


# --- the server ---


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a schema of ours allows."""
    anything = st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=5,
    )
    match schema:
        case {"$ref": "#/components/schemas/Scenario"}:
            return st.just({"version": 1, "speakers": {"Alice": [{"at": 1, "say": "bonjour"}]}})
        case {"$ref": str(reference)}:
            return values(SCHEMAS[reference.rpartition("/")[2]])
        case {"anyOf": list(choices)} | {"oneOf": list(choices)}:
            return st.one_of(*map(values, choices))
        case {"enum": list(words)}:
            return st.sampled_from(words)
        case {"const": word}:
            return st.just(word)
        case {"type": "null"}:
            return st.none()
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "integer"}:
            low, high = schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1)
            return st.integers(low, high) | st.integers(max(low, -99), min(high, 99)).map(float)
        case {"type": "number"}:
            low = schema.get("minimum", schema.get("exclusiveMinimum"))
            return st.floats(low, schema.get("maximum"), exclude_min="exclusiveMinimum" in schema, allow_nan=False)
        case {"type": "string", "contentEncoding": "base64"}:
            return st.sampled_from(["", "AAAA", "AAA="])
        case {"type": "string", "pattern": str(pattern)}:
            return st.from_regex(pattern)
        case {"type": "string"}:
            low, high = schema.get("minLength", 0), schema.get("maxLength", 12)
            return st.text(st.characters(exclude_categories=["Cs"]), min_size=low, max_size=min(high, low + 12))
        case {"type": "array", "items": dict(items)}:
            return st.lists(values(items), min_size=schema.get("minItems", 0), max_size=3)
        case {"type": "object", "properties": dict(properties)}:
            known = {name: values(inner) for name, inner in properties.items()}
            needed = set(schema.get("required", ()))
            return st.fixed_dictionaries(
                {name: inner for name, inner in known.items() if name in needed},
                optional={name: inner for name, inner in known.items() if name not in needed},
            )
        case {"type": "object"}:
            inner = schema.get("additionalProperties")
            few = values(inner) if isinstance(inner, dict) else anything
            low = schema.get("minProperties", 0)
            return st.dictionaries(st.text(min_size=1, max_size=4), few, min_size=low, max_size=low + 2)
    return anything


def requests_for(operation: dict[str, Any]) -> st.SearchStrategy[tuple[dict[str, Any], Any]]:
    """The queries and JSON bodies that the document allows."""
    asked = {each["name"]: values(each["schema"]) for each in operation["parameters"] if each["in"] == "query"}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    query = st.fixed_dictionaries({}, optional=asked)
    return st.tuples(query, values(body["schema"]) if body else st.none())


def hurry(path: str, query: dict[str, Any], body: Any) -> None:
    """Nobody waits for as long as the document allows."""
    if path.endswith("/wait"):
        query.setdefault("timeout", 0)
    for place in (query, body):
        if isinstance(place, dict) and "timeout" in place:
            place["timeout"] = min(place["timeout"], 0.001)


@pytest.fixture
def busy(server, control, dial):
    """A space in which every path leads somewhere, and where a path leads."""
    with server.space(client_id="acme", clock="audio") as space:
        dial(space).audio(1600)
        space.journal.wait_for(event="audio_chunk")
        yield lambda path: path.format(space="acme", conversation="conv1", speaker="Alice")


@pytest.mark.parametrize(("method", "path", "operation"), DESCRIBED)
@given(data=st.data())
@settings(max_examples=4, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
def test_what_the_document_allows_is_answered_as_it_says(control, busy, method, path, operation, data):
    query, body = data.draw(requests_for(operation))
    hurry(path, query, body)
    if "client_id" in (body or {}) and isinstance(body, dict):
        del body["client_id"]  # one client id is one space, and there are many here
    params = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}
    for _ in range(2):  # what was done once may not be possible again
        answer = control.session.request(method, control.url + busy(path), params=params, json=body, timeout=10)
        assert answer.status_code not in (400, 415), answer.text
        check(answer, operation)
        if answer.status_code == 201:
            control("DELETE", answer.headers["location"].removeprefix("/_mock/"), status=204)


def check(answer: requests.Response, operation: dict[str, Any]) -> None:
    """An answer is one that the document knows."""
    described = operation["responses"].get(str(answer.status_code))
    assert described, f"{answer.status_code} is not in the document: {answer.text[:500]}"
    media = answer.headers.get("content-type", "").partition(";")[0]
    assert media in described.get("content", {"": None})
    if media == "application/json":
        validate(answer.json(), described["content"][media]["schema"])


@pytest.mark.parametrize(("method", "path", "operation"), DESCRIBED)
def test_what_the_document_does_not_know_is_refused(control, busy, method, path, operation):
    url = control.url + busy(path)
    unknown = control.session.request(method, url, params={"nonsense": "1"}, timeout=5)
    assert unknown.status_code == 400
    assert "unknown query parameter 'nonsense'" in unknown.json()["error"]
    if "requestBody" in operation:
        wrong = control.session.request(method, url, data="a=1", headers={"Content-Type": "text/plain"}, timeout=5)
        assert wrong.status_code == 415
        broken = control.session.request(
            method, url, data='{"a": ', headers={"Content-Type": "application/json"}, timeout=5
        )
        assert broken.status_code == 400
        validate(broken.json(), SCHEMAS["Refusal"])


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_any_other_method_is_answered_with_those_there_are(control, busy, path):
    there = {method.upper() for method in DOCUMENT["paths"][path]}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - there:
        answer = control.session.request(method, control.url + busy(path), timeout=5)
        assert answer.status_code == 405
        assert set(answer.headers["allow"].split(", ")) == there


@pytest.mark.parametrize(
    "path", ["", "nothing", "spaces/", "spaces/acme/", "health/", "spaces/acme//journal", "a\nb"]
)
def test_any_other_path_is_answered_with_where_to_look(control, path):
    answer = requests.get(f"{control.url}/_mock/{path}", timeout=5)
    assert answer.status_code == 404
    assert "/_mock/openapi.json lists what there is" in answer.json()["error"]


def test_a_head_has_the_headers_of_its_get(control):
    head = control.session.head(f"{control.url}/_mock/health", timeout=5)
    get = control.session.get(f"{control.url}/_mock/health", timeout=5)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
