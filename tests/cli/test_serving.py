"""`serve`, `run` and `env` as a user runs them."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import websocket as ws

import uhlive_mock


def token(ready) -> str:
    env = ready["env"]
    form = {
        "grant_type": "client_credentials",
        "client_id": env["UHLIVE_API_CLIENT"],
        "client_secret": env["UHLIVE_API_SECRET"],
    }
    trust = ssl.create_default_context(cafile=ready["ca_file"]) if ready["ca_file"] else None
    with urlopen(ready["token_url"], urlencode(form).encode(), context=trust, timeout=60) as answer:
        return str(json.load(answer)["access_token"])


# --- serve ---


def test_the_ready_object_has_every_promised_key(serve):
    ready = serve().ready
    assert list(ready) == [
        "ready", "pid", "version", "instance", "http_url", "https_url", "ws_url", "wss_url", "token_url",
        "ca_file", "env",
    ]  # fmt: skip
    assert ready["ready"] is True
    assert ready["version"] == uhlive_mock.__version__
    assert set(ready["env"]) >= {
        "UHLIVE_AUTH_SERVER", "UHLIVE_AUTH_REALM", "UHLIVE_API_URL", "UHLIVE_API_CLIENT", "UHLIVE_API_SECRET",
        "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "WEBSOCKET_CLIENT_CA_BUNDLE",
    }  # fmt: skip


def test_ready_means_that_tokens_and_sockets_work(serve):
    ready = serve().ready
    url = f"{ready['wss_url']}/socket/websocket?jwt={token(ready)}&vsn=2.0.0"
    ws.create_connection(url, timeout=60, sslopt={"ca_certs": ready["ca_file"]}).close()


def test_the_ready_file_and_health_repeat_the_ready_object(serve, tmp_path):
    path = tmp_path / "ready.json"
    ready = serve("--ready-file", str(path)).ready
    assert json.loads(path.read_text()) == ready
    assert path.stat().st_mode & 0o077 == 0
    with urlopen(f"{ready['http_url']}/_mock/health", timeout=60) as answer:
        assert json.load(answer) == ready


def test_health_is_silent_towards_a_page_of_another_name(serve):
    ready = serve().ready
    host, port = ready["http_url"].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as raw:
        raw.sendall(b"GET /_mock/health HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 403")
    assert ready["env"]["UHLIVE_API_SECRET"].encode() not in answer


def test_without_json_the_announcement_is_for_people(mock, tmp_path):
    command = [sys.executable, "-u", "-m", "uhlive_mock", "serve", "--port", "0", "--tls-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == f"uhlive-mock {uhlive_mock.__version__} is ready.\n"
        process.terminate()


def test_a_port_that_is_taken_is_reported_at_once_in_one_sentence(mock):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = mock("serve", "--port", str(port), "--tls-port", "0")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"uhlive-mock: cannot listen on 127.0.0.1 port {port}: it is already in use\n"


def test_a_scenario_that_cannot_be_used_is_reported_with_its_line(mock, tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text("version: 1\nspeakers:\n  Alice:\n    - at: 1s\n      sey: hello\n")
    done = mock("serve", str(broken), "--port", "0", "--tls-port", "0")
    assert done.returncode == 2
    assert f"{broken}:5: speakers.Alice[0]: unknown key 'sey'; did you mean 'say'?" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--client", "acme"], "--client takes ID:SECRET"),
        (["--client", "acme:a", "--client", "acme:b"], "client 'acme' is given twice"),
        (["--rate", "0"], "the clock's rate is 0.0; expected more than 0"),
        (["--clock", "audio", "--rate", "2"], "rate is for the real clock"),
        (["--host", "no.such.host.invalid"], "cannot listen on 'no.such.host.invalid'"),
        (["--port", "70000"], "cannot listen on"),
        (["nowhere.yaml"], "nowhere.yaml"),
        (["--journal", "/nowhere/journal.jsonl"], "cannot write the journal /nowhere/journal.jsonl"),
    ],
)
def test_a_bad_option_is_one_sentence_and_exit_code_2(mock, arguments, message):
    done = mock("serve", "--port", "0", "--tls-port", "0", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_closes_sockets_and_exits_within_three_seconds(serve, number, code):
    served = serve()
    url = f"{served.ready['ws_url']}/socket/websocket?jwt={token(served.ready)}&vsn=2.0.0"
    client = ws.create_connection(url, timeout=60)
    topic = f"conversation:{served.ready['env']['UHLIVE_API_CLIENT']}@conv1"
    client.send(json.dumps(["1", "1", topic, "phx_join", {"speaker": "Alice"}]))
    client.recv()
    exit_code, log = served.stop(number, within=3)
    assert exit_code == code
    assert "Traceback" not in log
    opcode, data = client.recv_data(control_frame=True)
    assert (opcode, struct.unpack("!H", data[:2])[0]) == (ws.ABNF.OPCODE_CLOSE, 1012)
    client.shutdown()


def test_secrets_and_tokens_reach_neither_log_nor_journal(serve, tmp_path):
    journal = tmp_path / "journal.jsonl"
    served = serve("--client", "acme:hush-hush", "--journal", str(journal))
    jwt = token(served.ready)
    for target in (jwt, jwt[:-4] + "AAAA"):
        url = f"{served.ready['ws_url']}/socket/websocket?jwt={target}&vsn=2.0.0"
        try:
            client = ws.create_connection(url, timeout=60)
        except ws.WebSocketBadStatusException:
            continue
        client.send(json.dumps(["1", "1", "conversation:acme@conv1", "phx_join", {"speaker": "Alice"}]))
        client.recv()
        client.close()
    _, log = served.stop()
    written = journal.read_text()
    assert '"event":"phx_join"' in written
    for secret in ("hush-hush", jwt, jwt.split(".")[1]):
        assert secret not in written + log


def test_without_tls_there_is_no_ca_and_everything_is_plain(serve):
    ready = serve("--no-tls").ready
    assert ready["https_url"] is None
    assert ready["ca_file"] is None
    assert ready["env"]["UHLIVE_API_URL"] == ready["ws_url"]
    assert token(ready)


def test_the_built_in_call_speaks_within_its_first_seconds(serve):
    ready = serve("--clock", "audio").ready
    client = ws.create_connection(f"{ready['ws_url']}/socket/websocket?jwt={token(ready)}&vsn=2.0.0", timeout=60)
    topic = f"conversation:{ready['env']['UHLIVE_API_CLIENT']}@conv1"
    client.send(json.dumps(["1", "1", topic, "phx_join", {"speaker": "Alice"}]))
    client.recv()
    header = bytes([0, 1, 1, len(topic), 11]) + b"12" + topic.encode() + b"audio_chunk"
    client.send_binary(header + bytes(16_000 * 5))
    assert json.loads(client.recv())[3] == "audio_words_decoded"
    client.close()


# --- run ---


def test_run_exits_with_the_code_of_its_command(mock):
    assert mock("run", "--", sys.executable, "-c", "raise SystemExit(7)").returncode == 7


def test_run_gives_its_command_the_environment_of_a_living_server(mock):
    program = (
        "import os, requests; from uhlive.auth import build_authentication_request as build;"
        "url, form = build(os.environ['UHLIVE_API_CLIENT'], os.environ['UHLIVE_API_SECRET']);"
        "print(requests.post(url, data=form).json()['token_type'])"
    )
    done = mock("run", "--client", "acme:secret", "--", sys.executable, "-c", program)
    assert (done.returncode, done.stdout) == (0, "Bearer\n"), done.stderr


def test_run_says_which_cues_the_audio_never_reached(mock, tmp_path):
    late = tmp_path / "late.yaml"
    late.write_text("version: 1\nspeakers:\n  Alice:\n    - at: 1s\n      until: 2s\n      say: hello\n")
    program = """
import json, os, websocket, requests
from uhlive.auth import build_authentication_request as build
from uhlive.stream.conversation import Conversation, build_conversation_url
url, form = build(os.environ["UHLIVE_API_CLIENT"], os.environ["UHLIVE_API_SECRET"])
socket = websocket.create_connection(build_conversation_url(requests.post(url, data=form).json()["access_token"]))
conversation = Conversation(os.environ["UHLIVE_API_CLIENT"], "conv1", "Alice")
socket.send(conversation.join())
conversation.receive(socket.recv())
socket.send(conversation.leave())
while not conversation.left:
    conversation.receive(socket.recv())
socket.close()
"""
    done = mock("run", str(late), "--", sys.executable, "-c", program)
    assert done.returncode == 0, done.stderr
    assert "line 4: cue 0 of Alice was never played: it needs 2 s of audio, 0 s of audio arrived" in done.stderr


def test_run_without_a_command_says_where_to_write_it(mock):
    done = mock("run", "pytest")
    assert done.returncode == 2
    assert "uhlive-mock run -- pytest" in done.stderr


def test_run_of_a_program_that_is_not_there_is_one_sentence(mock):
    done = mock("run", "--", "no-such-program")
    assert done.returncode == 2
    assert done.stderr == "uhlive-mock: cannot run 'no-such-program': No such file or directory\n"


def test_run_passes_ctrl_c_on_and_exits_with_130():
    program = "import time; print('up', flush=True); time.sleep(30)"
    command = [sys.executable, "-m", "uhlive_mock", "run", "--", sys.executable, "-c", program]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


# --- env ---


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "export UHLIVE_API_CLIENT='a b'"),
        ("fish", "set -gx UHLIVE_API_CLIENT 'a b'"),
        ("dotenv", 'UHLIVE_API_CLIENT="a b"'),
    ],
)
def test_env_prints_the_environment_of_a_running_server(serve, mock, shell, line):
    ready = serve("--client", "a b:secret").ready
    done = mock("env", "--url", ready["http_url"], "--shell", shell)
    assert line in done.stdout.splitlines()
    as_json = mock("env", "--url", ready["http_url"], "--shell", "json")
    printed = json.loads(as_json.stdout)
    assert printed["NO_PROXY"] == printed["no_proxy"]
    assert {name: printed[name] for name in ready["env"]} == ready["env"]


def test_env_without_a_server_says_so(mock):
    done = mock("env", "--url", "http://127.0.0.1:9")
    assert done.returncode == 2
    assert done.stderr.startswith("uhlive-mock: no uhlive-mock answers at http://127.0.0.1:9:")


# --- what a terminal or a CI does to it ---


def test_a_ready_file_is_gone_when_the_server_is(serve, tmp_path):
    path = tmp_path / "ready.json"
    path.write_text("of a server that was killed")
    served = serve("--ready-file", str(path))
    assert json.loads(path.read_text())["pid"] == served.pid
    served.stop()
    assert not path.exists()


def test_a_closed_terminal_stops_the_server_as_a_termination_does(serve):
    served = serve()
    assert served.stop(signal.SIGHUP)[0] == 0


def test_run_passes_a_termination_on_and_cleans_up(start):
    program = "import os, time; print(os.environ['SSL_CERT_FILE'], flush=True); time.sleep(30)"
    running = start("run", "--", sys.executable, "-c", program)
    ca_file = Path(running.first_line().strip())
    assert ca_file.exists()
    running.process.terminate()
    assert running.end().returncode == 128 + signal.SIGTERM
    assert not ca_file.exists()


def test_run_reports_what_a_program_that_just_ends_never_let_be_played(mock, tmp_path):
    call = tmp_path / "call.yaml"
    call.write_text("version: 1\nspeakers:\n  Alice:\n    - {at: 60s, say: hello}\n")
    program = """
import os, websocket, requests
from uhlive.auth import build_authentication_request as build
from uhlive.stream.conversation import Conversation, build_conversation_url
url, form = build(os.environ["UHLIVE_API_CLIENT"], os.environ["UHLIVE_API_SECRET"])
token = requests.post(url, data=form).json()["access_token"]
socket = websocket.create_connection(build_conversation_url(token))
conversation = Conversation(os.environ["UHLIVE_API_CLIENT"], "conv1", "Alice")
socket.send(conversation.join())
conversation.receive(socket.recv())
os._exit(3)
"""
    done = mock("run", str(call), "--", sys.executable, "-c", program)
    assert done.returncode == 3
    assert "cue 0 of Alice was never played" in done.stderr


def test_a_user_logs_in_with_the_password_grant(serve):
    ready = serve("--client", "acme:secret", "--user", "acme:Bob:pass:word").ready
    form = {"grant_type": "password", "client_id": "acme", "client_secret": "secret"}
    form |= {"username": "Bob", "password": "pass:word"}
    trust = ssl.create_default_context(cafile=ready["ca_file"])
    with urlopen(ready["token_url"], urlencode(form).encode(), context=trust, timeout=60) as answer:
        assert "refresh_token" in json.load(answer)


@pytest.mark.parametrize("user", ["Bob:password", "nobody:Bob:password", "acme::password"])
def test_a_user_of_no_client_is_a_usage_error(mock, user):
    done = mock("serve", "--user", user)
    assert done.returncode == 2
    assert "--user" in done.stderr


def test_without_tls_run_warns_and_keeps_the_sdk_on_this_machine(mock):
    program = "import os; print(os.environ['UHLIVE_AUTH_SERVER'])"
    done = mock("run", "--no-tls", "--", sys.executable, "-c", program)
    assert done.stdout.startswith("127.0.0.1:")
    assert "without TLS the official SDK gets no token" in done.stderr


def test_env_of_an_address_that_is_none_is_one_sentence(mock):
    done = mock("env", "--url", "http://localhost:abc")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
