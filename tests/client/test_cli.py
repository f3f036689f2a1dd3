"""The command, as a process of its own against the small service."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest
from click.testing import CliRunner
from uhlive_client.cli import main


def environment(service) -> dict[str, str]:
    return os.environ | {
        "UHLIVE_API_CLIENT": "acme",
        "UHLIVE_API_SECRET": "s3cret",
        "UHLIVE_AUTH_SERVER": service.settings["auth_server"],
        "UHLIVE_API_URL": service.settings["url"],
        "SSL_CERT_FILE": str(service.settings["ca_file"]),
    }


async def start(service, *args: object) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uhlive_client", *map(str, args)),
        env=environment(service),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def run(service, *args: object) -> tuple[int, str, str]:
    process = await start(service, *args)
    async with asyncio.timeout(20):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.mark.asyncio
async def test_stream_prints_what_is_final_and_how_it_was_paced(service, tone):
    code, out, err = await run(service, "stream", tone(0.2), "--conversation", "conv1", "--rate", 10)
    assert (code, out) == (0, "[Alice 0:00.0] bonjour\nAlice left\n")
    assert err.startswith("pacing: 0.2 s of audio in ")
    assert err.count("\n") == 1
    assert len(service.peer.audio) == 3200


@pytest.mark.asyncio
async def test_stream_fails_in_one_sentence(service, tone):
    async def refusing(peer):
        ref, _ = await peer.read()
        await peer.reply(ref, "error", {"reason": "unknown model"})

    service.script = refusing
    code, out, err = await run(service, "stream", tone(), "--conversation", "conv1", "--codec", "g711a")
    assert (code, out) == (1, "")
    assert err == "Error: the service refused the conversation: unknown model\n"


@pytest.mark.asyncio
async def test_ctrl_c_leaves_and_prints_the_last_words(service, tone):
    speaking = asyncio.Event()

    async def attentive(peer):
        await peer.accept()
        await peer.read()
        speaking.set()
        await peer.bye(await peer.listen())

    service.script = attentive
    process = await start(service, "stream", tone(30.0), "--conversation", "conv1")
    async with asyncio.timeout(20):
        await speaking.wait()
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert process.returncode == 130
    assert out.decode() == "[Alice 0:00.0] bonjour\nAlice left\n"
    assert "Traceback" not in err.decode()


@pytest.mark.asyncio
async def test_token_prints_the_token_alone(service):
    assert await run(service, "token") == (0, "token-of-acme\n", "")


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["stream", "FILE"], "--conversation"),
        (["stream", "/nowhere.wav", "--conversation", "c"], "does not exist"),
        (["stream", "FILE", "--conversation", "c", "--rate", "0"], "--rate"),
        (["stream", "FILE", "--conversation", "c", "--codec", "mp3"], "g711a"),
        (["stream", "FILE", "--conversation", "c"], "no client id; give client_id or set UHLIVE_API_CLIENT"),
        (["token", "--client-id", "acme"], "no client secret"),
        (["sing"], "No such command"),
    ],
)
def test_misuse_exits_with_2(args, sentence, tone):
    result = CliRunner().invoke(main, [str(tone()) if arg == "FILE" else arg for arg in args])
    assert result.exit_code == 2
    assert sentence in result.output


def test_a_file_without_sound_exits_with_1(tmp_path):
    path = tmp_path / "text.wav"
    path.write_text("bonjour")
    result = CliRunner().invoke(main, ["stream", str(path), "--conversation", "c", "--client-id", "acme"])
    assert result.exit_code == 1
    assert "not a sound file" in result.output
