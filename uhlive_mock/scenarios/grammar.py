"""What a scenario document may say: the keys of every mapping, the kind of each value, a sentence about it.

The loader, the JSON Schema and the messages about unknown keys all read these tables.
"""

from __future__ import annotations

from enum import Enum, auto

import msgspec

from .wording import unknown

VERSION = 1
"""The version of the format described here."""


class Kind(Enum):
    """What a value looks like in the document."""

    VERSION = auto()
    TEXT = auto()
    PHRASE = auto()
    NOTATION = auto()
    NAME = auto()
    NAMES = auto()
    DURATION = auto()
    INTEGER = auto()
    CONFIDENCE = auto()
    MOMENT = auto()
    JSON = auto()
    MATCH = auto()
    TIMING = auto()
    SPEAKERS = auto()
    CUES = auto()
    ENTITY = auto()
    RELATION = auto()
    TAGS = auto()
    EVENT = auto()


class Key(msgspec.Struct, frozen=True):
    """One key of a mapping."""

    kind: Kind
    about: str
    required: bool = False


class Action(msgspec.Struct, frozen=True):
    """One action of a cue, and the keys that may stand beside it."""

    kind: Kind
    about: str
    beside: dict[str, Key]


Shape = dict[str, Key]
"""The keys of a mapping."""

DOCUMENT: Shape = {
    "version": Key(Kind.VERSION, "The version of this format: 1.", required=True),
    "scenario": Key(Kind.TEXT, "The scenario's name; the file's name without its suffix by default."),
    "match": Key(Kind.MATCH, "The conversations that the scenario speaks in; all of them by default."),
    "seed": Key(Kind.INTEGER, "Decides everything random."),
    "timing": Key(Kind.TIMING, "How late the service is and how often it speaks up."),
    "speakers": Key(
        Kind.SPEAKERS,
        'The script of each speaker by name; "*" is for those without.',
        required=True,
    ),
}

MATCH: Shape = {
    "conversation": Key(Kind.TEXT, "A shell pattern over the id, such as support-*.", required=True),
}

TIMING: Shape = {
    "latency": Key(Kind.DURATION, "From the end of the audio to the event."),
    "jitter": Key(Kind.DURATION, "The most that is added to the latency at random."),
    "interim_every": Key(Kind.DURATION, "From one interim of a say to the next."),
    "word": Key(Kind.DURATION, "How long a word lasts when its cue has no until."),
}

SCRIPT: Shape = {
    "loop": Key(Kind.DURATION, "The script starts again every so often."),
    "script": Key(Kind.CUES, "The cues, in order.", required=True),
}

TRIGGERS: Shape = {
    "at": Key(Kind.DURATION, "Where the cue starts in the speaker's audio."),
    "after": Key(Kind.DURATION, "How long after the end of the previous cue."),
    "when": Key(Kind.MOMENT, "At a moment of the speaker's stay."),
}

UNTIL: Shape = {
    "until": Key(Kind.DURATION, "Where the cue ends in the speaker's audio: when its event is due. Needs at."),
}

_LANGUAGE: Shape = {
    "lang": Key(Kind.TEXT, "The language of the event; what the speaker joined with by default."),
    "country": Key(Kind.TEXT, "The country of the event; what the speaker joined with by default."),
    "confidence": Key(Kind.CONFIDENCE, "How sure the service is, 0 to 1."),
}

ACTIONS: dict[str, Action] = {
    "say": Action(
        Kind.NOTATION,
        "An utterance: growing interims, the segment, the normalised text, and the entities in brackets.",
        {"normalized": Key(Kind.PHRASE, "The text as a person would write it."), **_LANGUAGE},
    ),
    "interim": Action(Kind.PHRASE, "One interim transcript.", _LANGUAGE),
    "segment": Action(Kind.PHRASE, "One final transcript; ends the utterance.", _LANGUAGE),
    "normalized": Action(Kind.PHRASE, "The normalised text of the utterance that ended last.", _LANGUAGE),
    "entity": Action(Kind.ENTITY, "One named entity.", _LANGUAGE),
    "relation": Action(Kind.RELATION, "A relation between the latest entities of these names.", _LANGUAGE),
    "tags": Action(Kind.TAGS, "The tags of a time range.", _LANGUAGE),
    "event": Action(Kind.EVENT, "Any event, by its wire name, with any payload.", {}),
}

CUE: Shape = {
    **TRIGGERS,
    **UNTIL,
    **{name: Key(action.kind, action.about) for name, action in ACTIONS.items()},
    **_LANGUAGE,
}

ENTITY: Shape = {
    "name": Key(Kind.NAME, "The name, such as location_city.", required=True),
    "source": Key(Kind.TEXT, "The words as they were said.", required=True),
    "display": Key(Kind.TEXT, "The words as a person would write them."),
    "value": Key(Kind.JSON, "What the words mean: any value."),
    "confidence": Key(Kind.CONFIDENCE, "How sure the service is, 0 to 1."),
}

RELATION: Shape = {
    "name": Key(Kind.NAME, "The name, such as location.", required=True),
    "members": Key(Kind.NAMES, "The names of the entities it holds between, in order.", required=True),
}

TAG: Shape = {
    "id": Key(Kind.TEXT, "The tag's id.", required=True),
    "label": Key(Kind.TEXT, "The tag's readable name.", required=True),
    "confidence": Key(Kind.CONFIDENCE, "How sure the service is, 0 to 1."),
}

EVENT: Shape = {
    "name": Key(Kind.TEXT, "The event's name on the wire.", required=True),
    "payload": Key(Kind.JSON, "The event's payload; {} by default."),
}

LATER: dict[str, str] = {
    "limits": "limits are not supported by this version",
    "fault": "faults are not supported by this version",
    "ghost": "ghost speakers are not supported by this version",
    "say_from": "say_from is not supported by this version",
}
"""Keys of the design that no code reads yet. Delete a line when its key moves into a table above."""

_REMEDIES: dict[str, str] = {
    "on": "'on' is never a key: YAML 1.1 reads it as true; expected 'when' for a moment",
    "<<": "YAML 1.2 has no merge key '<<'; expected the keys themselves",
}


def unknown_key(key: str, shape: Shape) -> str:
    """What to say about a key that is not of `shape`."""
    return LATER.get(key) or _REMEDIES.get(key) or unknown("key", key, shape)
