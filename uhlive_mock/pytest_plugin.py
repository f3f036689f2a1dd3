"""Fixtures for tests: a server for the session, a fresh space for each test, the official SDK pointed at it.

    uhlive_mock_server   session    the server that all spaces of the process live on; may be overridden
    uhlive_mock_options  function   what is said about a test's space besides its marker; may be overridden
    uhlive_mock          function   a space of the test's own, judged when the test is over
    uhlive_sdk           function   the installed official SDK, talking to that space

Loaded in every pytest run of everyone who has this package installed, so it imports nothing it does not need until
a fixture is used. No fixture is a coroutine: they work with and without an async plugin. What is said where, and
which of it counts, is in `testing.settings`; what a verdict does to a test, in `testing.trial`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Literal

import pytest

from .testing.settings import OF_A_RUN, STRICT

if TYPE_CHECKING:
    from .mock_server import MockServer
    from .server.space_handle import SpaceHandle
    from .testing.run import Run
    from .testing.sdk import Sdk
    from .testing.trial import Trial

_RUN: pytest.StashKey[Run] = pytest.StashKey()
_TRIAL: pytest.StashKey[Trial] = pytest.StashKey()

_MARKER = (
    "uhlive_mock(*, scenario, clock, rate, vocabulary, limits, seed, strict, allow): "
    "how the space of a test is made and judged"
)


# --- fixtures -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def uhlive_mock_server(request: pytest.FixtureRequest) -> Iterator[MockServer]:
    """The mock service, on free loopback ports, plain and TLS."""
    from .mock_server import MockServer

    with MockServer() as server:
        yield server
    if errors := request.config.stash[_RUN].unreported(server):
        pytest.fail(errors, pytrace=False)


@pytest.fixture
def uhlive_mock_options() -> Mapping[str, object]:
    """What the marker `uhlive_mock` takes, for all tests that see this fixture; a marker says it more closely."""
    return {}


@pytest.fixture
def uhlive_mock(
    request: pytest.FixtureRequest, uhlive_mock_server: MockServer, uhlive_mock_options: Mapping[str, object]
) -> Iterator[SpaceHandle]:
    """A space of this test's own: its account, its journal, and the built-in call, driven by audio."""
    from .testing.trial import Trial

    item, run = request.node, request.config.stash[_RUN]
    with _saying(item.nodeid):
        trial = Trial(
            run, item, uhlive_mock_server, uhlive_mock_options, for_sdk="uhlive_sdk" in request.fixturenames
        )
    item.stash[_TRIAL] = trial
    yield trial.space
    trial.end()


@pytest.fixture
def uhlive_sdk(request: pytest.FixtureRequest, uhlive_mock: SpaceHandle) -> Iterator[Sdk]:
    """The installed official SDK: its environment and what it has read of it say this test's space."""
    from .testing.sdk import pointed_at

    trial = request.node.stash.get(_TRIAL, None)
    with ExitStack() as stack:
        with _saying(f"{request.node.nodeid}: uhlive_sdk"):
            if trial is not None:  # else somebody's own fixture made the space
                trial.expect_sdk()
            sdk = stack.enter_context(pointed_at(uhlive_mock))
        yield sdk


@contextmanager
def _saying(place: str) -> Iterator[None]:
    """Fail with what an error of ours says, and without the way it took."""
    from .errors import UhliveMockError

    try:
        yield
    except UhliveMockError as error:
        raise pytest.fail.Exception(f"{place}: {error}", pytrace=False) from None


# --- the run --------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Every setting of a run as an option and as an ini key; see `testing.settings`."""
    group = parser.getgroup("uhlive-mock", "the space of each test that uses the fixture uhlive_mock")
    for setting in OF_A_RUN:
        kind: Literal["args", "string"] = "args" if setting.adds_up else "string"
        parser.addini(setting.dest, setting.help, type=kind, default=None)
        if setting is STRICT:
            group.addoption(setting.option, dest=setting.dest, action="store_true", default=None, help=setting.help)
            group.addoption(
                setting.option.replace("strict", "no-strict"),
                dest=setting.dest,
                action="store_false",
                default=None,
                help="the opposite",
            )
        else:
            action = "append" if setting.adds_up else "store"
            group.addoption(
                setting.option, dest=setting.dest, action=action, metavar=setting.metavar, help=setting.help
            )


def pytest_configure(config: pytest.Config) -> None:
    """Read what the run says; a mistake in it ends the run."""
    from .errors import ConfigurationError
    from .testing.run import Run

    config.addinivalue_line("markers", _MARKER)
    try:
        config.stash[_RUN] = Run(config)
    except ConfigurationError as problem:
        raise pytest.UsageError(f"uhlive-mock: {problem}") from None


def pytest_report_header(config: pytest.Config) -> str:
    """Version, clock and seed."""
    return config.stash[_RUN].header


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test for its verdict, once all its fixtures are gone and if none of them has failed it."""
    result = yield
    trial = item.stash.get(_TRIAL, None)
    if trial is not None and trial.failure:
        pytest.fail(trial.failure, pytrace=False)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a test's trial hear how each of its phases ended."""
    report = yield
    trial = item.stash.get(_TRIAL, None)
    if trial is not None:
        trial.hear(report, call)
        if report.when == "teardown":
            del item.stash[_TRIAL]
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Gather what only the end of the run shows."""
    session.config.stash[_RUN].finish()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What fails no test but should be known."""
    from .testing.run import NOTES, summary

    reports = (report for reports in terminalreporter.stats.values() for report in reports)
    notes = [note for report in reports for note in getattr(report, NOTES, ())]
    if lines := summary([*notes, *config.stash[_RUN].notes]):
        terminalreporter.section("uhlive-mock")
        for line in lines:
            terminalreporter.line(line)


# --- pytest-xdist ---------------------------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 - xdist has no types
    """Every worker has the seed of the run."""
    node.config.stash[_RUN].tell_worker(node.workerinput)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 - xdist has no types
    """What a worker knew at its end is told by the run."""
    node.config.stash[_RUN].hear_worker(getattr(node, "workeroutput", {}))
