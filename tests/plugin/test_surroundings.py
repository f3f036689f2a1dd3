"""The fixtures under whatever else pytest is used with."""

from __future__ import annotations

import pytest

CONVERSE = """
import pytest
from websockets.asyncio.client import connect
from uhlive.stream.conversation import Conversation, Ok

async def converse(sdk):
    async with connect(sdk.conversation_url()) as socket:
        alice = Conversation(sdk.client_id, "conv1", "Alice")
        await socket.send(alice.join(model="fr"))
        assert isinstance(alice.receive(await socket.recv()), Ok)
        await socket.send(alice.send_audio_chunk(bytes(1600)))
        await socket.send(alice.leave())
        while not alice.left:
            alice.receive(await socket.recv())
"""


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_pytest_asyncio(run, mode):
    mark = "@pytest.mark.asyncio" if mode == "strict" else ""
    source = f"""
{CONVERSE}
{mark}
async def test_it(uhlive_sdk, uhlive_mock):
    await converse(uhlive_sdk)
    assert uhlive_mock.conversation("conv1").speaker("Alice").left_cleanly

def test_without_a_loop(uhlive_sdk):
    pass
"""
    options = ["-o", f"asyncio_mode={mode}", "-o", "asyncio_default_fixture_loop_scope=function"]
    run(source, *options, plugins=["asyncio"]).assert_outcomes(passed=2)


def test_anyio(run):
    pytest.importorskip("anyio")
    source = f"""
{CONVERSE}
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
async def test_it(uhlive_sdk, uhlive_mock):
    await converse(uhlive_sdk)
    assert uhlive_mock.conversation("conv1").speaker("Alice").left_cleanly
"""
    run(source, plugins=["anyio"]).assert_outcomes(passed=1)


def test_no_plugin_for_asyncio_at_all(run):
    source = f"""
{CONVERSE}
import asyncio

def test_it(uhlive_sdk, uhlive_mock):
    asyncio.run(converse(uhlive_sdk))
    assert uhlive_mock.conversation("conv1").speaker("Alice").left_cleanly
"""
    run(source).assert_outcomes(passed=1)


def test_unittest_classes(run):
    result = run("""
        import unittest
        import pytest

        class TestWithAnAttribute(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _mock(self, uhlive_mock, uhlive_sdk):
                self.mock, self.sdk = uhlive_mock, uhlive_sdk

            def test_it(self):
                self.assertEqual(self.mock.client_id, self.sdk.client_id)
                self.assertEqual(self.mock.journal.entries(), [])

            def test_failing(self):
                self.assertTrue(self.mock.journal.entries())

        @pytest.mark.uhlive_mock(clock="manual")
        @pytest.mark.usefixtures("uhlive_sdk")
        class TestWithUsefixtures(unittest.TestCase):
            def test_it(self):
                from uhlive import auth
                self.assertIn("127.0.0.1", auth.SERVER)
        """)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*- uhlive-mock timeline -*", "*- uhlive-mock -*", "seed 0", "kept in *"])


def test_xdist(pytester, run_here):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("number", range(8))
        def test_it(uhlive_mock, number, request):
            seed = uhlive_mock._portal.space.seed
            assert seed == request.config.workerinput["uhlive_mock_seed"]

        def test_failing(uhlive_mock):
            assert uhlive_mock.journal.entries()

        @pytest.mark.uhlive_mock(scenario="call.yaml", strict=False)
        def test_not_strict(uhlive_mock):
            pass

        def test_meets_a_straggler(uhlive_mock, uhlive_mock_server):
            from websockets.sync.client import connect
            from websockets.exceptions import InvalidStatus
            with uhlive_mock_server.space(name="another test") as ended:
                token = ended.issue_token()
            with pytest.raises(InvalidStatus):
                with connect(f"{uhlive_mock.ws_url}/socket/websocket?jwt={token}&vsn=2.0.0"):
                    pass
        """)
    pytester.makefile(".yaml", call="version: 1\nspeakers: {Alice: [{at: 1s, say: bonjour}]}")
    options = ["-n", "2", "--uhlive-mock-seed=random", "--uhlive-mock-artifacts=kept", "-p", "no:hypothesispytest"]
    result = run_here("--strict-markers", "-W", "error", "-p", "no:asyncio", *options)
    result.assert_outcomes(passed=10, failed=1)
    [header] = [line for line in result.outlines if line.startswith("uhlive-mock ")]
    result.stdout.fnmatch_lines(["*- uhlive-mock timeline -*", f"seed {header.rpartition(' ')[2]}", "kept in *"])
    assert (pytester.path / "kept" / "test_xdist.py" / "test_failing" / "journal.jsonl").exists()
    summary = result.stdout.str().partition("= uhlive-mock =")[2]
    assert "test_xdist.py::test_not_strict: unheard: nobody joined" in summary
    assert "a straggler: client-" in summary
    assert "it belonged to 'another test'" in summary


def test_fixtures_tell_what_they_are(run):
    result = run("def test_it(): pass", "--fixtures", "-q")
    result.stdout.fnmatch_lines(["uhlive_mock -- *", "uhlive_sdk -- *"])


def test_the_marker_tells_what_it_takes(run):
    run("", "--markers").stdout.fnmatch_lines(["@pytest.mark.uhlive_mock(*, scenario, clock, rate,*"])
