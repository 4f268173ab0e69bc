"""A channel gets shared with another company after a task's thread was begun there. The other company's
people can then read what the agent writes."""

import pytest

from .people import Person, Thread
from .test_backfill import away, back
from .waiting import a_waiting_agent
from .world import World

OUTSIDERS = (
    "People of another company are in <#{0}> now. They can read what the agent of *Fix the login* "
    "says, but not write to it. `/task attach {1}` in another channel moves the task."
)
TO_ADMINISTRATORS = (
    ":warning: The channel {} is shared with another company and has threads of tasks: people of that "
    "company can read what agents say there. I told the tasks' owners. To allow this, add the channel to "
    "TASKWIRE_SHARED_CHANNELS."
)


def _direct(world: World, name: str) -> list[str]:
    channel = world.slack.open_direct(name).id
    found = [str(message["text"]) for message in world.slack.messages(channel)]
    for message in world.slack.messages(channel):
        world.reader.read_root(channel, str(message["ts"]))
    return found


async def _shared_since(world: World) -> tuple[Thread, Person]:
    """Share the channel of a thread with another company. Return the thread and a person of that company."""
    await world.restarts(admins=(world.bob.id,))
    thread, _ = await a_waiting_agent(world)
    peter = world.person("peter", team_id="T0PARTNER", is_stranger=True)
    world.slack.workspace.user("peter").teams = ["T0PARTNER"]
    channel = world.slack.workspace.channel("general")
    channel.members.append(peter.id)
    channel.is_ext_shared = True
    return thread, peter


@pytest.mark.parametrize("who", ["a stranger", "the owner", "the bot"])
async def test_that_another_company_reads_along_is_told(world: World, who: str) -> None:
    """A channel with a task is now shared with another company. At the next reply or notice there, the bot
    tells the task's owner and the administrators, once."""
    thread, peter = await _shared_since(world)
    task = world.task("fix-the-login")

    for words in ("use main", "and dev"):
        if who == "a stranger":
            await peter.replies(thread, words)
        elif who == "the owner":
            await world.alice.replies(thread, words)
            task.becomes("idle")
        else:
            task.becomes("working", words)
            await world.polls()
            task.becomes("complete", words)
            await world.polls()
    await world.passes(seconds=5)

    assert _direct(world, "alice") == [OUTSIDERS.format(thread.channel, task.name)]
    assert _direct(world, "bob") == [TO_ADMINISTRATORS.format(thread.channel)]
    assert task.inputs == (["use main", "and dev"] if who == "the owner" else [])
    thread.new_messages()
    peter.reads()


async def test_after_a_crash_between_the_two_messages_the_next_event_sends_both(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bot tells the task's owner first and then the administrators. It dies between the two messages. At
    the next reply, it tells the administrators, and the owner has one message."""
    thread, peter = await _shared_since(world)
    alerts = world.bot.parts.alerts

    async def dies(*_: str) -> None:
        raise ConnectionError("it died here")

    with monkeypatch.context() as patched:
        patched.setattr(alerts, "warn", dies)
        await peter.replies(thread, "use main")
        await world.settles()
    world.errors.clear()
    # The record that the bot is telling them expires after a minute of Redis's own clock. Delete it instead
    # of waiting.
    redis = world.connections.commands
    async for key in redis.scan_iter(world.keys.named("notes", "telling", "outsiders", "*")):
        await redis.delete(key)
    await peter.replies(thread, "and dev")
    await world.passes(seconds=5)

    assert _direct(world, "alice") == [OUTSIDERS.format(thread.channel, world.task("fix-the-login").name)]
    assert _direct(world, "bob") == [TO_ADMINISTRATORS.format(thread.channel)]
    thread.new_messages()
    peter.reads()


async def test_people_of_another_company_steer_and_read_nothing_more(world: World) -> None:
    """Replies, verbs, commands, presses and dialogs of the other company's people have no effect. These
    people see only what Slack shows them."""
    thread, peter = await _shared_since(world)
    task = world.task("fix-the-login")
    task.says("the secret words")
    link = thread.button("Stop")[2]

    for words in ("use main", "!logs", "!pause", "!status", "stop"):
        await peter.replies(thread, words)
    for words in ("list all", "logs fix", "logs fix full", "status fix", "pause fix", "attach fix"):
        await peter.types(f"/task {words}")
    for action_id in ("task.pause", "task.logs", "task.delete", "task.edit", "task.detach"):
        await peter.presses_made_up(action_id, link)

    said = "\n".join([*peter.reads(), peter.dialog()])
    assert "secret" not in said
    assert (task.status, task.inputs, task.is_deleted) == ("active", [], False)
    assert _direct(world, "peter") == []
    assert len(_direct(world, "alice") + _direct(world, "bob")) == 2
    assert thread.new_messages() == []


async def test_edits_and_deletions_of_people_of_another_company_do_nothing(world: World) -> None:
    """A person of the other company edits and deletes a reply. Nobody is told, and the agent gets nothing."""
    thread, peter = await _shared_since(world)
    reply = await peter.replies(thread, "use main")

    await peter.edits(thread, reply, "!logs")
    await peter.edits(thread, reply, "use dev")
    await peter.deletes(thread, reply)

    assert peter.reads() == []
    assert world.task("fix-the-login").inputs == []
    assert thread.new_messages() == []
    assert len(_direct(world, "alice") + _direct(world, "bob")) == 2


async def test_what_another_company_wrote_while_the_bot_was_away_does_nothing(world: World) -> None:
    """A person of the other company writes in the thread while the bot is away. Backfill finds the messages,
    and nobody is answered."""
    thread, peter = await _shared_since(world)
    await away(world)
    for words in ("use main", "!logs full", "stop"):
        await world.slack.post(peter.id, thread.channel, words, thread.ts)
    mine = await world.slack.post(world.alice.id, thread.channel, "use dev", thread.ts)

    await back(world)
    await world.passes(seconds=60)

    assert peter.reads() == []
    assert world.task("fix-the-login").inputs == ["use dev"]
    assert thread.receipt(mine) == ["white_check_mark"]
    thread.new_messages()
    _direct(world, "alice")
    _direct(world, "bob")


async def test_a_channel_that_may_be_shared_is_told_of_to_nobody(world: World) -> None:
    """The settings allow tasks in this channel, although another company reads it. So the bot warns neither
    the owner nor the administrators."""
    thread, peter = await _shared_since(world)
    await world.restarts(shared_channels=(thread.channel,))

    await peter.replies(thread, "use main")

    assert _direct(world, "alice") + _direct(world, "bob") == []
    assert world.task("fix-the-login").inputs == []
