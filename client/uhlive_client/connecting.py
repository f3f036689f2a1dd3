"""What a call needs to know before there is one. The `connect` of either shell is made of it."""

from __future__ import annotations

from os import PathLike

from .call_state import Core
from .codecs import Codec
from .conversation import JoinOptions
from .errors import ConfigurationError
from .login import Login
from .reconnect import Reconnect
from .settings import LONGEST_S, Settings
from .transport import Door
from .wire import Framing


class Connecting:
    """Join a conversation; a context manager, and the call is over when the context is left.

    What is not given comes from the environment, read now; see `settings`. The join options are those of
    `JoinOptions`.

    Args:
        conversation: its name; who uses the same one meets in the same conversation.
        timeout: seconds to wait for each answer: the token, the socket, the join, a sign of life and, once we
            are leaving, each of the last events; also for a frame to be sent. Sound sent faster than speech
            may take as long as it lasts on top of that.
        ping_interval: seconds of silence after which to ping; `None` for never. D: the service closes a socket
            that sends nothing for 60 s, and any ping counts.
        heartbeat: seconds from one Phoenix heartbeat to the next, while the call is iterated; `None` for none.
            Only for a way to the service that lets no pings through.
        reconnect: what to do about a line that is lost in mid-call; `True` for the defaults of `Reconnect`,
            `False` to raise. Where it fails, what is raised is the loss itself.
        token: an access token we already have; another is asked for when it has expired and the settings allow.

    Raises:
        AuthenticationError: no token.
        ConfigurationError: a setting is missing or cannot be used.
        HandshakeRefused: no socket.
        JoinRefused: no conversation.
        ChannelCrashed, ConnectionLost: no answer to the join, but an end.
        Unreachable: nobody answers.
        Timeout: an answer did not come in time.
        ValueError: an `audio_codec` or a `framing` that does not exist.
    """

    def __init__(
        self,
        *,
        conversation: str,
        speaker: str,
        model: str = "fr",
        country: str = "fr",
        interim_results: bool = True,
        rescoring: bool = True,
        origin: int = 0,
        audio_codec: Codec | str = Codec.LINEAR,
        readonly: bool = False,
        framing: Framing | str = Framing.VSN2,
        timeout: float = 10.0,
        ping_interval: float | None = 20.0,
        heartbeat: float | None = None,
        reconnect: Reconnect | bool = False,
        client_id: str | None = None,
        client_secret: str | None = None,
        user: str | None = None,
        password: str | None = None,
        token: str | None = None,
        auth_server: str | None = None,
        realm: str | None = None,
        url: str | None = None,
        ca_file: str | PathLike[str] | None = None,
    ) -> None:
        for name, seconds in (("timeout", timeout), ("ping_interval", ping_interval), ("heartbeat", heartbeat)):
            if seconds is not None and not 0 < seconds <= LONGEST_S:
                raise ConfigurationError(f"{name} is {seconds}; expected more than 0 and at most {LONGEST_S}")
        self._settings = Settings.read(
            client_id=client_id,
            client_secret=client_secret,
            user=user,
            password=password,
            auth_server=auth_server,
            realm=realm,
            url=url,
            ca_file=ca_file,
        )
        self._options = JoinOptions(
            readonly=readonly,
            speaker=speaker,
            model=model,
            country=country,
            interim_results=interim_results,
            rescoring=rescoring,
            origin=origin,
            audio_codec=Codec(audio_codec),
        )
        self._conversation = conversation
        self._framing = Framing(framing)
        self._timeout = timeout
        self._ping_interval = ping_interval
        self._heartbeat = heartbeat
        self._reconnect = Reconnect() if reconnect is True else reconnect or None
        self._token = token

    def _login(self) -> Login:
        return Login(self._settings, token=self._token, timeout=self._timeout)

    def _door(self) -> Door:
        return Door(
            settings=self._settings,
            framing=self._framing,
            timeout=self._timeout,
            ping_interval=self._ping_interval,
        )

    def _core(self) -> Core:
        return Core(
            self._settings.client_id,
            self._conversation,
            self._options,
            framing=self._framing,
            timeout=self._timeout,
            ping_interval=self._ping_interval,
            heartbeat=self._heartbeat,
            reconnect=self._reconnect,
        )
