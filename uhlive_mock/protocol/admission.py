"""Whether a request becomes a socket, and with which framing.

The first failing check answers, always over HTTP; an accepted socket is never closed for them:

    verb       not GET                               400, empty
    query      not UTF-8 once decoded                500, empty
    vsn        neither 1.0.x nor 2.0.x               403, empty
    token      missing, expired, foreign, unsigned   403, empty (`Behaviour.refused_status`)
    upgrade    a header is wrong                     400, a sentence that names it

Source: Phoenix's WebSocket transport and runs of real servers, release profile 1.7.10 and later.

Reading the payload of a `phx_join`.

Unknown keys are ignored: the JavaScript SDK sends its whole options object. What is missing takes the
default of the Python SDK. Which faults are refused is configuration, since nothing is known (U).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec

from ..errors import UhliveMockError
from ..model.audio import Codec
from ..model.behaviour import Behaviour
from ..wire.framing import Framing

SOCKET_PATH = ("socket", "websocket")
_MAX_PARAMETERS = 100

Caller = TypeVar("Caller")


class NotAdmitted(UhliveMockError):
    """A token that opens no socket, and the HTTP status that says so. The message never quotes the token."""

    def __init__(self, why: str, status: int = 403) -> None:
        self.status = status
        super().__init__(why)


class Upgrade(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a socket, as far as the checks read it. `headers` has lower-case names."""

    method: str
    target: str
    http_version: str
    headers: Mapping[str, Sequence[str]]


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The HTTP answer to a request that gets no socket."""

    status: int
    body: str = ""
    why: str


class Admitted(msgspec.Struct, Generic[Caller], frozen=True, kw_only=True):
    """A request that becomes a socket of `caller`, speaking `framing`."""

    framing: Framing
    caller: Caller
    key: str


def is_socket_path(target: str) -> bool:
    """Whether a request target names the socket: case-sensitive, not decoded, empty segments ignored."""
    path = target.partition("?")[0]
    return tuple(segment for segment in path.split("/") if segment) == SOCKET_PATH


def check_upgrade(
    request: Upgrade, admit: Callable[[str], Caller], *, refused_status: int = 403
) -> Admitted[Caller] | Refusal:
    """Apply the checks in order.

    Args:
        admit: turns a token into whoever it belongs to, or raises `NotAdmitted`.
        refused_status: the status for no token at all.
    """
    if request.method != "GET":
        return Refusal(status=400, why=f"the verb is {request.method}, not GET")
    try:
        parameters = _parameters(request.target)
    except (UnicodeDecodeError, ValueError) as error:
        return Refusal(status=500, why=f"the query cannot be decoded: {type(error).__name__}")
    if any(_NESTED_VSN.fullmatch(name) for name in parameters):
        return Refusal(status=403, why="vsn is a list or a map, neither 1.0.x nor 2.0.x")
    framing = read_vsn(parameters.get("vsn"))
    if framing is None:
        return Refusal(status=403, why=f"vsn is {parameters.get('vsn')!r}, neither 1.0.x nor 2.0.x")
    token = parameters.get("jwt") or parameters.get("token")
    if not token:
        return Refusal(status=refused_status, why="neither jwt= nor token= in the URL")
    try:
        caller = admit(token)
    except NotAdmitted as refused:
        return Refusal(status=refused.status, why=str(refused))
    wrong = _wrong_header(request)
    if wrong:
        return Refusal(status=400, body=wrong, why=wrong)
    return Admitted(framing=framing, caller=caller, key=request.headers["sec-websocket-key"][0])


def _parameters(target: str) -> dict[str, str]:
    query = target.partition("?")[2]
    # The last of repeated parameters wins, as on a real server.
    return dict(parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS))


_VERSION = re.compile(
    r"(?P<major>0|[1-9]\d*)\.(?P<minor>0|[1-9]\d*)\.(?P<patch>0|[1-9]\d*)"
    r"(?P<pre>-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?",
    re.ASCII,
)
# Plug reads `vsn[]=` as a list and `vsn[a]=` as a map.
_NESTED_VSN = re.compile(r"vsn\[.*\]", re.DOTALL)
_FRAMINGS = {("1", "0"): Framing.VSN1, ("2", "0"): Framing.VSN2}


def read_vsn(vsn: str | None) -> Framing | None:
    """The framing that `vsn` selects, None when it is refused. No `vsn` at all means 1.0.0."""
    if vsn is None:
        return Framing.VSN1
    version = _VERSION.fullmatch(vsn)
    if version is None or (version["patch"] == "0" and version["pre"]):
        return None
    return _FRAMINGS.get((version["major"], version["minor"]))


def _wrong_header(request: Upgrade) -> str | None:
    def values(name: str) -> list[str]:
        return list(request.headers.get(name, ()))

    def tokens(name: str) -> list[str]:
        return [token.strip().lower() for value in values(name) for token in value.split(",")]

    def quoted(name: str) -> str:
        return "[" + ", ".join(f'"{value}"' for value in values(name)) + "]"

    if request.http_version == "1.0":
        return "HTTP version HTTP/1.0 unsupported"
    if "upgrade" not in tokens("connection"):
        return f"'connection' header must contain 'upgrade', got {quoted('connection')}"
    if "websocket" not in tokens("upgrade"):
        return f"'upgrade' header must contain 'websocket', got {quoted('upgrade')}"
    if not values("sec-websocket-key"):
        return "'sec-websocket-key' header is absent"
    if values("sec-websocket-version") != ["13"]:
        return f"'sec-websocket-version' header must equal '13', got {quoted('sec-websocket-version')}"
    return None


class JoinOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a participant asks for. Defaults: S, Python SDK 1.1.0 to 2.1.0."""

    speaker: str
    readonly: bool = False
    model: str = "fr"
    country: str = "fr"
    interim_results: bool = True
    rescoring: bool = True
    origin: int = 0
    audio_codec: Codec = Codec.LINEAR


class JoinRefused(Exception):
    """A join that the service refuses; `reason` goes into the error reply."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[object], bool]] = {
    "readonly": lambda value: isinstance(value, bool),
    "model": lambda value: isinstance(value, str),
    "country": lambda value: isinstance(value, str),
    "interim_results": lambda value: isinstance(value, bool),
    "rescoring": lambda value: isinstance(value, bool),
    "origin": _is_int,
}


def read_join(payload: object, behaviour: Behaviour) -> JoinOptions:
    """The options in a join's payload.

    Raises:
        JoinRefused: a field is wrong and `behaviour.join_checks` refuses that.
    """
    fields = payload if isinstance(payload, dict) else {}
    checks = behaviour.join_checks

    def refuse(field: str) -> JoinRefused:
        return JoinRefused(behaviour.reason_bad_join.replace("{field}", field))

    options: dict[str, object] = {}
    for name, fits in _TYPES.items():
        if name in fields:
            if fits(fields[name]):
                options[name] = fields[name]
            elif "types" in checks:
                raise refuse(name)
    speaker = fields.get("speaker")
    if isinstance(speaker, str) and speaker:
        options["speaker"] = speaker
    elif "speaker" in checks:
        raise refuse("speaker")
    else:
        options["speaker"] = ""
    try:
        options["audio_codec"] = Codec(fields.get("audio_codec", Codec.LINEAR))
    except ValueError:
        if "audio_codec" in checks:
            raise refuse("audio_codec") from None
    joined = msgspec.convert(options, JoinOptions)
    # S: both SDKs let an observer leave the model out; only a speaker needs one.
    if not joined.readonly and "model" in checks and behaviour.models and joined.model not in behaviour.models:
        raise refuse("model")
    return joined
