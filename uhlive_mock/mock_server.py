"""A server in a daemon thread, and its spaces, for callers that are not on its event loop.

Every method is synchronous: it runs its work on the server's loop and waits for it, so that sync and async
tests use the same object.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar, Unpack

from .auth.endpoint import TokenBehaviour
from .control import ControlRoute, ServerState
from .errors import ConfigurationError, InternalError
from .model.behaviour import Behaviour
from .model.settings import SpaceSettings
from .protocol.space import Space
from .server.listeners import Serving
from .server.loop_portal import LoopPortal, SpacePortal
from .server.space_handle import SpaceHandle
from .server.space_options import SpaceOptions, settings_from
from .server.spaces import Spaces, UnknownClient

T = TypeVar("T")
START_TIMEOUT_S = 30.0


class MockServer:
    """The mock service in a daemon thread; a context manager.

    Args:
        host: where to listen; loopback by default.
        port: the plain port; 0 picks a free one.
        tls_port: the TLS port; 0 picks a free one, None listens without TLS.
        tokens: how the Keycloak realm behaves: its name, lifespans, whether it insists on TLS.
        behaviour: what the service does where nothing is known for certain; a space may have its own.
        control_token: what callers of the control API under `/_mock/` must send as a bearer token; without one
            it is for callers on this machine only.

    Raises:
        ConfigurationError: a port is taken, or the control token cannot be sent. Raised when built, before any
            thread starts.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls_port: int | None = 0,
        tokens: TokenBehaviour | None = None,
        behaviour: Behaviour | None = None,
        control_token: str | None = None,
    ) -> None:
        tokens = tokens or TokenBehaviour()
        self._behaviour = behaviour or Behaviour()
        self._spaces = Spaces(realm=tokens.realm, refused_status=self._behaviour.refused_status)
        self._stop = asyncio.Event()
        state = ServerState(
            spaces=self._spaces,
            ready=lambda: self._serving.ready(self._env),
            open_space=self.space,
            hold=self._hold,
            stop=self._stop,
        )
        self._control = ControlRoute(state, control_token)
        self._serving = Serving(self._spaces, tokens, host=host, port=port, tls_port=tls_port)
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="uhlive-mock", daemon=True)
        self._env: dict[str, str] = {}
        self._portal = LoopPortal()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def urls(self) -> dict[str, str | None]:
        """`http_url`, `https_url`, `ws_url`, `wss_url`, `token_url` and `ca_file`."""
        return self._serving.urls

    @property
    def running(self) -> bool:
        """Whether the server serves."""
        return self._thread.is_alive()

    def start(self) -> Self:
        """Start serving; returns once both ports answer. Does nothing for a server that serves already.

        Raises:
            ConfigurationError: it was stopped before.
            InternalError: it did not come up.
        """
        if self._thread.ident is None:
            self._thread.start()
        elif not self._thread.is_alive() and not self._failure:
            raise ConfigurationError("a server that was stopped does not start again; make another one")
        if not self._ready.wait(START_TIMEOUT_S) or self._failure:
            raise InternalError("the server did not start") from self._failure
        return self

    def stop(self) -> None:
        """Close every socket and stop; idempotent. A server that was never started frees its ports."""
        if self._loop and self._thread.is_alive():
            with suppress(RuntimeError):  # its loop closes in this very moment
                self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread.ident is not None:
            self._thread.join(START_TIMEOUT_S)
        self._serving.close()
        for file in self._serving.files:
            file.close()
        if self._failure:
            raise InternalError("the server failed") from self._failure

    def space(self, settings: SpaceSettings | None = None, /, **options: Unpack[SpaceOptions]) -> SpaceHandle:
        """A new space, made of settings or of what the keywords say.

        Args:
            scenario: a scenario or the path of its document, or several; the built-in call by default.
            client_id, client_secret, vocabulary: of its account; the first two are drawn by default.
            accounts: its accounts; one of its own by default.
            clock: `real`, `audio` or `manual`.
            rate: how fast the real clock runs.
            seed: decides everything random.
            behaviour: what the service does where nothing is known for certain; the server's by default.
            limits: the service's rules where a scenario has none of its own.
            name: what messages call the space, such as a test's id; its client id by default.

        Raises:
            ScenarioError, ConfigurationError: an option cannot be used, or the server has stopped.
        """
        if self._portal.finished:
            raise ConfigurationError("the server has stopped; make another one")
        if settings is None:
            behaviour = options.get("behaviour") or self._behaviour
            settings = settings_from({**options, "behaviour": behaviour})
        elif options:
            raise ConfigurationError(
                f"a space is made of settings or of keywords; found both: {', '.join(options)}"
            )
        return self._hold(self.call(lambda: self._spaces.open(settings)))

    @property
    def refusals(self) -> list[UnknownClient]:
        """Every client that came and belonged to no living space, with what it tried and how often."""
        return self.call(lambda: list(self._spaces.unknown))

    @property
    def stragglers(self) -> list[UnknownClient]:
        """Those of the refusals whose space has ended: programs that outlived their test."""
        return [client for client in self.refusals if client.space is not None]

    @property
    def defects(self) -> list[str]:
        """The traceback of every exception in the server that no socket and no caller has been told of."""
        return self.call(lambda: list(self._spaces.errors))

    def announce(self, space: SpaceHandle) -> dict[str, object]:
        """The ready object with the environment of `space`, which `/_mock/health` repeats from now on."""
        self._env = space.env
        return self._serving.ready(self._env)

    def call(self, work: Callable[[], T]) -> T:
        """Run `work` on the server's loop and return what it returns; once it has stopped, right here.

        Raises:
            ConfigurationError: the server was never started.
            InternalError: something has blocked its loop for long.
        """
        return self._portal.call(work)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - reported by start() or stop()
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._spaces.loop_failed)
        self._portal.begin(self._loop)
        try:
            await self._serving.run(self._stop, self._ready.set, self._control)
        finally:
            self._spaces.stopped()
            self._portal.finish()

    def _hold(self, space: Space) -> SpaceHandle:
        return SpaceHandle(SpacePortal(self._portal, self._serving, space))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
