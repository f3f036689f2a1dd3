"""The access token: one POST, blocking, with the standard library, and another when the first has expired."""

from __future__ import annotations

import ssl
import time
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from .errors import AuthenticationError, Timeout, Unreachable
from .settings import Settings
from .token import Grant, Refresh, Token, TokenRequest, expiry, token_from_response, token_request

_ANSWER_LIMIT = 1_000_000
_MARGIN_S = 5.0
"""A token that is good for less is replaced by a fresh one: the handshake takes its time."""


def fetch_token(settings: Settings, *, timeout: float = 10.0) -> Token:
    """Ask the authentication server for a token. `timeout` is in seconds, for each step of the exchange.

    Raises:
        AuthenticationError: it refused, or answered without a token.
        ConfigurationError: the settings say too little to ask.
        Timeout: it did not answer in time.
        Unreachable: nothing answered, or a certificate is not trusted.
    """
    return _ask(settings, settings.grant(), timeout)


class Login:
    """The access token of a call, for the socket it opens now and for those it may have to open later.

    A token that has expired is replaced: with the refresh token if there is one, else with the settings' own
    grant; where they have none, it is for the service to refuse it. One thread at a time may use it.

    Args:
        settings: the account, and where to ask.
        token: an access token that the caller has.
        timeout: seconds, for each step of an exchange.
    """

    def __init__(self, settings: Settings, *, token: str | None, timeout: float) -> None:
        self._settings = settings
        self._timeout = timeout
        self._token = None if token is None else Token(access_token=token)
        self._expires = None if token is None else expiry(token)
        self._is_ours = False

    def access_token(self) -> str:
        """A token that is good by our clock.

        Raises:
            AuthenticationError, ConfigurationError, Timeout, Unreachable: as `fetch_token`.
        """
        if self._token is None or (self._stale and self._settings.has_grant):
            self._token = self._fresh(self._token)
            lifespan = self._token.expires_in
            # The answer's own word first: it does not depend on the two clocks telling the same time.
            self._expires = expiry(self._token.access_token) if lifespan is None else time.time() + lifespan
            self._is_ours = True
        return self._token.access_token

    def refused(self, status: int | None) -> bool:
        """The service answered the handshake with `status`: whether to try once more, with another token.

        Only where we asked for the token ourselves: a token that the caller gave was chosen.
        """
        if not self._is_ours or status not in (401, 403):
            return False
        self._token = None
        return True

    @property
    def _stale(self) -> bool:
        return self._expires is not None and self._expires - time.time() < _MARGIN_S

    def _fresh(self, old: Token | None) -> Token:
        settings = self._settings
        if old is not None and old.refresh_token:
            grant = Refresh(
                client_id=settings.client_id,
                client_secret=settings.client_secret,
                refresh_token=old.refresh_token,
            )
            try:
                return _ask(settings, grant, self._timeout)
            except AuthenticationError:
                pass  # it has expired too, or the user has logged out
        return fetch_token(settings, timeout=self._timeout)


def _ask(settings: Settings, grant: Grant, timeout: float) -> Token:
    request = token_request(grant, auth_server=settings.auth_server, realm=settings.realm)
    return token_from_response(*_post(request, settings.ssl_context(), timeout))


def _post(request: TokenRequest, context: ssl.SSLContext, timeout: float) -> tuple[int, bytes]:
    place = urlsplit(request.url).netloc
    # The address is ours or comes from the settings, and its scheme is https unless the user wrote another.
    post = Request(request.url, data=request.body, headers=dict(request.headers), method="POST")  # noqa: S310
    try:
        with urlopen(post, timeout=timeout, context=context) as answer:  # noqa: S310
            return answer.status, answer.read(_ANSWER_LIMIT)
    except HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read(_ANSWER_LIMIT)
    except TimeoutError:
        raise Timeout(f"answer from {place}", timeout) from None
    except URLError as problem:
        if isinstance(problem.reason, TimeoutError):
            raise Timeout(f"answer from {place}", timeout) from None
        if isinstance(problem.reason, OSError):
            raise Unreachable.because(place, problem.reason) from None
        raise Unreachable(place, str(problem.reason)) from None
    except OSError as problem:
        raise Unreachable.because(place, problem) from None
    except (HTTPException, ValueError) as problem:
        raise Unreachable(place, f"not an HTTP exchange ({problem or type(problem).__name__})") from None
