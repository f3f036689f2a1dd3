"""A space's journal, as a test reads it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from os import PathLike

from ...errors import WaitTimeout
from ...protocol.journal import Entry, Journal, Kind
from ..journal_file import JournalFile
from .call import Call


class JournalHandle:
    """A space's journal, readable from any thread."""

    def __init__(self, call: Call, keep: Callable[[JournalFile], None], journal: Journal) -> None:
        self._call = call
        self._keep = keep
        self._journal = journal

    def entries(self) -> list[Entry]:
        """Every entry so far, in order."""
        return self._call(lambda: list(self._journal))

    def messages(
        self, *, event: str | None = None, speaker: str | None = None, kind: Kind | None = None
    ) -> list[Entry]:
        """The messages both ways, or those of a `kind`, that match every filter given."""
        return self._call(lambda: self._journal.messages(event=event, speaker=speaker, kind=kind))

    def unplayed(self) -> list[str]:
        """One sentence for each cue that the audio never reached."""
        return self._call(self._journal.unplayed)

    def findings(self) -> list[str]:
        """One sentence for each rule and each speaker that broke it."""
        return self._call(self._journal.findings)

    @property
    def truncated(self) -> bool:
        """Whether the oldest entries are gone."""
        return self._call(lambda: self._journal.truncated)

    def to_jsonl(self) -> str:
        """Every entry so far as lines of JSON; a first one of kind `truncated` says how many are missing."""
        return self._call(self._journal.to_jsonl)

    def write_to(self, path: str | PathLike[str]) -> None:
        """Append every entry, past and to come, to a file, one JSON object a line.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        file = JournalFile(path)
        self._keep(file)

        def begin() -> None:
            for entry in self._journal.export():
                file.write(entry)
            self._journal.listen(file.write)

        self._call(begin)

    def wait_for(
        self,
        *,
        event: str | None = None,
        speaker: str | None = None,
        kind: Kind | None = None,
        timeout: float = 5.0,
    ) -> Entry:
        """The first message that matches every filter given, waiting for it if need be.

        Raises:
            WaitTimeout: none came within `timeout` seconds.
        """
        arrived = threading.Event()
        stop = self._call(lambda: self._journal.listen(lambda _: arrived.set()))
        deadline = time.monotonic() + timeout
        try:
            while True:
                arrived.clear()
                if found := self.messages(event=event, speaker=speaker, kind=kind):
                    return found[0]
                if not arrived.wait(max(0.0, deadline - time.monotonic())):
                    wanted = {"event": event, "speaker": speaker, "kind": kind}
                    given = ", ".join(f"{name}={value}" for name, value in wanted.items() if value is not None)
                    raise WaitTimeout(f"no message with {given or 'any content'} came within {timeout:g} s")
        finally:
            self._call(stop)
