"""How a command ends: exit codes, errors of ours as one sentence on stderr, and what there is to say once a server
has served: what was never heard, what broke a rule, how audio was paced.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from ..errors import UhliveMockError

if TYPE_CHECKING:
    from ..server.space_handle import SpaceHandle
    from ..verification.rules import Violation

FINDINGS = 1
USAGE = 2
INTERRUPTED = 130

_LEAVES_WITHIN_S = 1.0


def fail(message: str, code: int = USAGE) -> NoReturn:
    """Say what is wrong and exit."""
    click.echo(f"uhlive-mock: {message}", err=True)
    sys.exit(code)


@contextmanager
def sentences() -> Iterator[None]:
    """Turn an error of ours into its sentence and the exit code for configuration."""
    try:
        yield
    except UhliveMockError as error:
        fail(str(error))


def audio_folder(folder: Path | None, space: SpaceHandle) -> AbstractContextManager[object]:
    """Writes every speaker's audio to `folder`, if there is one, while it is entered."""
    if folder is None:
        return nullcontext()
    from ..server.files import AudioFolder

    return AudioFolder(folder, space)


def say_findings(space: SpaceHandle, *, scripted: bool) -> bool:
    """Say on stderr, a line each, what the scenarios were not heard of, which rules were broken, and what else the
    client did wrong.

    Args:
        scripted: whether the user gave scenarios; of the built-in call, only cues count.

    Returns:
        Whether there was anything to say, warnings aside.
    """
    broken = space.journal.findings()
    wrong = _wrong(space)
    errors = [sentence for sentence, is_error in wrong if is_error]
    warnings = [f"warning: {sentence}" for sentence, is_error in wrong if not is_error]
    sentences = [*(space.unheard if scripted else []), *space.journal.unplayed(), *broken, *errors]
    for sentence in [*sentences, *warnings]:
        click.echo(f"uhlive-mock: {sentence}", err=True)
    if broken or wrong:
        click.echo("uhlive-mock: a rule is explained by: uhlive-mock explain NAME", err=True)
    return bool(sentences)


def _wrong(space: SpaceHandle) -> list[tuple[str, bool]]:
    """What the client did wrong that no finding tells, once for each rule and speaker; whether it is an error."""
    from ..verification.linter import OF_LIMITS
    from ..verification.rules import Severity

    first: dict[tuple[str, str | None], Violation] = {}
    times: Counter[tuple[str, str | None]] = Counter()
    for violation in space.violations:
        if violation.rule not in OF_LIMITS.values():
            first.setdefault((violation.rule, violation.speaker), violation)
            times[violation.rule, violation.speaker] += violation.times
    told = []
    for broken, violation in first.items():
        who = f"{violation.speaker}: " if violation.speaker is not None else ""
        often = f" ({times[broken]} times)" if times[broken] > 1 else ""
        sentence = violation.sentence[0].lower() + violation.sentence[1:]
        told.append((f"{who}{violation.rule}: {sentence}{often}", violation.severity is Severity.ERROR))
    return told


def wait_for_leaves(space: SpaceHandle) -> None:
    """Give the server a moment to read what a program that has ended sent last."""
    deadline = time.monotonic() + _LEAVES_WITHIN_S
    while any(speaker.left_cleanly is None for speaker in space.speakers) and time.monotonic() < deadline:
        time.sleep(0.01)


# --- pacing -----------------------------------------------------------------------------------------------


def open_for_pacing(path: Path | None) -> None:
    """Make sure, before anything runs, that the file can be written."""
    if path is None:
        return
    try:
        path.write_bytes(b"")
    except OSError as error:
        fail(f"cannot write the pacing to {path}: {error.strerror or error}")


def say_pacing(space: SpaceHandle) -> None:
    """A table on stderr for each speaker's stay."""
    speakers = space.speakers
    for speaker in speakers:
        click.echo(f"uhlive-mock: pacing of {speaker.name} in {speaker.conversation}", err=True)
        click.echo(speaker.pacing.table(), err=True)
    if not speakers:
        click.echo("uhlive-mock: nobody joined as a speaker, so there is no pacing", err=True)


def write_pacing(space: SpaceHandle, path: Path) -> None:
    """A JSON list with an object for each speaker's stay, in the order of their joins."""
    import msgspec

    stays = []
    for speaker in space.speakers:
        pacing = speaker.pacing
        stays.append(
            {
                "conversation": speaker.conversation,
                "speaker": speaker.name,
                "left_cleanly": speaker.left_cleanly,
                "verdict": pacing.verdict,
                "pacing": pacing,
            }
        )
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(stays), indent=2) + b"\n")
    except OSError as error:
        fail(f"cannot write the pacing to {path}: {error.strerror or error}")
