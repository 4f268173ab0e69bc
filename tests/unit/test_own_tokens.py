"""The deployment's own tokens are found by their values, in any encoding."""

import json
import time
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.masking.secrets import Masker

# A slow machine must not fail these tests.
patient = settings(deadline=None)
BOT = "xoxb-123456789012-1234567890123-abcDEFghiJKLmnoPQR"
CODER = "aB3dE6gH9j-aB3dE6gH9jK2mN5pQ8sT1v"
SIGNING = "8f742231b10e8888abcd99yyyzzz85a5"
ADMIN = "adm1n-pw"
OWN = (BOT, CODER, SIGNING, ADMIN)
MASKER = Masker(OWN, OWN)
UNSEEN = ["\u2060", "\u00ad", "\u200b", "\u200d", "\u2063", "\ufe0f", "\u034f", "\ufeff", "\U000e0041"]


def _base64_in(word: str, token: str) -> str:
    return b64encode(f"{word}{token}:x".encode()).decode()


DRESSES = {
    "plain": lambda token: token,
    "upper case": str.upper,
    "lower case": str.lower,
    "for a URL": lambda token: token.replace("-", "%2D"),
    "for a URL, twice": lambda token: token.replace("-", "%252d"),
    "quoted": lambda token: quote(token, safe=""),
    "base64": lambda token: b64encode(token.encode()).decode(),
    "base64 for a URL": lambda token: urlsafe_b64encode(token.encode()).decode().rstrip("="),
    "base64 of a user and it": lambda token: _base64_in("bot:", token),
    "base64 of more before it": lambda token: _base64_in("ab", token),
    "base64 in lines": lambda token: "\n".join(
        b64encode(token.encode()).decode()[at : at + 10] for at in range(0, 99, 10)
    ),
    "bold in the middle": lambda token: f"{token[:8]}**{token[8:16]}**{token[16:]}",
    "code in the middle": lambda token: f"{token[:8]}`{token[8:16]}`{token[16:]}",
    "escaped": lambda token: token.replace("-", "\\-"),
    "over lines": lambda token: "\n  ".join(token[at : at + 9] for at in range(0, len(token), 9)),
    "in a box": lambda token: f"{token[:9]}  │\n│ {token[9:]}",
    "spelled": " ".join,
    "escaped for JSON": lambda token: token.replace("-", "\\u002d"),
    **{f"with {letter!a}": letter.join for letter in UNSEEN},
}


@pytest.mark.parametrize("token", [BOT, CODER, SIGNING])
@pytest.mark.parametrize("dress", DRESSES)
def test_an_own_token_is_masked_in_any_dress(token: str, dress: str) -> None:
    """A token of the deployment is masked in any encoding: in what people write, in what the bot shows, and
    in what the bot stores."""
    dressed = DRESSES[dress](token)
    text = f"It is {dressed} and no more."

    for masked in (
        MASKER.mask_own(text),
        MASKER.mask(text),
        json.loads(MASKER.mask_own_in_json(json.dumps([text])))[0],
    ):
        letters = "".join(letter for letter in masked if letter.isalnum()).lower()
        plain = "".join(letter for letter in dressed if letter.isalnum()).lower()
        assert [plain[at : at + 8] for at in range(len(plain) - 7) if plain[at : at + 8] in letters] == []
        assert masked.startswith("It is ")
        assert masked.endswith(" and no more.")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"a {ADMIN}, b", "a •••, b"),
        ("a adm\u200b1n-\u2060pw b", "a ••• b"),
        (f"a {b64encode(ADMIN.encode() * 2).decode()} b", "a •••w== b"),
        (f"{ADMIN}s and no{ADMIN}", f"{ADMIN}s and no{ADMIN}"),
        ("ADM1N-PW", "ADM1N-PW"),
    ],
)
def test_a_short_token_is_masked_as_a_word_of_its_own(text: str, masked: str) -> None:
    """A few characters can be part of another word by chance. So a short token is masked only as a whole
    word."""
    assert Masker(own=[ADMIN, ADMIN * 2]).mask_own(text) == masked


def test_a_plain_word_or_number_is_no_token() -> None:
    """A password that is a plain word or number is not masked. Otherwise every such word or id would be
    masked."""
    masker = Masker(own=["taskwire", "Production", "short", "123456"])
    stored = json.dumps([["append", "1700000000.123456", "mend taskwire in Production, short"]])

    said = "mend taskwire in Production, short, 123456"
    assert masker.mask_own(said) == said
    assert masker.mask_own_in_json(stored) == stored


@pytest.mark.parametrize("password", ["made_at", "is_call", "last_input", "not_a_verb"])
def test_a_password_that_is_called_like_a_field_breaks_nothing_that_is_stored(password: str) -> None:
    """The password is also the name of a field in stored jobs and links. The field's name is not masked."""
    job = f'{{"is_call":true,"made_at":"17","what":"not_a_verb","text":"{BOT}"}}'
    stored = json.dumps([["append", job], ["HSET", "tw:link:1", "last_input", "17"]])

    assert Masker(own=[password, BOT]).mask_own_in_json(stored) == stored.replace(BOT, "•••")


def test_what_people_write_stays() -> None:
    """Parts of a token, other people's tokens, and similar text are not masked."""
    text = f"{BOT[:20]} xoxb-99-other-token-of-somebody {CODER[:12]} {CODER[::-1]} xoxb- 1234"

    assert MASKER.mask_own(text) == text


@patient
@given(
    st.lists(
        st.sampled_from([BOT, CODER, ADMIN, BOT[:9], BOT[9:], *UNSEEN, '"', "\\", "\n", "n", "{", "•", " "])
    )
)
def test_json_stays_json_and_shows_no_token(pieces: list[str]) -> None:
    """Tokens are masked at any depth: a job is JSON, and its blocks are JSON in a string."""
    words = "".join(pieces)
    inner = json.dumps({"text": words, "blocks": json.dumps([words, words], ensure_ascii=False)})
    stored = json.dumps([["append", "to_coder:1", inner], ["field", words]])

    masked = MASKER.mask_own_in_json(stored)

    operations = json.loads(masked)
    job = json.loads(operations[0][2])
    shown = [operations[1][1], job["text"], *json.loads(job["blocks"])]
    assert [MASKER.mask_own(text) for text in shown] == shown
    assert [len(each) for each in operations] == [3, 2]
    assert MASKER.mask_own_in_json(masked) == masked
    if MASKER.mask_own(words) == words:
        assert shown == [words] * 4


def test_backslashes_without_end_take_no_more_time_than_letters() -> None:
    """A person may write a very long row of backslashes. Masking ten times as many takes about ten times as
    long, and not a hundred times."""

    def seconds(letters: int) -> float:
        typed = json.dumps({"text": "\\" * letters})
        times = []
        for _ in range(3):
            begun = time.thread_time()
            assert MASKER.mask_own_in_json(typed) == typed
            times.append(time.thread_time() - begun)
        return min(times)

    # Ten times the text may take ten times as long. With a new scan at each backslash, it would take
    # a hundred times as long.
    assert seconds(20_000) < 40 * max(seconds(2_000), 0.0001)


def test_a_note_that_is_no_json_is_masked_too() -> None:
    """A token in a stored value that is plain text and not JSON is masked too, for example in a task's
    name."""
    assert MASKER.mask_own_in_json(f"use {BOT}") == "use •••"
    assert MASKER.mask_own_in_json("[" * 50_000 + BOT) == "[" * 50_000 + "•••"


@pytest.mark.parametrize("token", ['aB3dE6gH9j"K2mN5pQ8s"T1v', 'ab"12cd'])
def test_a_token_with_a_quotation_mark_is_masked(token: str) -> None:
    """The token is masked in plain text, in a JSON string, and in JSON within JSON."""
    masker = Masker(own=[token])
    stored = json.dumps([["append", json.dumps({"text": f"use {token} now"})]])

    assert masker.mask_own(f"use {token} now") == "use ••• now"
    assert json.loads(json.loads(masker.mask_own_in_json(stored))[0][1]) == {"text": "use ••• now"}


def test_json_is_masked_without_being_written_anew() -> None:
    """Masking changes only the token in a JSON text, not its spaces or escapes. The Lua scripts search stored
    jobs for exact text, and a JSON text may be what a person typed."""
    job = f'{{"is_call":true,"made_at":"17","text":"Jos\u00e9: {BOT}"}}'
    typed = f'{{ "a": [1.50,  "{BOT}"],\n  "b": "\\ud83d {BOT}" }}'

    assert MASKER.mask_own_in_json(job) == job.replace(BOT, "•••")
    assert MASKER.mask_own_in_json(typed) == typed.replace(f'"{BOT}"', '"•••"').replace(
        BOT, "\\u2022\\u2022\\u2022"
    )
    assert f'"use {BOT}"' not in json.loads(MASKER.mask_own_in_json(json.dumps([[typed]])))[0][0]


def test_deep_json_is_masked() -> None:
    """A token in deeply nested JSON is masked. Python's JSON parser accepts deeper nesting than a recursive
    function can walk through."""
    deep = "[" * 600 + f'"{BOT}"' + "]" * 600

    assert MASKER.mask_own_in_json(deep) == deep.replace(BOT, "•••")
