"""Whether a request becomes a socket. `# n` numbers the statement about Phoenix on the wire that a test checks."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.protocol.admission import (
    Admitted,
    NotAdmitted,
    Refusal,
    Upgrade,
    check_upgrade,
    is_socket_path,
    read_vsn,
)
from uhlive_mock.wire.framing import Framing

GOOD_HEADERS = {
    "connection": ["Upgrade"],
    "upgrade": ["websocket"],
    "sec-websocket-key": ["dGhlIHNhbXBsZSBub25jZQ=="],
    "sec-websocket-version": ["13"],
}


def admit(token: str, status: int) -> str:
    if token != "good":
        raise NotAdmitted(f"token {token!r} is not good", status)
    return "acme"


def ask(
    query: str = "jwt=good&vsn=2.0.0", *, method: str = "GET", version: str = "1.1", status: int = 403, **headers
) -> Admitted[str] | Refusal:
    """The answer to a request; a header given as None is left out."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    found = {name: value for name, value in (GOOD_HEADERS | given).items() if value is not None}
    request = Upgrade(method=method, target=f"/socket/websocket?{query}", http_version=version, headers=found)
    return check_upgrade(request, lambda token: admit(token, status), refused_status=status)


def refusal(*arguments, **options) -> tuple[int, str]:
    answer = ask(*arguments, **options)
    assert isinstance(answer, Refusal)
    assert answer.why
    return answer.status, answer.body


def framing_of(query: str) -> Framing:
    answer = ask(query)
    assert isinstance(answer, Admitted), answer.why
    return answer.framing


# --- admission --------------------------------------------------------------------------------------------


def test_a_good_request_becomes_a_socket_of_its_caller():
    assert ask() == Admitted(framing=Framing.VSN2, caller="acme", key="dGhlIHNhbXBsZSBub25jZQ==")


@pytest.mark.parametrize(
    "query",
    [
        "jwt=good&vsn=2.0.0",
        "vsn=2.0.0&jwt=good",
        "timeout=3&jwt=good&vsn=2.0.0",  # phoenix.js
        "token=good&vsn=2.0.0",  # old JavaScript SDK
        "jwt=g%6F%6fd&vsn=2.0.0&&x",
        "jwt=&token=good&vsn=2.0.0",
    ],
)
def test_the_token_is_in_jwt_or_token_wherever_it_stands(query):
    assert framing_of(query) is Framing.VSN2


@pytest.mark.parametrize(
    ("query", "accepted"),
    [
        ("jwt=bad&jwt=good", True),
        ("jwt=good&jwt=bad", False),
        ("jwt=good&vsn=abc&vsn=2.0.0", True),
        ("jwt=good&vsn=2.0.0&vsn=abc", False),
        ("jwt=good&token=bad", True),
        ("jwt=bad&token=good", False),
    ],
)
def test_of_a_repeated_parameter_the_last_wins(query, accepted):
    assert isinstance(ask(query), Admitted) is accepted


@pytest.mark.parametrize("query", ["x=%zz&jwt=good", "x=%&jwt=good", "%=1&jwt=good", "x=%c3%a9&jwt=good"])
def test_a_malformed_escape_is_no_obstacle(query):
    assert isinstance(ask(query), Admitted)


# --- vsn --------------------------------------------------------------------------------------------------


def test_without_vsn_a_socket_speaks_vsn1():  # 1
    assert framing_of("jwt=good") is Framing.VSN1


@pytest.mark.parametrize(
    ("vsn", "framing"),
    [
        ("1.0.0", Framing.VSN1),
        ("1.0.7", Framing.VSN1),
        ("2.0.0", Framing.VSN2),
        ("2.0.7", Framing.VSN2),
        ("2.0.123", Framing.VSN2),
        ("2.0.1-dev", Framing.VSN2),
        ("2.0.1-rc.1", Framing.VSN2),
        ("1.0.1-dev", Framing.VSN1),
        ("2.0.0%2Bbuild", Framing.VSN2),
        ("2.0.1-dev%2Bbuild.5", Framing.VSN2),
    ],
)
def test_any_patch_of_1_0_and_2_0_is_a_vsn(vsn, framing):  # 2
    assert framing_of(f"jwt=good&vsn={vsn}") is framing


@pytest.mark.parametrize(
    "vsn",
    [
        *("1.1.0", "2.1.0", "3.0.0", "0.0.0", "123.1.1", "10.0.0", "2.00.0", "20.0.0"),  # 2
        *("2", "2.0", "", "abc", "2.0.x", "null"),  # 3
        *("2.0.0-rc.1", "1.0.0-dev", "2.0.0-0", "2.0.0-rc.1%2Bbuild", "2.1.0-dev"),
        *("02.0.0", "v2.0.0", "2.0.0.0", "%202.0.0", "2.0.0%20", "2.0.0%0A", "2.0.0-", "2.0.01"),
        *("2.0.0+build", "٢.0.0"),
    ],
)
def test_every_other_vsn_is_refused_with_an_empty_403(vsn):
    assert refusal(f"jwt=good&vsn={vsn}") == (403, "")


@pytest.mark.parametrize(
    "query", ["vsn", "vsn[]=2.0.0", "vsn[a]=2.0.0", "vsn%5B%5D=2.0.0", "vsn[a][b]=2.0.0", "vsn[]"]
)
def test_a_vsn_without_a_value_of_its_own_is_refused(query):
    assert refusal(f"jwt=good&{query}") == (403, "")


def test_a_parameter_that_only_begins_like_vsn_is_another_one():
    assert framing_of("jwt=good&vsn2=abc&vsn[=abc&vsn=2.0.0") is Framing.VSN2


@given(vsn=st.text() | st.from_regex(r"\d+\.\d+\.\d+(-\w*)?(\+\w*)?", fullmatch=True))
def test_whatever_vsn_is_it_is_a_framing_or_refused(vsn):
    assert read_vsn(vsn) in {None, Framing.VSN1, Framing.VSN2}


# --- tokens -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", ["vsn=2.0.0", "jwt=&vsn=2.0.0", "jwt&vsn=2.0.0", "jwt=bad", "jwt=good%20", "token=bad", "jwt[]=good"]
)
def test_a_missing_or_bad_token_is_refused_with_an_empty_403(query):  # 4
    assert refusal(query) == (403, "")


def test_the_status_of_a_refused_token_is_configuration():
    assert refusal("jwt=bad", status=401) == (401, "")
    assert refusal("vsn=2.0.0", status=401) == (401, "")
    assert refusal("jwt=good&vsn=3.0.0", status=401) == (403, "")


def test_a_refusal_says_why_in_the_journal_only():
    answer = ask("jwt=bad")
    assert isinstance(answer, Refusal)
    assert answer.why == "token 'bad' is not good"
    assert answer.body == ""


# --- headers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        ({"version": "1.0"}, "HTTP version HTTP/1.0 unsupported"),
        ({"connection": None}, "'connection' header must contain 'upgrade', got []"),
        ({"connection": ["keep-alive"]}, "'connection' header must contain 'upgrade', got [\"keep-alive\"]"),
        ({"connection": ["a", "b"]}, "'connection' header must contain 'upgrade', got [\"a\", \"b\"]"),
        ({"upgrade": None}, "'upgrade' header must contain 'websocket', got []"),
        ({"upgrade": ["h2c"]}, "'upgrade' header must contain 'websocket', got [\"h2c\"]"),
        ({"sec_websocket_key": None}, "'sec-websocket-key' header is absent"),
        ({"sec_websocket_version": None}, "'sec-websocket-version' header must equal '13', got []"),
        ({"sec_websocket_version": ["8"]}, "'sec-websocket-version' header must equal '13', got [\"8\"]"),
    ],
)
def test_a_wrong_header_is_named_in_a_400(changes, body):  # 6
    assert refusal(**changes) == (400, body)


def test_the_first_wrong_header_is_the_one_named():
    wrong = {"sec_websocket_version": ["8"], "sec_websocket_key": None, "upgrade": None, "connection": None}
    names = []
    while wrong:
        names.append(refusal(**wrong)[1].split("'")[1])
        del wrong[names[-1].replace("-", "_")]
    assert names == ["connection", "upgrade", "sec-websocket-key", "sec-websocket-version"]
    assert refusal(version="1.0", connection=None)[1].startswith("HTTP version")


@pytest.mark.parametrize(
    "headers",
    [
        {"connection": ["keep-alive, Upgrade"]},
        {"connection": ["keep-alive", "UPGRADE"]},
        {"upgrade": ["WebSocket"]},
        {"upgrade": ["h2c, websocket"]},
        {"sec_websocket_key": ["abc"]},
        {"origin": ["https://elsewhere.example"]},
        {"sec_websocket_protocol": ["mqtt"]},
        {"sec_websocket_extensions": ["permessage-deflate"]},
    ],
)
def test_headers_may_be_written_in_many_ways_and_others_do_not_matter(headers):  # 7
    assert isinstance(ask(**headers), Admitted)


# --- the order of the checks ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "get"])
def test_another_verb_is_a_bare_400_before_anything_is_looked_at(method):  # 6
    assert refusal(method=method) == (400, "")
    assert refusal("vsn=abc&jwt=bad&x=%ff", method=method, connection=None) == (400, "")


@pytest.mark.parametrize("query", ["x=%ff&jwt=good", "vsn=abc&x=%ff", "%ff=1&jwt=bad", "jwt=%c3", "vsn=%ff"])
def test_a_query_that_is_not_utf_8_is_a_bare_500_before_vsn_and_token(query):
    assert refusal(query) == (500, "")


def test_a_bad_vsn_and_a_bad_token_look_like_either_alone():  # 5
    assert refusal("jwt=bad&vsn=abc") == refusal("jwt=bad") == refusal("jwt=good&vsn=abc") == (403, "")


def test_vsn_is_checked_before_the_token():
    assert refusal("jwt=bad&vsn=abc", status=401)[0] == 403


def test_the_token_is_checked_before_the_headers():
    assert refusal("jwt=bad", connection=None) == (403, "")
    assert refusal("jwt=good", connection=None)[0] == 400


# --- the path ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "matches"),
    [
        ("/socket/websocket", True),
        ("/socket/websocket?jwt=x", True),
        ("/socket/websocket/", True),
        ("/socket//websocket", True),
        ("//socket/websocket", True),
        ("/socket/websocket/?a=/b", True),
        ("/socket", False),
        ("/socket/longpoll", False),
        ("/Socket/websocket", False),
        ("/socket/web%73ocket", False),
        ("/socket/websocket/x", False),
        ("/a/socket/websocket", False),
        ("/?/socket/websocket", False),
        ("", False),
    ],
)
def test_the_sockets_path_is_matched_as_a_real_server_does(target, matches):
    assert is_socket_path(target) is matches


@given(query=st.text(alphabet=st.characters(codec=None)) | st.text(alphabet="vsnjwt=&%[]2.0ff+"))
def test_no_query_breaks_the_checks(query):
    assert isinstance(ask(query), Admitted | Refusal)
