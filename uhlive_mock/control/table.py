"""Every operation of the control API."""

from __future__ import annotations

from . import acting, conversations, journal, judging, spaces
from .operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *spaces.OPERATIONS,
    *journal.OPERATIONS,
    *conversations.OPERATIONS,
    *acting.OPERATIONS,
    *judging.OPERATIONS,
)
"""In the order in which the document lists them."""
