"""Everything that is not a socket: the realm, the socket's path without an upgrade, and the control API."""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ..auth.endpoint import TokenEndpoint, TokenResponse
from ..model.fault import Fault, FaultKind
from ..protocol.admission import Refusal, Upgrade, check_upgrade
from .realm import CONCERNS, Sabotage, realm_routes
from .world import World

ANY_VERB = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def build_app(world: World, endpoint: TokenEndpoint, control: BaseRoute) -> ASGIApp:
    """The HTTP application that both listeners share."""
    app = Starlette(
        routes=[
            *realm_routes(
                endpoint,
                world.wall,
                client_clock=world.now_for,
                sabotage=_sabotage(world),
                observe=world.token_answered,
            ),
            *_socket_routes(world),
            control,
        ]
    )
    return _owning_up(app, world)


def _owning_up(app: ASGIApp, world: World) -> ASGIApp:
    """A defect of ours is written down; Starlette has answered 500 by then."""

    async def owning_up(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except ClientDisconnect:
            pass
        except Exception as error:  # noqa: BLE001 - written down
            world.defect(error, client_id=scope.get(CONCERNS))

    return owning_up


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
