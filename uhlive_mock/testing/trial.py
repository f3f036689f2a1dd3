"""One test's space from its making to its verdict.

    the fixture begins      a trial is put into the item's stash
    a phase has a report    `hear` notes whether the phase completed; a failed one gets the timeline then and there,
                            since pytest-xdist sends a report away as soon as it is made
    the fixture ends        `end` judges, unless the test did not get to its end for another reason
    the teardown ends       what it was found guilty of fails it, unless something else has: then it only adds to it
    the teardown's report   `hear` adds what there is to show

Only a test that completed is judged: one that failed has its reason, and one that was skipped or interrupted has
left its client wherever it was.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..errors import ConfigurationError
from ..protocol.journal import Kind
from . import artifacts, report
from .making import make_space
from .run import NOTES, Run
from .sdk import vocabulary
from .settings import STRICT, VOCABULARY

if TYPE_CHECKING:
    from ..server.handles import SpaceHandle
    from ..server.thread import MockServer
    from ..verification.rules import Verdict

_FOR_NOBODY = "universal"
"""The vocabulary of a space whose client is not known."""

_SEED = "uhlive_mock_seed"
_VERDICT = "uhlive_mock_verdict"


def begin(run: Run, item: pytest.Item, server: MockServer, options: object, *, for_sdk: bool) -> Trial:
    """Make the space of a test.

    Args:
        options: what the fixture `uhlive_mock_options` said.
        for_sdk: whether the official SDK will talk to it, in its own vocabulary.

    Raises:
        ScenarioError, ConfigurationError: what the test says of its space cannot be used.
    """
    if server not in run.servers:
        run.servers.append(server)
    settings = run.settings_of(item, options)
    seed = run.seed(settings)
    by_default = vocabulary() if for_sdk else _FOR_NOBODY
    space = make_space(server, item, settings, seed=seed, vocabulary=by_default)
    return Trial(
        run,
        item,
        space,
        seed=seed,
        strict=settings[STRICT],
        folder=artifacts.folder_of(run.artifacts, item.nodeid),
        suits_sdk=for_sdk or settings.is_set(VOCABULARY),
    )


class Trial:
    """One test's space, and what speaks against the test.

    Args:
        folder: where its things are kept if it fails; what is there from before is gone when it ends.
        suits_sdk: whether its vocabulary was chosen, or is that of the official SDK.
    """

    def __init__(
        self,
        run: Run,
        item: pytest.Item,
        space: SpaceHandle,
        *,
        seed: int,
        strict: bool,
        folder: Path,
        suits_sdk: bool,
    ) -> None:
        self.space = space
        self._run = run
        self._item = item
        self._seed = seed
        self._strict = strict
        self._folder = folder
        self._suits_sdk = suits_sdk
        self._completed = False
        self._interrupted = False
        self._failed = False
        self._over = False
        self.guilty: str | None = None
        """What fails the test, as its user reads it."""
        self._sections: list[tuple[str, str]] = []
        self._notes: list[str] = []
        self._record(_SEED, [str(seed)])

    def expect_sdk(self) -> None:
        """The official SDK is about to talk to the space.

        Raises:
            ConfigurationError: the space was made without a thought of it, and it has another vocabulary.
        """
        if not self._suits_sdk and vocabulary() != _FOR_NOBODY:
            raise ConfigurationError(
                f"it was asked for after the space was made, whose vocabulary is {_FOR_NOBODY}; the installed SDK"
                f" knows only {vocabulary()}; expected uhlive_sdk among the arguments of the test or its fixtures"
            )

    def hear(self, phase: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
        """A phase of the test has a report."""
        if call.excinfo is not None:
            self._interrupted = True
        elif phase.when == "call":
            self._completed = True
        if phase.failed and not self._over:
            self._failed = True
            phase.sections += self._evidence()
        if phase.when == "teardown":
            phase.sections += self._sections
            if self.guilty and self.guilty not in phase.longreprtext:
                phase.sections.append(("uhlive-mock verdict", self.guilty))
            setattr(phase, NOTES, self._notes)

    def end(self) -> None:
        """The test is over: judge it and end its space."""
        try:
            self.space.settle()
            if self._completed and not self._interrupted:
                self._judge()
            elif self._failed:
                self._keep(self.space.timeline())  # once more, with what came after the failure
        finally:
            self._over = True
            self.space.close()
            if not self._failed:
                artifacts.forget(self._folder)

    def _evidence(self) -> list[tuple[str, str]]:
        """What there is to show of a test that just failed. Never raises: pytest would stop there and then."""
        try:
            self.space.settle()
            verdict = self.space.verdict()
            self._tell(verdict)
            return self._exhibits(verdict)
        except Exception:  # noqa: BLE001 - told, whatever it is
            return [("uhlive-mock", f"a defect of uhlive-mock; please report it\n{traceback.format_exc()}")]

    def _judge(self) -> None:
        verdict = self.space.verdict(at_end=True)
        self._tell(verdict)
        for problem in verdict.problems:
            if not (self._strict and problem in verdict.errors):
                self._notes.append(f"{self._item.nodeid}: {report.first_line(problem)}")
        if verdict.ok:
            return
        if self._strict:
            self._failed = True
            self._sections = self._exhibits(None)
            self.guilty = report.told(verdict.errors)
        else:
            self._sections = [("uhlive-mock verdict (not strict)", report.told(verdict.errors))]

    def _exhibits(self, verdict: Verdict | None) -> list[tuple[str, str]]:
        """The sections of a failed report; the verdict is one of them unless it is the failure."""
        timeline = self.space.timeline()
        sections = [("uhlive-mock timeline", report.shortened(timeline))]
        if verdict and verdict.problems:
            sections.append(("uhlive-mock verdict", report.told(verdict.problems)))
        return [*sections, ("uhlive-mock", f"seed {self._seed}\n{self._keep(timeline)}")]

    def _keep(self, timeline: str) -> str:
        try:
            kept = artifacts.keep(self._folder, self.space, timeline)
        except OSError as error:
            return f"nothing could be kept in {self._shown}: {error}"
        return f"kept in {self._shown}: {', '.join(path.name for path in kept)}"

    @property
    def _shown(self) -> Path:
        """The folder, from where pytest was called if it is below."""
        here = self._run.config.invocation_params.dir
        return self._folder.relative_to(here) if self._folder.is_relative_to(here) else self._folder

    def _tell(self, verdict: Verdict) -> None:
        """The verdict as properties of the test, which reports for machines have."""
        self._run.told(entry.note or "" for entry in self.space.journal.messages(kind=Kind.DEFECT))
        self._record(_VERDICT, map(report.first_line, verdict.problems))

    def _record(self, name: str, values: Iterable[str]) -> None:
        """These values, and no others that a phase or a run of the test before had."""
        others = [each for each in self._item.user_properties if each[0] != name]
        self._item.user_properties[:] = [*others, *((name, value) for value in values)]
