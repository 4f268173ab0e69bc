"""A private key is masked at any place and of any length, even if a part of the key is missing."""

import random
import re
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from taskwire.domain.masking.secrets import Masker

# A slow machine must not fail these tests.
patient = settings(deadline=None)
KINDS = ("PRIVATE KEY", "OPENSSH PRIVATE KEY", "RSA PRIVATE KEY", "PGP PRIVATE KEY BLOCK")
BASE64 = string.ascii_letters + string.digits + "+/"
BORDER = 8_192
# The position at which a window of masking ends. The window has a margin of 2,048 characters.
EDGE = BORDER + 2_048


def a_key(length: int, kind: str = KINDS[0], line_break: str = "\n", seed: int = 7) -> tuple[str, str, str]:
    """Make a key of this length: its first line, its body and its last line."""
    letters = random.Random(seed).choices(BASE64, k=length)  # noqa: S311 - it only has to look like one
    lines = ["".join(letters[at : at + 64]) for at in range(0, length, 64)]
    return f"-----BEGIN {kind}-----", line_break.join(["", *lines, ""]), f"-----END {kind}-----"


def leaks(masked: str, body: str) -> list[str]:
    """Return the parts of a key's body that can still be read."""
    return [part for part in re.findall("[A-Za-z0-9+/]{6,12}", body.replace("\\n", "\n")) if part in masked]


@pytest.mark.parametrize("length", [1_600, 3_200, 12_700, 30_000])
def test_a_key_is_masked_at_every_offset(length: int) -> None:
    """A key is masked wherever it begins in the text. Text is masked in windows, and the key may cross the
    edges of several windows."""
    first, body, last = a_key(length)
    masker = Masker()

    for before in range(0, EDGE + 130, 193):
        masked = masker.mask(f"{'x ' * (before // 2)}{first}{body}{last}\nok")

        assert masked == f"{'x ' * (before // 2)}{first}\n•••\n{last}\nok"


@pytest.mark.parametrize("length", [64, 700, 1_600, 3_210, 12_700])
def test_a_key_whose_end_is_missing_is_masked_at_every_offset(length: int) -> None:
    """The last line of a key is missing. All lines that look like part of the key are masked, wherever the
    key begins in the text."""
    first, body, _ = a_key(length)
    masker = Masker()

    for before in range(0, EDGE + 130, 193):
        masked = masker.mask(f"{'x ' * (before // 2)}{first}{body}It was cut off.")

        assert leaks(masked, body) == []
        assert masked.endswith("It was cut off.")


@patient
@given(
    st.integers(0, 2 * EDGE),
    st.integers(40, 20_000),
    st.sampled_from(KINDS),
    st.sampled_from(["\n", "\r\n", "\\n", "\n    ", "\n> ", "\n│ ", "\n+", "\n 12: "]),
    st.sampled_from(["whole", "no end", "cut in a line", "no beginning"]),
    st.integers(0, 99),
)
@example(0, 70, KINDS[0], "\r\n", "no end", 0)
@example(0, 70, KINDS[0], "\\r\\n", "no end", 0)
def test_no_part_of_a_key_is_left(
    before: int, length: int, kind: str, line_break: str, cut: str, seed: int
) -> None:
    """After masking, no part of a key can be read. The key may be incomplete, indented, quoted, in JSON, in a
    box, in a diff or with line numbers."""
    first, body, last = a_key(length, kind, line_break, seed)
    if cut == "cut in a line":
        body = body[: max(len(body) * 2 // 3, 40)]
    text = {"no end": first + body, "cut in a line": first + body, "no beginning": body + last}
    whole = f"{'word ' * (before // 5)}\n{text.get(cut, first + body + last)}\nok then"

    masked = Masker().mask(whole)

    assert leaks(masked, body.replace(line_break, "\n")) == []
    assert masked.endswith("\nok then")
    assert masked.startswith("word " * (before // 5))
    assert Masker().mask(masked) == masked


def test_text_between_two_keys_stays() -> None:
    """A key is masked up to its own last line, so the text between two keys stays."""
    first, body, last = a_key(3_000)
    other, inner, end = a_key(9_000, KINDS[3], seed=8)

    masked = Masker().mask(f"a\n{first}{body}{last}\nb\n{other}{inner}{end}\nc\n{first}{body}d and e")

    assert masked == f"a\n{first}\n•••\n{last}\nb\n{other}\n•••\n{end}\nc\n{first}\n•••\nd and e"


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PRIVATE KEY----- is how it starts.",
        "It ends with\n-----END PRIVATE KEY-----\nand a line break",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END CERTIFICATE-----",
        "-----BEGIN PRIVATE KEY-----\n•••\n-----END PRIVATE KEY-----",
    ],
)
def test_what_is_no_key_stays(text: str) -> None:
    """Masking does not change public keys, text about keys, or keys that are masked already."""
    assert Masker().mask(text) == text


@pytest.mark.parametrize(
    "unit", ["-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----\n", "-----", "A\n"]
)
def test_a_megabyte_of_keys_ends(unit: str) -> None:
    """Masking takes linear time. With quadratic time, this test would take hours."""
    text = unit * (1_000_000 // len(unit))

    assert Masker().mask(text) == text
