"""A journal on disk: one JSON object a line, complete after every line."""

from __future__ import annotations

import logging
from os import PathLike

from ..errors import ConfigurationError
from ..protocol.journal import Entry, to_line

logger = logging.getLogger("uhlive_mock")


class JournalFile:
    """Appends journal entries to a file. When the disk refuses one, it says so once and writes no more.

    Raises:
        ConfigurationError: the file cannot be opened for writing.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        try:
            # Unbuffered: a killed server leaves whole lines behind.
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise ConfigurationError(f"cannot write the journal {path}: {error.strerror or error}") from None
        self._path = path
        self._full = False

    def write(self, entry: Entry) -> None:
        """Append one entry."""
        if self._full:
            return
        try:
            self._file.write(to_line(entry))
        except OSError as error:
            # The calls go on: a test should not fail for want of disk.
            self._full = True
            logger.warning("the journal %s ends before its time: %s", self._path, error.strerror or error)

    def close(self) -> None:
        """Close the file; may be called again."""
        self._file.close()
