"""Several sockets doing anything in any order, against a small model that predicts every frame."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from uhlive_mock.protocol.outbox import Close

TOPICS = st.sampled_from(["conversation:acme@a", "conversation:acme@b"])
FOREIGN = "conversation:other@a"
OK = {"status": "ok", "response": {}}


def refused(reason: str) -> dict:
    return {"status": "error", "response": {"reason": reason}}


@dataclass
class Stay:
    """What the model knows of a joined topic."""

    join_ref: str
    speaker: str
    readonly: bool


@dataclass(eq=False)
class Line:
    """A socket, what it has joined and what it should have heard since the last check."""

    peer: object
    stays: dict[str, Stay] = field(default_factory=dict)
    heard: list = field(default_factory=list)


def test_sockets_hear_what_a_model_of_the_service_predicts(room):
    class Sockets(RuleBasedStateMachine):
        lines = Bundle("lines")

        def __init__(self) -> None:
            super().__init__()
            self.place = room(chunk_reply="ok", now=100.0)
            self.open: list[Line] = []
            self.refs = 0

        def ref(self) -> str:
            self.refs += 1
            return str(self.refs)

        def reply(self, line: Line, join_ref: str | None, ref: str, topic: str, payload: dict) -> None:
            line.heard.append([join_ref, ref, topic, "phx_reply", payload])

        def tell(self, topic: str, event: str, speaker: str, without: Line | None = None) -> None:
            for line in self.open:
                if topic in line.stays and line is not without:
                    line.heard.append([None, None, topic, event, speaker])

        def lose(self, line: Line, topic: str) -> Stay:
            stay = line.stays.pop(topic)
            if not stay.readonly:
                self.tell(topic, "speaker_left", stay.speaker)
            return stay

        @rule(target=lines)
        def connect(self) -> Line:
            line = Line(self.place.connect())
            self.open.append(line)
            return line

        @rule(
            line=lines,
            topic=TOPICS,
            speaker=st.sampled_from(["Alice", "Bob"]),
            readonly=st.booleans(),
            fault=st.sampled_from([None, None, None, "fields", "identifier", "topic"]),
        )
        def join(self, line: Line, topic: str, speaker: str, readonly: bool, fault: str | None) -> None:
            ref, join_ref = self.ref(), f"j{self.ref()}"
            fields = {"readonly": readonly}
            if fault == "identifier":
                topic = FOREIGN
            elif fault == "topic":
                topic = "nowhere"
            elif fault == "fields":
                fields["origin"] = "never"
            line.peer.join(speaker, topic=topic, join_ref=join_ref, ref=ref, **fields)
            if fault == "topic":
                self.reply(line, None, ref, topic, refused("unmatched topic"))
                return
            old = self.lose(line, topic) if topic in line.stays else None
            if fault:
                reason = "unauthorized" if fault == "identifier" else "invalid origin"
                self.reply(line, join_ref, ref, topic, refused(reason))
            else:
                if not readonly:
                    self.tell(topic, "speaker_joined", speaker)
                line.stays[topic] = Stay(join_ref, speaker, readonly)
                self.reply(line, join_ref, ref, topic, OK)
            if old:
                line.heard.append([old.join_ref, old.join_ref, topic, "phx_close", {}])

        @rule(line=lines, topic=TOPICS, with_ref=st.sampled_from(["own", "own", "null", "stale"]))
        def leave(self, line: Line, topic: str, with_ref: str) -> None:
            ref, stay = self.ref(), line.stays.get(topic)
            join_ref = {"own": stay.join_ref if stay else "none", "null": None, "stale": "stale"}[with_ref]
            line.peer.send(join_ref, ref, topic, "phx_leave")
            if stay is None:
                self.reply(line, join_ref, ref, topic, OK)
            elif with_ref != "stale":
                self.reply(line, stay.join_ref, ref, topic, OK)
                line.heard.append([stay.join_ref, stay.join_ref, topic, "phx_close", {}])
                if not stay.readonly:
                    self.tell(topic, "speaker_left", stay.speaker)
                del line.stays[topic]

        @rule(
            line=lines,
            topic=TOPICS,
            with_ref=st.sampled_from(["own", "null", "stale"]),
            seconds=st.floats(0, 1),
        )
        def send_audio(self, line: Line, topic: str, with_ref: str, seconds: float) -> None:
            ref, stay = self.ref(), line.stays.get(topic)
            join_ref = {"own": stay.join_ref if stay else "none", "null": None, "stale": "stale"}[with_ref]
            line.peer.send(join_ref, ref, topic, "audio_chunk", {"blob": "AAAA" * round(seconds * 100)})
            if stay is None:
                self.reply(line, None, ref, topic, refused("unmatched topic"))
            elif with_ref != "stale" and not stay.readonly:
                self.reply(line, stay.join_ref, ref, topic, OK)

        @rule(line=lines, topic=TOPICS)
        def crash(self, line: Line, topic: str) -> None:
            ref, stay = self.ref(), line.stays.get(topic)
            line.peer.send(None, ref, topic, "boom")
            if stay is None:
                self.reply(line, None, ref, topic, refused("unmatched topic"))
                return
            self.lose(line, topic)
            error = {"reason": "channel_crash"}
            line.heard.append([stay.join_ref, stay.join_ref, topic, "phx_error", error])

        @rule(line=lines)
        def beat(self, line: Line) -> None:
            ref = self.ref()
            line.peer.send(None, ref, "phoenix", "heartbeat")
            self.reply(line, None, ref, "phoenix", OK)

        @rule(line=consumes(lines), fatally=st.booleans())
        def end(self, line: Line, fatally: bool) -> None:
            self.open.remove(line)
            if fatally:
                line.peer.send_text("{")
            else:
                line.peer.drop()
            for topic in list(line.stays):
                self.lose(line, topic)
            assert line.peer.hears() == line.heard + [Close(1011)] * fatally

        @rule(seconds=st.floats(0, 10))
        def wait(self, seconds: float) -> None:
            self.place.wait(seconds)

        @invariant()
        def everyone_heard_what_was_predicted(self) -> None:
            for line in self.open:
                found = [
                    [*frame[:4], frame[4]["speaker"]] if frame[3].startswith("speaker_") else frame
                    for frame in line.peer.hears()
                ]
                assert found == line.heard
                line.heard.clear()

        @invariant()
        def conversations_live_as_long_as_someone_takes_part(self) -> None:
            joined = {topic for line in self.open for topic in line.stays}
            assert set(self.place.space.conversations) == joined

    run_state_machine_as_test(Sockets, settings=settings(stateful_step_count=40))
