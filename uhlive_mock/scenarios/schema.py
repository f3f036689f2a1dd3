"""The JSON Schema of scenario documents, for editors that complete and check as one types.

It is made from the tables of `grammar`. What a schema cannot say, the loader checks: the order of cues, the
bracket notation, that `until` comes after `at`, that a size is not zero.
"""

from __future__ import annotations

from typing import Any

from . import grammar
from .grammar import Kind, Shape
from .sizes import BYTES_PER_UNIT

Schema = dict[str, Any]


def json_schema() -> Schema:
    """A JSON Schema, draft 2020-12, that accepts all that `load_scenario` does, and little more."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "uhlive-mock scenario",
        "description": "What the mock of the uh!ive Conversation API says, and when.",
        **_object(grammar.DOCUMENT),
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
    if kind in grammar.CHOICES:
        return {"enum": [word.value for word in grammar.CHOICES[kind].words]}
    if kind in grammar.SHAPES:
        shaped = _object(grammar.SHAPES[kind][0])
        return {"oneOf": [{"const": grammar.OFF}, shaped]} if kind in grammar.MAY_BE_OFF else shaped
    schema: Schema = _SCHEMAS[kind]()
    return schema


def _cue() -> Schema:
    """A cue: all its keys, exactly one trigger, exactly one action with the keys that go with it."""
    return {
        **_object(grammar.CUE),
        "description": "A trigger and an action.",
        "dependentRequired": {"until": ["at"]},
        "allOf": [
            {"oneOf": [{"title": name, "required": [name]} for name in grammar.TRIGGERS]},
            {"oneOf": [_action(name) for name in grammar.ACTIONS]},
        ],
    }


def _action(name: str) -> Schema:
    """The cues of one action: it is there, and nothing that does not go with it is."""
    action = grammar.ACTIONS[name]
    welcome = {name, *action.beside, *grammar.TRIGGERS, *(grammar.UNTIL if action.spans else ())}
    refused = [other for other in grammar.CUE if other not in welcome]
    return {"title": name, "required": [name], "properties": dict.fromkeys(refused, False)}


def _fault() -> Schema:
    """The name of a fault that takes nothing; or a mapping with one kind, and `event` only where it goes."""
    bare = [name for name, key in grammar.FAULT_KINDS.items() if key.kind is Kind.TRUE]
    kinds = [
        {
            "title": name,
            "required": [name],
            "properties": {} if name in grammar.FAULTS_OF_EVENTS else {"event": False},
        }
        for name in grammar.FAULT_KINDS
    ]
    return {"oneOf": [{"enum": bare}, {**_object(grammar.FAULT), "oneOf": kinds}]}


def _script() -> Schema:
    ghost = {
        "if": {"required": ["say_from"]},
        "then": {"required": ["ghost"], "properties": {"ghost": {"const": True}}},
    }
    return {"oneOf": [_ref("cues"), {**_object(grammar.SCRIPT), **ghost}]}


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
    Kind.VERSION: lambda: {"const": grammar.VERSION},
    Kind.TEXT: lambda: _TEXT,
    Kind.PHRASE: lambda: _PHRASE,
    Kind.NOTATION: lambda: _PHRASE,
    Kind.NAME: lambda: _NAME,
    Kind.NAMES: lambda: {"type": "array", "minItems": 1, "items": _NAME},
    Kind.DURATION: lambda: _DURATION,
    Kind.DURATION_OR_OFF: lambda: {"anyOf": [{"const": grammar.OFF}, _DURATION]},
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
    Kind.TAGS: lambda: {"type": "array", "minItems": 1, "items": _object(grammar.TAG)},
    Kind.FAULT: lambda: _ref("fault"),
}
