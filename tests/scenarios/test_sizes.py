"""Sizes and data rates read as people write them and come back as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uhlive_mock.errors import ScenarioError
from uhlive_mock.scenarios.sizes import format_rate, format_size, parse_rate, parse_size


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
