"""Operations on the conversations of a space and on who spoke in them."""

from __future__ import annotations

import asyncio
import copy
from http import HTTPStatus

import msgspec

from ..errors import ConfigurationError
from ..model.audio import SAMPLE_RATE
from ..protocol.admission import JoinOptions
from ..protocol.journal import Entry
from ..protocol.pacing import Pacing
from ..protocol.speaker_audio import Hearing
from ..scenarios.wording import unknown
from ..server.files import wav_bytes
from .operation import Asked, NoQuery, Operation, Reply, operation
from .refusals import Refused

WAV = "audio/wav"


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


def _talks(asked: Asked[NoQuery, None]) -> dict[str, list[Hearing]]:
    found: dict[str, list[Hearing]] = {}
    for hearing in asked.hosted.space.hearings:
        found.setdefault(hearing.conversation, []).append(hearing)
    return found


def _stays(asked: Asked[NoQuery, None]) -> list[Hearing]:
    talks, conversation = _talks(asked), asked.names["conversation"]
    if conversation not in talks:
        why = unknown("conversation", conversation, talks) if talks else "nobody has joined a conversation yet"
        raise Refused(HTTPStatus.NOT_FOUND, why)
    return talks[conversation]


def _latest(asked: Asked[NoQuery, None]) -> Hearing:
    """The latest stay of the speaker that the path names."""
    stays, speaker = _stays(asked), asked.names["speaker"]
    for hearing in reversed(stays):
        if hearing.speaker == speaker:
            return hearing
    joined = dict.fromkeys(hearing.speaker for hearing in stays)
    raise Refused(HTTPStatus.NOT_FOUND, unknown("speaker", speaker, joined))


def _stay(hearing: Hearing) -> Stay:
    pacing = hearing.pacing
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
        pacing=pacing,
        verdict=pacing.verdict,
    )


def _talk(asked: Asked[NoQuery, None], conversation: str, stays: list[Hearing]) -> Talk:
    live = asked.hosted.space.conversations
    return Talk(
        conversation=conversation,
        live=any(hearing.topic in live for hearing in stays),
        speakers=[_stay(hearing) for hearing in stays],
    )


async def _list(asked: Asked[NoQuery, None]) -> Talks:
    return Talks(conversations=[_talk(asked, name, stays) for name, stays in _talks(asked).items()])


async def _conversation(asked: Asked[NoQuery, None]) -> Talk:
    return _talk(asked, asked.names["conversation"], _stays(asked))


async def _speaker(asked: Asked[NoQuery, None]) -> Stay:
    return _stay(_latest(asked))


async def _audio(asked: Asked[NoQuery, None]) -> Reply:
    # A recording grows on the loop; a copy does not, so it can be written on a thread of its own.
    recording = copy.deepcopy(_latest(asked).recording)
    return Reply(content=await asyncio.to_thread(wav_bytes, recording), media=WAV)


async def _drop(asked: Asked[NoQuery, None]) -> None:
    _latest(asked)
    try:
        asked.space.drop(asked.names["speaker"], asked.names["conversation"])
    except ConfigurationError as error:
        raise Refused(HTTPStatus.CONFLICT, str(error)) from None


_CONVERSATIONS = "/_mock/spaces/{space}/conversations"
_CONVERSATION = _CONVERSATIONS + "/{conversation}"
_SPEAKER = _CONVERSATION + "/speakers/{speaker}"

OPERATIONS: tuple[Operation, ...] = (
    operation("GET", _CONVERSATIONS, "The conversations so far.", _list, answers=Talks),
    operation("GET", _CONVERSATION, "A conversation and who spoke in it.", _conversation, answers=Talk),
    operation(
        "GET", _SPEAKER, "The latest stay of a speaker: its join, its audio, its pacing.", _speaker, answers=Stay
    ),
    operation(
        "DELETE",
        _SPEAKER,
        "Make a speaker leave: it gets phx_close, and everyone hears its speaker_left.",
        _drop,
        refuses={HTTPStatus.CONFLICT: "The speaker has left."},
    ),
    operation(
        "GET",
        f"{_SPEAKER}/audio.wav",
        "The audio of a speaker's latest stay: 8 kHz, mono, 16 bits, every sample as it was sent.",
        _audio,
        answers={WAV: "A WAV file."},
    ),
)
