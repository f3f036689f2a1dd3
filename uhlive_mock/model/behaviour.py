"""What the real service does and cannot be known for certain outside: one field, default and grade each.

Grades: `D` the provider documents it, `S` an official SDK proves it, `I` it follows from something known,
`U` nothing is known and the default is a choice. A behaviour graded D or S that no client could tell
apart stays in the code; everything else is a field here, so that a test can try the other answer.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Annotated, Literal, get_type_hints

import msgspec

from ..errors import ConfigurationError


class Grade(StrEnum):
    """How well a behaviour is known."""

    DOCUMENTED = "D"
    SEEN = "S"
    INFERRED = "I"
    UNKNOWN = "U"


MEANINGS: dict[Grade, tuple[str, str]] = {
    Grade.DOCUMENTED: ("documented", "the provider's own pages say so"),
    Grade.SEEN: ("seen", "an official SDK or the server's own software shows it"),
    Grade.INFERRED: ("inferred", "it follows from something known"),
    Grade.UNKNOWN: ("unknown", "nothing certain is published; the default is our choice"),
}
"""Each grade spelled out, and what it means."""


def rule(sentence: str, grade: Grade, source: str) -> msgspec.Meta:
    """What to annotate a field with: what it decides, how well that is known, and from where."""
    return msgspec.Meta(description=sentence, extra={"grade": grade.value, "source": source})


def check_fields(value: msgspec.Struct) -> None:
    """Refuse a field whose value is not of its type.

    Raises:
        ConfigurationError: one is not; says which, what was found and what was expected.
    """
    for name, hint in _hints(type(value)).items():
        found = getattr(value, name)
        try:
            msgspec.convert(found, hint, strict=True)
        except msgspec.ValidationError as error:
            raise ConfigurationError(f"{type(value).__name__}.{name} is {found!r}: {error}") from None


@cache
def _hints(kind: type[msgspec.Struct]) -> dict[str, object]:
    return get_type_hints(kind, include_extras=True)


_D, _S, _I, _U = Grade
_PHOENIX = "Phoenix sources and runs of real servers"


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every behaviour that is inferred or unknown, with the default we chose.

    Raises:
        ConfigurationError: a field has a value that is none of its choices.
    """

    phoenix: Annotated[
        Literal["1.8.2", "1.8.9", "1.8.11", "1.8.12"],
        rule("Newest Phoenix release whose join_ref rules the server follows.", _I, _PHOENIX),
    ] = "1.8.12"
    refused_status: Annotated[
        Literal[401, 403],
        rule("HTTP status for a missing, expired or foreign token at the handshake.", _I, _PHOENIX),
    ] = 403
    require_roles: Annotated[
        bool,
        rule("A token without the stream-h2h read and write roles is refused.", _I, "JavaScript SDK examples"),
    ] = False
    max_frame: Annotated[int, rule("Largest frame or message in bytes; more closes with 1009.", _I, _PHOENIX)] = (
        10_000_000
    )
    max_topics: Annotated[int, rule("Topics one socket may have joined at once.", _I, _PHOENIX)] = 100
    second_topic: Annotated[
        Literal["allow", "reject"],
        rule("A second conversation on one socket.", _I, "older provider pages allow it"),
    ] = "allow"
    identifier_must_match: Annotated[
        bool,
        rule("The identifier in the topic must be the token's azp.", _D, "provider's protocol V1 page"),
    ] = True
    join_checks: Annotated[
        frozenset[Literal["speaker", "model", "audio_codec", "types"]],
        rule("Which faults in a join are refused; the others fall back to the default value.", _U, ""),
    ] = frozenset({"speaker", "model", "audio_codec", "types"})
    models: Annotated[
        tuple[str, ...],
        rule("Models a speaker may join with; empty accepts any.", _U, "provider's pages name fr, en, es"),
    ] = ("fr", "en", "es")
    duplicate_speaker: Annotated[
        Literal["allow", "reject", "replace"],
        rule("A second speaker of the same name in one conversation.", _U, ""),
    ] = "allow"
    chunk_reply: Annotated[Literal["none", "ok"], rule("Reply to each audio chunk.", _U, "no SDK needs one")] = (
        "none"
    )
    readonly_audio: Annotated[Literal["ignore", "error"], rule("Audio from an observer.", _U, "")] = "ignore"
    unhandled_push: Annotated[
        Literal["crash", "ignore", "error"],
        rule("An event the service does not know, or audio it cannot read.", _I, _PHOENIX),
    ] = "crash"
    phx_close_on_leave: Annotated[bool, rule("A leave is answered by phx_close after its reply.", _I, _PHOENIX)] = (
        True
    )
    observer_left: Annotated[
        bool,
        rule(
            "An observer that leaves gets a private speaker_left.",
            _D,
            "JavaScript SDK: observers cause none",
        ),
    ] = False
    events_carry_join_ref: Annotated[
        bool, rule("Events carry the receiver's join_ref instead of null.", _I, _PHOENIX)
    ] = False
    utterance_ids: Annotated[
        Literal["conversation", "speaker"],
        rule(
            "Utterance ids are unique in the conversation, or count from 0 for each speaker.",
            _U,
            "the JavaScript SDK's page needs them unique",
        ),
    ] = "conversation"
    rule_close_code: Annotated[
        int,
        rule("Close code where a limit's action is to close; idle has its own.", _U, "RFC 6455: policy violation"),
    ] = 1008
    left_reason: Annotated[
        str | None, rule("Value of speaker_left.reason; null leaves it out.", _U, "JavaScript type only")
    ] = None
    campaign_id: Annotated[str, rule("campaign_id of every universal event.", _U, "SDK 2.1.0 fixtures")] = (
        "campaign"
    )
    reason_unauthorized: Annotated[str, rule("Reason of a join under another identifier.", _U, "")] = "unauthorized"
    reason_bad_join: Annotated[
        str,
        rule("Reason of a join with a bad field; {field} is its name.", _U, ""),
    ] = "invalid {field}"
    reason_duplicate_speaker: Annotated[str, rule("Reason of a join under a name already taken.", _U, "")] = (
        "speaker already joined"
    )
    reason_second_topic: Annotated[str, rule("Reason of a join to a second conversation.", _U, "")] = (
        "already in a conversation"
    )

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def release(self) -> PhoenixRelease:
        """The rules of the Phoenix release that the server follows."""
        return RELEASES[self.phoenix]


class PhoenixRelease(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between releases of Phoenix: which stale join_refs pass, and how a crash is told.

    One release and those before it. The fields up to `any_leave_after_null_join` say what passes although its
    join_ref is not the channel's. Source: diffs of Phoenix's tags, confirmed on real servers from 1.6.16 to 1.8.12.
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


_STRICT = PhoenixRelease(
    null_event=False,
    other_event=False,
    any_event_after_null_join=True,
    null_leave=False,
    any_leave_after_null_join=True,
    crash={},
)
_TOLD = {"reason": "channel_crash"}

RELEASES = {
    "1.8.2": msgspec.structs.replace(_STRICT, null_event=True, other_event=True),
    "1.8.9": _STRICT,
    "1.8.11": msgspec.structs.replace(_STRICT, crash=_TOLD),
    "1.8.12": PhoenixRelease(
        null_event=True,
        other_event=False,
        any_event_after_null_join=False,
        null_leave=True,
        any_leave_after_null_join=False,
        crash=_TOLD,
    ),
}
