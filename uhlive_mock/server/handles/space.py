"""A space of a running server, as a test holds it."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from .acting import Acting
from .asking import Asking
from .conversation import ConversationHandle, SpeakerHandle
from .journal import JournalHandle
from .judging import Judging

_BETWEEN_LOOKS_S = 0.0005


class SpaceHandle(Acting, Asking, Judging):
    """A space of a running server."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def client_id(self) -> str:
        """The client id of the space's (first) account."""
        return self._hosted.account.client_id

    @property
    def client_secret(self) -> str:
        """Its secret."""
        return self._hosted.account.client_secret

    @property
    def env(self) -> dict[str, str]:
        """The environment that points the official SDK at this space."""
        return self._serving.env(self.client_id, self.client_secret)

    @property
    def token_url(self) -> str:
        """Where to ask for tokens."""
        return str(self._serving.urls["token_url"])

    @property
    def ws_url(self) -> str:
        """The plain WebSocket URL, without a path."""
        return str(self._serving.urls["ws_url"])

    @property
    def wss_url(self) -> str | None:
        """The TLS WebSocket URL, without a path; None on a server without TLS."""
        return self._serving.urls["wss_url"]

    @property
    def ca_file(self) -> str | None:
        """The certificates to trust: the system's and the server's own CA."""
        return self._serving.urls["ca_file"]

    @property
    def journal(self) -> JournalHandle:
        """What happened in this space."""
        return JournalHandle(self._call, self._keep, self._serving, self._hosted)

    def issue_token(self, *, expires_in: int = 300) -> str:
        """A token of the space's account, without HTTP; `expires_in` in seconds, 0 for an expired one."""
        issuer = self._serving.world.issuer
        now = self._call(self._hosted.clock.now)
        return issuer.issue(
            self._hosted.account,
            now,
            issuer=issuer.issuer_url(str(self._serving.urls["http_url"])),
            expires_in=expires_in,
        )

    def conversation(self, conversation: str) -> ConversationHandle:
        """A conversation by its id; it need not exist yet."""
        return ConversationHandle(self._call, self._hosted, f"conversation:{self.client_id}@{conversation}")

    @property
    def speakers(self) -> list[SpeakerHandle]:
        """Every speaker's stay in any conversation so far, in the order of their joins."""
        hearings = self._call(lambda: list(self._hosted.space.hearings))
        return [SpeakerHandle(self._call, self._hosted, hearing) for hearing in hearings]

    def settle(self, *, timeout: float = 2.0) -> bool:
        """Wait until the server has read what clients have sent so far, and those that said goodbye are gone.

        Returns at once when nothing is on its way. False when something still was after `timeout` seconds; what
        a rule or a fault keeps from being read is not waited for.
        """
        deadline = time.monotonic() + timeout
        while self._call(lambda: any(socket.in_flight() for socket in self._hosted.sockets)):
            if time.monotonic() > deadline:
                return False
            time.sleep(_BETWEEN_LOOKS_S)
        return True

    def close(self) -> None:
        """End the space: its sockets are closed and its account unknown from now on. May be called again."""
        self._call(lambda: self._serving.world.remove(self._hosted))
