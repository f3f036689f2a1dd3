"""The JSON Schema of scenario documents, for editors that complete and check as one types.

It is made from the tables of `grammar`. What a schema cannot say, the loader checks: the order of cues, the
bracket notation, that `until` comes after `at`.
"""

from __future__ import annotations

from typing import Any

from ..model.scenario import Moment
from . import grammar
from .grammar import Kind, Shape

Schema = dict[str, Any]


def json_schema() -> Schema:
    """A JSON Schema, draft 2020-12, that accepts all that `load_scenario` does, and little more."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "uhlive-mock scenario",
        "description": "What the mock of the uh!ive Conversation API says, and when.",
        **_object(grammar.DOCUMENT),
        "$defs": {"cue": _cue(), "cues": {"type": "array", "items": _ref("cue")}, "script": _script()},
    }


def _object(shape: Shape) -> Schema:
    """A mapping with the keys of `shape` and no other."""
    schema: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: {"description": key.about, **_SCHEMAS[key.kind]()} for name, key in shape.items()},
    }
    if required := [name for name, key in shape.items() if key.required]:
        schema["required"] = required
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
    welcome = {name, *grammar.ACTIONS[name].beside, *grammar.TRIGGERS, *grammar.UNTIL}
    refused = [other for other in grammar.CUE if other not in welcome]
    return {"title": name, "required": [name], "properties": dict.fromkeys(refused, False)}


def _script() -> Schema:
    return {"oneOf": [_ref("cues"), _object(grammar.SCRIPT)]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


_TEXT: Schema = {"type": "string", "minLength": 1}
_PHRASE: Schema = {"type": "string", "pattern": r"\S"}
_NAME: Schema = {"type": "string", "pattern": r"^[^\W\d]\w*$"}
_UNITS = r"^(?=.)(\d*\.?\d+ ?min ?)?(\d*\.?\d+ ?s ?)?(\d*\.?\d+ ?ms)?$"

_SCHEMAS: dict[Kind, Any] = {
    Kind.VERSION: lambda: {"const": grammar.VERSION},
    Kind.TEXT: lambda: _TEXT,
    Kind.PHRASE: lambda: _PHRASE,
    Kind.NOTATION: lambda: _PHRASE,
    Kind.NAME: lambda: _NAME,
    Kind.NAMES: lambda: {"type": "array", "minItems": 1, "items": _NAME},
    Kind.DURATION: lambda: {
        "oneOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": rf"{_UNITS}|^\d*\.?\d+$"}],
        "examples": ["250ms", "1.5s", "1min 30s", 2],
    },
    Kind.INTEGER: lambda: {"type": "integer"},
    Kind.CONFIDENCE: lambda: {"type": "number", "minimum": 0, "maximum": 1},
    Kind.MOMENT: lambda: {"enum": [moment.value for moment in Moment]},
    Kind.JSON: dict,
    Kind.MATCH: lambda: _object(grammar.MATCH),
    Kind.TIMING: lambda: _object(grammar.TIMING),
    Kind.SPEAKERS: lambda: {
        "type": "object",
        "additionalProperties": _ref("script"),
        "propertyNames": {"minLength": 1},
    },
    Kind.CUES: lambda: _ref("cues"),
    Kind.ENTITY: lambda: _object(grammar.ENTITY),
    Kind.RELATION: lambda: _object(grammar.RELATION),
    Kind.TAGS: lambda: {"type": "array", "minItems": 1, "items": _object(grammar.TAG)},
    Kind.EVENT: lambda: _object(grammar.EVENT),
}
