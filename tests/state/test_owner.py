"""Whose a store is: noted at first use, and told to whoever comes with another Slack app or another Coder."""

import pytest

from taskwire.state import owner as owners
from taskwire.state.owner import Owner, Ownership
from tests.queue.engine import Engine

US = Owner("U0BOT", "d-1", "https://coder.example.com")


@pytest.fixture
def ownership(engine: Engine) -> Ownership:
    """The note of one workspace."""
    return Ownership(engine.connections, engine.keys, engine.clock)


async def test_whoever_comes_first_has_it(ownership: Ownership) -> None:
    """And whoever comes later hears who that was."""
    before = await ownership.find()

    heard = [await ownership.claim(US), await ownership.claim(Owner("U0OTHER", "d-2", "https://else"))]

    assert (before, heard) == (None, [US, US])
    assert await ownership.find() == US


async def test_a_coder_that_has_moved_is_the_same(ownership: Ownership) -> None:
    """Its id says so; the new address is noted for the next time."""
    await ownership.claim(US)
    moved = Owner("U0BOT", "d-1", "https://tasks.example.com")

    heard = await ownership.claim(moved)

    assert (heard.is_another_coder(moved), owners.refusal(heard, moved, "here")) == (False, None)
    assert await ownership.find() == moved


async def test_a_coder_that_was_away_at_first_is_noted_when_it_answers(ownership: Ownership) -> None:
    """Until then its address has to do."""
    unknown = Owner("U0BOT", "", US.url)
    await ownership.claim(unknown)

    heard = [await ownership.claim(US), await ownership.claim(unknown)]

    assert [each.is_another_coder(US) for each in heard] == [False, False]
    assert await ownership.find() == US


async def test_nothing_of_somebody_elses_is_noted_anew(ownership: Ownership) -> None:
    """Neither of another Coder at the same address, nor of one at another address that does not answer."""
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
def test_who_has_no_business_here_is_told_what_to_do(who: Owner, belongs: str) -> None:
    """As long as it may be theirs, nobody is sent away."""
    refused = owners.refusal(US, who, "redis://redis:6379")

    assert ("" if refused is None else refused.sentence) == (
        belongs and f"The store at redis://redis:6379 belongs to a Taskwire for {belongs}."
    )
    assert refused is None or refused.hint == (
        "Let this one have its own: set TASKWIRE_KEY_PREFIX to another word, or REDIS_URL to another "
        "database, or TASKWIRE_DATA_DIR to another directory."
    )
