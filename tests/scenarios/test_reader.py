"""Documents become scenarios, whatever they say; what they leave out has its default."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.errors import ScenarioError
from uhlive_mock.model.fault import Fault, FaultKind
from uhlive_mock.model.limits import (
    Chunk,
    ChunkAction,
    Gap,
    GapAction,
    Idle,
    Limits,
    Measure,
    Throttle,
    ThrottleAction,
)
from uhlive_mock.model.scenario import (
    After,
    At,
    Cue,
    InlineEntity,
    Match,
    Moment,
    RawEvent,
    Say,
    SayEntity,
    SayInterim,
    SayNormalized,
    SayRelation,
    SaySegment,
    SayTags,
    Scenario,
    Script,
    ScriptedTag,
    Timing,
    When,
)
from uhlive_mock.scenarios import check_scenario, format_scenario, load_scenario, parse_scenario
from uhlive_mock.scenarios.nodes import LARGEST

EVERYTHING = """\
version: 1
scenario: billets
match: {conversation: "support-*"}
seed: 7
timing: {latency: 100ms, jitter: 20ms, interim_every: 0.5s, word: 200ms}
speakers:
  "*":
    - at: 0.4s
      until: 2.1s
      say: >-
        je voudrais [deux]{"entity": "cardinal_number", "value": 2, "display": "2"} billets
        pour [Lyon](location_city).
      normalized: Je voudrais 2 billets pour Lyon.
      lang: fr
      country: ch
      confidence: 0.9
    - after: 1s
      segment: très bien
    - when: joined
      event: {name: custom_event, payload: {a: [1, 2.5, true, null, "1", on]}}
    - at: 3s
      entity: {name: location_city, source: lyon, display: Lyon, value: Lyon, confidence: 0.97}
    - at: 4s
      relation: {name: location, members: [location_street, location_city]}
      confidence: 0.7
    - at: 5s
      until: 6s
      tags: [{id: "t1", label: Request for quote, confidence: 0.6}]
    - {at: 5s, until: 5.4s, interim: bonjour}
    - {at: 5s, until: 5.8s, normalized: "Bonjour."}
  Bob:
    loop: 1min 30s
    script: []
"""


def first_cue(*lines: str) -> Cue:
    """The cue of a document that has one."""
    document = "version: 1\nspeakers:\n  Alice:\n    - " + "\n      ".join(lines)
    return parse_scenario(document).speakers["Alice"].cues[0]


def test_a_document_says_everything_a_scenario_can_hold() -> None:
    assert parse_scenario(EVERYTHING) == Scenario(
        name="billets",
        match=Match(conversation="support-*"),
        seed=7,
        timing=Timing(latency_ms=100, jitter_ms=20, interim_every_ms=500, word_ms=200),
        speakers={
            "*": Script(
                cues=(
                    Cue(
                        trigger=At(position_ms=400),
                        until_ms=2100,
                        action=Say(
                            text="je voudrais deux billets pour Lyon.",
                            normalized="Je voudrais 2 billets pour Lyon.",
                            lang="fr",
                            country="ch",
                            confidence=0.9,
                            entities=(
                                InlineEntity(
                                    name="cardinal_number",
                                    first=2,
                                    last=2,
                                    source="deux",
                                    value=2,
                                    display="2",
                                ),
                                InlineEntity(name="location_city", first=5, last=5, source="Lyon"),
                            ),
                        ),
                    ),
                    Cue(trigger=After(delay_ms=1000), action=SaySegment(text="très bien")),
                    Cue(
                        trigger=When(moment=Moment.JOINED),
                        action=RawEvent(name="custom_event", payload={"a": [1, 2.5, True, None, "1", "on"]}),
                    ),
                    Cue(
                        trigger=At(position_ms=3000),
                        action=SayEntity(
                            name="location_city", source="lyon", display="Lyon", value="Lyon", confidence=0.97
                        ),
                    ),
                    Cue(
                        trigger=At(position_ms=4000),
                        action=SayRelation(
                            name="location", members=("location_street", "location_city"), confidence=0.7
                        ),
                    ),
                    Cue(
                        trigger=At(position_ms=5000),
                        until_ms=6000,
                        action=SayTags(tags=(ScriptedTag(id="t1", label="Request for quote", confidence=0.6),)),
                    ),
                    Cue(trigger=At(position_ms=5000), until_ms=5400, action=SayInterim(text="bonjour")),
                    Cue(trigger=At(position_ms=5000), until_ms=5800, action=SayNormalized(text="Bonjour.")),
                )
            ),
            "Bob": Script(loop_ms=90_000),
        },
    )


def test_the_least_document_is_a_silent_scenario_for_every_conversation() -> None:
    assert parse_scenario("version: 1\nspeakers: {}") == Scenario()


DESIGN = """\
version: 1
scenario: billets
match: {conversation: "support-*"}   # default: every conversation
seed: 7
limits:
  throttle: {rate: 20 kB/s, burst: 64 kB, action: delay}   # delay | close | report | off
  gap: {after: 5s, action: leave}                           # leave | error | close | report | off
  idle: {after: 60s, close_code: 1000}
  chunk: {max: 64 kB, action: report}
timing: {latency: 250ms, jitter: 0ms, interim_every: 300ms}
speakers:
  "*":
    - at: 0.4s
      until: 2.1s
      say: je voudrais [deux]{"entity": "cardinal_number", "value": 2, "display": "2"} billets pour [Lyon](city)
      normalized: Bonjour, je voudrais 2 billets pour Lyon.
    - at: 12s
      fault: {close: 1011}
  Bob:
    ghost: true                        # the server plays this speaker: joins, talks, leaves
    say_from: joined
    script:
      - after: 1s
        say: très bien
"""


def test_limits_faults_and_ghosts_stand_beside_what_is_said() -> None:
    scenario = parse_scenario(DESIGN)
    assert scenario.limits == Limits()
    assert scenario.speakers["*"].cues[1] == Cue(
        trigger=At(position_ms=12_000), action=Fault(kind=FaultKind.CLOSE, value=1011)
    )
    assert scenario.speakers["Bob"] == Script(
        cues=(Cue(trigger=After(delay_ms=1000), action=Say(text="très bien")),), ghost=True
    )


def limits(text: str) -> Limits | None:
    return parse_scenario(f"version: 1\nspeakers: {{}}\nlimits: {text}").limits


def test_a_scenario_without_limits_leaves_them_to_the_space() -> None:
    assert parse_scenario("version: 1\nspeakers: {}").limits is None


@pytest.mark.parametrize("text", ["{}", "{throttle: {}, gap: {}, idle: {}, chunk: {}}"])
def test_limits_that_say_nothing_are_the_defaults(text: str) -> None:
    assert limits(text) == Limits()


def test_what_a_limit_leaves_out_has_its_default() -> None:
    assert limits("{throttle: {rate: 10 kB/s}, chunk: {action: close}}") == Limits(
        throttle=Throttle(rate=10_000), chunk=Chunk(action=ChunkAction.CLOSE)
    )


def test_every_limit_can_be_switched_off_by_a_word_that_yaml_1_1_reads_as_false() -> None:
    off = Limits(
        throttle=Throttle(action=ThrottleAction.OFF),
        gap=Gap(action=GapAction.OFF),
        idle=Idle(after_ms=None),
        chunk=Chunk(action=ChunkAction.OFF),
    )
    assert limits("{throttle: off, gap: off, idle: off, chunk: off}") == off
    assert limits("{throttle: {action: off}, gap: 'off', idle: {after: off}, chunk: {action: off}}") == off


def test_limits_say_everything_they_can_hold() -> None:
    assert limits(
        "{throttle: {rate: 16 KiB/s, burst: 1.5 MB, action: close, measure: framed},"
        " gap: {after: 20s, action: error}, idle: {after: 1min, close_code: 1002},"
        " chunk: {max: 3200, action: error}}"
    ) == Limits(
        throttle=Throttle(rate=16_384, burst=1_500_000, action=ThrottleAction.CLOSE, measure=Measure.FRAMED),
        gap=Gap(after_ms=20_000, action=GapAction.ERROR),
        idle=Idle(after_ms=60_000, close_code=1002),
        chunk=Chunk(max=3200, action=ChunkAction.ERROR),
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("reset", Fault(kind=FaultKind.RESET)),
        ("{reset: true}", Fault(kind=FaultKind.RESET)),
        ("{join_error: full}", Fault(kind=FaultKind.JOIN_ERROR, value="full")),
        ("{stop_reading: 5s}", Fault(kind=FaultKind.STOP_READING, value=5000)),
        ("{token_status: 503, count: all}", Fault(kind=FaultKind.TOKEN_STATUS, value=503, count=None)),
        (
            "{delay_events: 2s, count: 3, event: 'entity_*', speaker: Bob, probability: 0.5}",
            Fault(
                kind=FaultKind.DELAY_EVENTS,
                value=2000,
                count=3,
                event="entity_*",
                speaker="Bob",
                probability=0.5,
            ),
        ),
    ],
)
def test_a_fault_is_its_kind_with_what_it_takes_and_its_reach(text: str, fault: Fault) -> None:
    assert first_cue("when: joined", f"fault: {text}").action == fault


def test_a_ghost_may_loop_and_count_from_the_first_audio() -> None:
    document = "version: 1\nspeakers: {Bob: {ghost: true, say_from: first_audio, loop: 5s, script: []}}"
    assert parse_scenario(document).speakers["Bob"] == Script(loop_ms=5000, ghost=True, say_from=Moment.FIRST_AUDIO)


def test_a_speaker_that_is_no_ghost_may_say_so() -> None:
    document = "version: 1\nspeakers: {Bob: {ghost: false, script: []}}"
    assert parse_scenario(document).speakers["Bob"] == Script()


def test_every_cue_knows_its_line() -> None:
    cues = parse_scenario(EVERYTHING).speakers["*"].cues
    assert [cue.line for cue in cues] == [8, 17, 19, 21, 23, 26, 29, 30]


def test_cues_compare_without_their_lines() -> None:
    assert parse_scenario("# a comment\n" + EVERYTHING) == parse_scenario(EVERYTHING)


def test_a_bare_number_counts_seconds() -> None:
    assert first_cue("at: 1.5", "until: 2", "say: oui").until_ms == 2000


def test_yes_no_and_on_are_text_as_in_yaml_1_2() -> None:
    assert first_cue("at: 1s", "segment: yes", "lang: no").action == SaySegment(text="yes", lang="no")


def test_the_confidence_of_an_entity_may_stand_beside_it() -> None:
    cue = first_cue("at: 1s", "entity: {name: x, source: a}", "confidence: 0.5")
    assert cue.action == SayEntity(name="x", source="a", confidence=0.5)


def test_spoken_text_may_span_lines() -> None:
    assert first_cue("at: 1s", "segment: |", "  très", "  bien").action == SaySegment(text="très bien")


def test_an_alias_stands_for_its_anchor() -> None:
    document = "version: 1\nspeakers:\n  Alice: &script\n    - {at: 1s, say: oui}\n  Bob: *script"
    scenario = parse_scenario(document)
    assert scenario.speakers["Alice"] == scenario.speakers["Bob"]


def test_speakers_may_be_called_anything() -> None:
    document = 'version: 1\nspeakers: {1: [], "true": [], null: [], "Zoë K.": []}'
    assert list(parse_scenario(document).speakers) == ["1", "true", "null", "Zoë K."]


def test_the_file_names_the_scenario(tmp_path: Path) -> None:
    file = tmp_path / "reclamation.v2.yaml"
    file.write_text("version: 1\nspeakers: {}")
    assert load_scenario(file).name == "reclamation.v2"
    assert load_scenario(str(file)).name == "reclamation.v2"


def test_the_document_may_name_the_scenario_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "reclamation.yaml"
    file.write_text("version: 1\nscenario: plainte\nspeakers: {}")
    assert load_scenario(file).name == "plainte"


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    file = tmp_path / "windows.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + EVERYTHING.replace("\n", "\r\n").encode())
    assert load_scenario(file) == parse_scenario(EVERYTHING)


def test_a_missing_file_is_a_scenario_error(tmp_path: Path) -> None:
    file = tmp_path / "absent.yaml"
    with pytest.raises(ScenarioError) as refused:
        load_scenario(file)
    assert str(refused.value) == f"{file}: cannot be read: No such file or directory"


def test_a_directory_is_a_scenario_error(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be read: Is a directory"):
        load_scenario(tmp_path)


def test_an_impossible_path_is_a_scenario_error() -> None:
    with pytest.raises(ScenarioError, match="cannot be read: embedded null byte"):
        load_scenario("a\0b")


def test_a_file_that_is_not_utf_8_is_refused_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes("version: 1\nscenario: réservé\n".encode("latin-1"))
    with pytest.raises(ScenarioError) as refused:
        load_scenario(file)
    assert str(refused.value) == f"{file}:2: found the byte 0xE9; expected text in UTF-8"


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_bytes(b"#" * (LARGEST + 1))
    with pytest.raises(ScenarioError, match="found more than 1048576 bytes; expected a smaller file"):
        load_scenario(file)
    with pytest.raises(ScenarioError, match="found 1048577 characters; expected at most 1048576"):
        parse_scenario("#" * (LARGEST + 1))


def test_check_returns_every_problem_by_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        """\
version: 1
sede: 7
timing: {latency: soon, word: often}
speakers:
  Alice:
    - at: 1s
      at: 2s
      sey: oui
    - at: 5s
      say: deux [billets
    - say: oui
  Bob:
    - {at: 3s, say: a}
    - {at: 2s, say: b}
    - {at: 1s, say: c}
"""
    )
    assert [(problem.line, problem.path) for problem in check_scenario(file)] == [
        (2, ""),
        (3, "timing.latency"),
        (3, "timing.word"),
        (7, "speakers.Alice[0]"),
        (8, "speakers.Alice[0]"),
        (10, "speakers.Alice[1].say"),
        (11, "speakers.Alice[2]"),
        (14, "speakers.Bob[1]"),
        (15, "speakers.Bob[2]"),
    ]
    with pytest.raises(ScenarioError, match="unknown key 'sede'; did you mean 'seed'"):
        load_scenario(file)


def test_check_of_a_sound_file_finds_nothing(tmp_path: Path) -> None:
    file = tmp_path / "sound.yaml"
    file.write_text(EVERYTHING)
    assert check_scenario(file) == []


def test_check_of_an_unreadable_file_finds_that(tmp_path: Path) -> None:
    (problem,) = check_scenario(tmp_path / "absent.yaml")
    assert problem.problem == "cannot be read: No such file or directory"


def test_check_gives_up_after_a_hundred_problems(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("version: 1\nspeakers:\n  Alice:\n" + "    - {at: 1s, sey: oui}\n" * 200)
    assert len(check_scenario(file)) == 100


# --- whatever a document says -----------------------------------------------------------------------------

TROUBLE = """\
  Zoe:
    ghost: true
    say_from: first_audio
    script:
      - {after: 1s, fault: {delay_events: 2s, count: all, event: "entity_*", probability: 0.5}}
      - {after: 1s, fault: reset}
limits:
  throttle: {rate: 20 kB/s, burst: 64 kB, action: close}
  gap: off
  idle: {after: 60s, close_code: 1002}
"""
BILLETS = (Path(__file__).parents[2] / "fixtures" / "billets.yaml").read_text(encoding="utf-8") + TROUBLE
LINES = BILLETS.splitlines(keepends=True)

fragments = st.one_of(
    st.sampled_from(
        ["\n", " ", "  ", "\t", ":", ": ", "- ", "? ", "[", "]", "{", "}", ",", "#", " #", "&a ", "*a"]
    ),
    st.sampled_from(
        ["!", "!!str ", "|", ">-", "'", '"', "%", "@", "`", "---", "...", "<<", "~", "null", "1", "-1"]
    ),
    st.sampled_from(["1e999", ".inf", "0x1f", "9" * 5000, "\\u", "\\x", '"\\UFFFFFFFF"', '"\\ud800"', '"\\N"']),
    st.sampled_from(["%YAML 1.1\n", "%TAG ! a\n", "\r", "\x85", "\u2028", "\ufeff", "\0", "\ud800"]),
    st.sampled_from(
        ["at", "until", "say", "on", "limits", "speakers", "version", "script", "loop", "12s", "joined"]
    ),
    st.sampled_from(["fault", "ghost", "say_from", "gap", "rate", "off", "20 kB/s", "reset", "close", "all"]),
)


def outcome(document: str) -> None:
    """Parse a document: a scenario can be written again, an error has a message that can be printed."""
    try:
        scenario = parse_scenario(document)
    except ScenarioError as error:
        str(error).encode()
    else:
        assert parse_scenario(format_scenario(scenario)) == scenario


@given(st.text(st.characters()) | st.lists(fragments, max_size=30).map("".join))
def test_no_text_raises_anything_else(document: str) -> None:
    outcome(document)


@given(st.integers(0, len(BILLETS)), st.integers(0, 12), fragments | st.text(max_size=4))
def test_no_cut_or_insertion_raises_anything_else(position: int, cut: int, inserted: str) -> None:
    outcome(BILLETS[:position] + inserted + BILLETS[position + cut :])


@given(st.lists(st.sampled_from(LINES), max_size=len(LINES)))
def test_no_shuffling_of_lines_raises_anything_else(lines: list[str]) -> None:
    outcome("version: 1\nspeakers:\n" + "".join(lines))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["at", "say", "entity", "event", "tags", "name", "id", "script", "loop"])
                | st.sampled_from(["fault", "close", "reset", "count", "ghost", "say_from", "gap", "after"]),
                inner,
            )
        ),
        max_leaves=12,
    ),
    st.sampled_from(["scenario", "match", "seed", "timing", "limits", "speakers", "Alice", "cue", "fault"]),
)
def test_no_value_in_any_place_raises_anything_else(value: object, place: str) -> None:
    document: dict[str, object] = {"version": 1, "speakers": {}}
    match place:
        case "Alice":
            document["speakers"] = {"Alice": value}
        case "cue":
            document["speakers"] = {"Alice": [value]}
        case "fault":
            document["speakers"] = {"Alice": [{"at": 1, "fault": value}]}
        case _:
            document[place] = value
    outcome(repr(document).replace("None", "null").replace("True", "true").replace("False", "false"))


@given(content=st.binary())
def test_no_file_raises_anything_else(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(content)
    assert all(isinstance(problem, ScenarioError) for problem in check_scenario(file))
