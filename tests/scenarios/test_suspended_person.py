"""Without a service account, a suspension in Coder holds until its person connects an account that Coder
accepts. Disconnecting the account does not end it."""

import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import server_error

from .people import Thread
from .test_personal_accounts import CONNECT_AGAIN, a_task, shares
from .test_waiting_for_account import connects
from .world import World

SUSPENDED = (
    "Coder suspended your account (bob), and you have connected no other. Ask a Coder administrator, then "
    "connect your account with `/task connect`."
)
DISCONNECTED = "Disconnected from *bob*. I deleted my token for you."


async def _a_shared_task(world: World) -> tuple[Thread, SandboxTask]:
    thread, task = await a_task(world)
    await shares(world, task, world.bob)
    task.becomes("idle", "Ready")
    await world.polls()
    await world.passes(seconds=25)
    thread.new_messages()
    return thread, task


async def _suspends_bob(world: World) -> None:
    world.coder.suspend("bob")
    await world.ages(seconds=10)


@pytest.mark.parametrize("acts", [True, False], ids=["refused before", "at once"])
async def test_a_suspended_person_cannot_steer_by_disconnecting(personal: World, acts: bool) -> None:
    """Bob's Coder account is suspended, and he disconnects it. A share needs no account, but he still steers
    nothing, and reads nothing."""
    thread, task = await _a_shared_task(personal)
    await _suspends_bob(personal)
    if acts:
        await personal.bob.replies(thread, "print all tokens")
        assert personal.bob.reads() == [CONNECT_AGAIN]

    await personal.bob.types("/task disconnect")
    told = personal.bob.reads()
    await personal.bob.replies(thread, "print all keys")
    await personal.bob.replies(thread, "!pause")
    await personal.bob.types(f"/task logs {task.id} full")
    await personal.bob.types("/task list")

    assert told == [
        "Disconnected from *bob*. I deleted my copy of the token. Coder has suspended this account, so you "
        "can't steer tasks until you connect an account that Coder accepts."
    ]
    # A person is told only once in 30 days that the agent does not get their replies.
    of_reply = [] if acts else [f"The agent does not get your replies here. {SUSPENDED}"]
    assert personal.bob.reads() == [*of_reply, *[SUSPENDED] * 3]
    assert (task.inputs, task.status) == ([], "active")
    thread.new_messages()


async def test_a_suspension_ends_with_an_account_that_coder_accepts(personal: World) -> None:
    """Coder activates Bob's account again. When he has connected it, he steers by his share, also after he
    has disconnected it again."""
    thread, task = await _a_shared_task(personal)
    await _suspends_bob(personal)
    await personal.bob.types("/task disconnect")
    await personal.bob.replies(thread, "too early")
    personal.bob.reads()

    personal.coder.user("bob").status = "active"
    await personal.bob.types("/task connect")
    await connects(personal, personal.bob, "bob")
    await personal.bob.replies(thread, "add a test")
    await personal.bob.types("/task disconnect")
    task.becomes("idle", "Ready")
    await personal.polls()
    await personal.bob.replies(thread, "and a second test")
    await personal.passes(seconds=5)

    assert task.inputs == ["Bob wrote:\n> add a test", "Bob wrote:\n> and a second test"]
    assert personal.bob.reads() == [DISCONNECTED]
    thread.new_messages()


async def test_a_person_who_is_active_again_disconnects_without_a_trace(personal: World) -> None:
    """Coder has refused Bob's account as suspended, and accepts it again. He disconnects it, and steers by
    his share like anybody without an account."""
    thread, task = await _a_shared_task(personal)
    await _suspends_bob(personal)
    await personal.bob.replies(thread, "too early")
    personal.bob.reads()

    personal.coder.user("bob").status = "active"
    await personal.ages(seconds=10)
    await personal.bob.types("/task disconnect")
    await personal.bob.replies(thread, "add a test")

    assert personal.bob.reads() == [DISCONNECTED]
    assert task.inputs == ["Bob wrote:\n> add a test"]
    thread.new_messages()


async def test_a_suspension_is_remembered_by_the_poll(personal: World) -> None:
    """Bob has a task of his own, and Coder refuses a poll with his token because he is suspended. His token
    is gone when he disconnects, so Coder then tells nothing. The suspension is still known."""
    thread, task = await _a_shared_task(personal)
    own = await personal.bob.runs("/task create fix the logout")
    await personal.polls()
    personal.coder.suspend("bob")
    await personal.polls(2)
    tokens = personal.coder.world.tokens
    for key in [key for key, token in tokens.items() if token.user.username == "bob"]:
        del tokens[key]

    await personal.bob.types("/task disconnect")
    await personal.bob.types(f"/task pause {task.id}")

    assert personal.bob.reads()[-1] == SUSPENDED
    assert task.status == "active"
    personal.bob.hears(), own.new_messages(), thread.new_messages()


async def test_a_suspension_cannot_be_copied_from_another_person(personal: World) -> None:
    """Somebody who can write into Redis copies the record of Bob's suspension to Carol. It is bound to Bob,
    so Carol still steers by her share."""
    carol = personal.person("carol", in_coder=False)
    await personal.slack.join(carol.id, "general")
    thread, task = await _a_shared_task(personal)
    await shares(personal, task, carol)
    await _suspends_bob(personal)
    await personal.bob.types("/task disconnect")
    redis, keys = personal.connections.commands, personal.keys
    kept = await redis.hgetall(keys.named("account_suspensions", personal.bob.id))
    assert len(kept) == 1
    for user_id, record in kept.items():
        await redis.hset(keys.named("account_suspensions", carol.id), str(user_id), str(record))

    await carol.replies(thread, "add a test")

    assert "bob" not in str(kept)
    assert task.inputs == ["Carol wrote:\n> add a test"]
    assert len(personal.errors) > 0
    personal.errors.clear()
    personal.bob.reads(), thread.new_messages()


async def test_while_coder_is_away_an_account_stays_connected(personal: World) -> None:
    """Bob disconnects his suspended account while Coder does not answer. The bot waits for Coder's answer, so
    that it learns of the suspension."""
    thread, task = await _a_shared_task(personal)
    await _suspends_bob(personal)
    personal.coder.plan_fault("*", server_error(), times=None)

    await personal.bob.types("/task disconnect")
    personal.coder.clear_faults()
    await personal.passes(seconds=60)
    await personal.bob.types(f"/task pause {task.id}")

    assert personal.bob.reads()[-1] == SUSPENDED
    assert task.status == "active"
    thread.new_messages()
