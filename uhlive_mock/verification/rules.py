"""What can speak against a test: the rules by their ids, a violation of one, a problem, and the verdict.

`RULES` are about the client; each says from where we know, and how well. Their severity is that for any client, or
a milder one for a kind of client, since what the official SDKs do, by themselves or in their own examples, is never
an error:

    throttle                 javascript: its base64 frames exceed 20 kB/s by design where the throttle counts frames
    close_without_leave      javascript: phoenix.js disconnects when its page is hidden, joined or not
    leave_without_waiting    python: the microphone examples send leave and close at once

The kind of client on a socket is known by its messages:

    python        the official Python SDK, 1.1.0 to 2.1.0: vsn2, every join_ref "1", the SDK's own keys in its
                  joins, audio in binary pushes, never a heartbeat
    javascript    the official JavaScript SDK, or anything on phoenix.js: vsn2, a join's ref is its join_ref, and
                  heartbeats, base64 audio or the SDK's option `wrapper`
    other         everything else, also what is both or has not joined yet

Sources: SDK 2.1.0 and 1.6.1 `Conversation`, the JavaScript SDK's `conversation.ts`, phoenix.js 1.6.14 to 1.8.16.
Others of their habits break no rule as the rules are read here: both number their refs anew for each conversation,
so a ref is reused only within one stay; the Python SDK joins with join_ref "1" every time; phoenix.js leaves topics
that it is not on, which Phoenix answers with ok; observers cause no `speaker_left` and may just go.

`faster_than_real_time` is a warning for everyone: the service throttles such a client and nothing worse.

`OTHERS` are about the test and about us. A defect of ours cannot be allowed.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum

import msgspec

from ..errors import ConfigurationError
from ..model.behaviour import Grade
from ..protocol.journal import Entry
from ..wire.framing import Framing


class Severity(StrEnum):
    """How bad: an error fails a strict test, a warning is only told."""

    ERROR = "error"
    WARNING = "warning"


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that a client broke, and where it did so first.

    `rule` is its id, such as `push_before_join`; `sentence` says what the client did, `evidence` from where we
    know that it should not, with its `grade`. `entry` is the index of the journal entry that shows it and `frame`
    that message as text. `at_s` is the speaker's position on its audio axis then, in seconds; None before any
    audio. `times` counts the same speaker's breaking it again.
    """

    rule: str
    sentence: str
    severity: Severity
    grade: Grade
    evidence: str
    entry: int
    frame: str
    socket: int
    speaker: str | None = None
    topic: str | None = None
    at_s: float | None = None
    times: int = 1


_PYTHON_KEYS = frozenset(
    {"readonly", "speaker", "model", "country", "interim_results", "rescoring", "origin", "audio_codec"}
)


class ClientKind(StrEnum):
    """A kind of client."""

    PYTHON = "python"
    JAVASCRIPT = "javascript"
    OTHER = "other"


DESCRIPTIONS = {
    ClientKind.PYTHON: "the official Python SDK",
    ClientKind.JAVASCRIPT: "the official JavaScript SDK or phoenix.js",
    ClientKind.OTHER: "any other client",
}
"""Each kind in words."""


class ClientTraits(msgspec.Struct):
    """What one socket has shown of its client: how many joins there were, how many of them like which client's."""

    framing: Framing | None = None
    joins: int = 0
    python_joins: int = 0
    phoenix_joins: int = 0
    heartbeats: bool = False
    blobs: bool = False
    wrapper: bool = False

    def see(self, entry: Entry) -> None:
        """The client sent something."""
        if entry.audio_bytes is not None:
            self.blobs |= not entry.binary
        elif entry.event == "heartbeat":
            self.heartbeats = True
        elif entry.event == "phx_join":
            keys = entry.payload.keys() if isinstance(entry.payload, dict) else frozenset[str]()
            self.joins += 1
            self.python_joins += entry.join_ref == "1" and _PYTHON_KEYS - {"audio_codec"} <= keys <= _PYTHON_KEYS
            self.phoenix_joins += isinstance(entry.ref, str) and entry.ref == entry.join_ref
            self.wrapper |= "wrapper" in keys

    @property
    def kind(self) -> ClientKind:
        """The kind of client that has these traits."""
        if not self.joins or self.framing is Framing.VSN1:
            return ClientKind.OTHER
        if self.python_joins == self.joins and not (self.heartbeats or self.blobs):
            return ClientKind.PYTHON
        if self.phoenix_joins == self.joins and (self.heartbeats or self.blobs or self.wrapper):
            return ClientKind.JAVASCRIPT
        return ClientKind.OTHER


EVERYTHING = "*"
"""Allows every rule there is, but for a defect of ours."""

DEFECT = "defect"

_D, _S, _I, _U = Grade
_ERROR, _WARNING = Severity


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: what breaking it is, how bad that is, and for whom it is less bad."""

    id: str
    sentence: str
    severity: Severity
    grade: Grade | None = None
    evidence: str = ""
    milder: dict[ClientKind, Severity] = {}

    def severity_for(self, kind: ClientKind) -> Severity:
        """How bad it is when such a client breaks it."""
        return self.milder.get(kind, self.severity)


RULES: dict[str, Rule] = {
    rule.id: rule
    for rule in (
        Rule(
            id="reference_reuse",
            sentence="A ref was used twice in one stay; replies are told apart by it.",
            severity=_ERROR,
            grade=_S,
            evidence="every SDK counts its refs up; Phoenix only echoes them",
        ),
        Rule(
            id="wrong_join_ref",
            sentence="A message had another join_ref than the join of its topic.",
            severity=_ERROR,
            grade=_S,
            evidence="Phoenix sources and runs of real servers: such a message is dropped without an answer",
        ),
        Rule(
            id="push_before_join",
            sentence="A message was pushed to a topic that was not joined.",
            severity=_ERROR,
            grade=_S,
            evidence="Phoenix answers 'unmatched topic'; the SDKs refuse to, or wait",
        ),
        Rule(
            id="audio_before_join",
            sentence="Audio was sent before a join was accepted.",
            severity=_ERROR,
            grade=_S,
            evidence="SDK 2.1.0 raises ProtocolError, the JavaScript SDK waits; Phoenix answers 'unmatched topic'",
        ),
        Rule(
            id="audio_after_leave",
            sentence="Audio was sent after the speaker had left.",
            severity=_ERROR,
            grade=_S,
            evidence="Phoenix answers 'unmatched topic', which the Python SDK raises as an error",
        ),
        Rule(
            id="double_join",
            sentence="A topic was joined that was joined already.",
            severity=_ERROR,
            grade=_S,
            evidence="Phoenix ends the first stay; SDK 2.1.0 raises ProtocolError, phoenix.js leaves first",
        ),
        Rule(
            id="bad_topic",
            sentence="A message was for a topic that is no conversation of its account.",
            severity=_ERROR,
            grade=_D,
            evidence="protocol V1 page: conversation:IDENTIFIER@CONVERSATION, the identifier that of the token",
        ),
        Rule(
            id="bad_frame",
            sentence="A frame was no Phoenix message, or its header lied about its sizes.",
            severity=_ERROR,
            grade=_S,
            evidence="Phoenix serializers and runs of real servers; sizes count bytes, not characters",
        ),
        Rule(
            id="odd_samples",
            sentence="A chunk of 16-bit audio ended in the middle of a sample.",
            severity=_ERROR,
            grade=_D,
            evidence="getting-started page: 16-bit samples",
        ),
        Rule(
            id="chunk_size",
            sentence="A chunk was larger than the rule `chunk` allows.",
            severity=_ERROR,
            grade=_D,
            evidence="provider's overview: 64 kB at most",
        ),
        Rule(
            id="gap",
            sentence="A speaker sent no audio for longer than the rule `gap` allows.",
            severity=_ERROR,
            grade=_D,
            evidence="first-steps page: a gap of a few seconds ends the session; how many is not published",
        ),
        Rule(
            id="throttle",
            sentence="Audio came faster than the rule `throttle` lets through.",
            severity=_ERROR,
            grade=_D,
            evidence="provider's landing page: 20 kB a second for each connection",
            milder={ClientKind.JAVASCRIPT: _WARNING},
        ),
        Rule(
            id="faster_than_real_time",
            sentence="Audio came faster than it can be spoken.",
            severity=_WARNING,
            grade=_D,
            evidence="first-steps page: audio faster than real time is throttled",
        ),
        Rule(
            id="missing_heartbeat",
            sentence="A socket was closed because neither message, heartbeat nor ping came.",
            severity=_ERROR,
            grade=_D,
            evidence="protocol V2 page: 60 s without activity, to be avoided with pings",
        ),
        Rule(
            id="close_without_leave",
            sentence="A speaker did not leave before its connection, or the test, ended.",
            severity=_ERROR,
            grade=_D,
            evidence="SDK 2.1.0, Conversation.leave: leave first, or parts of the transcript may be missed",
            milder={ClientKind.JAVASCRIPT: _WARNING},
        ),
        Rule(
            id="leave_without_waiting",
            sentence="A client closed its socket after its leave before speaker_left could be sent.",
            severity=_ERROR,
            grade=_D,
            evidence="SDK 2.1.0, Conversation.leave: read until the own speaker_left, then close",
            milder={ClientKind.PYTHON: _WARNING},
        ),
    )
}
"""What a client can do wrong, by id."""

OTHERS: dict[str, Rule] = {
    rule.id: rule
    for rule in (
        Rule(id="unplayed_cue", sentence="A cue of the scenario was never reached.", severity=_ERROR),
        Rule(id="unheard", sentence="A scenario, or a speaker of one, was never given a chance.", severity=_ERROR),
        Rule(
            id="unexpected_contact",
            sentence="The client contacted the service although the test expected nothing.",
            severity=_ERROR,
        ),
        Rule(id="unstruck_fault", sentence="A fault never struck.", severity=_WARNING),
        Rule(id=DEFECT, sentence="Something in uhlive-mock itself failed; please report it.", severity=_ERROR),
    )
}
"""What else speaks against a test, by id."""


def known(ids: Iterable[str]) -> frozenset[str]:
    """The ids of rules to allow, `*` for all of them.

    Raises:
        ConfigurationError: there is no such rule, or it cannot be allowed; says which was meant, if one is close.
    """
    found = frozenset(ids)
    every = [rule for rule in (*RULES, *OTHERS) if rule != DEFECT]
    for name in sorted(found - {EVERYTHING, *every}):
        if name == DEFECT:
            raise ConfigurationError("a defect of uhlive-mock itself cannot be allowed; please report it")
        close = get_close_matches(name, every, n=1)
        remedy = f"did you mean {close[0]!r}?" if close else f"expected {EVERYTHING!r} or any of {', '.join(every)}"
        raise ConfigurationError(f"there is no rule {name!r} to allow; {remedy}")
    return found


def opt_out(rule: str) -> dict[str, str]:
    """How a test allows a rule: where to write it, and what."""
    if rule == DEFECT:
        return {}
    return {
        "in the test": f'uhlive_mock.allow("{rule}")',
        "on the test": f'@pytest.mark.uhlive_mock(allow=["{rule}"]), or strict=False for all',
        "in pytest.ini": f"uhlive_mock_allow = {rule}",
    }


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that speaks against a test.

    `rule` is what an opt-out names: an id of `rules.RULES` or `rules.OTHERS`. `text` is what the user reads, on one
    line or several: who, what happened, the frame, the moment, from where we know. As text of its own, a problem
    also says its rule and how to opt out.
    """

    rule: str
    severity: Severity
    text: str

    def __str__(self) -> str:
        where = [f"  to allow it {place}: {what}" for place, what in opt_out(self.rule).items()]
        return "\n".join([f"{self.rule}: {self.text}", *where])


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Every problem, worst first; those that were allowed are left out."""

    problems: tuple[Problem, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that fail a strict test."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)

    @property
    def ok(self) -> bool:
        """Whether a strict test passes."""
        return not self.errors
