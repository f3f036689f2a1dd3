"""The README is short, and says what is true of this repository. Its snippets are executed by `test_docs`."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROSE = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
LINKS = re.findall(r"\[([^\]]+)\]\(([^)\s]+)\)", PROSE)


def test_it_is_read_in_a_few_minutes():
    assert len(README.splitlines()) <= 250


def test_its_first_command_is_all_that_is_needed_to_see_it():
    first = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)[0]
    assert first == "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/uhlive-mock demo\n"


def test_the_test_command_is_what_ci_runs():
    ci = (ROOT / ".ci" / "run").read_text()
    assert ".venv/bin/pip install tox && .venv/bin/tox" in README
    assert ".venv/bin/tox" in ci


def test_it_lists_every_page():
    rows = [line for line in README.splitlines() if line.startswith("| [")]
    listed = {target for _, target in LINKS if any(f"]({target})" in row for row in rows)}
    assert {path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md")} <= listed


def test_a_reader_without_the_repository_sees_where_a_link_leads():
    """A package index shows this page without the files that it links to."""
    assert LINKS
    assert all(text == target for text, target in LINKS)
