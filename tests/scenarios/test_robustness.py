"""Whatever a document says, the loader answers with a scenario or a ScenarioError."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uhlive_mock.errors import ScenarioError
from uhlive_mock.scenarios import check_scenario, format_scenario, parse_scenario

TROUBLE = """\
  Zoe:
    ghost: true
    say_from: first_audio
    script:
      - {after: 1s, fault: {delay_events: 2s, count: all, event: "entity_*", probability: 0.5}}
      - {after: 1s, fault: reset}
limits:
  throttle: {rate: 20 kB/s, burst: 64 kB, action: close}
  gap: off
  idle: {after: 60s, close_code: 1002}
"""
BILLETS = (Path(__file__).parents[2] / "fixtures" / "billets.yaml").read_text(encoding="utf-8") + TROUBLE
LINES = BILLETS.splitlines(keepends=True)

fragments = st.one_of(
    st.sampled_from(
        ["\n", " ", "  ", "\t", ":", ": ", "- ", "? ", "[", "]", "{", "}", ",", "#", " #", "&a ", "*a"]
    ),
    st.sampled_from(
        ["!", "!!str ", "|", ">-", "'", '"', "%", "@", "`", "---", "...", "<<", "~", "null", "1", "-1"]
    ),
    st.sampled_from(["1e999", ".inf", "0x1f", "9" * 5000, "\\u", "\\x", '"\\UFFFFFFFF"', '"\\ud800"', '"\\N"']),
    st.sampled_from(["%YAML 1.1\n", "%TAG ! a\n", "\r", "\x85", "\u2028", "\ufeff", "\0", "\ud800"]),
    st.sampled_from(
        ["at", "until", "say", "on", "limits", "speakers", "version", "script", "loop", "12s", "joined"]
    ),
    st.sampled_from(["fault", "ghost", "say_from", "gap", "rate", "off", "20 kB/s", "reset", "close", "all"]),
)


def outcome(document: str) -> None:
    """Parse a document: a scenario can be written again, an error has a message that can be printed."""
    try:
        scenario = parse_scenario(document)
    except ScenarioError as error:
        str(error).encode()
    else:
        assert parse_scenario(format_scenario(scenario)) == scenario


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.text(st.characters()) | st.lists(fragments, max_size=30).map("".join))
def test_no_text_raises_anything_else(document: str) -> None:
    outcome(document)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.integers(0, len(BILLETS)), st.integers(0, 12), fragments | st.text(max_size=4))
def test_no_cut_or_insertion_raises_anything_else(position: int, cut: int, inserted: str) -> None:
    outcome(BILLETS[:position] + inserted + BILLETS[position + cut :])


@settings(deadline=None, derandomize=True, max_examples=100)
@given(st.lists(st.sampled_from(LINES), max_size=len(LINES)))
def test_no_shuffling_of_lines_raises_anything_else(lines: list[str]) -> None:
    outcome("version: 1\nspeakers:\n" + "".join(lines))


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["at", "say", "entity", "event", "tags", "name", "id", "script", "loop"])
                | st.sampled_from(["fault", "close", "reset", "count", "ghost", "say_from", "gap", "after"]),
                inner,
            )
        ),
        max_leaves=12,
    ),
    st.sampled_from(["scenario", "match", "seed", "timing", "limits", "speakers", "Alice", "cue", "fault"]),
)
def test_no_value_in_any_place_raises_anything_else(value: object, place: str) -> None:
    document: dict[str, object] = {"version": 1, "speakers": {}}
    match place:
        case "Alice":
            document["speakers"] = {"Alice": value}
        case "cue":
            document["speakers"] = {"Alice": [value]}
        case "fault":
            document["speakers"] = {"Alice": [{"at": 1, "fault": value}]}
        case _:
            document[place] = value
    outcome(repr(document).replace("None", "null").replace("True", "true").replace("False", "false"))


@settings(deadline=None, derandomize=True, max_examples=50)
@given(content=st.binary())
def test_no_file_raises_anything_else(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(content)
    assert all(isinstance(problem, ScenarioError) for problem in check_scenario(file))
