"""Notations read as people write them and come back as they were; mistakes are named."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.errors import ScenarioError
from uhlive_mock.model.scenario import InlineEntity
from uhlive_mock.scenarios.notation import (
    format_duration,
    format_inline,
    format_rate,
    format_size,
    parse_duration,
    parse_inline,
    parse_rate,
    parse_size,
    seconds_to_ms,
)


def test_text_without_brackets_is_itself() -> None:
    assert parse_inline("très bien") == ("très bien", ())


def test_white_space_becomes_one_space() -> None:
    assert parse_inline("  très \n bien ")[0] == "très bien"


def test_a_name_in_parentheses_names_the_entity() -> None:
    text, entities = parse_inline("billets pour [Lyon](location_city)")
    assert text == "billets pour Lyon"
    assert entities == (InlineEntity(name="location_city", first=2, last=2, source="Lyon"),)


def test_a_json_object_describes_the_entity() -> None:
    notation = '[vingt deux]{"entity": "number", "value": 22, "display": "22", "confidence": 0.5} billets'
    text, entities = parse_inline(notation)
    assert text == "vingt deux billets"
    assert entities == (
        InlineEntity(name="number", first=0, last=1, source="vingt deux", value=22, display="22", confidence=0.5),
    )


def test_a_value_may_be_any_json() -> None:
    _, (entity,) = parse_inline('[dix euros]{"entity": "quantity_money", "value": {"unit": "euro", "value": 10}}')
    assert entity.value == {"unit": "euro", "value": 10}


@pytest.mark.parametrize("punctuation", [".", ",", "?!", "…", ")", "»", "\\["])
def test_punctuation_after_an_entity_is_part_of_the_word_but_not_of_the_source(punctuation: str) -> None:
    text, (entity,) = parse_inline(f"à [Lyon](location_city){punctuation} oui")
    assert text == f"à Lyon{punctuation.removeprefix(chr(92))} oui"
    assert (entity.source, entity.first, entity.last) == ("Lyon", 1, 1)


def test_escaped_brackets_are_brackets() -> None:
    assert parse_inline(r"un \[bruit\] et \\ fin") == (r"un [bruit] et \ fin", ())


def test_an_escaped_bracket_may_be_in_an_entity() -> None:
    _, (entity,) = parse_inline(r"[a\]b](x)")
    assert entity.source == "a]b"


def test_other_backslashes_are_backslashes() -> None:
    assert parse_inline(r"c:\temp")[0] == r"c:\temp"


@pytest.mark.parametrize(
    ("notation", "message"),
    [
        ("a [b", "column 3 of the text: '[' is never closed; expected ']', or '\\[' for a bracket"),
        (
            "a [b] c",
            "column 3 of the text: '[b]' names no entity; expected (name) or {...} next, or '\\[' for a bracket",
        ),
        ("[](x)", "column 1 of the text: the brackets are empty; expected the words of the entity"),
        (
            "[a [b](x)](y)",
            "column 4 of the text: '[' inside brackets; expected ']' first, or '\\[' for a bracket",
        ),
        (
            "l'[hôtel](x)",
            "column 3 of the text: \"l'\" touches '['; expected a space, or '\\[' for a bracket",
        ),
        ("[a](x)b", "column 7 of the text: 'b' touches the entity before it; expected a space"),
        ("[a](x)[b](y)", "column 7 of the text: two entities touch; expected a space between them"),
        ("[a](x", "column 4 of the text: '(' is never closed; expected (name)"),
        ("[a](x y)", "column 4 of the text: entity name 'x y'; expected letters, digits and underscores"),
        ("[a]()", "column 4 of the text: entity name ''; expected letters, digits and underscores"),
        ('[a]{"entity": "x"', "column 18 of the text: not a JSON object: Expecting ',' delimiter"),
        ("[a]{}", 'column 4 of the text: the JSON object names no entity; expected "entity": "name"'),
        (
            '[a]{"entity": "x", "values": 1}',
            "column 4 of the text: unknown key 'values'; did you mean 'value'?",
        ),
        ('[a]{"entity": "x", "entity": "y"}', "column 4 of the text: key 'entity' is written twice"),
        ('[a]{"entity": "x", "display": 2}', "column 4 of the text: display is 2; expected text"),
        (
            '[a]{"entity": "x", "confidence": "1"}',
            'column 4 of the text: confidence is "1"; expected a number from 0 to 1',
        ),
        ('[a]{"entity": "x", "confidence": 2}', "column 4 of the text: confidence is 2; expected 0 to 1"),
        ('[a]{"entity": "x", "value": NaN}', "column 4 of the text: found nan; expected a finite number"),
        (
            '[a]{"entity": "x", "value": ' + "9" * 20 + "}",
            "column 4 of the text: found a whole number of more than 64 bits; write it as text",
        ),
        (
            '[a]{"entity": "x", "value": ' + "9" * 5000 + "}",
            "column 4 of the text: not a JSON object: a number is too long, or it nests too deep",
        ),
        (
            '[a]{"entity": "x", "value": ' + "[" * 50 + "]" * 50 + "}",
            "column 4 of the text: lists and mappings nest more than 40 deep",
        ),
    ],
)
def test_mistakes_are_named_with_their_column(notation: str, message: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        parse_inline(notation)
    assert refused.value.problem == message


def test_a_source_that_is_not_its_words_cannot_be_written() -> None:
    entity = InlineEntity(name="x", first=0, last=0, source="deux")
    with pytest.raises(ScenarioError, match="entity 'x' has source 'deux' but covers 'trois'"):
        format_inline("trois billets", [entity])


words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Z"]) | st.sampled_from("[]\\(){}"),
    min_size=1,
).filter(lambda word: len(word.split()) == 1)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def annotated_texts(draw: st.DrawFn) -> tuple[str, tuple[InlineEntity, ...]]:
    """A text and disjoint entities, some of whose last words end in punctuation."""
    spoken: list[str] = []
    entities: list[InlineEntity] = []
    for _ in range(draw(st.integers(1, 4))):
        chunk = draw(st.lists(words, min_size=1, max_size=3))
        if draw(st.booleans()):
            entities.append(
                InlineEntity(
                    name=draw(st.sampled_from(["number", "location_city"])),
                    first=len(spoken),
                    last=len(spoken) + len(chunk) - 1,
                    source=" ".join(chunk),
                    value=draw(json_values),
                    display=draw(st.none() | st.text()),
                    confidence=draw(st.floats(0, 1)),
                )
            )
            chunk[-1] += draw(st.sampled_from(["", ".", "?]", "\\"]))
        spoken += chunk
    return " ".join(spoken), tuple(entities)


@given(annotated_texts())
def test_a_written_notation_reads_back(annotated: tuple[str, tuple[InlineEntity, ...]]) -> None:
    assert parse_inline(format_inline(*annotated)) == annotated


@given(st.text(st.sampled_from('[](){}\\" :,.entity1\n') | st.characters()))
def test_no_text_raises_anything_but_a_scenario_error(notation: str) -> None:
    try:
        text, entities = parse_inline(notation)
    except ScenarioError:
        return
    assert json.dumps([entity.value for entity in entities], allow_nan=False)
    assert all(entity.last < len(text.split()) for entity in entities)


# --- durations --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("250ms", 250),
        ("250 ms", 250),
        ("0.4s", 400),
        (".4s", 400),
        ("2.1 s", 2100),
        ("24s", 24_000),
        ("1min", 60_000),
        ("1.5min", 90_000),
        ("1min 30s", 90_000),
        ("1min30s", 90_000),
        ("1 min 30 s 5 ms", 90_005),
        ("1s 5ms", 1005),
        ("5", 5000),
        ("0.125", 125),
        ("0", 0),
        ("0s", 0),
        ("0.29", 290),
    ],
)
def test_durations_are_read_exactly(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "soon", "-1s", "+1s", "1h", "1 s 1min", "1e3", "1,5s", "1s ", " 1s", "1.s", "s", "ms", "0x10"],
)
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ScenarioError, match=r"expected a duration such as 250ms, 1\.5s or 1min 30s"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["0.0001s", "0.5ms", "1.23456"])
def test_less_than_a_millisecond_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError, match="expected a whole number of milliseconds"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(0, "0s"), (250, "250ms"), (1000, "1s"), (2100, "2.1s"), (24_005, "24.005s")]
)
def test_durations_are_written_short(milliseconds: int, text: str) -> None:
    assert format_duration(milliseconds) == text


@given(st.integers(0, 10**9))
def test_a_written_duration_reads_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds)) == milliseconds


@given(st.integers(0, 10**9))
def test_seconds_as_floats_are_the_milliseconds_they_stand_for(milliseconds: int) -> None:
    assert seconds_to_ms("at", milliseconds / 1000) == milliseconds


@pytest.mark.parametrize("seconds", [0.0001, float("nan"), float("inf"), 1e300])
def test_seconds_that_are_no_milliseconds_are_refused(seconds: float) -> None:
    with pytest.raises(ScenarioError, match=r"^at is .* s; expected a whole number of milliseconds$"):
        seconds_to_ms("at", seconds)


# --- sizes and data rates ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64 kB", 64_000),
        ("64kB", 64_000),
        ("64 KiB", 65_536),
        ("1 MB", 1_000_000),
        ("1 MiB", 1_048_576),
        ("1.5 MB", 1_500_000),
        ("0.29 kB", 290),
        ("320 B", 320),
        ("64000", 64_000),
        ("0", 0),
    ],
)
def test_sizes_are_read_exactly(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "rate"), [("20 kB/s", 20_000), ("16KiB/s", 16_384), ("1 MB/s", 1_000_000), ("5 B/s", 5)]
)
def test_rates_are_read_exactly(text: str, rate: int) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "kB", "64 KB", "64 kb", "64 k", "-1", "1e3", "64_000", "64  kB", "20 kB/s", ".5 kB"]
)
def test_any_other_size_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ScenarioError, match="expected a size such as 64 kB, 64 KiB or 64000"):
        parse_size(text)


@pytest.mark.parametrize(
    "text", ["", "/s", "20", "20/s", "20 kB", "20 kB/min", "160 kbit/s", "20 kB /s", "20 KB/s"]
)
def test_any_other_rate_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ScenarioError, match="expected a data rate such as 20 kB/s or 20 KiB/s"):
        parse_rate(text)


@pytest.mark.parametrize("text", ["0.5 B", "0.0001 kB"])
def test_less_than_a_byte_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError, match="expected a whole number of bytes"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(64_000, "64 kB"), (65_536, "64 KiB"), (1_000_000, "1 MB"), (1_048_576, "1 MiB"), (1500, "1500 B")],
)
def test_sizes_are_written_short(size: int, text: str) -> None:
    assert format_size(size) == text


@given(st.integers(1, 10**12 - 1))
def test_a_written_size_or_rate_reads_back(size: int) -> None:
    assert parse_size(format_size(size)) == size
    assert parse_rate(format_rate(size)) == size
