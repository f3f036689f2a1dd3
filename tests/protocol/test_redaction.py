"""What of a client's message may be written down."""

from __future__ import annotations

import json
import timeit

import pytest
from hypothesis import given, strategies as st

from uhlive_mock.protocol.redaction import CUT, MASK, MAX_CHARS, MAX_DEPTH, Redactor, mask_tokens

JWT = (
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9"
    ".eyJhenAiOiJhY21lIiwiZXhwIjoxNzAwMDAwMDAwfQ"
    ".c2lnbmF0dXJlLXNpZ25hdHVyZS1zaWduYXR1cmU"
)

TEXTS = st.text(max_size=20)
KEYS = TEXTS.map("k".__add__)  # no name of a secret
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


def clean(value: object) -> object:
    return Redactor().clean(value)


# --- secrets ---


@pytest.mark.parametrize(
    "key",
    [
        *("token", "jwt", "access_token", "refresh_token", "client_secret", "password", "authorization"),
        *("Token", "JWT", "accessToken", "Client-Secret", "PASSWORD", "id_token", "api key"),
    ],
)
@pytest.mark.parametrize("value", ["hush", 42, ["hush"], {"a": "hush"}])
def test_the_value_of_a_key_that_names_a_secret_is_masked(key, value):
    assert clean({"a": [{key: value, "model": "fr"}]}) == {"a": [{key: MASK, "model": "fr"}]}


def test_a_key_that_merely_contains_such_a_name_is_left_alone():
    payload = {"tokens": 3, "token_count": 3, "secretary": "Ann", "passwordless": True}
    assert clean(payload) == payload


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (JWT, MASK),
        (f"Bearer {JWT}", f"Bearer {MASK}"),
        (f"wss://host/socket?jwt={JWT}&vsn=2.0.0", f"wss://host/socket?jwt={MASK}&vsn=2.0.0"),
        (f"{JWT} {JWT}", f"{MASK} {MASK}"),
        (f"conversation:{JWT}@conv1", f"conversation:{MASK}@conv1"),
        (f"a.b{JWT}", f"a.b{MASK}"),
        (JWT[:60], MASK),
        ("eyJhbGciOiJub25lIn0.e30.", MASK),
    ],
)
def test_whatever_looks_like_a_token_is_masked(text, masked):
    assert mask_tokens(text) == masked


@pytest.mark.parametrize(
    "text",
    ["", "eyJ", "heyJude.is-a-song.by-the-beatles", "audio.segment_decoded.and.so.on", "eyJhbGciOiJSUzI1NiJ9" * 9],
)
def test_what_only_resembles_one_is_left_alone(text):
    assert mask_tokens(text) == text


@given(JSON, st.data())
def test_no_token_survives_wherever_it_is(value, data):
    def planted(value: object) -> object:
        if isinstance(value, dict):
            return {key + data.draw(st.sampled_from(["", JWT])): planted(item) for key, item in value.items()}
        if isinstance(value, list):
            return [planted(item) for item in value]
        return data.draw(st.sampled_from([value, JWT, f" {JWT}"]))

    assert JWT[:50] not in json.dumps(clean(planted(value)))


@given(JSON)
def test_what_holds_no_secret_stays_as_it_is(value):
    before = json.dumps(value)
    redactor = Redactor()
    assert redactor.clean(value) == value
    assert json.dumps(value) == before
    assert not redactor.cut
    assert not redactor.masked


# --- size ---


def test_a_long_text_is_cut_with_a_mark():
    redactor = Redactor()
    found = redactor.clean({"text": "x" * 10_000})
    kept = MAX_CHARS - len("text") - 2
    assert found == {"text": "x" * kept + f"{CUT} ({10_000 - kept} characters left out)"}
    assert redactor.cut


def test_many_values_are_cut_with_a_mark():
    [*items, mark] = clean(list(range(10_000)))
    assert items == list(range(MAX_CHARS - 1))
    assert mark == f"{CUT} ({10_000 - len(items)} items left out)"


def test_many_keys_are_cut_with_a_mark():
    found = clean({f"{number:04}": None for number in range(10_000)})
    kept = len(found) - 1
    assert found[CUT] == f"{CUT} ({10_000 - kept} keys left out)"


def test_deep_values_are_cut_with_a_mark():
    value: object = "bottom"
    for _ in range(100_000):
        value = [value]
    found = clean(value)
    for _ in range(MAX_DEPTH):
        [found] = found
    assert found == f"{CUT} (deeper levels left out)"


@given(JSON, st.integers(0, 60))
def test_what_is_kept_is_never_much_more_than_the_budget(value, budget):
    def size(value: object) -> int:
        match value:
            case dict():
                return sum(len(key.partition(CUT)[0]) + size(item) for key, item in value.items())
            case list():
                return sum(map(size, value))
            case str():
                return len(value.partition(CUT)[0])
        return 0

    assert size(Redactor(budget).clean(value)) <= budget


@pytest.mark.parametrize("text", ["eyJ", "eyJ.", ".", "a"])
def test_no_text_takes_long(text):
    def cost(times: int) -> float:
        return min(timeit.repeat(lambda: mask_tokens(text * times), number=1, repeat=3))

    # A quadratic search would take 900 times as long.
    assert cost(900_000) < 150 * cost(30_000)
