"""The official SDK pointed at a space, and back."""

from __future__ import annotations

import os
import ssl
import sys
from types import ModuleType

import pytest
import uhlive.auth
import uhlive.stream.conversation
import uhlive.stream.recognition

from uhlive_mock.errors import ConfigurationError
from uhlive_mock.testing import sdk as pointing
from uhlive_mock.testing.sdk import pointed_at

GENERATION = 2 if hasattr(uhlive.stream.conversation, "EntityRecognized") else 1
VOCABULARY = {1: "legacy", 2: "universal"}[GENERATION]


@pytest.fixture
def space(server):
    with server.space() as space:
        yield space


def where_it_goes():
    url, _ = uhlive.auth.build_authentication_request("acme", "secret")
    return url, uhlive.stream.conversation.build_conversation_url("token"), uhlive.stream.recognition.SERVER


def test_an_imported_sdk_talks_to_the_space_and_afterwards_where_it_did_before(space):
    before = where_it_goes()
    with pointed_at(space) as sdk:
        assert where_it_goes() == (
            space.token_url,
            f"{space.wss_url}/socket/websocket?jwt=token&vsn=2.0.0",
            space.wss_url,
        )
        assert (sdk.token_url, sdk.conversation_url("token")) == where_it_goes()[:2]
    assert where_it_goes() == before
    assert "id.uh.live" in before[0]


def test_the_environment_is_set_and_afterwards_as_it_was(space, monkeypatch):
    monkeypatch.setenv("UHLIVE_API_CLIENT", "before")
    monkeypatch.setenv("NO_PROXY", "example.org")
    before = dict(os.environ)
    with pointed_at(space) as sdk:
        assert os.environ.items() >= space.env.items()
        assert os.environ["NO_PROXY"] == "example.org,127.0.0.1,localhost,::1"
        assert os.environ.items() >= sdk.env.items()
    assert dict(os.environ) == before


def test_it_is_undone_when_the_test_fails(space):
    before = where_it_goes()
    with pytest.raises(ZeroDivisionError), pointed_at(space):
        1 / 0  # noqa: B018
    assert where_it_goes() == before
    assert "UHLIVE_API_URL" not in os.environ


def test_copies_that_a_program_has_made_are_turned_as_well(space, monkeypatch):
    program = ModuleType("program")
    program.SERVER = uhlive.auth.SERVER
    program.REALM = "another"
    monkeypatch.setitem(sys.modules, "program", program)
    with pointed_at(space):
        assert program.SERVER == uhlive.auth.SERVER
        assert program.REALM == "another"
    assert program.SERVER == "id.uh.live"


def test_modules_that_are_none_are_passed_over(space, monkeypatch):
    class Pretender:
        __class__ = ModuleType
        __slots__ = ()

    monkeypatch.setitem(sys.modules, "pretender", Pretender())
    monkeypatch.setitem(sys.modules, "nothing", None)
    with pointed_at(space):
        pass


def test_what_a_test_wants_to_know_is_there(space):
    with pointed_at(space) as sdk:
        assert (sdk.client_id, sdk.client_secret) == (space.client_id, space.client_secret)
        assert sdk.space is space
        assert sdk.version.startswith(f"{GENERATION}.")
        assert sdk.generation == GENERATION
        assert sdk.token().count(".") == 2
        assert sdk.token() in sdk.conversation_url(sdk.token()) or "jwt=" in sdk.conversation_url()


def test_an_sdk_that_does_not_follow_is_found_out(space, monkeypatch):
    monkeypatch.setattr(
        uhlive.auth, "build_authentication_request", lambda *_: ("https://elsewhere.example/token", {})
    )
    with pytest.raises(ConfigurationError) as found, pointed_at(space):
        pass
    assert "was pointed at the mock but would ask for its token at https://elsewhere.example/token" in str(
        found.value
    )
    assert f"expected {space.token_url}" in str(found.value)
    assert "UHLIVE_API_URL" not in os.environ


def test_a_socket_that_would_go_elsewhere_is_found_out_and_its_token_not_told(space, monkeypatch):
    monkeypatch.setattr(
        uhlive.stream.conversation, "build_conversation_url", lambda token: f"wss://elsewhere.example/?jwt={token}"
    )
    with pytest.raises(ConfigurationError, match=r"open its socket at wss://elsewhere.example/; expected"):
        with pointed_at(space):
            pass


def test_without_the_sdk_it_says_what_to_install(space, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "uhlive"]:
        monkeypatch.setitem(sys.modules, name, None)

    class Missing:
        def find_spec(self, name, path=None, target=None):
            if name == "uhlive":
                raise ModuleNotFoundError("No module named 'uhlive'", name="uhlive")

    monkeypatch.delitem(sys.modules, "uhlive")
    monkeypatch.delitem(sys.modules, "uhlive.auth")
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(ConfigurationError, match="the official SDK is not installed; pip install uhlive"):
        with pointed_at(space):
            pass


def test_a_package_of_that_name_that_is_no_sdk_is_told_apart(space, monkeypatch):
    monkeypatch.setitem(sys.modules, "uhlive.stream.recognition", None)
    with pytest.raises(ConfigurationError, match=r"this is no SDK we know, uhlive \d"):
        with pointed_at(space):
            pass


# --- what aiohttp trusts --------------------------------------------------------------------------------------


@pytest.fixture
def connector(monkeypatch):
    """A stand-in for the module of aiohttp that keeps what it trusts."""
    module = ModuleType("aiohttp.connector")
    module._SSL_CONTEXT_VERIFIED = ssl.create_default_context()
    monkeypatch.setitem(sys.modules, "aiohttp.connector", module)
    return module


def trusts_the_mock(context):
    return any(
        ("organizationName", "uhlive-mock") in part for ca in context.get_ca_certs() for part in ca["issuer"]
    )


def test_aiohttp_trusts_the_mock_and_afterwards_what_it_did_before(space, connector):
    before = connector._SSL_CONTEXT_VERIFIED
    with pointed_at(space):
        assert trusts_the_mock(connector._SSL_CONTEXT_VERIFIED)
    assert connector._SSL_CONTEXT_VERIFIED is before


def test_aiohttp_imported_during_the_test_forgets_the_mock(space, connector, monkeypatch):
    monkeypatch.delitem(sys.modules, "aiohttp.connector")
    with pointed_at(space) as sdk:
        connector._SSL_CONTEXT_VERIFIED = ssl.create_default_context(cafile=sdk.env["SSL_CERT_FILE"])
        monkeypatch.setitem(sys.modules, "aiohttp.connector", connector)
    assert not trusts_the_mock(connector._SSL_CONTEXT_VERIFIED)


def test_an_aiohttp_that_keeps_it_elsewhere_is_left_alone(space, connector):
    del connector._SSL_CONTEXT_VERIFIED
    with pointed_at(space):
        assert not hasattr(connector, "_SSL_CONTEXT_VERIFIED")


# --- in a run -------------------------------------------------------------------------------------------------


def test_a_real_login_and_a_real_socket_of_the_usual_libraries_work(run):
    result = run("""
        import json
        import urllib.parse
        import urllib.request
        import requests
        import websocket
        from uhlive.auth import build_authentication_request
        from uhlive.stream.conversation import build_conversation_url
        from websockets.sync.client import connect

        def test_requests_and_websocket_client(uhlive_sdk):
            url, form = build_authentication_request(uhlive_sdk.client_id, uhlive_sdk.client_secret)
            token = requests.post(url, data=form).json()["access_token"]
            websocket.create_connection(build_conversation_url(token)).close()

        def test_urllib_and_websockets(uhlive_sdk):
            url, form = build_authentication_request(uhlive_sdk.client_id, uhlive_sdk.client_secret)
            with urllib.request.urlopen(url, urllib.parse.urlencode(form).encode()) as login:
                token = json.load(login)["access_token"]
            with connect(build_conversation_url(token)):
                pass
        """)
    result.assert_outcomes(passed=2)


def test_so_do_those_of_aiohttp_whenever_it_is_imported(pytester):
    pytester.makepyfile("""
        import asyncio
        import sys
        import pytest
        from uhlive.auth import build_authentication_request
        from uhlive.stream.conversation import build_conversation_url

        async def converse(sdk):
            import aiohttp

            url, form = build_authentication_request(sdk.client_id, sdk.client_secret)
            async with aiohttp.ClientSession() as session:
                async with session.post(url, data=form) as login:
                    token = (await login.json())["access_token"]
                async with session.ws_connect(build_conversation_url(token)):
                    pass

        @pytest.mark.parametrize("imported", [False, True])
        def test_it(uhlive_sdk, imported):
            assert ("aiohttp" in sys.modules) is imported
            asyncio.run(converse(uhlive_sdk))
        """)
    # In a process of its own: aiohttp leaves TLS connections to the garbage collector.
    result = pytester.runpytest_subprocess("-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:anyio")
    result.assert_outcomes(passed=2)


def test_its_vocabulary_is_that_of_the_installed_sdk_unless_said_otherwise(run):
    result = run(f"""
        import pytest

        def of(space):
            [account] = space._portal.space.accounts.values()
            return account.vocabulary

        def test_default(uhlive_sdk, uhlive_mock):
            assert of(uhlive_mock) == {VOCABULARY!r}

        @pytest.fixture
        def client(uhlive_sdk):
            return uhlive_sdk

        def test_through_a_fixture(uhlive_mock, client):
            assert of(uhlive_mock) == {VOCABULARY!r}

        @pytest.mark.uhlive_mock(vocabulary="legacy")
        def test_legacy(uhlive_sdk, uhlive_mock):
            assert of(uhlive_mock) == "legacy"

        def test_without_it(uhlive_mock):
            assert of(uhlive_mock) == "universal"
        """)
    result.assert_outcomes(passed=4)


def test_an_sdk_that_is_asked_for_too_late_says_so_if_that_matters(run):
    result = run("""
        import pytest

        def test_too_late(uhlive_mock, request):
            request.getfixturevalue("uhlive_sdk")

        @pytest.mark.uhlive_mock(vocabulary="legacy")
        def test_said(uhlive_mock, request):
            request.getfixturevalue("uhlive_sdk")
        """)
    if VOCABULARY == "universal":
        result.assert_outcomes(passed=2)
    else:
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(
            ["*_ test_too_late _*", "uhlive_sdk: it was asked for after the space was made, whose*"]
        )


def test_what_aiohttp_trusts_is_read_once_for_a_server(space, connector):
    pointing._trusting.cache_clear()
    for _ in range(2):
        with pointed_at(space):
            pass
    assert pointing._trusting.cache_info().misses == 1
