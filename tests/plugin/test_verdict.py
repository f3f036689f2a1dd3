"""What the user of a broken client reads."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

CLIENTS = '''
import json
import pytest
from websockets.sync.client import connect
from uhlive.stream.conversation import Conversation
from uhlive_mock import scenario

TICKETS = scenario("tickets").speaker("Alice").say("deux billets", at=0.5, until=1).say("merci", at=9).build()
SECOND = bytes(16_000)


class Client:
    """The official SDK on a socket, and ways to use both wrongly."""

    def __init__(self, space, speaker="Alice"):
        self.opened = connect(f"{space.ws_url}/socket/websocket?jwt={space.issue_token()}&vsn=2.0.0")
        self.socket = self.opened.__enter__()
        self.call = Conversation(space.client_id, "conv1", speaker)

    def send(self, *frames):
        for frame in frames:
            self.socket.send(frame)

    def raw(self, join_ref, ref, event, payload):
        self.socket.send(json.dumps([join_ref, ref, self.call.topic, event, payload]))

    def join(self):
        self.send(self.call.join(model="fr"))
        self.receive()

    def receive(self):
        self.call.receive(self.socket.recv())

    def audio(self, chunk=SECOND):
        self.send(self.call.send_audio_chunk(chunk))

    def leave(self):
        self.send(self.call.leave())
        while not self.call.left:
            self.receive()

    def close(self):
        self.opened.__exit__(None, None, None)


@pytest.fixture
def client(uhlive_mock):
    client = Client(uhlive_mock)
    yield client
    client.close()


def test_well_behaved(client):
    client.join()
    client.audio()
    client.leave()


def test_never_leaves(client):
    client.join()
    client.audio()


def test_never_closes(uhlive_mock, request):
    client = Client(uhlive_mock)
    request.config.kept_open = client  # lives longer than the test
    client.join()
    client.audio()


def test_audio_before_join(client):
    client.call.join()
    client.call._state = type(client.call._state).Joined
    client.audio()


def test_audio_after_leave(client):
    client.join()
    client.audio()
    late = client.call.send_audio_chunk(SECOND)
    client.leave()
    client.send(late)


def test_wrong_join_ref(client):
    client.join()
    client.raw("9", "2", "phx_leave", {})
    client.leave()


def test_odd_samples(client):
    client.join()
    client.audio(bytes(1601))
    client.leave()


def test_bad_frame(client):
    client.send("hello")


@pytest.mark.uhlive_mock(limits={"chunk": {"max": "1 kB"}})
def test_large_chunk(client):
    client.join()
    client.audio()
    client.leave()


@pytest.mark.uhlive_mock(clock="manual")
def test_gap(client, uhlive_mock):
    client.join()
    uhlive_mock.advance(5)


@pytest.mark.uhlive_mock(scenario=TICKETS, seed=7)
def test_unplayed_cue(client):
    client.join()
    client.audio()
    client.leave()


@pytest.mark.uhlive_mock(scenario=TICKETS)
def test_wrong_name(uhlive_mock):
    client = Client(uhlive_mock, "Alicia")
    client.join()
    client.audio()
    client.leave()
    client.close()


def test_unexpected_contact(uhlive_mock):
    uhlive_mock.expect_nothing()
    Client(uhlive_mock).close()


def test_defect(client, uhlive_mock, monkeypatch):
    from uhlive_mock.protocol.channel import Channel
    client.join()

    def fail(*_args, **_kwargs):
        raise RuntimeError("nobody is perfect")

    monkeypatch.setattr(Channel, "push", fail)
    client.audio()
    uhlive_mock.settle()


def test_two_rules(client):
    client.join()
    client.audio(bytes(1601))
    client.audio(bytes(1601))


def test_failed_already(client):
    client.join()
    client.audio(bytes(1601))
    assert client.call.left


@pytest.fixture
def joined(client):
    client.join()
    client.audio(bytes(1601))
    raise LookupError("the fixture failed")


def test_fixture_failed(joined):
    pass


@pytest.fixture
def failing_in_the_end(client):
    yield client
    raise LookupError("the fixture failed in the end")


def test_teardown_failed(failing_in_the_end):
    failing_in_the_end.join()


@pytest.mark.uhlive_mock(strict=False)
def test_not_strict(client):
    client.join()
    client.audio()


@pytest.mark.uhlive_mock(allow=["odd_samples"])
def test_allowed_by_marker(client):
    client.join()
    client.audio(bytes(1601))
    client.leave()


def test_allowed_in_the_test(client, uhlive_mock):
    uhlive_mock.allow("close_without_leave")
    client.join()
    client.audio()


@pytest.mark.uhlive_mock(allow=["od_samples"])
def test_allowed_by_a_wrong_name(uhlive_mock):
    pass


def test_warning(uhlive_mock):
    uhlive_mock.inject("token_status", 503)


def test_skipped(client):
    client.join()
    pytest.skip("not today")


@pytest.mark.xfail(reason="known", strict=True)
def test_xfail(client):
    client.join()
    assert client.call.left


TOKENS = []


def test_leaves_a_straggler(uhlive_mock):
    TOKENS.append(uhlive_mock.issue_token())


def test_meets_a_straggler(uhlive_mock):
    with pytest.raises(Exception, match="403"):
        with connect(f"{uhlive_mock.ws_url}/socket/websocket?jwt={TOKENS[0]}&vsn=2.0.0"):
            pass
'''


@dataclass
class Told:
    """What a run told: the text under each headline, the summary, and the properties of each test."""

    texts: dict[str, str]
    summary: str
    outcomes: dict[str, str]
    properties: dict[str, list[tuple[str, str]]]

    def problem(self, name: str) -> str:
        """What is told of a test that passed until its end."""
        assert self.outcomes[name] == "error"
        return self.texts[f"ERROR at teardown of {name}"]


def run_broken(folder: Path, *arguments: str) -> Told:
    (folder / "test_broken.py").write_text(CLIENTS)
    options = [
        "-p",
        "no:hypothesispytest",
        "-p",
        "no:asyncio",
        "--junitxml=junit.xml",
        "--uhlive-mock-artifacts=kept",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "--strict-markers", *options, *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not done.stderr, done.stderr
    texts: dict[str, list[str]] = {}
    summary: list[str] = []
    current: list[str] | None = None
    for line in done.stdout.splitlines():
        if re.fullmatch(r"=+( [^=].*)? ?=+", line):
            current = summary if line.strip("= ") == "uhlive-mock" else None
        elif heading := re.fullmatch(r"_{3,} (.+?) _{3,}", line):
            current = texts.setdefault(heading[1], [])
        elif current is not None:
            current.append(line)
    cases = ElementTree.parse(folder / "junit.xml").iter("testcase")
    outcomes, properties = {}, {}
    for case in cases:
        outcome = next((each for each in ("error", "failure", "skipped") if case.find(each) is not None), "passed")
        name = case.attrib["name"]
        outcomes[name] = "failure" if "failure" in (outcomes.get(name), outcome) else outcome
        properties[name] = [(each.attrib["name"], each.attrib["value"]) for each in case.iter("property")]
    return Told(
        texts={name: "\n".join(lines) for name, lines in texts.items()},
        summary="\n".join(summary),
        outcomes=outcomes,
        properties=properties,
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return run_broken(tmp_path_factory.mktemp("broken"))


PROBLEMS = {
    "test_never_leaves": ("close_without_leave", "closed by the client with 1000", "at 1.000 s of Alice's audio"),
    "test_never_closes": ("close_without_leave", "it is still there", "at 1.000 s of Alice's audio"),
    "test_audio_before_join": ("audio_before_join", '@conv1","audio_chunk",<16000 bytes of audio>]'),
    "test_audio_after_leave": (
        "audio_after_leave",
        '@conv1","audio_chunk",<16000 bytes of audio>]',
        "at 1.000 s of",
    ),
    "test_wrong_join_ref": ("wrong_join_ref", 'it joined with "1"', '["9","2","conversation:client-'),
    "test_odd_samples": ("odd_samples", "1601 bytes", "at 0.000 s of Alice's audio"),
    "test_bad_frame": ("bad_frame", "not JSON", "<a text of 5 characters>"),
    "test_large_chunk": ("chunk_size", "16000 bytes of audio in one chunk; at most 1000"),
    "test_gap": ("gap", "no audio for 5 s"),
    "test_unplayed_cue": ("unplayed_cue", "cue 1 of Alice was never played: it needs 9.32 s of audio, 1 s"),
    "test_wrong_name": ("unheard", "speaker 'Alice' of scenario 'tickets' never joined; joined: 'Alicia'"),
    "test_unexpected_contact": ("unexpected_contact", "the client was to leave the service alone"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_each_problem_says_its_rule_the_frame_the_moment_and_how_to_allow_it(told, name):
    rule, *said = PROBLEMS[name]
    text = told.problem(name)
    assert text.partition("\n")[0] in (
        f"uhlive-mock found a problem: {rule}",
        f"uhlive-mock found 2 problems: {rule}, reference_reuse",
    )
    for part in said:
        assert part in text
    assert f'to allow it in the test: uhlive_mock.allow("{rule}")' in text
    assert f'to allow it on the test: @pytest.mark.uhlive_mock(allow=["{rule}"]), or strict=False for all' in text
    assert f"to allow it in pytest.ini: uhlive_mock_allow = {rule}" in text


@pytest.mark.parametrize("name", PROBLEMS)
def test_behind_it_come_the_timeline_the_seed_and_what_was_kept_and_no_line_of_ours(told, name):
    text = told.problem(name)
    seed = 7 if name == "test_unplayed_cue" else 0
    timeline = text.partition("- uhlive-mock timeline -")[2]
    assert f"space test_broken.py::{name}: " in timeline
    assert f"\nseed {seed}\nkept in " in timeline
    assert f"kept/test_broken.py/{name}: journal.jsonl, timeline.txt" in timeline
    assert ".py:" not in text.replace("test_broken.py::", "")


def test_a_defect_of_ours_fails_the_test_with_its_traceback_and_cannot_be_allowed(told):
    text = told.problem("test_defect")
    assert text.startswith("uhlive-mock found a problem: defect\n")
    assert "uhlive-mock itself failed" in text
    assert "please report it" in text
    assert "RuntimeError: nobody is perfect" in text
    assert "to allow it" not in text


def test_every_problem_is_told_and_each_rule_once_allowed(told):
    text = told.problem("test_two_rules")
    assert text.startswith("uhlive-mock found 2 problems: odd_samples, close_without_leave\n")
    assert text.count("1601 bytes (2 times)") == 1
    assert text.count('uhlive_mock.allow("odd_samples")') == 1
    assert text.count('uhlive_mock.allow("close_without_leave")') == 1


def test_a_test_that_failed_already_has_the_timeline_and_the_verdict_and_no_second_error(told):
    assert told.outcomes["test_failed_already"] == "failure"
    assert "ERROR at teardown of test_failed_already" not in told.texts
    text = told.texts["test_failed_already"]
    order = [
        "assert client.call.left",
        "- uhlive-mock timeline -",
        "- uhlive-mock verdict -",
        "odd_samples: ",
        "\nseed 0\n",
    ]
    assert [part for part in order if part in text] == order
    assert sorted(order, key=text.index) == order


def test_a_fixture_that_failed_has_them_too(told):
    text = told.texts["ERROR at setup of test_fixture_failed"]
    assert "LookupError: the fixture failed" in text
    assert "- uhlive-mock timeline -" in text
    assert "odd_samples: " in text
    assert "ERROR at teardown of test_fixture_failed" not in told.texts


def test_a_fixture_that_fails_in_the_end_is_the_failure_and_the_verdict_only_adds_to_it(told):
    text = told.texts["ERROR at teardown of test_teardown_failed"]
    assert "LookupError: the fixture failed in the end" in text
    assert "ExceptionGroup" not in text
    assert text.count("close_without_leave: ") == 1
    assert "- uhlive-mock verdict -" in text


@pytest.mark.parametrize(
    "name",
    ["test_well_behaved", "test_allowed_by_marker", "test_allowed_in_the_test", "test_not_strict", "test_warning"],
)
def test_what_is_well_behaved_allowed_or_not_strict_passes(told, name):
    assert told.outcomes[name] == "passed"
    assert not [heading for heading in told.texts if heading.endswith(name)]


@pytest.mark.parametrize("name", ["test_skipped", "test_xfail"])
def test_a_test_that_did_not_get_to_its_end_is_not_judged(told, name):
    assert told.outcomes[name] == "skipped"
    assert not [heading for heading in told.texts if heading.endswith(name)]


def test_a_rule_that_does_not_exist_cannot_be_allowed(told):
    text = told.texts["ERROR at setup of test_allowed_by_a_wrong_name"]
    assert "there is no rule 'od_samples' to allow; did you mean 'odd_samples'?" in text


def test_warnings_stragglers_and_what_was_not_strict_are_in_the_summary(told):
    lines = told.summary.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("test_broken.py::test_not_strict: close_without_leave: Alice: ")
    assert lines[1].startswith("test_broken.py::test_warning: unstruck_fault: fault token_status: 503 never struck")
    assert re.match(
        r"a straggler: client-\w+ asked for a socket; it belonged to 'test_broken.py::test_leaves_a_straggler'",
        lines[2],
    )


def test_the_report_for_machines_has_the_seed_and_the_verdict(told):
    assert told.properties["test_well_behaved"] == [("uhlive_mock_seed", "0")]
    assert told.properties["test_unplayed_cue"][0] == ("uhlive_mock_seed", "7")
    verdicts = [value for name, value in told.properties["test_two_rules"] if name == "uhlive_mock_verdict"]
    assert [value.partition(":")[0] for value in verdicts] == ["odd_samples", "close_without_leave"]
    assert "\n" not in "".join(verdicts)
    assert len(told.properties["test_failed_already"]) == 2


# --- the run --------------------------------------------------------------------------------------------------


def test_a_run_that_is_not_strict_tells_in_the_summary(run):
    result = run(CLIENTS, "--uhlive-mock-no-strict", "-k", "never_leaves or odd_samples")
    result.assert_outcomes(passed=2, deselected=25)
    result.stdout.fnmatch_lines(
        ["*= uhlive-mock =*", "*test_never_leaves: close_without_leave: *", "*odd_samples: *"]
    )


def test_a_marker_makes_a_test_strict_in_a_run_that_is_not(run):
    source = CLIENTS.replace(
        "def test_never_leaves", "@pytest.mark.uhlive_mock(strict=True)\ndef test_never_leaves"
    )
    run(source, "--uhlive-mock-no-strict", "-k", "never_leaves").assert_outcomes(passed=1, errors=1, deselected=26)


@pytest.mark.parametrize("place", ["ini", "command line", "environment"])
def test_a_rule_may_be_allowed_everywhere_and_what_is_allowed_adds_up(run, pytester, monkeypatch, place):
    rules = "close_without_leave odd_samples"
    if place == "ini":
        pytester.makeini(f"[pytest]\nuhlive_mock_allow = {rules}\n")
    if place == "environment":
        monkeypatch.setenv("UHLIVE_MOCK_ALLOW", rules)
    options = [f"--uhlive-mock-allow={rule}" for rule in rules.split()] if place == "command line" else []
    run(CLIENTS, "-k", "two_rules or allowed_by_marker", *options).assert_outcomes(passed=2, deselected=25)


def test_a_defect_that_was_no_test_s_fails_the_end_of_the_session(pytester, run_here):
    pytester.makepyfile("""
        def test_it(uhlive_mock_server):
            spaces = uhlive_mock_server._serving.spaces
            uhlive_mock_server.call(lambda: spaces.report_error(RuntimeError("nobody is perfect")))
        """)
    options = ("-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:xdist", "-p", "no:logging")
    result = run_here(*options)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_it*",
            "uhlive-mock itself failed, and no test was told; please report this:",
            "RuntimeError: nobody is perfect",
        ]
    )


def test_a_defect_of_another_s_server_is_in_the_summary(run):
    result = run("""
        import pytest
        from uhlive_mock import MockServer

        @pytest.fixture(scope="session")
        def uhlive_mock_server():
            with MockServer(tls_port=None) as server:
                yield server

        def test_it(uhlive_mock, uhlive_mock_server):
            spaces = uhlive_mock_server._serving.spaces
            uhlive_mock_server.call(lambda: spaces.report_error(RuntimeError("nobody is perfect")))
        """)
    result.stdout.fnmatch_lines(
        ["*= uhlive-mock =*", "uhlive-mock itself failed, and no test was told*", "RuntimeError: *"]
    )
