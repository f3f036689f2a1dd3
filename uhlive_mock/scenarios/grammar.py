"""What a scenario document may say: the keys of every mapping, the form of each value, a sentence about it.

The reader, the format, the ledger, the JSON Schema and the messages about unknown keys all read these tables. What
an action may say is read off the fields of its class in `model.scenario`: a new kind of action needs no row here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, get_args

import msgspec
from msgspec import inspect as types

from ..model import scenario as model
from ..model.fault import Fault, FaultKind, Stage, Takes
from ..model.limits import Chunk, ChunkAction, Gap, GapAction, Idle, Limits, Measure, Throttle, ThrottleAction
from ..model.scenario import After, At, Match, Moment, Recognized, Say, SayEntity, Timing, When
from .values import (
    BOOLEAN,
    CLOSE_CODE,
    CONFIDENCE,
    COUNT,
    DURATION,
    DURATION_OR_OFF,
    INTEGER,
    JSON,
    NAME,
    NOTATION,
    OFF,
    PHRASE,
    PROBABILITY,
    RATE,
    SIZE,
    STATUS,
    TEXT,
    TRUE,
    VERSION,
    Form,
    Schema,
    choice,
)

# --- what a key may have for a value ----------------------------------------------------------------------


class Part(Enum):
    """A value with rules of its own, which the reader has a method for."""

    SPEAKERS = auto()
    CUES = auto()
    FAULT = auto()


class Record(msgspec.Struct, frozen=True, eq=False):
    """A mapping that has no rule but its keys, and what is made of it.

    `off` is what may stand in its place as `off`; messages call it a `noun`.
    """

    shape: Shape
    example: str
    make: Callable[..., Any] = dict
    off: object = None
    noun: str = "mapping"


class Listing(msgspec.Struct, frozen=True, eq=False):
    """A list of values of one form, which messages call `noun`."""

    item: AnyForm
    noun: str


class Key(msgspec.Struct, frozen=True, eq=False):
    """One key of a mapping."""

    form: Form | Record | Listing | Part
    about: str
    required: bool = False

    def field(self, name: str) -> str:
        """The name that the model's field has for the key of that name."""
        return f"{name}_ms" if self.form in (DURATION, DURATION_OR_OFF) else name


AnyForm = Form | Record | Listing | Part
Shape = dict[str, Key]
"""The keys of a mapping."""

_FORMS_OF_TEXT = {None: TEXT, model.NAME: NAME, model.WORDS: PHRASE}
"""By the pattern of the text."""


def shape_of(kind: type[msgspec.Struct], *names: str) -> Shape:
    """The keys that the fields of a struct are written as, by type and annotation: those called `names`, or all."""
    described = types.type_info(kind)
    assert isinstance(described, types.StructType)  # noqa: S101 - for the type checker
    return {
        field.name.removesuffix("_ms"): Key(_form_of(field.name, field.type), _about(field.type), field.required)
        for field in described.fields
        if not names or field.name in names
    }


def _about(kind: types.Type) -> str:
    schema = kind.extra_json_schema if isinstance(kind, types.Metadata) else None
    return str((schema or {}).get("description", ""))


def _form_of(name: str, kind: types.Type) -> Form | Listing:
    match kind:
        case types.Metadata(type=inner):
            return _form_of(name, inner)
        case types.UnionType(types=(inner, types.NoneType())):
            return _form_of(name, inner)
        case types.StrType(pattern=pattern):
            return _FORMS_OF_TEXT[pattern]
        case types.IntType() if name.endswith("_ms"):
            return DURATION
        case types.FloatType():
            return CONFIDENCE
        case types.VarTupleType(item_type=types.StructType(cls=cls)):
            record = Record(shape_of(cls), getattr(cls, "example", ""), cls, noun=name.removesuffix("s"))
            return Listing(record, name)
        case types.VarTupleType(item_type=item):
            return Listing(_form_of(name, item), "entity names")
        case _:
            return JSON


# --- the keys ---------------------------------------------------------------------------------------------

MATCH = Record(
    {"conversation": Key(TEXT, "A shell pattern over the id, such as support-*.", required=True)},
    '{conversation: "support-*"}',
    Match,
)
TIMING = Record(shape_of(Timing), "{latency: 250ms}", Timing)
THROTTLE = Record(
    {
        "rate": Key(RATE, "Audio let through, such as 20 kB/s."),
        "burst": Key(SIZE, "Audio let through at once, such as 64 kB."),
        "action": Key(choice("action", ThrottleAction), "What faster audio meets."),
        "measure": Key(choice("measure", Measure), "What counts: decoded audio, or whole frames."),
    },
    "{rate: 20 kB/s}",
    Throttle,
    off=Throttle(action=ThrottleAction.OFF),
)
GAP = Record(
    {
        "after": Key(DURATION, "The silence that is too long."),
        "action": Key(choice("action", GapAction), "What a silent speaker meets."),
    },
    "{after: 5s}",
    Gap,
    off=Gap(action=GapAction.OFF),
)
IDLE = Record(
    {
        "after": Key(DURATION_OR_OFF, "The time that is too long; off for no limit."),
        "close_code": Key(CLOSE_CODE, "The code that an idle socket is closed with."),
    },
    "{after: 60s}",
    Idle,
    off=Idle(after_ms=None),
)
CHUNK = Record(
    {
        "max": Key(SIZE, "The largest chunk, in bytes of audio."),
        "action": Key(choice("action", ChunkAction), "What a larger chunk meets."),
    },
    "{max: 64 kB}",
    Chunk,
    off=Chunk(action=ChunkAction.OFF),
)
LIMITS = Record(
    {
        "throttle": Key(THROTTLE, "How fast audio may come, for each connection."),
        "gap": Key(GAP, "How long a speaker may send no audio."),
        "idle": Key(IDLE, "How long a socket may send nothing at all."),
        "chunk": Key(CHUNK, "How large one audio chunk may be."),
    },
    "{gap: {after: 5s}}",
    Limits,
)

DOCUMENT: Shape = {
    "version": Key(VERSION, "The version of this format: 1.", required=True),
    "scenario": Key(TEXT, "The scenario's name; the file's name without its suffix by default."),
    "match": Key(MATCH, "The conversations that the scenario speaks in; all of them by default."),
    "seed": Key(INTEGER, "Decides everything random."),
    "timing": Key(TIMING, "How late the service is and how often it speaks up."),
    "limits": Key(LIMITS, "The service's limits; what is left out has its default."),
    "speakers": Key(Part.SPEAKERS, 'The script of each speaker by name; "*" is for those without.', required=True),
}

SCRIPT: Shape = {
    "loop": Key(DURATION, "The script starts again every so often."),
    "ghost": Key(BOOLEAN, "Whether the server plays this speaker: joins, talks, leaves."),
    "say_from": Key(
        choice("moment", (Moment.JOINED, Moment.FIRST_AUDIO)),
        "What the positions of a ghost count from; joined by default.",
    ),
    "script": Key(Part.CUES, "The cues, in order.", required=True),
}

TRIGGERS: Shape = {
    "at": Key(DURATION, "Where the cue starts in the speaker's audio."),
    "after": Key(DURATION, "How long after the end of the previous cue."),
    "when": Key(choice("moment", Moment), "At a moment of the speaker's stay."),
}

MAKE_TRIGGER: dict[str, Callable[[Any], model.Trigger]] = {
    "at": lambda position_ms: At(position_ms=position_ms),
    "after": lambda delay_ms: After(delay_ms=delay_ms),
    "when": lambda moment: When(moment=moment),
}

UNTIL: Shape = {
    "until": Key(DURATION, "Where the cue ends in the speaker's audio: when its event is due. Needs at."),
}

_COMMON = shape_of(Recognized)
"""The keys that stand beside every action that the service recognises."""


class Action(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One action of a cue: the form of its value, and the keys that may stand beside it.

    The value is a field of the action's class; without `field`, it is a mapping of fields.
    """

    kind: type[msgspec.Struct]
    form: AnyForm
    about: str
    beside: Shape = {}
    field: str | None = None
    spans: bool = True
    """Whether `until` may stand beside it."""

    def make(self, value: Any, beside: dict[str, Any]) -> Any:  # noqa: ANN401 - of any kind
        """The action of a value read, and of the fields beside it."""
        if isinstance(value, self.kind):
            return value
        return self.kind(**(value if self.field is None else {self.field: value}), **beside)


def _action(kind: type[msgspec.Struct]) -> Action:
    about = " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())
    beside = _COMMON if issubclass(kind, Recognized) else {}
    own = [name for name in kind.__struct_fields__ if name not in _COMMON]
    if kind is Fault:
        return Action(kind=kind, form=Part.FAULT, about="Something that goes wrong.", spans=False)
    if kind is Say:
        return Action(kind=kind, form=NOTATION, about=about, beside={**shape_of(Say, "normalized"), **beside})
    shape = shape_of(kind, *own)
    if len(own) == 1:
        return Action(kind=kind, form=shape[own[0]].form, about=about, beside=beside, field=own[0])
    if kind is SayEntity:  # as in brackets, where nothing stands beside it
        shape["confidence"] = _COMMON["confidence"]
    return Action(kind=kind, form=Record(shape, getattr(kind, "example", "")), about=about, beside=beside)


ACTIONS: dict[str, Action] = {str(kind.__struct_config__.tag): _action(kind) for kind in get_args(model.Action)}

CUE: Shape = {
    **TRIGGERS,
    **UNTIL,
    **{name: Key(action.form, action.about) for name, action in ACTIONS.items()},
    **_COMMON,
}

FAULT_VALUES: dict[Takes, tuple[Form, str]] = {
    Takes.NOTHING: (TRUE, "true"),
    Takes.STATUS: (STATUS, "503"),
    Takes.CODE: (CLOSE_CODE, "1011"),
    Takes.TEXT: (TEXT, "a text"),
    Takes.DURATION: (DURATION, "2s"),
}
"""How the document writes what a fault takes, and an example."""

FAULT_KINDS: Shape = {kind.value: Key(FAULT_VALUES[kind.takes][0], kind.does) for kind in FaultKind}
"""Each kind of fault is a key, and what it takes is the value."""

FAULT_REACH: Shape = {
    "count": Key(COUNT, "How often it applies: 1 by default; all for always."),
    "speaker": Key(TEXT, "Whose connection; the script's speaker by default, but anyone's for joins."),
    "event": Key(TEXT, "A shell pattern over wire names, such as entity_*; only for faults of events."),
    "probability": Key(PROBABILITY, "How likely it is to apply each time, drawn from the seed."),
}

FAULT: Shape = {**FAULT_KINDS, **FAULT_REACH}

FAULTS_OF_EVENTS = frozenset(kind.value for kind in FaultKind if kind.stage is Stage.EVENTS)
"""The kinds that `event` goes with."""


# --- the JSON Schema --------------------------------------------------------------------------------------
# What it cannot say, the reader checks: the order of cues, the bracket notation, that `until` comes after `at`,
# that a size is not zero.


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
        "properties": {name: {"description": key.about, **_value(key.form)} for name, key in shape.items()},
    }
    if required := [name for name, key in shape.items() if key.required]:
        schema["required"] = required
    return schema


def _value(form: AnyForm) -> Schema:
    """A value of a key."""
    match form:
        case Form(schema=schema):
            return schema
        case Record(shape=shape, off=None):
            return _object(shape)
        case Record(shape=shape):
            return {"oneOf": [{"const": OFF}, _object(shape)]}
        case Listing(item=item):
            return {"type": "array", "minItems": 1, "items": _value(item)}
        case Part.SPEAKERS:
            return {"type": "object", "additionalProperties": _ref("script"), "propertyNames": {"minLength": 1}}
        case part:
            return _ref(part.name.lower())


def _cue() -> Schema:
    """A cue: all its keys, exactly one trigger, exactly one action with the keys that go with it."""
    return {
        **_object(CUE),
        "description": "A trigger and an action.",
        "dependentRequired": {"until": ["at"]},
        "allOf": [
            {"oneOf": [{"title": name, "required": [name]} for name in TRIGGERS]},
            {"oneOf": [_cue_of(name) for name in ACTIONS]},
        ],
    }


def _cue_of(name: str) -> Schema:
    """The cues of one action: it is there, and nothing that does not go with it is."""
    action = ACTIONS[name]
    welcome = {name, *action.beside, *TRIGGERS, *(UNTIL if action.spans else ())}
    refused = {other: False for other in CUE if other not in welcome}
    return {"title": name, "required": [name], "properties": refused}


def _fault() -> Schema:
    """The name of a fault that takes nothing; or a mapping with one kind, and `event` only where it goes."""
    bare = [name for name, key in FAULT_KINDS.items() if key.form is TRUE]
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
    mapping = {
        **_object(SCRIPT),
        "if": {"required": ["say_from"]},
        "then": {"required": ["ghost"], "properties": {"ghost": {"const": True}}},
    }
    return {"oneOf": [_ref("cues"), mapping]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
