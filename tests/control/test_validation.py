"""From JSON values to values of a type, or the reason why not."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given, strategies as st
from msgspec import UNSET, Meta, UnsetType

from uhlive_mock.control.app import OPERATIONS
from uhlive_mock.control.operation import DEEPEST, JSON, Refused, malformed, parse_json, read_query
from uhlive_mock.control.validation import Invalid, convert


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Inner(msgspec.Struct, kw_only=True):
    count: Annotated[int, Meta(ge=0)] = 0
    colour: Colour = Colour.RED


class Cat(msgspec.Struct, kw_only=True, tag_field="type", tag="cat"):
    lives: int = 9


class Dog(msgspec.Struct, kw_only=True, tag_field="type", tag="dog"):
    name: str


class Outer(msgspec.Struct, kw_only=True):
    number: int
    ratio: float = 0.0
    either: int | str | None = None
    word: Literal["one", "two"] | None = None
    status: Literal[401, 403] = 403
    inner: Inner | UnsetType = UNSET
    inners: list[Inner] = []
    pets: list[Cat | Dog] = []
    sound: bytes = b""
    client_secret: Annotated[str, Meta(max_length=3)] = ""
    anything: object = None
    labels: dict[str, Annotated[str, Meta(min_length=1)]] = {}


@pytest.mark.parametrize(
    ("found", "outer"),
    [
        ({"number": 1}, Outer(number=1)),
        ({"number": 2.0}, Outer(number=2)),
        ({"number": 1, "ratio": 2}, Outer(number=1, ratio=2.0)),
        ({"number": 1, "either": 2.0}, Outer(number=1, either=2)),
        ({"number": 1, "either": "x", "word": None}, Outer(number=1, either="x")),
        (
            {"number": 1, "inner": {"count": 3.0, "colour": "green"}},
            Outer(number=1, inner=Inner(count=3, colour=Colour.GREEN)),
        ),
        (
            {"number": 1, "pets": [{"type": "dog", "name": "x"}, {"type": "cat", "lives": 7.0}]},
            Outer(number=1, pets=[Dog(name="x"), Cat(lives=7)]),
        ),
        ({"number": 1, "sound": "AAE="}, Outer(number=1, sound=b"\0\1")),
        ({"number": 1, "status": 401.0}, Outer(number=1, status=401)),
        ({"number": 1, "anything": {"type": 2.0}}, Outer(number=1, anything={"type": 2.0})),
    ],
)
def test_what_fits_becomes_a_value(found, outer):
    assert convert(found, Outer) == outer


TOO_LONG = "str of length <= 3"


@pytest.mark.parametrize(
    ("found", "error", "value", "expected"),
    [
        ([], "the body: expected object", [], "object"),
        ({}, "number is missing", UNSET, "number"),
        ({"number": "1"}, "number: expected int", "1", "int"),
        ({"number": True}, "number: expected int", True, "int"),
        ({"number": 1.5}, "number: expected int", 1.5, "int"),
        ({"number": 1, "nmber": 1}, "unknown key 'nmber'; did you mean 'number'?", "nmber", UNSET),
        ({"number": 1, "word": "tow"}, "word: unknown value 'tow'; did you mean 'two'?", "tow", UNSET),
        ({"number": 1, "inner": {"cuont": 1}}, "inner: unknown key 'cuont'; did you mean 'count'?", "cuont", UNSET),
        ({"number": 1, "inner": {"count": -1}}, "inner.count: expected int >= 0", -1, "int >= 0"),
        (
            {"number": 1, "inners": [{}, {"colour": "gren"}]},
            "inners[1].colour: unknown value 'gren'; did you mean 'green'?",
            "gren",
            UNSET,
        ),
        ({"number": 1, "inners": [{}, {"count": "x"}]}, "inners[1].count: expected int", "x", "int"),
        (
            {"number": 1, "pets": [{"type": "cow"}]},
            "pets[0]: unknown type 'cow'; expected 'cat' or 'dog'",
            "cow",
            UNSET,
        ),
        (
            {"number": 1, "pets": [{"type": "dog", "nam": "x"}]},
            "pets[0]: unknown key 'nam'; did you mean 'name'?",
            "nam",
            UNSET,
        ),
        ({"number": 1, "pets": [{"type": "dog"}]}, "pets[0].name is missing", UNSET, "pets[0].name"),
        ({"number": 1, "pets": [{}]}, "pets[0].type is missing", UNSET, "pets[0].type"),
        ({"number": 1, "status": 402}, "status: expected 401 or 403", 402, "401 or 403"),
        ({"number": 1, "status": "401"}, "status: expected int", "401", "int"),
        ({"number": 1, "word": 1}, "word: expected str | null", 1, "str | null"),
        ({"number": 1, "labels": {"a": ""}}, "labels.a: expected str of length >= 1", "", "str of length >= 1"),
        ({"number": 1, "sound": "!"}, "sound: invalid base64 encoded string", "!", UNSET),
        ({"number": 1, "client_secret": "long"}, "client_secret: expected str of length <= 3", UNSET, TOO_LONG),
        ({"number": "x" * 1000}, "number: expected int", UNSET, "int"),
    ],
)
def test_what_does_not_fit_is_refused_with_place_and_value(found, error, value, expected):
    with pytest.raises(Invalid) as invalid:
        convert(found, Outer)
    refused = malformed(invalid.value)
    assert refused.status == 400
    assert refused.refusal.error == error
    assert refused.refusal.found == value
    assert refused.refusal.expected == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
bodies = [kind for operation in OPERATIONS if isinstance(kind := operation.body.kinds.get(JSON), type)]
fields = st.one_of(
    st.fixed_dictionaries({}, optional=dict.fromkeys(kind.__struct_fields__, json_values)) for kind in bodies
)


def outcome(read: Callable[[], object]) -> object:
    """What reading gives, a refusal included."""
    try:
        return read()
    except Invalid as invalid:
        return malformed(invalid)
    except Refused as refused:
        return refused


@given(st.sampled_from(bodies), json_values | fields)
def test_whatever_json_says_becomes_a_value_or_a_refusal(kind, found):
    value = outcome(lambda: convert(found, kind))
    assert isinstance(value, kind | Refused)
    if isinstance(value, Refused):
        assert value.status == 400
        assert msgspec.json.encode(value.refusal)


@given(
    st.sampled_from(OPERATIONS),
    st.binary(max_size=40) | st.from_regex(rb"\A(after|limit|timeout|at_end)=[-0-9.a-z\[]{1,9}\Z"),
)
def test_whatever_a_query_says_becomes_a_value_or_a_refusal(operation, query):
    value = outcome(lambda: read_query(query, operation.query))
    assert isinstance(value, operation.query | Refused)
    assert not isinstance(value, Refused) or value.status == 400


@given(st.binary(max_size=40))
def test_whatever_bytes_come_are_json_or_refused(content):
    value = outcome(lambda: parse_json(content))
    assert not isinstance(value, Refused) or value.status == 400


@pytest.mark.parametrize(("levels", "fits"), [(DEEPEST, True), (DEEPEST + 1, False), (100_000, False)])
def test_json_nests_only_so_deep(levels, fits):
    content = b"[" * levels + b"1" + b"]" * levels
    if fits:
        assert parse_json(content)
    else:
        with pytest.raises(Refused, match="nests more than 100 deep"):
            parse_json(content)
