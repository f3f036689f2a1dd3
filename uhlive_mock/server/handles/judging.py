"""What speaks against a test: its client's violations, and what never happened."""

from __future__ import annotations

from .reach import Reach


class Judging(Reach):
    """The part of a space's handle that judges."""

    @property
    def unheard(self) -> list[str]:
        """One sentence for each scenario, and each named speaker of one, that was never given a chance."""
        return self._call(self._hosted.space.unheard)
