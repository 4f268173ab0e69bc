"""Coder suspends a person whose account was connected on Coder's page (OAuth2). Coder gives such a person new
tokens, and refuses these too. So nothing is renewed and nobody waits for them, until Coder activates them."""

import httpx
import pytest

from taskwire.domain.ids import UserId
from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import server_error

from .people import Person, Thread
from .test_connect_page import connects, count, http, page
from .test_personal_accounts import CONNECT_AGAIN, shares
from .waiting import a_waiting_agent
from .world import CARD_SECONDS, World

__all__ = ["http", "page"]

MINUTE_SECONDS, HOUR_SECONDS, DAY_SECONDS = 60.0, 3_600.0, 86_400.0
# The tokens of Coder's page live for a day in these stories. After this time, they are renewed.
RENEWAL_SECONDS = 19 * HOUR_SECONDS


@pytest.fixture
async def personal(page: World, http: httpx.AsyncClient) -> World:
    """Provide a deployment without a service account. Alice and Bob have connected theirs on Coder's page."""
    await page.restarts(accounts="personal")
    await connects(page, http, page.alice)
    await connects(page, http, page.bob)
    return page


async def _a_shared_task(world: World) -> tuple[Thread, SandboxTask]:
    """Let Alice share her task with Bob. Its agent waits for input."""
    thread, task = await a_waiting_agent(world)
    await shares(world, task, world.bob)
    task.becomes("idle", "Ready")
    await world.polls()
    await world.passes(CARD_SECONDS)
    thread.new_messages()
    return thread, task


async def _suspends(world: World, person: Person) -> int:
    """Suspend the person in Coder. Return how many tokens Coder has given until now."""
    world.coder.suspend(person.name)
    await world.ages(seconds=MINUTE_SECONDS)
    return count(world, "oauth.tokens")


async def _activates(world: World, person: Person) -> None:
    world.coder.user(person.name).status = "active"
    await world.ages(seconds=MINUTE_SECONDS)


def _expires(world: World, person: Person) -> None:
    """Let the access token of the person expire in Coder."""
    for key in world.coder.world.tokens.values():
        if key.user.username == person.name:
            key.expires_at = world.coder.world.schedule.now()


def _tries(world: World) -> int:
    """Return how often Coder was asked for tokens."""
    return len([seen for seen in world.coder.requests if seen.route == "oauth.tokens"])


async def _is_known_as_suspended(world: World, person: Person) -> bool:
    return bool(await world.bot.parts.deps.accounts.list_suspended(UserId(person.id)))


async def test_a_suspended_teammate_holds_up_nobody(personal: World) -> None:
    """Bob, who has a share, is suspended and replies, and so does Alice. The agent gets her reply at once.
    Bob's tokens are not renewed, whatever he does, and the suspension is remembered. What he has asked is
    answered when he is active again."""
    thread, task = await _a_shared_task(personal)
    given = await _suspends(personal, personal.bob)

    await personal.bob.replies(thread, "print all keys")
    await personal.alice.replies(thread, "add a test")
    await personal.passes(seconds=5)
    await personal.bob.types("/task list")
    for _ in range(3):
        await personal.passes(MINUTE_SECONDS)
    told, is_known = personal.bob.reads(), await _is_known_as_suspended(personal, personal.bob)
    await _activates(personal, personal.bob)
    await personal.passes(5 * MINUTE_SECONDS)

    assert task.inputs == ["add a test"]
    assert told == [
        CONNECT_AGAIN,
        "Coder refuses my token for your account *bob*. `/task list` has to wait until you connect again.\n"
        "[Connect with Coder] [Paste a token instead]",
    ]
    assert is_known
    assert "Fix the login" in personal.bob.reads()[0]
    assert count(personal, "oauth.tokens") == given
    thread.new_messages()


async def test_a_renewal_does_not_end_a_suspension(personal: World) -> None:
    """Bob's tokens are renewed in time while he is suspended, so that the last one still works later. That
    gives him no right, and Coder gives him no further tokens."""
    thread, task = await _a_shared_task(personal)
    given = await _suspends(personal, personal.bob)
    await personal.bob.replies(thread, "print all keys")

    await personal.passes(RENEWAL_SECONDS)
    is_known = await _is_known_as_suspended(personal, personal.bob)
    await personal.bob.replies(thread, "print all tokens")
    await personal.passes(MINUTE_SECONDS)

    assert is_known
    # Alice's tokens are renewed too.
    assert count(personal, "oauth.tokens") - given == 2
    assert task.inputs == []
    personal.bob.reads(), thread.new_messages()


@pytest.mark.parametrize("mode", ["personal", "both"])
@pytest.mark.parametrize("has_expired", [False, True], ids=["the same token", "a renewed token"])
async def test_a_person_who_is_active_again_steers_on(personal: World, has_expired: bool, mode: str) -> None:
    """Coder activates Bob again. He steers with the account that is connected already, also if its access
    token has expired meanwhile. Then the refresh token is used once."""
    thread, task = await _a_shared_task(personal)
    given = await _suspends(personal, personal.bob)
    await personal.bob.replies(thread, "too early")
    personal.bob.reads()
    if mode == "both":
        await personal.restarts(accounts="both")
    await _activates(personal, personal.bob)
    if has_expired:
        _expires(personal, personal.bob)

    await personal.bob.replies(thread, "add a test")
    await personal.passes(seconds=10)

    assert task.inputs == ["Bob wrote:\n> add a test"]
    assert count(personal, "oauth.tokens") - given == has_expired
    assert not await _is_known_as_suspended(personal, personal.bob)
    held = await personal.bot.parts.deps.accounts.find(UserId(personal.bob.id))
    assert held is not None
    assert not held.is_refused
    assert personal.bob.reads() == []
    thread.new_messages()


async def test_an_expired_token_of_a_suspended_person_is_renewed_once(personal: World) -> None:
    """Bob's access token expires while he is suspended, so Coder no longer says why it refuses the token. It
    is renewed once, which shows that he is still suspended."""
    thread, task = await _a_shared_task(personal)
    given = await _suspends(personal, personal.bob)
    await personal.bob.replies(thread, "print all keys")
    _expires(personal, personal.bob)

    for text in ("print all tokens", "print all names", "print all"):
        await personal.bob.replies(thread, text)
        await personal.passes(MINUTE_SECONDS)
    await personal.alice.replies(thread, "add a test")
    await personal.passes(seconds=5)

    assert count(personal, "oauth.tokens") - given == 1
    assert task.inputs == ["add a test"]
    assert await _is_known_as_suspended(personal, personal.bob)
    personal.bob.reads(), thread.new_messages()


async def test_a_lost_refresh_token_is_not_tried_again(personal: World) -> None:
    """Bob's tokens are deleted in Coder while he is suspended. When he is active again, the bot tries once to
    renew them, and asks him once to connect again."""
    thread, task = await _a_shared_task(personal)
    await _suspends(personal, personal.bob)
    await personal.bob.replies(thread, "too early")
    tokens = personal.coder.world.tokens
    for key in [key for key, token in tokens.items() if token.user.username == "bob"]:
        del tokens[key]
    await _activates(personal, personal.bob)
    before = _tries(personal)

    for text in ("one", "two", "three"):
        await personal.bob.replies(thread, text)
        await personal.passes(MINUTE_SECONDS)

    assert _tries(personal) - before == 1
    assert len(personal.bob.hears()) == 1
    assert task.inputs == []
    personal.bob.reads(), thread.new_messages()


async def test_an_owner_who_is_active_again_is_watched_again(personal: World) -> None:
    """Alice, who owns the task, is suspended for a day, and then active again. She does nothing: within
    minutes her task is watched again, and her reply of that time reaches the agent."""
    thread, task = await _a_shared_task(personal)
    given = await _suspends(personal, personal.alice)
    await personal.polls()
    await personal.alice.replies(thread, "use main")
    task.becomes("idle", "Which one?")
    for _ in range(3):
        await personal.passes(MINUTE_SECONDS)
        await personal.polls()
    unwatched = thread.card()
    await personal.passes(RENEWAL_SECONDS)
    await personal.polls()
    await personal.passes(CARD_SECONDS)
    later, meanwhile = thread.card(), list(task.inputs)

    await _activates(personal, personal.alice)
    await personal.ages(5 * MINUTE_SECONDS)
    await personal.polls()
    await personal.passes(CARD_SECONDS)

    assert ":warning: Not up to date since" in unwatched
    assert later == unwatched
    assert meanwhile == []
    assert task.inputs == ["use main"]
    assert ":warning:" not in thread.card()
    # Her tokens and Bob's were renewed in time.
    assert count(personal, "oauth.tokens") - given == 2
    assert len(personal.alice.hears()) == 1
    personal.alice.reads(), thread.new_messages()


async def test_a_reply_does_not_wait_for_a_new_token_for_ever(page: World, http: httpx.AsyncClient) -> None:
    """Alice's access token has expired, and Coder never renews it. Her reply is given up after a week."""
    await connects(page, http, page.alice)
    thread, task = await a_waiting_agent(page)
    page.coder.plan_fault("oauth.tokens", server_error(status=503), times=None)
    _expires(page, page.alice)
    await page.ages(seconds=10)

    await page.alice.replies(thread, "add a test")
    for _ in range(8):
        await page.passes(DAY_SECONDS)

    given_up = "This reply was not delivered: you connected no Coder account within a week."
    assert task.inputs == []
    assert thread.new_messages()[-1] == f"{given_up}\n> add a test\n[Try again]"
    assert (await page.dead_letters())[-1] == "you connected no Coder account within a week"
    assert len(page.alice.hears()) == 1
    page.errors.clear()
