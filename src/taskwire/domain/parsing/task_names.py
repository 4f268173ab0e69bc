"""How people name a task in a command. Other modules decide which task a name means."""

import re
from dataclasses import dataclass

from taskwire.domain.errors import UserError
from taskwire.domain.parsing.options import QUOTES
from taskwire.domain.text.mrkdwn import fold_words, get_link_address, quote_typed, to_visible_text

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# A title has at most 500 characters, and so fewer words than this.
MOST_TITLE_WORDS = 256
_TASK_URL = re.compile(r"https?://([^/?#\s]+)(?:/[^?#\s]*?)?/(?:tasks/|@)([^/?#\s]+)/([^/?#\s]+)")


@dataclass(frozen=True)
class TaskName:
    """The words by which a person names a task: a name, a title, the beginning of either, an id, or a link.

    `host` is the host of the link; empty without a link. `title` contains the words if they can only be a
    title; otherwise it is empty.
    """

    name: str = ""
    owner: str = ""
    id: str = ""
    host: str = ""
    title: str = ""

    @classmethod
    def parse(cls, text: str) -> "TaskName":
        """Parse NAME, OWNER/NAME, an id, or a link to the task. Several words are a title.

        Raise UserError for any other text.
        """
        # Slack turns an address into a link, and an owner's name after an @ into a mention.
        is_link = text.startswith("<") and text.endswith(">")
        plain = (get_link_address(text) if is_link else to_visible_text(text)).strip(QUOTES)
        if len(words := plain.split()) > 1:
            return cls(title=" ".join(words))
        if found := _TASK_URL.match(plain):
            return cls._of(found[3], found[2], found[1])
        owner, slash, name = plain.rpartition("/")
        owner = owner.removeprefix("@")
        if (slash and not _OWNER.fullmatch(owner)) or not _NAME.fullmatch(name):
            raise UserError(
                f"Not a task's name: `{quote_typed(to_visible_text(text))}`.",
                "Give its name or title, `owner/name`, its id, or a link to it in Coder; `/task list` shows "
                "them.",
            )
        return cls._of(name, owner, "")

    @classmethod
    def _of(cls, name: str, owner: str, host: str) -> "TaskName":
        low = name.lower()
        is_id = _UUID.fullmatch(low) is not None
        return cls("" if is_id else low, owner.lower(), low if is_id else "", host.lower())

    def __str__(self) -> str:
        """Return the name as a person would type it: NAME or OWNER/NAME, the id or the title."""
        return self.title or "/".join(part for part in (self.owner, self.name or self.id) if part)


def list_first_words(name: TaskName, text: str, most: int = MOST_TITLE_WORDS) -> list[str]:
    """Return the first words of NAME TEXT of `VERB NAME TEXT`, folded: as many as a title may have.

    `name` is the first word, and `text` is what follows it. The text may be long, so fold it once, and not
    for each title.
    """
    return fold_words(" ".join([name.name, *text.split(None, most)[:most]])).split()[:most]


def count_title_words(title: str, words: list[str]) -> int:
    """Return how many words the title has if the words of `list_first_words` begin with it; 0 otherwise."""
    wanted = fold_words(title).split()
    return len(wanted) if words[: len(wanted)] == wanted else 0


def take_words(count: int, name: TaskName, text: str) -> tuple[TaskName, str]:
    """Return NAME and TEXT of `VERB NAME TEXT` if NAME is a title of `count` words.

    `name` is the first word, and `text` is what follows it. They stay as they are without a title of several
    words.
    """
    if count <= 1:
        return name, text
    rest = text.split(None, count - 1)[count - 1 :]
    return TaskName(title=" ".join(list_first_words(name, text, count))), rest[0] if rest else ""


def is_task_name(word: str) -> bool:
    """Return whether a word can be a task's name. A text of several words cannot."""
    try:
        return not TaskName.parse(word).title
    except UserError:
        return False
