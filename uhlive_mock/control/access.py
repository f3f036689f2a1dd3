"""Who may use the control API.

What it tells holds the clients' secrets, so by default it is for this machine's own programs: the caller comes
from a loopback address, calls the server by a loopback name, and is no page of another site. A web page that had
its name resolved to this address is kept out by the second, a page that merely knows the address by the third.

With a control token the rule is another: everybody may call, this machine included, who sends the token as
`Authorization: Bearer ...`. It is compared in constant time and never written down.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.requests import Request

from ..errors import ConfigurationError
from .refusals import Refused

_SENDABLE = re.compile(r"[!-~]+")


class Access:
    """Whether a caller may use the control API.

    Args:
        token: what callers must send; None lets in whoever is on this machine.

    Raises:
        ConfigurationError: the token is empty or cannot be sent in a header.
    """

    def __init__(self, token: str | None) -> None:
        if token is not None and not _SENDABLE.fullmatch(token):
            raise ConfigurationError(
                "the control token cannot be sent in a header; expected visible ASCII without spaces"
            )
        self._token = token

    @property
    def needs_token(self) -> bool:
        """Whether callers need the token."""
        return self._token is not None

    def check(self, request: Request) -> None:
        """Let a request pass, or not.

        Raises:
            Refused: 401 without the token, 403 from elsewhere.
        """
        if self._token is not None:
            _check_token(request, self._token)
            return
        if not (request.client and _is_loopback(request.client.host)):
            raise _forbidden("the control API is for loopback callers only, unless a control token is set")
        for host in request.headers.getlist("host"):
            if not _names_loopback(_without_port(host)):
                raise _forbidden(f"the control API was called at {host!r}; expected a loopback address")
        for origin in request.headers.getlist("origin"):
            if not _names_loopback(_host_of(origin)):
                raise _forbidden(f"the control API was called by a page of {origin!r}; expected a loopback origin")


def _check_token(request: Request, token: str) -> None:
    scheme, _, found = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(found.strip().encode(), token.encode()):
        return
    raise Refused(
        HTTPStatus.UNAUTHORIZED,
        "the control API of this server needs its control token",
        expected="Authorization: Bearer CONTROL_TOKEN",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _forbidden(why: str) -> Refused:
    return Refused(HTTPStatus.FORBIDDEN, why)


def _without_port(host: str) -> str:
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


def _names_loopback(host: str) -> bool:
    return host.lower() == "localhost" or _is_loopback(host)


def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback
