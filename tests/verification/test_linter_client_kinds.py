"""What clients we did not write do is never an error."""

from __future__ import annotations

import base64
import json
from itertools import count

import pytest

from uhlive_mock.model.account import Account
from uhlive_mock.model.settings import Drive, SpaceSettings
from uhlive_mock.protocol import socket as protocol
from uhlive_mock.protocol.clock import Clock
from uhlive_mock.protocol.records import Closed, EndedBy
from uhlive_mock.protocol.space import Space
from uhlive_mock.verification.judge import JournalReader
from uhlive_mock.verification.rules import Severity
from uhlive_mock.wire.framing import Framing

TOPIC = "conversation:acme@conv1"


class Socket:
    """A socket in memory, and what is wrong on it."""

    def __init__(self) -> None:
        accounts = (Account(client_id="acme", client_secret="s"),)
        settings = SpaceSettings(accounts=accounts, clock=Drive.MANUAL)
        self.space = Space(settings, Clock(settings.clock, real=lambda: 0.0, wall=lambda: 0.0))
        self.session = protocol.Socket(
            space=self.space, account=accounts[0], framing=Framing.VSN2, now=0.0, number=1
        )

    def send(self, message: str | bytes) -> list[str]:
        self.session.receive(message, 0.0)
        return [effect for effect in self.session.effects() if isinstance(effect, str)]

    @property
    def severities(self) -> dict[str, Severity]:
        return {violation.rule: violation.severity for violation in JournalReader.of(self.space).violations()}


# --- official clients ---


def test_the_installed_python_sdk_breaks_nothing_in_two_conversations_one_after_the_other():
    sdk = pytest.importorskip("uhlive.stream.conversation")
    socket = Socket()
    for name in ("conv1", "conv2"):
        conversation = sdk.Conversation("acme", name, "Alice")
        for text in socket.send(conversation.join(model="fr", country="fr")):
            conversation.receive(text)
        for _ in range(12):
            socket.send(conversation.send_audio_chunk(bytes(1920)))
        for text in socket.send(conversation.leave()):
            conversation.receive(text)
        assert conversation.left
    socket.session.closed(0.0, Closed(by=EndedBy.CLIENT, code=1000))
    assert socket.severities == {}


def test_its_microphone_example_leaves_and_closes_at_once_which_is_a_warning():
    sdk = pytest.importorskip("uhlive.stream.conversation")
    socket = Socket()
    conversation = sdk.Conversation("acme", "conv1", "Alice")
    for text in socket.send(conversation.join()):
        conversation.receive(text)
    unsent = socket.send(conversation.leave())
    socket.session.closed(0.0, Closed(by=EndedBy.CLIENT, code=1000, unsent=len(unsent)))
    assert socket.severities == {"leave_without_waiting": Severity.WARNING}


def test_its_observer_example_leaves_and_closes_at_once_which_is_fine():
    sdk = pytest.importorskip("uhlive.stream.conversation")
    socket = Socket()
    conversation = sdk.Conversation("acme", "conv1", "observer")
    for text in socket.send(conversation.join(readonly=True)):
        conversation.receive(text)
    unsent = socket.send(conversation.leave())
    socket.session.closed(0.0, Closed(by=EndedBy.CLIENT, code=1000, unsent=len(unsent)))
    assert socket.severities == {}


class Browser:
    """Sends what phoenix.js sends: one counter for all refs, a join's ref as join_ref, audio as base64."""

    def __init__(self) -> None:
        self.socket = Socket()
        self.refs = count(6)
        self.join_ref: str | None = None

    def push(self, event: str, payload: object) -> None:
        ref = str(next(self.refs))
        if event == "phx_join":
            self.join_ref = ref
        self.socket.send(json.dumps([self.join_ref, ref, TOPIC, event, payload]))

    def beat(self) -> None:
        self.socket.send(json.dumps([None, str(next(self.refs)), "phoenix", "heartbeat", {}]))

    def talk(self) -> None:
        for size in (4096, 3840, 4096):
            self.push("audio_chunk", {"blob": base64.b64encode(bytes(size)).decode()})


def test_the_javascript_sdk_breaks_nothing_even_when_a_second_channel_takes_the_topic():
    browser = Browser()
    for speaker in ("qwzk", "abcd"):
        browser.push("phx_join", {"speaker": speaker, "model": "en", "country": "us", "wrapper": "uhlive"})
        browser.beat()
        browser.talk()
        browser.push("phx_leave", {})
    browser.socket.session.closed(0.0, Closed(by=EndedBy.CLIENT, code=1000))
    assert browser.socket.severities == {}


def test_a_join_that_timed_out_is_left_and_joined_again_by_phoenix_js():
    browser = Browser()
    browser.push("phx_leave", {})
    browser.push("phx_join", {"speaker": "qwzk", "model": "en"})
    browser.push("phx_leave", {})
    browser.push("phx_leave", {})
    assert browser.socket.severities == {}


def test_a_page_that_is_closed_disconnects_without_a_leave_which_is_a_warning():
    browser = Browser()
    browser.push("phx_join", {"speaker": "qwzk", "model": "en"})
    browser.talk()
    browser.socket.session.closed(0.0, Closed(by=EndedBy.CLIENT, code=1001))
    assert browser.socket.severities == {"close_without_leave": Severity.WARNING}
