"""What a test claims of a space: assertions whose failure shows what came closest."""

from __future__ import annotations

from .reach import Reach


class Asking(Reach):
    """The part of a space's handle that asserts."""
