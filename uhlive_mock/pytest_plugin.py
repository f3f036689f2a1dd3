"""Fixtures for tests: a server for the session, a fresh space for each test.

Loaded in every pytest run of everyone who has this package installed, so it imports nothing it does not
need until a fixture is used. No fixture is a coroutine: they work with and without an async plugin.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .server.handles import SpaceHandle
    from .server.thread import MockServer


@pytest.fixture(scope="session")
def uhlive_mock_server() -> Iterator[MockServer]:
    """The mock service, on free loopback ports, plain and TLS."""
    from .server.thread import MockServer

    with MockServer() as server:
        yield server


@pytest.fixture
def uhlive_mock(uhlive_mock_server: MockServer) -> Iterator[SpaceHandle]:
    """A space of this test's own: its account, its journal, and the built-in call, driven by audio."""
    with uhlive_mock_server.space(clock="audio") as space:
        yield space
