"""Patterns of secrets. The part before a secret is kept to show its kind. The secret is masked.

An attacker can make a text of a million characters that is slow to search. So the cost of each pattern is at
most linear in the length of the text. The part before a secret has a limited length. The secret is matched by
one character class, and contains no mask. If possible, a pattern begins with plain letters, because a search
for plain letters is ten times as fast as a search for a character class.

A long text is searched one window at a time.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_QUOTE = "[\"']?"
_GAP = "[ \t]{0,4}"
_IS = f"{_QUOTE}{_GAP}[:=]{_GAP}{_QUOTE}"
_HAS_DIGIT = r"(?=[^\s0-9]{0,64}[0-9])"
# A value is a likely secret if it has a digit or at least 20 characters. A word of a sentence has neither.
_LIKELY = rf"(?:{_HAS_DIGIT}|(?=[^\s\"'•]{{20}}))"
_VALUE = r"[^\s\"'$<>{}()•]"
# The characters between two cells of a table.
_CELL = r"[ \t]{0,80}[|│┃][ \t]{0,80}"
_BASE64 = "[A-Za-z0-9+/=]"
# Lookaheads for a value that is neither a word nor a path.
_MIXED = (
    r"(?=[^\s0-9]{0,40}[0-9])(?=[^\sA-Z]{0,40}[A-Z])(?=[^\sa-z]{0,40}[a-z])(?![^\s/]{0,40}/[^\s/]{0,40}/)"
)
_HEX = r"(?=[0-9a-f]{32})"

# `PWD` alone is a shell's working directory, so it is not listed.
_PASSWORDS = ("password", "passwd", "passphrase", "_pass", "_pwd", ";pwd")
_NAMES = (
    *_PASSWORDS,
    "secret",
    "token",
    *(f"{of}{gap}key" for of in ("api", "access", "private") for gap in ("", "_", "-")),
)
_NAMED = f"(?:{'|'.join(_NAMES)})"
_ENV = (
    "(?:PASSW(?:OR)?D|_PASS|SSHPASS|PASSPHRASE|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY|AUTH_KEY"
    "|REDISCLI_AUTH)"
)
_HEADERS = (
    "x-api-key",
    *(f"{of}-token" for of in ("private", "session", "access", "auth", "gitlab", "vault")),
)
# A name with one of these endings does not hold a secret: it says something about a secret.
_ABOUT = "(?!_(?:URL|URI|FILE|PATH|DIR|NAME|TTL|TYPE|COUNT|LIMIT|LENGTH|SIZE)=)"
# A quoted text that contains one of these as words is a sentence about passwords and not a password.
_OF_SENTENCES = (
    "must|should|cannot|can't|can not|could not|may not|do not|does not|don't|is not|isn't|is required"
    "|is invalid|is incorrect|at least"
)
# Values and code that are no secret, although they stand at the place of a secret.
_NO_VALUE = (
    r"(?!(?i:none|null|true|false|undefined)\b)(?![0-9.]+\b)"
    r"(?!(?:[A-Za-z_]\w{0,40}\.){1,4}[A-Za-z_]\w{0,40}\b)"
)


def _word(letters: str, before: str = "A-Za-z0-9") -> str:
    """Make a pattern for letters at the beginning of a word: no character of class `before` precedes them.

    The lookbehind comes after the letters, because a search for plain letters is fast.
    """
    return f"{re.escape(letters)}(?<![{before}]{re.escape(letters)})"


def _after(names: Iterable[str], sign: str, before: str = "", then: str = "") -> str:
    """Make a pattern for a sign, such as `=`, after one of these names in upper or lower case.

    `before` is a pattern for the text before the name. `then` is a pattern for the text after the sign. The
    pattern begins with the sign, because the sign is rarer than the names and so is found faster.
    """
    looks = (f"(?<={before}(?i:{re.escape(name)}){sign})" for name in names)
    return f"{sign}{f'(?={then})' if then else ''}(?:{'|'.join(looks)}){then}"


def _in_quotes(mark: str, only: str = "") -> str:
    """Make a pattern for text up to the closing quotation mark `mark`.

    `only` is a lookahead at the start of the text. If the text was cut and has no closing mark, the pattern
    matches up to `…` or to the end of the text. A newline at the end is not matched.
    """
    sentence = rf"(?i:(?:[^{mark}\n]{{0,80}} )?(?:{_OF_SENTENCES}) )"
    closed = rf"[^{mark}\n•]{{4,}}+(?={mark})"
    cut = rf"[^{mark}\n•…]{{1,}}+(?=…)|[^{mark}\n•…]{{4,}}+(?=\n?\Z)"
    return rf"{only}(?![$<{{])(?!{sentence}[^{mark}\n]*{mark})(?:{closed}|{cut})"


_BY_PREFIX = (
    (_word("gh") + "[pousr]_", "[A-Za-z0-9]{16,}"),
    (_word("github_pat_"), "[A-Za-z0-9_]{16,}"),
    (_word("gl") + "(?:pat|dt|rt|soat|ptt|cbt|imt|ft|agent|oas)-", "[A-Za-z0-9_.-]{16,}"),
    (_word("xox") + r"[a-z](?:\.xox[a-z])?-", "[A-Za-z0-9-]{8,}"),
    (_word("xapp-"), "[A-Za-z0-9-]{8,}"),
    # A key has a digit and does not begin with words and hyphens: `sk-fading-circle-2` is not a key.
    (
        _word("sk-", "A-Za-z0-9_-") + "(?:(?:ant|proj|svcacct|admin|or-v1)-)?",
        rf"{_HAS_DIGIT}(?![a-z]{{1,20}}-[a-z])[A-Za-z0-9_-]{{16,}}",
    ),
    ("[srSR]k_(?:live|test)_(?<![A-Za-z0-9][srSR]k_[lt][ie][vs][et]_)", "[A-Za-z0-9]{12,}"),
    (_word("whsec_"), "[A-Za-z0-9+/=_-]{20,}"),
    (_word("shp") + "(?:at|ca|pa|ss)_", "[A-Fa-f0-9]{32,}"),
    (_word("lin_") + "(?:api|oauth)_", "[A-Za-z0-9]{30,}"),
    (_word("gl") + "(?:sa|c)_", "[A-Za-z0-9_+/=-]{30,}"),
    (_word("sntry") + "[su]_", "[A-Za-z0-9_+/=-]{30,}"),
    (_word("tskey-") + "[a-z]{1,10}-", "[A-Za-z0-9-]{16,}"),
    (_word("gsk_"), "[A-Za-z0-9]{40,}"),
    (_word("xai-"), "[A-Za-z0-9]{40,}"),
    (_word("sq0") + "(?:csp|atp)-", "[A-Za-z0-9_-]{20,}"),
    ("AT(?:ATT|CTT)3", "[A-Za-z0-9_=-]{40,}"),
    (_word("AGE-SECRET-KEY-1"), "[A-Z0-9]{40,}"),
    (_word("npm_"), "[A-Za-z0-9]{30,}"),
    (_word("hf_"), "[A-Za-z0-9]{30,}"),
    (_word("do") + "[por]_v1_", "[a-f0-9]{32,}"),
    # A code, a refresh token or an app's secret of Coder's OAuth2 provider: a public part of 10 characters,
    # then a secret of 40.
    (_word("coder_") + "[A-Za-z0-9]{8,16}_", "[A-Za-z0-9]{30,}"),
    (_word("dapi"), "[a-f0-9]{32}[a-f0-9-]*"),
    (_word("sbp_"), "[a-f0-9]{32,}"),
    (_word("sb_secret_"), "[A-Za-z0-9_-]{20,}"),
    (_word("figd_"), "[A-Za-z0-9_-]{30,}"),
    (_word("r8_"), "[A-Za-z0-9]{30,}"),
    (_word("dp.") + r"[a-z]{2,5}\.(?:[a-z0-9_-]{2,35}\.)?", "[A-Za-z0-9]{40,}"),
    (_word("CCIP") + "(?:AT|RJ)_", "[A-Za-z0-9_]{40,}"),
    (_word("PMAK-"), "[a-f0-9]{24}-[a-f0-9]{30,}"),
    (_word("NR") + "(?:AK|II|RA)-", "[A-Za-z0-9_-]{27,}"),
    (_word("ATBB"), f"{_HAS_DIGIT}[A-Za-z0-9]{{24,}}"),
    (_word("GOCSPX-"), "[A-Za-z0-9_-]{24,}"),
    (r"discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks/[0-9]{15,22}/", "[A-Za-z0-9_-]{40,}"),
    # A Telegram bot's token: the bot's number, and a key of 35 characters. In an address `bot` precedes it.
    (
        "[0-9]{8,12}:(?<![0-9]{13}:)",
        "(?=[^A-Z]{0,34}[A-Z])(?=[^0-9]{0,34}[0-9])[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])",
    ),
    (_word("dckr_") + "[a-z]{2,4}_", "[A-Za-z0-9_-]{20,}"),
    (_word("pypi-"), "[A-Za-z0-9_-]{40,}"),
    (_word("A") + "(?:KIA|SIA)", "[A-Z0-9]{16}(?![A-Za-z0-9])"),
    (_word("AIza"), "[A-Za-z0-9_-]{35}"),
    (_word("ya29."), "[A-Za-z0-9_.-]{16,}"),
    (_word("hv") + r"[bsr]\.", "[A-Za-z0-9_-]{20,}"),
    (_word("SG."), r"[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,}"),
    (
        _word("eyJ", "A-Za-z0-9_-"),
        r"[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]+)?",
    ),
    (r"https://hooks\.slack\.com/[a-z]{1,20}/", "[A-Za-z0-9/_-]{8,}"),
    # Coder's session token: an id of 10 characters and a secret of 22.
    (
        "(?<![A-Za-z0-9_-])",
        rf"(?=[A-Za-z0-9]{{10}}-){_HAS_DIGIT}[A-Za-z0-9]{{10}}-[A-Za-z0-9]{{22}}(?![A-Za-z0-9_-])",
    ),
)

_BY_NAME = (
    # Secrets in environment variables.
    (
        rf"{_ENV}{_ABOUT}(?:_[A-Z0-9_]{{1,20}}|[0-9]{{1,3}})?={_QUOTE}",
        rf"(?![0-9.]+\b){_VALUE}{{6,}}",
    ),
    # Secrets in settings and arguments. After a name that ends in `password` or a similar word, any value is
    # a secret. After the other names, only a likely secret is a secret.
    (_after(_PASSWORDS, "=", "[A-Za-z0-9_.-]") + _QUOTE, rf"{_NO_VALUE}{_VALUE}{{4,}}+(?![(\[])"),
    (_after(_NAMES, "=") + _QUOTE, rf"{_NO_VALUE}{_LIKELY}(?:(?!&){_VALUE}){{6,}}+(?![(\[])"),
    # Between quotation marks a password may contain blanks.
    *((_after(_PASSWORDS, "=") + mark, _in_quotes(mark)) for mark in "\"'"),
    *((f"PASSW(?:OR)?D[A-Z0-9_]{{0,20}}={mark}", _in_quotes(mark)) for mark in "\"'"),
    *(
        (
            rf"(?i:passw(?:or)?d|passphrase){_QUOTE}{_GAP}(?::=|=>|[:=]){_GAP}{mark}",
            _in_quotes(mark, rf"(?=[^{mark}\n]{{0,100}}[0-9]|[^{mark}\n]{{20}}|[^{mark}\n]{{1,20}}…)"),
        )
        for mark in "\"'"
    ),
    # Secrets in YAML and in prose: values that are certainly not words.
    (
        _after(_NAMES, ":") + rf"(?<!(?i:unexpected token):)[ \t]{{1,4}}{_QUOTE}",
        f"(?:{_MIXED}|{_HEX})[A-Za-z0-9+/=_.-]{{16,}}",
    ),
    # Secrets in XML.
    (_after(_NAMES, ">"), rf"{_LIKELY}[^\s\"'<>•]{{6,}}(?=</)"),
    # Secrets in a .netrc file.
    (r"login\s{1,4}[^\s•]{1,80}\s{1,40}password\s{1,4}", r"[^\s•]{2,}"),
    (rf"[?&](?i:(?:[a-z]{{1,20}}_)?(?:{_NAMED}|sig)=)", r"[^\s&#\"'<>•]+"),
    (_after(_NAMES, "[\"']", then=rf"{_GAP}:{_GAP}[\"']"), rf"{_LIKELY}[^\s\"'•]{{6,}}"),
    # Secrets in JSON within JSON.
    (_after(_NAMES, r"\\", then=rf"\"{_GAP}:{_GAP}\\\""), rf"{_LIKELY}[^\s\"'\\•]{{6,}}"),
    (
        rf"(?im:^[ \t]{{0,40}}[a-z0-9_.-]{{0,40}}passw(?:or)?d{_GAP}[:=]{_GAP}{_QUOTE})",
        rf"{_HAS_DIGIT}[^\s\"'•]{{6,}}",
    ),
    (
        rf"(?i:secret[ _]?access[ _]?key(?: \[[^\]\n]{{0,30}}\])?(?:{_IS}|[ \t]{{1,4}}|{_CELL}))",
        "[A-Za-z0-9/+=]{16,}",
    ),
    (rf"(?i:session[ _]?token{_CELL})", "[A-Za-z0-9/+=]{16,}"),
    # In a list of AWS keys: the id of the key comes first, then the key.
    (r"A(?:KIA|SIA)[A-Z0-9]{16}[\s,|:]{1,20}", "[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])"),
    (rf"(?i:aws_session_token{_IS})", "[A-Za-z0-9/+=]{16,}"),
    (_after(("accountkey", "sharedaccesskey"), "="), f"{_BASE64}{{16,}}"),
    (f"client-key-data{_IS}", f"{_BASE64}{{16,}}"),
    # Docker's configuration file. A value in base64 has other characters than lower-case letters.
    (rf"[\"']auth[\"']{_GAP}:{_GAP}[\"']", rf"(?=[a-z]{{0,64}}[A-Z0-9+/=]){_BASE64}{{8,}}"),
    (rf"_auth(?:Token)?{_GAP}={_GAP}{_QUOTE}", rf"{_VALUE}{{6,}}"),
)

_BY_HEADER = (
    (
        rf"(?i:authorization{_IS}(?:bearer|basic|token|apikey)[ \t]{{1,4}})",
        r"(?!(?i:bearer|basic|token)\b)[^\s\"'$<{•]{4,}",
    ),
    (rf"(?i:authorization{_IS})", rf"(?!(?i:bearer|basic|token|apikey)\b){_LIKELY}[^\s\"'$<{{•]{{4,}}"),
    (r"[Bb]earer[ \t\\]{1,4}", _HAS_DIGIT + "[A-Za-z0-9._~+/=-]{16,}"),
    (_after(_HEADERS, "[:=]") + f"{_GAP}{_QUOTE}", rf"{_LIKELY}[^\s\"'$<{{•]{{4,}}"),
    (_after(_HEADERS, "[\"']", then=f"{_GAP}[:=]{_GAP}{_QUOTE}"), rf"{_LIKELY}[^\s\"'$<{{•]{{4,}}"),
    # All cookies of the header, with their attributes.
    (rf"(?i:cookie(?:{_QUOTE}{_GAP}[:=]|[ \t]){_GAP}{_QUOTE})", r"(?=[^\s=;,\"'•]{1,100}=)[^\r\n\"'•]+"),
)

_BY_COMMAND = (
    (r"://[^\s/?#@:•\"'<>]{0,64}:", r"[^\s/?#•\"'<>]{1,200}(?=@)"),
    ("://", rf"(?=[A-Za-z0-9_-]{{20}}){_HAS_DIGIT}[A-Za-z0-9_-]{{20,200}}(?=@)"),
    *(
        (rf"(?i:--(?:[a-z]{{1,20}}-){{0,3}}{_NAMED}(?:=|[ \t]{{1,4}}){mark})", _in_quotes(mark))
        for mark in "\"'"
    ),
    (rf"(?i:--(?:[a-z]{{1,20}}-){{0,3}}{_NAMED}={_QUOTE})", r"[^\s\"'$<•]{2,}"),
    (rf"(?i:--(?:[a-z]{{1,20}}-){{0,3}}{_NAMED}[ \t]{{1,4}}{_QUOTE})", r"[^\s\"'$<•-][^\s\"'•]{3,}"),
)

# Patterns for passwords that are arguments of a command. The group `kept` is the text before a password, with
# its quotation mark.
_LINE_OF_COMMAND = (
    r"\b(?:[^\n|;&\\\"']{1,40}+|\"[^\"\n]{0,200}\"|'[^'\n]{0,200}'|[\"']|\\[\s\S]?|&(?![\s&])){0,300}+"
)
_GLOBAL_OPTIONS = r"(?:[ \t]{1,4}--?[A-Za-z-]{1,20}(?:[= \t][^\s-]\S{0,80})?){0,3}"
_CLIENTS = "docker|podman|nerdctl|buildah|skopeo|oras|crane|helm|oc|cf|az|argocd"
_BY_ARGUMENT = (
    # A user's name with a password, or a cookie.
    ("curl", r"[ \t](?:-[a-zA-Z]{0,5}u|--user|--proxy-user)(?:=|[ \t]{0,4})", r"[^\s:\"'•]{1,100}:"),
    ("curl", r"[ \t]-[a-zA-Z]{0,5}b[ \t]{0,4}", r"[^\s:;=\"'•]{1,100}="),
    # The password follows `-p` directly. A word after `-p` and a blank is the name of the database.
    ("(?:mysql(?:dump|admin|import|show|check|slap|sh)?|mariadb(?:-[a-z]{1,10})?)", "[ \t]-p", ""),
    ("mongo(?:sh|dump|restore|export|import|stat|top)?", "[ \t]-p[ \t]{0,4}", ""),
    # The words behind the password belong to another command.
    ("sshpass", "(?<=sshpass)[ \t]{1,4}(?:-v[ \t]{1,4})?-p[ \t]{0,4}", ""),
    (
        f"(?:{_CLIENTS}){_GLOBAL_OPTIONS}(?:[ \t]{{1,4}}(?:registry|auth|acr))?[ \t]{{1,4}}login",
        r"[ \t]-p(?:[ \t]{1,4}|=)?",
        "",
    ),
    ("(?:un)?zip", "[ \t]-P[ \t]{0,4}", ""),
    ("7z[ar]?", "[ \t]-p", ""),
    ("ldap(?:search|modify|add|delete|passwd|whoami)", "[ \t]-w[ \t]{0,4}", ""),
    ("ssh-keygen", "[ \t]-[NP][ \t]{1,4}", ""),
    ("redis-cli", r"[ \t](?:-a|--pass)[ \t]{1,4}", ""),
    ("openssl", r"[ \t]-pass(?:in|out|word)?[ \t]{1,4}", "pass:"),
)
_VALUES = (
    ('"', r"(?![$<{])[^\"\n•]{2,}"),
    ("'", r"(?![$<{])[^'\n•]{2,}"),
    ("", r"(?![-<{])[^\s\"'$•]{2,}(?:(?<=;) [^\s\"'$•]+){0,20}"),
)


def _arguments() -> Iterable[tuple[re.Pattern[str], re.Pattern[str]]]:
    for command, option, before in _BY_ARGUMENT:
        values = "|".join(
            f"(?P<kept{number}>{option}{mark}{before}){value}" for number, (mark, value) in enumerate(_VALUES)
        )
        yield re.compile(rf"(?<![A-Za-z0-9-]){command}{_LINE_OF_COMMAND}"), re.compile(values)


# For each command: a pattern for the whole command line, and one for the secret arguments in it.
COMMANDS = tuple(_arguments())


def _with_capitals(prefixes: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Yield each prefix. If it begins with a small letter, also yield it with a capital letter.

    Titles are made from prompts, and the first letter of a title is a capital.
    """
    for start, secret in prefixes:
        yield start, secret
        if found := re.match(r"([a-z])(.*?\(\?<!\[[^\]]*\])\1(.*)", start):
            yield f"{found[1].upper()}{found[2]}{found[1].upper()}{found[3]}", secret


# Each pattern has a group `kept`. The rest of the match after this group is the secret.
PATTERNS = tuple(
    re.compile(f"(?P<kept>{kept}){secret}")
    for kept, secret in (*_with_capitals(_BY_PREFIX), *_BY_NAME, *_BY_HEADER, *_BY_COMMAND)
)

# If a single line does not match this, no pattern matches it. So most lines need no further search.
_SMALL = (
    "gh[pousr]_|github_pat|gl[a-z]{2,5}-|xox[a-z]|xapp-|sk-|whsec_|shp[a-z]{2}_|lin_|gl[sc]a?_|sntry|tskey-"
    "|gsk_|xai-|sq0|npm_|hf_|do[por]_v1_|dckr_|pypi-|ya29|hv[bsr]\\.|coder_|dapi|sbp_|sb_s|figd_|r8_|dp\\."
)
_CAPITALS = "|".join(each[0].upper() + each[1:] for each in _SMALL.split("|"))
HINT = re.compile(
    r"(?i:pass|pwd=|secret|token|key|auth|cookie|bearer|curl|login|zip|7z|ldap|keygen|mysql|mariadb|mongo|redis-cli|[?&](?:[a-z]{1,20}_)?sig=)"
    rf"|{_SMALL}|{_CAPITALS}|k_live_|k_test_|AT[AC]TT3|ATBB|AKIA|ASIA|AIza"
    r"|CCIP|PMAK|NR(?:AK|II|RA)-|GOCSPX|webhooks/"
    r"|SG\.|eyJ|hooks\.slack|KEY|://[^\s/]*@|[A-Za-z0-9]{10}-[A-Za-z0-9]{22}|[0-9]{8}:"
)

# Beginnings of tokens that are not secret, because they only show the kind of the token.
TOKEN_PREFIXES = re.compile(
    r"gh[pousr]_|github_pat_|gl[a-z]{2,5}-|xox[a-z](?:\.xox[a-z])?-|xapp-|sk-|npm_|pypi-|AKIA"
)


MASK = "•••"
# In characters. A pattern searches a window at a time, so that other threads can run in between. A match that
# begins in the window may continue in the margin after it. If it reaches the end of the margin, it is matched
# again in the whole text.
WINDOW, MARGIN = 8_192, 2_048


class SecretSpan(NamedTuple):
    """A part of a text, from `start` up to `end`, and the text that replaces it."""

    start: int
    end: int
    replacement: str = MASK


def find_matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield each match of a pattern, in order. The text is searched one window at a time."""
    at, length = 0, len(text)
    while at < length:
        edge = min(at + WINDOW + MARGIN, length)
        found = pattern.search(text, at, edge)
        if found is None:
            at += WINDOW
            continue
        start = found.start()
        if found.end() == edge < length:
            # Only the rest of the text shows where the match ends, or whether there is a match.
            found = pattern.match(text, start)
        if found is not None:
            yield found
        at = start + 1 if found is None else max(found.end(), start + 1)


def replace_spans(text: str, spans: Iterable[SecretSpan]) -> str:
    """Replace each span of a text by its replacement. `spans` are ordered by their start.

    If spans overlap, only the replacement of the first one is written. A replacement is cut to the length of
    its span.
    """
    parts: list[str] = []
    end = 0
    for span in spans:
        if span.start >= end:
            # The replacement must not be longer than the span, so that a text that fits a message still fits.
            parts += [text[end : span.start], span.replacement[: span.end - span.start]]
        end = max(end, span.end)
    return "".join([*parts, text[end:]])
