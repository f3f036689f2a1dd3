"""Operations on what goes on in a space: its conversations and speakers, events to push, faults to strike."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ..errors import ConfigurationError, unknown
from ..model.audio import SAMPLE_RATE
from ..model.fault import Fault, FaultKind, Takes
from ..protocol.admission import JoinOptions
from ..protocol.journal import Entry
from ..protocol.pacing import Pacing
from ..protocol.speaker_audio import SpeakerAudio
from ..scenarios import events
from ..scenarios.events import Pushed
from ..server.files import wav_bytes
from ..server.space_handle import SpaceHandle
from .operation import SPACE, Answer, Call, Refused, operation

WAV = "audio/wav"
LONGEST_FAULT_S = 86_400

_FAULTS = f"{SPACE}/faults"
_CONVERSATIONS = f"{SPACE}/conversations"
_CONVERSATION = _CONVERSATIONS + "/{conversation}"
_SPEAKER = _CONVERSATION + "/speakers/{speaker}"


# --- conversations and speakers -----------------------------------------------------------------------------


class Stay(msgspec.Struct, frozen=True, kw_only=True):
    """One speaker's stay in a conversation, over or not.

    `join` is its phx_join as it was sent, null if the journal has lost it, and `options` is what was understood.
    `seconds` and `samples` are those of the audio received, at 8 kHz; `truncated` when not all of it was kept.
    `left_cleanly` is true after a leave, false after a lost connection or a rule's end, null while it lasts.
    """

    conversation: str
    speaker: str
    topic: str
    join: Entry | None
    options: JoinOptions
    left_cleanly: bool | None
    seconds: float
    samples: int
    truncated: bool
    pacing: Pacing
    verdict: str


class Talk(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation, and the speakers' stays in it in the order of their joins; `live` while somebody is there."""

    conversation: str
    live: bool
    speakers: list[Stay]


class Talks(msgspec.Struct, frozen=True, kw_only=True):
    """The conversations of a space, in the order of their first joins."""

    conversations: list[Talk]


@operation("GET", _CONVERSATIONS)
async def list_conversations(call: Call) -> Talks:
    """The conversations so far."""
    return Talks(conversations=[_talk(call, name, stays) for name, stays in _talks(call).items()])


@operation("GET", _CONVERSATION)
async def show_conversation(call: Call, conversation: str) -> Talk:
    """A conversation and who spoke in it."""
    return _talk(call, conversation, _stays(call, conversation))


@operation("GET", _SPEAKER)
async def show_speaker(call: Call, conversation: str, speaker: str) -> Stay:
    """The latest stay of a speaker: its join, its audio, its pacing."""
    return _stay(_latest(call, conversation, speaker))


@operation("DELETE", _SPEAKER, refuses={HTTPStatus.CONFLICT: "The speaker has left."})
async def drop_speaker(call: Call, conversation: str, speaker: str) -> None:
    """Make a speaker leave: it gets phx_close, and everyone hears its speaker_left."""
    _latest(call, conversation, speaker)
    try:
        call.space.drop(speaker, conversation)
    except ConfigurationError as error:
        raise Refused(HTTPStatus.CONFLICT, str(error)) from None


@operation("GET", f"{_SPEAKER}/audio.wav", answers={WAV: "A WAV file."})
async def show_audio(call: Call, conversation: str, speaker: str) -> Answer:
    """The audio of a speaker's latest stay: 8 kHz, mono, 16 bits, every sample as it was sent."""
    # A recording grows on the loop; a copy does not, so it can be written on a thread of its own.
    recording = copy.deepcopy(_latest(call, conversation, speaker).recording)
    return Answer(content=await asyncio.to_thread(wav_bytes, recording), media=WAV)


def _talks(call: Call) -> dict[str, list[SpeakerAudio]]:
    """What was heard of each speaker's stay, by conversation."""
    found: dict[str, list[SpeakerAudio]] = {}
    for hearing in call.hosted.hearings:
        found.setdefault(hearing.conversation, []).append(hearing)
    return found


def _stays(call: Call, conversation: str) -> list[SpeakerAudio]:
    talks = _talks(call)
    if conversation not in talks:
        why = unknown("conversation", conversation, talks) if talks else "nobody has joined a conversation yet"
        raise Refused(HTTPStatus.NOT_FOUND, why)
    return talks[conversation]


def _latest(call: Call, conversation: str, speaker: str) -> SpeakerAudio:
    """The latest stay of a speaker in a conversation."""
    stays = _stays(call, conversation)
    for hearing in reversed(stays):
        if hearing.speaker == speaker:
            return hearing
    raise Refused(HTTPStatus.NOT_FOUND, unknown("speaker", speaker, dict.fromkeys(each.speaker for each in stays)))


def _stay(hearing: SpeakerAudio) -> Stay:
    return Stay(
        conversation=hearing.conversation,
        speaker=hearing.speaker,
        topic=hearing.topic,
        join=hearing.join,
        options=hearing.options,
        left_cleanly=hearing.left_cleanly,
        seconds=hearing.samples / SAMPLE_RATE,
        samples=hearing.samples,
        truncated=hearing.recording.truncated,
        pacing=hearing.pacing,
        verdict=hearing.pacing.verdict,
    )


def _talk(call: Call, conversation: str, stays: list[SpeakerAudio]) -> Talk:
    return Talk(
        conversation=conversation,
        live=any(hearing.topic in call.hosted.conversations for hearing in stays),
        speakers=[_stay(hearing) for hearing in stays],
    )


# --- events to push: a type for each of the constructors in `scenarios.events` ------------------------------

_Seconds = Annotated[float, Meta(ge=0, le=1_000_000)]
_Text = Annotated[str, Meta(min_length=1)]
_Phrase = Annotated[str, Meta(pattern=r"\S")]
_Name = Annotated[str, Meta(pattern=r"^[^\W\d]\w*$")]
_Confidence = Annotated[float, Meta(ge=0, le=1)]


class _Pushed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """Something to push."""


class _Heard(_Pushed, frozen=True, kw_only=True):
    """What tells of a stretch of a speaker's audio has these: `at` and `until` are seconds of it."""

    speaker: _Text
    at: _Seconds | UnsetType = UNSET
    until: _Seconds | UnsetType = UNSET
    lang: str | UnsetType = UNSET
    country: str | UnsetType = UNSET
    confidence: _Confidence | UnsetType = UNSET


class _Transcript(_Heard, frozen=True, kw_only=True):
    """What was said, as text."""

    text: _Phrase


class PushedInterim(_Transcript, frozen=True, kw_only=True, tag="interim"):
    """An interim transcript of the utterance that the next segment ends."""


class PushedSegment(_Transcript, frozen=True, kw_only=True, tag="segment"):
    """A final transcript; ends the utterance."""


class PushedNormalized(_Transcript, frozen=True, kw_only=True, tag="normalized"):
    """The normalised text of the utterance that ended last."""


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


class Push(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events for everyone who is in a conversation, in order."""

    conversation: str
    events: Annotated[list[AnyPushed], Meta(min_length=1, max_length=1000)]


@operation(
    "POST",
    f"{SPACE}/push",
    refuses={
        HTTPStatus.CONFLICT: "Nobody is in that conversation.",
        HTTPStatus.UNPROCESSABLE_ENTITY: "No scenario could say it either.",
    },
)
async def push(call: Call, body: Push) -> None:
    """Tell everyone in a conversation, as if the service had recognised it."""
    pushed = [event_of(event) for event in body.events]
    try:
        call.space.push(body.conversation, *pushed)
    except ConfigurationError as error:
        raise Refused(HTTPStatus.CONFLICT, str(error)) from None


# --- faults ---------------------------------------------------------------------------------------------------


class FaultFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault: what goes wrong, how often, whose and which events.

    `value` is what the kind reads: a status, a close code, a text, or a duration in seconds. `count` is null for
    a fault that always applies. `event` is a shell pattern over the names of events.
    """

    kind: FaultKind
    value: Annotated[float, Meta(ge=0, le=LONGEST_FAULT_S)] | str | None = None
    count: Annotated[int, Meta(ge=1, le=2**31)] | None = 1
    speaker: Annotated[str, Meta(min_length=1)] | None = None
    event: Annotated[str, Meta(min_length=1)] | None = None
    probability: Annotated[float, Meta(gt=0, le=1)] = 1.0


class FaultList(msgspec.Struct, frozen=True, kw_only=True):
    """The faults that wait for their turn."""

    faults: list[FaultFacts]


@operation("GET", _FAULTS)
async def list_faults(call: Call) -> FaultList:
    """The faults that wait for their turn."""
    return _waiting(call.space)


@operation(
    "POST",
    _FAULTS,
    refuses={HTTPStatus.UNPROCESSABLE_ENTITY: "The kind does not take that value, or its reach makes no sense."},
)
async def inject(call: Call, body: FaultFacts) -> FaultList:
    """Let something go wrong: at once where it can, else when its turn comes. Answers with those that wait."""
    value = body.value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    call.space.inject(
        body.kind, value, count=body.count, speaker=body.speaker, event=body.event, probability=body.probability
    )
    return _waiting(call.space)


@operation("DELETE", _FAULTS)
async def clear_faults(call: Call) -> None:
    """Forget the faults that wait for their turn."""
    call.space.clear_faults()


def _waiting(space: SpaceHandle) -> FaultList:
    return FaultList(faults=[_fault_facts(fault) for fault in space.faults])


def _fault_facts(fault: Fault) -> FaultFacts:
    fields = msgspec.structs.asdict(fault)
    if fault.kind.takes is Takes.DURATION:
        fields["value"] /= 1000
    return FaultFacts(**fields)
