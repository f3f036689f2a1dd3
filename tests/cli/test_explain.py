"""`explain` as a user runs it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from uhlive_mock import ledger
from uhlive_mock.cli import main


def explain(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["explain", *arguments])


def test_without_a_name_it_lists_every_rule_in_a_hundred_columns():
    done = explain()
    assert done.exit_code == 0
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "limits.gap: How long a speaker may send no audio" in done.stdout
    assert "  after                    5s               unknown    Silence that ends a session." in done.stdout


def test_with_a_name_it_says_all_about_it():
    done = explain("gap.after")
    assert done.exit_code == 0
    assert done.stdout == ledger.details(ledger.find("gap.after")[0]) + "\n"


def test_with_the_name_of_a_group_it_says_all_about_each_of_it():
    done = explain("gap")
    names = [block.splitlines()[0] for block in done.stdout.split("\n\n")]
    assert names == ["limits.gap.after", "limits.gap.action", "violations.gap"]


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_an_unknown_name_is_one_sentence_and_exit_code_2(more):
    done = explain("gpa", *more)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "uhlive-mock: unknown rule 'gpa'; did you mean 'gap'?\n"


def test_json_has_every_rule():
    rules = json.loads(explain("--json").stdout)
    assert [rule["name"] for rule in rules] == [rule.name for rule in ledger.rules()]
    assert all(rule["sentence"] for rule in rules)
    ours = [rule["name"] for rule in rules if rule["grade"] is None]
    assert all(name.startswith("verdict.") for name in ours)
    assert [rule["name"] for rule in rules if not rule["change"]] == ["verdict.defect"]


def test_json_of_one_rule():
    [rule] = json.loads(explain("--json", "gap.action").stdout)
    assert rule == {
        "name": "limits.gap.action",
        "sentence": "What silence meets.",
        "default": "leave",
        "choices": ["leave", "error", "close", "report", "off"],
        "grade": "U",
        "source": "first-steps page",
        "change": {
            "in a scenario": "limits: {gap: {action: leave}}",
            "in Python": "scenario(\"call\").gap(action='leave')",
        },
    }
