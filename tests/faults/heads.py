"""Reads heads. A head is the Lua comment in which a script describes itself to the proof.

-- script: queue.begin (begins)
-- ARGV: prefix, time, queue, token, id, version, arrives_within, attempt, is_again
-- answer: time, queue, id, job, ...

Every script has the first two lines. `?` follows an optional word. `...` follows the last word if more words
may come. The roles in brackets say what a script does in the proof (`ROLES`). The proof identifies a script
only by its roles, so names, keys and the order of words may change.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# For each role, the words that a script with this role must name.
ROLES: Mapping[str, frozenset[str]] = {
    # The calls of a lease. A take acquires a lease under a token, and answers with the queue and the job.
    "takes": frozenset({"token", "ignores_priority"}),
    "begins": frozenset({"token"}),
    "ends": frozenset({"token", "kind"}),
    # Claims a delivery from Slack. Claims that arrive at the same time are sent in one exchange.
    "claims": frozenset({"claim"}),
    # Writes the result of a poll. A script with the role `observes` too writes the states that the poll has
    # read.
    "polls": frozenset(),
    "observes": frozenset(),
    # Asks the rate limiter for permission to call Slack.
    "paces": frozenset({"method"}),
    # Writes a batch outside any lease.
    "writes": frozenset({"batch"}),
    # Is called by one caller at a time in each process, for all flows.
    "serial": frozenset(),
}
_OF_A_TAKE = frozenset({"queue", "job"})
_HEAD = re.compile(
    r"^-- script: (?P<name>\S+)(?: \((?P<roles>[a-z_, ]+)\))?\n"
    r"-- ARGV: (?P<words>.+(?:\n--   .+)*)(?:\n-- answer: (?P<answer>.+))?$",
    re.MULTILINE,
)


class NoHead(Exception):
    """A script has no head or a wrong head, or was called with other words than its head names. The proof
    cannot recognize the script's calls."""


@dataclass(frozen=True)
class Head:
    """The content of one script's head."""

    name: str
    roles: frozenset[str]
    words: tuple[str, ...]
    answer: tuple[str, ...]

    def read(self, given: Sequence[str]) -> dict[str, str]:
        """Return the words of one call (its arguments without the keys), by the names that the head gives
        them. Raise NoHead if the call has more or fewer words than the head names."""
        needed = [word for word in self.words if not word.endswith(("?", "..."))]
        has_more = self.words[-1].endswith("...")
        if not len(needed) <= len(given) or (len(given) > len(self.words) and not has_more):
            raise NoHead(f"{self.name} was called with {len(given)} words; its head names {self.words}")
        return dict(zip((word.rstrip("?.") for word in self.words), given, strict=False))

    def read_answer(self, answer: object) -> dict[str, str] | None:
        """Return the parts of an answer, by the names that the head gives them. Return None if the answer is
        no list or has too few parts, for example because there was no job."""
        if not isinstance(answer, list) or len(answer) < len(self.answer):
            return None
        return {name: _text(part) for name, part in zip(self.answer, answer, strict=False)}


def read(body: str) -> Head:
    """Return the head of a script. Raise NoHead if the script has no head or several, or if the head lacks a
    word that one of its roles needs."""
    found = list(_HEAD.finditer(body))
    if len(found) != 1 or body.count("-- script:") != 1:
        end = body.strip().splitlines()[-1] if body.strip() else ""
        raise NoHead(f"a script was loaded with {len(found)} heads; it ends with: {end}")
    roles = _words(found[0]["roles"] or "")
    answer = [word for word in _words(found[0]["answer"] or "") if word != "..."]
    head = Head(found[0]["name"], frozenset(roles), _words(found[0]["words"]), tuple(answer))
    unknown = head.roles - ROLES.keys()
    if unknown:
        raise NoHead(f"{head.name} has roles that nobody knows: {sorted(unknown)}")
    missing = {word for role in head.roles for word in ROLES[role]} - set(head.words)
    if "takes" in head.roles:
        missing |= _OF_A_TAKE - set(head.answer)
    if missing:
        raise NoHead(f"{head.name} is one that {', '.join(roles)}, and does not name {sorted(missing)}")
    return head


def sha_of(body: bytes) -> bytes:
    """Return the digest of a script's text. Redis uses it as the name of the loaded script (EVALSHA)."""
    return hashlib.sha1(body, usedforsecurity=False).hexdigest().encode()


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for part in text.split(",") if (word := part.strip(" -\n")))


def _text(part: object) -> str:
    return part.decode(errors="replace") if isinstance(part, bytes) else str(part)
