"""Lets the annotated text of a cue stand unquoted on its line.

    say: deux billets pour [deux]{"entity": "cardinal_number", "value": 2}

is not YAML, since a plain scalar must not contain a colon and a space. No valid document has such a line, so
putting its text between quotes before YAML sees it changes the meaning of none; and it keeps every line's
number.
"""

from __future__ import annotations

import re

_ANNOTATED = re.compile(
    r"""^(?P<key>[ ]*(?:-[ ]+)?say:[ ]+)      # the key, alone or first in a list item
        (?P<text>[^\s'"|>&*!%@`\[{#][^\n]*?\]\{[^\n]*:[ ][^\n]*?)  # plain text with an annotation of JSON
        (?P<rest>[ ]*(?:[ ]\#[^\n}\])]*)?)$   # a comment, after the last bracket
    """,
    re.MULTILINE | re.VERBOSE,
)


def quote_annotated(text: str) -> str:
    """The document with its unquoted annotated lines quoted."""
    return _ANNOTATED.sub(_quote, text)


def _quote(line: re.Match[str]) -> str:
    quoted = line["text"].replace("'", "''")
    return f"{line['key']}'{quoted}'{line['rest']}"
