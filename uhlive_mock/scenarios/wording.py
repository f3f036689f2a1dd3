"""The words that messages share, at their old address."""

from __future__ import annotations

from ..errors import either as either
from ..errors import excerpt as excerpt
from ..errors import unknown as unknown
