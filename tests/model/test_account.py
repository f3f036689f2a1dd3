from __future__ import annotations

import io

import pytest
from rich.console import Console

from uhlive_mock.errors import ConfigurationError
from uhlive_mock.model.account import REALM_SCOPES, Account, User, Vocabulary

SECRET = "open sesame"
PASSWORD = "correct horse"


def test_an_account_speaks_the_universal_vocabulary_unless_told_otherwise():
    assert Account(client_id="acme", client_secret=SECRET).vocabulary is Vocabulary.UNIVERSAL


def test_an_account_may_ask_for_every_scope_of_the_realm():
    account = Account(client_id="acme", client_secret=SECRET)
    assert account.allowed_scopes == REALM_SCOPES
    assert {"openid", "stream-h2h", "stream-h2h-v2"} <= set(account.allowed_scopes)


def test_an_account_can_read_and_write():
    assert Account(client_id="acme", client_secret=SECRET).roles == ("read", "write")


@pytest.mark.parametrize("render", [repr, str, "{}".format, "{!r}".format])
def test_secrets_are_never_shown(render):
    account = Account(client_id="acme", client_secret=SECRET, users=(User(username="Alice", password=PASSWORD),))
    shown = render(account)
    assert SECRET not in shown
    assert PASSWORD not in shown
    assert "client_id='acme'" in shown
    assert "username='Alice'" in shown
    assert shown.count("'***'") == 2


def test_secrets_are_not_shown_by_rich_either():
    out = io.StringIO()
    account = Account(client_id="acme", client_secret=SECRET, users=(User(username="Alice", password=PASSWORD),))
    Console(file=out, width=200).print(account)
    assert "acme" in out.getvalue()
    assert SECRET not in out.getvalue()
    assert PASSWORD not in out.getvalue()


def test_a_public_account_needs_no_secret():
    assert Account(client_id="acme", public=True).client_secret == ""


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Account(client_id="", client_secret=SECRET), "client id is empty"),
        (lambda: Account(client_id="acme"), "secret of 'acme' is empty"),
        (lambda: Account(client_id="acme", client_secret=""), "or a public account"),
        (lambda: User(username="", password=PASSWORD), "username is empty"),
        (lambda: User(username="Alice", password=""), "password of 'Alice' is empty"),
        (
            lambda: Account(client_id="acme", public=True, users=(User(username="Bob", password="1"),) * 2),
            "user 'Bob' twice",
        ),
        (
            lambda: Account(client_id="acme", client_secret=SECRET, default_scope="profile moon"),
            r"\['moon'\], which it is not allowed",
        ),
    ],
)
def test_nonsense_is_refused_when_built(build, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        build()
    assert SECRET not in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_users_are_found_by_their_exact_name():
    alice, bob = User(username="Alice", password="1"), User(username="Bob", password="2")
    account = Account(client_id="acme", public=True, users=(alice, bob))
    assert account.user("Bob") is bob
    assert account.user("bob") is None


def test_accounts_are_values():
    one, two = (Account(client_id="acme", client_secret=SECRET) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    with pytest.raises(AttributeError):
        one.client_id = "other"
