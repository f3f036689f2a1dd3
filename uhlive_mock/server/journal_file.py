"""A journal on disk: one JSON object a line, complete after every line."""

from __future__ import annotations

from os import PathLike

import msgspec

from ..errors import ConfigurationError
from ..protocol.journal import Entry


class JournalFile:
    """Appends journal entries to a file.

    Raises:
        ConfigurationError: the file cannot be opened for writing.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        try:
            # Unbuffered: a killed server leaves whole lines behind.
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise ConfigurationError(f"cannot write the journal {path}: {error.strerror or error}") from None
        self._encoder = msgspec.json.Encoder()

    def write(self, entry: Entry) -> None:
        """Append one entry."""
        self._file.write(self._encoder.encode(entry) + b"\n")

    def close(self) -> None:
        """Close the file; may be called again."""
        self._file.close()
