"""Events that a caller pushes into a conversation, one type for each of the constructors in `scenarios.events`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ..scenarios import events
from ..scenarios.events import Pushed

_Seconds = Annotated[float, Meta(ge=0, le=1_000_000)]
_Text = Annotated[str, Meta(min_length=1)]
_Phrase = Annotated[str, Meta(pattern=r"\S")]
_Name = Annotated[str, Meta(pattern=r"^[^\W\d]\w*$")]
_Confidence = Annotated[float, Meta(ge=0, le=1)]


class _Pushed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Something to push."""


class _Heard(_Pushed, frozen=True, kw_only=True):
    """What tells of a stretch of a speaker's audio has these: `at` and `until` are seconds of it."""

    speaker: _Text
    at: _Seconds | UnsetType = UNSET
    until: _Seconds | UnsetType = UNSET
    lang: str | UnsetType = UNSET
    country: str | UnsetType = UNSET
    confidence: _Confidence | UnsetType = UNSET


class PushedInterim(_Heard, frozen=True, kw_only=True, tag="interim"):
    """An interim transcript of the utterance that the next segment ends."""

    text: _Phrase


class PushedSegment(_Heard, frozen=True, kw_only=True, tag="segment"):
    """A final transcript; ends the utterance."""

    text: _Phrase


class PushedNormalized(_Heard, frozen=True, kw_only=True, tag="normalized"):
    """The normalised text of the utterance that ended last."""

    text: _Phrase


class PushedEntity(_Heard, frozen=True, kw_only=True, tag="entity"):
    """A named entity: the words as they were said, as a person would write them, and what they mean."""

    name: _Name
    source: _Text
    display: str | UnsetType = UNSET
    value: object = None


class PushedRelation(_Heard, frozen=True, kw_only=True, tag="relation"):
    """A relation between the speaker's latest entities of the names `members`."""

    name: _Name
    members: Annotated[list[_Name], Meta(min_length=1)]


class PushedTags(_Heard, frozen=True, kw_only=True, tag="tags"):
    """The tags of a time range: labels by id."""

    tags: Annotated[dict[_Text, _Text], Meta(min_length=1)]


class PushedEvent(_Pushed, frozen=True, kw_only=True, tag="event"):
    """Any event, by its wire name, with any payload."""

    name: _Text
    payload: object = None


class PushedJoin(_Pushed, frozen=True, kw_only=True, tag="speaker_joined"):
    """The news that a speaker joined."""

    speaker: _Text
    lang: str | UnsetType = UNSET
    country: str | UnsetType = UNSET
    interim_results: bool = True
    rescoring: bool = True


class PushedLeave(_Pushed, frozen=True, kw_only=True, tag="speaker_left"):
    """The news that a speaker left."""

    speaker: _Text
    reason: str | UnsetType = UNSET


AnyPushed = (
    PushedSegment
    | PushedInterim
    | PushedNormalized
    | PushedEntity
    | PushedRelation
    | PushedTags
    | PushedEvent
    | PushedJoin
    | PushedLeave
)

_CONSTRUCTORS: dict[type, Callable[..., Pushed]] = {
    PushedSegment: events.segment,
    PushedInterim: events.interim,
    PushedNormalized: events.normalized,
    PushedEntity: events.entity,
    PushedRelation: lambda *, name, members, **rest: events.relation(name, *members, **rest),
    PushedTags: events.tags,
    PushedEvent: events.event,
    PushedJoin: events.speaker_joined,
    PushedLeave: events.speaker_left,
}
"""What makes an event of each; it is called with the fields that the caller gave."""


def event_of(pushed: AnyPushed) -> Pushed:
    """The event that a caller described.

    Raises:
        ScenarioError: no scenario could say it either.
    """
    fields = ((name, getattr(pushed, name)) for name in pushed.__struct_fields__)
    return _CONSTRUCTORS[type(pushed)](**{name: value for name, value in fields if value is not UNSET})
