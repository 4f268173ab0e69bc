"""Somebody writes a text that names many channels or people. Nobody waits for these names."""

import pytest

from taskwire.agent.input import MOST_NAMES

from .many_tasks import calls
from .people import Person, Thread
from .waiting import a_busy_agent, a_waiting_agent, takes_all
from .world import World

# More than Slack allows in one burst of calls about channels.
MANY = 30


async def a_stranger(world: World) -> Person:
    """Return a member of the workspace who has no Coder account. There are many channels."""
    mallory = world.person("mallory", in_coder=False)
    await world.slack.join(mallory.id, "general")
    for number in range(MANY):
        world.slack.add_channel(f"channel-{number}", ["mallory"])
    return mallory


def named(count: int) -> str:
    """Return a text that names this number of channels."""
    return "please look at " + " ".join(f"#channel-{number}" for number in range(count))


async def stops(world: World, thread: Thread) -> None:
    """Let Alice write `stop`, and read what the bot says."""
    await world.alice.replies(thread, "stop")
    await world.passes(seconds=5)
    world.alice.reads()
    thread.new_messages()


async def test_a_request_to_pass_on_many_names_keeps_nobody_from_stopping(world: World) -> None:
    """Mallory asks Alice to pass on a reply that names thirty channels. Then Alice stops her task."""
    mallory = await a_stranger(world)
    thread, task = await a_busy_agent(world)
    await mallory.replies(thread, named(MANY))

    await mallory.presses("Ask Alice to pass it on")
    await stops(world, thread)

    assert task.status == "paused"
    mallory.reads()


async def test_an_edit_with_many_names_keeps_nobody_from_stopping(world: World) -> None:
    """Alice has passed on Mallory's reply. Mallory edits it, and it then names thirty channels. Then Alice
    stops her task."""
    mallory = await a_stranger(world)
    thread, task = await a_busy_agent(world)
    reply = await mallory.replies(thread, "please add a test")
    await mallory.presses("Ask Alice to pass it on")
    await world.alice.presses("Pass it on")

    await mallory.edits(thread, reply, named(MANY))
    await stops(world, thread)

    assert task.status == "paused"
    mallory.reads()


async def test_a_reply_with_many_names_reaches_the_agent(world: World) -> None:
    """Alice's reply names thirty channels. The agent gets the first names, and the ids of the other
    channels."""
    await a_stranger(world)
    thread, task = await a_waiting_agent(world)

    await world.alice.replies(thread, named(MANY))
    await world.passes(seconds=5)

    [got] = task.inputs
    words = got.removeprefix("please look at ").split()
    assert words[:MOST_NAMES] == [f"#channel-{number}" for number in range(MOST_NAMES)]
    assert all(word.startswith("#C") for word in words[MOST_NAMES:])
    assert len(words) == MANY


@pytest.mark.parametrize("kind", ["channels", "people"])
async def test_names_that_slack_does_not_show_are_asked_for_once(world: World, kind: str) -> None:
    """Two replies name the same channels or people, which Slack does not show to the bot. The agent gets
    their ids, and Slack is asked once for each."""
    ids = [f"{'C' if kind == 'channels' else 'U'}0UNKNOWN{number}" for number in range(5)]
    text = " ".join(f"<#{each}>" if kind == "channels" else f"<@{each}>" for each in ids)
    thread, task = await a_waiting_agent(world)
    method = "conversations.info" if kind == "channels" else "users.info"

    for number in range(2):
        bot = f"<@{world.slack.bot_user_id}>"
        block = {"type": "section", "text": {"type": "mrkdwn", "text": f"{bot} look at {text} {number}"}}
        await world.slack.post(world.alice.id, thread.channel, "look", thread.ts, blocks=[block])
        await world.passes(seconds=5)
        task.becomes("working", "On it")
        await world.polls()
        task.becomes("idle", "Ready")
        await world.polls()
        await world.passes(seconds=20)
        thread.new_messages()

    asked = [call for call in calls(world, method) if set(call.arguments.values()).intersection(ids)]
    assert len(asked) == len(ids)
    mark = "#" if kind == "channels" else "@"
    shown = " ".join(f"{mark}{each}" for each in ids)
    assert task.inputs == [f"look at {shown} 0", f"look at {shown} 1"]


async def test_the_name_of_a_private_channel_is_not_shown(world: World) -> None:
    """Bob is not in a private channel that the bot is in, and writes its id in a text. Neither the agent nor
    anybody in the thread gets the channel's name from the bot."""
    thread, task = await a_busy_agent(world)
    secret = world.slack.add_channel("merger-with-acme", ["alice"], kind="private")
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    world.alice.reads(), world.bob.hears(), thread.new_messages()

    await world.bob.types(f"/task send fix-the-login what is <#{secret.id}|> about?")
    bot = f"<@{world.slack.bot_user_id}>"
    block = {"type": "section", "text": {"type": "mrkdwn", "text": f"{bot} and <#{secret.id}>?"}}
    await world.slack.post(world.bob.id, thread.channel, "and?", thread.ts, blocks=[block])
    await takes_all(world, task)

    said = [*thread.new_messages(), *world.bob.reads(), *task.inputs]
    await world.passes(seconds=30)
    assert task.inputs == [
        f"Bob wrote:\n> what is #{secret.id} about?",
        f"Bob wrote:\n> and #{secret.id}?",
    ]
    assert not any("merger" in each for each in [*said, *thread.new_messages()])


async def test_the_context_of_a_thread_asks_for_each_name_once(world: World) -> None:
    """Thirty messages of a thread name the same channel. Alice starts a task with this thread as its context.
    Slack is asked once for the channel's name."""
    root = await world.slack.post(world.bob.id, "general", "the login is broken")
    for number in range(MANY):
        await world.slack.post(world.bob.id, "general", f"see #general {number}", root)
    before = len(calls(world, "conversations.info"))

    await world.alice.mentions("with thread: fix it", root)
    await world.polls()

    assert "see #general 29" in world.task("fix-it").prompt
    assert len(calls(world, "conversations.info")) - before <= 2
