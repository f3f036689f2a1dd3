"""The application under `/_mock/`: who may call, which operation is meant, and the document that lists them all.

Paths are matched part by part before they are decoded, so a name may hold a slash: `%2F`.

What the API tells holds the clients' secrets, so by default it is for this machine's own programs: the caller comes
from a loopback address, calls the server by a loopback name, and is no page of another site. The second keeps out a
web page that had its name resolved to this address, the third a page that merely knows the address. With a control
token the rule is another: all may call, from wherever, that send it as `Authorization: Bearer ...`. It is compared
in constant time and never written down.

The OpenAPI document at `/_mock/openapi.json` is made from the operations when it is first asked for, with the
schema of scenarios in it.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import re
from collections.abc import Sequence
from functools import cached_property
from http import HTTPStatus
from typing import cast
from urllib.parse import unquote_to_bytes, urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .. import scenarios  # the schema comes with the document, and not before
from ..errors import UhliveMockError
from ..server.http import CONCERNS
from . import PREFIX, ServerState, conversations, journal, spaces
from .operation import JSON, Operation, Refusal, Refused

OPERATIONS: tuple[Operation, ...] = tuple(
    value
    for module in (spaces, journal, conversations)
    for value in vars(module).values()
    if isinstance(value, Operation)
)
"""Every operation, in the order in which the document lists them."""

DOCUMENT = f"{PREFIX}openapi.json"


class ControlApp:
    """The application.

    Args:
        token: what callers must send; None lets in callers on this machine.
    """

    def __init__(self, state: ServerState, token: str | None) -> None:
        self._state = state
        self._token = token
        self._operations = [(operation.path.split("/"), operation) for operation in OPERATIONS]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        try:
            check_access(request, self._token)
            response = await self._answer(request)
        except Refused as refused:
            response = _refusal(refused)
        except UhliveMockError as error:
            # It is well-formed and still cannot be used; the message goes through as it is.
            response = _refusal(Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)))
        except Exception:
            why = "a defect of uhlive-mock; its log says more"
            await _refusal(Refused(HTTPStatus.INTERNAL_SERVER_ERROR, why))(scope, receive, send)
            raise
        # It may hold secrets, and is never the same twice.
        response.headers["Cache-Control"] = "no-store"
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        raw_path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
        path = raw_path.partition(b"?")[0].decode("latin-1")
        method = "GET" if request.method == "HEAD" else request.method
        here = {"GET": None} if path == DOCUMENT else self._at(path)
        if not here:
            raise Refused(HTTPStatus.NOT_FOUND, f"there is nothing at {path[:200]}; {DOCUMENT} lists what there is")
        if method not in here:
            allowed = ", ".join(here)
            raise Refused(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"{request.method} does nothing at {path[:200]}",
                expected=allowed,
                headers={"Allow": allowed},
            )
        found = here[method]
        if found is None:
            return Response(await asyncio.to_thread(lambda: self._document), media_type=JSON)
        operation, names = found
        request.scope[CONCERNS] = names.get("space")
        return await operation.respond(self._state, request, names)

    def _at(self, path: str) -> dict[str, tuple[Operation, dict[str, str]] | None]:
        """The operations at a path by method, each with the names that the path gives.

        Raises:
            Refused: 400, a name is not UTF-8.
        """
        parts = path.split("/")
        found: dict[str, tuple[Operation, dict[str, str]] | None] = {}
        for pattern, operation in self._operations:
            if len(pattern) == len(parts) and all(map(_fits, pattern, parts)):
                pairs = zip(pattern, parts, strict=True)
                names = {step[1:-1]: _decode(part) for step, part in pairs if step.startswith("{")}
                found[operation.method] = operation, names
        return found

    @cached_property
    def _document(self) -> bytes:
        from .. import __version__

        return msgspec.json.encode(openapi(OPERATIONS, version=__version__, needs_token=self._token is not None))


def _fits(step: str, part: str) -> bool:
    return part != "" if step.startswith("{") else part == step


def _decode(part: str) -> str:
    try:
        return unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        raise Refused(HTTPStatus.BAD_REQUEST, f"the path has {part!r}; expected percent-encoded UTF-8") from None


def _refusal(refused: Refused) -> Response:
    return Response(msgspec.json.encode(refused.refusal), refused.status, refused.headers, JSON)


# --- who may call -------------------------------------------------------------------------------------------


def check_access(request: Request, token: str | None) -> None:
    """Let a request pass, or not.

    Raises:
        Refused: 401 without the token, 403 from elsewhere.
    """
    if token is not None:
        _check_token(request, token)
        return
    if not (request.client and _is_loopback(request.client.host)):
        raise Refused(
            HTTPStatus.FORBIDDEN, "the control API is for loopback callers only, unless a control token is set"
        )
    for host in request.headers.getlist("host"):
        if not _names_loopback(f"//{host}"):
            why = f"the control API was called at {host!r}; expected a loopback address"
            raise Refused(HTTPStatus.FORBIDDEN, why)
    for origin in request.headers.getlist("origin"):
        if not _names_loopback(origin):
            why = f"the control API was called by a page of {origin!r}; expected a loopback origin"
            raise Refused(HTTPStatus.FORBIDDEN, why)


def _check_token(request: Request, token: str) -> None:
    scheme, _, found = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(found.strip().encode(), token.encode()):
        return
    raise Refused(
        HTTPStatus.UNAUTHORIZED,
        "the control API of this server needs its control token",
        expected="Authorization: Bearer CONTROL_TOKEN",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _names_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host == "localhost" or _is_loopback(host)


def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback


# --- the document -------------------------------------------------------------------------------------------

Schema = dict[str, object]

_SCHEMAS = "#/components/schemas/"
_NAMES: dict[str, str] = {
    "space": "The client id of the space's (first) account.",
    "conversation": "The conversation's id.",
    "speaker": "The speaker's name.",
}
"""The parts of a path that a caller fills in."""

_PLACE = re.compile(r"\{(\w+)\}")
_NO_WORD = re.compile(r"\W+")

_DESCRIPTION = """\
Spaces, scenarios, journals and verdicts of uhlive-mock, for tests in any language. Times are seconds. What does not
fit the schemas is refused with 400. What does and still cannot be used is refused with 422: no schema can say that
the cues of a scenario are out of order."""


def openapi(operations: Sequence[Operation], *, version: str, needs_token: bool) -> Schema:
    """The OpenAPI document.

    Args:
        version: of this package.
        needs_token: whether callers need the control token.
    """
    read = [kind for operation in operations for kind in operation.body.kinds.values()]
    answered = [kind for operation in operations for kind in operation.answers.values() if isinstance(kind, type)]
    queries = [operation.query for operation in operations]
    kinds: dict[str, object] = {repr(kind): kind for kind in (Refusal, *read, *answered, *queries)}
    found, components = msgspec.json.schema_components(
        kinds.values(), ref_template=_SCHEMAS + "{name}", schema_hook=_any_value
    )
    schemas = cast("dict[str, Schema]", _with_references(dict(zip(kinds, found, strict=True))))
    parameters = {query: _query_parameters(components.pop(query.__name__, {})) for query in set(queries)}
    components = cast("dict[str, Schema]", _with_references(components | _scenario_schemas()))
    paths: dict[str, Schema] = {}
    for operation in operations:
        described = _describe(operation, schemas, operations)
        described["parameters"] = [*_path_parameters(operation), *parameters[operation.query]]
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    document: Schema = {
        "openapi": "3.1.0",
        "info": {"title": "uhlive-mock control API", "version": version, "description": _DESCRIPTION},
        "paths": paths,
    }
    if not needs_token:
        return document | {"components": {"schemas": components}}
    schemes = {"controlToken": {"type": "http", "scheme": "bearer"}}
    return document | {
        "components": {"schemas": components, "securitySchemes": schemes},
        "security": [{"controlToken": []}],
    }


def _describe(operation: Operation, schemas: dict[str, Schema], operations: Sequence[Operation]) -> Schema:
    """One operation of the document, without its parameters."""
    good: Schema = {"description": operation.status.phrase}
    if operation.answers:
        good |= _content(
            {
                media: {"description": kind} if isinstance(kind, str) else schemas[repr(kind)]
                for media, kind in operation.answers.items()
            }
        )
    if operation.makes is not None:
        made = {operation.makes: f"$response.body#/{operation.makes}"}
        good["links"] = {
            _identifier(other): {"operationId": _identifier(other), "parameters": made}
            for other in operations
            if _PLACE.findall(other.path) == [operation.makes]
        }
    refusal = _content({JSON: schemas[repr(Refusal)]})
    refusals = {
        str(status.value): {"description": why, **refusal} for status, why in sorted(_refusals(operation).items())
    }
    described: Schema = {
        "operationId": _identifier(operation),
        "summary": operation.summary,
        "responses": {str(operation.status.value): good, **refusals},
    }
    if operation.body.kinds:
        content = _content({media: schemas[repr(kind)] for media, kind in operation.body.kinds.items()})
        described["requestBody"] = {"required": not operation.body.optional, **content}
    return described


def _refusals(operation: Operation) -> dict[HTTPStatus, str]:
    """Every status but the good one that an operation may answer with, and what it means."""
    found = {
        HTTPStatus.BAD_REQUEST: "The path, the query or the body is malformed.",
        HTTPStatus.UNAUTHORIZED: "The server has a control token, and this request has not.",
        HTTPStatus.FORBIDDEN: "The server has no control token, and the caller is not on its machine.",
        HTTPStatus.REQUEST_TIMEOUT: "The body did not arrive in time.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    }
    if names := _PLACE.findall(operation.path):
        found[HTTPStatus.NOT_FOUND] = f"There is no such {' or '.join(names)}."
    if operation.body.kinds:
        found[HTTPStatus.UNSUPPORTED_MEDIA_TYPE] = "The body is of a type that this operation does not read."
    return found | operation.refuses


def _content(schemas: dict[str, Schema]) -> Schema:
    return {"content": {media: {"schema": schema} for media, schema in schemas.items()}}


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
        for name in _PLACE.findall(operation.path)
    ]


def _query_parameters(schema: Schema) -> list[Schema]:
    properties: dict[str, Schema] = schema.get("properties", {})  # type: ignore[assignment]
    required: list[str] = schema.get("required", [])  # type: ignore[assignment]
    return [
        {"name": name, "in": "query", "required": name in required, "schema": described}
        for name, described in properties.items()
    ]


def _scenario_schemas() -> dict[str, Schema]:
    """The schema of scenarios, that of their limits, and of what they refer to."""
    schema = scenarios.json_schema()
    schema.pop("$schema")
    parts: dict[str, Schema] = schema.pop("$defs")
    parts["limits"] = schema["properties"]["limits"]
    schema["properties"]["limits"] = {"$ref": "#/$defs/limits"}
    return {"Scenario": schema, **{_component(name): part for name, part in parts.items()}}


def _with_references(value: object) -> object:
    """A schema whose references lead to components, and say nothing of the type that the component says itself."""
    match value:
        case {"$ref": str(reference), **rest}:
            to = reference if reference.startswith(_SCHEMAS) else _SCHEMAS + _component(reference)
            return {key: rest[key] for key in rest if key not in ("type", "additionalProperties")} | {"$ref": to}
        case dict():
            return {key: _with_references(inner) for key, inner in value.items()}
        case list():
            return [_with_references(inner) for inner in value]
    return value


def _component(reference: str) -> str:
    return f"Scenario{reference.rpartition('/')[2].capitalize()}"


def _any_value(kind: type) -> Schema:
    """The schema of a value that may be whatever JSON can say."""
    if kind is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError
