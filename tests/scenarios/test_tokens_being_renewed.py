"""A person's token from Coder's page (OAuth2) has expired, and the bot has yet to renew it. The person is
still connected: what they ask for waits for the new token, and nobody is told to connect again."""

import httpx
import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import server_error

from .people import Person, Thread
from .test_channel_settings import set_channel
from .test_connect_page import connects, http, page
from .waiting import a_waiting_agent
from .world import CARD_SECONDS, World

__all__ = ["http", "page"]

MINUTE_SECONDS = 60.0
RENEWING = "I'm renewing my access to your Coder account. Try again in a moment."


async def loses_the_token(world: World, person: Person) -> None:
    """Let the access token of a person expire before the bot renews it. Coder fails at the first renewal."""
    [key] = [key for key in world.coder.world.tokens.values() if key.user.username == person.name]
    key.expires_at = world.coder.world.schedule.now()
    world.coder.plan_fault("oauth.tokens", server_error(status=503))
    await world.ages(seconds=10)


async def gets_a_token(world: World) -> None:
    """Let the bot renew the token at its second try, and run the jobs that wait for this."""
    await world.passes(MINUTE_SECONDS)
    await world.passes(MINUTE_SECONDS)


async def a_task_among_people(world: World) -> tuple[Thread, SandboxTask]:
    """Let Alice start a task in a discussion with Bob, and share it with him. Its agent works."""
    root = await world.slack.post(world.bob.id, "general", "the login is broken")
    thread = await world.alice.mentions("fix the login", root)
    task = world.task("fix-the-login")
    task.becomes("working", "On it")
    await world.polls()
    await world.alice.types(f"/task share {task.name} <@{world.bob.id}>")
    await world.passes(CARD_SECONDS)
    world.alice.reads(), world.bob.hears(), thread.new_messages()
    return thread, task


@pytest.mark.parametrize("is_shared", [True, False], ids=["a share", "an open channel"])
async def test_a_reply_waits_for_the_new_token(page: World, http: httpx.AsyncClient, is_shared: bool) -> None:
    """Bob may steer Alice's task, by a share or by the channel's settings. His reply reaches the agent when
    the bot has renewed his token."""
    if not is_shared:
        await set_channel(page, steerers="Everybody in this channel")
    thread, task = await a_waiting_agent(page)
    if is_shared:
        await page.alice.types(f"/task share {task.name} <@{page.bob.id}>")
    await connects(page, http, page.bob)
    await loses_the_token(page, page.bob)

    reply = await page.bob.replies(thread, "add a test")
    waiting = thread.receipt(reply), task.inputs
    await gets_a_token(page)

    assert waiting == (["hourglass_flowing_sand"], [])
    assert task.inputs == ["Bob wrote:\n> add a test"]
    assert page.bob.reads() == []
    page.alice.reads(), page.bob.hears(), page.cards(), thread.new_messages()


async def test_a_bare_stop_between_people_waits_for_the_new_token(
    page: World, http: httpx.AsyncClient
) -> None:
    """Bob writes only *stop* in a discussion with Alice, who shares her task with him. The task is paused
    when the bot has renewed his token."""
    thread, task = await a_task_among_people(page)
    await connects(page, http, page.bob)
    await loses_the_token(page, page.bob)

    await page.bob.replies(thread, "stop")
    before = task.status
    await gets_a_token(page)
    await page.polls()

    assert (before, task.status) == ("active", "paused")
    assert page.bob.reads() == ["Pausing *Fix the login*. A reply in its thread that mentions me resumes it."]
    thread.new_messages()


async def test_a_dialog_does_not_ask_for_a_token_that_is_only_renewed(
    page: World, http: httpx.AsyncClient
) -> None:
    """Alice presses the controls of her card. Each dialog says that the bot renews its access. A moment
    later, the dialog opens."""
    await connects(page, http, page.alice)
    thread, _ = await a_waiting_agent(page)
    await loses_the_token(page, page.alice)

    opened = []
    for label in ("Share", "Delete", "New like this"):
        await page.alice.clicks(thread, label)
        opened.append(page.alice.dialog())
    await gets_a_token(page)
    await page.alice.clicks(thread, "Share")

    assert [shown.splitlines()[-1] for shown in opened] == [RENEWING] * 3
    assert "[Connect Coder]" not in page.alice.dialog()
    assert "Fix the login" in page.alice.dialog()
    page.alice.reads(), thread.new_messages()


async def test_an_administrators_list_waits_for_the_new_token(page: World, http: httpx.AsyncClient) -> None:
    """Alice is an administrator and types `/task`. She is not told that no task needs her: the answer waits
    for her new token."""
    await page.restarts(admins=(page.alice.id,))
    await connects(page, http, page.alice)
    thread, _ = await a_waiting_agent(page)
    await loses_the_token(page, page.alice)

    await page.alice.types("/task")
    home = await page.alice.opens_home()
    told = page.alice.reads()
    await gets_a_token(page)
    # The Home tab may have been tried in between. Then its next try comes a little later.
    for _ in range(4):
        await page.passes(CARD_SECONDS)

    assert told == ["`/task` has to wait a moment: I'm renewing my access to your Coder account."]
    assert "Fix the login" in page.alice.reads()[0]
    assert ("Fix the login" in home, "Fix the login" in page.alice.home()) == (False, True)
    thread.new_messages()
