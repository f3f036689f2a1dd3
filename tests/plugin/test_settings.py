from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from uhlive_mock import scenario
from uhlive_mock.errors import ConfigurationError
from uhlive_mock.model.account import Vocabulary
from uhlive_mock.model.limits import Gap, GapAction, Limits
from uhlive_mock.model.settings import Drive
from uhlive_mock.testing.settings import (
    ALLOW,
    ARTIFACTS,
    BY_NAME,
    CLOCK,
    CLOCKS,
    LIMITS,
    RATE,
    SCENARIO,
    SEED,
    SETTINGS,
    STRICT,
    VOCABULARIES,
    VOCABULARY,
    Layer,
    Settings,
    layer_of_a_test,
)

VALUES = {
    "scenario": st.sampled_from(["one.yaml", "two.yaml"]),
    "limits": st.sampled_from([Limits(), Limits(gap=Gap(after_ms=1))]),
    "clock": st.sampled_from(CLOCKS),
    "rate": st.floats(min_value=0.1, max_value=100),
    "vocabulary": st.sampled_from(VOCABULARIES),
    "seed": st.one_of(st.integers(), st.just("random")),
    "strict": st.booleans(),
    "allow": st.lists(st.sampled_from(["gap", "throttle", "unheard"])),
    "artifacts": st.sampled_from(["here", "there"]),
}
LAYERS = st.lists(st.fixed_dictionaries({}, optional=VALUES), max_size=6)


def settings(*said: dict[str, object]) -> Settings:
    return Settings(Layer(f"layer {number}", values) for number, values in enumerate(said))


# --- precedence -----------------------------------------------------------------------------------------------


@given(said=LAYERS)
def test_for_each_setting_the_closest_layer_that_says_something_wins(said):
    found = settings(*said)
    for each in SETTINGS:
        closest = next((layer[each.name] for layer in said if each.name in layer), None)
        if each is ALLOW:
            assert set(found[ALLOW]) == {rule for layer in said for rule in layer.get("allow", [])}
        elif closest is None:
            assert found[each] == each.default
            assert not found.is_set(each)
        else:
            assert found[each] == each.read(closest)


@given(said=LAYERS)
def test_a_rate_counts_unless_a_clock_that_is_not_real_was_said_more_closely(said):
    found = settings(*said)
    clock = next((number for number, layer in enumerate(said) if "clock" in layer), len(said))
    rate = next((number for number, layer in enumerate(said) if "rate" in layer), len(said))
    meant = found[CLOCK] == "real" or rate <= clock
    assert found.rate == (found[RATE] if meant else RATE.default)


def test_nothing_said_is_nothing_set():
    found = settings({"clock": None, "seed": None}, {"clock": "manual"})
    assert found[CLOCK] == "manual"
    assert found[SEED] == 0


def test_a_mistake_is_told_even_where_it_does_not_win():
    with pytest.raises(ConfigurationError, match=r"layer 1: clock: found 'audo'; did you mean 'audio'\?"):
        settings({"clock": "real"}, {"clock": "audo"})


# --- reading --------------------------------------------------------------------------------------------------


def test_the_choices_are_those_of_the_server():
    assert tuple(Drive) == CLOCKS
    assert set(Vocabulary) == set(VOCABULARIES)


@pytest.mark.parametrize(
    ("name", "said", "value"),
    [
        ("clock", " Manual ", "manual"),
        ("clock", Drive.MANUAL, "manual"),
        ("rate", "10", 10.0),
        ("rate", 2, 2.0),
        ("vocabulary", Vocabulary.LEGACY, "legacy"),
        ("seed", "7", 7),
        ("seed", -7, -7),
        ("seed", "random", "random"),
        ("strict", "off", False),
        ("strict", "TRUE", True),
        ("strict", False, False),
        ("allow", "gap, throttle unheard", ("gap", "throttle", "unheard")),
        ("allow", ["gap,throttle", "unheard"], ("gap", "throttle", "unheard")),
        ("deny", "*", ("*",)),
        ("allow", [], ()),
        ("artifacts", Path("here"), "here"),
        ("scenario", "one.yaml", ("one.yaml",)),
        ("scenario", [Path("one.yaml"), "two.yaml"], (Path("one.yaml"), "two.yaml")),
        ("limits", {}, Limits()),
        (
            "limits",
            {"gap": {"after": "3s", "action": "error"}},
            Limits(gap=Gap(after_ms=3000, action=GapAction.ERROR)),
        ),
        ("limits", {"gap": "off"}, Limits(gap=Gap(action=GapAction.OFF))),
        ("limits", Limits(gap=Gap(after_ms=1)), Limits(gap=Gap(after_ms=1))),
    ],
)
def test_a_value_is_read(name, said, value):
    assert settings({name: said})[BY_NAME[name]] == value


def test_a_scenario_is_taken_as_it_is():
    call = scenario("call").speaker("Alice").say("bonjour", at=1).build()
    assert settings({"scenario": call})[SCENARIO] == (call,)


@pytest.mark.parametrize(
    ("name", "said", "problem"),
    [
        ("clock", "wall", "clock: found 'wall'; expected 'real', 'audio' or 'manual'"),
        ("clock", "maual", "clock: found 'maual'; did you mean 'manual'?"),
        ("clock", 3, "clock: found 3; expected 'real', 'audio' or 'manual'"),
        ("rate", "fast", "rate: found 'fast'; expected a number of times real time, more than 0"),
        ("rate", 0, "rate: found 0; expected a number of times real time, more than 0"),
        ("rate", "inf", "rate: found 'inf'; expected"),
        ("rate", True, "rate: found True; expected"),
        ("vocabulary", "v1", "vocabulary: found 'v1'; expected 'universal' or 'legacy'"),
        ("seed", "7.5", "seed: found '7.5'; expected a whole number or 'random'"),
        ("seed", 7.5, "seed: found 7.5; expected"),
        ("seed", True, "seed: found True; expected"),
        ("strict", "perhaps", "strict: found 'perhaps'; expected true or false"),
        ("strict", 3, "strict: found 3; expected true or false"),
        ("allow", 3, "allow: found 3; expected the names of rules"),
        ("allow", [3], "allow: found [3]; expected the names of rules"),
        ("allow", "gapp", "allow: there is no rule 'gapp' to allow; did you mean 'gap'?"),
        ("deny", ["gap", "zzz"], "deny: there is no rule 'zzz' to deny; expected '*' or any of "),
        ("allow", "defect", "allow: a defect of uhlive-mock itself cannot be allowed"),
        ("artifacts", "", "artifacts: found ''; expected a folder"),
        ("scenario", 3, "scenario: found 3; expected a scenario, a path, or a list of either"),
        ("scenario", ["one.yaml", 3], "scenario: found 3; expected"),
        ("limits", 3, "limits: found 3; expected Limits, or a mapping as in a scenario: {'gap': {'after': '3s'}}"),
        ("limits", {"gap": {"aftr": 3}}, "limits: gap: unknown key 'aftr'; did you mean 'after'?"),
        ("limits", {"gapp": {}}, "limits: unknown key 'gapp'; did you mean 'gap'?"),
        ("limits", {"gap": {"after": "soon"}}, "limits: gap.after: found 'soon'; expected a duration"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_was_expected(name, said, problem):
    with pytest.raises(ConfigurationError) as refused:
        settings({name: said})
    assert str(refused.value).startswith(f"layer 0: {problem}")


def test_a_builder_that_was_not_built_is_recognised():
    with pytest.raises(ConfigurationError, match=r"end the builder with \.build\(\)"):
        settings({"scenario": scenario("call").speaker("Alice").say("bonjour", at=1)})


@pytest.mark.parametrize(
    ("keyword", "remedy"),
    [("clok", "did you mean 'clock'?"), ("artifacts", "expected 'scenario'"), ("zzz", "expected 'scenario'")],
)
def test_a_test_cannot_say_what_is_no_setting_of_a_test(keyword, remedy):
    with pytest.raises(ConfigurationError) as refused:
        layer_of_a_test("the marker", {keyword: "x"})
    assert str(refused.value).startswith(f"the marker: unknown keyword '{keyword}'; {remedy}")


# --- names ----------------------------------------------------------------------------------------------------


def test_a_setting_has_one_name_in_each_place():
    assert (CLOCK.option, CLOCK.variable, CLOCK.dest) == (
        "--uhlive-mock-clock",
        "UHLIVE_MOCK_CLOCK",
        "uhlive_mock_clock",
    )


def test_a_message_spells_the_name_as_its_place_does():
    with pytest.raises(ConfigurationError, match=r"^environment: UHLIVE_MOCK_SEED: found 'x'"):
        Settings([Layer("environment", {"seed": "x"}, "variable")])


def test_only_a_test_says_who_speaks_and_what_the_limits_are():
    assert [each.name for each in SETTINGS if each.metavar is None] == ["scenario", "limits"]
    assert [each.name for each in SETTINGS if not each.of_a_test] == ["artifacts"]
    assert {each.name for each in (SCENARIO, LIMITS, VOCABULARY, STRICT, ARTIFACTS)} <= set(BY_NAME)
