"""The place of a task or a message decides who may see it: private channels, other channels, invented ids."""

import pytest

from .people import Thread
from .waiting import a_waiting_agent
from .world import World

UNKNOWN = (
    "There is no such task that you can see here. It may have been deleted. `/task list` shows the ones you "
    "can see."
)
TOO_OLD = "This button is too old. Write your request again."
NOT_IN = "We must both be in <#{}>, so nothing was {}. Join it and invite me, or use another channel."


async def _a_hidden_task(world: World) -> tuple[Thread, str]:
    """Create a task of Alice in a private channel. Return the thread and the id of its link."""
    world.slack.add_channel("hidden", ["alice"], kind="private")
    thread = await world.alice.runs("/task create the secret plan", "hidden")
    world.task("the-secret-plan").becomes("working", "On it")
    await world.polls()
    await world.passes(seconds=5)
    return thread, thread.button("Stop")[2]


@pytest.mark.parametrize(
    "action_id",
    [
        *("task.pause", "task.resume", "task.retry", "task.mute", "task.detach"),
        *("task.logs", "held.send", "input.arrived", "input.again"),
    ],
)
async def test_a_made_up_press_learns_nothing_of_a_private_channel(world: World, action_id: str) -> None:
    """Bob sends an invented press for a hidden task. Nothing happens, and the answer contains neither the
    task's owner nor its title."""
    _, link = await _a_hidden_task(world)
    task = world.task("the-secret-plan")

    value = f"{link} reply:1.1" if action_id.startswith("input.") else link
    await world.bob.presses_made_up(action_id, value)

    assert world.bob.reads() == [UNKNOWN]
    assert (task.status, task.is_deleted) == ("active", False)


@pytest.mark.parametrize("action_id", ["task.edit", "task.delete"])
async def test_a_dialog_tells_nothing_of_a_private_channel(world: World, action_id: str) -> None:
    """Bob sends an invented press that opens a dialog. The dialog contains nothing about the hidden task."""
    _, link = await _a_hidden_task(world)

    await world.bob.presses_made_up(action_id, link)

    assert world.bob.dialog().partition("\n")[2] == UNKNOWN


async def test_what_has_ended_in_a_private_channel_is_not_named_either(world: World) -> None:
    """A task was detached from its thread in a private channel. Bob, who is not in that channel, sends
    invented presses for it. The bot's answers do not name the task."""
    thread, link = await _a_hidden_task(world)
    await world.alice.replies(thread, "!detach")
    thread.new_messages()

    await world.bob.presses_made_up("task.pause", link)
    await world.bob.presses_made_up("task.logs", link)

    assert world.bob.reads() == [
        "That thread has no task any more. `/task list` shows the tasks you can see.",
        UNKNOWN,
    ]


async def test_a_member_of_the_channel_asks_from_anywhere(world: World) -> None:
    """Bob is a member of the private channel with Alice's task. He sends presses for the task from another
    channel. The bot shows him the log, but does not let him stop the task."""
    _, link = await _a_hidden_task(world)
    world.slack.workspace.channel("hidden").members.append(world.bob.id)
    world.task("the-secret-plan").says("I look at it.")

    await world.bob.presses_made_up("task.logs", link)
    await world.bob.presses_made_up("task.pause", link)

    logs, pause = world.bob.reads()
    assert logs.startswith("What the agent of *The secret plan* wrote last:")
    assert pause == (
        "*The secret plan* belongs to Alice, so you can't stop it. "
        "Alice can let you, with `!share @Bob` in its thread. "
        "Or write `stop` there and ask Alice to pass it on."
    )


async def test_a_person_who_left_the_channel_sees_no_log_of_it(world: World) -> None:
    """Bob has left the private channel. He presses a button for the log on an old message. The bot does not
    show him the log."""
    _, link = await _a_hidden_task(world)
    members = world.slack.workspace.channel("hidden").members
    members.append(world.bob.id)
    await world.bob.presses_made_up("task.logs", link)
    members.remove(world.bob.id)
    await world.ages(seconds=10)

    await world.bob.presses_made_up("task.logs", link)

    assert world.bob.reads()[1:] == [UNKNOWN]


async def _leaves(world: World) -> None:
    """Let Bob leave the private channel. Let ten seconds pass, so that the bot no longer trusts its stored
    list of members."""
    world.slack.workspace.channel("hidden").members.remove(world.bob.id)
    await world.ages(seconds=10)


@pytest.mark.parametrize("action_id", ["task.logs", "task.edit", "task.pause", "held.send"])
async def test_a_press_that_names_the_channel_they_left_tells_nothing(world: World, action_id: str) -> None:
    """Bob has left the private channel. His press names that channel, but the bot shows him nothing."""
    _, link = await _a_hidden_task(world)
    world.slack.workspace.channel("hidden").members.append(world.bob.id)
    await world.bob.presses_made_up("task.logs", link, channel="hidden")
    assert len(world.bob.reads()) == 1
    await _leaves(world)

    await world.bob.presses_made_up(action_id, link, channel="hidden")

    assert [*world.bob.reads(), world.bob.dialog().partition("\n")[2]] in ([UNKNOWN, ""], [UNKNOWN])
    assert world.task("the-secret-plan").status == "active"


async def test_a_list_that_is_paged_shows_nothing_of_a_channel_they_left(world: World) -> None:
    """Bob types `/task list` in the private channel and then leaves the channel. When he opens the next page
    of the list, it shows none of the channel's tasks."""
    await _a_hidden_task(world)
    world.slack.workspace.channel("hidden").members.append(world.bob.id)
    await world.bob.types("/task list all", "hidden")
    assert "The secret plan" in world.bob.sees()
    world.bob.reads()
    here, ts = world.slack.workspace.channel("hidden").id, world.slack.ephemerals(world.bob.id)[-1].ts
    tickets = world.slack.backend.tickets
    url = tickets.response_url("actions", world.bob.id, here, message_ts=ts, is_ephemeral=True)
    await _leaves(world)

    await world.bob.presses_made_up("list.page", "1 all", channel="hidden", told={"response_url": url})

    assert world.bob.sees().startswith("You have no tasks yet.")


async def test_an_answer_is_shown_in_its_own_thread_alone(world: World) -> None:
    """Bob got a private answer in a thread and has its button *Show to everybody*. With an invented press, he
    cannot show the answer in another thread. While he is not in the channel, he cannot show it at all."""
    hidden, _ = await _a_hidden_task(world)
    world.task("the-secret-plan").says("I look at it.")
    members = world.slack.workspace.channel("hidden").members
    members.append(world.bob.id)
    open_thread, _ = await a_waiting_agent(world)
    await world.passes(seconds=5)
    elsewhere = open_thread.button("Stop")[2]
    await world.bob.replies(hidden, "!logs")
    blocks = world.slack.ephemerals(world.bob.id)[-1].body["blocks"]
    value = next(e["value"] for block in blocks for e in block.get("elements", []) if e.get("value"))
    assert world.bob.reads()[-1].endswith("[Show to everybody]")

    await world.bob.presses_made_up("answer.show", f"{elsewhere} {value.partition(' ')[2]}")
    await _leaves(world)
    await world.bob.presses_made_up("answer.show", value, channel="hidden")
    members.append(world.bob.id)
    await world.ages(seconds=10)
    await world.bob.presses_made_up("answer.show", value, channel="hidden")

    assert world.bob.reads()[:2] == [TOO_OLD, TOO_OLD]
    assert open_thread.new_messages() == []
    (shown,) = hidden.new_messages()
    assert shown.startswith("What the agent of *The secret plan* wrote last:")


async def test_its_owner_steers_a_task_wherever_its_thread_is(world: World) -> None:
    """The owner may steer a task by command, even if they are not in the task's channel."""
    _, link = await _a_hidden_task(world)
    world.slack.workspace.channel("hidden").members.remove(world.alice.id)
    await world.ages(seconds=10)

    await world.alice.presses_made_up("task.pause", link)

    assert world.task("the-secret-plan").status == "paused"
    assert world.alice.reads()[0].startswith("Pausing *The secret plan*.")


@pytest.mark.parametrize(
    ("action_id", "value"),
    [
        ("create.another", "another"),
        ("create.another", ""),
        ("create.another", "link:@"),
        ("task.pause", "@"),
        ("task.logs", "../x"),
        ("task.delete", "abc:taken"),
        ("edit.pause", "abc def ghi"),
        ("input.again", "abc \n"),
        ("held.drop", "x" * 1_000),
    ],
)
async def test_a_value_that_no_button_has_does_nothing(world: World, action_id: str, value: str) -> None:
    """A person sends a press whose value no button of the bot has. The bot changes nothing and creates no
    task."""
    await world.alice.presses_made_up(action_id, value)

    assert world.alice.reads() == [TOO_OLD]
    assert not world.coder.tasks
    assert not world.alice.dialog()


async def test_anothers_question_creates_nothing(world: World) -> None:
    """The bot asked Alice privately whether to create another task. Bob sends an invented press of her
    button, and nothing is created."""
    await world.alice.runs("/task create fix it")
    await world.alice.types("/task create fix it")
    (asked,) = world.alice.reads()
    assert asked.endswith("[Create another]")
    blocks = world.slack.ephemerals("alice")[-1].body["blocks"]
    key = next(e["value"] for block in blocks for e in block.get("elements", []) if e.get("value"))

    await world.bob.presses_made_up("create.another", key)

    assert world.bob.reads() == [TOO_OLD]
    assert len(world.coder.tasks) == 1


async def test_a_form_sends_no_card_to_where_the_person_is_not(world: World) -> None:
    """Bob submits the form for a new task with a channel that he is not in. Slack's menu would not offer this
    channel. The bot refuses, and creates no task."""
    hidden = world.slack.add_channel("hidden", ["alice"], kind="private")
    elsewhere = world.slack.add_channel("elsewhere", ["alice"])

    for channel in (hidden, elsewhere):
        await world.bob.types("/task create")
        assert not await world.bob.submits(prompt="do that", channel=channel.id)

    assert world.bob.reads() == [NOT_IN.format(each.id, "created") for each in (hidden, elsewhere)]
    assert not world.coder.tasks


async def test_a_form_sends_its_card_to_where_the_person_is(world: World) -> None:
    """Bob submits the form with a private channel, and with his direct messages with the bot. Bob and the bot
    are in both, so the bot posts the card there."""
    hidden = world.slack.add_channel("hidden", ["bob"], kind="private")
    direct = world.slack.open_direct("bob")

    for channel in (hidden, direct):
        await world.bob.types("/task create")
        assert not await world.bob.submits(prompt=f"do {channel.kind}", channel=channel.id)

    assert sorted(task.prompt for task in world.coder.tasks) == ["do im", "do private"]
    assert len(world.slack.messages(hidden.id)) == len(world.slack.messages(direct.id)) == 1
    assert len(world.cards()) == 2


SHARED = (
    "<#{}> is shared with another company, which could read what the agent writes, so nothing was {}. Use "
    "another channel, or ask a Taskwire administrator to allow this one."
)


async def test_nothing_begins_in_a_channel_of_another_company(world: World) -> None:
    """A channel is shared with another company. The bot creates no task there, by command or by form, and
    attaches none."""
    shared = world.slack.add_channel("partners", ["alice"], is_ext_shared=True)
    world.coder.add_task("alice", "fix it", name="loose")

    await world.alice.types("/task create do that", "partners")
    await world.alice.types("/task attach loose", "partners")
    await world.alice.types("/task create", "general")
    assert not await world.alice.submits(prompt="do that", channel=shared.id)

    refused = SHARED.format(shared.id, "created")
    assert world.alice.reads() == [refused, SHARED.format(shared.id, "attached"), refused]
    assert [task.name for task in world.coder.tasks] == ["loose"]
    assert not world.slack.messages("partners")


async def test_an_administrator_may_allow_a_channel_of_another_company(world: World) -> None:
    """Two channels are shared with another company, and the settings allow one of them by its id. The bot
    creates tasks only in that channel."""
    shared = world.slack.add_channel("partners", ["alice"], is_ext_shared=True)
    other = world.slack.add_channel("others", ["alice"], is_ext_shared=True)
    await world.restarts(shared_channels=(shared.id,))

    await world.alice.runs("/task create fix it", "partners")
    await world.alice.types("/task create fix it", "others")

    assert world.alice.reads() == [SHARED.format(other.id, "created")]
    assert len(world.coder.tasks) == 1


async def test_nobody_is_shown_a_control_that_would_refuse_them(world: World) -> None:
    """Bob may not steer Alice's task, and asks for its status. The answer lacks the buttons that the bot
    would refuse to him. Alice's answer has them."""
    thread, task = await a_waiting_agent(world)
    task.pause()
    await world.polls()
    thread.new_messages()

    for who in (world.alice, world.bob):
        await who.types("/task list")
        await who.types(f"/task status {task.name}")

    (list_a, status_a), (list_b, status_b) = world.alice.reads(), world.bob.reads()
    assert "[" not in list_a + list_b
    assert "[Resume]" in status_a
    assert "[Open thread]" in status_b
    for label in ("Resume", "Edit prompt", "Mute", "Delete"):
        assert label not in status_b
