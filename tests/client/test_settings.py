"""Settings, from arguments and from an environment given as an argument; and the delays of reconnecting."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given, settings as examples, strategies as st
from uhlive_client.errors import ConfigurationError
from uhlive_client.settings import Reconnect, Settings
from uhlive_client.token import ClientCredentials, Password
from uhlive_client.wire import Framing

WHO = {"client_id": "acme", "client_secret": "acme-secret"}
ACME = {"UHLIVE_API_CLIENT": "acme", "UHLIVE_API_SECRET": "s3cret"}


def test_defaults_are_the_real_service():
    found = Settings.read(environ=ACME)
    assert (found.auth_server, found.realm, found.url) == ("id.uh.live", "uhlive", "wss://api.uh.live")
    assert found.grant() == ClientCredentials(client_id="acme", client_secret="s3cret")


def test_the_environment_says_all():
    found = Settings.read(
        environ=ACME
        | {
            "UHLIVE_API_USER": "alice",
            "UHLIVE_API_PASSWORD": "pa55",
            "UHLIVE_AUTH_SERVER": "localhost:8443",
            "UHLIVE_AUTH_REALM": "acme",
            "UHLIVE_API_URL": "ws://localhost:8080",
        }
    )
    assert found == Settings(
        client_id="acme",
        client_secret="s3cret",
        user="alice",
        password="pa55",
        auth_server="localhost:8443",
        realm="acme",
        url="ws://localhost:8080",
    )
    assert isinstance(found.grant(), Password)


def test_arguments_win_and_empty_counts_as_missing():
    found = Settings.read(client_id="bob", client_secret="", realm="", environ=ACME)
    assert (found.client_id, found.client_secret, found.realm) == ("bob", "s3cret", "uhlive")


def test_the_environment_is_read_when_asked(monkeypatch):
    monkeypatch.setenv("UHLIVE_API_CLIENT", "late")
    assert Settings.read().client_id == "late"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"UHLIVE_API_CLIENT": ""}, "UHLIVE_API_CLIENT"),
        ({"UHLIVE_API_URL": "https://api.uh.live"}, "expected one like wss://api.uh.live"),
        ({"UHLIVE_API_URL": "api.uh.live"}, "expected one like wss://api.uh.live"),
        ({"SSL_CERT_FILE": "/nowhere/ca.pem"}, "no such certificate file"),
    ],
)
def test_what_cannot_be_used(changes, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        Settings.read(environ=ACME | changes)


def test_a_secret_is_needed_only_to_ask_for_a_token():
    found = Settings.read(environ={"UHLIVE_API_CLIENT": "acme"})
    with pytest.raises(ConfigurationError, match="UHLIVE_API_SECRET"):
        found.grant()


@pytest.mark.parametrize(
    ("framing", "query"), [(Framing.VSN2, "jwt=a.b-c_d&vsn=2.0.0"), (Framing.VSN1, "token=a.b-c_d&vsn=1.0.0")]
)
def test_the_address_of_the_socket(framing, query):
    found = Settings(client_id="acme")
    assert found.socket_url("a.b-c_d", framing) == f"wss://api.uh.live/socket/websocket?{query}"


@pytest.mark.parametrize("base", ["ws://h:1", "ws://h:1/", "ws://h:1/base", "ws://h:1/base/"])
def test_the_sdk_goes_to_the_same_address(base, monkeypatch):
    sdk = pytest.importorskip("uhlive.stream.conversation")
    monkeypatch.setattr(sdk, "SERVER", base)
    found = Settings(client_id="acme", url=base)
    assert found.socket_url("t", Framing.VSN2) == sdk.build_conversation_url("t")


def test_whom_to_trust(ca_file, tmp_path):
    other = tmp_path / "other.pem"
    other.write_bytes(ca_file.read_bytes())
    both = ACME | {"SSL_CERT_FILE": str(ca_file), "REQUESTS_CA_BUNDLE": str(other)}
    assert Settings.read(environ=both).ca_file == ca_file
    assert Settings.read(environ=ACME | {"REQUESTS_CA_BUNDLE": str(other)}).ca_file == other
    assert Settings.read(environ=both, ca_file=other).ca_file == other


def test_certificates_are_always_verified(ca_file):
    for trusted in (None, ca_file, ca_file.parent):
        context = Settings(client_id="acme", ca_file=trusted).ssl_context()
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname


def test_a_file_without_certificates(tmp_path):
    path = tmp_path / "ca.pem"
    path.write_text("nothing")
    with pytest.raises(ConfigurationError, match="no certificates in it"):
        Settings(client_id="acme", ca_file=path).ssl_context()


def test_secrets_are_not_in_a_repr():
    shown = repr(Settings(client_id="acme", client_secret="s3cret", user="alice", password="pa55"))
    assert "acme" in shown
    assert "s3cret" not in shown
    assert "pa55" not in shown


# --- addresses that cannot be used ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["wss://[bad", "wss://127.0.0.1:99999", "wss://127.0.0.1:abc", "https://h", "wss://", "h"]
)
def test_what_is_no_address_is_refused_at_once(url):
    with pytest.raises(ConfigurationError, match="expected one like wss://"):
        Settings.read(**WHO, url=url)


@pytest.mark.parametrize("server", ["[bad", "h:abc", "file:///etc/passwd", "http://", "h:99999"])
def test_nor_is_such_a_token_server(server):
    with pytest.raises(ConfigurationError, match="the token server"):
        Settings.read(**WHO, auth_server=server)


@pytest.mark.parametrize("place", [{"url": "wss://bob:hunter2@h"}, {"auth_server": "https://bob:hunter2@h"}])
def test_a_password_in_an_address_is_refused_and_not_told(place):
    with pytest.raises(ConfigurationError) as refused:
        Settings.read(**WHO, **place)
    assert "***@h" in str(refused.value)
    assert "hunter2" not in str(refused.value)


# --- delays -----------------------------------------------------------------------------------------------


def test_delays_double_up_to_the_longest():
    assert list(Reconnect(attempts=5, first_s=1, longest_s=5, jitter=0).delays()) == [1, 2, 4, 5, 5]


def test_the_same_seed_makes_the_same_delays_and_another_makes_others():
    delays = [list(Reconnect(seed=seed).delays()) for seed in (1, 1, 2)]
    assert delays[0] == delays[1] != delays[2]


@given(
    st.builds(
        Reconnect,
        attempts=st.integers(1, 2000),
        first_s=st.floats(0, 10),
        factor=st.floats(1, 10),
        longest_s=st.floats(0, 100),
        jitter=st.floats(0, 1),
        seed=st.integers(),
    )
)
@examples(deadline=None, derandomize=True, max_examples=40)
def test_delays_are_as_many_as_attempts_and_never_too_long(reconnect):
    delays = list(reconnect.delays())
    assert len(delays) == reconnect.attempts
    assert all(0 <= delay <= reconnect.longest_s for delay in delays)


@pytest.mark.parametrize(
    "wrong",
    [{"attempts": 0}, {"first_s": -1}, {"factor": 0.5}, {"longest_s": -1}, {"jitter": 1.1}, {"lasting_s": -1}],
)
def test_delays_that_make_no_sense(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Reconnect(**wrong)
