"""Scenarios and limits as a caller sends them: a YAML text, or the same as JSON.

JSON is written anew before the scenario reader gets it, because YAML reads the escapes of JSON differently.
Its lines then say nothing to the caller, who finds the place by its path.

Nothing here touches a space, so that long documents can be read on a thread of their own.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta

from .. import scenarios  # YAML comes with reading one, and not before
from ..errors import ScenarioError
from ..model.limits import Limits
from ..model.scenario import Scenario
from .reading import JSON, Body, parse_json
from .refusals import Refused

YAML = "application/yaml"
YAML_KINDS = (YAML, "text/yaml", "application/x-yaml")

Document = str | Annotated[dict[str, object], Meta(extra_json_schema={"$ref": "#/components/schemas/Scenario"})]
"""A scenario: its YAML text, or the same as an object."""

Documents = Document | list[Document]
"""One or several."""

_NOT_IN_YAML = re.compile("[^ -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What YAML allows only escaped, and what it takes for the end of a line."""


def scenarios_from(documents: Documents) -> list[Scenario]:
    """The scenarios of one document or several.

    Raises:
        ScenarioError: by line for YAML, by path for JSON.
    """
    if isinstance(documents, list):
        if not documents:
            raise ScenarioError("there is no scenario; expected at least one")
        return [_scenario_from(document, f"<scenario {at}>") for at, document in enumerate(documents)]
    return [_scenario_from(documents, "<scenario>")]


def _scenario_from(document: Document, source: str) -> Scenario:
    if isinstance(document, str):
        return scenarios.parse_scenario(document, source)
    try:
        return scenarios.parse_scenario(_as_yaml(document), source)
    except ScenarioError as error:
        raise ScenarioError(error.problem, source=source, path=error.path) from None


def limits_from(limits: dict[str, object]) -> Limits | None:
    """The limits that a scenario with these would have.

    Raises:
        ScenarioError: by path.
    """
    try:
        return scenarios.parse_scenario(_as_yaml({"version": 1, "limits": limits, "speakers": {}})).limits
    except ScenarioError as error:
        raise ScenarioError(error.problem, path=error.path) from None


def _as_yaml(document: dict[str, object]) -> str:
    text = msgspec.json.encode(document).decode()
    return _NOT_IN_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _read_documents(media: str, content: bytes) -> list[Scenario]:
    found: object
    if media == JSON:
        found = parse_json(content)
    else:
        try:
            found = content.decode()
        except UnicodeDecodeError as error:
            problem = f"found the byte 0x{content[error.start]:02X}; expected text in UTF-8"
            line = content.count(b"\n", 0, error.start) + 1
            raise ScenarioError(problem, source="<scenario>", line=line) from None
    try:
        documents = msgspec.convert(found, Documents)
    except msgspec.ValidationError:
        raise Refused(
            HTTPStatus.BAD_REQUEST,
            "the body is no scenario",
            expected="an object, a YAML text, or a list of either",
        ) from None
    return scenarios_from(documents)


SCENARIO_BODY: Body[list[Scenario]] = Body(
    kinds={JSON: Documents, **dict.fromkeys(YAML_KINDS, str)}, read=_read_documents
)
"""A body that is one scenario, or in JSON a list of them."""
