"""The OpenAPI document of the control API, made from the table of its operations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus

import msgspec

from ..scenarios import json_schema
from .operation import Operation
from .reading import JSON
from .refusals import Refusal

Schema = dict[str, object]

_TEMPLATE = "#/components/schemas/{name}"
_NAMES: dict[str, str] = {
    "space": "The client id of the space's (first) account.",
    "conversation": "The conversation's id.",
    "speaker": "The speaker's name.",
}
"""The parts of a path that a caller fills in."""

PLACE = re.compile(r"\{(\w+)\}")
_NO_WORD = re.compile(r"\W+")

_DESCRIPTION = """\
Spaces, scenarios, journals and verdicts of uhlive-mock, for tests in any language. Times are seconds. What does not
fit the schemas is refused with 400. What does and still cannot be used is refused with 422: no schema can say that
the cues of a scenario are out of order."""


def refusals_of(operation: Operation) -> dict[HTTPStatus, str]:
    """Every status but the good one that an operation may answer with, and what it means."""
    names = PLACE.findall(operation.path)
    found = {
        HTTPStatus.BAD_REQUEST: "The path, the query or the body is malformed.",
        HTTPStatus.UNAUTHORIZED: "The server has a control token, and this request has not.",
        HTTPStatus.FORBIDDEN: "The server has no control token, and the caller is not on its machine.",
    }
    if names:
        found[HTTPStatus.NOT_FOUND] = f"There is no such {' or '.join(names)}."
    found[HTTPStatus.REQUEST_TIMEOUT] = "The body did not arrive in time."
    found[HTTPStatus.REQUEST_ENTITY_TOO_LARGE] = "The body is too large."
    if operation.body.kinds:
        found[HTTPStatus.UNSUPPORTED_MEDIA_TYPE] = "The body is of a type that this operation does not read."
    return found | operation.refuses


def openapi(operations: Sequence[Operation], *, version: str, needs_token: bool) -> Schema:
    """The document.

    Args:
        version: of this package.
        needs_token: whether callers need the control token.
    """
    schemas = _Schemas(operations)
    paths: dict[str, Schema] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = schemas.operation(operation)
    components: Schema = {"schemas": schemas.components}
    document: Schema = {
        "openapi": "3.1.0",
        "info": {"title": "uhlive-mock control API", "version": version, "description": _DESCRIPTION},
        "paths": paths,
        "components": components,
    }
    if needs_token:
        components["securitySchemes"] = {"controlToken": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"controlToken": []}]
    return document


class _Schemas:
    """The schemas of all that the operations read and answer."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        taken = [kind for operation in operations for kind in operation.body.kinds.values()]
        given = [
            kind for operation in operations for kind in operation.answers.values() if not isinstance(kind, str)
        ]
        asked = [operation.query for operation in operations]
        kinds: dict[str, object] = {repr(kind): kind for kind in (Refusal, *taken, *given, *asked)}
        schemas, components = msgspec.json.schema_components(
            kinds.values(), ref_template=_TEMPLATE, schema_hook=_any_value
        )
        self._operations = operations
        self._of: dict[str, Schema] = dict(zip(kinds, schemas, strict=True))
        self._queries: dict[str, Schema] = {query.__name__: components.pop(query.__name__, {}) for query in asked}
        self.components: dict[str, Schema] = components | _scenario_schemas()
        for kind in taken:
            self._close(self._of[repr(kind)])

    def operation(self, operation: Operation) -> Schema:
        """One operation of the document."""
        described: Schema = {
            "operationId": _identifier(operation),
            "summary": operation.summary,
            "parameters": [*_path_parameters(operation), *self._query_parameters(operation)],
            "responses": {
                str(operation.status.value): self._good(operation),
                **{
                    str(status.value): {"description": why, **self._content({JSON: self._of[repr(Refusal)]})}
                    for status, why in sorted(refusals_of(operation).items())
                },
            },
        }
        if operation.body.kinds:
            content = {media: self._of[repr(kind)] for media, kind in operation.body.kinds.items()}
            described["requestBody"] = {"required": not operation.body.optional, **self._content(content)}
        return described

    def _good(self, operation: Operation) -> Schema:
        answers = {media: self._answer(kind) for media, kind in operation.answers.items()}
        described: Schema = {"description": operation.status.phrase, **self._content(answers)}
        if operation.makes is not None:
            parameters = {operation.makes: f"$response.body#/{operation.makes}"}
            described["links"] = {
                _identifier(other): {"operationId": _identifier(other), "parameters": parameters}
                for other in self._operations
                if PLACE.findall(other.path) == [operation.makes]
            }
        return described

    def _answer(self, kind: type[msgspec.Struct] | str) -> Schema:
        return {"description": kind} if isinstance(kind, str) else self._of[repr(kind)]

    def _content(self, schemas: dict[str, Schema]) -> Schema:
        return {"content": {media: {"schema": schema} for media, schema in schemas.items()}} if schemas else {}

    def _query_parameters(self, operation: Operation) -> list[Schema]:
        schema = self._queries[operation.query.__name__]
        properties: dict[str, Schema] = schema.get("properties", {})  # type: ignore[assignment]
        required: list[str] = schema.get("required", [])  # type: ignore[assignment]
        return [
            {"name": name, "in": "query", "required": name in required, "schema": described}
            for name, described in properties.items()
        ]

    def _close(self, schema: object) -> None:
        """Say of every object that a caller sends that it has no other keys: they are refused."""
        match schema:
            case {"$ref": str(reference)}:
                described = self.components[reference.rpartition("/")[2]]
                if described.get("additionalProperties", True) is True and "properties" in described:
                    described["additionalProperties"] = False
                    self._close(described)
            case dict():
                for inner in schema.values():
                    self._close(inner)
            case list():
                for inner in schema:
                    self._close(inner)


def _identifier(operation: Operation) -> str:
    return _NO_WORD.sub("_", f"{operation.method}{operation.path.removeprefix('/_mock')}").strip("_").lower()


def _path_parameters(operation: Operation) -> list[Schema]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _NAMES[name],
            "schema": {"type": "string", "minLength": 1},
        }
        for name in PLACE.findall(operation.path)
    ]


def _scenario_schemas() -> dict[str, Schema]:
    """The schema of scenarios, and of what it refers to."""

    def moved(value: object) -> object:
        match value:
            case {"$ref": str(reference)}:
                return {"$ref": _TEMPLATE.format(name=_component(reference))}
            case dict():
                return {key: moved(inner) for key, inner in value.items()}
            case list():
                return [moved(inner) for inner in value]
        return value

    schema = json_schema()
    inner: dict[str, object] = schema.pop("$defs")
    schema.pop("$schema")
    found = {"Scenario": schema, **{_component(name): part for name, part in inner.items()}}
    return {name: moved(part) for name, part in found.items()}  # type: ignore[misc]  # an object stays one


def _component(reference: str) -> str:
    return f"Scenario{reference.rpartition('/')[2].capitalize()}"


def _any_value(kind: type) -> Schema:
    """The schema of a value that may be whatever JSON can say."""
    if kind is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError
