"""A space of a running server, as a test holds it."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from ...model.fault import Fault, FaultKind, Takes
from ..journal_file import JournalFile
from ..serving import Serving
from ..world import HostedSpace
from .call import Call
from .conversation import ConversationHandle, SpeakerHandle
from .journal import JournalHandle


class SpaceHandle:
    """A space of a running server."""

    def __init__(
        self, call: Call, keep: Callable[[JournalFile], None], serving: Serving, hosted: HostedSpace
    ) -> None:
        self._call = call
        self._keep = keep
        self._serving = serving
        self._hosted = hosted
        self._account = next(iter(hosted.space.accounts.values()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def client_id(self) -> str:
        """The client id of the space's (first) account."""
        return self._account.client_id

    @property
    def client_secret(self) -> str:
        """Its secret."""
        return self._account.client_secret

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
        return JournalHandle(self._call, self._keep, self._hosted.space.journal)

    def issue_token(self, *, expires_in: int = 300) -> str:
        """A token of the space's account, without HTTP; `expires_in` in seconds, 0 for an expired one."""
        issuer = self._serving.world.issuer
        now = self._call(self._hosted.clock.now)
        return issuer.issue(
            self._account,
            now,
            issuer=issuer.issuer_url(str(self._serving.urls["http_url"])),
            expires_in=expires_in,
        )

    @property
    def unheard(self) -> list[str]:
        """One sentence for each scenario, and each named speaker of one, that was never given a chance."""
        return self._call(self._hosted.space.unheard)

    def advance(self, seconds: float) -> None:
        """Jump the space's clock, running everything that becomes due on the way, in order."""
        self._call(lambda: self._serving.world.advance(self._hosted, seconds))

    def inject(
        self,
        fault: Fault | FaultKind | str,
        value: float | str | None = None,
        *,
        count: int | None = 1,
        speaker: str | None = None,
        event: str | None = None,
        probability: float = 1.0,
    ) -> None:
        """Let something go wrong: at once where it can, else when its turn comes.

        Args:
            fault: a fault, or the name of its kind, such as `close` or `delay_events`.
            value: what the kind reads: a status, a close code, a text, or a duration in seconds.
            count: how often it applies; None for always.
            speaker: whose connection; anyone's by default.
            event: a shell pattern over the names of events.
            probability: how likely it is to apply each time its turn comes.

        Raises:
            ScenarioError: there is no such kind, or it does not take that value.
        """
        if not isinstance(fault, Fault):
            kind = FaultKind.named(fault)
            if kind.takes is Takes.DURATION and isinstance(value, int | float):
                value = round(value * 1000)
            fault = Fault(
                kind=kind,
                value=value,  # type: ignore[arg-type]  # the fault refuses what is none of its values
                count=count,
                speaker=speaker,
                event=event,
                probability=probability,
            )
        ready = fault
        self._call(lambda: self._serving.world.inject(self._hosted, ready))

    @property
    def faults(self) -> list[Fault]:
        """The faults that wait for their turn."""
        return self._call(lambda: list(self._hosted.space.faults))

    def clear_faults(self) -> None:
        """Forget the faults that wait for their turn."""
        self._call(lambda: self._hosted.space.faults.forget(self._hosted.clock.now(), "cleared"))

    def conversation(self, conversation: str) -> ConversationHandle:
        """A conversation by its id; it need not exist yet."""
        return ConversationHandle(self._call, self._hosted, f"conversation:{self.client_id}@{conversation}")

    @property
    def speakers(self) -> list[SpeakerHandle]:
        """Every speaker's stay in any conversation so far, in the order of their joins."""
        return [
            SpeakerHandle(self._call, hearing) for hearing in self._call(lambda: list(self._hosted.space.hearings))
        ]

    def close(self) -> None:
        """End the space: its sockets are closed and its account unknown from now on. May be called again."""
        self._call(lambda: self._serving.world.remove(self._hosted))
