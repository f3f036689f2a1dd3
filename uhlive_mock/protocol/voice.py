"""Who speaks in a plan: what a join says that every event of the speaker repeats."""

from __future__ import annotations

import msgspec

from ..model.events import SpeakerJoined

UTTERANCE_STRIDE = 1_000_000
"""Distance between the utterance ids of two speakers of a conversation."""


class Voice(msgspec.Struct, frozen=True, kw_only=True):
    """One speaker. Its utterance ids count from `first_utterance`."""

    speaker: str
    model: str
    country: str
    interim_results: bool = True
    rescoring: bool = True
    origin_ms: int = 0
    first_utterance: int = 0

    @property
    def lang(self) -> str:
        """The language of the model. I: public model names are language codes."""
        return self.model[:2]

    def joined(self, now: float) -> SpeakerJoined:
        """The event of its joining at `now`, in Unix seconds."""
        return SpeakerJoined(
            speaker=self.speaker,
            lang=self.lang,
            country=self.country,
            interim_results=self.interim_results,
            rescoring=self.rescoring,
            timestamp_ms=int(now * 1000),
        )
