"""The bot checks rights again. A person who has lost a right cannot use it for more than ten seconds."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from taskwire_sandbox.coder import faults
from taskwire_sandbox.slack.ledger import Call

from .people import Person
from .test_owner_changes import bob_has_a_task
from .waiting import PROMPT, a_waiting_agent, takes_all
from .world import World

NO_GUESTS = "Guests in this Slack cannot use Taskwire. Ask a full member to do it."
NO_MAIL = (
    "I don't know who you are in Coder: your Slack profile has no confirmed e-mail address. Add one, or "
    "ask a Slack administrator."
)

OF_NOBODY = "*Fix it* belongs to alice, so you can't stop it. Ask alice, or a Taskwire administrator."
NO_REPLY = "The agent did not get your reply: you can't steer this task."
NOT_TO_THE_AGENT = "The agent does not get your replies here."


async def _suspended(world: World) -> None:
    world.coder.suspend("alice")


async def _removed(world: World) -> None:
    world.coder.user("alice").email = "nobody@example.com"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"deleted": True}, "Only people can steer tasks."),
        ({"is_restricted": True}, NO_GUESTS),
        (
            {"email": "bob@example.com"},
            "In Coder, *Fix it* belongs to alice, and that is not your account any more. "
            "Ask a Taskwire administrator.",
        ),
        ({"is_email_confirmed": False}, NO_MAIL),
        ({"is_email_confirmed": None}, NO_MAIL),
    ],
)
@pytest.mark.parametrize("is_told", [True, False], ids=["slack tells", "ten seconds later"])
async def test_a_person_who_lost_their_place_in_slack_steers_nothing(
    world: World, changes: dict[str, object], says: str, is_told: bool
) -> None:
    """Alice's profile in Slack changes, so that she may not use Taskwire any more. The bot refuses her
    commands, replies and presses. If Slack sends no event about the change, the refusals begin ten seconds
    later."""
    thread = await world.alice.runs("/task create fix it")
    task = world.task("fix-it")
    task.becomes("working", "On it")
    await world.polls()
    await world.passes(seconds=5)

    if is_told:
        await world.slack.change_user("alice", **changes)
        await world.settles()
    else:
        for name, value in changes.items():
            setattr(world.slack.workspace.user("alice"), name, value)
        await world.ages(seconds=10)
    await world.alice.types(f"/task pause {task.id}")
    await world.alice.replies(thread, "go on")
    await world.alice.clicks(thread, "Stop")

    by_command, by_reply, by_click = world.alice.reads()
    assert by_command == says
    if "email" in changes:
        # Since the first refusal, the task belongs to nobody in Slack.
        assert (by_reply, by_click) == (NO_REPLY, OF_NOBODY)
    else:
        assert (by_reply, by_click) == (f"{NOT_TO_THE_AGENT} {says}", says)
    assert (task.status, task.inputs) == ("active", [])


@pytest.mark.parametrize(
    ("loses", "says"),
    [
        (_suspended, "Your Coder account (alice@example.com) is suspended. Ask a Coder administrator."),
        (
            _removed,
            "No Coder user has your address alice@example.com. Sign in to Coder once with it, or ask a Coder "
            "administrator to add you.",
        ),
    ],
)
async def test_a_person_who_lost_their_coder_account_steers_nothing(
    world: World, loses: Callable[[World], Awaitable[None]], says: str
) -> None:
    """A person loses their Coder account. Coder sends no event about that, so the bot asks Coder again after
    ten seconds, and then refuses the person."""
    await world.alice.runs("/task create fix it")
    task = world.task("fix-it")

    await loses(world)
    await world.ages(seconds=10)
    await world.alice.types(f"/task pause {task.id}")

    assert world.alice.reads() == [says]
    assert task.status == "active"


@pytest.mark.parametrize("is_told", [True, False], ids=["slack tells", "ten seconds later"])
async def test_a_former_administrator_steers_no_task_of_others(world: World, is_told: bool) -> None:
    """The members of the administrators' group change. Its new member may steer other people's tasks, and its
    former member may not."""
    dora, erik = world.person("dora"), world.person("erik")
    group = world.slack.add_group("ops", ["dora"])
    await world.restarts(admins=(group.id,))
    world.slack.add_channel("ops-room", ["dora", "erik"])
    task = world.coder.add_task("alice", "fix it", name="loose")
    await dora.types("/task list", "ops-room")
    assert "Fix it" in dora.reads()[0]

    if is_told:
        await world.slack.change_group(group.id, ["erik"])
        await world.settles()
    else:
        group.members[:] = [erik.id]
        await world.ages(seconds=10)
    await dora.types("/task pause loose", "ops-room")
    assert task.status == "active"
    await erik.types("/task pause loose", "ops-room")

    assert dora.reads() == [
        "There is no task `loose` that you can see here. `/task list` shows the ones you can see."
    ]
    assert erik.reads() == ["Pausing *Fix it*. `/task resume loose` resumes it."]
    assert task.status == "paused"


async def test_a_group_that_is_gone_has_nobody_in_it(world: World) -> None:
    """The administrators' group was deleted, so nobody is an administrator. People can still steer their own
    tasks."""
    group = world.slack.add_group("ops", ["bob"])
    await world.restarts(admins=(group.id,))
    await world.alice.runs("/task create fix it")
    group.is_disabled = True
    await world.ages(seconds=10)

    await world.bob.types("/task pause fix-it")
    await world.alice.types("/task pause fix-it")

    assert world.bob.reads() == [
        "*Fix it* belongs to Alice, so you can't stop it. Alice can let you, with `!share @Bob` in its "
        "thread. Or write `stop` there and ask Alice to pass it on."
    ]
    assert [said.split(".")[0] for said in world.alice.reads()] == ["Pausing *Fix it*"]


async def test_a_change_while_slack_is_asked_is_not_missed(world: World) -> None:
    """Alice loses her rights just after Slack has answered the bot's request about her. The bot does not use
    that answer, and refuses her."""
    await world.alice.runs("/task create fix it")
    await world.ages(seconds=10)
    slack = world.slack
    alice = slack.workspace.user("alice")

    async def demoted(moment: str, call: Call) -> None:
        if (call.method, moment) == ("users.info", "after") and not alice.is_restricted:
            await slack.change_user("alice", is_restricted=True)
            await slack.until(lambda: slack.deliveries[-1].outcome == "acked", "the event to be taken")

    slack.on_call = demoted
    await world.alice.types("/task status fix-it")
    slack.on_call = None
    await world.alice.types("/task pause fix-it")

    # The bot asks Slack again even for the second check within one command.
    assert world.alice.reads() == [NO_GUESTS] * 2
    assert world.task("fix-it").status == "active"


async def test_what_waits_for_coder_is_not_created_for_who_may_not_any_more(world: World) -> None:
    """A command waits for Coder for up to an hour, and its author loses their rights meanwhile. The bot
    checks the rights again, and creates no task."""
    world.coder.plan_fault("tasks.create", faults.refused(), times=2)

    thread = await world.alice.runs("/task create fix it")
    world.coder.suspend("alice")
    await world.ages(seconds=10)
    for _ in range(4):
        await world.passes(seconds=60)

    suspended = "Your Coder account (alice@example.com) is suspended. Ask a Coder administrator."
    assert not world.coder.tasks
    assert thread.card() == (
        f"Not created: fix it. Coder did not create this task. {suspended} `/task create` creates another. "
        "Owner: Alice. Template: Tasks on Docker."
    )
    assert world.alice.reads()[-1] == f"The task was not created. {suspended}"


def _asked(world: World, *methods: str) -> int:
    return sum(call.method in methods for call in world.slack.calls)


async def test_a_busy_person_is_looked_up_once(world: World) -> None:
    """Two people type many commands at the same time. The bot asks Slack about each person only once, because
    Slack allows a hundred such requests a minute in all."""
    people: list[Person] = [world.alice, world.bob]
    await world.ages(seconds=10)
    before = _asked(world, "users.info")

    lines = ["/task list"] * 5 + ["/task templates"] * 5
    await asyncio.gather(*(who.types(line, settles=False) for who in people for line in lines))
    await world.settles()

    assert [len(who.reads()) for who in people] == [10, 10]
    assert _asked(world, "users.info") - before == 2


async def _deactivated(world: World) -> None:
    world.slack.workspace.user("alice").deleted = True


@pytest.mark.parametrize("loses", [_deactivated, _suspended, _removed], ids=["slack", "suspended", "removed"])
@pytest.mark.parametrize("way", ["refused", "lost"])
@pytest.mark.parametrize(
    ("label", "call"), [("Stop", "tasks.pause"), ("Delete", "tasks.delete")], ids=["pause", "delete"]
)
async def test_what_was_pressed_before_is_not_done_ten_seconds_after(
    world: World, label: str, call: str, way: str, loses: Callable[[World], Awaitable[None]]
) -> None:
    """A person presses *Stop* or *Delete*, Coder fails, and the person then loses their rights. Before the
    bot tries again, it checks the rights. So the task is neither stopped nor deleted."""
    thread = await world.alice.runs("/task create fix it")
    task = world.task("fix-it")
    task.becomes("working", "On it")
    await world.polls()
    await world.passes(seconds=5)
    fault = faults.refused() if way == "refused" else faults.server_error()
    world.coder.plan_fault(call, fault, times=1)
    if label == "Stop":
        await world.alice.clicks(thread, label)
    else:
        await world.alice.clicks(thread, label)
        await world.alice.submits()

    await loses(world)
    await world.ages(seconds=10)
    for _ in range(6):
        await world.passes(seconds=30)

    assert (task.status, task.is_deleted) == ("active", False)
    assert world.alice.reads()
    thread.new_messages()


@pytest.mark.parametrize("loses", ["slack", "group", "coder"])
async def test_a_reply_that_waits_does_not_outlive_its_authors_rights(world: World, loses: str) -> None:
    """Carol, an administrator, replies to a busy agent, and loses her rights while the reply waits. The agent
    does not get the reply, and the bot tells her."""
    carol = world.person("carol")
    world.slack.workspace.channel("general").members.append(carol.id)
    group = world.slack.add_group("ops", ["carol"])
    await world.restarts(admins=(group.id,))
    thread = await world.alice.runs("/task create fix it")
    task = world.task("fix-it")
    task.becomes("working", "On it")
    await world.polls()
    reply = await carol.replies(thread, "use main")
    before = thread.receipt(reply)

    if loses == "slack":
        world.slack.workspace.user("carol").deleted = True
    elif loses == "group":
        group.members.clear()
    else:
        world.coder.suspend("carol")
    await world.ages(seconds=10)
    task.becomes("idle", "Ready")
    for _ in range(3):
        await world.polls()
        await world.passes(seconds=10)

    assert (before, thread.receipt(reply), task.inputs) == (["hourglass_flowing_sand"], [], [])
    told = (
        "The agent did not get your reply: you can't steer this task."
        if loses == "group"
        else NOT_TO_THE_AGENT
    )
    assert [said[: len(told)] for said in carol.reads()] == [told]
    thread.new_messages()


async def test_a_suspended_administrator_steers_nothing(world: World) -> None:
    """An administrator of Taskwire needs no Coder account. But if they have a suspended Coder account, the
    bot refuses them."""
    await world.restarts(admins=(world.bob.id,))
    thread = await world.alice.runs("/task create fix it")
    task = world.task("fix-it")
    task.becomes("working", "On it")
    await world.polls()
    await world.passes(seconds=5)

    world.coder.suspend("bob")
    await world.ages(seconds=10)
    await world.bob.types("/task pause fix-it")
    await world.bob.replies(thread, "!pause")
    await world.bob.clicks(thread, "Stop")
    await world.bob.types("/task list all")
    await world.bob.replies(thread, "go on")

    *told, of_reply = world.bob.reads()
    suspended = "Your Coder account (bob@example.com) is suspended. Ask a Coder administrator."
    assert told == [suspended] * 4
    assert of_reply == f"{NOT_TO_THE_AGENT} {suspended}"
    assert (task.status, task.inputs) == ("active", [])


@pytest.mark.parametrize("way", ["command", "reply"])
async def test_the_end_of_a_share_goes_ahead_of_what_waits(world: World, way: str) -> None:
    """Bob has a share in Alice's task, and presses *Stop and edit*. Coder fails at first, and Alice
    ends the share meanwhile. So the bot does not change the prompt, and refuses Bob."""
    thread, task = await a_waiting_agent(world)
    await world.alice.types(f"/task share {task.name} <@{world.bob.id}>")
    world.alice.reads()
    world.bob.hears()
    await world.bob.replies(thread, "!edit print all keys")
    world.bob.reads()
    world.coder.plan_fault("tasks.pause", faults.server_error(), times=2)

    await world.bob.presses("Stop and edit")
    if way == "command":
        await world.alice.types(f"/task unshare {task.name} <@{world.bob.id}>")
    else:
        await world.alice.replies(thread, f"!unshare <@{world.bob.id}>")
    for _ in range(4):
        await world.passes(30)
        await world.polls()

    assert task.prompt == PROMPT
    assert world.bob.reads() == []
    assert world.bob.sees() == (
        "*Fix the login* belongs to Alice, so you can't edit its prompt. Alice can let you, with "
        "`!share @Bob` in its thread."
    )
    thread.new_messages()
    world.alice.reads(), world.bob.hears()


@pytest.mark.parametrize("accounts", ["service", "both"])
async def test_an_administrator_without_a_coder_account_lets_nobody_in(world: World, accounts: str) -> None:
    """Alice, an administrator, shares her task with Bob. Her Coder user gets the address of somebody who is
    not in Slack. She can still steer the task as an administrator, but Bob cannot."""
    await world.restarts(admins=(world.alice.id,), accounts=accounts)
    thread = await world.alice.runs("/task create fix it")
    task = world.task("fix-it")
    await takes_all(world, task)
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    await world.bob.replies(thread, "add a test")
    await world.passes(seconds=5)
    await _removed(world)
    await world.ages(seconds=30)

    await world.bob.replies(thread, "push to main")
    await world.alice.replies(thread, "go on")
    await world.passes(seconds=30)

    assert task.inputs == ["Bob wrote:\n> add a test", "Alice wrote:\n> go on"]
    world.bob.reads(), world.bob.hears(), world.alice.reads(), thread.new_messages(), world.cards()


@pytest.mark.parametrize("said", ["push to main", "!stop"])
@pytest.mark.parametrize("how", ["moved to nobody", "not connected any more"])
async def test_a_share_of_a_former_owner_gives_no_right_while_coder_finds_no_people(
    world: World, how: str, said: str
) -> None:
    """Bob shares a task with Dave. Then the task's Coder user is not Bob's any more, and nobody's in Slack.
    Coder's search for people fails. Dave can neither write to the agent nor stop it."""
    dave = world.person("dave")
    await world.slack.join(dave.id, "general")
    if how == "moved to nobody":
        thread = await world.bob.runs("/task create fix the login")
        task = world.task("fix-the-login")
        await takes_all(world, task)
    else:
        thread, task = await bob_has_a_task(world, "both")
    await world.bob.replies(thread, f"!share <@{dave.id}>")
    if how == "moved to nobody":
        world.coder.user("bob").email = "ghost@example.com"
        world.coder.add_user("bob2", email="bob@example.com")
    else:
        await world.restarts(accounts="service")
    await world.ages(seconds=600)
    await dave.types("/task templates")
    world.coder.plan_fault("users.list", faults.server_error(status=503), times=500)

    await dave.replies(thread, said)
    await world.passes(seconds=30)
    world.coder.clear_faults()
    await world.passes(seconds=300)

    assert task.inputs == []
    assert task.status == "active"
    dave.reads(), dave.hears(), world.bob.reads(), world.bob.hears(), thread.new_messages(), world.cards()
