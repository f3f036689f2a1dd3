"""Spaces and their scenarios over HTTP."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from urllib.parse import urlsplit

import msgspec
import pytest
import requests
import websocket as ws
from hypothesis import HealthCheck, given, settings, strategies as st

from uhlive_mock import scenario
from uhlive_mock.control import operation
from uhlive_mock.scenarios import format_scenario, parse_scenario

CALL = """\
version: 1
scenario: call
speakers:
  Alice:
    - at: 300ms
      until: 800ms
      say: bonjour
"""


def test_a_space_says_all_that_a_client_needs(control, server):
    made = control("POST", "spaces", {"client_id": "acme", "client_secret": "s3cret", "name": "mine"}, status=201)
    assert made["space"] == made["client_id"] == "acme"
    assert made["client_secret"] == "s3cret"
    assert (made["name"], made["clock"], made["seed"], made["rate"]) == ("mine", "audio", 0, 0)
    assert {name: made[name] for name in ("ws_url", "wss_url", "token_url", "ca_file")} == {
        name: server.urls[name] for name in ("ws_url", "wss_url", "token_url", "ca_file")
    }
    assert made["env"]["UHLIVE_API_SECRET"] == "s3cret"
    assert control("GET", "spaces/acme") == made
    form = {"grant_type": "client_credentials", "client_id": "acme", "client_secret": "s3cret"}
    token = requests.post(made["token_url"], data=form, verify=made["ca_file"], timeout=5).json()["access_token"]
    socket = ws.create_connection(f"{made['ws_url']}/socket/websocket?jwt={token}&vsn=2.0.0", timeout=5)
    assert control("DELETE", "spaces/acme", status=204) == b""
    assert socket.recv_data()[0] == ws.ABNF.OPCODE_CLOSE
    socket.shutdown()
    assert "space 'acme'" in control.refused(404, "GET", "spaces/acme")


def test_everything_has_a_default(control, server):
    bare = requests.post(f"{server.urls['http_url']}/_mock/spaces", timeout=5)
    assert bare.status_code == 201
    assert bare.headers["location"] == f"/_mock/spaces/{bare.json()['space']}"
    assert bare.headers["cache-control"] == "no-store"
    control("DELETE", bare.headers["location"].removeprefix("/_mock/"), status=204)


def test_a_space_of_python_is_addressed_in_the_same_way(control, server):
    with server.space(client_id="a/b c?", clock="manual", name="from Python") as space:
        assert control("GET", "spaces/a%2Fb%20c%3F")["client_secret"] == space.client_secret
        listed = {each["space"]: each for each in control("GET", "spaces")["spaces"]}
        assert listed["a/b c?"] == {
            "space": "a/b c?",
            "name": "from Python",
            "clock": "manual",
            "scenarios": ["builtin"],
        }


def test_two_spaces_cannot_have_one_client_id(control):
    path = control.space(client_id="twice")
    assert "already belongs" in control.refused(409, "POST", "spaces", {"client_id": "twice"})
    control("DELETE", path, status=204)
    control("DELETE", control.space(client_id="twice"), status=204)


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"scenari": CALL}, 400, "unknown key 'scenari'; did you mean 'scenario'?"),
        ({"clock": "sundial"}, 400, "clock: unknown value 'sundial'; expected 'real', 'audio' or 'manual'"),
        ({"clock": "auido"}, 400, "clock: unknown value 'auido'; did you mean 'audio'?"),
        ({"seed": "7"}, 400, "seed: expected int"),
        ({"seed": 1.5}, 400, "seed: expected int"),
        ({"rate": 0}, 400, "rate: expected float > 0.0"),
        ({"client_id": ""}, 400, "client_id: expected str of length >= 1"),
        ({"behaviour": {"phonix": "1"}}, 400, "behaviour: unknown key 'phonix'; did you mean 'phoenix'?"),
        ({"behaviour": {"max_topics": "x"}}, 400, "behaviour.max_topics: expected int"),
        ({"rate": 2}, 422, "rate is for the real clock; the clock is audio"),
        ({"limits": {"gap": {"aftr": 1}}}, 422, "limits.gap: unknown key 'aftr'; did you mean 'after'?"),
        ({"scenario": []}, 422, "there is no scenario; expected at least one"),
        ({"scenario": CALL.replace("say", "sey")}, 422, "<scenario>:7: speakers.Alice[0]: unknown key 'sey'"),
        ({"scenario": [CALL, {"version": 2}]}, 422, "<scenario 1>: version: "),
        ([], 400, "the body: expected object"),
    ],
)
def test_what_a_space_cannot_be_made_of_is_refused_with_place_and_remedy(control, body, status, error):
    assert error in control.refused(status, "POST", "spaces", body)


def test_a_secret_that_is_refused_is_not_repeated(control):
    answer = control("POST", "spaces", {"client_secret": "s" * 201}, status=400)
    assert "found" not in answer


def test_limits_and_behaviour_are_those_of_the_space(control, server):
    path = control.space(
        client_id="limited", limits={"gap": {"after": "2s", "action": "error"}}, behaviour={"chunk_reply": "ok"}
    )
    hosted = next(each for each in server._serving.spaces.living() if each.settings.account.client_id == "limited")
    assert hosted.limits.gap.after_ms == 2000
    assert hosted.behaviour.chunk_reply == "ok"
    control("DELETE", path, status=204)


# --- scenarios ---


def put(control, path, content, media) -> requests.Response:
    url = f"{control.url}/_mock/{path}/scenario"
    return control.session.put(url, data=content, headers={"Content-Type": media}, timeout=5)


@pytest.fixture
def space(control):
    path = control.space()
    yield path
    control("DELETE", path, status=204)


@pytest.mark.parametrize("media", ["application/yaml", "text/yaml; charset=utf-8", "Application/X-YAML"])
def test_a_scenario_in_yaml_replaces_the_one_there_is(control, space, media):
    assert put(control, space, CALL, media).status_code == 204
    assert control("GET", f"{space}/scenario", headers={"Accept": "application/yaml"}).decode() == CALL
    assert control("GET", f"{space}/scenario") == {"scenarios": [{"name": "call", "yaml": CALL}]}


def test_a_scenario_in_json_is_the_same(control, space):
    document = {
        "version": 1,
        "scenario": "call",
        "speakers": {"Alice": [{"at": "300ms", "until": 0.8, "say": "bonjour"}]},
    }
    control("PUT", f"{space}/scenario", document, status=204)
    assert control("GET", f"{space}/scenario")["scenarios"][0]["yaml"] == CALL


def test_what_is_got_can_be_put_back(control, space):
    control("PUT", f"{space}/scenario", [CALL, {"version": 1, "scenario": "other", "speakers": {}}], status=204)
    got = control("GET", f"{space}/scenario")["scenarios"]
    assert [each["name"] for each in got] == ["call", "other"]
    control("PUT", f"{space}/scenario", [each["yaml"] for each in got], status=204)
    assert control("GET", f"{space}/scenario")["scenarios"] == got
    why = control("GET", f"{space}/scenario", headers={"Accept": "application/yaml"}, status=409)["error"]
    assert why == "the space has 2 scenarios; only one makes a YAML document"


@pytest.mark.parametrize(
    ("content", "media", "status", "error"),
    [
        (CALL.replace("say", "sey"), "text/yaml", 422, "<scenario>:7: speakers.Alice[0]: unknown key 'sey'"),
        (b"version: \xff", "text/yaml", 422, "<scenario>:1: found the byte 0xFF; expected text in UTF-8"),
        ("{", "application/json", 400, "the body is not JSON"),
        ("7", "application/json", 400, "the body is no scenario"),
        ("[[]]", "application/json", 400, "the body is no scenario"),
        ("[" * 5000 + "]" * 5000, "application/json", 400, "the body nests more than 100 deep"),
        (CALL, "text/plain", 415, "the body is of no type"),
        ("", "text/yaml", 400, "the body is empty"),
        (b" " * (2 * 1024 * 1024 + 1), "text/yaml", 413, "larger than 2097152 bytes"),
    ],
)
def test_a_scenario_that_cannot_be_used_is_refused_and_the_old_one_stays(
    control, space, content, media, status, error
):
    answer = put(control, space, content, media)
    assert answer.status_code == status
    assert error in answer.json()["error"]
    assert control("GET", f"{space}/scenario")["scenarios"][0]["name"] == "builtin"


def test_a_body_that_is_too_large_is_refused_while_it_comes(control, space):
    host = urlsplit(control.url)
    caller = HTTPConnection(host.hostname or "", host.port, timeout=5)
    chunks = iter([b" " * 1_000_000] * 3)
    caller.request("PUT", f"/_mock/{space}/scenario", chunks, {"Content-Type": "text/yaml"}, encode_chunked=True)
    assert caller.getresponse().status == 413
    caller.close()


@pytest.mark.parametrize(
    ("length", "patience", "status", "error"),
    [("999999999999", 10.0, 413, "larger than 2097152 bytes"), ("5", 0.01, 408, "did not arrive within 0.01 s")],
)
def test_a_body_that_never_comes_is_not_waited_for(control, space, monkeypatch, length, patience, status, error):
    monkeypatch.setattr(operation, "BODY_TIMEOUT_S", patience)
    host = urlsplit(control.url)
    caller = HTTPConnection(host.hostname or "", host.port, timeout=5)
    caller.putrequest("PUT", f"/_mock/{space}/scenario")
    caller.putheader("Content-Type", "text/yaml")
    caller.putheader("Content-Length", length)
    caller.endheaders()
    with caller.getresponse() as answer:
        assert answer.status == status
        assert error in json.load(answer)["error"]
    caller.close()


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).map(lambda text: f"x{text}x")


@given(
    words=texts, payload=st.dictionaries(texts, st.none() | st.booleans() | st.integers(-9, 9) | texts, max_size=3)
)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_json_says_whatever_text_it_likes(control, space, words, payload):
    call = scenario("call").speaker("Alice").event("hello", payload | {"words": words}, at=1).build()
    document = {
        "version": 1,
        "scenario": "call",
        "speakers": {"Alice": [{"at": 1, "event": {"name": "hello", "payload": payload | {"words": words}}}]},
    }
    for text in (json.dumps(document), msgspec.json.encode(document)):
        assert put(control, space, text, "application/json").status_code == 204
        [got] = control("GET", f"{space}/scenario")["scenarios"]
        assert parse_scenario(got["yaml"]) == call == parse_scenario(format_scenario(call))
