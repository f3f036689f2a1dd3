"""Durations read as people write them and come back as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uhlive_mock.errors import ScenarioError
from uhlive_mock.scenarios.durations import format_duration, parse_duration, seconds_to_ms


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
