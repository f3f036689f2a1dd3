"""What a space is made of, checked when it is written down."""

from __future__ import annotations

import math

import msgspec
import pytest

from uhlive_mock.errors import ConfigurationError
from uhlive_mock.model.account import Account
from uhlive_mock.model.behaviour import Behaviour
from uhlive_mock.model.limits import Limits
from uhlive_mock.model.settings import Drive, SpaceSettings

ACME = Account(client_id="acme", client_secret="s")
BOB = Account(client_id="bob", client_secret="t")


def test_an_account_is_enough():
    settings = SpaceSettings(accounts=(ACME, BOB))
    assert settings == SpaceSettings(
        accounts=(ACME, BOB),
        scenarios=(),
        clock=Drive.REAL,
        rate=1.0,
        seed=0,
        behaviour=Behaviour(),
        limits=Limits(),
        name="acme",
    )
    assert settings.account is ACME


def test_a_space_has_an_account():
    with pytest.raises(ConfigurationError, match="the space has no account; expected at least one"):
        SpaceSettings(accounts=())


def test_a_client_is_given_once():
    with pytest.raises(ConfigurationError, match="client 'acme' is given twice"):
        SpaceSettings(accounts=(ACME, BOB, ACME))


def test_a_clock_is_one_of_three():
    with pytest.raises(ConfigurationError, match="clock is 'lunar'; expected real or audio or manual"):
        SpaceSettings(accounts=(ACME,), clock="lunar")


@pytest.mark.parametrize("rate", [0, -1, math.inf, math.nan])
def test_a_rate_is_more_than_0_and_finite(rate):
    with pytest.raises(ConfigurationError, match="expected more than 0"):
        SpaceSettings(accounts=(ACME,), rate=rate)


@pytest.mark.parametrize("drive", [Drive.AUDIO, Drive.MANUAL])
def test_a_rate_is_for_the_real_clock(drive):
    with pytest.raises(ConfigurationError, match="rate is for the real clock"):
        SpaceSettings(accounts=(ACME,), clock=drive, rate=2.0)


def test_a_changed_copy_is_checked_too():
    settings = SpaceSettings(accounts=(ACME,), rate=2.0)
    assert msgspec.structs.replace(settings, seed=7).seed == 7
    with pytest.raises(ConfigurationError, match="rate is for the real clock"):
        msgspec.structs.replace(settings, clock=Drive.MANUAL)
