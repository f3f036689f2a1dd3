"""What a marker says of a test's space."""

from __future__ import annotations

LIMITS = """
def limits_of(space):
    [scenario] = space._portal.space.scenarios
    return scenario.limits or space._portal.space.limits
"""


def failures(result):
    """What is told of each test that failed or could not be set up: its name and the text under its headline."""
    told, name = {}, None
    for line in result.outlines:
        if line.startswith("_") and line.endswith("_") and " " in line:
            name = line.strip("_ ").rpartition(" ")[2]
            told[name] = []
        elif line.startswith("="):
            name = None
        elif name:
            told[name].append(line)
    return {name: "\n".join(lines).strip() for name, lines in told.items()}


def test_the_closest_marker_wins_for_each_keyword_alone(run):
    result = run("""
        import pytest

        pytestmark = pytest.mark.uhlive_mock(clock="real", rate=7, seed=1)

        def of(space):
            return str(space._portal.space.clock.drive), space._portal.space.clock.rate, space._portal.space.seed

        def test_module(uhlive_mock):
            assert of(uhlive_mock) == ("real", 7, 1)

        @pytest.mark.uhlive_mock(seed=2)
        class TestOfAClass:
            def test_class(self, uhlive_mock):
                assert of(uhlive_mock) == ("real", 7, 2)

            @pytest.mark.uhlive_mock(rate=9)
            def test_function(self, uhlive_mock):
                assert of(uhlive_mock) == ("real", 9, 2)
        """)
    result.assert_outcomes(passed=3)


def test_a_mistake_in_a_marker_fails_its_test_only_and_says_what_was_meant(run):
    result = run("""
        import pytest
        from pathlib import Path
        from uhlive_mock import scenario

        @pytest.mark.uhlive_mock(clok="manual")
        def test_unknown(uhlive_mock): pass

        @pytest.mark.uhlive_mock("manual")
        def test_positional(uhlive_mock): pass

        @pytest.mark.uhlive_mock(clock="manul")
        def test_value(uhlive_mock): pass

        @pytest.mark.uhlive_mock(rate=10)
        def test_rate(uhlive_mock): pass

        @pytest.mark.uhlive_mock(scenario="nowhere.yaml")
        def test_no_file(uhlive_mock): pass

        Path(__file__).with_name("wrong.yaml").write_text("version: 1\\nspeakers: {Alice: [{sey: hello}]}")

        @pytest.mark.uhlive_mock(scenario="wrong.yaml")
        def test_wrong_file(uhlive_mock): pass

        @pytest.mark.uhlive_mock(scenario=scenario("x").speaker("Alice"))
        def test_builder(uhlive_mock): pass

        @pytest.mark.uhlive_mock(limits={"gap": {"aftr": 1}})
        def test_limits(uhlive_mock): pass

        @pytest.mark.uhlive_mock(artifacts="here")
        def test_of_a_run(uhlive_mock): pass

        @pytest.mark.uhlive_mock(seed="x")
        class TestOfAClass:
            @pytest.mark.uhlive_mock(seed=3)
            def test_class(self, uhlive_mock): pass

        def test_fine(uhlive_mock): pass
        """)
    result.assert_outcomes(errors=10, passed=1)
    told = failures(result)
    marker = "@pytest.mark.uhlive_mock"
    expected = {
        "test_unknown": f"{marker}: unknown keyword 'clok'; did you mean 'clock'?",
        "test_positional": f"{marker}: found 'manual'; expected keywords only, such as clock='manual'",
        "test_value": f"{marker}: clock: found 'manul'; did you mean 'manual'?",
        "test_rate": "rate is for the real clock; the clock is audio",
        "test_limits": f"{marker}: limits: gap: unknown key 'aftr'; did you mean 'after'?",
        "test_of_a_run": f"{marker}: unknown keyword 'artifacts'; expected 'scenario', 'limits', 'clock', 'rate', "
        "'vocabulary', 'seed', 'strict', 'allow' or 'deny'",
    }
    for name, text in expected.items():
        assert told[name] == text
    assert f"scenario: there is no 'nowhere.yaml' in {result_folder(told)}" in told["test_no_file"]
    assert "wrong.yaml:2: speakers.Alice[0]: unknown key 'sey'; did you mean 'say'?" in told["test_wrong_file"]
    assert "expected a scenario, a path, or a list of either; end the builder with .build()" in told["test_builder"]
    assert (
        "@pytest.mark.uhlive_mock of TestOfAClass: seed: found 'x'; expected a whole"
        in told["TestOfAClass.test_class"]
    )


def result_folder(told):
    return told["test_no_file"].partition(" in ")[2]


def test_a_scenario_is_looked_for_beside_its_test_and_then_in_the_project(run, pytester):
    beside, above = pytester.mkdir("tests"), pytester.path
    document = "version: 1\nscenario: {}\nspeakers: {{'*': [{{at: 1s, say: bonjour}}]}}\n"
    (beside / "call.yaml").write_text(document.format("beside"))
    (above / "call.yaml").write_text(document.format("above"))
    (above / "other.yaml").write_text(document.format("other"))
    (beside / "test_it.py").write_text("""
import pytest
from pathlib import Path
from uhlive_mock import scenario

built = scenario("built").speaker("*").say("salut", at=1).build()

ABSOLUTE = Path(__file__).parent.parent / "call.yaml"

@pytest.mark.uhlive_mock(scenario=["call.yaml", Path("other.yaml"), built, ABSOLUTE])
def test_it(uhlive_mock):
    uhlive_mock.allow("unheard")
    names = [scenario.name for scenario in uhlive_mock._portal.space.scenarios]
    assert names == ["beside", "other", "built", "above"]
""")
    (pytester.path / "pytest.ini").write_text("[pytest]\n")
    run("", "tests").assert_outcomes(passed=1)


def test_limits_of_a_marker_hold_whatever_the_scenario_says(run):
    result = run(
        LIMITS
        + """
import pytest
from uhlive_mock import scenario

CALL = scenario("call").gap(after=9).speaker("*").say("bonjour", at=1).build()

@pytest.mark.uhlive_mock(scenario=CALL, limits={"gap": {"after": "1s"}}, allow=["unheard"])
def test_given(uhlive_mock):
    assert limits_of(uhlive_mock).gap.after_ms == 1000

@pytest.mark.uhlive_mock(scenario=CALL, allow=["unheard"])
def test_not_given(uhlive_mock):
    assert limits_of(uhlive_mock).gap.after_ms == 9000

@pytest.mark.uhlive_mock(limits={"gap": "off"})
def test_builtin(uhlive_mock):
    assert limits_of(uhlive_mock).gap.action == "off"
"""
    )
    result.assert_outcomes(passed=3)


def test_options_may_be_parametrised_and_made_of_other_fixtures(run):
    result = run("""
        import pytest

        @pytest.fixture(params=["audio", "manual"])
        def clock(request):
            return request.param

        @pytest.fixture
        def uhlive_mock_options(clock):
            return {"clock": clock}

        def test_it(uhlive_mock, clock):
            assert uhlive_mock._portal.space.clock.drive == clock
        """)
    result.assert_outcomes(passed=2)


def test_options_that_are_none_are_refused(run):
    result = run("""
        import pytest

        @pytest.fixture
        def uhlive_mock_options():
            return ["clock"]

        def test_it(uhlive_mock): pass
        """)
    result.stdout.fnmatch_lines(
        ["*fixture uhlive_mock_options: found [[]'clock']; expected a mapping such as {'clock':*"]
    )


def test_a_space_is_called_after_its_test_and_is_no_other_test_s(run):
    result = run("""
        import pytest

        seen = []

        @pytest.mark.parametrize("number", [1, 2])
        def test_it(uhlive_mock, number):
            assert uhlive_mock._portal.space.name == f"test_it.py::test_it[{number}]"
            assert uhlive_mock.client_id not in seen
            seen.append(uhlive_mock.client_id)
        """)
    result.assert_outcomes(passed=2)


def test_the_server_may_be_another(run):
    result = run("""
        import pytest
        from uhlive_mock import MockServer

        @pytest.fixture(scope="session")
        def uhlive_mock_server():
            with MockServer(tls_port=None) as server:
                yield server

        def test_it(uhlive_mock):
            assert uhlive_mock.wss_url is None

        def test_sdk(uhlive_sdk): pass
        """)
    result.assert_outcomes(passed=1, errors=1)
    assert failures(result)["test_sdk"].startswith(
        "uhlive_sdk: the SDK asks for its token over https, and this server has no TLS port"
    )


def test_the_space_may_be_prepared_or_made_by_a_fixture_of_the_same_name(run):
    result = run("""
        import pytest

        @pytest.fixture
        def uhlive_mock(uhlive_mock):
            uhlive_mock.allow("gap")
            return uhlive_mock

        def test_prepared(uhlive_mock, uhlive_sdk):
            assert uhlive_sdk.space is uhlive_mock

        class TestMade:
            @pytest.fixture
            def uhlive_mock(self, uhlive_mock_server):
                with uhlive_mock_server.space(client_id="acme") as space:
                    yield space

            def test_made(self, uhlive_sdk):
                assert uhlive_sdk.client_id == "acme"
        """)
    result.assert_outcomes(passed=2)
