"""How people name a task in a command. Other modules decide which task a name means."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from taskwire.domain.errors import UserError
from taskwire.domain.parsing.options import QUOTES
from taskwire.domain.text.mrkdwn import fold_words, get_link_address, quote_typed, to_visible_text

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
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


def take_title(titles: Iterable[str], name: TaskName, text: str) -> tuple[TaskName, str]:
    """Return NAME and TEXT of `VERB NAME TEXT`. `name` is the first word, and `text` is what follows it.

    A title may have several words. If the words of `name` and `text` together begin with one of `titles`,
    that title is NAME, and the words after it are TEXT. If several titles fit, the longest is taken.
    """
    words = fold_words(f"{name.name} {text}").split()
    split = [fold_words(title).split() for title in titles]
    longest = max((len(title) for title in split if words[: len(title)] == title), default=0)
    if longest <= 1:
        return name, text
    rest = text.split(None, longest - 1)[longest - 1 :]
    return TaskName(title=" ".join(words[:longest])), rest[0] if rest else ""


def is_task_name(word: str) -> bool:
    """Return whether a word can be a task's name. A text of several words cannot."""
    try:
        return not TaskName.parse(word).title
    except UserError:
        return False
