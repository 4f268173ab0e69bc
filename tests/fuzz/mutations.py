"""Changes input at random: each time one change or a few, by a seed."""

import copy
import json
import random
from collections.abc import Sequence
from typing import TypeVar

Json = dict[str, object]
T = TypeVar("T")
# No valid input contains this word. If the bot writes this word anywhere, it has accepted forged input.
MARKED = "FORGED_4711"
STRANGE: tuple[object, ...] = (
    *(None, True, False, 0, -1, 10**400, -(10**30), 1.5e300, "", " ", "\0", "\n", "-1.5", "1e999", "nan"),
    *("999999999999.999999", "1.1.1", "\u0661.\u0662", "\ud83d", "\u202e", "\u200b", MARKED, MARKED * 300),
    *(f"<!channel> {MARKED}", f"<@{MARKED}>", f"../{MARKED}?a=b", f"{MARKED}\n@", f"={MARKED}", f"`{MARKED}"),
    *([], [MARKED], [[MARKED]], {}, {MARKED: MARKED}, {"id": [MARKED]}, [{"id": {MARKED: 1}}]),
)
# Texts that are hard to parse: punctuation marks, escapes, long runs, other alphabets.
PIECES = (
    *(
        "!",
        "/",
        "//",
        "<",
        ">",
        "&amp;",
        "&",
        "`",
        "```",
        "*",
        "_",
        "~",
        "|",
        "\\",
        '"',
        "'",
        "=",
        "--",
        "\x1b[",
    ),
    *("\x1b[31m", "\r", "\t", "\n\n", "\u2028", "\u200b", "\u202e", "\ud800", "\N{NO-BREAK SPACE}", "é", "ß"),
    *("<@U0000001>", "<!here>", "<#C1|x>", "<https://a.example|b>", "<!subteam^S1>", "https://x.example/a_b"),
    *(
        "1. ",
        "- ",
        "• ",
        "⏺ ",
        "> ",
        "| a | b |",
        "---",
        "0",
        "9" * 40,
        "a" * 200,
        "(" * 60,
        "[" * 60,
        " " * 300,
    ),
)


class Mutator:
    """Changes input at random. Equal seeds make equal changes."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a repeatable choice, no secret

    def choose(self, among: Sequence[T]) -> T:
        """Return one of these values, chosen at random."""
        return self.random.choice(among)

    def change(self, value: Json, others: Sequence[object] = ()) -> Json:
        """Return a copy of a JSON object with some changes. A change may insert values of `others` at any
        place."""
        made = copy.deepcopy(value)
        for _ in range(self.random.choice((1, 1, 1, 2, 4))):
            self._change_once(made, others)
        return made

    def _change_once(self, value: Json, others: Sequence[object]) -> None:
        places = list(_list_places(value))
        if not places:
            value[MARKED] = MARKED
            return
        inside, key = self.random.choice(places)
        match self.random.randrange(6):
            case 0:
                del inside[key]  # type: ignore[arg-type] # a list has numbers for keys
            case 1:
                inside[key] = [inside[key]]  # type: ignore[index]
            case 2 if others:
                inside[key] = copy.deepcopy(self.random.choice(others))  # type: ignore[index]
            case 3 if isinstance(inside[key], str):  # type: ignore[index]
                inside[key] = self.change_text(str(inside[key]))  # type: ignore[index]
            case _:
                inside[key] = copy.deepcopy(self.random.choice(STRANGE))  # type: ignore[index]

    def change_text(self, text: str) -> str:
        """Return a text with some changes."""
        for _ in range(self.random.choice((1, 1, 2, 5))):
            at, end = sorted(self.random.randrange(len(text) + 1) for _ in range(2))
            match self.random.randrange(4):
                case 0:
                    text = text[:at] + text[end:]
                case 1:
                    text = text[:end] + text[at:]
                case _:
                    text = text[:at] + self.random.choice(PIECES) + text[at:]
        return text[:20_000]

    def change_bytes(self, data: bytes) -> bytes:
        """Return bytes with some changes, at least one."""
        made = bytearray(data or b"\0")
        for _ in range(self.random.choice((1, 1, 3))):
            at = self.random.randrange(len(made))
            made[at] ^= 1 << self.random.randrange(8)
        return bytes(made) if bytes(made) != data else data + b"\0"


def _list_places(value: object) -> list[tuple[Json | list[object], str | int]]:
    """List every place in JSON that has a value: the containing object or list, and the key or index."""
    found: list[tuple[Json | list[object], str | int]] = []
    rows: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        rows = list(value.items())
    elif isinstance(value, list):
        rows = list(enumerate(value))
    for key, inner in rows:
        found.append((value, key))  # type: ignore[arg-type] # it is one of both
        found += _list_places(inner)
    return found


def to_bytes(value: object) -> bytes:
    """Return a value as JSON in UTF-8. Lone surrogates are escaped, as some senders do."""
    return json.dumps(value).encode()
