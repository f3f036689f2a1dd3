"""Who was where when: each entry of a journal with the stay it belongs to and that speaker's place in its audio.

A stay begins with a `phx_join` on a socket and a topic. To it belong

    received    every message on that socket and topic until the next join there
    sent        events that name its speaker, to whomever; else what was sent on that socket and topic
    the rest    what is noted on its socket and topic, or on its socket of its speaker

A place in the audio counts what came before the entry. Where the oldest entries are gone it is counted back from
what was heard in all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..model.audio import SAMPLE_RATE
from ..protocol.journal import Entry, Kind
from ..protocol.space import TOPIC_PREFIX, Space
from ..protocol.speaker_audio import SpeakerAudio


class Stay:
    """One participant's stay on a topic; without a hearing it observes, or its join was refused."""

    def __init__(self, *, socket: int, topic: object, speaker: str | None, hearing: SpeakerAudio | None) -> None:
        self.socket = socket
        self.topic = topic
        self.speaker = speaker
        self.hearing = hearing
        self.join: Entry | None = None
        self.received = 0
        """Bytes of audio so far."""

    @property
    def samples(self) -> int:
        """Whole samples so far."""
        if self.hearing is None:
            return 0
        # What a rule refused was received, but not heard.
        return min(self.received // self.hearing.options.audio_codec.sample_width, self.hearing.samples)


class Placed:
    """An entry, the stay it belongs to, and the samples of that stay's audio that came before it.

    `listener` is to whom something was sent: the speaker or observer who had joined on that socket then.
    """

    __slots__ = ("entry", "listener", "samples", "stay")

    def __init__(self, entry: Entry, stay: Stay | None, listener: str | None = None) -> None:
        self.entry = entry
        self.stay = stay
        self.listener = listener
        self.samples = stay.samples if stay else 0

    @property
    def position_s(self) -> float | None:
        """Seconds of the speaker's audio; None for whoever sends none."""
        return self.samples / SAMPLE_RATE if self.stay and self.stay.hearing else None


class Stays:
    """The entries of a space with their stays.

    `opened` says when each socket did, or was first heard of; `first` is the index of the oldest entry there is.
    """

    def __init__(self, space: Space) -> None:
        self.entries: tuple[Entry, ...] = tuple(space.journal)
        self.clients = tuple(space.accounts)
        self.first = self.entries[0].index if self.entries else 0
        self.opened: dict[int, float] = {}
        self.all: list[Stay] = []
        self._by_seat: dict[tuple[int, object], Stay] = {}
        self._by_name: dict[tuple[object, str | None], Stay] = {}
        self._by_socket: dict[tuple[int, str | None], Stay] = {}
        hearings = list(space.hearings)
        self._joins = {hearing.join.index: hearing for hearing in hearings if hearing.join}
        self._resume(hearings)
        self.placed: list[Placed] = [self._place(entry) for entry in self.entries]

    def conversation(self, topic: object) -> str | None:
        """The id of the conversation of a topic; None of what is no conversation's."""
        return conversation_of(topic, self.clients)

    def at(self, entry: Entry) -> Placed:
        """An entry of the journal, with its stay."""
        return self.placed[entry.index - self.first]

    def moment(self, entry: Entry) -> str:
        """When an entry happened: since its socket opened, and in its speaker's audio."""
        placed = self.at(entry)
        opened = self.opened.get(entry.socket)
        parts = [] if opened is None else [f"socket {entry.socket} at {entry.now - opened:.3f} s"]
        if placed.stay and placed.position_s is not None:
            parts.append(f"{placed.stay.speaker}'s audio at {placed.position_s:.3f} s")
        return f"#{entry.index}" + (f" ({', '.join(parts)})" if parts else "")

    # --- inside ---

    def _resume(self, hearings: Sequence[SpeakerAudio]) -> None:
        """The stays whose joins the journal has lost; what it still has of their audio is not counted yet."""
        lost = [hearing for hearing in hearings if not hearing.join or hearing.join.index < self.first]
        if not self.first:
            return
        for hearing in lost:
            stay = Stay(socket=hearing.socket, topic=hearing.topic, speaker=hearing.speaker, hearing=hearing)
            stay.join = hearing.join
            stay.received = hearing.samples * hearing.options.audio_codec.sample_width
            self._seat(stay)
        over: set[tuple[int, object]] = set()
        for entry in self.entries:
            if entry.kind is not Kind.RECEIVED or not isinstance(entry.topic, str):
                continue
            seat = entry.socket, entry.topic
            resumed = None if seat in over else self._by_seat.get(seat)
            if entry.event == "phx_join":
                over.add(seat)
            elif entry.audio_bytes and resumed:
                resumed.received = max(0, resumed.received - entry.audio_bytes)

    def _seat(self, stay: Stay) -> None:
        self.all.append(stay)
        self._by_seat[stay.socket, stay.topic] = stay
        self._by_socket[stay.socket, stay.speaker] = stay
        if stay.hearing:
            self._by_name[stay.topic, stay.speaker] = stay

    def _place(self, entry: Entry) -> Placed:
        if entry.socket:
            self.opened.setdefault(entry.socket, entry.now)
        topic = entry.topic if isinstance(entry.topic, str) else None
        if entry.kind is Kind.RECEIVED and entry.event == "phx_join":
            hearing = self._joins.get(entry.index)
            stay = Stay(socket=entry.socket, topic=topic, speaker=entry.speaker, hearing=hearing)
            stay.join = entry
            self._seat(stay)
            return Placed(entry, stay)
        seat = self._by_seat.get((entry.socket, topic))
        listener = seat.speaker if seat and entry.kind is Kind.SENT else None
        placed = Placed(entry, self._stay_of(entry, topic), listener)
        if entry.audio_bytes and placed.stay:
            placed.stay.received += entry.audio_bytes
        return placed

    def _stay_of(self, entry: Entry, topic: str | None) -> Stay | None:
        if entry.kind is Kind.SENT and entry.speaker is not None:
            return self._by_name.get((topic, entry.speaker))
        if topic is not None:
            return self._by_seat.get((entry.socket, topic))
        return self._by_socket.get((entry.socket, entry.speaker)) if entry.speaker is not None else None


def conversation_of(topic: object, clients: Iterable[str]) -> str | None:
    """The id of the conversation of a topic, for a space of these clients; None of what is no conversation's."""
    if not isinstance(topic, str) or not topic.startswith(TOPIC_PREFIX):
        return None
    named = topic.removeprefix(TOPIC_PREFIX)
    for client_id in clients:
        if named.startswith(f"{client_id}@"):
            return named.removeprefix(f"{client_id}@")
    return named.partition("@")[2] or named
