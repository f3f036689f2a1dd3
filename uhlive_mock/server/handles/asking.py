"""What a test claims of a space: assertions whose failure shows what came closest."""

from __future__ import annotations

from os import PathLike

from ...errors import ConfigurationError
from ...protocol.speaker_audio import Hearing
from ...verification.timeline import timeline
from .conversation import SpeakerHandle
from .questioning import Questioning


class Asking(Questioning):
    """The part of a space's handle that asserts."""

    def assert_audio_equals(
        self,
        wav: str | PathLike[str] | bytes,
        *,
        speaker: str,
        conversation: str | None = None,
        tolerance: int = 0,
    ) -> None:
        """The audio of a speaker's latest stay is that of a file; see `SpeakerHandle.assert_audio_equals`.

        Raises:
            AssertionError: it is not, or nobody of that name joined.
            ConfigurationError: the speaker joined several conversations, and none is given.
        """
        __tracebackhide__ = True
        hearings = self._call(lambda: list(self._hosted.space.hearings))
        hearing = _the_one(hearings, speaker, conversation)
        SpeakerHandle(self._call, self._hosted, hearing).assert_audio_equals(wav, tolerance=tolerance)

    def timeline(self, conversation: str | None = None, width: int = 100) -> str:
        """What was expected beside what happened, on the audio axis of each speaker, as text.

        Args:
            conversation: the id of the only conversation to show; every one by default.
            width: characters a line may have.
        """
        return self._call(lambda: timeline(self._hosted.space, conversation, width))


def _the_one(hearings: list[Hearing], speaker: str, conversation: str | None) -> Hearing:
    __tracebackhide__ = True
    own = [
        hearing
        for hearing in hearings
        if hearing.speaker == speaker and conversation in (None, hearing.conversation)
    ]
    if not own:
        where = "" if conversation is None else f" in {conversation}"
        joined = ", ".join(dict.fromkeys(f"{each.speaker} in {each.conversation}" for each in hearings))
        raise AssertionError(f"{speaker} never joined{where}; joined: {joined or 'nobody'}")
    conversations = list(dict.fromkeys(hearing.conversation for hearing in own))
    if len(conversations) > 1:
        raise ConfigurationError(f"{speaker} joined {', '.join(conversations)}; say which conversation is meant")
    return own[-1]
