"""`demo`: the mock, the reference client and sample speech, live in one terminal.

The sample calls lie inside the package in the wheel, and in `fixtures/` in a checkout.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ConfigurationError
from .outcome import FINDINGS, INTERRUPTED, fail, sentences

if TYPE_CHECKING:
    from uhlive_client.aio import connect
    from uhlive_client.pacing import PacingReport

    from ..server.space_handle import SpaceHandle


_PACKAGE = Path(__file__).parent.parent
_HOMES = (_PACKAGE / "samples", _PACKAGE.parent / "fixtures")


def sample(name: str) -> Path:
    """The path of a sample file, such as `billets.yaml`.

    Raises:
        ConfigurationError: the installation has no such file.
    """
    for home in _HOMES:
        if (home / name).is_file():
            return home / name
    raise ConfigurationError(f"this installation has no sample {name!r}")


CALLS = {"billets": "fr", "delivery": "en"}
SPEAKERS = ("Alice", "Bob")


@click.command()
@click.option("--call", type=click.Choice(list(CALLS)), default="billets", show_default=True, help="Which call.")
@click.option("--rate", default=1.0, show_default=True, help="Speed, 1 being real time.")
def demo(call: str, rate: float) -> None:
    """Play a sample call: two speakers stream speech over TLS, an observer shows what the service hears."""
    from msgspec import structs
    from uhlive_client.errors import UhliveClientError

    from ..mock_server import MockServer
    from ..model.limits import Gap, GapAction, Limits
    from ..scenarios import load_scenario

    if not rate > 0:
        fail(f"--rate is {rate}; expected more than 0")
    with sentences(), MockServer() as server:
        # Nobody is silent on purpose here, and at a high rate a busy machine soon looks silent.
        shown = load_scenario(sample(f"{call}.yaml"))
        limits = structs.replace(shown.limits or Limits(), gap=Gap(action=GapAction.OFF))
        space = server.space(scenario=structs.replace(shown, limits=limits), rate=rate)
        files = {speaker: sample(f"{call}-{speaker.lower()}.wav") for speaker in SPEAKERS}
        click.echo(f"Mock service at {space.wss_url}; {' and '.join(SPEAKERS)} stream the call {call!r}.\n")
        try:
            report = asyncio.run(_play(space, files, CALLS[call], rate))
        except* KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        except* UhliveClientError as errors:
            fail("; ".join(str(error) for error in errors.exceptions), code=FINDINGS)
        click.echo(f"\n{report}")


async def _play(space: SpaceHandle, files: dict[str, Path], lang: str, rate: float) -> PacingReport:
    """Stream every speaker's file at once, show what an observer sees; the pacing of the latest of them."""
    from rich.console import Console
    from uhlive_client.aio import connect
    from uhlive_client.events import SpeakerLeft
    from uhlive_client.transcript import Transcript

    env = space.env
    dial = partial(
        connect,
        conversation="demo",
        client_id=space.client_id,
        client_secret=space.client_secret,
        auth_server=env["UHLIVE_AUTH_SERVER"],
        realm=env["UHLIVE_AUTH_REALM"],
        url=env["UHLIVE_API_URL"],
        ca_file=env["SSL_CERT_FILE"],
    )
    async with dial(speaker="observer", readonly=True) as observer:
        with Transcript(Console()) as transcript:
            async with asyncio.TaskGroup() as group:
                streams = [
                    group.create_task(_speak(dial, speaker, file, lang, rate)) for speaker, file in files.items()
                ]
                speaking = set(files)
                async for event in observer:
                    transcript.show(event)
                    if isinstance(event, SpeakerLeft):
                        speaking.discard(event.speaker)
                    if not speaking:
                        break
    return max((stream.result() for stream in streams), key=lambda report: report.late_max_ms)


async def _speak(dial: Callable[..., connect], speaker: str, file: Path, lang: str, rate: float) -> PacingReport:
    """Stream one file as one speaker, and read on until its own `speaker_left`."""
    from uhlive_client.audio import read_audio

    async with dial(speaker=speaker, model=lang, country=lang) as call:
        streaming = asyncio.create_task(call.stream_and_leave(read_audio(file), rate=rate))
        async for _ in call:
            pass
        return await streaming
