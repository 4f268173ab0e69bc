"""Who may use the bot, and where: the settings list the allowed workspaces, channels and user groups."""

from dataclasses import replace

import pytest

from taskwire.domain.allowed import Allowed, Barred
from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.people.permissions import People
from taskwire.replies.admit import ReplyReceiver
from taskwire.slack.inbound import ThreadMessage

from .people import Thread
from .running_tasks import a_task
from .test_audit import entries
from .world import World

NOT_HERE = (
    "Taskwire does not work in this channel. Write to me directly, or ask a Taskwire administrator for a "
    "channel in which it works."
)
NO_INPUT = "The agent does not get your replies here."
NOT_IN_A_GROUP = (
    "Only members of some user groups can use Taskwire. Ask a Taskwire administrator to let you in."
)


async def only_in(world: World, *channels: str) -> None:
    """Restart the bot so that it works in these channels only."""
    ids = tuple(world.slack.workspace.channel(name).id for name in channels)
    await world.restarts(allowed_channels=ids)


async def only_for(world: World, *people: str) -> None:
    """Restart the bot so that only one user group, with these people, may use it."""
    group = world.slack.add_group("platform-team", people)
    await world.restarts(allowed_groups=(group.id,))


async def test_commands_and_buttons_work_in_allowed_channels_only(world: World) -> None:
    """A person uses commands and a button in a channel that is not allowed. The bot does nothing there, and
    tells the person each time that the channel is not allowed."""
    world.slack.add_channel("random", ["alice", "bob"])
    thread = await world.alice.runs("/task create fix it", "random")
    await world.alice.types("/task list", "random")
    world.alice.reads()
    await only_in(world, "general")

    await world.alice.types("/task create fix that", "random")
    await world.alice.types("/task list", "random")
    await world.alice.clicks(thread, "Stop")
    link = f"<{world.coder.url}/tasks/alice/{world.coder.tasks[0].id}>"
    await world.slack.post(world.alice.id, thread.channel, f"see {link}")
    await world.settles()
    await world.alice.runs("/task create fix that", "general")

    assert world.alice.reads() == [NOT_HERE] * 3
    assert len(world.coder.tasks) == 2
    assert "chat.unfurl" not in [call.method for call in world.slack.calls]
    assert (await entries(world))[1:] == [
        "alice command by command: refused (place)",
        "alice command by command: refused (place)",
        "alice click by button: refused (place)",
        "alice create by command: done, Coder 201",
    ]
    thread.new_messages()


async def test_mentions_reactions_and_forms_are_refused_when_they_arrive(world: World) -> None:
    """In a channel that is not allowed, the bot refuses a form, a mention and a reaction. The form shows the
    refusal and stays open, so the typed text is not lost. After mentions and reactions, the person reads the
    refusal only once."""
    random = world.slack.add_channel("random", ["alice", "bob"])
    await world.alice.types("/task create", "random")
    await only_in(world, "general")

    submitted = await world.alice.submits(prompt="fix it")
    for text in ("fix it", "fix that"):
        await world.slack.mention(world.alice.id, random.id, text)
        await world.settles()
    message = await world.slack.post(world.bob.id, random.id, "the login is broken")
    await world.slack.react(world.alice.id, random.id, message, "robot_face")
    await world.slack.post(world.alice.id, random.id, f"see <{world.coder.url}/tasks/alice/fix-it>")
    await world.settles()

    assert submitted == {"form.prompt": NOT_HERE}
    assert world.alice.reads() == [NOT_HERE]
    assert await entries(world) == [
        "alice dialog by dialog: refused (place)",
        "alice mention by mention: refused (place)",
        "alice mention by mention: refused (place)",
        "alice reaction by emoji: refused (place)",
    ]
    assert not world.coder.tasks


async def test_refusals_do_not_push_out_of_the_trail_what_others_did(world: World) -> None:
    """The audit trail keeps a limited number of entries. A person who is refused again and again adds at most
    ten entries a minute, and is answered no more often than questions are."""
    world.slack.add_channel("random", ["alice"])
    await only_in(world, "general")

    for _ in range(14):
        await world.alice.types("/task list", "random", settles=False)
    await world.settles()

    assert world.alice.reads() == [NOT_HERE] * 11
    assert await entries(world) == ["alice command by command: refused (place)"] * 10


async def test_in_a_thread_people_hear_of_it_once(world: World) -> None:
    """In a thread of a channel that is not allowed, the bot refuses a person's first reply and first verb,
    and says so. It ignores later replies and verbs, because people may be talking to each other."""
    thread, task = await a_task(world)
    world.slack.add_channel("random", ["alice"])
    await only_in(world, "random")

    reply = await world.alice.replies(thread, "please add a test")
    await world.alice.replies(thread, "and another")
    await world.alice.replies(thread, "!pause")
    await world.alice.replies(thread, "!status")

    assert world.alice.reads() == [f"{NO_INPUT} {NOT_HERE}", NOT_HERE]
    assert (task.inputs, task.status, thread.receipt(reply)) == ([], "active", [])
    thread.new_messages()


@pytest.mark.parametrize(
    ("words", "refusal"),
    [("please add a test", f"{NO_INPUT} {NOT_HERE}"), ("!pause", NOT_HERE), ("stop", NOT_HERE)],
)
async def test_what_arrived_too_early_is_refused_although_the_channel_is_allowed_now(
    world: World, words: str, refusal: str
) -> None:
    """A message arrives while its channel is not allowed. The bot runs the message's job when the channel is
    allowed, and still refuses the message."""
    thread, task = await a_task(world)
    parts = world.bot.parts
    elsewhere = Allowed(channels=frozenset({"C0ELSEWHERE"}))
    strict = ReplyReceiver(replace(parts.deps, allowed=elsewhere), parts.inbox, _nothing_known)

    claim = await strict.claim_message(_a_minute_later(world, thread, words))
    await world.settles()

    assert claim == "claimed"
    assert world.alice.reads() == [refusal]
    assert (task.inputs, task.status) == ([], "active")
    thread.new_messages()


def _a_minute_later(world: World, thread: Thread, words: str) -> ThreadMessage:
    """Return a message that Alice writes in a thread a minute after the thread began."""
    ts = Ts(f"{float(thread.ts) + 60:.6f}")
    return ThreadMessage(
        channel=ChannelId(thread.channel),
        ts=ts,
        person=UserId(world.alice.id),
        text=words,
        delivery=f"{thread.channel}:{ts}",
        thread_ts=Ts(thread.ts),
        is_bot_thread=True,
    )


async def _nothing_known(person: UserId) -> Barred:
    del person
    return ""


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("please add a test", f"{NO_INPUT} {NOT_IN_A_GROUP}"),
        ("!pause", NOT_IN_A_GROUP),
        ("stop", NOT_IN_A_GROUP),
        ("!status", NOT_IN_A_GROUP),
    ],
)
async def test_a_message_of_before_a_person_joined_the_group_is_refused(
    world: World, words: str, refusal: str
) -> None:
    """A message arrives while it is known that its author is in no allowed group. The bot runs the message's
    job when the author is in the group, and still refuses the message."""
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")
    group = world.slack.add_group("platform-team", ["bob"])
    await world.restarts(allowed_groups=(group.id,))
    await world.alice.types("/task list")
    assert world.alice.reads() == [NOT_IN_A_GROUP]
    deps, inbox = world.bot.parts.deps, world.bot.parts.inbox
    calls = len(world.slack.calls)

    await world.stops()
    receiver = ReplyReceiver(deps, inbox, People(deps, ()).find_known_bar)
    claim = await receiver.claim_message(_a_minute_later(world, thread, words))
    group.members[:] = [world.alice.id, world.bob.id]
    await world.forgets()
    asked = len(world.slack.calls) - calls
    await world.starts()
    await world.settles()

    assert (claim, asked) == ("claimed", 0)
    assert world.alice.reads() == [refusal]
    assert (task.inputs, task.status) == ([], "active")
    thread.new_messages()


async def test_what_is_not_known_when_a_message_arrives_is_asked_later(world: World) -> None:
    """Nothing is stored about a person and the group when a message arrives. Slack is not asked before the
    message is accepted; the worker asks, and lets the message through."""
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")
    group = world.slack.add_group("platform-team", ["alice"])
    await world.restarts(allowed_groups=(group.id,))
    await world.forgets()

    await world.alice.replies(thread, "please add a test")

    assert task.inputs == ["please add a test"]
    thread.new_messages()


async def test_a_direct_message_is_allowed_everywhere(world: World) -> None:
    """A direct message to the bot is answered whatever channels are allowed, because nobody else reads it."""
    world.slack.add_channel("random", ["alice"])
    await only_in(world, "random")

    await world.alice.types("/task list", world.slack.open_direct("alice").id)

    assert world.alice.reads() == [
        "You have no tasks yet. `/task create PROMPT` creates one, and `/task create` alone opens a form."
    ]


@pytest.mark.parametrize("words", ["/task create fix it", "/task list", "/task pause fix-it"])
async def test_only_members_of_allowed_groups_may_use_the_bot(world: World, words: str) -> None:
    """The bot refuses people outside the allowed groups, whatever they ask for."""
    await only_for(world, "bob")

    await world.alice.types(words)
    await world.bob.types("/task list")

    assert world.alice.reads() == [NOT_IN_A_GROUP]
    assert [said[:21] for said in world.bob.reads()] == ["You have no tasks yet"]
    assert not world.coder.tasks


async def test_a_person_who_leaves_the_group_loses_the_right_at_once(world: World) -> None:
    """A person is no longer in an allowed group. The bot refuses their next reply and their next press."""
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")
    await only_for(world, "bob")

    reply = await world.alice.replies(thread, "please add a test")
    await world.alice.clicks(thread, "Stop")

    assert world.alice.reads() == [f"{NO_INPUT} {NOT_IN_A_GROUP}", NOT_IN_A_GROUP]
    assert (task.inputs, task.status, thread.receipt(reply)) == ([], "active", [])
    assert (await entries(world))[1:] == [
        "alice send by reply: refused (not_in_a_group)",
        "alice click by button: refused (not_in_a_group)",
    ]
    thread.new_messages()


async def test_administrators_need_no_group(world: World) -> None:
    """An administrator who is not in the allowed group may use the bot."""
    await only_for(world, "bob")
    await world.restarts(admins=(world.alice.id,))

    await world.alice.runs("/task create fix it")

    assert len(world.coder.tasks) == 1


async def test_a_list_without_this_workspace_shuts_everybody_out(world: World) -> None:
    """The bot refuses everybody if the list of allowed workspaces lacks the bot's own workspace."""
    await world.restarts(allowed_workspaces=("T0ELSEWHERE",))

    await world.alice.types("/task list")

    assert world.alice.reads() == ["Taskwire works for members of this Slack only. Ask a member to do it."]
