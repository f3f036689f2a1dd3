"""Jumping far at once, or the same way in small steps: what happens is the same."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.model.fault import Fault, FaultKind
from uhlive_mock.model.limits import Gap, GapAction, Idle, Throttle
from uhlive_mock.model.scenario import At, Cue, Moment, RawEvent, Scenario, Script, Timing, When
from uhlive_mock.protocol.outbox import Close

_FAULTS = st.sampled_from(
    [
        Fault(kind=FaultKind.DELAY_EVENTS, value=700),
        Fault(kind=FaultKind.REORDER_EVENTS, count=None),
        Fault(kind=FaultKind.DUPLICATE_EVENTS, probability=0.5, count=3),
        Fault(kind=FaultKind.STOP_READING, value=1300),
        Fault(kind=FaultKind.STOP_WRITING, value=300),
        Fault(kind=FaultKind.JOIN_DELAY, value=900),
        Fault(kind=FaultKind.CRASH),
        Fault(kind=FaultKind.CLOSE_CHANNEL, speaker="Bob"),
        Fault(kind=FaultKind.CLOSE, value=1011, speaker="Alice"),
    ]
)
_FAULT_CUES = st.builds(
    Cue,
    trigger=st.builds(At, position_ms=st.integers(0, 3000)) | st.just(When(moment=Moment.JOINED)),
    action=_FAULTS,
)


@st.composite
def _scripts(draw, *, ghost: bool = False) -> Script:
    script = draw(st.from_type(Script))
    cues = [*script.cues, *draw(st.lists(_FAULT_CUES, max_size=2))]
    loop_ms = None if script.loop_ms is None else max(script.loop_ms, 300)
    say_from = draw(st.sampled_from([Moment.JOINED, Moment.FIRST_AUDIO])) if ghost else Moment.JOINED
    return Script(cues=tuple(cues), loop_ms=loop_ms, ghost=ghost, say_from=say_from)


_SCENARIOS = st.builds(
    Scenario,
    timing=st.from_type(Timing),
    speakers=st.fixed_dictionaries(
        {"*": _scripts(), "Bob": _scripts()}, optional={"Gus": _scripts(ghost=True), "Gerd": _scripts(ghost=True)}
    ),
)
_RULES = st.fixed_dictionaries(
    {
        "gap": st.builds(Gap, after_ms=st.sampled_from([1000, 2500]), action=st.sampled_from(GapAction)),
        "idle": st.builds(Idle, after_ms=st.sampled_from([None, 4000])),
        "throttle": st.builds(Throttle, rate=st.just(9000), burst=st.sampled_from([5000, 64_000])),
    }
)
_SPEAKERS = ("Alice", "Bob", "Olga")
_DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["join", "join", "audio", "audio", "audio", "leave", "drop", "ping", "wait", "wait"]),
        st.integers(0, 2),
        st.floats(0, 3),
    ),
    max_size=14,
)


def play(room, steps: int, *, scenario: Scenario, rules: dict, deeds: list, **settings) -> tuple[list, list]:
    """The journal, and what each socket was sent."""
    place = room(scenario=scenario, limits=room.limits(**rules), **settings)
    peers = [place.connect() for _ in _SPEAKERS]
    sent: list[list] = [[] for _ in peers]

    def wait(seconds: float) -> None:
        place.jump(seconds, steps)
        for peer, effects in zip(peers, sent, strict=True):
            effects += peer.session.effects()

    for deed, number, seconds in deeds:
        peer, name = peers[number], _SPEAKERS[number]
        match deed:
            case "join":
                peer.join(name, readonly=name == "Olga")
            case "audio":
                peer.audio(seconds)
            case "leave":
                peer.leave()
            case "drop":
                peer.drop()
            case "ping":
                peer.session.bytes_arrived(place.now)
            case _:
                wait(seconds)
    wait(10)
    return list(place.space.journal), sent


@given(
    scenario=_SCENARIOS,
    rules=_RULES,
    deeds=_DEEDS,
    follow_audio=st.booleans(),
    seed=st.integers(0, 9),
    now=st.sampled_from([0.0, 1.7e9, 1.7e9 + 0.123, 1.7e9 + 1 / 3]),
    steps=st.integers(2, 40),
)
def test_one_jump_is_the_sum_of_its_steps(room, scenario, rules, deeds, follow_audio, seed, now, steps):
    call = {
        "scenario": scenario,
        "rules": rules,
        "deeds": [("join", 0, 0), *deeds],
        "follow_audio": follow_audio,
        "seed": seed,
        "now": now,
    }
    assert play(room, 1, **call) == play(room, steps, **call)


@pytest.mark.parametrize("follow_audio", [False, True])
def test_a_whole_call_in_one_jump_or_in_a_thousand(room, follow_audio):
    words = tuple(
        Cue(trigger=At(position_ms=250 * number), action=RawEvent(name=f"{number}")) for number in range(40)
    )
    late = Cue(trigger=At(position_ms=900), action=Fault(kind=FaultKind.DELAY_EVENTS, value=800))
    scenario = Scenario(
        speakers={
            "*": Script(cues=(*words, late)),
            "Gus": Script(cues=words, ghost=True),
            "Gerd": Script(cues=words[:3], ghost=True, loop_ms=1100, say_from=Moment.FIRST_AUDIO),
        }
    )
    call = {
        "scenario": scenario,
        "rules": {"gap": Gap(after_ms=5000), "idle": Idle(after_ms=9000)},
        "deeds": [("join", 0, 0), ("join", 1, 0), ("join", 2, 0), ("audio", 0, 3), ("wait", 0, 2), ("audio", 1, 1)],
        "follow_audio": follow_audio,
    }
    journal, sent = play(room, 1, **call)
    assert (journal, sent) == play(room, 1000, **call)
    assert sent[2][-1] == Close(1000)
    assert len(journal) > 200
