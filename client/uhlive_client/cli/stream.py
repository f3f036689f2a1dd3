"""`stream`: sound into a conversation, and what is understood out of it."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import click

from ..aio import Call, connect
from ..codecs import Codec, RawFormat
from ..errors import ConfigurationError
from ..pacing import PacingReport
from .command import (
    Account,
    Interruption,
    Place,
    Writing,
    a_number,
    account_options,
    place_options,
    run,
    values,
    writing_options,
)
from .display import Display, Meters
from .speakers import Source, SourceOptions, Speakers


def _raw_format(_ctx: click.Context, _option: click.Parameter, text: str | None) -> RawFormat | None:
    try:
        return None if text is None else RawFormat.parse(text)
    except ConfigurationError as problem:
        raise click.BadParameter(str(problem)) from None


def _device(_ctx: click.Context, _option: click.Parameter, text: str | None) -> int | str | None:
    return int(text) if text and text.isascii() and text.isdecimal() else text


@click.command()
@click.argument(
    "files",
    metavar="[FILE]...",
    nargs=-1,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
)
@click.option(
    "--speaker",
    "speakers",
    metavar="NAME",
    multiple=True,
    help="Name of a speaker; again for each further one.  [default: the file's name]",
)
@click.option("--split-channels", is_flag=True, help="A speaker for each channel of a file.")
@click.option(
    "--raw",
    metavar="RATE:CHANNELS:ENCODING",
    callback=_raw_format,
    help="The files have no header: 8000:1:s16, or alaw, ulaw, u8, s8, s24, s32, f32, f64.",
)
@click.option("--mic", is_flag=True, help="Stream from a microphone too, until Ctrl-C.")
@click.option("--device", callback=_device, help="Which microphone: a number or a part of its name.")
@click.option("--model", default="fr", show_default=True, help="Language model.")
@click.option("--country", default="fr", show_default=True, help="Country, by which entities are read.")
@click.option("--codec", type=click.Choice(values(Codec)), default="linear", show_default=True)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    callback=a_number,
    default=1.0,
    show_default=True,
    help="Times the pace of speech; inf for all at once.",
)
@click.option(
    "--chunk-ms", type=click.IntRange(10, 4000), default=100, show_default=True, help="Length of a chunk."
)
@click.option("--no-interim", is_flag=True, help="No transcripts that may still change.")
@place_options
@writing_options
@account_options
def stream(
    *,
    files: tuple[Path, ...],
    speakers: tuple[str, ...],
    split_channels: bool,
    raw: RawFormat | None,
    mic: bool,
    device: int | str | None,
    model: str,
    country: str,
    codec: str,
    rate: float,
    chunk_ms: int,
    no_interim: bool,
    place: Place,
    writing: Writing,
    account: Account,
) -> None:
    """Stream sound into a conversation and print what is understood.

    Each FILE is a speaker, and all speak at once; with --split-channels each channel is one. A FILE may be
    anything libsndfile reads, at any rate; - is stdin, a WAV stream or, with --raw, samples without header. So is a
    FIFO, or <(a command).
    """
    options = SourceOptions(
        files=files,
        speakers=speakers,
        split_channels=split_channels,
        raw=raw,
        mic=mic,
        device=device,
        codec=Codec(codec),
        chunk_ms=chunk_ms,
        rate=rate,
    )
    options.check()

    def join(speaker: str) -> AbstractAsyncContextManager[Call]:
        return connect(
            **place,
            **account,
            speaker=speaker,
            model=model,
            country=country,
            interim_results=not no_interim,
            audio_codec=codec,
        )

    async def program(interruption: Interruption) -> None:
        meters = Meters(Codec(codec), rate=rate, clock=asyncio.get_running_loop().time)
        async with options.open() as sources:
            with Display(**writing, bottom=meters.rows) as display:
                meters.redraw = display.refresh
                together = Speakers(
                    sources,
                    [meters.add(source.speaker, source.seconds) for source in sources],
                    connect=join,
                    show=display.show,
                    rate=rate,
                )
                interruption.leave = together.end
                reports = await together.go()
            _report(sources, reports, chunk_ms)

    run(program)


def _report(sources: list[Source], reports: dict[str, PacingReport | None], chunk_ms: int) -> None:
    """How each stream went, on stderr."""
    for source in sources:
        who = f"{source.speaker} " if len(sources) > 1 else ""
        if (report := reports.get(source.speaker)) is not None:
            click.echo(f"{who}{report}", err=True)
        if source.lost_chunks:
            click.echo(f"{who}lost: {source.lost_chunks * chunk_ms / 1000:.1f} s of sound came too fast", err=True)
