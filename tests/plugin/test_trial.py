"""Every test that completes is judged, whoever else reports on it, and no verdict is lost."""

from __future__ import annotations

import textwrap

import pytest

UNHEARD = """
import unittest
import pytest
from uhlive_mock import scenario

# Nobody ever joins, which is a problem of each test that comes to its end.
CALL = scenario("call").speaker("Alice").say("bonjour", at=1).build()
pytestmark = pytest.mark.uhlive_mock(scenario=CALL)
"""

COMPLETE = {
    "a subtest that passes": """
        def test_it(uhlive_mock, subtests):
            with subtests.test("one"):
                pass
        """,
    "a subtest that is skipped": """
        def test_it(uhlive_mock, subtests):
            with subtests.test("one"):
                pytest.skip("not here")
        """,
    "a subtest that is expected to fail": """
        def test_it(uhlive_mock, subtests):
            with subtests.test("one"):
                pytest.xfail("known")
        """,
    "a subtest that fails": """
        def test_it(uhlive_mock, subtests):
            with subtests.test("one"):
                assert not uhlive_mock
        """,
    "a subtest in a fixture that begins": """
        @pytest.fixture
        def early(uhlive_mock, subtests):
            with subtests.test("one"):
                pytest.skip("not here")

        def test_it(early): pass
        """,
    "a subtest in a fixture that ends": """
        @pytest.fixture
        def late(uhlive_mock, subtests):
            yield
            with subtests.test("one"):
                pytest.skip("not here")

        def test_it(late): pass
        """,
    "a subtest of unittest that is skipped": """
        class Tests(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _mock(self, uhlive_mock): pass

            def test_it(self):
                with self.subTest("one"):
                    self.skipTest("not here")
        """,
    "a subtest of unittest that fails": """
        class Tests(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _mock(self, uhlive_mock): pass

            def test_it(self):
                with self.subTest("one"):
                    self.fail("no")
        """,
    "an expected failure that does not come": """
        @pytest.mark.xfail(reason="known")
        def test_it(uhlive_mock): pass
        """,
    "a strictly expected failure that does not come": """
        @pytest.mark.xfail(reason="known", strict=True)
        def test_it(uhlive_mock): pass
        """,
    "an expected failure of another kind": """
        @pytest.mark.xfail(reason="known", raises=ValueError)
        def test_it(uhlive_mock): pass
        """,
    "an expected failure that is asked for": """
        def test_it(uhlive_mock, request):
            request.applymarker(pytest.mark.xfail(reason="known"))
        """,
    "a fixture that skips before the space ends": """
        @pytest.fixture
        def late(uhlive_mock):
            yield
            pytest.skip("too late")

        def test_it(late): pass
        """,
    "a fixture that skips after the space ends": """
        @pytest.fixture
        def late():
            yield
            pytest.skip("too late")

        def test_it(late, uhlive_mock): pass
        """,
    "a fixture that expects a failure as it ends": """
        @pytest.fixture
        def late():
            yield
            pytest.xfail("too late")

        def test_it(late, uhlive_mock): pass
        """,
    "a fixture of the module that skips": """
        @pytest.fixture(scope="module")
        def late():
            yield
            pytest.skip("too late")

        def test_it(late, uhlive_mock): pass
        """,
    "a fixture that fails before the space ends": """
        @pytest.fixture
        def late(uhlive_mock):
            yield
            raise LookupError("too late")

        def test_it(late): pass
        """,
    "a fixture that fails after the space ends": """
        @pytest.fixture
        def late():
            yield
            raise LookupError("too late")

        def test_it(late, uhlive_mock): pass
        """,
    "a space that the test asks for": """
        def test_it(request):
            request.getfixturevalue("uhlive_mock")
        """,
}


ENDED_BY_A_SUBTEST = {"a subtest that fails", "a subtest of unittest that fails"}
"""What does not complete in a run that stops at the first failure."""


@pytest.mark.parametrize("options", [(), ("-x",)], ids=["all", "the first only"])
@pytest.mark.parametrize("what", COMPLETE)
def test_a_test_that_completes_is_judged_beside(run, what, options):
    if "subtest" in what:
        pytest.importorskip("_pytest.subtests", reason="pytest 9")
    result = run(UNHEARD + textwrap.dedent(COMPLETE[what]), *options)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    if options and what in ENDED_BY_A_SUBTEST:
        return
    assert result.parseoutcomes()["errors"] == 1
    result.stdout.fnmatch_lines(["*ERROR at teardown of *test_it*"])
    assert "unheard: nobody joined, so nothing was heard of scenario 'call'" in result.stdout.str()


INCOMPLETE = {
    "skipped": "pytest.skip('not here')",
    "expected to fail": "pytest.xfail('known')",
    "failed": "assert not uhlive_mock",
}


@pytest.mark.parametrize("ends", INCOMPLETE.values(), ids=INCOMPLETE.keys())
@pytest.mark.parametrize("kind", ["function", "method"])
def test_it_is_not_judged_when_it_was(run, ends, kind):
    as_function = f"def test_it(uhlive_mock):\n    {ends}\n"
    as_method = (
        "class Tests(unittest.TestCase):\n"
        "    @pytest.fixture(autouse=True)\n"
        "    def _mock(self, uhlive_mock): pass\n"
        f"    def test_it(self, uhlive_mock=True):\n        {ends}\n"
    )
    result = run(UNHEARD + (as_function if kind == "function" else as_method))
    assert "errors" not in result.parseoutcomes()
    assert "passed" not in result.parseoutcomes()


def test_an_expected_failure_that_comes_is_not_judged(run):
    run(
        UNHEARD + "@pytest.mark.xfail\ndef test_it(uhlive_mock):\n    assert not uhlive_mock\n"
        "class Tests(unittest.TestCase):\n"
        "    @pytest.fixture(autouse=True)\n"
        "    def _mock(self, uhlive_mock): pass\n"
        "    @unittest.expectedFailure\n"
        "    def test_it(self):\n"
        "        self.fail()\n"
    ).assert_outcomes(xfailed=2)


def test_a_doctest_is_judged(run, pytester):
    pytester.makepyfile(
        documented='''
        """
        >>> from uhlive_mock import scenario
        >>> space = getfixture("uhlive_mock")
        >>> space.replace_scenario(scenario("call").speaker("Alice").say("bonjour", at=1).build())
        """
        '''
    )
    result = run("", "--doctest-modules", "documented.py")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of *documented*", "*found a problem: unheard"])


AGAIN = """
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    {how}
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
"""

RUN_TWICE = """
    runtestprotocol(item, nextitem=nextitem, log=False)
    for report in runtestprotocol(item, nextitem=nextitem, log=False):
        item.ihook.pytest_runtest_logreport(report=report)
"""

CALL_AGAIN_WITHOUT_A_REPORT = """
    from _pytest.runner import call_and_report
    call_and_report(item, "setup")
    first = pytest.CallInfo.from_call(lambda: item.ihook.pytest_runtest_call(item=item), when="call")
    report = item.ihook.pytest_runtest_makereport(item=item, call=first)
    report.outcome, report.longrepr = "passed", None
    item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_call(item=item)
    call_and_report(item, "teardown", nextitem=nextitem)
    if hasattr(item, "_request"):
        item._request = False
"""

FAILS_FIRST = """
TIMES = []
def test_it(uhlive_mock):
    TIMES.append(1)
    assert len(TIMES) > 1
"""


@pytest.mark.parametrize("how", [RUN_TWICE, CALL_AGAIN_WITHOUT_A_REPORT], ids=["all of it", "its call alone"])
def test_a_test_that_is_run_again_is_judged_for_the_time_that_counts(run, pytester, how):
    pytester.syspathinsert()
    pytester.makepyfile(again=AGAIN.format(how=how.strip()))
    result = run(UNHEARD + FAILS_FIRST, "-p", "again")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_it*", "*found a problem: unheard"])


@pytest.mark.parametrize(
    ("plugin", "mark", "options", "outcomes"),
    [
        ("pytest_rerunfailures", "@pytest.mark.flaky(reruns=1)", (), {"passed": 1, "errors": 1}),
        ("pytest_repeat", "@pytest.mark.repeat(2)", (), {"passed": 1, "errors": 1, "failed": 1}),
        ("flaky", "@pytest.mark.flaky", (), {"passed": 1, "errors": 1}),
    ],
)
def test_plugins_that_run_a_test_again(pytester, plugin, mark, options, outcomes):
    pytest.importorskip(plugin)
    pytester.makepyfile(test_it=UNHEARD + FAILS_FIRST.replace("def test", f"{mark}\ndef test"))
    others = {"pytest_rerunfailures": "flaky", "flaky": "rerunfailures"}.get(plugin, "flaky")
    off = ("-p", f"no:{others}", "-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:xdist")
    result = pytester.runpytest_subprocess(*off, *options)
    found = result.parseoutcomes()
    assert {name: found.get(name) for name in outcomes} == outcomes
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_it*", "*found a problem: unheard"])


INTERRUPTIONS = {"the keyboard": "raise KeyboardInterrupt", "an exit": "pytest.exit('enough', returncode=0)"}


@pytest.mark.parametrize("how", INTERRUPTIONS.values(), ids=INTERRUPTIONS.keys())
def test_a_verdict_that_no_report_can_say_is_in_the_summary_and_fails_the_run(pytester, how):
    pytester.makepyfile(
        test_it=UNHEARD
        + f"""
@pytest.fixture
def late(uhlive_mock):
    yield
    {how}

def test_it(late): pass

def test_next(): pass
"""
    )
    result = pytester.runpytest_subprocess("-p", "no:hypothesispytest", "-p", "no:asyncio")
    assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    result.stdout.fnmatch_lines(["*= uhlive-mock =*", "test_it.py::test_it: uhlive-mock found a problem: unheard"])


def test_an_interrupted_test_is_not_judged(pytester):
    pytester.makepyfile(test_it=UNHEARD + "def test_it(uhlive_mock):\n    raise KeyboardInterrupt\n")
    result = pytester.runpytest_subprocess("-p", "no:hypothesispytest", "-p", "no:asyncio")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "unheard" not in result.stdout.str()


def test_a_test_with_a_failed_subtest_keeps_what_came_after_it(run, pytester):
    pytest.importorskip("_pytest.subtests", reason="pytest 9")
    source = """
        from websockets.sync.client import connect

        def test_it(uhlive_mock, subtests):
            with subtests.test("one"):
                assert not uhlive_mock
            with connect(f"{uhlive_mock.ws_url}/socket/websocket?jwt={uhlive_mock.issue_token()}&vsn=2.0.0"):
                pass
        """
    run(source, "--uhlive-mock-artifacts=kept").assert_outcomes(failed=2)
    assert "vsn2 socket opened" in (pytester.path / "kept" / "test_it.py" / "test_it" / "timeline.txt").read_text()


# --- which rules fail it --------------------------------------------------------------------------------------

WARNED = """
import pytest

def warn(uhlive_mock):  # a warning, unstruck_fault
    uhlive_mock.inject("token_status", 503)
"""


@pytest.mark.parametrize(
    ("mark", "call", "fails"),
    [
        ("", "", False),
        ("deny=['unstruck_fault']", "", True),
        ("deny='*'", "", True),
        ("deny='gap'", "", False),
        ("", "deny('unstruck_fault')", True),
        ("", "deny('*')", True),
        ("deny='*', allow='unstruck_fault'", "", False),
        ("allow='*', deny='unstruck_fault'", "", True),
        ("allow='unstruck_fault', deny='unstruck_fault'", "", False),
        ("allow='unstruck_fault'", "deny('unstruck_fault')", True),
        ("deny='unstruck_fault'", "allow('unstruck_fault')", False),
        ("deny='unstruck_fault'", "allow('*')", True),
        ("deny='*', strict=False", "", False),
    ],
)
def test_a_denied_rule_fails_a_test_with_its_warnings(run, mark, call, fails):
    said = f"    uhlive_mock.{call}\n" if call else ""
    result = run(
        f"{WARNED}\n@pytest.mark.uhlive_mock({mark})\ndef test_it(uhlive_mock):\n{said}    warn(uhlive_mock)\n"
    )
    result.assert_outcomes(passed=1, errors=int(fails))
    if fails:
        result.stdout.fnmatch_lines(["uhlive-mock found a problem: unstruck_fault"])


@pytest.mark.parametrize("place", ["ini", "environment", "command line"])
@pytest.mark.parametrize("mark", [None, "unstruck_fault", "gap"])
def test_a_rule_may_be_denied_everywhere_and_the_closest_place_that_names_it_wins(
    run, pytester, monkeypatch, place, mark
):
    if place == "ini":
        pytester.makeini("[pytest]\nuhlive_mock_deny = unstruck_fault\n")
    if place == "environment":
        monkeypatch.setenv("UHLIVE_MOCK_DENY", "unstruck_fault")
    options = ["--uhlive-mock-deny=unstruck_fault"] if place == "command line" else []
    marked = f"@pytest.mark.uhlive_mock(allow={mark!r})\n" if mark else ""
    result = run(f"{WARNED}\n{marked}def test_it(uhlive_mock):\n    warn(uhlive_mock)\n", *options)
    result.assert_outcomes(passed=1, errors=int(mark != "unstruck_fault"))


def test_a_rule_that_does_not_exist_cannot_be_denied(run):
    source = "def test_it(uhlive_mock):\n    uhlive_mock.deny('gapp')\n"
    run(source).stdout.fnmatch_lines(["*there is no rule 'gapp' to deny; did you mean 'gap'?"])


def test_the_short_summary_begins_with_the_sentence(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    result = run(
        """
        import pytest

        @pytest.mark.uhlive_mock(clok="manual")
        def test_keyword(uhlive_mock): pass

        @pytest.mark.uhlive_mock(allow="gapp")
        def test_rule(uhlive_mock): pass

        def test_verdict(uhlive_mock):
            uhlive_mock.inject("token_status", 503)
            uhlive_mock.deny("*")
        """
    )
    result.stdout.fnmatch_lines(
        [
            "ERROR test_it.py::test_keyword - Failed: @pytest.mark.uhlive_mock: unknown keyword 'clok'; did you *",
            "ERROR test_it.py::test_rule - Failed: @pytest.mark.uhlive_mock: allow: there is no rule 'gapp' to *",
            "ERROR test_it.py::test_verdict - Failed: uhlive-mock found a problem: unstruck_fault",
        ]
    )
