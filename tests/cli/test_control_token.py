"""The control token, from the command line or the environment to every caller."""

from __future__ import annotations

import os
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

TOKEN = "only-for-tests"
VARIABLE = "UHLIVE_MOCK_CONTROL_TOKEN"


def health(ready, token=None) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urlopen(Request(f"{ready['http_url']}/_mock/health", headers=headers), timeout=60) as answer:
            return int(answer.status)
    except HTTPError as refusal:
        with refusal:
            return refusal.code


def test_serve_insists_on_the_token_and_env_sends_it(serve, mock):
    served = serve("--control-token", TOKEN, "--no-tls")
    assert health(served.ready) == 401
    assert health(served.ready, TOKEN) == 200
    url = str(served.ready["http_url"])
    refused = mock("env", "--url", url)
    assert refused.returncode != 0
    assert "needs its control token" in refused.stderr
    for given in (["--control-token", TOKEN], []):
        printed = mock("env", "--url", url, *given, env={**os.environ, VARIABLE: TOKEN})
        assert "UHLIVE_API_CLIENT=acme" in printed.stdout, printed.stderr
    code, log = served.stop()
    assert code == 0
    assert TOKEN not in log


def test_the_environment_can_set_it(serve, monkeypatch):
    monkeypatch.setenv(VARIABLE, TOKEN)
    assert health(serve("--no-tls").ready) == 401


def test_an_empty_variable_is_none(serve, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    assert health(serve("--no-tls").ready) == 200


@pytest.mark.parametrize("token", ["", "two words"])
def test_a_token_that_cannot_be_sent_is_refused(mock, token):
    done = mock("serve", "--port", "0", "--no-tls", "--control-token", token)
    assert done.returncode != 0
    assert "the control token cannot be sent in a header" in done.stderr
    assert "Traceback" not in done.stderr
