"""Operations on the server and on spaces as a whole: what there is, a new one, its scenario, its end."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Meta, UnsetType

from .. import scenarios as documents  # YAML comes with writing one, and not before
from ..errors import ScenarioError
from ..model.account import Vocabulary
from ..model.behaviour import Behaviour
from ..model.limits import Limits
from ..model.scenario import Scenario
from ..server.clock import Drive
from ..server.handles import SpaceHandle
from ..server.world import HostedSpace
from .documents import SCENARIO_BODY, YAML, Documents, limits_from, scenarios_from
from .operation import Asked, NoQuery, Operation, Reply, operation
from .reading import JSON, json_body
from .refusals import Refused

_TEXT = Meta(min_length=1, max_length=200)
_LIMITS = documents.json_schema()["properties"]["limits"]


class NewSpace(msgspec.Struct, frozen=True, kw_only=True):
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
    limits: Annotated[dict[str, object], Meta(extra_json_schema=_LIMITS)] | UnsetType = UNSET
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


async def _health(asked: Asked[NoQuery, None]) -> Health:
    return msgspec.convert(asked.host.ready(), Health)


async def _list(asked: Asked[NoQuery, None]) -> SpaceList:
    return SpaceList(
        spaces=[
            SpaceSummary(
                space=hosted.account.client_id,
                name=hosted.space.name,
                clock=hosted.clock.drive,
                scenarios=[scenario.name for scenario in hosted.space.scenarios],
            )
            for hosted in asked.host.world.living()
        ]
    )


def _read_sources(body: NewSpace) -> tuple[list[Scenario] | None, Limits | None]:
    return (
        None if isinstance(body.scenario, UnsetType) else scenarios_from(body.scenario),
        None if isinstance(body.limits, UnsetType) else limits_from(body.limits),
    )


async def _create(asked: Asked[NoQuery, NewSpace]) -> Reply:
    body = asked.body
    scenarios, limits = await asyncio.to_thread(_read_sources, body)
    client_id = body.client_id or None
    if client_id and asked.host.world.find_account(client_id):
        raise Refused(HTTPStatus.CONFLICT, f"client {client_id!r} already belongs to another space")
    space = asked.host.open_space(
        scenario=scenarios,
        client_id=client_id,
        client_secret=body.client_secret or None,
        vocabulary=body.vocabulary,
        clock=body.clock,
        rate=body.rate,
        seed=body.seed,
        behaviour=body.behaviour or None,
        limits=limits,
        name=body.name,
    )
    facts = _facts(space, asked.host.find(space.client_id))
    return Reply(
        content=msgspec.json.encode(facts),
        status=HTTPStatus.CREATED,
        headers={"Location": f"/_mock/spaces/{quote(space.client_id, safe='')}"},
    )


async def _show(asked: Asked[NoQuery, None]) -> SpaceFacts:
    return _facts(asked.space, asked.hosted)


def _facts(space: SpaceHandle, hosted: HostedSpace) -> SpaceFacts:
    return SpaceFacts(
        space=space.client_id,
        name=hosted.space.name,
        client_id=space.client_id,
        client_secret=space.client_secret,
        env=space.env,
        token_url=space.token_url,
        ws_url=space.ws_url,
        wss_url=space.wss_url,
        ca_file=space.ca_file,
        clock=hosted.clock.drive,
        rate=hosted.clock.rate,
        seed=hosted.space.seed,
    )


async def _end(asked: Asked[NoQuery, None]) -> None:
    asked.space.close()


async def _scenario(asked: Asked[NoQuery, None]) -> ScenarioList | Reply:
    scenarios = asked.hosted.space.scenarios
    try:
        texts = await asyncio.to_thread(lambda: [documents.format_scenario(scenario) for scenario in scenarios])
    except ScenarioError as error:
        raise Refused(HTTPStatus.CONFLICT, f"a scenario of this space cannot be written down: {error}") from None
    if not asked.wants(YAML):
        named = zip(scenarios, texts, strict=True)
        return ScenarioList(scenarios=[ScenarioText(name=scenario.name, yaml=text) for scenario, text in named])
    if len(texts) != 1:
        why = f"the space has {len(texts)} scenarios; only one makes a YAML document"
        raise Refused(HTTPStatus.CONFLICT, why, expected=f"Accept: {JSON}")
    return Reply(content=texts[0].encode(), media=YAML)


async def _replace(asked: Asked[NoQuery, list[Scenario]]) -> None:
    asked.space.replace_scenario(asked.body)


_SPACE = "/_mock/spaces/{space}"
_SCENARIO = f"{_SPACE}/scenario"

OPERATIONS: tuple[Operation, ...] = (
    operation(
        "GET", "/_mock/health", "The ready object: who serves, where, and how to reach it.", _health, answers=Health
    ),
    operation("GET", "/_mock/spaces", "The living spaces.", _list, answers=SpaceList),
    operation(
        "POST",
        "/_mock/spaces",
        "Make a space: an account, its scenario, its clock and its journal.",
        _create,
        body=json_body(NewSpace),
        answers=SpaceFacts,
        status=HTTPStatus.CREATED,
        makes="space",
        refuses={
            HTTPStatus.CONFLICT: "The client id belongs to another space.",
            HTTPStatus.UNPROCESSABLE_ENTITY: "The scenario, the limits or the behaviour cannot be used.",
        },
    ),
    operation("GET", _SPACE, "A space and how to reach it.", _show, answers=SpaceFacts),
    operation("DELETE", _SPACE, "End a space: its sockets are closed, its account is unknown.", _end),
    operation(
        "GET",
        _SCENARIO,
        "The scenarios of a space; a single one also as a YAML document.",
        _scenario,
        answers={JSON: ScenarioList, YAML: "The document of the only scenario."},
        refuses={HTTPStatus.CONFLICT: "A scenario made in Python cannot be written down, or there are several."},
    ),
    operation(
        "PUT",
        _SCENARIO,
        "Replace the scenarios; whoever joins from now on hears the new ones.",
        _replace,
        body=SCENARIO_BODY,
        refuses={HTTPStatus.UNPROCESSABLE_ENTITY: "The scenario cannot be used; says where and why."},
    ),
)
