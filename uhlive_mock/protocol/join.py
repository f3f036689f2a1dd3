"""Reading the payload of a `phx_join`.

Unknown keys are ignored: the JavaScript SDK sends its whole options object. What is missing takes the
default of the Python SDK. Which faults are refused is configuration, since nothing is known (U).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..model.audio import Codec
from ..model.behaviour import Behaviour


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
