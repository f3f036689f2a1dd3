from __future__ import annotations

from collections.abc import Iterator

import pytest

from uhlive_mock import MockServer


@pytest.fixture(scope="session")
def server() -> Iterator[MockServer]:
    """One server for all of these tests; each has a space of its own."""
    with MockServer() as server:
        yield server
