"""Every error this package raises on purpose.

    UhliveMockError
    ├── ScenarioError         a scenario cannot be used: says where, what was found, what was expected
    ├── ConfigurationError    an option or an argument cannot be used (a port is taken, a secret is empty)
    ├── WaitTimeout           something a test waited for did not happen in time
    ├── FrameError            a peer sent bytes that are not a Phoenix message; the socket answers 1011
    └── InternalError         a defect of ours, never the client's

A peer's mistake becomes an answer of the protocol; the caller's misuse raises.
"""

from __future__ import annotations


class UhliveMockError(Exception):
    """Base of every error raised on purpose by `uhlive_mock`."""


class ScenarioError(UhliveMockError):
    """A scenario that cannot be used.

    Args:
        problem: what was found and what was expected, in one sentence.
        source: the file name, or `<string>` when the text has none.
        line: the 1-based line of the problem, when known.
        path: where in the document, such as `speakers.*[1]`; empty for the document itself.

    `str()` reads `billets.yaml:17: speakers.*[1]: unknown key 'sey'; did you mean 'say'?`.
    """

    def __init__(self, problem: str, *, source: str = "", line: int | None = None, path: str = "") -> None:
        self.problem = problem
        self.source = source
        self.line = line
        self.path = path
        place = ":".join(part for part in (source, str(line) if line else "") if part)
        super().__init__(": ".join(part for part in (place, path, problem) if part))


class ConfigurationError(UhliveMockError):
    """An option or an argument that cannot be used."""


class WaitTimeout(UhliveMockError, TimeoutError):
    """What a test waited for did not happen in time."""


class FrameError(UhliveMockError):
    """Bytes that are not a Phoenix message of the socket's framing."""


class InternalError(UhliveMockError):
    """A defect in `uhlive_mock` itself."""
