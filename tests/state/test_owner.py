"""A store belongs to the installation that uses it first. Another Slack app or another Coder is refused."""

import pytest

from taskwire.state import owner as owners
from taskwire.state.owner import Owner, Ownership
from tests.queue.engine import Engine

US = Owner("U0BOT", "d-1", "https://coder.example.com")


@pytest.fixture
def ownership(engine: Engine) -> Ownership:
    """Return the record that says which installation owns the store of the workspace."""
    return Ownership(engine.connections, engine.keys, engine.clock)


async def test_the_first_installation_owns_the_store(ownership: Ownership) -> None:
    """The installation that uses a store first owns it. Later installations get the owner's record."""
    before = await ownership.find()

    heard = [await ownership.claim(US), await ownership.claim(Owner("U0OTHER", "d-2", "https://else"))]

    assert (before, heard) == (None, [US, US])
    assert await ownership.find() == US


async def test_a_coder_that_has_moved_is_the_same(ownership: Ownership) -> None:
    """If an installation's Coder has the same id and a new URL, the installation still owns the store, and
    the new URL is stored."""
    await ownership.claim(US)
    moved = Owner("U0BOT", "d-1", "https://tasks.example.com")

    heard = await ownership.claim(moved)

    assert (heard.is_another_coder(moved), owners.refusal(heard, moved, "here")) == (False, None)
    assert await ownership.find() == moved


async def test_a_coder_that_was_away_at_first_is_noted_when_it_answers(ownership: Ownership) -> None:
    """If Coder does not answer at first, its id is unknown, and installations are compared by Coder's URL.
    When Coder answers, the id is stored."""
    unknown = Owner("U0BOT", "", US.url)
    await ownership.claim(unknown)

    heard = [await ownership.claim(US), await ownership.claim(unknown)]

    assert [each.is_another_coder(US) for each in heard] == [False, False]
    assert await ownership.find() == US


async def test_nothing_of_somebody_elses_is_noted_anew(ownership: Ownership) -> None:
    """If an installation with another Slack app or another Coder uses the store, nothing in the owner's
    record changes."""
    await ownership.claim(US)

    for other in (
        Owner("U0BOT", "d-2", US.url),
        Owner("U0BOT", "", "https://else"),
        Owner("U0X", "d-1", US.url),
    ):
        assert await ownership.claim(other) == US

    assert await ownership.find() == US


@pytest.mark.parametrize(
    ("who", "belongs"),
    [
        (US, ""),
        (Owner("U0BOT", "", US.url), ""),
        (Owner("U0BOT", "", "https://else"), ""),
        (
            Owner("U0OTHER", "d-1", US.url),
            "another Slack app of this workspace (its bot is U0BOT, this one's is U0OTHER)",
        ),
        (
            Owner("U0BOT", "d-2", "https://staging"),
            "the Coder at https://coder.example.com, and this one is for https://staging",
        ),
        (
            Owner("U0BOT", "d-2", US.url),
            "another Coder than the one that is now at https://coder.example.com",
        ),
    ],
)
def test_another_installation_is_told_what_to_do(who: Owner, belongs: str) -> None:
    """An installation is refused only if the store certainly belongs to another one. The error says to whom,
    and what to do."""
    refused = owners.refusal(US, who, "redis://redis:6379")

    assert ("" if refused is None else refused.sentence) == (
        belongs and f"The store at redis://redis:6379 belongs to a Taskwire for {belongs}."
    )
    assert refused is None or refused.hint == (
        "Let this one have its own: set TASKWIRE_KEY_PREFIX to another word, or REDIS_URL to another "
        "database, or TASKWIRE_DATA_DIR to another directory."
    )
