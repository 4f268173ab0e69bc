"""A channel that another company comes to when the thread of a task is there already."""

import pytest

from .people import Person, Thread
from .waiting import a_waiting_agent
from .world import World

OUTSIDERS = (
    "<#{0}> is shared with another company: its people read what the agent of *Fix the login* says there. "
    "What they write does not reach it. `/task detach {1}` ends the thread there; then `/task attach {1}` in "
    "another channel gives the task a new one."
)
TO_ADMINISTRATORS = (
    ":warning: The channel {} is shared with another company and has threads of tasks: its people read what "
    "agents say there. I told the tasks' owners. If that is meant to be so, name the channel in "
    "TASKWIRE_SHARED_CHANNELS."
)


def _direct(world: World, name: str) -> list[str]:
    channel = world.slack.direct(name).id
    found = [str(message["text"]) for message in world.slack.messages(channel)]
    for message in world.slack.messages(channel):
        world.reader.read_root(channel, str(message["ts"]))
    return found


async def _shared_since(world: World) -> tuple[Thread, Person]:
    """A thread whose channel was shared after it began, and somebody of the other company in it."""
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
    """To the task's owner and to the administrators, once, at the first thing that is said there."""
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


async def test_who_dies_between_the_two_leaves_both_to_the_next_event(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner and the administrators hear of it in two calls to Redis."""
    thread, peter = await _shared_since(world)
    alerts = world.bot.parts.alerts

    async def dies(*_: str) -> None:
        raise ConnectionError("it died here")

    with monkeypatch.context() as patched:
        patched.setattr(alerts, "warn", dies)
        await peter.replies(thread, "use main")
        await world.settles()
    world.errors.clear()
    # A minute later, by Redis's own clock.
    redis = world.connections.commands
    async for key in redis.scan_iter(world.keys.named("notes", "outsiders-told", "*")):
        await redis.delete(key)
    await peter.replies(thread, "and dev")
    await world.passes(seconds=5)

    assert _direct(world, "alice") == [OUTSIDERS.format(thread.channel, world.task("fix-the-login").name)]
    assert _direct(world, "bob") == [TO_ADMINISTRATORS.format(thread.channel)]
    thread.new_messages()
    peter.reads()


async def test_people_of_another_company_steer_and_read_nothing_more(world: World) -> None:
    """By reply, verb, command, press and dialog: what Slack shows them is all that they get."""
    thread, peter = await _shared_since(world)
    task = world.task("fix-the-login")
    task.says("the secret words")
    link = thread.button("Pause")[2]

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


async def test_a_channel_that_may_be_shared_is_told_of_to_nobody(world: World) -> None:
    """An administrator has said that it is meant to be so."""
    thread, peter = await _shared_since(world)
    await world.restarts(shared_channels=(thread.channel,))

    await peter.replies(thread, "use main")

    assert _direct(world, "alice") + _direct(world, "bob") == []
    assert world.task("fix-the-login").inputs == []
