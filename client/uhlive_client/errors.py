"""Every error this package raises on purpose.

    UhliveClientError
    ├── UsageError             the caller asked for what the conversation, or its state, does not allow
    ├── ConfigurationError     a setting is missing or cannot be used
    ├── AudioError             a file holds no audio that can be read
    ├── AuthenticationError    the authentication server gave no token
    ├── Unreachable            nothing answered: no such host, port closed, untrusted certificate
    ├── HandshakeRefused       the service refused the socket
    ├── JoinRefused            the service refused the conversation
    ├── ChannelCrashed         the service's side of the conversation died
    ├── ConnectionLost         the socket closed before the conversation was over
    ├── WireError              a frame is not a Phoenix message of this framing, or cannot become one
    └── Timeout                an answer did not come in time; also a `TimeoutError`

No message ever holds a secret, a token or an address with a token in it.
"""

from __future__ import annotations

from typing import Self


class UhliveClientError(Exception):
    """Base of every error raised on purpose by `uhlive_client`."""


class UsageError(UhliveClientError):
    """A verb used in a state, or with a value, that does not allow it: a defect of the calling program."""


class ConfigurationError(UhliveClientError):
    """A setting that is missing or cannot be used."""


class AudioError(UhliveClientError):
    """A file that is missing, unreadable, or holds no sound."""


class AuthenticationError(UhliveClientError):
    """The authentication server answered without a token.

    Args:
        status: the HTTP status.
        error: the OAuth error code, such as `unauthorized_client`; empty when the answer has none.
        description: the server's own sentence; empty when the answer has none.
    """

    def __init__(self, status: int, error: str = "", description: str = "") -> None:
        self.status = status
        self.error = error
        self.description = description
        said = ": ".join(part for part in (error, description) if part) or "no reason given"
        super().__init__(f"no token: the authentication server answered {status}, {said}")


class Unreachable(UhliveClientError):
    """Nothing answered at `place`, a host or an address without its query.

    Args:
        place: where the client tried to connect.
        problem: what the operating system or TLS said.
    """

    def __init__(self, place: str, problem: str) -> None:
        self.place = place
        self.problem = problem
        super().__init__(f"cannot reach {place}: {problem}")

    @classmethod
    def because(cls, place: str, problem: OSError) -> Self:
        """The same, in the words of the error of a socket; of TLS, when a certificate is not trusted."""
        untrusted = getattr(problem, "verify_message", "")
        said = f"its certificate is not trusted, {untrusted}" if untrusted else problem.strerror or str(problem)
        return cls(place, said)


class HandshakeRefused(UhliveClientError):
    """The service answered the WebSocket handshake without upgrading.

    Args:
        status: the HTTP status; `None` when the answer was not that of a WebSocket server.
        problem: what was wrong with the answer, when it has no status.
    """

    def __init__(self, status: int | None, problem: str = "") -> None:
        self.status = status
        self.problem = problem
        if status is None:
            said = problem
        elif status in (401, 403):
            # I: Phoenix refuses a bad token and a bad `vsn` alike, with 403 and no text.
            said = f"HTTP {status}; the token is missing, expired or not for this service"
        else:
            said = f"HTTP {status}; expected 101"
        super().__init__(f"the service refused the socket: {said}")


class JoinRefused(UhliveClientError):
    """The service refused the join.

    Args:
        reason: the service's own text, or what came in its place.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the service refused the conversation: {reason}")


class ChannelCrashed(UhliveClientError):
    """The service's side of the conversation died (`phx_error`); nothing more will come.

    Args:
        reason: the server's text, such as `channel_crash`; empty when it gave none.
    """

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        super().__init__("the conversation crashed on the service's side" + (f": {reason}" if reason else ""))


class ConnectionLost(UhliveClientError):
    """The socket closed before the conversation was over; a part of the transcript may be lost.

    Args:
        code: the WebSocket close code the service sent; `None` when it sent none.
        reason: the text that came with it, or ours when the peer went silent.
    """

    def __init__(self, code: int | None, reason: str = "") -> None:
        self.code = code
        self.reason = reason
        how = "without a close code" if code is None else f"with code {code}"
        super().__init__(f"the connection was lost {how}" + (f": {reason}" if reason else ""))


class WireError(UhliveClientError):
    """Something that is not a Phoenix message.

    Args:
        found: what it is.
        expected: what it should have been.
    """

    def __init__(self, found: str, expected: str) -> None:
        self.found = found
        self.expected = expected
        super().__init__(f"found {found}; expected {expected}")


class Timeout(UhliveClientError, TimeoutError):
    """An answer that did not come in time.

    Args:
        awaited: what was waited for.
        seconds: for how long.
    """

    def __init__(self, awaited: str, seconds: float) -> None:
        self.awaited = awaited
        self.seconds = seconds
        super().__init__(f"no {awaited} within {seconds:g} s")
