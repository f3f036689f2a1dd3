"""Events as files: a JSON line each, or subtitles of what was said.

    json_line(event)                                # one line
    captions = Captions()
    captions.add(event)                             # every event, as it comes
    to_srt(captions.in_order()), to_vtt(captions.in_order())

Rules of subtitles.

- One caption a final segment, from its start to its end; nothing that may still change. A normalized text stands
  in for the segments of its speaker that bear its utterance, or else for those whose middle it covers.
- Captions are in the order of their starts, whichever speaker and whenever their events came. Each lasts at least a
  millisecond. Times count from the `origin` of the joins; when that is not given and the times are Unix times, from
  the first caption.
- Speakers are named as soon as there are two of them: `<v Alice>` in WebVTT, `Alice: ` in SubRip, which has no way
  of its own.
- A text is one line, and nothing in it is markup. D: WebVTT has HTML's entities for `&`, `<` and `>`, and no `-->`
  can be left then. SubRip has no standard and no entities (S: ffmpeg, srt and pysubs2 show `&amp;` as it is), so
  its text stands as it was said. Where readers would take a piece of it for a tag or for the time of a caption, a
  word joiner, which is not seen, keeps that piece apart. S: pysubs2 drops braces with all between them even so.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from .events import Event, Normalized, Segment

UNIX_MS = 100_000_000_000
"""Times from here on are Unix times: no audio goes on for three years."""

_READ_BY_SUBRIP = re.compile(r"<(?= */? *[a-zA-Z][^>]*>)|\{(?=\\|\w:)|\\(?=[Nnh])|\d:\d\d?:\d\d?(?=[,.]\d)")
"""S: where readers of SubRip find a tag of HTML, one of ASS or MicroDVD, a break, or the time of a caption."""

_WORD_JOINER = "\N{WORD JOINER}"


class Caption(msgspec.Struct, frozen=True, kw_only=True):
    """What a speaker said, and when. Times are in milliseconds from the beginning."""

    speaker: str
    text: str
    start_ms: int
    end_ms: int


def json_line(event: Event) -> str:
    """An event as JSON, on one line: `event` is its class, the rest its fields as they are."""
    return msgspec.json.encode({"event": type(event).__name__, **msgspec.to_builtins(event)}).decode()


class Captions:
    """Collects what is final.

    Args:
        origin_ms: what the events' times are counted from; None to find out.
    """

    def __init__(self, *, origin_ms: int | None = None) -> None:
        self._origin_ms = origin_ms
        self._segments: list[Segment] = []
        self._normalized: list[Normalized] = []

    def add(self, event: Event) -> None:
        """Take an event; most are of no concern."""
        match event:
            case Segment():
                self._segments.append(event)
            case Normalized():
                self._normalized.append(event)

    def in_order(self) -> list[Caption]:
        """The captions so far."""
        speech = [*self._not_normalized(), *self._normalized]
        speech.sort(key=lambda said: (said.start_ms, said.end_ms))
        origin_ms = self._origin_ms
        if origin_ms is None:
            origin_ms = speech[0].start_ms if speech and speech[0].start_ms >= UNIX_MS else 0
        return [
            Caption(speaker=said.speaker, text=text, start_ms=start, end_ms=max(start + 1, said.end_ms - origin_ms))
            for said in speech
            if (text := one_line(said.text))
            for start in (max(0, said.start_ms - origin_ms),)
        ]

    def _not_normalized(self) -> list[Segment]:
        known = {(segment.speaker, segment.utterance) for segment in self._segments}
        bearing: dict[tuple[str, str | None], list[Normalized]] = defaultdict(list)
        loose: dict[str, list[Normalized]] = defaultdict(list)
        for text in self._normalized:
            if text.utterance is not None and (text.speaker, text.utterance) in known:
                bearing[text.speaker, text.utterance].append(text)
            else:
                loose[text.speaker].append(text)
        return [
            segment
            for segment in self._segments
            # Ids begin again when a speaker comes again, so the same id must be about the same time too.
            if not any(_meet(text, segment) for text in bearing.get((segment.speaker, segment.utterance), ()))
            and not any(_covers(text, segment) for text in loose.get(segment.speaker, ()))
        ]


def _meet(text: Normalized, segment: Segment) -> bool:
    return text.start_ms <= segment.end_ms and segment.start_ms <= text.end_ms


def _covers(text: Normalized, segment: Segment) -> bool:
    return text.start_ms <= (segment.start_ms + segment.end_ms) / 2 <= text.end_ms


def to_srt(captions: Iterable[Caption]) -> str:
    """The captions as a SubRip file."""
    captions = list(captions)
    named = _several(captions)
    return "\n".join(
        f"{number}\n{_time(one.start_ms, ',')} --> {_time(one.end_ms, ',')}\n"
        f"{_srt_text(f'{one_line(one.speaker)}: {one.text}' if named else one.text)}\n"
        for number, one in enumerate(captions, start=1)
    )


def to_vtt(captions: Iterable[Caption]) -> str:
    """The captions as a WebVTT file."""
    captions = list(captions)
    named = _several(captions)
    cues = (
        f"\n{_time(one.start_ms, '.')} --> {_time(one.end_ms, '.')}\n"
        f"{_vtt_voice(one) if named else _escaped(one.text)}\n"
        for one in captions
    )
    return "".join(("WEBVTT\n", *cues))


def one_line(text: str) -> str:
    """A text without line breaks and control characters, and without space around it."""
    shown = ("�" if unicodedata.category(char) == "Cs" else char for char in text)
    return " ".join("".join(" " if unicodedata.category(char) == "Cc" else char for char in shown).split())


def _several(captions: list[Caption]) -> bool:
    return len({caption.speaker for caption in captions}) > 1


def _vtt_voice(caption: Caption) -> str:
    # D: the name must not be empty; a voice without one is no voice.
    name = _escaped(one_line(caption.speaker))
    return f"<v {name}>{_escaped(caption.text)}</v>" if name else _escaped(caption.text)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _srt_text(text: str) -> str:
    return _READ_BY_SUBRIP.sub(rf"\g<0>{_WORD_JOINER}", text)


def _time(ms: int, point: str) -> str:
    """`01:02:03.004`; hours grow as long as they need."""
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{point}{ms:03d}"
