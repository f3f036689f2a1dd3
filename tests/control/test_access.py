"""Who may use the control API."""

from __future__ import annotations

import logging
import socket

import pytest
import requests

from uhlive_mock import ConfigurationError, MockServer

TOKEN = "only-for-tests"


@pytest.fixture(scope="module")
def guarded():
    """A server with a control token."""
    with MockServer(control_token=TOKEN, tls_port=None) as server:
        yield f"{server.urls['http_url']}/_mock"


def status(url, **headers) -> int:
    return requests.get(url, headers=headers, timeout=5).status_code


@pytest.mark.parametrize("path", ["health", "openapi.json", "spaces", "nothing/here"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Host": "127.0.0.1.example:8080"},
        {"Origin": "https://page.example"},
        {"Origin": "http://127.0.0.1.example"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
    ],
)
def test_without_a_token_no_other_name_and_no_page_of_another_site_may_call(server, path, headers):
    answer = requests.get(f"{server.urls['http_url']}/_mock/{path}", headers=headers, timeout=5)
    assert answer.status_code == 403
    assert next(iter(headers.values())) in answer.json()["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost"},
        {"Host": "LOCALHOST:1"},
        {"Host": "[::1]:8443"},
        {"Host": "127.8.9.10"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "https://[::1]:3000"},
    ],
)
def test_a_loopback_name_and_a_loopback_page_may_call(server, headers):
    assert status(f"{server.urls['http_url']}/_mock/health", **headers) == 200


def test_it_answers_over_tls_as_well(server):
    answer = requests.get(f"{server.urls['https_url']}/_mock/spaces", verify=str(server.urls["ca_file"]), timeout=5)
    assert answer.status_code == 200


def test_another_machine_may_not_call_whatever_name_it_uses():
    address = _address_of_this_machine()
    with MockServer(host="0.0.0.0", tls_port=None) as server:
        port = str(server.urls["http_url"]).rpartition(":")[2]
        answer = requests.get(f"http://{address}:{port}/_mock/health", headers={"Host": "localhost"}, timeout=5)
    assert answer.status_code == 403
    assert "loopback callers only" in answer.json()["error"]


def _address_of_this_machine() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks which address would be used
        except OSError:
            pytest.skip("this machine has no address but the loopback")
        return str(probe.getsockname()[0])


@pytest.mark.parametrize("path", ["health", "openapi.json", "spaces", "nothing/here"])
@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer é"]
)
def test_with_a_token_nobody_may_call_without_it(guarded, path, authorization):
    headers = {} if authorization is None else {"Authorization": authorization.encode()}
    answer = requests.get(f"{guarded}/{path}", headers=headers, timeout=5)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.text


@pytest.mark.parametrize(
    "more",
    [{}, {"Host": "mock.example"}, {"Origin": "https://page.example"}, {"Authorization": f"bearer  {TOKEN}"}],
)
def test_with_the_token_anybody_may_call(guarded, more):
    assert status(f"{guarded}/spaces", **{"Authorization": f"Bearer {TOKEN}", **more}) == 200


def test_the_document_says_whether_a_token_is_needed(guarded, control):
    document = requests.get(
        f"{guarded}/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=5
    ).json()
    assert document["security"] == [{"controlToken": []}]
    assert document["components"]["securitySchemes"]["controlToken"] == {"type": "http", "scheme": "bearer"}
    assert "security" not in control("GET", "openapi.json")


@pytest.mark.parametrize("token", ["", "two words", "é", "new\nline"])
def test_a_token_that_no_header_can_carry_is_refused_before_the_server_starts(token):
    with pytest.raises(ConfigurationError, match="visible ASCII"):
        MockServer(control_token=token)


def test_no_token_reaches_the_log(caplog):
    with caplog.at_level(logging.DEBUG), MockServer(control_token=TOKEN, tls_port=None) as server:
        url = f"{server.urls['http_url']}/_mock/spaces"
        assert status(url, Authorization=f"Bearer {TOKEN}") == 200
        assert status(url, Authorization="Bearer guessed-wrong") == 401
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("urllib3")]
    assert not [line for line in ours if TOKEN in line or "guessed-wrong" in line]
