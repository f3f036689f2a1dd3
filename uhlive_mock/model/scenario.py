"""The scenario: what the service will say, and when.

A scenario gives each speaker a script; a script is a tuple of cues; a cue is a trigger and an action.
Positions and durations are integer milliseconds, so comparing them with counted samples is exact.

One rule places every event: **an event is emitted when the audio reaches its end.** A cue that spans
`start..until` is heard at `until`; one without `until` at its start.

The file is long because each kind of action is here in full, with its keyword, its text, and the sentences and
checks of its fields: whatever reads, writes or shows actions finds all that here, and lists no kinds of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, ClassVar

import msgspec

from ..errors import ScenarioError
from .behaviour import Grade, rule
from .fault import Fault
from .limits import Limits, refuse_not_positive

ANYONE = "*"
"""The script name for every speaker that has no script of its own."""


def _refuse_negative(name: str, value: int) -> None:
    if value < 0:
        raise ScenarioError(f"{name} is {value} ms; expected 0 or more")


def _refuse_bad_confidence(value: float) -> None:
    if not 0 <= value <= 1:
        raise ScenarioError(f"confidence is {value}; expected 0 to 1")


def _refuse_empty(**texts: str | None) -> None:
    for name, text in texts.items():
        if text == "":
            raise ScenarioError(f"{name} is empty; expected at least one character")


def _refuse_bad_name(kind: str, name: str) -> None:
    # S: both SDK generations match [\w_]+ between the prefix and the suffix of the wire name.
    if not name.isidentifier():
        raise ScenarioError(f"{kind} name {name!r}; expected letters, digits and underscores")


# --- triggers ---------------------------------------------------------------------------------------------


class Moment(StrEnum):
    """Moments of a speaker's stay that are not positions in the audio."""

    JOINED = "joined"
    FIRST_AUDIO = "first_audio"
    LEFT = "left"


class At(msgspec.Struct, frozen=True, kw_only=True, tag="at"):
    """When the speaker's audio reaches a position."""

    position_ms: int

    def __post_init__(self) -> None:
        _refuse_negative("at", self.position_ms)


class After(msgspec.Struct, frozen=True, kw_only=True, tag="after"):
    """So long after the end of the previous cue; of the script's start for the first one."""

    delay_ms: int

    def __post_init__(self) -> None:
        _refuse_negative("after", self.delay_ms)


class When(msgspec.Struct, frozen=True, kw_only=True, tag="when"):
    """At a moment of the speaker's stay."""

    moment: Moment


Trigger = At | After | When

# --- actions ----------------------------------------------------------------------------------------------
# A kind of action is a class; its tag is the key that a document writes it with, the first paragraph of its
# docstring is what the JSON Schema says about the key, and its own fields are the grammar of the value.

NAME = r"^[^\W\d]\w*$"
"""The pattern of a name that both SDK generations can read."""

WORDS = r"\S"
"""The pattern of a text that has a word."""

_Name = Annotated[str, msgspec.Meta(pattern=NAME)]
_Words = Annotated[str, msgspec.Meta(pattern=WORDS)]
_Confidence = msgspec.Meta(description="How sure the service is, 0 to 1.")


def _about(sentence: str) -> msgspec.Meta:
    return msgspec.Meta(description=sentence)


class _Action(msgspec.Struct, frozen=True, kw_only=True):
    """What every action tells of itself."""

    example: ClassVar[str]
    """What a document may write after the keyword, for a kind that is a mapping."""

    @property
    def keyword(self) -> str:
        """The key that a document writes it with: `say`, `entity`."""
        return str(self.__struct_config__.tag)

    @property
    def text(self) -> str:
        """What is said, or found in what was said."""
        raise NotImplementedError

    @property
    def summary(self) -> str:
        """All that tells it from others of its kind, in a few words."""
        return self.text

    @property
    def entity_names(self) -> Sequence[str]:
        """The names of the entities it speaks of."""
        return ()

    @property
    def word_count(self) -> int:
        """How many words it has, each of which takes time."""
        return 0


class Recognized(_Action, frozen=True, kw_only=True):
    """An action that the service recognises in what a speaker says."""

    lang: Annotated[str | None, _about("The language of the event; what the speaker joined with by default.")] = (
        None
    )
    country: Annotated[str | None, _about("The country of the event; what the speaker joined with by default.")] = (
        None
    )
    confidence: Annotated[float | None, _Confidence] = None

    def __post_init__(self) -> None:
        _refuse_empty(lang=self.lang, country=self.country)
        if self.confidence is not None:
            _refuse_bad_confidence(self.confidence)


class _Spoken(Recognized, frozen=True, kw_only=True):
    """An action that carries text heard between the cue's start and its `until`."""

    text: _Words

    def __post_init__(self) -> None:
        if not self.text.split():
            raise ScenarioError("the text is empty; expected at least one word")
        super().__post_init__()

    @property
    def word_count(self) -> int:
        """How many words the text has."""
        return len(self.text.split())

    @property
    def summary(self) -> str:
        """The text between quotes."""
        return f'"{self.text}"'


class InlineEntity(msgspec.Struct, frozen=True, kw_only=True):
    """An entity inside a `say`: it covers the words `first..last`, both counted from 0 and inclusive."""

    name: str
    first: int
    last: int
    source: str
    display: str | None = None
    value: object = None
    confidence: float = 0.9

    def __post_init__(self) -> None:
        _refuse_bad_name("entity", self.name)
        _refuse_bad_confidence(self.confidence)
        if not 0 <= self.first <= self.last:
            raise ScenarioError(f"an entity covers words {self.first}..{self.last}; expected 0 <= first <= last")


class Say(_Spoken, frozen=True, kw_only=True, tag="say"):
    """An utterance: growing interims, the segment, the normalised text, and the entities in brackets.

    `text` is the plain transcript, its words separated by white space.
    """

    normalized: Annotated[_Words | None, _about("The text as a person would write it.")] = None
    entities: tuple[InlineEntity, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.normalized is not None and not self.normalized.split():
            raise ScenarioError("the normalized text is empty; expected at least one word")
        words = self.text.split()
        covered: set[int] = set()
        for entity in self.entities:
            span = set(range(entity.first, entity.last + 1))
            if entity.last >= len(words):
                raise ScenarioError(
                    f"entity {entity.name!r} covers word {entity.last}; the text has {len(words)} words"
                )
            if span & covered:
                raise ScenarioError(f"entity {entity.name!r} overlaps another entity; they must be disjoint")
            covered |= span

    @property
    def entity_names(self) -> Sequence[str]:
        """The names of the inline entities."""
        return [entity.name for entity in self.entities]


class SayInterim(_Spoken, frozen=True, kw_only=True, tag="interim"):
    """One interim transcript.

    Consecutive interims and the segment after them share one utterance.
    """


class SaySegment(_Spoken, frozen=True, kw_only=True, tag="segment"):
    """One final transcript; ends the utterance."""


class SayNormalized(_Spoken, frozen=True, kw_only=True, tag="normalized"):
    """The normalised text of the utterance that ended last."""


class SayEntity(Recognized, frozen=True, kw_only=True, tag="entity"):
    """One named entity."""

    example = "{name: location_city, source: lyon}"

    name: Annotated[_Name, _about("The name, such as location_city.")]
    source: Annotated[str, _about("The words as they were said.")]
    display: Annotated[str | None, _about("The words as a person would write them.")] = None
    value: Annotated[object, _about("What the words mean: any value.")] = None
    confidence: Annotated[float, _Confidence] = 0.9

    def __post_init__(self) -> None:
        _refuse_bad_name("entity", self.name)
        _refuse_empty(source=self.source, display=self.display)
        super().__post_init__()

    @property
    def text(self) -> str:
        """The words as they were said."""
        return self.source

    @property
    def entity_names(self) -> Sequence[str]:
        """Its own."""
        return [self.name]

    @property
    def summary(self) -> str:
        """The name, and the words between quotes."""
        return f'{self.name} "{self.source}"'


class SayRelation(Recognized, frozen=True, kw_only=True, tag="relation"):
    """A relation between the latest entities of these names.

    They are the speaker's, in the order of `members`. A name that no earlier entity bears becomes a member without
    reference, as the service does when it knows only one of two. D: the provider's JavaScript types.
    """

    example = "{name: location, members: [location_city]}"

    name: Annotated[_Name, _about("The name, such as location.")]
    members: Annotated[tuple[_Name, ...], _about("The names of the entities it holds between, in order.")]
    confidence: float = 0.9

    def __post_init__(self) -> None:
        _refuse_bad_name("relation", self.name)
        super().__post_init__()
        if not self.members:
            raise ScenarioError("members is empty; expected the name of at least one entity")
        for member in self.members:
            _refuse_bad_name("member", member)

    @property
    def text(self) -> str:
        """The name."""
        return self.name

    @property
    def entity_names(self) -> Sequence[str]:
        """The members."""
        return self.members


class ScriptedTag(msgspec.Struct, frozen=True, kw_only=True):
    """One tag of a `tags` action."""

    example: ClassVar[str] = '{id: "t1", label: Request for quote}'

    id: Annotated[str, _about("The tag's id.")]
    label: Annotated[str, _about("The tag's readable name.")]
    confidence: Annotated[float, _Confidence] = 0.8

    def __post_init__(self) -> None:
        _refuse_empty(id=self.id, label=self.label)
        _refuse_bad_confidence(self.confidence)


def labelled(labels: Mapping[str, str], confidence: float) -> tuple[ScriptedTag, ...]:
    """The tags of these labels, by id, each with that confidence."""
    return tuple(ScriptedTag(id=each, label=label, confidence=confidence) for each, label in labels.items())


class SayTags(Recognized, frozen=True, kw_only=True, tag="tags"):
    """The tags of a time range."""

    tags: tuple[ScriptedTag, ...]
    confidence: float = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.tags:
            raise ScenarioError("tags is empty; expected at least one tag")

    @property
    def text(self) -> str:
        """The labels."""
        return ", ".join(tag.label for tag in self.tags)


class RawEvent(_Action, frozen=True, kw_only=True, tag="event"):
    """Any event, by its wire name, with any payload."""

    example = "{name: custom_event, payload: {}}"

    name: Annotated[str, _about("The event's name on the wire.")]
    payload: Annotated[object, msgspec.Meta(description="The event's payload; {} by default.", examples=[{}])] = (
        msgspec.field(default_factory=dict)
    )

    def __post_init__(self) -> None:
        if not self.name:
            raise ScenarioError("the event name is empty")

    @property
    def text(self) -> str:
        """The name and the payload."""
        return f"{self.name} {json.dumps(self.payload, ensure_ascii=False, default=repr)}"

    @property
    def summary(self) -> str:
        """The name."""
        return self.name


Action = Say | SayInterim | SaySegment | SayNormalized | SayEntity | SayRelation | SayTags | RawEvent | Fault

# --- scripts ----------------------------------------------------------------------------------------------


class Cue(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger and an action. `until_ms` is the end of what the action speaks of, on the trigger's axis.

    `line` is where the document wrote it: for messages only, it does not count when cues are compared.
    """

    trigger: Trigger
    action: Action
    until_ms: int | None = None
    line: int | None = None

    def __post_init__(self) -> None:
        if self.until_ms is None:
            return
        if isinstance(self.action, Fault):
            raise ScenarioError("until does not go with a fault, which spans no audio")
        if not isinstance(self.trigger, At):
            raise ScenarioError("until needs at; after and when have no position to end from")
        if self.until_ms <= self.trigger.position_ms:
            raise ScenarioError(f"until is {self.until_ms} ms, not after at, {self.trigger.position_ms} ms")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Cue):
            return NotImplemented
        return (self.trigger, self.action, self.until_ms) == (other.trigger, other.action, other.until_ms)

    def __hash__(self) -> int:
        return hash((self.trigger, self.action, self.until_ms))


SHORTEST_LOOP_MS = 100
"""A script that loops is played once for every so much audio, and a client may send an hour of it at once."""


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """The cues of one speaker, in order. With `loop_ms`, the whole script starts again every so often.

    A `ghost` is a speaker that the server plays: it sends no audio, and its positions count from `say_from`,
    which is its own join or the conversation's first audio.
    """

    cues: tuple[Cue, ...] = ()
    loop_ms: int | None = None
    ghost: bool = False
    say_from: Moment = Moment.JOINED

    def __post_init__(self) -> None:
        if self.loop_ms is not None and self.loop_ms < SHORTEST_LOOP_MS:
            raise ScenarioError(f"loop is {self.loop_ms} ms; expected {SHORTEST_LOOP_MS} ms or more")
        if self.say_from is Moment.LEFT:
            raise ScenarioError("say_from is 'left'; expected 'joined' or 'first_audio'")
        if self.say_from is not Moment.JOINED and not self.ghost:
            raise ScenarioError("say_from needs ghost; the positions of other speakers are in their own audio")


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How late the service is and how often it speaks up."""

    latency_ms: Annotated[int, rule("From the end of the audio to the event.", Grade.UNKNOWN, "")] = 250
    jitter_ms: Annotated[int, rule("The most that is added to the latency at random.", Grade.UNKNOWN, "")] = 0
    interim_every_ms: Annotated[int, rule("From one interim of a say to the next.", Grade.UNKNOWN, "")] = 300
    word_ms: Annotated[
        int, rule("How long a word lasts when its cue has no until.", Grade.UNKNOWN, "about 190 words a minute")
    ] = 320

    def __post_init__(self) -> None:
        _refuse_negative("latency", self.latency_ms)
        _refuse_negative("jitter", self.jitter_ms)
        refuse_not_positive("interim_every", self.interim_every_ms, " ms")
        refuse_not_positive("word", self.word_ms, " ms")


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """Which conversations a scenario speaks in: a shell pattern over the conversation id."""

    conversation: str = "*"

    def __post_init__(self) -> None:
        _refuse_empty(conversation=self.conversation)


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A whole scenario. `seed` decides everything random in it; without `limits` the space's own hold."""

    name: str = "scenario"
    match: Match = Match()
    seed: int | None = None
    timing: Timing = Timing()
    limits: Limits | None = None
    speakers: dict[str, Script] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        _refuse_empty(scenario=self.name)
        if "" in self.speakers:
            raise ScenarioError("a speaker has no name")
        if ANYONE in self.speakers and self.speakers[ANYONE].ghost:
            raise ScenarioError("a ghost has a name of its own; '*' is everyone without a script")

    def script_for(self, speaker: str) -> Script:
        """The script of `speaker`: its own, else that of `*`, else an empty one."""
        return self.speakers.get(speaker) or self.speakers.get(ANYONE) or Script()

    def speaks_in(self, conversation: str) -> bool:
        """Whether this scenario is for the conversation of that id."""
        return fnmatchcase(conversation, self.match.conversation)
