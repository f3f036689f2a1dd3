"""The WebSocket under a call: opened with every way it can fail named, and pinged.

Keep-alive is the WebSocket's own pings. D: the service closes a socket that sends nothing for 60 s, and any
ping counts; S: the SDK's observer does the same.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidProxy, InvalidStatus

from .errors import ConfigurationError, ConnectionLost, HandshakeRefused, Timeout, Unreachable
from .settings import Settings
from .wire import Framing

_PING_INTERVAL_S = 20.0
_PING_TIMEOUT_S = 60.0
# Events wait here while nobody iterates. When it is full the socket is no longer read, pongs included,
# so a small queue would lose the connection of a program that streams first and reads afterwards.
_QUEUE = 4096


async def open_socket(settings: Settings, token: str, framing: Framing, timeout: float) -> ClientConnection:
    """Open the socket of a call. `timeout` is in seconds, for opening it and later for closing it.

    Raises:
        ConfigurationError: the proxy of the environment cannot be used, or the certificates.
        HandshakeRefused: the service refused.
        Timeout: it did not answer in time.
        Unreachable: nobody answered, or a certificate is not trusted.
    """
    place = urlsplit(settings.url).netloc
    secure = urlsplit(settings.url).scheme == "wss"
    try:
        return await connect(
            settings.socket_url(token, framing),
            ssl=settings.ssl_context() if secure else None,
            compression=None,  # D: Phoenix negotiates none
            open_timeout=timeout,
            close_timeout=timeout,
            ping_interval=_PING_INTERVAL_S,
            ping_timeout=_PING_TIMEOUT_S,
            max_queue=_QUEUE,
            max_size=None,
            user_agent_header="uhlive-client",
        )
    # `from None` throughout: what is hidden holds the address, and the address the token.
    except InvalidStatus as refusal:
        raise HandshakeRefused(refusal.response.status_code) from None
    except InvalidProxy as problem:
        raise ConfigurationError(f"the proxy cannot be used: {problem}") from None
    except InvalidHandshake as problem:
        raise HandshakeRefused(None, f"{place} does not answer as a WebSocket server ({problem})") from None
    except TimeoutError:
        raise Timeout(f"socket from {place}", timeout) from None
    except OSError as problem:
        raise Unreachable.because(place, problem) from None


def lost(closed: ConnectionClosed) -> ConnectionLost:
    """How a closed socket reads to the caller. The code is the peer's, never one that we sent."""
    if closed.rcvd is not None:
        return ConnectionLost(closed.rcvd.code, closed.rcvd.reason)
    return ConnectionLost(None, closed.sent.reason if closed.sent is not None else "")
