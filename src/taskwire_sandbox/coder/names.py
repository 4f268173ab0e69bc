"""Names of tasks: the rules for a name that a user gives, and the making of a name from a prompt."""

import re

from taskwire_sandbox.coder.ids import Ids

# All limits count characters.
LIMIT = 32
SLUG_LIMIT = 27  # the suffix needs the other five characters
DISPLAY_LIMIT = 64
VALID = re.compile(r"^[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*$")
FALLBACKS = ("amber-heron", "brisk-otter", "calm-lynx", "dapper-finch", "eager-newt")


def name_problem(name: str) -> str:
    """Return why Coder refuses the name; empty if Coder accepts it."""
    if len(name) > LIMIT:
        return "must be <= 32 characters"
    if not name:
        return "must be >= 1 character"
    if not VALID.match(name):
        return "must be alphanumeric with hyphens"
    return 'cannot use "new" as a name' if name in ("new", "create") else ""


def generate(prompt: str, ids: Ids) -> tuple[str, str]:
    """Make a name and a display name from a prompt, and return both."""
    line = re.sub(r"[\n\r\t]+", " ", prompt)
    slug = re.sub(r"\s+", "-", _whole_words(line, SLUG_LIMIT).lower())
    slug = re.sub(r"-+", "-", re.sub(r"[^a-z0-9-]+", "", slug)).strip("-")
    suffix = ids.new_suffix()
    if not slug:
        slug = FALLBACKS[int(suffix, 16) % len(FALLBACKS)]
        return f"{slug}-{suffix}", slug.replace("-", " ").capitalize()
    display = _shown(line)
    return f"{slug}-{suffix}", display[:1].upper() + display[1:]


def _shown(line: str) -> str:
    if len(line) <= DISPLAY_LIMIT:
        return line.strip()
    return _whole_words(line, DISPLAY_LIMIT - 1).strip() + "…"


def _whole_words(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    cut = text[:limit]
    if text[limit].isspace() or cut[-1].isspace():
        return cut.rstrip()
    head = cut.rsplit(None, 1)[0] if len(cut.split()) > 1 else cut
    return head.rstrip()
