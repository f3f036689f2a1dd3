"""Everything that is not a socket: the realm, the socket's path without an upgrade, and the control API.

The realm over HTTP: the routes under `/realms/{realm}`.

    GET       (the realm itself)                   its name, key and token service
    POST      protocol/openid-connect/token        the token endpoint
    GET       protocol/openid-connect/certs        the public key
    GET       .well-known/openid-configuration     where everything is, and what is served
    OPTIONS   any of them                          200, for the browser's preflight

Everything is JSON, errors included, and nothing a client sends makes it answer 5xx. Pages call the token
endpoint themselves, so every origin is let in. S: the shapes are Keycloak's. Nothing is logged here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

import msgspec
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ..auth.endpoint import (
    GRANTS,
    RequestRefused,
    TokenEndpoint,
    TokenError,
    TokenRequest,
    TokenResponse,
    claimed_client,
    is_form,
)
from ..auth.tokens import ALGORITHM
from ..model.account import REALM_SCOPES
from ..model.fault import Fault, FaultKind
from ..protocol.admission import Refusal, Upgrade, check_upgrade
from .spaces import Spaces

ANY_VERB = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

MAX_BODY = 65_536
"""Bytes of a form; more is answered 413."""

_MAX_FIELDS = 1000

_OPENID = "protocol/openid-connect"

# S: DefaultCors.java, TokenEndpoint.preflight.
_ALLOWED_HEADERS = (
    "Origin, Accept, X-Requested-With, Content-Type, Access-Control-Request-Method, "
    "Access-Control-Request-Headers, Authorization"
)
_PREFLIGHT_SECONDS = 3600

TokenFault = Callable[[str | None], Awaitable[TokenResponse | None]]
Observe = Callable[[TokenRequest, TokenResponse], None]

CONCERNS = "uhlive_mock.client_id"
"""Where in an ASGI scope the client id is that a request concerns, once it is known."""


def build_app(spaces: Spaces, endpoint: TokenEndpoint, control: BaseRoute) -> ASGIApp:
    """The HTTP application that both listeners share."""
    app = Starlette(
        routes=[
            *realm_routes(
                endpoint,
                spaces.wall,
                client_clock=spaces.now_for,
                token_fault=_token_fault(spaces),
                observe=spaces.token_answered,
            ),
            *_socket_routes(spaces),
            control,
        ]
    )
    return _report_errors(app, spaces)


def _report_errors(app: ASGIApp, spaces: Spaces) -> ASGIApp:
    """An exception of ours is written down; Starlette has answered 500 by then."""

    async def reporting(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except ClientDisconnect:
            pass
        except Exception as error:  # noqa: BLE001 - written down
            spaces.report_error(error, client_id=scope.get(CONCERNS))

    return reporting


def _token_fault(spaces: Spaces) -> TokenFault:
    async def token_fault(client_id: str | None) -> TokenResponse | None:
        match spaces.token_fault(client_id):
            case Fault(kind=FaultKind.TOKEN_STATUS, value=int(status)):
                return TokenResponse(status=status, body={"error": f"HTTP {status}"})
            case Fault(kind=FaultKind.TOKEN_ERROR, value=str(error)):
                return TokenResponse(status=400, body={"error": error, "error_description": "Injected fault"})
            case Fault(kind=FaultKind.TOKEN_DELAY, value=int(delay_ms)):
                await asyncio.sleep(spaces.real_delay(client_id, delay_ms))
        return None

    return token_fault


def _socket_routes(spaces: Spaces) -> list[BaseRoute]:
    async def refuse(request: Request) -> Response:
        raw_path: bytes = request.scope.get("raw_path", b"")
        upgrade = Upgrade(
            method=request.method,
            target=f"{raw_path.decode('latin-1').partition('?')[0]}?{request.scope['query_string'].decode('latin-1')}",
            http_version=request.scope["http_version"],
            headers={name: request.headers.getlist(name) for name in request.headers},
        )
        answer = check_upgrade(upgrade, spaces.admit, refused_status=spaces.refused_status)
        # A request that passes every check is an upgrade, and uvicorn hands those to the socket's protocol.
        status, body = (answer.status, answer.body) if isinstance(answer, Refusal) else (426, "")
        return PlainTextResponse(body, status_code=status)

    return [Route(path, refuse, methods=list(ANY_VERB)) for path in ("/socket/websocket", "/socket/websocket/")]


# --- the realm ----------------------------------------------------------------------------------------------------


def realm_routes(
    endpoint: TokenEndpoint,
    clock: Callable[[], float],
    *,
    client_clock: Callable[[str], float] | None = None,
    token_fault: TokenFault | None = None,
    observe: Observe = lambda request, answer: None,
    body_timeout_s: float = 10.0,
) -> list[BaseRoute]:
    """The routes of the realm that `endpoint` serves.

    Args:
        endpoint: answers requests for tokens.
        clock: Unix seconds.
        client_clock: Unix seconds on the clock of the space a client id belongs to, whatever the id; by
            default every client is on `clock`. A token must be issued on the clock it will be held against.
        token_fault: asked before a token request is answered, with its client id; the answer instead, if any.
        observe: told of each request for a token that could be read, and of its answer.
        body_timeout_s: seconds a request may take to arrive before it is answered 408.
    """
    realm = _Realm(endpoint, clock, client_clock, token_fault, observe, body_timeout_s)
    return [Route("/realms/{realm}", realm), Route("/realms/{realm}/{resource:path}", realm)]


class _Realm:
    """The ASGI application behind the routes; an object, so that Starlette lets every method reach it."""

    def __init__(
        self,
        endpoint: TokenEndpoint,
        clock: Callable[[], float],
        client_clock: Callable[[str], float] | None,
        token_fault: TokenFault | None,
        observe: Observe,
        body_timeout_s: float,
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._client_clock = client_clock or (lambda _: clock())
        self._token_fault = token_fault
        self._observe = observe
        self._body_timeout_s = body_timeout_s
        self._documents: dict[str, Callable[[str], dict[str, object]]] = {
            "": self._description,
            f"{_OPENID}/certs": lambda _: endpoint.issuer.key.jwks(),
            ".well-known/openid-configuration": self._configuration,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        resource = request.path_params.get("resource", "")
        is_token = resource == f"{_OPENID}/token"
        methods = "POST, OPTIONS" if is_token else "GET, HEAD, OPTIONS"
        try:
            if is_token and request.method != "OPTIONS":
                answer = await self._token(request)
            else:
                answer = self._document(request, resource)
        except RequestRefused as refused:
            answer = refused.answer
        response = Response(
            msgspec.json.encode(answer.body) if answer.body else b"",
            status_code=answer.status,
            headers=dict(answer.headers) | _cors(request, methods),
            media_type="application/json",
        )
        await response(scope, receive, send)

    # --- the token endpoint -------------------------------------------------------------------------------

    async def _token(self, request: Request) -> TokenResponse:
        content_type = request.headers.get("content-type", "")
        form = await self._form(request) if request.method == "POST" and is_form(content_type) else ()
        token_request = TokenRequest(
            realm=request.path_params["realm"],
            method=request.method,
            secure=request.scope["scheme"] == "https",
            content_type=content_type,
            form=form,
            authorization=request.headers.get("authorization", ""),
            base_url=_base_url(request),
            client_address=request.client.host if request.client else "",
        )
        client_id = request.scope[CONCERNS] = claimed_client(token_request)
        answer = await self._token_fault(client_id) if self._token_fault else None
        if answer is None:
            now = self._clock() if client_id is None else self._client_clock(client_id)
            answer = self._endpoint.respond(token_request, now)
        self._observe(token_request, answer)
        return answer

    async def _form(self, request: Request) -> tuple[tuple[str, str], ...]:
        """The form, its repeated fields kept. Raises `RequestRefused`."""
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > MAX_BODY:
            raise RequestRefused(TokenError.BODY_TOO_LARGE)
        try:
            async with asyncio.timeout(self._body_timeout_s):
                body = await _read(request)
            pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
        except TimeoutError:
            raise RequestRefused(TokenError.BODY_LATE) from None
        except (ValueError, ClientDisconnect):
            raise RequestRefused(TokenError.BODY_UNREADABLE) from None
        return tuple(pairs)

    # --- documents ----------------------------------------------------------------------------------------

    def _document(self, request: Request, resource: str) -> TokenResponse:
        if request.path_params["realm"] != self._endpoint.behaviour.realm:
            raise RequestRefused(TokenError.REALM_UNKNOWN)
        if request.method == "OPTIONS":
            return TokenResponse(status=200, body={})
        if resource not in self._documents:
            raise RequestRefused(TokenError.PATH_UNKNOWN)
        if request.method not in ("GET", "HEAD"):
            return replace(TokenError.METHOD.answer(), headers=(("Allow", "GET, HEAD, OPTIONS"),))
        issuer = self._endpoint.issuer.issuer_url(_base_url(request))
        return TokenResponse(status=200, body=self._documents[resource](issuer))

    def _description(self, issuer: str) -> dict[str, object]:
        # S: PublicRealmResource.java
        return {
            "realm": self._endpoint.behaviour.realm,
            "public_key": self._endpoint.issuer.key.public_key(),
            "token-service": f"{issuer}/{_OPENID}",
            "account-service": f"{issuer}/account",
            "tokens-not-before": 0,
        }

    def _configuration(self, issuer: str) -> dict[str, object]:
        """The discovery document: the realm's scopes (D), and of the grants those that are served here."""
        return {
            "issuer": issuer,
            "token_endpoint": f"{issuer}/{_OPENID}/token",
            "jwks_uri": f"{issuer}/{_OPENID}/certs",
            "grant_types_supported": list(GRANTS),
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "scopes_supported": list(REALM_SCOPES),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        }


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise RequestRefused(TokenError.BODY_TOO_LARGE)
    return bytes(body)


def _base_url(request: Request) -> str:
    """Scheme and authority as the client used them, so that it meets one host throughout."""
    return str(request.base_url).rstrip("/")


def _cors(request: Request, methods: str) -> dict[str, str]:
    """Let every origin in. U: which origins the provider lets in; Keycloak asks each client's settings."""
    origin = request.headers.get("origin")
    if origin is None:
        return {"Vary": "Origin"}
    shared = {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
    }
    if request.method == "OPTIONS":
        return shared | {
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
            "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
        }
    return shared | {"Access-Control-Expose-Headers": "Access-Control-Allow-Methods"}
