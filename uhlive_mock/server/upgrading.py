"""The handshake of a socket: whether a request becomes one, and the response that says so."""

from __future__ import annotations

from email.utils import formatdate

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.utils import accept_key

from ..model.fault import Fault, FaultKind, Stage
from ..protocol.admission import Admitted, Refusal, Upgrade, check_upgrade, is_socket_path
from .websocket import Frames
from .world import Caller, World

_NEVER_CACHED = {"cache-control": "max-age=0, private, must-revalidate"}


def judge(request: Request, world: World) -> Admitted[Caller] | Refusal | None:
    """Whether a request becomes a socket; None when a fault leaves it hanging."""
    if not is_socket_path(request.path):
        return Refusal(status=404, body="Not Found", why="no socket at this path")
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.raw_items():
        headers.setdefault(name.lower(), []).append(value)
    upgrade = Upgrade(
        method=request.method,
        target=request.path,
        http_version=request.protocol.removeprefix("HTTP/"),
        headers=headers,
    )
    answer = check_upgrade(upgrade, world.admit, refused_status=world.refused_status)
    if isinstance(answer, Refusal):
        return answer
    life = answer.caller.life
    match life.space.faults.take(Stage.HANDSHAKE, life.clock.now()):
        case Fault(kind=FaultKind.HANDSHAKE_STATUS, value=int(status)) as fault:
            return Refusal(status=status, why=str(fault))
        case Fault():
            return None
    return answer


def refuse(frames: Frames, refusal: Refusal) -> None:
    """Answer with the status and body of a refusal."""
    response = frames.reject(refusal.status, refusal.body)
    response.headers.update(_NEVER_CACHED)
    frames.send_response(response)


def accept(frames: Frames, admitted: Admitted[Caller]) -> None:
    """Answer with 101: no extension, no subprotocol."""
    headers = Headers(
        {
            "Date": formatdate(usegmt=True),
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": accept_key(admitted.key),
            **_NEVER_CACHED,
        }
    )
    frames.send_response(Response(101, "Switching Protocols", headers))
