"""A title at the beginning of a long text is found without a look at the whole text for each task."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

import pytest

from taskwire.coder.lists import Item, TaskEntry
from taskwire.domain.parsing import task_names
from taskwire.domain.parsing.task_names import MOST_TITLE_WORDS, TaskName, take_words
from taskwire.domain.text.mrkdwn import fold_words
from taskwire.tasks import matching
from taskwire.tasks.catalogue import Catalogue
from taskwire.tasks.matching import TASKS_PER_PIECE

T = TypeVar("T")
TASKS = 500
TITLES = [(f"task-{number}", "Fix  the login" if number == 7 else f"Fix {number}") for number in range(TASKS)]
LONG = "THE Login " + "\N{GRINNING FACE} " * 19_000


class _Noting(Generic[T]):
    """A function of one text that notes each text."""

    def __init__(self, function: Callable[[str], T]) -> None:
        self.texts: list[str] = []
        self._function = function

    def __call__(self, text: str) -> T:
        """Note the text, and return what the function returns for it."""
        self.texts.append(text)
        return self._function(text)


@contextlib.asynccontextmanager
async def _other_work() -> AsyncIterator[list[int]]:
    """Run other work meanwhile. The list has an item for each of its turns."""
    turns: list[int] = []

    async def run() -> None:
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    task = asyncio.create_task(run())
    yield turns
    task.cancel()


async def test_a_long_text_is_folded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of 38,000 characters is compared with the titles of 500 tasks. Only its first words are folded,
    once, and other work runs in between."""
    fold = _Noting(fold_words)
    monkeypatch.setattr(task_names, "fold_words", fold)
    monkeypatch.setattr(matching, "fold_words", fold)

    async with _other_work() as turns:
        counts = await matching.count_words_of_titles(TITLES, TaskName("fix"), LONG)

    assert [(task, count) for task, count in counts.items() if count] == [("task-7", 3)]
    assert len(fold.texts) == TASKS + 1
    assert max(map(len, fold.texts)) <= 2 * MOST_TITLE_WORDS + len("fix THE Login")
    assert len(turns) >= TASKS / TASKS_PER_PIECE


async def test_a_long_title_is_folded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same holds if the whole text can only be a title."""
    fold = _Noting(fold_words)
    monkeypatch.setattr(matching, "fold_words", fold)

    async with _other_work() as turns:
        found = await matching.has_title((title for _, title in TITLES), f"fix {LONG}")

    assert (found, len(fold.texts), fold.texts.count(f"fix {LONG}")) == (False, TASKS + 1, 1)
    assert len(turns) >= TASKS / TASKS_PER_PIECE
    assert await matching.has_title((title for _, title in TITLES), " fix THE  login")


async def test_few_words_of_a_long_text_are_compared_with_near_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody repeats a word that all tasks have, in the name or in the text. Each task is compared with few
    words."""
    catalogue = Catalogue()
    for number in range(TASKS):
        catalogue.add(Item(b""), TaskEntry(f"{number}", f"fix-{number}", "1", "alice"), None, None)
    list_words = _Noting(matching._list_words)  # noqa: SLF001 - what is compared is counted
    monkeypatch.setattr(matching, "_list_words", list_words)

    near = await matching.list_near(catalogue.entries, {}, TaskName("fix"), "fix " * 9_000 + "the end")
    titled = await matching.list_near(catalogue.entries, {}, TaskName(title="fix " * 9_000), "")

    assert (len(near.entries), len(titled.entries)) == (TASKS, TASKS)
    assert near.rest.endswith("fix the end")
    assert len(list_words.texts) <= 2 * TASKS * (MOST_TITLE_WORDS + 3)


@pytest.mark.parametrize(
    ("count", "text", "title", "rest"),
    [
        (0, "the  Login please", "", "the  Login please"),
        (1, "the  Login please", "", "the  Login please"),
        (2, "the  Login please", "fix the", "Login please"),
        (3, "the\n Login  please  do", "fix the login", "please  do"),
        (3, "the Login", "fix the login", ""),
    ],
)
def test_a_title_is_taken_from_the_text(count: int, text: str, title: str, rest: str) -> None:
    """The words of the title are folded. The text that follows stays as it was typed."""
    name = TaskName(title=title) if title else TaskName("fix")
    assert take_words(count, TaskName("fix"), text) == (name, rest)
