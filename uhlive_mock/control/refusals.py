"""What a caller reads when an operation is refused."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from msgspec import UNSET, UnsetType

from ..errors import UhliveMockError


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an operation was refused: one sentence, and what was found and expected where that says more."""

    error: str
    found: object = UNSET
    expected: str | UnsetType = UNSET


class Refused(Exception):
    """An operation that is answered with a refusal.

    Args:
        status: the HTTP status.
        error: what is wrong, in one sentence.
        found: the JSON value found, when it says more than the sentence.
        expected: what was expected instead.
        headers: to go with the answer.
    """

    def __init__(
        self,
        status: HTTPStatus,
        error: str,
        *,
        found: object = UNSET,
        expected: str | UnsetType = UNSET,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.headers = headers or {}
        self.refusal = Refusal(error=error, found=found, expected=expected)


def unusable(error: UhliveMockError) -> Refused:
    """The answer to what is well-formed and still cannot be used; the message goes through as it is."""
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
