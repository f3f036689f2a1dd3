"""One POST, blocking, with the standard library: how the token request reaches the server."""

from __future__ import annotations

import ssl
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from .errors import Timeout, Unreachable
from .settings import Settings
from .token import Token, TokenRequest, token_from_response, token_request

_ANSWER_LIMIT = 1_000_000


def fetch_token(settings: Settings, *, timeout: float = 10.0) -> Token:
    """Ask the authentication server for a token. `timeout` is in seconds, for each step of the exchange.

    Raises:
        AuthenticationError: it refused, or answered without a token.
        ConfigurationError: the settings say too little to ask.
        Timeout: it did not answer in time.
        Unreachable: nobody answered, or a certificate is not trusted.
    """
    request = token_request(settings.grant(), auth_server=settings.auth_server, realm=settings.realm)
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
