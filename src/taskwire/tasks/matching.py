"""Decides which tasks fit the words that a person typed as a task's name or title.

If a task fits only nearly, it is offered to the person. Nothing is done to it before the person chooses it.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from taskwire.domain.parsing.grammar import find_nearest
from taskwire.domain.parsing.task_names import MOST_TITLE_WORDS, TaskName, count_title_words, list_first_words
from taskwire.domain.text.mrkdwn import fold_words
from taskwire.tasks.catalogue import CatalogueEntry

# The list of tasks is searched in pieces of this size, so that other work can run in between.
TASKS_PER_PIECE = 50
_WORD = re.compile(r"\w+")
# In letters. A shorter word must be a whole word of the title.
_SHORTEST_BEGINNING = 4


def list_named(seen: list[CatalogueEntry], name: TaskName, own: str) -> list[CatalogueEntry]:
    """List the tasks of exactly this name. If there are none, list the tasks whose name begins with it."""
    candidates = [each for each in seen if not name.owner or each.entry.owner_name.lower() == name.owner]
    exact = [each for each in candidates if each.entry.name.lower() == name.name]
    longer = [each for each in candidates if each.entry.name.lower().startswith(name.name)]
    return _choose(exact, longer, own if not name.owner else "")


def list_titled(
    seen: list[CatalogueEntry], titles: Mapping[str, str], title: str, own: str
) -> list[CatalogueEntry]:
    """List the tasks of exactly this title. If there are none, list those whose title begins with it.

    `titles` are the folded titles by the task's id.
    """
    wanted = fold_words(title).removesuffix("…")
    exact = [each for each in seen if titles.get(each.entry.id) == wanted]
    longer = [each for each in seen if titles.get(each.entry.id, "").startswith(wanted)]
    return _choose(exact, longer, own)


async def count_words_of_titles(
    titles: Iterable[tuple[str, str]], name: TaskName, text: str
) -> dict[str, int]:
    """Return, by the task's id, how many of the typed words are the task's whole title.

    `titles` are pairs of an id and a title. `name` is the first typed word, and `text` is what follows it.
    """
    words, counts = list_first_words(name, text), dict[str, int]()
    for number, (task, title) in enumerate(titles):
        if number % TASKS_PER_PIECE == 0:
            await asyncio.sleep(0)
        counts[task] = count_title_words(title, words)
    return counts


async def has_title(titles: Iterable[str], wanted: str) -> bool:
    """Return whether one of the titles is exactly the wanted one."""
    folded = fold_words(wanted)
    for number, title in enumerate(titles):
        if number % TASKS_PER_PIECE == 0:
            await asyncio.sleep(0)
        if fold_words(title) == folded:
            return True
    return False


def _choose(exact: list[CatalogueEntry], longer: list[CatalogueEntry], own: str) -> list[CatalogueEntry]:
    """List the tasks that a person can mean.

    `exact` are the tasks with the typed name or title. `longer` are the tasks whose name or title begins with
    it; they count only if there is no exact task. If just one of the counted tasks is the person's own, list
    only this task.

    There is one exception: if all exact tasks belong to other people, also list the person's own longer
    tasks. Otherwise other people could hide them by the names that they choose.
    """
    fitting = exact or longer
    mine = [each for each in fitting if each.entry.owner_name == own]
    hidden = [each for each in longer if each.entry.owner_name == own] if exact and not mine else []
    return mine if len(mine) == 1 else [*fitting, *hidden]


class NearTasks(NamedTuple):
    """The tasks that words fit nearly. `words` are the typed words that these tasks have, and `rest` is what
    follows them."""

    entries: list[CatalogueEntry]
    words: str
    rest: str


async def list_near(
    seen: list[CatalogueEntry], titles: Mapping[str, str], name: TaskName, following: str
) -> NearTasks:
    """List the tasks that have all typed words somewhere in their title or name. If there are none, list the
    tasks with a similar name.

    `following` is the text behind the typed name. If some of the tasks have its first words too, list only
    the tasks that have the most of these words.
    """
    seen = [each for each in seen if not name.owner or each.entry.owner_name.lower() == name.owner]
    typed = name.title or name.name
    # Few words are compared with each task, also of a long text: each typed word once, and of the following
    # text as many as a title may have.
    words = list(dict.fromkeys(_list_words(typed)))
    more = following.split(None, MOST_TITLE_WORDS)[:MOST_TITLE_WORDS]
    having: dict[int, list[CatalogueEntry]] = {}
    for number, each in enumerate(seen):
        if number % TASKS_PER_PIECE == 0:
            await asyncio.sleep(0)
        known = {*_list_words(each.entry.name), *_list_words(titles.get(each.entry.id, ""))}
        if words and all(_is_known(word, known) for word in words):
            having.setdefault(_count_known(more, known), []).append(each)
    if having:
        count = max(having)
        rest = following.split(None, count)[count:]
        return NearTasks(having[count], " ".join([str(name), *more[:count]]), rest[0] if rest else "")
    nearest = await _list_nearest(name.name, seen)
    similar = [each for near in nearest for each in seen if each.entry.name == near]
    return NearTasks(similar, str(name), following)


def _list_words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _is_known(word: str, known: set[str]) -> bool:
    """Return whether a word is one of the known words, or the beginning of one."""
    return word in known or (
        len(word) >= _SHORTEST_BEGINNING and any(each.startswith(word) for each in known)
    )


def _count_known(words: list[str], known: set[str]) -> int:
    """Count the first words that are all among the known words."""
    for number, word in enumerate(words):
        parts = _list_words(word)
        if not parts or not known.issuperset(parts):
            return number
    return len(words)


async def _list_nearest(word: str, listed: list[CatalogueEntry]) -> tuple[str, ...]:
    """Return the names of tasks that are similar to a word. Return none for an empty word."""
    if not word:
        return ()
    near: list[str] = []
    for start in range(0, len(listed), TASKS_PER_PIECE):
        names = (each.entry.name for each in listed[start : start + TASKS_PER_PIECE])
        near += [name for name in names if find_nearest(word, (name,))]
        await asyncio.sleep(0)
    return find_nearest(word, near)
