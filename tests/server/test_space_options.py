"""What a caller says of a space, and the settings that become of it."""

from __future__ import annotations

import pytest

from uhlive_mock import (
    Account,
    Behaviour,
    ConfigurationError,
    Drive,
    Limits,
    Scenario,
    SpaceSettings,
    Vocabulary,
    scenario,
)
from uhlive_mock.scenarios import builtin_scenario
from uhlive_mock.server.space_options import SpaceOptions, scenarios_from, settings_from

CALL = scenario("call").build()


def test_nothing_said_is_an_account_that_is_drawn_and_the_built_in_call():
    settings, other = settings_from({}), settings_from({})
    [account] = settings.accounts
    assert account.client_id.startswith("client-")
    assert account != other.account
    assert settings == SpaceSettings(accounts=(account,), scenarios=(builtin_scenario(),), name=account.client_id)


def test_names_stand_for_values():
    settings = settings_from(
        {"client_id": "acme", "client_secret": "s", "vocabulary": "legacy", "clock": "audio", "scenario": CALL}
    )
    account = Account(client_id="acme", client_secret="s", vocabulary=Vocabulary.LEGACY)
    assert settings == SpaceSettings(accounts=(account,), scenarios=(CALL,), clock=Drive.AUDIO)


def test_every_field_of_the_settings_can_be_said():
    accounts = [Account(client_id="acme", client_secret="s"), Account(client_id="bob", client_secret="t")]
    behaviour, limits = Behaviour(max_topics=2), Limits()
    settings = settings_from(
        {
            "accounts": accounts,
            "scenario": [CALL],
            "rate": 2.0,
            "seed": 7,
            "behaviour": behaviour,
            "limits": limits,
            "name": "my test",
        }
    )
    assert settings == SpaceSettings(
        accounts=tuple(accounts),
        scenarios=(CALL,),
        rate=2.0,
        seed=7,
        behaviour=behaviour,
        limits=limits,
        name="my test",
    )
    assert set(SpaceSettings.__struct_fields__) - {"scenarios"} <= set(SpaceOptions.__annotations__)


def test_none_says_nothing():
    options = dict.fromkeys(("scenario", "client_id", "client_secret", "accounts", "behaviour", "limits"))
    settings = settings_from(options)
    assert (settings.behaviour, settings.limits, settings.scenarios) == (
        Behaviour(),
        Limits(),
        (builtin_scenario(),),
    )


def test_an_option_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match="Unexpected keyword argument 'tempo'"):
        settings_from({"tempo": 2})


def test_scenarios_are_one_a_path_or_several(tmp_path):
    path = tmp_path / "call.yaml"
    path.write_text("version: 1\nscenario: written\nspeakers: {}\n")
    assert scenarios_from(CALL) == (CALL,)
    assert [each.name for each in scenarios_from(path)] == ["written"]
    assert [each.name for each in scenarios_from([str(path), CALL])] == ["written", "call"]
    assert scenarios_from([]) == ()


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (7, "the scenario is a int; expected a Scenario or the path of a document"),
        ({"a": 1}, "the scenario is a dict; expected"),
        (scenario("call"), r"the scenario is a ScenarioBuilder; .*; end the builder with .build\(\)"),
    ],
)
def test_what_is_no_scenario_is_said_to_be_none(source, why):
    with pytest.raises(ConfigurationError, match=why):
        scenarios_from(source)


def test_a_space_is_made_of_settings_as_well(server):
    account = Account(client_id="made-of-settings", client_secret="s", vocabulary=Vocabulary.LEGACY)
    settings = SpaceSettings(accounts=(account,), scenarios=(CALL, Scenario(name="two")), clock=Drive.MANUAL)
    with server.space(settings) as space:
        assert (space.client_id, space.scenarios) == ("made-of-settings", ["call", "two"])
    with pytest.raises(ConfigurationError, match="a space is made of settings or of keywords; found both: seed"):
        server.space(settings, seed=7)
