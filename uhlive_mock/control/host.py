"""What the operations work on: the server, as far as they need it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

import msgspec

from ..model.account import Vocabulary
from ..model.behaviour import Behaviour
from ..model.limits import Limits
from ..model.scenario import Scenario
from ..scenarios.wording import unknown
from ..server.clock import Drive
from ..server.handles import SpaceHandle
from ..server.world import HostedSpace, World
from .refusals import Refused


class OpenSpace(Protocol):
    """Makes a space; see `MockServer.space`."""

    def __call__(
        self,
        *,
        scenario: list[Scenario] | None,
        client_id: str | None,
        client_secret: str | None,
        vocabulary: Vocabulary,
        clock: Drive,
        rate: float,
        seed: int,
        behaviour: Behaviour | None,
        limits: Limits | None,
        name: str,
    ) -> SpaceHandle: ...


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The server.

    Args:
        ready: the ready object.
        open_space: makes a space and brings it to life.
        hold: the handle of a living space.
        stop: set when the server stops, so that nobody waits any longer.
    """

    world: World
    ready: Callable[[], dict[str, object]]
    open_space: OpenSpace
    hold: Callable[[HostedSpace], SpaceHandle]
    stop: asyncio.Event

    def find(self, space: str) -> HostedSpace:
        """The living space of that client id.

        Raises:
            Refused: 404, there is none.
        """
        living = {hosted.account.client_id: hosted for hosted in self.world.living()}
        if space not in living:
            why = unknown("space", space, living) if len(living) <= 20 else f"unknown space {space!r}"
            raise Refused(HTTPStatus.NOT_FOUND, why if living else f"there is no space {space!r}, nor any other")
        return living[space]
