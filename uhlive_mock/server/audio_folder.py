"""A folder of what the speakers said: one WAV file for each stay, `<conversation>-<speaker>-<n>.wav`.

A file is written once its stay is over, and whatever is left when the folder is closed, so nothing is ever cut.
Names come from clients: what is not a letter, a digit, `_`, `.` or `-` becomes `_`, and long names are cut. `n`
counts the stays of one name and passes over files that exist, so nothing is overwritten either.
"""

from __future__ import annotations

import logging
import threading
from os import PathLike
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

from ..errors import ConfigurationError
from .files import write_wav
from .handles import SpaceHandle, SpeakerHandle

LONGEST_NAME = 100
"""Bytes of a conversation's or speaker's name in a file's name, which may have 255 in all."""

_EVERY_S = 0.5

logger = logging.getLogger("uhlive_mock")


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
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self._folder):
                pass
        except OSError as error:
            raise ConfigurationError(f"cannot write audio to {folder}: {error.strerror or error}") from None

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
            if speaker in self._written:
                continue
            stays = speaker.left_cleanly is None
            if stays and not those_who_stay:
                continue
            self._written.add(speaker)
            self._write(speaker, stays=stays)

    def _write(self, speaker: SpeakerHandle, *, stays: bool) -> None:
        try:
            path = self._reserve(speaker)
            if stays:
                speaker.write_wav(path)
            else:
                write_wav(path, speaker.recording)  # in this thread: the server has other things to do
        except OSError as error:
            logger.warning("the audio of %s was not written: %s", speaker.name, error)
            return
        if speaker.recording.truncated:
            seconds = speaker.recording.duration_s
            logger.warning("%s ends after %.0f s: more audio than is kept came", path, seconds)

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
