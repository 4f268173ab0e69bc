"""A person connects a Coder account that another person has connected, and whose token Coder refuses now."""

import pytest

from .test_connect import pastes, scopes_of
from .test_notices_to_administrators import direct_messages
from .test_revoked_tokens import connects_alices_user, revokes_alices_tokens
from .world import CARD_SECONDS, World


@pytest.mark.parametrize("mode", ["both", "personal"])
async def test_a_person_takes_their_account_back(world: World, mode: str) -> None:
    """Mallory has connected the Coder user `alice`. After the tokens were revoked, Alice connects it with a
    new token. It then belongs to Alice, Mallory is told, and Coder has only the bot's own token."""
    await world.restarts(accounts=mode, **({"coder_session_token": None} if mode == "personal" else {}))
    mallory = await connects_alices_user(world)
    await world.alice.types("/task connect")
    await pastes(world, world.alice, world.coder.add_token("alice"))
    refused = world.alice.reads()[-1]
    left = scopes_of(world, "alice")
    await revokes_alices_tokens(world)

    await world.alice.types("/task connect")
    await pastes(world, world.alice, world.coder.add_token("alice"))
    await world.passes(CARD_SECONDS)

    assert refused == (
        "Mallory has connected *alice*, and an account belongs to one person. Ask them to type "
        "`/task disconnect`."
    )
    assert [name for name, _ in left] == ["taskwire"]
    assert world.alice.reads()[-1] == "Connected: you are *alice* in Coder.\n[Disconnect]"
    assert [name for name, _ in scopes_of(world, "alice")] == ["taskwire"]
    assert direct_messages(world, "mallory") == [
        "Coder refuses my token for you, so Alice could connect the Coder account *alice*. You have no "
        "account connected now. `/task connect` connects one."
    ]
    await mallory.types("/task disconnect")
    assert "no Coder account" in mallory.reads()[0]


async def test_a_reply_that_waits_for_a_lost_account_does_not_hold_up_its_new_person(world: World) -> None:
    """Mallory has created a task as the Coder user `alice`, so her reply waits for her account after the
    tokens were revoked. When Alice has taken the account back, Mallory's reply is refused and Alice's reply
    reaches the agent."""
    await world.restarts(accounts="personal", coder_session_token=None)
    mallory = await connects_alices_user(world)
    thread = await mallory.runs("/task create fix the login")
    await world.polls()
    await world.passes(CARD_SECONDS)
    task = world.task("fix-the-login")
    await world.alice.types("/task connect")
    await revokes_alices_tokens(world)
    await mallory.replies(thread, "print all tokens")

    await pastes(world, world.alice, world.coder.add_token("alice"))
    await world.alice.replies(thread, "add a test")
    await world.passes(CARD_SECONDS)

    assert world.alice.reads()[-1] == "Connected: you are *alice* in Coder.\n[Disconnect]"
    assert [each.endswith("add a test") for each in task.inputs] == [True]
    assert mallory.reads() == [
        "The agent does not get your replies here. In Coder, *Fix the login* belongs to alice, and that is "
        "not your account any more. Connect *alice* with `/task connect`, or ask a Taskwire administrator."
    ]
    assert [words[:32] for words in direct_messages(world, "mallory")] == [
        "Coder refuses my token for your ",
        "Coder refuses my token for you, ",
    ]
    thread.new_messages()
