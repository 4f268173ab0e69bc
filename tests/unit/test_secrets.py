"""What must not be posted is masked: known tokens by value, others by what they look like."""

import string
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.model.secrets import Masker

# A busy machine is no failure.
patient = settings(deadline=None)
LETTERS = string.ascii_letters + string.digits
A22 = "aB3dE6gH9jK2mN5pQ8sT1v"
A36 = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gH6"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\nBG5vbmUAAAAEbm9uZQ==\n"
CUT = f"export GITHUB=1 and then use this one for the push to the other remote: ghp_{A36}"
SPLIT = 79
tokens = st.text(alphabet=LETTERS + "-_.+/=", min_size=8, max_size=60)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"use ghp_{A36}.", "use ghp_•••."),
        (f"gho_{A36} ghs_{A36}", "gho_••• ghs_•••"),
        (f"github_pat_11AAAA_{A36}", "github_pat_•••"),
        (f"glpat-{A22}", "glpat-•••"),
        ("xoxb-123456789012-1234567890123-abcDEF", "xoxb-•••"),
        ("xoxp-1-2-3-abcdef xapp-1-A1-2-abcdef", "xoxp-••• xapp-•••"),
        ("xoxe.xoxp-1-Mi0yLTEyMzQ xoxe-1-My0xLTEy", "xoxe.xoxp-••• xoxe-•••"),
        (f"sk-{A36} sk-ant-api03-{A36} sk-proj-{A36}", "sk-••• sk-ant-••• sk-proj-•••"),
        (f"sk_live_{A22}", "sk_live_•••"),
        ("AKIAIOSFODNN7EXAMPLE", "AKIA•••"),
        (f"//x.example/:_authToken=npm_{A36}", "//x.example/:_authToken=npm_•••"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN", "eyJ•••"),
        ("https://hooks.slack.com/services/T000/B000/XXXX1234", "https://hooks.slack.com/services/•••"),
        (f"token aB3dE6gH9j-{A22} ok", "token ••• ok"),
        ("Authorization: Bearer abcdef", "Authorization: Bearer •••"),
        ("authorization: Basic dXNlcjpwYXNz", "authorization: Basic •••"),
        ("{'Authorization': 'token abcdef'}", "{'Authorization': 'token •••'}"),
        (f"-H 'X: Bearer {A22}'", "-H 'X: Bearer •••'"),
        ("https://bob:hunter2@x.example/a", "https://bob:•••@x.example/a"),
        ("postgres://bob:hun:ter2@db/a", "postgres://bob:•••@db/a"),
        ("https://x.example/?a=1&access_token=abc&b=2", "https://x.example/?a=1&access_token=•••&b=2"),
        ("SLACK_BOT_TOKEN=abcdef DB_PASSWORD='hunter2'", "SLACK_BOT_TOKEN=••• DB_PASSWORD='•••'"),
        ('{"password": "hunter2", "a": 1}', '{"password": "•••", "a": 1}'),
        ("db:\n  password: hunter2", "db:\n  password: •••"),
        (
            KEY + "-----END OPENSSH PRIVATE KEY-----\nok",
            "-----BEGIN OPENSSH PRIVATE KEY-----\n•••\n-----END OPENSSH PRIVATE KEY-----\nok",
        ),
        (KEY + "The rest was cut off.", "-----BEGIN OPENSSH PRIVATE KEY-----\n•••\nThe rest was cut off."),
        (
            "a: -----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0B\\n",
            "a: -----BEGIN PRIVATE KEY-----\n•••\\n",
        ),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, masked: str) -> None:
    """Its kind can still be told."""
    assert Masker().mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "Fixed the token refresh in src/auth.py (see task-runner).",
        "sk-fading-circle-animation is a class",
        "commit 9db75776c1a0b2f3e4d5a6978876655443322110",
        "task 5f6c1f0e-6d0f-4b8e-9a53-0c8c3d0a1e11",
        "https://x.example:8080/a@b and git@x.example:a/b.git",
        "MAX_TOKENS=4096 TOKEN=$GITHUB_TOKEN",
        "interface Login {\n  password: string;\n}",
        "token = get_token()",
        "The bearer of this ticket",
        "-----BEGIN PRIVATE KEY----- is how it starts.",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Code that talks about tokens stays readable."""
    assert Masker().mask(text) == text


@pytest.mark.parametrize(
    ("known", "text", "masked"),
    [
        ("s3cret/value+1", "it is s3cret/value+1!", "it is •••!"),
        ("s3cret/value+1", "?t=s3cret%2Fvalue%2B1", "?t=•••"),
        ("s3cretvalue", "it is s3cret\n   value!", "it is •••!"),
        ("s3cretvalue", "\u2502 it is s3cret   \u2502\n\u2502 value \u2502", "\u2502 it is ••• \u2502"),
        ("xoxb-a-known-one", "is xoxb-a-known-one", "is xoxb-•••"),
        ("abc", "abc is too short to be one", "abc is too short to be one"),
    ],
)
def test_a_known_token_is_masked_by_value(known: str, text: str, masked: str) -> None:
    """As it is, encoded for a URL, and broken by a terminal."""
    assert Masker([known, ""]).mask(text) == masked


def test_a_token_that_the_terminal_broke_is_masked() -> None:
    """At the edge of the screen; both lines keep the rest of what they say."""
    text = f"{CUT[:SPLIT]}\n  {CUT[SPLIT:]} and go"

    assert Masker().mask(text) == f"{CUT[: CUT.index('ghp_')]}ghp_•••\n  and go"


def test_a_token_over_many_lines_is_masked() -> None:
    """A web token may fill several."""
    token = "eyJhbGciOiJIUzI1NiJ9." + "eyJz" * 50 + "." + "dozj" * 10
    lines = [token[at : at + 80] for at in range(0, len(token), 80)]

    assert Masker().mask("\n".join(["It is", *lines, "ok"])) == "It is\neyJ•••\n\n\n\nok"


@patient
@given(st.text(), tokens, st.text(), st.integers(1, 7), st.sampled_from(["", "\n", "  \n    ", "\r\n"]))
def test_no_known_token_survives(before: str, token: str, after: str, at: int, gap: str) -> None:
    """Whatever stands around it, also when broken or encoded for a URL."""
    masked = Masker([token, "other-token"]).mask(f"{before}{token}{after}{token[:at]}{gap}{token[at:]}")

    assert token not in masked
    assert f"{token[:at]}{gap}{token[at:]}" not in masked
    assert quote(token, safe="") not in masked


@patient
@given(
    st.lists(
        st.sampled_from(
            [f"ghp_{A36}", "a" * 75, "•••", "\n", " ", "://a:", "b@c", "TOKEN=", "eyJ", "x.y", KEY]
        )
    )
)
def test_masking_twice_is_masking_once(pieces: list[str]) -> None:
    """What is masked stays as it is."""
    once = Masker(["aaaaaaaa"]).mask("".join(pieces))

    assert Masker(["aaaaaaaa"]).mask(once) == once


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        " ",
        "eyJ",
        "sk-",
        "://a:",
        "TOKEN_",
        "?token=",
        "bearer ",
        "-----BEGIN PRIVATE KEY-----\n",
        "a" * 79 + "\n",
    ],
)
def test_a_long_log_is_masked_at_once(unit: str) -> None:
    """200 kB of what patterns trip over end before the test's limit does."""
    assert Masker(["s3cretvalue"]).mask(unit * (200_000 // len(unit)))
