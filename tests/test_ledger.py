"""The ledger has every rule, and what it says about changing one is true."""

from __future__ import annotations

import textwrap

import msgspec
import pytest

from uhlive_mock import Behaviour, ConfigurationError, TokenBehaviour, ledger, parse_scenario, scenario
from uhlive_mock.model.behaviour import Grade
from uhlive_mock.model.limits import Chunk, Gap, Idle, Limits, Throttle
from uhlive_mock.model.scenario import Timing
from uhlive_mock.scenarios.builder import ScenarioBuilder
from uhlive_mock.verification import rules as judged

RULES = ledger.rules()
SETTINGS = [rule for rule in RULES if rule.is_setting]
JUDGED = [rule for rule in RULES if not rule.is_setting]
HOLDERS = {
    "limits.throttle": Throttle,
    "limits.gap": Gap,
    "limits.idle": Idle,
    "limits.chunk": Chunk,
    "timing": Timing,
    "behaviour": Behaviour,
    "tokens": TokenBehaviour,
}


def test_every_field_of_every_struct_with_rules_is_in_it_once():
    for area, holder in HOLDERS.items():
        names = [rule.name.removeprefix(f"{area}.") for rule in RULES if rule.area == area]
        fields = [field.removesuffix("_ms") for field in holder.__struct_fields__]
        assert names == fields
    assert {rule.area for rule in SETTINGS} == set(HOLDERS)
    assert set(Limits.__struct_fields__) == {area.partition(".")[2] for area in HOLDERS if "limits." in area}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_has_a_sentence_a_grade_and_a_source_that_fits_it(rule):
    assert rule.sentence[0].isupper() or rule.sentence.startswith("campaign_id")
    assert rule.sentence.endswith(".")
    assert isinstance(rule.grade, Grade) or rule.area == "verdict"
    assert rule.source or rule.grade in (Grade.UNKNOWN, None)
    assert not rule.choices or set(rule.default.split(", ")) <= set(rule.choices)


@pytest.mark.parametrize("rule", SETTINGS, ids=lambda rule: rule.name)
def test_a_rule_can_be_changed_where_it_says_and_written_as_it_says(rule):
    """Each place is given the default, which must be read as the default."""
    assert rule.change

    class MockServer:
        def __init__(self, **given):
            self.given = given

        space = __init__

    names = {
        "scenario": scenario,
        "Behaviour": Behaviour,
        "TokenBehaviour": TokenBehaviour,
        "MockServer": MockServer,
        "server": type("Server", (), {"space": MockServer}),
    }
    for where, what in rule.change.items():
        if where == "in a scenario":
            document = parse_scenario(f"version: 1\nspeakers: {{}}\n{what}\n")
            assert (document.limits or Limits(), document.timing) == (Limits(), Timing())
            continue
        made = eval(what, names)
        if isinstance(made, ScenarioBuilder):
            assert (made.build().limits or Limits(), made.build().timing) == (Limits(), Timing())
        else:
            assert list(made.given.values()) in ([Behaviour()], [TokenBehaviour()])


def test_a_scenario_says_all_limits_and_timing():
    for rule in RULES:
        assert ("in a scenario" in rule.change) == rule.name.startswith(("limits.", "timing."))


def test_a_choice_that_the_ledger_names_is_accepted():
    for rule in RULES:
        if rule.area.startswith("limits.") and rule.choices:
            for choice in rule.choices:
                text = rule.change["in a scenario"].replace(f": {rule.default}", f': "{choice}"')
                parse_scenario(f"version: 1\nspeakers: {{}}\n{text}\n")
        elif rule.area == "behaviour" and rule.choices and rule.name != "behaviour.join_checks":
            kind = type(getattr(Behaviour(), rule.name.partition(".")[2]))
            for choice in rule.choices:
                value = choice == "True" if kind is bool else kind(choice)
                Behaviour(**{rule.name.partition(".")[2]: value})


# --- finding a rule ---


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("limits.gap.after", ["limits.gap.after"]),
        ("gap.after", ["limits.gap.after"]),
        ("GAP", ["limits.gap.after", "limits.gap.action", "violations.gap"]),
        ("max", ["limits.chunk.max"]),
        ("after", ["limits.gap.after", "limits.idle.after"]),
        ("duplicate", ["behaviour.duplicate_speaker"]),
        ("timing", ["timing.latency", "timing.jitter", "timing.interim_every", "timing.word"]),
        ("lifespan_s", ["tokens.lifespan_s"]),
        ("chunk_size", ["violations.chunk_size"]),
        ("close_", ["limits.idle.close_code", "violations.close_without_leave"]),
        ("unheard", ["verdict.unheard"]),
    ],
)
def test_a_rule_is_found_by_its_name_its_end_its_beginning_or_its_group(name, found):
    assert [rule.name for rule in ledger.find(name)] == found


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpa", "unknown rule 'gpa'; did you mean 'gap'?"),
        ("limits.gap.aftre", "unknown rule 'limits.gap.aftre'; did you mean 'limits.gap.after'?"),
        ("duplicated_speaker", "unknown rule 'duplicated_speaker'; did you mean 'duplicate_speaker'?"),
        ("double_joins", "unknown rule 'double_joins'; did you mean 'double_join'?"),
        (
            "",
            "unknown rule ''; expected a rule or one of throttle, gap, idle, chunk, timing, behaviour, tokens, "
            "violations, verdict",
        ),
    ],
)
def test_an_unknown_rule_is_answered_with_what_may_be_meant(name, message):
    with pytest.raises(ConfigurationError) as refused:
        ledger.find(name)
    assert str(refused.value) == message


# --- on paper ---


def test_the_table_fits_its_width_and_has_every_rule_under_its_group():
    lines = ledger.table().splitlines()
    assert max(map(len, lines)) <= ledger.WIDTH
    area, found = "", []
    for line in lines:
        if line and not line.startswith(" "):
            area = line.partition(":")[0]
        elif line.startswith("  ") and line[2] != " ":
            found.append(f"{area}.{line.split()[0]}")
    assert found == [rule.name for rule in RULES]


def test_the_details_of_a_rule():
    [rule] = ledger.find("gap.action")
    assert ledger.details(rule) == textwrap.dedent(
        """\
        limits.gap.action
          What silence meets.
          default        leave
          choices        leave, error, close, report, off
          known          unknown: nothing certain is published; the default is our choice
          source         first-steps page
          in a scenario  limits: {gap: {action: leave}}
          in Python      scenario("call").gap(action='leave')"""
    )


def test_the_details_of_what_a_client_does_wrong():
    [*_, rule] = ledger.find("throttle")
    assert ledger.details(rule) == textwrap.dedent(
        """\
        violations.throttle
          Audio came faster than the rule `throttle` lets through.
          severity       error
                         warning for the official JavaScript SDK or phoenix.js
          known          documented: the provider's own pages say so
          source         provider's landing page: 20 kB a second for each connection
          in the test    uhlive_mock.allow("throttle")
          on the test    @pytest.mark.uhlive_mock(allow=["throttle"]), or strict=False for all
          in pytest.ini  uhlive_mock_allow = throttle"""
    )


def test_what_a_test_is_judged_by_is_in_it_with_how_to_opt_out_but_for_our_own_defects():
    names = [rule.name.partition(".")[2] for rule in JUDGED]
    assert names == [*judged.RULES, *judged.OTHERS]
    assert [rule.name for rule in JUDGED if not rule.change] == ["verdict.defect"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_details_of_a_rule_fit_the_width(rule):
    assert max(map(len, ledger.details(rule).splitlines())) <= ledger.WIDTH


def test_a_rule_reads_back_from_json():
    assert msgspec.json.decode(msgspec.json.encode(RULES), type=tuple[ledger.Rule, ...]) == RULES
