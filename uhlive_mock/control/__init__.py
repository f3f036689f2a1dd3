"""The control API: a server's spaces over HTTP, under `/_mock/`, for tests in any language.

What the Python handles offer, here is an operation each, by a method and a path. `table.OPERATIONS` lists them,
`routing` serves them and `openapi` describes them, at `/_mock/openapi.json`. `access` says who may call.

Operations run on the server's event loop, where the handles do their work at once. What takes long (a scenario's
text, a WAV file, a long journal) is made on a thread of its own, from values that no longer change.
"""

from __future__ import annotations

from .access import Access
from .host import Host
from .routing import ControlRoute
from .table import OPERATIONS

__all__ = ["OPERATIONS", "Access", "ControlRoute", "Host"]
