"""The scenario of a server that was given none shows every kind of event within a minute."""

from __future__ import annotations

from uhlive_mock.model.scenario import At, Say, SayRelation, SayTags
from uhlive_mock.scenarios import builtin_scenario

SCRIPT = builtin_scenario().script_for("anyone at all")
SAYS = [cue for cue in SCRIPT.cues if isinstance(cue.action, Say)]


def test_it_speaks_for_everyone_in_every_conversation() -> None:
    assert builtin_scenario().speaks_in("any conversation")
    assert SCRIPT.cues


def test_it_starts_within_a_second_and_starts_again_after_twenty() -> None:
    assert isinstance(SCRIPT.cues[0].trigger, At)
    assert SCRIPT.cues[0].trigger.position_ms < 1000
    assert SCRIPT.loop_ms == 20_000


def test_utterances_alternate_between_french_and_english() -> None:
    assert [say.action.lang for say in SAYS] == ["fr", "en", "fr", "en", "fr"]


def test_utterances_do_not_overlap() -> None:
    ends = [0, *(say.until_ms for say in SAYS)]
    for say, end in zip(SAYS, ends, strict=False):
        assert isinstance(say.trigger, At)
        assert end is not None
        assert end < say.trigger.position_ms


def test_both_languages_have_entities_and_there_are_a_relation_and_tags() -> None:
    assert {say.action.lang for say in SAYS if say.action.entities} == {"fr", "en"}
    assert any(isinstance(cue.action, SayRelation) for cue in SCRIPT.cues)
    assert any(isinstance(cue.action, SayTags) for cue in SCRIPT.cues)


def test_the_members_of_the_relation_were_said_before_it() -> None:
    said: set[str] = set()
    for cue in SCRIPT.cues:
        if isinstance(cue.action, Say):
            said |= {entity.name for entity in cue.action.entities}
        if isinstance(cue.action, SayRelation):
            assert set(cue.action.members) <= said
