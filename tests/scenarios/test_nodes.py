"""Annotated text needs no quotes of its own."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.scenarios import parse_scenario
from uhlive_mock.scenarios.nodes import quote_annotated

DOCUMENT = "version: 1\nspeakers:\n  Alice:\n    - at: 1s\n      say: {text}\n"


def say(text: str):
    return parse_scenario(DOCUMENT.replace("{text}", text)).speakers["Alice"].cues[0].action


@pytest.mark.parametrize(
    "text",
    [
        'pour [deux]{"entity": "cardinal_number", "value": 2} personnes',
        """l'hôtel [deux]{"entity": "cardinal_number", "value": 2}, s'il vous plaît""",
        'pour [deux]{"entity": "cardinal_number", "value": 2} à [Lyon](location_city)   # a comment',
        '\'pour [deux]{"entity": "cardinal_number", "value": 2}\'',
    ],
)
def test_an_annotation_may_stand_unquoted(text):
    action = say(text)
    assert action.entities[0].value == 2
    assert "comment" not in action.text


def test_a_list_item_may_begin_with_it():
    document = 'version: 1\nspeakers:\n  "*":\n    - say: à [dix]{"entity": "time_hour"} heures\n      at: 1s\n'
    assert parse_scenario(document).speakers["*"].cues[0].action.text == "à dix heures"


def test_lines_keep_their_numbers():
    broken = DOCUMENT.replace("{text}", 'à [dix]{"entity": "time_hour"}') + "      sey: x\n"
    with pytest.raises(Exception, match="<string>:6: "):
        parse_scenario(broken)


@given(st.text(alphabet="say: -'\"[]{}#\nab,|>", max_size=60))
def test_nothing_else_is_touched(text):
    if "]{" not in text:
        assert quote_annotated(text) == text


@pytest.mark.parametrize("line", ["]{" * 100_000, "]{: " + " " * 100_000 + "x", "]{: " + " #" * 100_000 + "}x"])
def test_a_long_line_takes_no_longer_than_its_length(line):
    assert quote_annotated(f"say: a{line}").startswith("say: ")


def test_a_line_of_a_longer_text_is_left_as_it_is():
    action = say(">-\n        les mots\n        say: a \\[b]{c: d}")
    assert action.text == "les mots say: a [b]{c: d}"


def test_windows_line_ends_are_fine():
    document = DOCUMENT.replace("{text}", 'à [dix]{"entity": "time_hour"} # a').replace("\n", "\r\n")
    assert parse_scenario(document).speakers["Alice"].cues[0].action.text == "à dix"


def test_a_valid_document_is_left_as_it_is():
    valid = DOCUMENT.replace("{text}", '[deux]{"entity":"cardinal_number"}') + "      lang: fr # [a]{b: c}\n"
    assert quote_annotated(valid) == valid
