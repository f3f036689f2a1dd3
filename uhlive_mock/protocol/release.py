"""What differs between releases of Phoenix: which stale join_refs pass, and how a crash is told.

Source: diffs of Phoenix's tags, confirmed on real servers from 1.6.16 to 1.8.12.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One release and those before it. The fields up to `any_leave_after_null_join` say what passes although
    its join_ref is not the channel's.
    """

    null_event: bool
    other_event: bool
    any_event_after_null_join: bool
    null_leave: bool
    any_leave_after_null_join: bool
    crash: dict[str, str]

    def passes(self, given: object, own: object, *, leaves: bool) -> bool:
        """Whether a message with join_ref `given` reaches a channel joined with `own`. Compared strictly."""
        if type(given) is type(own) and given == own:
            return True
        if own is None:
            return self.any_leave_after_null_join if leaves else self.any_event_after_null_join
        if given is None:
            return self.null_leave if leaves else self.null_event
        return not leaves and self.other_event


_STRICT = Release(
    null_event=False,
    other_event=False,
    any_event_after_null_join=True,
    null_leave=False,
    any_leave_after_null_join=True,
    crash={},
)
_TOLD = {"reason": "channel_crash"}

RELEASES = {
    "1.8.2": replace(_STRICT, null_event=True, other_event=True),
    "1.8.9": _STRICT,
    "1.8.11": replace(_STRICT, crash=_TOLD),
    "1.8.12": Release(
        null_event=True,
        other_event=False,
        any_event_after_null_join=False,
        null_leave=True,
        any_leave_after_null_join=False,
        crash=_TOLD,
    ),
}
