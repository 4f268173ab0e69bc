"""Makes names for new tasks: from a prompt, or similar to a name that is taken.

Only Coder knows whether a name is free.
"""

import hashlib
import re
import unicodedata

# Coder's limits: 32 for names (coderd/taskname), 64 for titles.
NAME_LENGTH = 32
TITLE_LENGTH = 64
SUFFIX_LENGTH = 6


def digest(*parts: str) -> str:
    """Return 16 characters that are always the same for these parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def make_name(prompt: str, salt: str) -> str:
    """Shorten the prompt, and append six characters of the intent's hash: every try makes the same name.

    Letters lose their accents. A prompt without any Latin letter or digit becomes `task`.
    """
    plain = unicodedata.normalize("NFKD", prompt.casefold()).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", re.sub("['`]", "", plain)).strip("-")
    room = NAME_LENGTH - SUFFIX_LENGTH - 1
    if len(words) > room:
        words = words[: room + 1].rpartition("-")[0] or words[:room]
    return f"{words.strip('-') or 'task'}-{digest('name', salt)[:SUFFIX_LENGTH]}"


def make_numbered_name(name: str, number: int) -> str:
    """Return the name with a number at its end."""
    ending = f"-{number}"
    return name[: NAME_LENGTH - len(ending)].rstrip("-") + ending


def make_title(prompt: str) -> str:
    """Cut the prompt's first line at a word. It is the title until Coder has one."""
    line = next((line.strip() for line in prompt.splitlines() if line.strip()), prompt)
    if len(line) <= TITLE_LENGTH:
        return line
    kept = line[: TITLE_LENGTH - 1]
    return (kept.rpartition(" ")[0] or kept) + "…"


def make_replacement_title(prompt: str) -> str:
    """Make a title for a new prompt as Coder would, since Coder itself keeps the first title for ever."""
    title = make_title(prompt)
    return title[:1].upper() + title[1:]


def is_same_text(title: str, prompt: str) -> bool:
    """Whether a title says all that the prompt says, apart from case, blanks and a full stop at the end."""
    return _bare(title) == _bare(prompt)


def _bare(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")
