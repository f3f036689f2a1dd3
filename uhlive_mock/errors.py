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

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


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


@contextmanager
def os_errors_as(what: str) -> Iterator[None]:
    """Let an error of the operating system be one of ours, whose message begins with `what`.

    Raises:
        ConfigurationError: there was one.
    """
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"{what}: {error.strerror or error}") from None


class WaitTimeout(UhliveMockError, TimeoutError):
    """What a test waited for did not happen in time."""


class FrameError(UhliveMockError):
    """Bytes that are not a Phoenix message of the socket's framing."""


class InternalError(UhliveMockError):
    """A defect in `uhlive_mock` itself."""


# --- the words that messages share --------------------------------------------------------------------------

LONGEST_EXCERPT = 40
"""How many characters of the document a message quotes at most."""


def excerpt(text: str) -> str:
    """`text` quoted as Python would, cut when it is long."""
    return repr(text if len(text) <= LONGEST_EXCERPT else text[: LONGEST_EXCERPT - 1] + "…")


def either(names: Iterable[str]) -> str:
    """`'at', 'after' or 'when'`."""
    quoted = [repr(name) for name in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def unknown(kind: str, found: str, known: Iterable[str]) -> str:
    """`unknown key 'sey'; did you mean 'say'?`, or the names there are when none is close."""
    from difflib import get_close_matches  # only a mistake needs it

    known = [str(name) for name in known]  # an enum's members are text, but their repr is not
    close = get_close_matches(found.lower(), known, n=1)
    remedy = f"did you mean {close[0]!r}?" if close else f"expected {either(known)}"
    return f"unknown {kind} {excerpt(found)}; {remedy}"
