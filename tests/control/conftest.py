from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests

from uhlive_mock import MockServer


class Control:
    """A caller of the control API that insists on a status, and on JSON."""

    def __init__(self, url: str, **headers: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers.update(headers)

    def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        **query: object,
    ) -> Any:
        """Call `/_mock/` and `path`; the JSON that came, or the bytes of anything else."""
        url = f"{self.url}/_mock/{path}"
        answer = self.session.request(method, url, json=body, params=query, headers=headers, timeout=10)
        assert answer.status_code == status, answer.text
        is_json = answer.headers.get("content-type") == "application/json"
        return answer.json() if is_json else answer.content

    def refused(self, status: int, method: str, path: str, body: object = None, **query: object) -> str:
        """Call what is refused with a status; why."""
        error: str = self(method, path, body, status=status, **query)["error"]
        return error

    def space(self, **options: object) -> str:
        """A new space; its path."""
        return f"spaces/{quote(self('POST', 'spaces', options, status=201)['space'], safe='')}"


@pytest.fixture(scope="session")
def control(server: MockServer) -> Iterator[Control]:
    """The control API of the server."""
    control = Control(str(server.urls["http_url"]))
    with control.session:
        yield control
