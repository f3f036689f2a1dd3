"""What a run says, and what its header says about it."""

from __future__ import annotations

import pytest

SHOW = """
def test_it(uhlive_mock, request):
    space = uhlive_mock._portal.space
    clock = uhlive_mock._portal.space.clock
    vocabulary = next(iter(space.accounts.values())).vocabulary
    print(f"clock={clock.drive} rate={clock.rate:g} seed={space.seed} vocabulary={vocabulary}")
"""


def test_the_header_says_version_clock_and_seed(run):
    run("").stdout.fnmatch_lines(["uhlive-mock 0.*, clock audio, seed 0"])


def test_the_header_says_what_is_not_as_usual(run):
    options = ["--uhlive-mock-clock=real", "--uhlive-mock-rate=10", "--uhlive-mock-vocabulary=legacy"]
    result = run("", *options, "--uhlive-mock-seed=7", "--uhlive-mock-no-strict")
    result.stdout.fnmatch_lines(["uhlive-mock *, clock real, seed 7, rate 10, vocabulary legacy, not strict"])


@pytest.mark.parametrize(
    ("places", "clock"),
    [
        ({"ini"}, "real"),
        ({"ini", "environment"}, "manual"),
        ({"ini", "environment", "command line"}, "audio"),
        ({"ini", "environment", "command line", "options"}, "manual"),
        ({"ini", "environment", "command line", "options", "module"}, "real"),
        ({"ini", "environment", "command line", "options", "module", "function"}, "audio"),
        (set(), "audio"),
        ({"environment"}, "manual"),
        ({"command line", "environment"}, "audio"),
        ({"ini", "function"}, "audio"),
        ({"options", "environment"}, "manual"),
    ],
)
def test_the_closest_place_wins(run, pytester, monkeypatch, places, clock):
    source = "import pytest\n"
    if "ini" in places:
        pytester.makeini("[pytest]\nuhlive_mock_clock = real\n")
    if "environment" in places:
        monkeypatch.setenv("UHLIVE_MOCK_CLOCK", "manual")
    if "options" in places:
        source += "@pytest.fixture\ndef uhlive_mock_options():\n    return {'clock': 'manual'}\n"
    if "module" in places:
        source += "pytestmark = pytest.mark.uhlive_mock(clock='real')\n"
    if "function" in places:
        source += "@pytest.mark.uhlive_mock(clock='audio')"
    arguments = ["--uhlive-mock-clock=audio"] if "command line" in places else []
    run(source + SHOW, "-s", *arguments).stdout.fnmatch_lines([f"*clock={clock} *"])


def test_every_setting_can_come_from_the_environment(run, monkeypatch):
    said = {"CLOCK": "real", "RATE": "3", "SEED": "7", "VOCABULARY": "legacy", "STRICT": "no"}
    for name, value in said.items():
        monkeypatch.setenv(f"UHLIVE_MOCK_{name}", value)
    result = run(SHOW, "-s")
    result.stdout.fnmatch_lines(["*not strict", "*clock=real rate=3 seed=7 vocabulary=legacy*"])


def test_every_setting_can_come_from_the_ini_file(run, pytester):
    pytester.makeini("""
        [pytest]
        uhlive_mock_clock = real
        uhlive_mock_rate = 3
        uhlive_mock_seed = 7
        uhlive_mock_vocabulary = legacy
        uhlive_mock_strict = no
        """)
    result = run(SHOW, "-s", "--strict-config")
    result.stdout.fnmatch_lines(["*not strict", "*clock=real rate=3 seed=7 vocabulary=legacy*"])


def test_a_rate_of_the_run_leaves_a_test_its_clock(run):
    marked = "import pytest\n@pytest.mark.uhlive_mock(clock='manual')" + SHOW
    arguments = ["--uhlive-mock-clock=real", "--uhlive-mock-rate=10"]
    run(marked, "-s", *arguments).stdout.fnmatch_lines(["*clock=manual *"])


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--uhlive-mock-clock=audo"], "command line: --uhlive-mock-clock: found 'audo'; did you mean 'audio'?"),
        (
            ["--uhlive-mock-seed=x"],
            "command line: --uhlive-mock-seed: found 'x'; expected a whole number or 'random'",
        ),
        (
            ["--uhlive-mock-allow=gap", "--uhlive-mock-allow=od_samples"],
            "command line: --uhlive-mock-allow: there is no rule 'od_samples' to allow; did you mean 'odd_*",
        ),
        (
            ["--uhlive-mock-deny=gapp"],
            "command line: --uhlive-mock-deny: there is no rule 'gapp' to deny; did *",
        ),
        (["-o", "uhlive_mock_allow=gapp"], "uhlive_mock_allow: there is no rule 'gapp' to allow; did you *"),
        (["--uhlive-mock-allow=defect"], "a defect of uhlive-mock itself cannot be allowed; please report it"),
        (["-o", "uhlive_mock_rate=0"], "uhlive_mock_rate: found '0'; expected a number of times real time*"),
    ],
)
def test_a_mistake_in_what_the_run_says_ends_it(run, arguments, problem):
    result = run(SHOW, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().count("uhlive-mock: ") == 1
    result.stderr.fnmatch_lines([f"ERROR: uhlive-mock: *{problem}"])


def test_a_mistake_in_the_ini_file_names_the_file(run, pytester):
    pytester.makeini("[pytest]\nuhlive_mock_clock = wall\n")
    run(SHOW).stderr.fnmatch_lines(["*uhlive-mock: tox.ini: uhlive_mock_clock: found 'wall'; expected 'real',*"])


def test_a_mistake_in_the_environment_names_the_variable(run, monkeypatch):
    monkeypatch.setenv("UHLIVE_MOCK_STRICT", "perhaps")
    run(SHOW).stderr.fnmatch_lines(
        ["*uhlive-mock: environment: UHLIVE_MOCK_STRICT: found 'perhaps'; expected true*"]
    )


def test_a_drawn_seed_is_in_the_header_and_the_same_for_every_test(run):
    result = run(SHOW + SHOW.replace("test_it", "test_again"), "-s", "--uhlive-mock-seed=random")
    [header] = [line for line in result.outlines if line.startswith("uhlive-mock ")]
    seed = header.rpartition(" ")[2]
    assert sum(f" seed={seed} " in line for line in result.outlines) == 2


def test_whoever_does_not_use_it_starts_no_server(run):
    source = "import threading\nBEFORE = threading.active_count()\n"
    source += "def test_it():\n    assert threading.active_count() == BEFORE\n"
    run(source).assert_outcomes(passed=1)
