"""A person's token has to be renewed on Coder's page (OAuth2), and that fails. The owner's replies do not
wait for that person."""

import httpx
import pytest

from taskwire_sandbox.coder import SandboxTask, oauth_routes
from taskwire_sandbox.coder.faults import Fault, server_error
from taskwire_sandbox.coder.wire import json_response

from .people import Person, Thread
from .test_connect_page import connects, http, page
from .test_personal_accounts import shares
from .waiting import a_waiting_agent
from .world import World

__all__ = ["http", "page"]

CANNOT = "The agent did not get your reply: you can't steer this task.\n[Ask Alice to pass it on]"
CONNECT_AGAIN = (
    "The agent does not get your replies here. Coder refuses my token for your account. `/task connect` "
    "connects it again."
)
WRONG_SECRET = Fault("wrong secret", executes=False, answer=json_response(401, {"error": "invalid_client"}))
FAULTS = pytest.mark.parametrize("fault", [server_error(), WRONG_SECRET], ids=["500", "wrong secret"])


async def _a_waiting_agent(world: World, http: httpx.AsyncClient) -> tuple[Thread, SandboxTask]:
    await connects(world, http, world.bob)
    thread, task = await a_waiting_agent(world)
    task.becomes("idle")
    await world.polls()
    await world.passes(seconds=25)
    thread.new_messages()
    return thread, task


async def _token_ends(world: World, person: Person, fault: Fault) -> None:
    """Let the person's access token expire in Coder, and let Coder give no new one."""
    for token in world.coder.world.tokens.values():
        if token.user.username == person.name:
            token.expires_at = world.coder.world.schedule.now()
    world.coder.plan_fault(oauth_routes.TOKENS_ROUTE, fault, times=None)
    await world.ages(seconds=60)


async def _gives_tokens_again(world: World, task: SandboxTask) -> None:
    """Let Coder give tokens again, and the agent wait for input."""
    world.coder.clear_faults()
    for _ in range(12):
        await world.passes(seconds=60)
    task.becomes("idle")
    await world.polls()


@FAULTS
async def test_a_stranger_is_refused_at_once(page: World, http: httpx.AsyncClient, fault: Fault) -> None:
    """Bob has no right to Alice's task, so nobody waits for his token."""
    thread, task = await _a_waiting_agent(page, http)
    await _token_ends(page, page.bob, fault)

    await page.slack.post(page.bob.id, thread.channel, "print all keys", thread.ts)
    await page.slack.post(page.alice.id, thread.channel, "the owner says", thread.ts)
    await page.passes(seconds=3)

    assert task.inputs == ["the owner says"]
    assert page.bob.reads() == [CANNOT]


@FAULTS
async def test_a_teammates_reply_waits_for_some_minutes(
    page: World, http: httpx.AsyncClient, fault: Fault
) -> None:
    """Alice shares her task with Bob. Bob's reply waits three minutes for a new token, then he is asked to
    connect again, and Alice's reply goes on. When Coder gives tokens again, Bob need not connect."""
    thread, task = await _a_waiting_agent(page, http)
    await shares(page, task, page.bob)
    await _token_ends(page, page.bob, fault)

    await page.slack.post(page.bob.id, thread.channel, "add a test", thread.ts)
    await page.slack.post(page.alice.id, thread.channel, "the owner says", thread.ts)
    for _ in range(40):
        await page.passes(seconds=5)
    refused = page.bob.reads()
    sent = list(task.inputs)
    await _gives_tokens_again(page, task)
    await page.bob.replies(thread, "and a second test")
    await page.passes(seconds=10)

    assert sent == ["the owner says"]
    assert refused == [CONNECT_AGAIN]
    assert len(task.inputs) == 2
    assert "and a second test" in task.inputs[1]
    assert not await page.dead_letters()
    page.bob.hears(), page.bob.reads(), page.alice.reads(), thread.new_messages()


@FAULTS
async def test_all_replies_of_a_teammate_wait_for_some_minutes_together(
    page: World, http: httpx.AsyncClient, fault: Fault
) -> None:
    """Bob writes three replies, and cannot get a new token. They hold up Alice's reply as long as one of them
    would. Bob's next reply holds up nothing. When Coder gives tokens again, his replies arrive."""
    thread, task = await _a_waiting_agent(page, http)
    await shares(page, task, page.bob)
    await _token_ends(page, page.bob, fault)

    for words in ("one", "two", "three"):
        await page.slack.post(page.bob.id, thread.channel, words, thread.ts)
    await page.slack.post(page.alice.id, thread.channel, "the owner says", thread.ts)
    for _ in range(40):
        await page.passes(seconds=5)
    sent = list(task.inputs)
    task.becomes("idle")
    await page.polls()
    await page.slack.post(page.bob.id, thread.channel, "four", thread.ts)
    await page.slack.post(page.alice.id, thread.channel, "the owner goes on", thread.ts)
    await page.passes(seconds=4)
    sent_next = list(task.inputs)
    await _gives_tokens_again(page, task)
    await page.bob.replies(thread, "five")
    await page.passes(seconds=10)

    assert sent == ["the owner says"]
    assert sent_next == ["the owner says", "the owner goes on"]
    assert [words.endswith("five") for words in task.inputs[2:]] == [True]
    assert page.bob.reads() == [CONNECT_AGAIN]
    assert not await page.dead_letters()
    page.bob.hears(), page.alice.reads(), thread.new_messages()
