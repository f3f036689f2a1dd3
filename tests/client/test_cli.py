"""The command against the small service: as a process of its own where signals or pipes count."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import sys
from contextlib import suppress

import pytest
from click.testing import CliRunner
from uhlive_client.cli import main

ALICE = ("--conversation", "conv1", "--speaker", "Alice")


async def start(service, *args: object, stdin: int | None = None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uhlive_client", *map(str, args)),
        env=environment(service),
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def run(service, *args: object) -> tuple[int, str, str]:
    """Run the command in a thread of this process, which is quicker."""
    runner = CliRunner(env=environment(service))
    async with asyncio.timeout(20):
        result = await asyncio.to_thread(runner.invoke, main, [str(arg) for arg in args])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def environment(service) -> dict[str, str]:
    return dict(os.environ) | {
        "UHLIVE_API_CLIENT": "acme",
        "UHLIVE_API_SECRET": "s3cret",
        "UHLIVE_AUTH_SERVER": service.settings["auth_server"],
        "UHLIVE_API_URL": service.settings["url"],
        "SSL_CERT_FILE": str(service.settings["ca_file"]),
    }


@pytest.mark.asyncio
async def test_stream_prints_what_is_final_and_how_it_was_paced(service, tone):
    code, out, err = await run(service, "stream", tone(0.2), *ALICE, "--rate", 10)
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
    code, out, err = await run(service, "stream", tone(), *ALICE, "--codec", "g711a")
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
    process = await start(service, "stream", tone(30.0), *ALICE)
    async with asyncio.timeout(20):
        await speaking.wait()
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert process.returncode == 130
    assert out.decode() == "[Alice 0:00.0] bonjour\nAlice left\n"
    assert "Traceback" not in err.decode()


@pytest.mark.asyncio
async def test_a_second_ctrl_c_goes_at_once(service, tone):
    speaking, leaving = asyncio.Event(), asyncio.Event()

    async def deaf(peer):
        await peer.accept()
        await peer.read()
        speaking.set()
        await peer.listen()
        leaving.set()

    service.script = deaf
    process = await start(service, "stream", tone(30.0), *ALICE, "--timeout", 60)
    async with asyncio.timeout(20):
        await speaking.wait()
        process.send_signal(signal.SIGINT)
        await leaving.wait()
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in err.decode()


@pytest.mark.asyncio
async def test_ctrl_c_before_the_join_is_answered_goes_at_once(service, tone):
    joining = asyncio.Event()

    async def mute(peer):
        await peer.read()
        joining.set()

    service.script = mute
    process = await start(service, "stream", tone(30.0), *ALICE, "--timeout", 60)
    async with asyncio.timeout(20):
        await joining.wait()
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, out, err) == (130, b"", b"")


@pytest.mark.asyncio
async def test_a_stay_that_the_service_ends_is_a_failure(service, tone):
    async def impatient(peer):
        await peer.accept()
        await peer.read()
        await peer.say("speaker_left", {"speaker": "Alice", "timestamp": 1})

    service.script = impatient
    code, out, err = await run(service, "stream", tone(30.0), *ALICE)
    assert (code, out) == (1, "Alice left\n")
    assert re.fullmatch(r"Error: the service ended the stay after 0\.\d s of sound\n", err)


@pytest.mark.asyncio
@pytest.mark.parametrize("option", [[], ["--raw", "8000:1:s16"]], ids=["wav", "raw"])
async def test_stdin_is_streamed_as_it_comes(service, tone, option):
    heard = asyncio.Event()

    async def hearing(peer):
        await peer.accept()
        await peer.read()
        heard.set()
        await peer.bye(await peer.listen())

    service.script = hearing
    content = tone(0.3).read_bytes()
    if option:
        content = content[44:]
    process = await start(service, "stream", "-", *ALICE, *option, stdin=asyncio.subprocess.PIPE)
    async with asyncio.timeout(20):
        process.stdin.write(content[:2000])
        await heard.wait()  # the first chunk, before there is a second
        out, _ = await process.communicate(content[2000:])
    assert process.returncode == 0
    assert out.decode().endswith("Alice left\n")
    assert len(service.peer.audio) == 4800


@pytest.mark.asyncio
async def test_ctrl_c_does_not_wait_for_stdin(service):
    speaking = asyncio.Event()

    async def attentive(peer):
        await peer.accept()
        await peer.read()
        speaking.set()
        await peer.bye(await peer.listen())

    service.script = attentive
    process = await start(service, "stream", "-", *ALICE, "--raw", "8000:1:s16", stdin=asyncio.subprocess.PIPE)
    async with asyncio.timeout(8):  # less than the patience of the call
        process.stdin.write(bytes(1600))
        await speaking.wait()
        process.send_signal(signal.SIGINT)
        out = await process.stdout.read()
        await process.wait()
    assert process.returncode == 130
    assert out.decode() == "[Alice 0:00.0] bonjour\nAlice left\n"


@pytest.mark.asyncio
async def test_a_reader_that_goes_away_ends_it_without_a_word(service, tone):
    async def talkative(peer):
        await peer.accept()
        for _ in range(50):
            await peer.segment("bonjour")
        await peer.bye(await peer.listen())

    service.script = talkative
    process = await start(service, "stream", tone(30.0), *ALICE)
    process.stdout._transport.close()
    async with asyncio.timeout(8):
        err = await process.stderr.read()
        await process.wait()
    assert (process.returncode, err) == (1, b"")


# --- observe ----------------------------------------------------------------------------------------------


async def observed(peer):
    await peer.accept()
    await peer.segment("bonjour", "Bob")
    await peer.segment("oui", "Carol")
    await peer.say("speaker_left", {"speaker": "Bob", "timestamp": 1})
    await peer.say("speaker_left", {"speaker": "Carol", "timestamp": 1})
    await peer.reply(await peer.listen())
    await peer.say("phx_close", {}, refs=("1", "1"))


@pytest.mark.asyncio
async def test_observe_goes_on_until_nobody_is_left(service):
    service.script = observed
    assert await run(service, "observe", "--conversation", "conv1") == (
        0,
        "[Bob 0:00.0] bonjour\n[Carol 0:00.0] oui\nBob left\nCarol left\n",
        "",
    )
    assert service.peer.audio == b""


@pytest.mark.asyncio
async def test_observe_for_a_while(service):
    async def endless(peer):
        await peer.accept()
        await peer.segment("bonjour", "Bob")
        await peer.reply(await peer.listen())
        await peer.say("phx_close", {}, refs=("1", "1"))

    service.script = endless
    code, out, err = await run(service, "observe", "--conversation", "conv1", "--for", 0.1)
    assert (code, out, err) == (0, "[Bob 0:00.0] bonjour\n", "")


@pytest.mark.asyncio
async def test_ctrl_c_ends_observing_though_nothing_confirms_it(service):
    async def silent(peer):
        await peer.accept()
        await peer.segment("bonjour", "Bob")
        await peer.listen()

    service.script = silent
    process = await start(service, "observe", "--conversation", "conv1", "--timeout", 0.5)
    async with asyncio.timeout(20):
        assert await process.stdout.readline() == b"[Bob 0:00.0] bonjour\n"
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, out, err) == (130, b"", b"")


# --- what is written --------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_each_format(service, tone):
    found = {}
    for form in ("jsonl", "srt", "vtt"):
        code, found[form], _ = await run(service, "stream", tone(), *ALICE, "--rate", 10, "--format", form)
        assert code == 0
    assert [json.loads(line)["event"] for line in found["jsonl"].splitlines()] == [
        *("Reply", "Closed", "Segment", "SpeakerLeft"),
    ]
    assert found["srt"] == "1\n00:00:00,000 --> 00:00:00,330\nbonjour\n"
    assert found["vtt"] == "WEBVTT\n\n00:00:00.000 --> 00:00:00.330\nbonjour\n"


@pytest.mark.asyncio
async def test_a_file_is_written_whatever_happens(service, tone, tmp_path):
    async def crashing(peer):
        await peer.accept()
        await peer.read()
        await peer.segment("bonjour")
        await peer.say("phx_error", {}, refs=("1", "1"))

    service.script = crashing
    path = tmp_path / "call.srt"
    code, out, err = await run(service, "stream", tone(9.0), *ALICE, "--format", "srt", "--output", path)
    assert (code, out) == (1, "")
    assert "crashed" in err
    assert path.read_text() == "1\n00:00:00,000 --> 00:00:00,330\nbonjour\n"


@pytest.mark.asyncio
@pytest.mark.parametrize("form", ["text", "jsonl", "srt"])
async def test_a_full_disk_is_told_in_one_sentence(service, tone, form):
    code, _, err = await run(
        service, "stream", tone(), *ALICE, "--rate", 10, "--format", form, "--output", "/dev/full"
    )
    assert (code, err) == (1, "Error: /dev/full: cannot be written (No space left on device)\n")


@pytest.mark.asyncio
async def test_a_terminal_shows_how_it_goes_and_a_pipe_gets_only_the_words(service, tone):
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uhlive_client", "stream", str(tone(0.5)), *ALICE),
        env=environment(service) | {"TERM": "xterm", "COLUMNS": "100"},
        stdout=asyncio.subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        screen = asyncio.create_task(asyncio.to_thread(all_of_terminal, ours))
        async with asyncio.timeout(20):
            out, _ = await process.communicate()
            shown = await screen
    finally:
        os.close(ours)
    assert process.returncode == 0
    assert out.decode() == "[Alice 0:00.0] bonjour\nAlice left\n"
    assert re.search(r"Alice .*0:00\.\d / 0:00\.5 .*lead .*0\.0 s .*lag .*ms", shown)
    assert "bonjour" not in shown  # stdout may well come out on this terminal
    assert "pacing: 0.5 s" in shown


def all_of_terminal(fd: int) -> str:
    found = b""
    with suppress(OSError):  # how a terminal ends on Linux
        while more := os.read(fd, 4096):
            found += more
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", found.decode())


# --- arguments --------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_token_prints_the_token_alone(service):
    assert await run(service, "token") == (0, "token-of-acme\n", "")


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["stream", "FILE"], "--conversation"),
        (["stream", "/nowhere.wav", "--conversation", "c"], "does not exist"),
        (["stream", "FILE", "--conversation", "c", "--rate", "0"], "--rate"),
        (["stream", "FILE", "--conversation", "c", "--rate", "nan"], "nan is not a number"),
        (["stream", "FILE", "--conversation", "c", "--codec", "mp3"], "g711a"),
        (["stream", "FILE", "--conversation", "c"], "no client id; give client_id or set UHLIVE_API_CLIENT"),
        (["stream", "FILE", "FILE", "--conversation", "c"], "2 streams are called"),
        (["stream", "FILE", "--conversation", "c", "--speaker", "A", "--speaker", "B"], "2 speakers for 1 stream"),
        (["stream", "--conversation", "c"], "nothing to stream; give a FILE"),
        (["stream", "-", "-", "--conversation", "c"], "stdin is given twice"),
        (["stream", "--mic", "--rate", "2", "--conversation", "c"], "a microphone keeps the pace of speech"),
        (["stream", "FILE", "--device", "1", "--conversation", "c"], "--device is given without --mic"),
        (["stream", "FILE", "--raw", "8000", "--conversation", "c"], "RATE:CHANNELS:ENCODING, like 8000:1:s16"),
        (["stream", "FILE", "--conversation", "c", "--output", "/nowhere/x"], "/nowhere/x: cannot be written"),
        (["observe", "--conversation", "c", "--for", "0"], "--for"),
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
