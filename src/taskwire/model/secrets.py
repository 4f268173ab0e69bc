"""Masking what must not be posted, stored or logged: the tokens we know by value, and what looks like one.

Enough stays to recognise a secret by (`ghp_•••`), never a part of it. Masking is for text that people read:
it prefers to mask a word too many, and it is no proof that nothing secret is left.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import pairwise
from urllib.parse import quote

MASK = "•••"
# A shorter value would mask ordinary words everywhere; no token that we are given is that short.
_SHORTEST = 6
# A terminal 80 columns wide breaks a long token at its edge, or inside a box a little before it.
_FULL_LINE = 70
# What may stand where a terminal broke a token: padding, a box's edges, the next line's indentation.
_EDGE = r"[ \t]*(?:[│┃|][ \t]*)?"
_BREAK = rf"(?:{_EDGE}\r?\n{_EDGE})?"
_KINDS = re.compile(
    r"gh[pousr]_|github_pat_|gl[a-z]{2,5}-|xox[a-z](?:\.xox[a-z])?-|xapp-|sk-|npm_|pypi-|AKIA"
)
_START = "(?<![A-Za-z0-9])"
_NAMES = "(?:password|passwd|pwd|secret|token|[a-z]{1,20}_token|api_?key|client_secret)"
_HAS_DIGIT = r"(?=[^\s0-9]{0,64}[0-9])"

# What is kept, and what is masked behind it. A body is one class of characters that holds no mask and is read
# once from a fixed start, so that no text, however made, costs more than its length.
_PATTERNS = tuple(
    re.compile(f"(?P<kept>{kept}){secret}")
    for kept, secret in (
        (_START + "gh[pousr]_", "[A-Za-z0-9]{16,}"),
        (_START + "github_pat_", "[A-Za-z0-9_]{16,}"),
        (_START + "gl(?:pat|dt|rt|soat|ptt|cbt|imt|ft|agent|oas)-", "[A-Za-z0-9_.-]{16,}"),
        (_START + r"xox[a-z](?:\.xox[a-z])?-", "[A-Za-z0-9-]{8,}"),
        (_START + "xapp-", "[A-Za-z0-9-]{8,}"),
        # The digit tells a key from a word with hyphens, such as `sk-fading-circle-animation`.
        ("(?<![A-Za-z0-9_-])sk-(?:ant-|proj-)?", _HAS_DIGIT + "[A-Za-z0-9_-]{16,}"),
        (_START + "[sr]k_(?:live|test)_", "[A-Za-z0-9]{12,}"),
        (_START + "(?:npm|hf)_", "[A-Za-z0-9]{30,}"),
        (_START + "pypi-", "[A-Za-z0-9_-]{40,}"),
        (_START + "A(?:KIA|SIA)", "[A-Z0-9]{16}(?![A-Za-z0-9])"),
        (_START + "AIza", "[A-Za-z0-9_-]{35}"),
        (
            "(?<![A-Za-z0-9_-])eyJ",
            r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)?",
        ),
        (r"https://hooks\.slack\.com/[a-z]{1,20}/", "[A-Za-z0-9/_-]{8,}"),
        # Coder's session token: an id of ten and a secret of 22.
        ("(?<![A-Za-z0-9_-])", _HAS_DIGIT + "[A-Za-z0-9]{10}-[A-Za-z0-9]{22}(?![A-Za-z0-9_-])"),
        (
            r"(?i:\bauthorization[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?(?:(?:bearer|basic|token)[ \t]{1,4})?)",
            r"(?!(?i:bearer|basic|token)\b)[^\s\"'$<{•]{4,}",
        ),
        (r"\b[Bb]earer[ \t]{1,4}", _HAS_DIGIT + "[A-Za-z0-9._~+/=-]{16,}"),
        (r"://[^\s/?#@:•\"'<>]{0,64}:", r"[^\s/?#@•\"'<>]{1,200}(?=@)"),
        (rf"(?i:[?&](?:{_NAMES}|sig)=)", r"[^\s&#\"'<>•]+"),
        (rf"(?i:[\"']{_NAMES}[\"'][ \t]{{0,4}}:[ \t]{{0,4}}[\"'])", _HAS_DIGIT + r"[^\s\"'•]{6,}"),
        (r"(?im:^[ \t]{0,40}passw(?:or)?d[ \t]{0,4}[:=][ \t]{0,4}[\"']?)", _HAS_DIGIT + r"[^\s\"'•]{6,}"),
        (
            r"\b[A-Z0-9_]{0,40}(?:PASSW(?:OR)?D|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY)[A-Z0-9_]{0,20}=[\"']?",
            r"(?![0-9.]+\b)[^\s\"'$<>{}()•]{6,}",
        ),
    )
)

_KEY_BLOCK = re.compile(
    r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----)(?!\s{0,9}•)"
    r"(?:(?:[^•-]|-(?!----)){1,20000}(-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----)"
    # Its end was cut off: as far as it looks like a key.
    r"|(?:(?:[\s│┃|]|\\[rn]){1,80}[A-Za-z0-9+/=]{16,})+)"
)


class Masker:
    """Masks secrets in text; give it every token whose value is known."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        values = {value.strip() for value in known}
        forms = {form for value in values for form in (value, quote(value, safe=""))}
        usable = sorted(
            (form for form in forms if len(form) >= _SHORTEST), key=lambda form: (-len(form), form)
        )
        wrapped = "|".join(_BREAK.join(re.escape(letter) for letter in form) for form in usable)
        self._known = re.compile(wrapped) if usable else None

    def mask(self, text: str) -> str:
        """Mask every secret in a text; masking again changes nothing."""
        # A mask can bring two parts of a secret together. Each round leaves fewer letters, so this ends.
        while (masked := self._round(text)) != text:
            text = masked
        return text

    def _round(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(lambda found: _recognisable(found[0]), text)
        text = _KEY_BLOCK.sub(_key_block, text)
        text = _across_lines(text)
        for pattern in _PATTERNS:
            text = pattern.sub(lambda found: found["kept"] + MASK, text)
        return text


def _recognisable(secret: str) -> str:
    kind = _KINDS.match(secret)
    return (kind[0] if kind and len(secret) >= len(kind[0]) + _SHORTEST else "") + MASK


def _key_block(found: re.Match[str]) -> str:
    return f"{found[1]}\n{MASK}" + (f"\n{found[2]}" if found[2] else "")


def _across_lines(text: str) -> str:
    """Mask secrets that a terminal broke at its edge; every line keeps its place."""
    lines = text.split("\n")
    at = 0
    while at < len(lines) - 1:
        last = at
        while last < len(lines) - 1 and _is_broken(lines[last], is_first=last == at):
            last += 1
        if last > at:
            lines[at : last + 1] = _masked_run(lines[at : last + 1])
        at = max(last, at + 1)
    return "\n".join(lines)


def _is_broken(line: str, *, is_first: bool) -> bool:
    """Tell whether a word may go on in the next line; one that began above fills the whole line."""
    return len(line) >= _FULL_LINE and not line.endswith(" ") and (is_first or " " not in line.lstrip())


def _masked_run(lines: list[str]) -> list[str]:
    starts = [lines[0].rfind(" ") + 1] + [len(line) - len(line.lstrip()) for line in lines[1:]]
    ends = [len(line) for line in lines[:-1]] + [starts[-1] + len(lines[-1].lstrip().partition(" ")[0])]
    run = "".join(line[start:end] for line, start, end in zip(lines, starts, ends, strict=True))
    edges = [0]
    for start, end in zip(starts, ends, strict=True):
        edges.append(edges[-1] + end - start)
    spans = sorted(_broken_secrets(run, edges[1:-1]))
    left = [_outside(run, spans, edge, behind) for edge, behind in pairwise(edges)]
    return [
        line[:start] + part + (line[end:] if part else line[end:].lstrip(" "))
        for line, start, end, part in zip(lines, starts, ends, left, strict=True)
    ]


def _broken_secrets(run: str, edges: list[int]) -> Iterator[tuple[int, int]]:
    for pattern in _PATTERNS:
        for found in pattern.finditer(run):
            if bisect_right(edges, found.start()) < bisect_left(edges, found.end()):
                yield found.end("kept"), found.end()


def _outside(run: str, spans: list[tuple[int, int]], start: int, end: int) -> str:
    """What of a part of a run is no secret, with one mask where a secret begins."""
    parts = []
    for first, behind in spans:
        if first < end and behind > start:
            parts.append(run[start : max(first, start)] + (MASK if first >= start else ""))
            start = max(start, min(behind, end))
    return "".join([*parts, run[start:end]])
