"""One test's space from its making to its verdict.

    the fixture begins      a trial is put into the item's stash
    a phase has a report    `hear` notes whether the phase completed; a failed one gets the timeline then and there,
                            since pytest-xdist sends a report away as soon as it is made
    the fixture ends        `end` judges, unless the test did not get to its end for another reason
    the teardown ends       `failure` fails it, unless something else has: then it only adds to it
    the teardown's report   `hear` adds what there is to show

Only a test that completed is judged: one that failed has its reason, and one that was skipped or interrupted has
left its client wherever it was.

A test that failed keeps its journal, what was heard of each speaker, and its timeline, in a folder of its own that
is named after it: processes that share the folder above never meet, and a test that is run again replaces what it
left the last time.
"""

from __future__ import annotations

import re
import shutil
import textwrap
import traceback
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from msgspec import structs

from .. import scenarios  # YAML comes with loading one, and not before
from ..errors import ConfigurationError
from ..model.scenario import Scenario
from ..protocol.journal import Kind
from ..server.space_options import ScenarioSource, SpaceOptions
from .run import NOTES, Run
from .sdk import vocabulary
from .settings import ALLOW, LIMITS, SCENARIO, STRICT, VOCABULARY, Settings

if TYPE_CHECKING:
    from ..mock_server import MockServer
    from ..server.space_handle import SpaceHandle
    from ..verification.rules import Problem, Verdict

MOST_PROBLEMS = 10
"""How many problems of one test are told in full."""

MOST_LINES = 80
"""How many lines of a timeline a report shows; the kept file has all of them."""

LONGEST_NAME = 80
_UNSAFE = re.compile(r"[^A-Za-z0-9._\[\]=,+-]+")

_FOR_NOBODY = "universal"
"""The vocabulary of a space whose client is not known."""

_SEED = "uhlive_mock_seed"
_VERDICT = "uhlive_mock_verdict"


class Trial:
    """One test's space, and what speaks against the test.

    Args:
        options: what the fixture `uhlive_mock_options` said.
        for_sdk: whether the official SDK will talk to the space, in its own vocabulary.

    Raises:
        ScenarioError, ConfigurationError: what the test says of its space cannot be used.
    """

    def __init__(self, run: Run, item: pytest.Item, server: MockServer, options: object, *, for_sdk: bool) -> None:
        if server not in run.servers:
            run.servers.append(server)
        settings = run.settings_of(item, options)
        self._run = run
        self._item = item
        self._seed = run.seed(settings)
        self._strict = settings[STRICT]
        self._suits_sdk = for_sdk or settings.is_set(VOCABULARY)
        """Whether the vocabulary of its space was chosen, or is that of the official SDK."""
        by_default = vocabulary() if for_sdk else _FOR_NOBODY
        self.space = make_space(server, item, settings, seed=self._seed, vocabulary=by_default)
        self._folder = folder_of(run.artifacts, item.nodeid)
        """Where its things are kept if it fails; what is there from before is gone when it ends."""
        self._completed = False
        self._interrupted = False
        self._failed = False
        self._over = False
        self.failure: str | None = None
        """What fails the test, as its user reads it."""
        self._sections: list[tuple[str, str]] = []
        self._notes: list[str] = []
        self._record(_SEED, [str(self._seed)])

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
            phase.sections += self._report()
        if phase.when == "teardown":
            phase.sections += self._sections
            if self.failure and self.failure not in phase.longreprtext:
                phase.sections.append(("uhlive-mock verdict", self.failure))
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
                forget(self._folder)

    def _report(self) -> list[tuple[str, str]]:
        """What there is to show of a test that just failed. Never raises: pytest would stop there and then."""
        try:
            self.space.settle()
            verdict = self.space.verdict()
            self._tell(verdict)
            return self._attachments(verdict)
        except Exception:  # noqa: BLE001 - told, whatever it is
            return [("uhlive-mock", f"a defect of uhlive-mock; please report it\n{traceback.format_exc()}")]

    def _judge(self) -> None:
        verdict = self.space.verdict(at_end=True)
        self._tell(verdict)
        for problem in verdict.problems:
            if not (self._strict and problem in verdict.errors):
                self._notes.append(f"{self._item.nodeid}: {first_line(problem)}")
        if verdict.ok:
            return
        if self._strict:
            self._failed = True
            self._sections = self._attachments(None)
            self.failure = in_words(verdict.errors)
        else:
            self._sections = [("uhlive-mock verdict (not strict)", in_words(verdict.errors))]

    def _attachments(self, verdict: Verdict | None) -> list[tuple[str, str]]:
        """The sections of a failed report; the verdict is one of them unless it is the failure."""
        timeline = self.space.timeline()
        sections = [("uhlive-mock timeline", shortened(timeline))]
        if verdict and verdict.problems:
            sections.append(("uhlive-mock verdict", in_words(verdict.problems)))
        return [*sections, ("uhlive-mock", f"seed {self._seed}\n{self._keep(timeline)}")]

    def _keep(self, timeline: str) -> str:
        try:
            kept = keep(self._folder, self.space, timeline)
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
        self._run.reported(entry.note or "" for entry in self.space.journal.messages(kind=Kind.DEFECT))
        self._record(_VERDICT, map(first_line, verdict.problems))

    def _record(self, name: str, values: Iterable[str]) -> None:
        """These values, and no others that a phase or a run of the test before had."""
        others = [each for each in self._item.user_properties if each[0] != name]
        self._item.user_properties[:] = [*others, *((name, value) for value in values)]


# --- its space -------------------------------------------------------------------------------------------------


def make_space(
    server: MockServer, item: pytest.Item, settings: Settings, *, seed: int, vocabulary: str
) -> SpaceHandle:
    """A space of `server` for a test, made as its settings say.

    Args:
        seed: decides everything random.
        vocabulary: of its account, unless the settings say another.

    Raises:
        ScenarioError, ConfigurationError: a setting cannot be used.
    """
    limits = settings[LIMITS]
    calls = [_scenario(source, item) for source in settings[SCENARIO]]
    if limits is not None:  # limits given to a test count, whatever its scenario says
        calls = [structs.replace(call, limits=limits) for call in calls]
    options = settings.named(SpaceOptions.__annotations__) | {
        "scenario": calls or None,
        "vocabulary": settings[VOCABULARY] or vocabulary,
        "rate": settings.rate,
        "seed": seed,
        "name": item.nodeid,
    }
    space = server.space(**cast(SpaceOptions, options))
    try:
        space.allow(*settings[ALLOW])
    except BaseException:
        space.close()
        raise
    return space


def _scenario(source: ScenarioSource, item: pytest.Item) -> Scenario:
    if isinstance(source, Scenario):
        return source
    # A relative path is the test's own, or else the project's.
    places = [folder / source for folder in (item.path.parent, item.config.rootpath)]
    for place in places:
        if place.is_file():
            return scenarios.load_scenario(place)
    looked = " and ".join(dict.fromkeys(str(place.parent) for place in places))
    raise ConfigurationError(f"scenario: there is no {Path(source).name!r} in {looked}")


# --- in words --------------------------------------------------------------------------------------------------


def in_words(problems: Sequence[Problem]) -> str:
    """Every problem, and after the last one of a rule how to allow it."""
    found = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
    shown = problems[:MOST_PROBLEMS]
    last = {problem.rule: problem for problem in shown}
    parts = [f"uhlive-mock found {found}: {', '.join(last)}"]
    for problem in shown:
        text = str(problem) if problem is last[problem.rule] else f"{problem.rule}: {problem.text}"
        parts.append(textwrap.indent(text, "  "))
    if left := len(problems[MOST_PROBLEMS:]):
        parts.append(f"  and {left} more")
    return "\n\n".join(parts)


def first_line(problem: Problem) -> str:
    """A problem in one line."""
    return f"{problem.rule}: {problem.text.partition(chr(10))[0]}"


def shortened(timeline: str) -> str:
    """A timeline as long as a report can bear: its beginning, and more of its end."""
    lines = timeline.splitlines()
    if len(lines) <= MOST_LINES:
        return timeline
    head, tail = MOST_LINES // 4, MOST_LINES - MOST_LINES // 4
    return "\n".join([*lines[:head], f"... {len(lines) - MOST_LINES} lines are left out ...", *lines[-tail:]])


# --- what is kept ----------------------------------------------------------------------------------------------


def folder_of(root: Path, nodeid: str) -> Path:
    """Where in `root` a test's things are kept: a folder for each part of its id."""
    file, *names = nodeid.split("::")
    return root.joinpath(*(safe_name(part) for part in (*file.split("/"), *names)))


def safe_name(name: str) -> str:
    """`name` as a file can be called; one that had to change is told from all others by a checksum."""
    safe = _UNSAFE.sub("_", name)[:LONGEST_NAME]
    if safe == name and safe.strip("."):
        return safe
    return f"{safe.strip('.')}-{zlib.crc32(name.encode('utf-8', 'surrogatepass')):08x}"


def keep(folder: Path, space: SpaceHandle, timeline: str) -> list[Path]:
    """Write the files into `folder`, which has nothing else afterwards, and return them.

    Raises:
        OSError: a file cannot be written.
    """
    forget(folder)
    folder.mkdir(parents=True, exist_ok=True)
    journal, picture = folder / "journal.jsonl", folder / "timeline.txt"
    journal.write_text(space.journal.to_jsonl(), encoding="utf-8")
    picture.write_text(timeline, encoding="utf-8")
    kept = [journal, picture]
    for speaker in space.speakers:
        name = safe_name(f"{speaker.conversation}-{speaker.name}")
        stays = sum(path.stem == name or path.stem.startswith(f"{name}.") for path in kept)
        path = folder / (f"{name}.{stays + 1}.wav" if stays else f"{name}.wav")
        speaker.write_wav(path)
        kept.append(path)
    return kept


def forget(folder: Path) -> None:
    """Remove what was kept before, as far as that can be done."""
    if folder.is_dir():
        shutil.rmtree(folder, ignore_errors=True)
