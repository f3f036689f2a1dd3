"""Lines for a terminal, and for a pipe."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text
from uhlive_client.events import (
    Closed,
    Entity,
    EntityRef,
    Interim,
    Normalized,
    Reconnected,
    Relation,
    Reply,
    Segment,
    SpeakerJoined,
    SpeakerLeft,
    Tag,
    Tags,
    UnknownEvent,
)
from uhlive_client.transcript import Transcript

WHEN = {"speaker": "Alice", "start_ms": 2150, "end_ms": 4000}


def piped(*events, origin_ms=0) -> str:
    out = io.StringIO()
    with Transcript(Console(file=out, width=40), origin_ms=origin_ms) as transcript:
        for event in events:
            transcript.show(event)
            transcript.status("status")
    return out.getvalue()


def on_terminal(*events) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, color_system=None)
    with Transcript(console) as transcript:
        for event in events:
            transcript.show(event)
    return out.getvalue()


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Segment(text="bonjour", **WHEN), "[Alice 0:02.1] bonjour\n"),
        (Normalized(text="Bonjour.", **WHEN), "  normalized: Bonjour.\n"),
        (
            Entity(name="location_city", source="lyon", display="Lyon", **WHEN),
            "  entity location_city: Lyon\n",
        ),
        (Entity(name="location_city", source="lyon", **WHEN), "  entity location_city: lyon\n"),
        (
            Relation(name="identity", members=(EntityRef(name="pers_firstname"), EntityRef(name=None)), **WHEN),
            "  relation identity: pers_firstname, ?\n",
        ),
        (
            Tags(tags=(Tag(id="1", label="Request"), Tag(id="2", label="Thanks")), **WHEN),
            "  tags: Request, Thanks\n",
        ),
        (SpeakerJoined(speaker="Bob"), "Bob joined\n"),
        (SpeakerLeft(speaker="Bob"), "Bob left\n"),
        (SpeakerLeft(speaker="Bob", reason="gone"), "Bob left: gone\n"),
        (UnknownEvent(name="new_thing", payload={}), "  unknown event new_thing\n"),
        (Reply(ref="2", ok=False, reason="no"), "  refused: no\n"),
        (Reply(ref="2", ok=True), ""),
        (
            Reconnected(gap_s=1.25, lost_audio_s=1.0, origin=0, attempts=2, reason="with code 1011"),
            "  joined again after 1.2 s, 1.0 s of sound was not sent: with code 1011\n",
        ),
        (Closed(), ""),
        (Interim(text="bonj", **WHEN), ""),
    ],
)
def test_what_a_pipe_gets(event, line):
    assert piped(event) == line


def test_a_pipe_gets_long_lines_whole():
    assert piped(Segment(text="mot " * 50, **WHEN)).count("\n") == 1


def test_brackets_are_text_and_control_characters_are_not():
    assert piped(Segment(text="[bold]\x1b[2J\nfin", **WHEN)) == "[Alice 0:02.1] [bold] [2J fin\n"


@pytest.mark.parametrize(
    ("start_ms", "origin_ms", "clock"),
    [
        (0, 0, "0:00.0"),
        (59_999, 0, "0:59.9"),
        (3_725_000, 0, "62:05.0"),
        (1_700_000_002_150, 1_700_000_000_000, "0:02.1"),
    ],
)
def test_times_count_from_the_origin(start_ms, origin_ms, clock):
    event = Segment(speaker="Alice", text="x", start_ms=start_ms, end_ms=start_ms + 1)
    assert piped(event, origin_ms=origin_ms) == f"[Alice {clock}] x\n"


def test_a_terminal_sees_interims_until_the_segment_replaces_them():
    shown = on_terminal(
        Interim(text="bonj", **WHEN),
        Interim(speaker="Bob", text="oui", start_ms=0, end_ms=1),
        Segment(text="bonjour", **WHEN),
    )
    before, after = shown.split("[Alice 0:02.1] bonjour", 1)
    assert "[Alice 0:02.1] bonj" in before
    assert "[Bob 0:00.0] oui" in before
    assert "[Bob 0:00.0] oui" in after
    assert "[Alice" not in after


def test_who_left_has_no_interim():
    shown = on_terminal(Interim(text="bonj", **WHEN), SpeakerLeft(speaker="Alice"))
    assert "bonj" not in shown.split("Alice left", 1)[1]


def test_the_status_line_is_gone_at_the_end():
    out = io.StringIO()
    with Transcript(Console(file=out, force_terminal=True, color_system=None)) as transcript:
        transcript.status("streaming 1.0 of 2.0 s")
        assert "streaming 1.0 of 2.0 s" in out.getvalue()
        length = len(out.getvalue())
    assert "streaming" not in out.getvalue()[length:]


def test_the_bottom_is_drawn_below_everything_and_gone_at_the_end():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, color_system=None)
    with Transcript(console, bottom=Text("at the bottom")) as transcript:
        transcript.show(Interim(text="bonj", **WHEN))
        transcript.refresh()
        shown = out.getvalue()
        assert shown.rindex("bonj") < shown.rindex("at the bottom")
    assert "at the bottom" not in out.getvalue()[len(shown) :]


def test_unix_times_are_counted_from_the_first_when_nobody_told_the_origin():
    start = 1_700_000_002_150
    out = io.StringIO()
    with Transcript(Console(file=out, width=40), origin_ms=None) as transcript:
        for text, at in (("un", start), ("deux", start + 1500)):
            transcript.show(Segment(speaker="Alice", text=text, start_ms=at, end_ms=at + 1))
    assert out.getvalue() == "[Alice 0:00.0] un\n[Alice 0:01.5] deux\n"
