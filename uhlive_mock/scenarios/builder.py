"""Scenarios in Python, for tests that want theirs next to what they assert.

    scenario("billets", seed=7).speaker("Alice").say("pour [Lyon](location_city)", at=0.4, until=2.1).build()

A builder is a value: every method returns a new one and leaves the old as it was, so tests can share a start.
Times are seconds. Every cue has exactly one trigger, `at=`, `after=` or `when=`; `until=` needs `at=`.
The file is long because each method states its arguments in full, for those who read them in an editor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import TypeVar, Unpack

import msgspec

from ..errors import ScenarioError, unknown
from ..model.fault import Fault, FaultKind, Takes
from ..model.limits import (
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
from ..model.scenario import (
    ANYONE,
    Action,
    After,
    At,
    Cue,
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
    Timing,
    Trigger,
    When,
    labelled,
)
from .events import Place
from .notation import format_duration, optional_ms, parse_inline, seconds_to_ms


class CueTime(Place, total=False):
    """When a cue is due: `at` a position of the speaker's audio, and `until` another; so long `after` the end
    of the previous cue; or `when` the speaker `"joined"`, at its `"first_audio"`, or when it `"left"`.
    """

    after: float | None
    when: Moment | str | None


def scenario(
    name: str = "scenario",
    *,
    match: str = "*",
    seed: int | None = None,
    latency_ms: int = 250,
    jitter_ms: int = 0,
    interim_every_ms: int = 300,
    word_ms: int = 320,
) -> ScenarioBuilder:
    """A builder of a scenario for the conversations whose id matches the shell pattern `match`.

    Raises:
        ScenarioError: when a duration cannot be used.
    """
    timing = Timing(latency_ms=latency_ms, jitter_ms=jitter_ms, interim_every_ms=interim_every_ms, word_ms=word_ms)
    return ScenarioBuilder(Scenario(name=name, match=Match(conversation=match), seed=seed, timing=timing))


class ScenarioBuilder(msgspec.Struct, frozen=True):
    """A scenario so far, and the speaker whose script the next cue extends, `*` at first.

    Every method that adds a cue raises ScenarioError when the cue cannot be used.
    """

    so_far: Scenario
    current: str = ANYONE

    def build(self) -> Scenario:
        """The scenario.

        Raises:
            ScenarioError: when the cues of a script are not in order, or do not fit into its loop.
        """
        for name, script in self.so_far.speakers.items():
            for index, problem in script_problems(script):
                place = f"speakers.{name}" if index is None else f"speakers.{name}[{index}]"
                raise ScenarioError(problem, source=self.so_far.name, path=place)
        return self.so_far

    def speaker(self, name: str) -> ScenarioBuilder:
        """The next cues are that speaker's, who is silent without any; `"*"` is everyone without a script."""
        return ScenarioBuilder(self.so_far, name)._script_with()

    def loop(self, seconds: float) -> ScenarioBuilder:
        """The speaker's script starts again every so many seconds."""
        return self._script_with(loop_ms=seconds_to_ms("loop", seconds))

    def ghost(self, *, say_from: Moment | str = Moment.JOINED) -> ScenarioBuilder:
        """The server plays the speaker, whose positions count from when it `"joined"` or the `"first_audio"`."""
        return self._script_with(ghost=True, say_from=_member(Moment, "moment", say_from))

    def throttle(
        self,
        *,
        rate: int = 20_000,
        burst: int = 64_000,
        action: ThrottleAction | str = ThrottleAction.DELAY,
        measure: Measure | str = Measure.AUDIO,
    ) -> ScenarioBuilder:
        """Audio beyond `rate` bytes a second, `burst` bytes at once, meets `action`; `"off"` for no throttle."""
        return self._limit(
            throttle=Throttle(
                rate=rate,
                burst=burst,
                action=_member(ThrottleAction, "action", action),
                measure=_member(Measure, "measure", measure),
            )
        )

    def gap(self, *, after: float = 5, action: GapAction | str = GapAction.LEAVE) -> ScenarioBuilder:
        """A speaker that sends no audio for so many seconds meets `action`; `"off"` for none."""
        return self._limit(
            gap=Gap(after_ms=seconds_to_ms("gap.after", after), action=_member(GapAction, "action", action))
        )

    def idle(self, *, after: float | None = 60, close_code: int = 1000) -> ScenarioBuilder:
        """A socket that sends nothing for so many seconds is closed; None for never."""
        return self._limit(idle=Idle(after_ms=optional_ms("idle.after", after), close_code=close_code))

    def chunk(self, *, max: int = 64_000, action: ChunkAction | str = ChunkAction.REPORT) -> ScenarioBuilder:
        """A chunk of more than `max` bytes of audio meets `action`; `"off"` for none."""
        return self._limit(chunk=Chunk(max=max, action=_member(ChunkAction, "action", action)))

    def say(
        self,
        notation: str,
        *,
        normalized: str | None = None,
        lang: str | None = None,
        country: str | None = None,
        confidence: float | None = None,
        **time: Unpack[CueTime],
    ) -> ScenarioBuilder:
        """An utterance: growing interims, the segment, the normalised text, the entities in brackets."""
        text, entities = parse_inline(notation)
        return self._cue(
            Say(
                text=text,
                entities=entities,
                normalized=normalized,
                lang=lang,
                country=country,
                confidence=confidence,
            ),
            **time,
        )

    def interim(
        self,
        text: str,
        *,
        lang: str | None = None,
        country: str | None = None,
        confidence: float | None = None,
        **time: Unpack[CueTime],
    ) -> ScenarioBuilder:
        """One interim transcript of the utterance that the next segment ends."""
        return self._cue(SayInterim(text=text, lang=lang, country=country, confidence=confidence), **time)

    def segment(
        self,
        text: str,
        *,
        lang: str | None = None,
        country: str | None = None,
        confidence: float | None = None,
        **time: Unpack[CueTime],
    ) -> ScenarioBuilder:
        """One final transcript; ends the utterance."""
        return self._cue(SaySegment(text=text, lang=lang, country=country, confidence=confidence), **time)

    def normalized(
        self,
        text: str,
        *,
        lang: str | None = None,
        country: str | None = None,
        confidence: float | None = None,
        **time: Unpack[CueTime],
    ) -> ScenarioBuilder:
        """The normalised text of the utterance that ended last."""
        return self._cue(SayNormalized(text=text, lang=lang, country=country, confidence=confidence), **time)

    def entity(
        self,
        name: str,
        source: str,
        *,
        display: str | None = None,
        value: object = None,
        lang: str | None = None,
        country: str | None = None,
        confidence: float = 0.9,
        **time: Unpack[CueTime],
    ) -> ScenarioBuilder:
        """One named entity: the words as they were said, as a person would write them, and what they mean."""
        return self._cue(
            SayEntity(
                name=name,
                source=source,
                display=display,
                value=value,
                lang=lang,
                country=country,
                confidence=confidence,
            ),
            **time,
        )

    def relation(
        self,
        name: str,
        *members: str,
        lang: str | None = None,
        country: str | None = None,
        confidence: float = 0.9,
        **time: Unpack[CueTime],
    ) -> ScenarioBuilder:
        """A relation between the speaker's latest entities of the names `members`."""
        return self._cue(
            SayRelation(name=name, members=members, lang=lang, country=country, confidence=confidence), **time
        )

    def tags(
        self,
        tags: Mapping[str, str],
        *,
        lang: str | None = None,
        country: str | None = None,
        confidence: float = 0.8,
        **time: Unpack[CueTime],
    ) -> ScenarioBuilder:
        """The tags of a time range, labels by id; `confidence` is that of each tag and of them all."""
        return self._cue(
            SayTags(tags=labelled(tags, confidence), lang=lang, country=country, confidence=confidence), **time
        )

    def event(self, name: str, payload: object = None, **time: Unpack[CueTime]) -> ScenarioBuilder:
        """Any event, by its wire name, with any payload; None is an empty one."""
        return self._cue(RawEvent(name=name, payload={} if payload is None else payload), **time)

    def fault(
        self,
        kind: FaultKind | str,
        value: float | str | None = None,
        *,
        count: int | None = 1,
        speaker: str | None = None,
        event: str | None = None,
        probability: float = 1.0,
        **time: Unpack[CueTime],
    ) -> ScenarioBuilder:
        """Something goes wrong: `fault("close", 1011, at=12)`. A duration is in seconds; `count` None is always."""
        kind = _member(FaultKind, "fault", kind)
        if kind.takes is Takes.DURATION and isinstance(value, int | float):
            value = seconds_to_ms(kind, value)
        elif isinstance(value, float):
            raise ScenarioError(f"{kind} takes {kind.takes}; found {value}")
        return self._cue(
            Fault(kind=kind, value=value, count=count, speaker=speaker, event=event, probability=probability),
            **time,
        )

    def _script_with(self, *cues: Cue, **changes: object) -> ScenarioBuilder:
        script = self.so_far.speakers.get(self.current, Script())
        script = msgspec.structs.replace(script, cues=(*script.cues, *cues), **changes)
        speakers = {**self.so_far.speakers, self.current: script}
        return ScenarioBuilder(msgspec.structs.replace(self.so_far, speakers=speakers), self.current)

    def _limit(self, **limit: Throttle | Gap | Idle | Chunk) -> ScenarioBuilder:
        limits = msgspec.structs.replace(self.so_far.limits or Limits(), **limit)
        return ScenarioBuilder(msgspec.structs.replace(self.so_far, limits=limits), self.current)

    def _cue(
        self,
        action: Action,
        *,
        at: float | None = None,
        until: float | None = None,
        after: float | None = None,
        when: Moment | str | None = None,
    ) -> ScenarioBuilder:
        until_ms = optional_ms("until", until)
        return self._script_with(Cue(trigger=_trigger(at, after, when), action=action, until_ms=until_ms))


_Word = TypeVar("_Word", bound=StrEnum)


def _member(words: type[_Word], noun: str, word: str) -> _Word:
    if word not in set(words):
        raise ScenarioError(unknown(noun, word, words))
    return words(word)


def _trigger(at: float | None, after: float | None, when: Moment | str | None) -> Trigger:
    match at, after, when:
        case (position, None, None) if position is not None:
            return At(position_ms=seconds_to_ms("at", position))
        case (None, delay, None) if delay is not None:
            return After(delay_ms=seconds_to_ms("after", delay))
        case (None, None, moment) if moment is not None:
            return When(moment=_member(Moment, "moment", moment))
        case _:
            raise ScenarioError(f"found at={at}, after={after}, when={when}; expected exactly one of them")


def script_problems(script: Script) -> Iterator[tuple[int | None, str]]:
    """What is wrong between cues: the index of a cue, or None for the loop, and a sentence.

    Positions do not go back, and a script that loops ends before it starts again.
    """
    latest: tuple[int, int] | None = None
    last_end: tuple[int, int] | None = None
    for index, cue in enumerate(script.cues):
        if not isinstance(cue.trigger, At):
            continue
        position_ms = cue.trigger.position_ms
        if latest and position_ms < latest[0]:
            found, before = format_duration(position_ms), format_duration(latest[0])
            earlier = _named(script, latest[1])
            yield index, f"at is {found}, but that of cue {earlier} is {before}; expected cues in order"
        else:
            latest = position_ms, index
        end_ms = position_ms if cue.until_ms is None else cue.until_ms
        if last_end is None or end_ms > last_end[0]:
            last_end = end_ms, index
    if script.loop_ms is not None and last_end and last_end[0] > script.loop_ms:
        end, loop = format_duration(last_end[0]), format_duration(script.loop_ms)
        yield (
            None,
            f"loop is {loop}, shorter than the script: cue {_named(script, last_end[1])} ends at {end}",
        )


def _named(script: Script, index: int) -> str:
    line = script.cues[index].line
    return f"[{index}] on line {line}" if line else f"[{index}]"


@cache
def builtin_scenario() -> Scenario:
    """A caller who goes from French to English and back, every 20 seconds, in every conversation.

    The first words come within the first second; entities of both languages, a relation and tags follow, so
    the first minute with the service shows every kind of event.
    """
    return (
        scenario("builtin")
        .loop(20)
        .say(
            'bonjour je voudrais [douze]{"entity": "cardinal_number", "value": 12, "display": "12"} billets'
            ' pour [lyon]{"entity": "location_city", "value": "Lyon", "display": "Lyon"}',
            normalized="Bonjour, je voudrais 12 billets pour Lyon.",
            at=0.3,
            until=3.1,
            lang="fr",
            country="fr",
        )
        .tags({"request-for-quote": "Request for quote"}, at=0.3, until=3.1, lang="fr", country="fr")
        .say(
            "and please deliver my parcel to"
            ' [twenty garden street]{"entity": "location_street", "value": "20 Garden Street",'
            ' "display": "20 Garden Street"} in'
            ' [london]{"entity": "location_city", "value": "London", "display": "London"}',
            normalized="And please deliver my parcel to 20 Garden Street in London.",
            at=4.0,
            until=7.6,
            lang="en",
            country="us",
        )
        .relation("location", "location_street", "location_city", at=5.4, until=7.6, lang="en", country="us")
        .say(
            "le train part à"
            ' [huit heures trente]{"entity": "time_hour", "value": "08:30", "display": "8 h 30"} et coûte'
            ' [quarante euros]{"entity": "quantity_money", "value": {"unit": "euro", "value": 40},'
            ' "display": "40 €"}',
            normalized="Le train part à 8 h 30 et coûte 40 €.",
            at=8.6,
            until=12.2,
            lang="fr",
            country="fr",
        )
        .say(
            'call me back at [half past nine]{"entity": "time_hour", "value": "09:30", "display": "9:30"}'
            ' on [five five five zero one four two]{"entity": "telephone_number", "value": "5550142",'
            ' "display": "555 0142"}',
            normalized="Call me back at 9:30 on 555 0142.",
            at=13.0,
            until=16.8,
            lang="en",
            country="us",
        )
        .say("merci beaucoup", normalized="Merci beaucoup.", at=17.6, until=18.8, lang="fr", country="fr")
        .build()
    )
