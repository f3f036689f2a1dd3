"""What a test holds: a space of a running server, its journal, its conversations and their speakers.

Handles may be used from any thread. Every method runs its work on the server's event loop and waits for it, so
what it returns is consistent and does not change under the caller.
"""

from __future__ import annotations

from .call import Call
from .conversation import ConversationHandle, SpeakerHandle
from .journal import JournalHandle
from .space import SpaceHandle

__all__ = ["Call", "ConversationHandle", "JournalHandle", "SpaceHandle", "SpeakerHandle"]
