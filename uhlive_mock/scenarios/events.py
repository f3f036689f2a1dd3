"""Events that a test pushes into a conversation: what is said and by whom, before anybody says it.

    space.push("conv1", segment("bonjour", speaker="Alice", at=1.0))

What such an event does not say is filled in when it is pushed: the speaker's language and country, its utterance
ids, the origin of its audio. Times are seconds of the speaker's audio. Without any

- words follow on: they end where the audio has got to, but do not start before the last segment has ended;
- what speaks of words (`normalized`, `entity`, `relation`, `tags`) has the span of the last segment.

Without `until`, words last as long as the scenario's words do; anything else is a point.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, TypedDict, Unpack

import msgspec

from ..errors import ScenarioError
from ..model.scenario import (
    RawEvent,
    SayEntity,
    SayInterim,
    SayNormalized,
    SayRelation,
    SaySegment,
    SayTags,
    labelled,
)
from .notation import optional_ms, refuse_unsendable


class Joining(msgspec.Struct, frozen=True, kw_only=True, tag="speaker_joined"):
    """A speaker joins, or so everyone hears."""

    word_count: ClassVar[int] = 0

    lang: str | None = None
    country: str | None = None
    interim_results: bool = True
    rescoring: bool = True


class Leaving(msgspec.Struct, frozen=True, kw_only=True, tag="speaker_left"):
    """A speaker leaves, or so everyone hears."""

    word_count: ClassVar[int] = 0

    reason: str | None = None


LiveAction = SayInterim | SaySegment | SayNormalized | SayEntity | SayRelation | SayTags | Joining | Leaving


class LiveEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a speaker, to push.

    Raises `ScenarioError` for what no scenario could say either, and for what cannot be sent.
    """

    action: LiveAction
    speaker: str
    start_ms: int | None = None
    end_ms: int | None = None

    def __post_init__(self) -> None:
        if not self.speaker:
            raise ScenarioError("the speaker is empty; expected a name")
        _refuse_unsendable((self.speaker, self.action))
        for name, position in (("at", self.start_ms), ("until", self.end_ms)):
            if position is not None and position < 0:
                raise ScenarioError(f"{name} is {position / 1000:g} s; expected 0 or more")
        if self.start_ms is not None and self.end_ms is not None and self.end_ms <= self.start_ms:
            raise ScenarioError(f"until is {self.end_ms / 1000:g} s, not after at, {self.start_ms / 1000:g} s")


Pushed = LiveEvent | RawEvent
"""What can be pushed."""


class Place(TypedDict, total=False):
    """Where in the speaker's audio an event lies, in seconds; see the module for what is left out."""

    at: float | None
    until: float | None


def interim(
    text: str,
    *,
    speaker: str,
    lang: str | None = None,
    country: str | None = None,
    confidence: float | None = None,
    **place: Unpack[Place],
) -> LiveEvent:
    """An interim transcript of the utterance that the next segment pushed for the speaker ends."""
    return _live(SayInterim(text=text, lang=lang, country=country, confidence=confidence), speaker, **place)


def segment(
    text: str,
    *,
    speaker: str,
    lang: str | None = None,
    country: str | None = None,
    confidence: float | None = None,
    **place: Unpack[Place],
) -> LiveEvent:
    """A final transcript; ends the utterance. Without `confidence`, each word has one drawn from the seed."""
    return _live(SaySegment(text=text, lang=lang, country=country, confidence=confidence), speaker, **place)


def normalized(
    text: str,
    *,
    speaker: str,
    lang: str | None = None,
    country: str | None = None,
    confidence: float | None = None,
    **place: Unpack[Place],
) -> LiveEvent:
    """The normalised text of the speaker's utterance that ended last."""
    return _live(SayNormalized(text=text, lang=lang, country=country, confidence=confidence), speaker, **place)


def entity(
    name: str,
    source: str,
    *,
    speaker: str,
    display: str | None = None,
    value: object = None,
    lang: str | None = None,
    country: str | None = None,
    confidence: float = 0.9,
    **place: Unpack[Place],
) -> LiveEvent:
    """A named entity: the words as they were said, as a person would write them, and what they mean."""
    return _live(
        SayEntity(
            name=name,
            source=source,
            display=display,
            value=value,
            lang=lang,
            country=country,
            confidence=confidence,
        ),
        speaker,
        **place,
    )


def relation(
    name: str,
    *members: str,
    speaker: str,
    lang: str | None = None,
    country: str | None = None,
    confidence: float = 0.9,
    **place: Unpack[Place],
) -> LiveEvent:
    """A relation between the speaker's latest entities of the names `members`, pushed or scripted."""
    return _live(
        SayRelation(name=name, members=members, lang=lang, country=country, confidence=confidence),
        speaker,
        **place,
    )


def tags(
    tags: Mapping[str, str],
    *,
    speaker: str,
    lang: str | None = None,
    country: str | None = None,
    confidence: float = 0.8,
    **place: Unpack[Place],
) -> LiveEvent:
    """The tags of a time range, labels by id; `confidence` is that of each tag and of them all."""
    return _live(
        SayTags(tags=labelled(tags, confidence), lang=lang, country=country, confidence=confidence),
        speaker,
        **place,
    )


def event(name: str, payload: object = None) -> RawEvent:
    """Any event, by its wire name, with any payload; None is an empty one."""
    refuse_unsendable(name)
    refuse_unsendable(payload)
    return RawEvent(name=name, payload={} if payload is None else payload)


def speaker_joined(
    speaker: str,
    *,
    lang: str | None = None,
    country: str | None = None,
    interim_results: bool = True,
    rescoring: bool = True,
) -> LiveEvent:
    """The news that a speaker joined. One who is not there speaks that language in what is pushed from now on."""
    return LiveEvent(
        action=Joining(lang=lang, country=country, interim_results=interim_results, rescoring=rescoring),
        speaker=speaker,
    )


def speaker_left(speaker: str, *, reason: str | None = None) -> LiveEvent:
    """The news that a speaker left. Nobody really leaves; `space.drop` makes a speaker leave."""
    return LiveEvent(action=Leaving(reason=reason), speaker=speaker)


def _live(action: LiveAction, speaker: str, *, at: float | None = None, until: float | None = None) -> LiveEvent:
    return LiveEvent(
        action=action,
        speaker=speaker,
        start_ms=optional_ms("at", at),
        end_ms=optional_ms("until", until),
    )


def _refuse_unsendable(value: object) -> None:
    if isinstance(value, msgspec.Struct):
        value = msgspec.structs.astuple(value)
    if isinstance(value, tuple):
        for part in value:
            _refuse_unsendable(part)
    else:
        refuse_unsendable(value)
