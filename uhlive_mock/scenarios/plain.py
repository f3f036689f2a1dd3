"""Lets the annotated text of a cue stand unquoted on its line.

    say: deux billets pour [deux]{"entity": "cardinal_number", "value": 2}

is not YAML, since a plain scalar must not contain a colon and a space. When a document cannot be read, the texts
of such lines are put between quotes and it is read again: a valid document keeps its meaning, and every line its
number. Each line is looked at a bounded number of times, however long it is.
"""

from __future__ import annotations

import re

_KEY = re.compile(r" *(?:- +)?say: +")
_NEVER_FIRST = tuple("'\"|>&*!%@`[]{}#,")
"""What a plain scalar does not start with."""


def quote_annotated(text: str) -> str:
    """The document with its unquoted annotated lines quoted."""
    return "\n".join(map(_quoted, text.split("\n")))


def _quoted(line: str) -> str:
    key = _KEY.match(line)
    if not key or line.startswith(_NEVER_FIRST, key.end()):
        return line
    annotation = line.find("]{", key.end())
    if annotation < 0 or ": " not in line[annotation:]:
        return line
    last_bracket = max(line.rfind(bracket) for bracket in "])}")
    comment = line.find(" #", last_bracket)
    end = len(line) if comment < 0 else comment
    words = line[key.end() : end].rstrip()
    return f"{key[0]}'{words.replace(chr(39), chr(39) * 2)}'{line[key.end() + len(words) :]}"
