"""What a pytest run says of the spaces of its tests: the layers beyond the test, the seed, the report's header."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..errors import ConfigurationError
from .settings import (
    ARTIFACTS,
    CLOCK,
    OF_A_RUN,
    RANDOM,
    RATE,
    SEED,
    STRICT,
    VOCABULARY,
    Layer,
    Settings,
    layer_of_a_test,
)

if TYPE_CHECKING:
    from ..mock_server import MockServer

MARKER = "uhlive_mock"
NOTES = "uhlive_mock_notes"
"""What has notes for the summary: an attribute of a teardown's report, and a key of a worker's output."""

MOST_NOTES = 30
"""How many notes the summary of a run shows."""

_SEED_FOR_WORKERS = "uhlive_mock_seed"


class Run:
    """One pytest process.

    Raises:
        ConfigurationError: the command line, the environment or the ini file says what cannot be.
    """

    def __init__(self, config: pytest.Config, environ: Mapping[str, str] = os.environ) -> None:
        self.config = config
        self.layers = tuple(_layers_of_a_run(config, environ))
        self.settings = Settings(self.layers)
        self.servers: list[MockServer] = []
        """The servers that tests have had spaces on."""
        self.notes: list[str] = []
        """What is only known when the run is over, for its summary."""
        self._reported: set[str] = set()

    def settings_of(self, item: pytest.Item, options: object) -> Settings:
        """What holds for one test.

        Args:
            options: what the fixture `uhlive_mock_options` said.

        Raises:
            ConfigurationError: its marker or its options cannot be used; the message names the place.
        """
        return Settings([*_layers_of_a_test(item, options), *self.layers])

    def seed(self, settings: Settings) -> int:
        """The seed that is meant; the same all through the run when it is drawn."""
        seed = settings[SEED]
        return seed if isinstance(seed, int) else self.drawn

    @cached_property
    def drawn(self) -> int:
        """The seed of a run that wants another one each time; a worker is told it."""
        import random

        told: int | None = getattr(self.config, "workerinput", {}).get(_SEED_FOR_WORKERS)
        return random.SystemRandom().randrange(1_000_000) if told is None else told

    def tell_worker(self, workerinput: dict[str, object]) -> None:
        """Give a worker of pytest-xdist what it could not find out by itself."""
        if self.settings[SEED] == RANDOM:
            workerinput[_SEED_FOR_WORKERS] = self.drawn

    def reported(self, defects: Iterable[str]) -> None:
        """Note that these tracebacks have been reported with a test."""
        self._reported.update(defects)

    def unreported(self, server: MockServer) -> str | None:
        """What went wrong in a server and no test was told; None when nothing did. Tells everything once."""
        traces = [trace for trace in server.defects if trace not in self._reported]
        self.reported(traces)
        if not traces:
            return None
        return "\n\n".join(["uhlive-mock itself failed, and no test was told; please report this:", *traces])

    def finish(self) -> None:
        """Gather what is only known when the run is over."""
        for server in self.servers:
            self.notes += [f"a straggler: {stray}" for stray in server.stragglers]
            if unreported := self.unreported(server):
                self.notes.append(unreported)
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            output[NOTES] = self.notes

    def hear_worker(self, workeroutput: Mapping[str, object]) -> None:
        """A worker of pytest-xdist has finished."""
        notes = workeroutput.get(NOTES)
        self.notes += notes if isinstance(notes, list) else []

    @property
    def header(self) -> str:
        """The line of pytest's header: version, clock and seed, and what is not as usual."""
        from .. import __version__

        words = [f"uhlive-mock {__version__}", f"clock {self.settings[CLOCK]}", f"seed {self.seed(self.settings)}"]
        if self.settings.is_set(RATE):
            words.append(f"rate {self.settings[RATE]:g}")
        if self.settings.is_set(VOCABULARY):
            words.append(f"vocabulary {self.settings[VOCABULARY]}")
        return ", ".join(words if self.settings[STRICT] else [*words, "not strict"])

    @cached_property
    def artifacts(self) -> Path:
        """The folder in which what is kept of failed tests has its folders."""
        chosen = self.settings[ARTIFACTS]
        if chosen is not None:
            is_of_ini = self.settings.distance(ARTIFACTS) == len(self.layers) - 1
            return (self.config.rootpath if is_of_ini else self.config.invocation_params.dir) / chosen
        cache: pytest.Cache | None = getattr(self.config, "cache", None)
        if cache is not None:
            with contextlib.suppress(OSError):  # a project that nobody may write to
                return cache.mkdir("uhlive-mock")
        import tempfile

        return Path(tempfile.gettempdir(), f"uhlive-mock-{os.getuid() if hasattr(os, 'getuid') else 'tests'}")


def _layers_of_a_run(config: pytest.Config, environ: Mapping[str, str]) -> Iterator[Layer]:
    ini_file = config.inipath.name if config.inipath else "the ini file"
    yield Layer("command line", {each.name: config.getoption(each.dest) for each in OF_A_RUN}, "option")
    yield Layer("environment", {each.name: environ.get(each.variable) or None for each in OF_A_RUN}, "variable")
    yield Layer(ini_file, {each.name: config.getini(each.dest) or None for each in OF_A_RUN}, "dest")


def _layers_of_a_test(item: pytest.Item, options: object) -> Iterator[Layer]:
    for node, marker in item.iter_markers_with_node(MARKER):
        place = f"@pytest.mark.{MARKER}" if node is item else f"@pytest.mark.{MARKER} of {node.name}"
        if marker.args:
            found = ", ".join(map(repr, marker.args))
            raise ConfigurationError(f"{place}: found {found}; expected keywords only, such as clock='manual'")
        yield layer_of_a_test(place, marker.kwargs)
    place = "fixture uhlive_mock_options"
    if not isinstance(options, Mapping):
        raise ConfigurationError(f"{place}: found {options!r}; expected a mapping such as {{'clock': 'manual'}}")
    yield layer_of_a_test(place, options)


def summary(notes: Iterable[str]) -> list[str]:
    """The lines of a run's summary: each note once, with how often it came, and no more than anyone reads."""
    lines = [note + (f" ({count} times)" if count > 1 else "") for note, count in Counter(notes).items()]
    left = len(lines) - MOST_NOTES
    return [*lines[:MOST_NOTES], f"... and {left} more"] if left > 0 else lines
