"""Events as lines for a terminal.

    [Alice 0:02.1] bonjour je voudrais deux billets pour lyon
      normalized: Bonjour, je voudrais 2 billets pour Lyon.
      entity location_city: Lyon

What is final is printed and stays. What may still change (the interims, one line a speaker, a status line and
what the caller wants at the bottom) lives in an area below, redrawn in place; when the output is no terminal there
is no such area.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from .events import (
    Closed,
    Entity,
    Event,
    Interim,
    Normalized,
    Reconnected,
    Relation,
    Reply,
    Segment,
    SpeakerJoined,
    SpeakerLeft,
    Tags,
    UnknownEvent,
)
from .formats import UNIX_MS

if TYPE_CHECKING:
    from types import TracebackType

_COLOURS = ("cyan", "magenta", "green", "yellow", "blue")


class Transcript:
    """A running transcript of one conversation, of any number of speakers; a context manager.

    Args:
        console: where to print.
        origin_ms: what the events' times are counted from: the `origin` of the joins. None finds out: Unix times
            are counted from the first one.
        bottom: what to show below everything else, on a terminal.
    """

    def __init__(
        self, console: Console, *, origin_ms: int | None = 0, bottom: RenderableType | None = None
    ) -> None:
        self._console = console
        self._origin_ms = origin_ms
        self._bottom = bottom
        self._status = ""
        self._interims: dict[str, Interim] = {}
        self._colours: dict[str, str] = {}
        # Redrawn by us, when something changes: no thread of rich's beside the event loop.
        self._live = (
            # Nor does it take stdout, which need not be this console's.
            Live(
                console=console,
                auto_refresh=False,
                transient=True,
                vertical_overflow="crop",
                redirect_stdout=False,
            )
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._interims.clear()
        self._status = ""
        self._bottom = None
        self.refresh()
        if self._live is not None:
            self._live.stop()

    def show(self, event: Event) -> None:
        """Print what is final in an event, or redraw what is not."""
        match event:
            case Interim():
                self._interims[event.speaker] = event
                self.refresh()
            case Segment() | SpeakerLeft():
                self._interims.pop(event.speaker, None)
                self.refresh()
                self._print(self._spoken(event) if isinstance(event, Segment) else _note(event))
            case Closed() | Reply(ok=True):
                pass
            case _:
                self._print(_note(event))

    def status(self, line: str) -> None:
        """Replace the status line below the interims; an empty one removes it. Terminals only."""
        if line != self._status:
            self._status = line
            self.refresh()

    def line(self, text: str) -> None:
        """Print a line as it is."""
        self._print(Text(text))

    def _spoken(self, event: Interim | Segment) -> Text:
        colour = self._colours.setdefault(event.speaker, _COLOURS[len(self._colours) % len(_COLOURS)])
        if self._origin_ms is None:
            self._origin_ms = event.start_ms if event.start_ms >= UNIX_MS else 0
        head = f"[{_plain(event.speaker)} {_clock(event.start_ms - self._origin_ms)}]"
        return Text.assemble((head, colour), " ", _plain(event.text))

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)

    def refresh(self) -> None:
        """Draw again what is at the bottom. Terminals only."""
        if self._live is None:
            return
        lines = [self._spoken(interim) for interim in self._interims.values()]
        for line in lines:
            line.stylize("dim")
        if self._status:
            lines.append(Text(_plain(self._status), style="dim"))
        bottom = [] if self._bottom is None else [self._bottom]
        self._live.update(Group(*lines, *bottom), refresh=True)


def _note(event: Event) -> Text:
    """A line that is not speech."""
    match event:
        case Normalized():
            return Text(f"  normalized: {_plain(event.text)}", style="bold")
        case Entity():
            return Text(f"  entity {event.name}: {_plain(event.display or event.source)}", style="green")
        case Relation():
            members = ", ".join(member.name or "?" for member in event.members)
            return Text(f"  relation {event.name}: {_plain(members)}", style="green")
        case Tags():
            return Text(f"  tags: {_plain(', '.join(tag.label for tag in event.tags))}", style="green")
        case SpeakerJoined():
            return Text(f"{_plain(event.speaker)} joined", style="dim")
        case SpeakerLeft():
            why = f": {_plain(event.reason)}" if event.reason else ""
            return Text(f"{_plain(event.speaker)} left{why}", style="dim")
        case Reply():
            return Text(f"  refused: {_plain(event.reason or 'no reason given')}", style="red")
        case Reconnected():
            lost = f"{event.gap_s:.1f} s, {event.lost_audio_s:.1f} s of sound was not sent"
            return Text(f"  joined again after {lost}: {_plain(event.reason)}", style="red")
        case UnknownEvent():
            return Text(f"  unknown event {_plain(event.name)}", style="dim")
        case _:
            return Text(_plain(repr(event)))


def _clock(ms: int) -> str:
    """`0:02.1` for 2100 ms; minutes are not folded into hours."""
    sign = "-" if ms < 0 else ""
    tenths = abs(ms) // 100
    return f"{sign}{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def _plain(text: str) -> str:
    """Text from the wire, without the control characters that could drive the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)
