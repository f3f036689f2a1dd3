"""How a command ends: exit codes, errors of ours as one sentence on stderr, and what there is to say once a server
has served: what was never heard, what broke a rule, how audio was paced.

`AudioFolder` keeps what the speakers of a space said, one WAV file for each stay,
`<conversation>-<speaker>-<n>.wav`. A file is written once its stay is over, and whatever is left when the folder is
closed, so nothing is ever cut. Names come from clients: what is not a letter, a digit, `_`, `.` or `-` becomes `_`,
and long names are cut. `n` counts the stays of one name and passes over files that exist, so nothing is overwritten
either.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from os import PathLike
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

import click

from ..errors import UhliveMockError, os_errors_as

if TYPE_CHECKING:
    from ..server.conversation_handle import SpeakerHandle
    from ..server.space_handle import SpaceHandle
    from ..verification.rules import Violation

FINDINGS = 1
USAGE = 2
INTERRUPTED = 130

_LEAVES_WITHIN_S = 1.0

LONGEST_NAME = 100
"""Bytes of a conversation's or speaker's name in a file's name, which may have 255 in all."""

_EVERY_S = 0.5

logger = logging.getLogger("uhlive_mock")


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
    return nullcontext() if folder is None else AudioFolder(folder, space)


def say_findings(space: SpaceHandle, *, scripted: bool) -> bool:
    """Say on stderr, a line each, what the scenarios were not heard of, which rules were broken, and what else the
    client did wrong.

    Args:
        scripted: whether the user gave scenarios; of the built-in call, only cues count.

    Returns:
        Whether there was anything to say, warnings aside.
    """
    broken = space.journal.findings()
    wrong = list(_wrong(space))
    errors = [sentence for sentence, is_error in wrong if is_error]
    warnings = [f"warning: {sentence}" for sentence, is_error in wrong if not is_error]
    sentences = [*(space.unheard if scripted else []), *space.journal.unplayed(), *broken, *errors]
    for sentence in [*sentences, *warnings]:
        click.echo(f"uhlive-mock: {sentence}", err=True)
    if broken or wrong:
        click.echo("uhlive-mock: a rule is explained by: uhlive-mock explain NAME", err=True)
    return bool(sentences)


def _wrong(space: SpaceHandle) -> Iterator[tuple[str, bool]]:
    """What the client did wrong that no finding tells, once for each rule and speaker; whether it is an error."""
    from ..verification.linter import OF_LIMITS
    from ..verification.rules import Severity

    found: dict[tuple[str, str | None], list[Violation]] = {}
    for violation in space.violations:
        if violation.rule not in OF_LIMITS.values():
            found.setdefault((violation.rule, violation.speaker), []).append(violation)
    for (rule, speaker), violations in found.items():
        first, times = violations[0], sum(violation.times for violation in violations)
        who = f"{speaker}: " if speaker is not None else ""
        often = f" ({times} times)" if times > 1 else ""
        sentence = f"{who}{rule}: {first.sentence[0].lower()}{first.sentence[1:]}{often}"
        yield sentence, first.severity is Severity.ERROR


def wait_for_leaves(space: SpaceHandle) -> None:
    """Give the server a moment to read what a program that has ended sent last."""
    deadline = time.monotonic() + _LEAVES_WITHIN_S
    while any(speaker.left_cleanly is None for speaker in space.speakers) and time.monotonic() < deadline:
        time.sleep(0.01)


# --- pacing -----------------------------------------------------------------------------------------------


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

    stays = [
        {
            "conversation": speaker.conversation,
            "speaker": speaker.name,
            "left_cleanly": speaker.left_cleanly,
            "verdict": speaker.pacing.verdict,
            "pacing": speaker.pacing,
        }
        for speaker in space.speakers
    ]
    with writing_pacing(path):
        path.write_bytes(msgspec.json.format(msgspec.json.encode(stays), indent=2) + b"\n")


def writing_pacing(path: Path) -> AbstractContextManager[None]:
    """Tells what keeps the file of the pacing from being written."""
    return os_errors_as(f"cannot write the pacing to {path}")


class AudioFolder:
    """Writes the audio of a space's speakers to a folder while it is entered. Leave it before the server stops.

    Raises:
        ConfigurationError: the folder cannot be made or written to.
    """

    def __init__(self, folder: str | PathLike[str], space: SpaceHandle) -> None:
        self._folder = Path(folder)
        self._space = space
        self._written: set[SpeakerHandle] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="uhlive-mock-audio", daemon=True)
        with os_errors_as(f"cannot write audio to {folder}"):
            self._folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self._folder):
                pass

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._collect(those_who_stay=True)

    def _watch(self) -> None:
        while not self._over.wait(_EVERY_S):
            self._collect()

    def _collect(self, *, those_who_stay: bool = False) -> None:
        speakers = self._space.speakers
        self._written &= set(speakers)  # a reset forgets them
        for speaker in speakers:
            stays = speaker.left_cleanly is None
            if speaker not in self._written and (those_who_stay or not stays):
                self._written.add(speaker)
                self._write(speaker, stays=stays)

    def _write(self, speaker: SpeakerHandle, *, stays: bool) -> None:
        try:
            path = self._reserve(speaker)
            if stays:
                speaker.write_wav(path)
            else:
                from ..server.files import write_wav

                write_wav(path, speaker.recording)  # in this thread: the server has other things to do
        except OSError as error:
            logger.warning("the audio of %s was not written: %s", speaker.name, error)
            return
        if speaker.recording.truncated:
            logger.warning("%s ends after %.0f s: more audio than is kept came", path, speaker.recording.duration_s)

    def _reserve(self, speaker: SpeakerHandle) -> Path:
        stem = f"{safe_name(speaker.conversation)}-{safe_name(speaker.name)}"
        number = 1
        while True:
            path = self._folder / f"{stem}-{number}.wav"
            try:
                path.touch(exist_ok=False)
            except FileExistsError:
                number += 1
            else:
                return path


def safe_name(name: str) -> str:
    """A name as part of a file's name: no separators, nothing hidden, not too long, not empty."""
    safe = "".join(char if char.isalnum() or char in "_.-" else "_" for char in name[:LONGEST_NAME])
    safe = safe.encode()[:LONGEST_NAME].decode(errors="ignore")
    start = safe.lstrip(".-")
    return "_" * (len(safe) - len(start)) + start or "_"
