"""Everybody in a channel may steer only if the channel can be told of it. Otherwise nothing is saved."""

import pytest

from taskwire_sandbox.slack import CallFault

from .world import World


def _refused(channel: str) -> str:
    return (
        f"I can't post in <#{channel}>, so I can't say there that everybody can steer. "
        "The channel's settings were not saved. Invite me with `/invite @Taskwire`, then save again."
    )


async def test_nobody_gets_a_right_in_a_channel_that_is_not_told(world: World) -> None:
    """Bob lets everybody steer in a channel without the bot. Nothing is saved. Later the bot is there, and
    Bob's reply to Alice's new task is no input."""
    channel = world.slack.add_channel("later", ["alice", "bob"], with_bot=False)
    await world.bob.types("/task settings", "later")
    await world.bob.saves(steerers="Everybody in this channel")
    refused = world.bob.reads()
    await world.slack.join(world.slack.bot_user_id, "later")
    await world.passes(seconds=5)
    thread = await world.alice.runs("/task create tidy the docs", "later")
    task = world.coder.tasks[-1]
    task.becomes("idle", "Ready")
    await world.polls()

    await world.bob.replies(thread, "push to main")
    await world.passes(seconds=5)

    assert refused == [_refused(channel.id)]
    assert task.inputs == []
    assert "Everybody here can steer" not in thread.card()
    world.bob.reads(), thread.new_messages()


@pytest.mark.parametrize("error", ["restricted_action", "is_archived"])
async def test_a_channel_where_slack_refuses_the_message_stays_as_it_was(world: World, error: str) -> None:
    """The bot is in the channel, but Slack does not let it post there. Nothing is saved."""
    world.slack.faults.add("chat.postMessage", CallFault.ERROR, error=error)
    await world.bob.types("/task settings")
    await world.bob.saves(steerers="Everybody in this channel")

    said = world.bob.reads()
    await world.bob.types("/task settings")
    assert said == [_refused(world.slack.workspace.channel("general").id)]
    assert "Who can steer tasks: The owner of each task" in world.bob.dialog()


async def test_a_channel_whose_message_may_be_lost_is_told_once(world: World) -> None:
    """Slack's answer to the message is lost. The bot finds the message in the channel, and saves."""
    world.slack.faults.add("chat.postMessage", CallFault.DONE_THEN_SERVER_ERROR)
    await world.bob.types("/task settings")
    await world.bob.saves(steerers="Everybody in this channel")
    await world.passes(seconds=30)

    told = world.reader.new_roots()
    await world.bob.types("/task settings")
    assert [each.partition(": ")[0] for each in told] == ["Bob has changed the settings of this channel"]
    assert "Who can steer tasks: Everybody in this channel" in world.bob.dialog()
    world.bob.reads()
