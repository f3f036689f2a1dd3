"""Operations on the server and on spaces as a whole: what there is, a new one, its scenario, its clock.

Scenarios and limits come as a YAML text, or as the same in JSON. JSON is written anew before the scenario reader
gets it, because YAML reads the escapes of JSON differently. Its lines then say nothing to the caller, who finds the
place by its path.
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Meta, UnsetType

from .. import scenarios as documents  # YAML comes with reading or writing one, and not before
from ..errors import ScenarioError
from ..model.account import Vocabulary
from ..model.behaviour import Behaviour
from ..model.limits import Limits
from ..model.scenario import Scenario
from ..model.settings import Drive
from ..protocol.space import Space
from ..server.space_handle import SpaceHandle
from .operation import JSON, SPACE, Answer, Body, Call, Refused, find_space, operation, parse_json

YAML = "application/yaml"
YAML_KINDS = (YAML, "text/yaml", "application/x-yaml")
LONGEST_ADVANCE_S = 7 * 86_400

_TEXT = Meta(min_length=1, max_length=200)


# --- scenarios and limits as a caller sends them ------------------------------------------------------------

Document = str | Annotated[dict[str, object], Meta(extra_json_schema={"$ref": "#/components/schemas/Scenario"})]
"""A scenario: its YAML text, or the same as an object."""

Documents = Document | list[Document]
"""One or several."""

LimitsDocument = Annotated[
    dict[str, object], Meta(extra_json_schema={"$ref": "#/components/schemas/ScenarioLimits"})
]
"""The limits as a scenario has them."""

_NOT_IN_YAML = re.compile("[^ -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What YAML allows only escaped, and what it takes for the end of a line."""


def scenarios_from(sources: Documents) -> list[Scenario]:
    """The scenarios of one document or several. Touches no space, so it may run on a thread of its own.

    Raises:
        ScenarioError: by line for YAML, by path for JSON.
    """
    if isinstance(sources, list):
        if not sources:
            raise ScenarioError("there is no scenario; expected at least one")
        return [_scenario_from(document, f"<scenario {at}>") for at, document in enumerate(sources)]
    return [_scenario_from(sources, "<scenario>")]


def _scenario_from(document: Document, source: str) -> Scenario:
    if isinstance(document, str):
        return documents.parse_scenario(document, source)
    text = msgspec.json.encode(document).decode()
    try:
        return documents.parse_scenario(_NOT_IN_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", text), source)
    except ScenarioError as error:
        raise ScenarioError(error.problem, source=source, path=error.path) from None


def limits_from(limits: dict[str, object]) -> Limits | None:
    """The limits that a scenario with these would have.

    Raises:
        ScenarioError: by path.
    """
    return _scenario_from({"version": 1, "limits": limits, "speakers": {}}, "").limits


def _read_scenarios(media: str, content: bytes) -> list[Scenario]:
    from ..scenarios.reader import decode

    found = parse_json(content) if media == JSON else decode(content, "<scenario>")
    try:
        sources = msgspec.convert(found, Documents)
    except msgspec.ValidationError:
        raise Refused(
            HTTPStatus.BAD_REQUEST,
            "the body is no scenario",
            expected="an object, a YAML text, or a list of either",
        ) from None
    return scenarios_from(sources)


# --- what is read and answered ------------------------------------------------------------------------------


class NewSpace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a space is made of; all of it has a default."""

    scenario: (
        Annotated[
            Documents,
            Meta(description="A scenario, as YAML text or as an object, or several; by default the built-in call."),
        ]
        | UnsetType
    ) = UNSET
    client_id: Annotated[str, _TEXT, Meta(description="Drawn by default.")] | UnsetType = UNSET
    client_secret: Annotated[str, _TEXT, Meta(description="Drawn by default.")] | UnsetType = UNSET
    vocabulary: Annotated[
        Vocabulary, Meta(description="Event names: universal for SDK 2.x, legacy for SDK 1.x and JavaScript.")
    ] = Vocabulary.UNIVERSAL
    clock: Annotated[Drive, Meta(description="What moves time.")] = Drive.AUDIO
    rate: Annotated[float, Meta(gt=0, le=1000, description="Speed of the real clock; 1 for the others.")] = 1.0
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1, description="Decides everything random.")] = 0
    limits: LimitsDocument | UnsetType = UNSET
    behaviour: (
        Annotated[Behaviour, Meta(description="What the service does where nothing is known for certain.")]
        | UnsetType
    ) = UNSET
    name: Annotated[str, Meta(max_length=200, description="What messages call it, such as a test's name.")] = ""


class SpaceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A space and how to reach it. `env` is what the official SDK and the usual transports read."""

    space: str
    name: str
    client_id: str
    client_secret: str
    env: dict[str, str]
    token_url: str
    ws_url: str
    wss_url: str | None
    ca_file: str | None
    clock: Drive
    rate: float
    seed: int


class SpaceSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A space in the list of spaces."""

    space: str
    name: str
    clock: Drive
    scenarios: list[str]


class SpaceList(msgspec.Struct, frozen=True, kw_only=True):
    """The living spaces, oldest first."""

    spaces: list[SpaceSummary]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The ready object. `env` is that of the space that `serve` or `run` made, if any."""

    ready: bool
    pid: int
    version: str
    instance: str
    http_url: str
    https_url: str | None
    ws_url: str
    wss_url: str | None
    token_url: str
    ca_file: str | None
    env: dict[str, str]


class ScenarioText(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario's name and its document."""

    name: str
    yaml: str


class ScenarioList(msgspec.Struct, frozen=True, kw_only=True):
    """The scenarios of a space: the first that fits a conversation speaks in it."""

    scenarios: list[ScenarioText]


class Advance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far to move the clock."""

    seconds: Annotated[float, Meta(ge=0, le=LONGEST_ADVANCE_S)]


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """The time of the space's clock, in Unix seconds."""

    now: float


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a token lives, in seconds of the space's clock; 0 for one that has expired."""

    expires_in: Annotated[int, Meta(ge=0, le=2**31)] = 300


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token of the space's account."""

    access_token: str
    token_type: str
    expires_in: int


# --- operations ---------------------------------------------------------------------------------------------


@operation("GET", "/_mock/health")
async def show_health(call: Call) -> Health:
    """The ready object: who serves, where, and how to reach it."""
    return msgspec.convert(call.state.ready(), Health)


@operation("GET", "/_mock/spaces")
async def list_spaces(call: Call) -> SpaceList:
    """The living spaces."""
    return SpaceList(
        spaces=[
            SpaceSummary(
                space=hosted.settings.account.client_id,
                name=hosted.name,
                clock=hosted.settings.clock,
                scenarios=[scenario.name for scenario in hosted.scenarios],
            )
            for hosted in call.state.spaces.living()
        ]
    )


@operation(
    "POST",
    "/_mock/spaces",
    answers={JSON: SpaceFacts},
    status=HTTPStatus.CREATED,
    makes="space",
    refuses={
        HTTPStatus.CONFLICT: "The client id belongs to another space.",
        HTTPStatus.UNPROCESSABLE_ENTITY: "The scenario, the limits or the behaviour cannot be used.",
    },
)
async def make_space(call: Call, body: NewSpace) -> Answer:
    """Make a space: an account, its scenario, its clock and its journal."""
    settings = await asyncio.to_thread(_settings, body)
    if body.client_id and call.state.spaces.find_account(body.client_id):
        raise Refused(HTTPStatus.CONFLICT, f"client {body.client_id!r} already belongs to another space")
    space = call.state.open_space(**settings)
    return Answer(
        content=msgspec.json.encode(_facts(space, find_space(call.state, space.client_id))),
        status=HTTPStatus.CREATED,
        headers={"Location": f"/_mock/spaces/{quote(space.client_id, safe='')}"},
    )


def _settings(body: NewSpace) -> dict[str, object]:
    """What was given of a new space, with scenarios and limits read."""
    fields = msgspec.structs.asdict(body)
    if not isinstance(body.scenario, UnsetType):
        fields["scenario"] = scenarios_from(body.scenario)
    if not isinstance(body.limits, UnsetType):
        fields["limits"] = limits_from(body.limits)
    return {name: value for name, value in fields.items() if value is not UNSET}


@operation("GET", SPACE)
async def show_space(call: Call) -> SpaceFacts:
    """A space and how to reach it."""
    return _facts(call.space, call.hosted)


def _facts(space: SpaceHandle, hosted: Space) -> SpaceFacts:
    return SpaceFacts(
        space=space.client_id,
        name=hosted.name,
        client_id=space.client_id,
        client_secret=space.client_secret,
        env=space.env,
        token_url=space.token_url,
        ws_url=space.ws_url,
        wss_url=space.wss_url,
        ca_file=space.ca_file,
        clock=hosted.settings.clock,
        rate=hosted.clock.rate,
        seed=hosted.seed,
    )


@operation("DELETE", SPACE)
async def end_space(call: Call) -> None:
    """End a space: its sockets are closed, its account is unknown."""
    call.space.close()


@operation(
    "GET",
    f"{SPACE}/scenario",
    answers={JSON: ScenarioList, YAML: "The document of the only scenario."},
    refuses={HTTPStatus.CONFLICT: "A scenario made in Python cannot be written down, or there are several."},
)
async def show_scenario(call: Call) -> ScenarioList | Answer:
    """The scenarios of a space; a single one also as a YAML document."""
    scenarios = call.hosted.scenarios
    try:
        texts = await asyncio.to_thread(lambda: [documents.format_scenario(scenario) for scenario in scenarios])
    except ScenarioError as error:
        raise Refused(HTTPStatus.CONFLICT, f"a scenario of this space cannot be written down: {error}") from None
    if not call.wants(YAML):
        return ScenarioList(
            scenarios=[
                ScenarioText(name=scenario.name, yaml=text) for scenario, text in zip(scenarios, texts, strict=True)
            ]
        )
    if len(texts) != 1:
        raise Refused(
            HTTPStatus.CONFLICT,
            f"the space has {len(texts)} scenarios; only one makes a YAML document",
            expected=f"Accept: {JSON}",
        )
    return Answer(content=texts[0].encode(), media=YAML)


@operation(
    "PUT",
    f"{SPACE}/scenario",
    reads=Body(kinds={JSON: Documents, **dict.fromkeys(YAML_KINDS, str)}, read=_read_scenarios),
    refuses={HTTPStatus.UNPROCESSABLE_ENTITY: "The scenario cannot be used; says where and why."},
)
async def replace_scenario(call: Call, body: list[Scenario]) -> None:
    """Replace the scenarios; whoever joins from now on hears the new ones."""
    call.space.replace_scenario(body)


@operation("POST", f"{SPACE}/advance")
async def advance(call: Call, body: Advance) -> Now:
    """Move the space's clock, running everything that becomes due on the way, in order."""
    call.space.advance(body.seconds)
    return Now(now=call.hosted.clock.now())


@operation("POST", f"{SPACE}/tokens")
async def issue_token(call: Call, body: NewToken) -> Token:
    """A token of the space's account, without the token endpoint."""
    return Token(
        access_token=call.space.issue_token(expires_in=body.expires_in),
        token_type="Bearer",  # noqa: S106
        expires_in=body.expires_in,
    )


@operation("POST", f"{SPACE}/reset")
async def reset(call: Call) -> None:
    """Make the space as new, with the same account."""
    call.space.reset()
