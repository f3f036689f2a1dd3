"""Waiting on the server: until a journal says something, without a thread.

A wait ends with the first of: what it waits for, its timeout, the end of the space, the end of the server, the
caller going away. As many may wait at once as there are sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from starlette.requests import Request

from ..server.world import HostedSpace
from .host import Host
from .operation import Asked, B, Q
from .refusals import Refused

T = TypeVar("T")


async def wait_until(
    look: Callable[[], T | None], asked: Asked[Q, B], *, timeout: float, pause: float = 0.0
) -> T | None:
    """What `look` finds, now or after any entry of the journal; None when it found nothing in `timeout` seconds.

    Args:
        pause: seconds to rest after each look; for one that takes long.

    Raises:
        Refused: 404, the space ended meanwhile; 503, the server stops.
    """
    hosted, host, request = asked.hosted, asked.host, asked.request
    news = asyncio.Event()
    stop_listening = hosted.space.journal.listen(lambda _: news.set())
    stop_watching = hosted.when_over(news.set)
    watches: list[asyncio.Future[bool]] = [
        asyncio.ensure_future(host.stop.wait()),
        asyncio.ensure_future(_until_gone(request)),
    ]
    for watch in watches:
        watch.add_done_callback(lambda _: news.set())
    try:
        async with asyncio.timeout(timeout):
            while True:
                news.clear()
                if (found := look()) is not None:
                    return found
                _refuse_if_over(hosted, host, watches[1])
                await asyncio.sleep(pause)
                await news.wait()
    except TimeoutError:
        return None
    finally:
        stop_listening()
        stop_watching()
        for watch in watches:
            watch.cancel()


def _refuse_if_over(hosted: HostedSpace, host: Host, gone: asyncio.Future[bool]) -> None:
    if hosted.over:
        raise Refused(HTTPStatus.NOT_FOUND, f"the space {hosted.account.client_id!r} ended meanwhile")
    if host.stop.is_set():
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the server stops")
    if gone.done():
        raise Refused(HTTPStatus.BAD_REQUEST, "the caller went away")


async def _until_gone(request: Request) -> bool:
    """Return once the caller has closed the connection; its body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return True
