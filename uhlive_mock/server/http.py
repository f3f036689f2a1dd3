"""Everything that is not a socket: the realm, the socket's path without an upgrade, and health."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from ..model.fault import Fault, FaultKind
from ..protocol.handshake import Refusal, Upgrade, check_upgrade
from ..protocol.token_endpoint import TokenEndpoint
from ..protocol.token_messages import TokenResponse
from .realm import Sabotage, realm_routes
from .world import World

ANY_VERB = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def build_app(world: World, endpoint: TokenEndpoint, ready: Callable[[], dict[str, object]]) -> Starlette:
    """The HTTP application that both listeners share.

    Args:
        ready: the ready object, for `/_mock/health`.
    """
    return Starlette(
        routes=[
            *realm_routes(endpoint, world.wall, client_clock=world.now_for, sabotage=_sabotage(world)),
            *_socket_routes(world),
            Route("/_mock/health", _health(ready), methods=["GET"]),
        ]
    )


def _sabotage(world: World) -> Sabotage:
    async def sabotage(client_id: str | None) -> TokenResponse | None:
        match world.token_fault(client_id):
            case Fault(kind=FaultKind.TOKEN_STATUS, value=int(status)):
                return TokenResponse(status=status, body={"error": f"HTTP {status}"})
            case Fault(kind=FaultKind.TOKEN_ERROR, value=str(error)):
                return TokenResponse(status=400, body={"error": error, "error_description": "Injected fault"})
            case Fault(kind=FaultKind.TOKEN_DELAY, value=int(delay_ms)):
                await asyncio.sleep(world.real_delay(client_id, delay_ms))
        return None

    return sabotage


def _socket_routes(world: World) -> list[BaseRoute]:
    async def refuse(request: Request) -> Response:
        headers: dict[str, list[str]] = {}
        for name, value in request.headers.items():
            headers.setdefault(name, []).append(value)
        raw_path: bytes = request.scope.get("raw_path", b"")
        query: bytes = request.scope["query_string"]
        upgrade = Upgrade(
            method=request.method,
            target=raw_path.decode("latin-1").partition("?")[0] + "?" + query.decode("latin-1"),
            http_version=request.scope["http_version"],
            headers=headers,
        )
        answer = check_upgrade(upgrade, world.admit, refused_status=world.refused_status)
        # A request that passes every check is an upgrade, and uvicorn hands those to the socket's protocol.
        status, body = (answer.status, answer.body) if isinstance(answer, Refusal) else (426, "")
        return PlainTextResponse(body, status_code=status)

    return [Route(path, refuse, methods=list(ANY_VERB)) for path in ("/socket/websocket", "/socket/websocket/")]


def _health(ready: Callable[[], dict[str, object]]) -> Callable[[Request], Response]:
    def health(request: Request) -> Response:
        # The ready object carries the client's secret, so it is for this machine's own programs: neither
        # another host nor a web page that had its name resolve to this address may read it.
        if not (request.client and _is_loopback(request.client.host) and _names_loopback(request.url.hostname)):
            return JSONResponse({"error": "health is for loopback callers only"}, status_code=403)
        return JSONResponse(ready())

    return health


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _names_loopback(host: str | None) -> bool:
    return host is not None and (host == "localhost" or _is_loopback(host.strip("[]")))
