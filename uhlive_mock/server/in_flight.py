"""Whether something that a client sent has not been read yet.

On the loopback what a client has sent is in our receive buffer by the time its `send` returns; its close is, too.
So the question has an answer at every moment, and nobody has to sleep to be sure that the last message counted.
"""

from __future__ import annotations

import asyncio
import selectors


def has_unread(transport: asyncio.Transport) -> bool:
    """Whether bytes, or the end of the connection, wait to be read."""
    tcp = transport.get_extra_info("socket")
    if tcp is None or tcp.fileno() < 0:
        return False
    with selectors.DefaultSelector() as selector:
        selector.register(tcp.fileno(), selectors.EVENT_READ)
        return bool(selector.select(0))
