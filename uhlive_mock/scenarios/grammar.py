"""What a scenario document may say: the keys of every mapping, the kind of each value, a sentence about it.

The loader, the JSON Schema and the messages about unknown keys all read these tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, StrEnum, auto
from typing import Any

import msgspec

from ..errors import unknown
from ..model.fault import FaultKind, Stage, Takes
from ..model.limits import (
    Chunk,
    ChunkAction,
    Gap,
    GapAction,
    Idle,
    Limits,
    Measure,
    Throttle,
    ThrottleAction,
)
from ..model.scenario import (
    After,
    At,
    Match,
    Moment,
    RawEvent,
    Say,
    SayEntity,
    SayInterim,
    SayNormalized,
    SayRelation,
    SaySegment,
    SayTags,
    Script,
    Timing,
    Trigger,
    When,
)
from .notation import BYTES_PER_UNIT, format_duration

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
    DURATION_OR_OFF = auto()
    SIZE = auto()
    RATE = auto()
    BOOLEAN = auto()
    TRUE = auto()
    CLOSE_CODE = auto()
    STATUS = auto()
    COUNT = auto()
    PROBABILITY = auto()
    INTEGER = auto()
    CONFIDENCE = auto()
    MOMENT = auto()
    START = auto()
    THROTTLE_ACTION = auto()
    MEASURE = auto()
    GAP_ACTION = auto()
    CHUNK_ACTION = auto()
    JSON = auto()
    MATCH = auto()
    TIMING = auto()
    LIMITS = auto()
    THROTTLE = auto()
    GAP = auto()
    IDLE = auto()
    CHUNK = auto()
    SPEAKERS = auto()
    CUES = auto()
    ENTITY = auto()
    RELATION = auto()
    TAGS = auto()
    EVENT = auto()
    FAULT = auto()


class Choice(msgspec.Struct, frozen=True):
    """One of a few words, and what to call them in a message."""

    noun: str
    words: tuple[StrEnum, ...]


CHOICES: dict[Kind, Choice] = {
    Kind.MOMENT: Choice("moment", tuple(Moment)),
    Kind.START: Choice("moment", (Moment.JOINED, Moment.FIRST_AUDIO)),
    Kind.THROTTLE_ACTION: Choice("action", tuple(ThrottleAction)),
    Kind.MEASURE: Choice("measure", tuple(Measure)),
    Kind.GAP_ACTION: Choice("action", tuple(GapAction)),
    Kind.CHUNK_ACTION: Choice("action", tuple(ChunkAction)),
}

OFF = "off"
"""What switches a limit off, in the place of its mapping."""


class Key(msgspec.Struct, frozen=True):
    """One key of a mapping."""

    kind: Kind
    about: str
    required: bool = False


class Action(msgspec.Struct, frozen=True):
    """One action of a cue, the keys that may stand beside it, and whether `until` may."""

    kind: Kind
    about: str
    beside: dict[str, Key]
    spans: bool = True


Shape = dict[str, Key]
"""The keys of a mapping."""

DOCUMENT: Shape = {
    "version": Key(Kind.VERSION, "The version of this format: 1.", required=True),
    "scenario": Key(Kind.TEXT, "The scenario's name; the file's name without its suffix by default."),
    "match": Key(Kind.MATCH, "The conversations that the scenario speaks in; all of them by default."),
    "seed": Key(Kind.INTEGER, "Decides everything random."),
    "timing": Key(Kind.TIMING, "How late the service is and how often it speaks up."),
    "limits": Key(Kind.LIMITS, "The service's limits; what is left out has its default."),
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

LIMITS: Shape = {
    "throttle": Key(Kind.THROTTLE, "How fast audio may come, for each connection."),
    "gap": Key(Kind.GAP, "How long a speaker may send no audio."),
    "idle": Key(Kind.IDLE, "How long a socket may send nothing at all."),
    "chunk": Key(Kind.CHUNK, "How large one audio chunk may be."),
}

THROTTLE: Shape = {
    "rate": Key(Kind.RATE, "Audio let through, such as 20 kB/s."),
    "burst": Key(Kind.SIZE, "Audio let through at once, such as 64 kB."),
    "action": Key(Kind.THROTTLE_ACTION, "What faster audio meets."),
    "measure": Key(Kind.MEASURE, "What counts: decoded audio, or whole frames."),
}

GAP: Shape = {
    "after": Key(Kind.DURATION, "The silence that is too long."),
    "action": Key(Kind.GAP_ACTION, "What a silent speaker meets."),
}

IDLE: Shape = {
    "after": Key(Kind.DURATION_OR_OFF, "The time that is too long; off for no limit."),
    "close_code": Key(Kind.CLOSE_CODE, "The code that an idle socket is closed with."),
}

CHUNK: Shape = {
    "max": Key(Kind.SIZE, "The largest chunk, in bytes of audio."),
    "action": Key(Kind.CHUNK_ACTION, "What a larger chunk meets."),
}

SCRIPT: Shape = {
    "loop": Key(Kind.DURATION, "The script starts again every so often."),
    "ghost": Key(Kind.BOOLEAN, "Whether the server plays this speaker: joins, talks, leaves."),
    "say_from": Key(Kind.START, "What the positions of a ghost count from; joined by default."),
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
    "fault": Action(Kind.FAULT, "Something that goes wrong.", {}, spans=False),
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

FAULT_VALUES: dict[Takes, tuple[Kind, str]] = {
    Takes.NOTHING: (Kind.TRUE, "true"),
    Takes.STATUS: (Kind.STATUS, "503"),
    Takes.CODE: (Kind.CLOSE_CODE, "1011"),
    Takes.TEXT: (Kind.TEXT, "a text"),
    Takes.DURATION: (Kind.DURATION, "2s"),
}
"""How the document writes what a fault takes, and an example."""

FAULT_KINDS: Shape = {kind.value: Key(FAULT_VALUES[kind.takes][0], kind.does) for kind in FaultKind}
"""Each kind of fault is a key, and what it takes is the value."""

FAULT_REACH: Shape = {
    "count": Key(Kind.COUNT, "How often it applies: 1 by default; all for always."),
    "speaker": Key(Kind.TEXT, "Whose connection; the script's speaker by default, but anyone's for joins."),
    "event": Key(Kind.TEXT, "A shell pattern over wire names, such as entity_*; only for faults of events."),
    "probability": Key(Kind.PROBABILITY, "How likely it is to apply each time, drawn from the seed."),
}

FAULT: Shape = {**FAULT_KINDS, **FAULT_REACH}

FAULTS_OF_EVENTS = frozenset(kind.value for kind in FaultKind if kind.stage is Stage.EVENTS)
"""The kinds that `event` goes with."""

SHAPES: dict[Kind, tuple[Shape, str]] = {
    Kind.MATCH: (MATCH, '{conversation: "support-*"}'),
    Kind.TIMING: (TIMING, "{latency: 250ms}"),
    Kind.LIMITS: (LIMITS, "{gap: {after: 5s}}"),
    Kind.THROTTLE: (THROTTLE, "{rate: 20 kB/s}"),
    Kind.GAP: (GAP, "{after: 5s}"),
    Kind.IDLE: (IDLE, "{after: 60s}"),
    Kind.CHUNK: (CHUNK, "{max: 64 kB}"),
    Kind.ENTITY: (ENTITY, "{name: location_city, source: lyon}"),
    Kind.RELATION: (RELATION, "{name: location, members: [location_city]}"),
    Kind.EVENT: (EVENT, "{name: custom_event, payload: {}}"),
}
"""The mappings that have no rule but their keys, and an example of each."""

MAY_BE_OFF = frozenset({Kind.THROTTLE, Kind.GAP, Kind.IDLE, Kind.CHUNK})
"""The mappings in whose place `off` may stand."""

_REMEDIES: dict[str, str] = {
    "on": "'on' is never a key: YAML 1.1 reads it as true; expected 'when' for a moment",
    "<<": "YAML 1.2 has no merge key '<<'; expected the keys themselves",
}


def unknown_key(key: str, shape: Shape) -> str:
    """What to say about a key that is not of `shape`."""
    return _REMEDIES.get(key) or unknown("key", key, shape)


def field(name: str, key: Key) -> str:
    """The name that the model's field has for a key."""
    return f"{name}_ms" if key.kind in (Kind.DURATION, Kind.DURATION_OR_OFF) else name


# --- what values become -----------------------------------------------------------------------------------

MODELS: dict[Kind, Callable[..., Any]] = {
    Kind.MATCH: Match,
    Kind.TIMING: Timing,
    Kind.LIMITS: Limits,
    Kind.THROTTLE: Throttle,
    Kind.GAP: Gap,
    Kind.IDLE: Idle,
    Kind.CHUNK: Chunk,
}

WHEN_OFF: dict[Kind, object] = {
    Kind.THROTTLE: Throttle(action=ThrottleAction.OFF),
    Kind.GAP: Gap(action=GapAction.OFF),
    Kind.IDLE: Idle(after_ms=None),
    Kind.CHUNK: Chunk(action=ChunkAction.OFF),
}

MAKE_TRIGGER: dict[str, Callable[[Any], Trigger]] = {
    "at": lambda position_ms: At(position_ms=position_ms),
    "after": lambda delay_ms: After(delay_ms=delay_ms),
    "when": lambda moment: When(moment=moment),
}

MAKE_ACTION: dict[str, Callable[..., Any]] = {
    "say": lambda notation, **beside: Say(**notation, **beside),
    "interim": lambda text, **beside: SayInterim(text=text, **beside),
    "segment": lambda text, **beside: SaySegment(text=text, **beside),
    "normalized": lambda text, **beside: SayNormalized(text=text, **beside),
    "entity": lambda fields, **beside: SayEntity(**fields, **beside),
    "relation": lambda fields, **beside: SayRelation(**fields, **beside),
    "tags": lambda tags, **beside: SayTags(tags=tags, **beside),
    "event": lambda fields: RawEvent(**fields),
    "fault": lambda fault: fault,
}


# --- the order of cues ------------------------------------------------------------------------------------


def script_problems(script: Script) -> Iterator[tuple[int | None, str]]:
    """What is wrong between cues: the index of a cue, or None for the loop, and a sentence.

    Positions do not go back, and a script that loops ends before it starts again.
    """
    latest: tuple[int, int] | None = None
    last_end: tuple[int, int] | None = None
    for index, cue in enumerate(script.cues):
        if not isinstance(cue.trigger, At):
            continue
        position_ms = cue.trigger.position_ms
        if latest and position_ms < latest[0]:
            found, before = format_duration(position_ms), format_duration(latest[0])
            earlier = _named(script, latest[1])
            yield index, f"at is {found}, but that of cue {earlier} is {before}; expected cues in order"
        else:
            latest = position_ms, index
        end_ms = position_ms if cue.until_ms is None else cue.until_ms
        if last_end is None or end_ms > last_end[0]:
            last_end = end_ms, index
    if script.loop_ms is not None and last_end and last_end[0] > script.loop_ms:
        end, loop = format_duration(last_end[0]), format_duration(script.loop_ms)
        yield (
            None,
            f"loop is {loop}, shorter than the script: cue {_named(script, last_end[1])} ends at {end}",
        )


def _named(script: Script, index: int) -> str:
    line = script.cues[index].line
    return f"[{index}] on line {line}" if line else f"[{index}]"


# --- the JSON Schema --------------------------------------------------------------------------------------

Schema = dict[str, Any]


def json_schema() -> Schema:
    """A JSON Schema, draft 2020-12, that accepts all that `load_scenario` does, and little more."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "uhlive-mock scenario",
        "description": "What the mock of the uh!ive Conversation API says, and when.",
        **_object(DOCUMENT),
        "$defs": {
            "cue": _cue(),
            "cues": {"type": "array", "items": _ref("cue")},
            "fault": _fault(),
            "script": _script(),
        },
    }


def _object(shape: Shape) -> Schema:
    """A mapping with the keys of `shape` and no other."""
    schema: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: {"description": key.about, **_value(key.kind)} for name, key in shape.items()},
    }
    if required := [name for name, key in shape.items() if key.required]:
        schema["required"] = required
    return schema


def _value(kind: Kind) -> Schema:
    """A value of a key."""
    if kind in CHOICES:
        return {"enum": [word.value for word in CHOICES[kind].words]}
    if kind in SHAPES:
        shaped = _object(SHAPES[kind][0])
        return {"oneOf": [{"const": OFF}, shaped]} if kind in MAY_BE_OFF else shaped
    schema: Schema = _SCHEMAS[kind]()
    return schema


def _cue() -> Schema:
    """A cue: all its keys, exactly one trigger, exactly one action with the keys that go with it."""
    return {
        **_object(CUE),
        "description": "A trigger and an action.",
        "dependentRequired": {"until": ["at"]},
        "allOf": [
            {"oneOf": [{"title": name, "required": [name]} for name in TRIGGERS]},
            {"oneOf": [_action(name) for name in ACTIONS]},
        ],
    }


def _action(name: str) -> Schema:
    """The cues of one action: it is there, and nothing that does not go with it is."""
    action = ACTIONS[name]
    welcome = {name, *action.beside, *TRIGGERS, *(UNTIL if action.spans else ())}
    refused = [other for other in CUE if other not in welcome]
    return {"title": name, "required": [name], "properties": dict.fromkeys(refused, False)}


def _fault() -> Schema:
    """The name of a fault that takes nothing; or a mapping with one kind, and `event` only where it goes."""
    bare = [name for name, key in FAULT_KINDS.items() if key.kind is Kind.TRUE]
    kinds = [
        {
            "title": name,
            "required": [name],
            "properties": {} if name in FAULTS_OF_EVENTS else {"event": False},
        }
        for name in FAULT_KINDS
    ]
    return {"oneOf": [{"enum": bare}, {**_object(FAULT), "oneOf": kinds}]}


def _script() -> Schema:
    ghost = {
        "if": {"required": ["say_from"]},
        "then": {"required": ["ghost"], "properties": {"ghost": {"const": True}}},
    }
    return {"oneOf": [_ref("cues"), {**_object(SCRIPT), **ghost}]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


_TEXT: Schema = {"type": "string", "minLength": 1}
_PHRASE: Schema = {"type": "string", "pattern": r"\S"}
_NAME: Schema = {"type": "string", "pattern": r"^[^\W\d]\w*$"}
_UNITS = r"^(?=.)(\d*\.?\d+ ?min ?)?(\d*\.?\d+ ?s ?)?(\d*\.?\d+ ?ms)?$"

_DURATION: Schema = {
    "oneOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": rf"{_UNITS}|^\d*\.?\d+$"}],
    "examples": ["250ms", "1.5s", "1min 30s", 2],
}
_BYTES = rf"^\d+(\.\d+)? ?({'|'.join(BYTES_PER_UNIT)})"

_SCHEMAS: dict[Kind, Any] = {
    Kind.VERSION: lambda: {"const": VERSION},
    Kind.TEXT: lambda: _TEXT,
    Kind.PHRASE: lambda: _PHRASE,
    Kind.NOTATION: lambda: _PHRASE,
    Kind.NAME: lambda: _NAME,
    Kind.NAMES: lambda: {"type": "array", "minItems": 1, "items": _NAME},
    Kind.DURATION: lambda: _DURATION,
    Kind.DURATION_OR_OFF: lambda: {"anyOf": [{"const": OFF}, _DURATION]},
    Kind.SIZE: lambda: {
        "oneOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": rf"{_BYTES}$|^\d+$"}],
        "examples": ["64 kB", "64 KiB", 64000],
    },
    Kind.RATE: lambda: {"type": "string", "pattern": f"{_BYTES}/s$", "examples": ["20 kB/s"]},
    Kind.BOOLEAN: lambda: {"type": "boolean"},
    Kind.TRUE: lambda: {"const": True},
    Kind.CLOSE_CODE: lambda: {
        "type": "integer",
        "anyOf": [{"minimum": low, "maximum": high} for low, high in ((1000, 1003), (1007, 1014), (3000, 4999))],
    },
    Kind.STATUS: lambda: {"type": "integer", "minimum": 400, "maximum": 599},
    Kind.COUNT: lambda: {"oneOf": [{"type": "integer", "minimum": 1}, {"const": "all"}]},
    Kind.PROBABILITY: lambda: {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    Kind.INTEGER: lambda: {"type": "integer"},
    Kind.CONFIDENCE: lambda: {"type": "number", "minimum": 0, "maximum": 1},
    Kind.JSON: dict,
    Kind.SPEAKERS: lambda: {
        "type": "object",
        "additionalProperties": _ref("script"),
        "propertyNames": {"minLength": 1},
    },
    Kind.CUES: lambda: _ref("cues"),
    Kind.TAGS: lambda: {"type": "array", "minItems": 1, "items": _object(TAG)},
    Kind.FAULT: lambda: _ref("fault"),
}
