"""A space's journal, as a test reads it."""

from __future__ import annotations

from os import PathLike

from ...errors import WaitTimeout
from ...protocol.journal import Entry, Kind
from ...verification.messages import why_not_come
from ..files import JournalFile
from .questioning import Questioning


class JournalHandle(Questioning):
    """A space's journal, readable from any thread."""

    def entries(self) -> list[Entry]:
        """Every entry so far, in order."""
        return self._call(lambda: list(self._hosted.space.journal))

    def messages(
        self,
        *,
        event: str | None = None,
        speaker: str | None = None,
        conversation: str | None = None,
        payload: object = None,
        kind: Kind | None = None,
    ) -> list[Entry]:
        """The messages both ways, or those of a `kind`, that match every filter given.

        Args:
            conversation: the id of their conversation.
            payload: what their payload has at least; at every level, keys that are not named are not looked at.
        """
        sought = self._sought(event, speaker, conversation, payload, kind)
        return sought.matching(self.entries())

    def unplayed(self) -> list[str]:
        """One sentence for each cue that the audio never reached."""
        return self._call(lambda: self._hosted.space.journal.unplayed())

    def findings(self) -> list[str]:
        """One sentence for each rule and each speaker that broke it."""
        return self._call(lambda: self._hosted.space.journal.findings())

    @property
    def truncated(self) -> bool:
        """Whether the oldest entries are gone."""
        return self._call(lambda: self._hosted.space.journal.truncated)

    def to_jsonl(self) -> str:
        """Every entry so far as lines of JSON; a first one of kind `truncated` says how many are missing."""
        return self._call(lambda: self._hosted.space.journal.to_jsonl())

    def write_to(self, path: str | PathLike[str]) -> None:
        """Append every entry, past and to come, to a file, one JSON object a line.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        file = JournalFile(path)
        self._keep(file)

        def begin() -> None:
            journal = self._hosted.space.journal
            for entry in journal.export():
                file.write(entry)
            journal.listen(file.write)

        self._call(begin)

    def wait_for(
        self,
        *,
        event: str | None = None,
        speaker: str | None = None,
        conversation: str | None = None,
        payload: object = None,
        kind: Kind | None = None,
        timeout: float = 5.0,
    ) -> Entry:
        """The first message that matches every filter given, as in `messages`, waiting for it if need be.

        Raises:
            WaitTimeout: none came within `timeout` seconds, or before the space or the server ended; says what
                came instead.
        """
        __tracebackhide__ = True
        sought = self._sought(event, speaker, conversation, payload, kind)
        found, waited = self._wait(sought.matches, lambda space: _first(sought.matching(space.journal)), timeout)
        if found is None:
            raise WaitTimeout(self._say(lambda space: why_not_come(space, sought, waited)))
        return found


def _first(entries: list[Entry]) -> Entry | None:
    return entries[0] if entries else None
