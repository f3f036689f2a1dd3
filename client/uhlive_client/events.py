"""What the service reports to a participant, whichever vocabulary it used.

Times are integer milliseconds on the audio timeline, the speaker's `origin` already added by the service.
Confidences are 0..1. A field that a vocabulary or an account does not send is `None`.
`vocabulary` makes these from messages, but for `Reconnected`, which is our own.
"""

from __future__ import annotations

import msgspec


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One timestamped token of a transcript."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None = None


class Speech(msgspec.Struct, frozen=True, kw_only=True):
    """What interims, segments and normalised segments have in common.

    `utterance` names the utterance: an interim and the segment that replaces it bear the same one.
    """

    speaker: str
    text: str
    start_ms: int
    end_ms: int
    utterance: str | None = None
    previous: str | None = None
    lang: str | None = None
    country: str | None = None
    model: str | None = None
    confidence: float | None = None
    words: tuple[Word, ...] = ()


class Interim(Speech, frozen=True, kw_only=True):
    """A transcript that may still change."""


class Segment(Speech, frozen=True, kw_only=True):
    """The final transcript of an utterance."""


class Normalized(Speech, frozen=True, kw_only=True):
    """The final transcript, written as a person would write it."""


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    """A named entity recognised in what a speaker said.

    `source` is the excerpt of the transcript, `display` its usual spelling, `value` what a program can
    compute with (any JSON value). `name` has no prefix: `location_city`.
    """

    speaker: str
    name: str
    source: str
    start_ms: int
    end_ms: int
    id: str | None = None
    display: str | None = None
    value: object = None
    lang: str | None = None
    country: str | None = None
    confidence: float | None = None


class EntityRef(msgspec.Struct, frozen=True, kw_only=True):
    """A member of a relation: found again by `id` (universal) or by `start_ms` (legacy).

    `name` is `None` for a member the service does not know.
    """

    name: str | None
    id: str | None = None
    start_ms: int | None = None


class Relation(msgspec.Struct, frozen=True, kw_only=True):
    """A relation between entities of one speaker."""

    speaker: str
    name: str
    members: tuple[EntityRef, ...]
    start_ms: int
    end_ms: int
    lang: str | None = None
    country: str | None = None
    confidence: float | None = None


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """One behavioural label, by its id and its readable name."""

    id: str
    label: str
    confidence: float | None = None


class Tags(msgspec.Struct, frozen=True, kw_only=True):
    """The tags found on a time range."""

    speaker: str
    tags: tuple[Tag, ...]
    start_ms: int
    end_ms: int
    lang: str | None = None
    country: str | None = None
    confidence: float | None = None


class SpeakerJoined(msgspec.Struct, frozen=True, kw_only=True):
    """Another speaker joined, after us. `timestamp_ms` is Unix time."""

    speaker: str
    timestamp_ms: int | None = None
    lang: str | None = None
    country: str | None = None
    interim_results: bool | None = None
    rescoring: bool | None = None


class SpeakerLeft(msgspec.Struct, frozen=True, kw_only=True):
    """A speaker left or was lost, after its last event. `timestamp_ms` is Unix time."""

    speaker: str
    timestamp_ms: int | None = None
    reason: str | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one message of ours, found by `ref`.

    `reason` is set when the answer is an error that gives one; `response` is the whole answer.
    """

    ref: str | None
    ok: bool
    reason: str | None = None
    response: object = None


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """The service closed the channel (`phx_close`); the last transcripts may still follow."""


class Reconnected(msgspec.Struct, frozen=True, kw_only=True):
    """The connection was lost, and we have joined again. Not from the service: see `Reconnect`.

    For `gap_s` seconds nothing was heard, and nothing of it will ever be: neither what the others said, nor the
    transcript of our last words before. `lost_audio_s` is how much sound of ours came due meanwhile and was
    never sent. The times of our events go on counting from where they did, with the gap in them: the new stay's
    `origin`, in ms, is the old one plus the sound sent and lost so far.
    """

    gap_s: float
    lost_audio_s: float
    origin: int
    attempts: int
    reason: str


class UnknownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event this client does not know, or whose payload is not what its name promises."""

    name: str
    payload: object


Event = (
    Interim
    | Segment
    | Normalized
    | Entity
    | Relation
    | Tags
    | SpeakerJoined
    | SpeakerLeft
    | Reply
    | Closed
    | Reconnected
    | UnknownEvent
)
"""Everything a conversation can report."""
