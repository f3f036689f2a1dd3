"""What of a client's message may be written down: no secrets, and not more than is worth reading.

Two rules find secrets. The value of a key that names one (`_NAMES_OF_SECRETS`, however it is written:
`clientSecret`, `client-secret`) becomes `***`, whatever it is. So does everything in a text, or a key, that looks
like a JSON Web Token: base64 of `{"`, which reads `eyJ`, up to a dot and beyond.

One budget bounds size: `MAX_CHARS` characters, in which every value counts one, and `MAX_DEPTH` levels. What is
beyond is left out, and a mark that starts with `…` says how much. Every step is linear in what it keeps.
"""

from __future__ import annotations

import re
from collections.abc import Collection

MASK = "***"
"""What stands in the place of a secret."""

MAX_CHARS = 8192
"""How much is kept of one message: characters of keys and texts, and one for each value."""

MAX_DEPTH = 32
"""How many levels are kept. An SDK's messages have three."""

CUT = "…"
"""What the mark of something left out begins with."""

_NAMES_OF_SECRETS = frozenset(
    {
        "accesstoken",
        "apikey",
        "apisecret",
        "apitoken",
        "auth",
        "authorization",
        "authtoken",
        "bearer",
        "clientassertion",
        "clientsecret",
        "credentials",
        "idtoken",
        "jwt",
        "passphrase",
        "passwd",
        "password",
        "refreshtoken",
        "secret",
        "secretkey",
        "token",
    }
)
_SEPARATORS = str.maketrans("", "", "_- .")
_LONGEST_NAME = 2 * max(map(len, _NAMES_OF_SECRETS))
_RUN = re.compile(r"[A-Za-z0-9_.-]{20,}")
_SHORTEST_HEADER = 16
"""The shortest header there is, `{"alg":"none"}`, is 19 characters of base64."""


def mask_tokens(text: str) -> str:
    """The text with `***` for everything in it that looks like a JSON Web Token."""
    return _RUN.sub(_mask_run, text) if "eyJ" in text else text


def _mask_run(match: re.Match[str]) -> str:
    run = match[0]
    before = 0
    *parts, _ = run.split(".")
    for part in parts:
        at = part.find("eyJ")
        if at >= 0 and len(part) - at >= _SHORTEST_HEADER:
            return run[: before + at] + MASK
        before += len(part) + 1
    return run


def _names_secret(key: str) -> bool:
    return len(key) <= _LONGEST_NAME and key.lower().translate(_SEPARATORS) in _NAMES_OF_SECRETS


class Redactor:
    """Takes the secrets out of the values of one message, and cuts them to a budget they share.

    `secrets` are texts that are known to be some, wherever they stand.

    `masked` tells whether there was a token in any text, `cut` whether anything was left out.
    """

    def __init__(self, budget: float = MAX_CHARS, secrets: Collection[str] = ()) -> None:
        self.masked = False
        self.cut = False
        self._left = budget
        self._secrets = secrets

    def clean(self, value: object, depth: int = MAX_DEPTH) -> object:
        """A JSON value as it may be written down; the value itself stays as it is."""
        self._left -= 1
        if isinstance(value, str):
            return self.text(value)
        if value is None:
            return None
        if isinstance(value, dict):
            return self._mapping(value, depth) if depth else self._mark("deeper levels")
        if isinstance(value, list | tuple):
            return self._items(value, depth) if depth else self._mark("deeper levels")
        return value

    def text(self, text: str) -> str:
        """A text as it may be written down."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
                self.masked = True
        if len(text) <= self._left and "eyJ" not in text:
            self._left -= len(text)
            return text
        mark = ""
        if len(text) > self._left:
            kept = max(0, int(self._left))
            mark = self._mark(f"{len(text) - kept} characters")
            text = text[:kept]
        self._left -= len(text)
        clean = mask_tokens(text)
        self.masked |= clean != text
        return clean + mark

    def _mapping(self, mapping: dict[object, object], depth: int) -> dict[object, object]:
        clean: dict[object, object] = {}
        for place, (key, value) in enumerate(mapping.items()):
            if self._left <= 0:
                clean[CUT] = self._mark(f"{len(mapping) - place} keys")
                break
            name = self.text(str(key))
            clean[name] = MASK if _names_secret(name) else self.clean(value, depth - 1)
        return clean

    def _items(self, items: list[object] | tuple[object, ...], depth: int) -> list[object]:
        clean: list[object] = []
        for place, item in enumerate(items):
            if self._left <= 0:
                clean.append(self._mark(f"{len(items) - place} items"))
                break
            clean.append(self.clean(item, depth - 1))
        return clean

    def _mark(self, what: str) -> str:
        self.cut = True
        return f"{CUT} ({what} left out)"
