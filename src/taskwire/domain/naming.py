"""Names for new tasks: from a prompt, or near one that is taken. Whether one is free, Coder knows."""

import hashlib
import re
import unicodedata

# Coder's own limits: coderd/taskname for names, 64 for what people read.
NAME_LENGTH = 32
TITLE_LENGTH = 64
SUFFIX = 6


def digest(*parts: str) -> str:
    """Sixteen characters that stand for these parts, always the same."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def name_for(prompt: str, salt: str) -> str:
    """The person's words, cut, and six characters of the intent's hash: the same at every try.

    Letters lose their accents; of a prompt without any Latin letter or digit only `task` is left.
    """
    plain = unicodedata.normalize("NFKD", prompt.casefold()).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", re.sub("['`]", "", plain)).strip("-")
    room = NAME_LENGTH - SUFFIX - 1
    if len(words) > room:
        words = words[: room + 1].rpartition("-")[0] or words[:room]
    return f"{words.strip('-') or 'task'}-{digest('name', salt)[:SUFFIX]}"


def near(name: str, number: int) -> str:
    """The same name with a number behind it."""
    ending = f"-{number}"
    return name[: NAME_LENGTH - len(ending)].rstrip("-") + ending


def title_for(prompt: str) -> str:
    """The prompt's first line, cut at a word: what people call the task until Coder says otherwise."""
    line = next((line.strip() for line in prompt.splitlines() if line.strip()), prompt)
    if len(line) <= TITLE_LENGTH:
        return line
    kept = line[: TITLE_LENGTH - 1]
    return (kept.rpartition(" ")[0] or kept) + "…"


def new_title_for(prompt: str) -> str:
    """The title after a new prompt, as Coder makes one: it keeps the first one for ever."""
    title = title_for(prompt)
    return title[:1].upper() + title[1:]


def says_the_same(title: str, prompt: str) -> bool:
    """Tell whether a title says all that the prompt says: case, blanks and a last full stop do not count."""
    return _bare(title) == _bare(prompt)


def _bare(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")
