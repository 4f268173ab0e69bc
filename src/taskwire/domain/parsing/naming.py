"""Makes names and titles for tasks. Only Coder knows whether a name is free."""

import hashlib
import re
import unicodedata

# Coder's limits: 32 for names (coderd/taskname), 64 for titles.
NAME_LENGTH = 32
TASK_TITLE_LENGTH = 64
SUFFIX_LENGTH = 6
# The text between a message that became a prompt and the address of that message.
LINK_BACK = "\n\nFrom Slack: "

# The line above a file's content in a prompt, and the beginning of the content (`agent/input.py`).
_FILE = re.compile(
    r"(?:\A|(?<=\n\n))"
    r"(?:`(?P<quoted>[^`\n]+)`(?: \(a file\))?|(?P<plain>[\w.+-]+|[^\n]*\.[A-Za-z0-9]{1,10})):\n```"
)


def digest(*parts: str) -> str:
    """Return 16 characters of a hash of these parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def make_name(prompt: str, salt: str) -> str:
    """Make a name from the beginning of the prompt and six characters of the salt's hash.

    An example is `fix-the-login-1a2b3c`. The same prompt and salt always give the same name, so every try
    uses the same name. Letters lose their accents. A prompt without any Latin letter or digit becomes `task`.
    """
    words = _hyphenate(prompt)
    room = NAME_LENGTH - SUFFIX_LENGTH - 1
    if len(words) > room:
        words = words[: room + 1].rpartition("-")[0] or words[:room]
    return f"{words.strip('-') or 'task'}-{digest('name', salt)[:SUFFIX_LENGTH]}"


def suggest_name(text: str) -> str:
    """Return the name most like this text that Coder accepts; empty if the text has no Latin letter.

    For example, `My Fix!!` gives `my-fix`.
    """
    near = _hyphenate(text)[:NAME_LENGTH].rstrip("-")
    # A task cannot be called "new", because another page of Coder has the address that the task's page would
    # have.
    return "new-task" if near == "new" else near


def _hyphenate(text: str) -> str:
    """Return the Latin letters and digits of a text in lower case. Hyphens replace the other characters."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", re.sub("['`]", "", plain)).strip("-")


def make_numbered_name(name: str, number: int) -> str:
    """Return the name with a number at its end, for example `fix-login-2`, within Coder's limit."""
    ending = f"-{number}"
    return name[: NAME_LENGTH - len(ending)].rstrip("-") + ending


def begins_with_file(prompt: str) -> bool:
    """Return whether a prompt has no words before its first file."""
    return _FILE.match(prompt) is not None


def has_own_title(prompt: str) -> bool:
    """Return whether the prompt has more than a person's words. The title must be made from the words."""
    return LINK_BACK in prompt or _FILE.search(prompt) is not None


def find_words(prompt: str) -> str:
    """Return the part of a prompt from which names and titles are made: the words before the first file.

    Without such words, return the file's name. The address of the message that became the prompt is left out.
    """
    words = prompt.partition(LINK_BACK)[0] or prompt
    found = _FILE.search(words)
    return words if found is None else words[: found.start()].strip() or found["quoted"] or found["plain"]


def make_title(prompt: str) -> str:
    """Make a title of the prompt's first line, cut after a word. It is shown until Coder has a title."""
    line = next((line.strip() for line in prompt.splitlines() if line.strip()), prompt)
    if len(line) <= TASK_TITLE_LENGTH:
        return line
    kept = line[: TASK_TITLE_LENGTH - 1]
    return (kept.rpartition(" ")[0] or kept) + "…"


def make_replacement_title(prompt: str) -> str:
    """Make a title for an edited prompt, because Coder keeps the title of the first prompt."""
    title = make_title(prompt)
    return title[:1].upper() + title[1:]


def is_same_text(title: str, prompt: str) -> bool:
    """Return whether title and prompt are the same, apart from case, blanks and a full stop at the end."""
    return _bare(title) == _bare(prompt)


def is_beginning(title: str, prompt: str) -> bool:
    """Return whether a title is the beginning of the prompt, with or without a `…` at its end."""
    return _bare(prompt).startswith(_bare(title).removesuffix("…")) if title.strip() else False


def _bare(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")
