"""Who may use Taskwire, who sees which task, and who may steer it."""

import pytest

from .world import World

PASS_ON = "If you write in its thread, you can ask Alice to pass your reply on."
LET_ME = "Alice can let you, with `!share @Bob` in its thread."
PASS_ON_STOP = "Or write `stop` there and ask Alice to pass it on."


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        (
            {"is_restricted": True},
            "Guests in this Slack cannot use Taskwire. Ask a full member to do it.",
        ),
        (
            {"is_restricted": True, "is_ultra_restricted": True},
            "Guests in this Slack cannot use Taskwire. Ask a full member to do it.",
        ),
        (
            {"is_stranger": True},
            "Taskwire works for members of this Slack only. Ask a member to do it.",
        ),
        ({"is_bot": True}, "Only people can steer tasks."),
        (
            {"is_email_confirmed": False},
            "I don't know who you are in Coder: your Slack profile has no confirmed e-mail address. Add "
            "one, or ask a Slack administrator.",
        ),
    ],
)
async def test_a_person_who_may_not_use_taskwire_gets_one_sentence(
    world: World, profile: dict[str, bool], says: str
) -> None:
    """The bot refuses every command of a guest, of a bot, of a member of another workspace, and of a person
    without a confirmed e-mail address. A Coder account does not help them. Guests, bots and members of other
    workspaces are refused even if they are administrators."""
    carol = world.person("carol", in_coder=True, roles=(), **profile)
    await world.restarts(admins=() if "is_email_confirmed" in profile else (carol.id,))
    world.slack.workspace.channel("general").members.append(carol.id)
    world.coder.add_task("carol", "fix it", name="loose")

    for line in ("create do that", "pause loose", "list", "status loose", "templates"):
        await carol.types(f"/task {line}")

    assert carol.reads() == [says] * 5
    assert [task.status for task in world.coder.tasks] == ["active"]


async def test_the_address_says_who_a_person_is(world: World) -> None:
    """The bot acts as the Coder user who has the person's e-mail address, whatever the user name. If two
    Coder users have the address, the bot refuses the command."""
    world.coder.user("alice").email = "Alice@Example.COM"
    await world.alice.runs("/task create fix it")
    assert world.coder.tasks[0].row.owner.username == "alice"

    world.coder.add_user("bob2").email = "bob@example.com"  # present versions of Coder do not allow this
    await world.bob.types("/task create fix it")
    assert world.bob.reads() == [
        "2 Coder users have the address bob@example.com. Ask a Coder administrator to fix that."
    ]


async def test_a_suspended_account_starts_nothing(world: World) -> None:
    """A person with a suspended Coder account types a command. The bot does nothing, and tells the person
    whom to ask."""
    world.coder.suspend("alice")

    await world.alice.types("/task create fix it")

    assert world.alice.reads() == [
        "Your Coder account (alice@example.com) is suspended. Ask a Coder administrator."
    ]
    assert not world.coder.tasks


async def test_a_person_sees_their_own_tasks_and_those_with_a_thread_here(world: World) -> None:
    """Bob sees Alice's task in the channel of its thread, and in no other channel."""
    world.slack.add_channel("random", ["bob"])
    await world.alice.runs("/task create fix it")
    name = world.task("fix-it").name

    await world.bob.types("/task list")
    await world.bob.types("/task list", "random")
    await world.bob.types(f"/task status {name}")
    await world.bob.types(f"/task status {name}", "random")

    here, there, status, unknown = world.bob.reads()
    assert "Fix it" in here
    assert there.startswith("You have no tasks yet.")
    assert "Fix it." in status
    assert unknown == (
        f"There is no task `{name}` that you can see here. `/task list` shows the ones you can see."
    )


@pytest.mark.parametrize(
    "line",
    [
        "status {name}",
        "status alice/{name}",
        "status {id}",
        "status {url}",
        "status secre",
        "status secret-pla",
        "status secret-paln",
        "logs {name}",
        "logs {id} full",
        "send {name} hello",
        "pause {name}",
        "edit {id} other",
        "attach {name}",
        "attach {id}",
        "list owner=alice",
        "list all",
    ],
)
async def test_a_hidden_task_is_in_no_answer(world: World, line: str) -> None:
    """Bob cannot find a hidden task by name, id or the start of its name. It is neither suggested nor
    listed."""
    task = world.coder.add_task("alice", "the secret plan", name="secret-plan")
    typed = line.format(name=task.name, id=task.id, url=f"{world.coder.url}/tasks/alice/{task.id}")

    await world.bob.types(f"/task {typed}")

    [answer] = world.bob.reads()
    for word in ("he secret plan", "secret-plan", task.id):
        assert word not in answer.replace(f"`{typed.split()[1]}`", "").replace("alice/secret-plan", "")
    assert (task.status, task.prompt, task.inputs) == ("active", "the secret plan", [])
    assert not world.slack.messages("general")


async def test_a_dialog_tells_nothing_about_a_hidden_task(world: World) -> None:
    """Bob types `/task delete` with the name of a task that is hidden from him. The dialog says that there is
    no such task."""
    world.coder.add_task("alice", "the secret plan", name="secret-plan")

    await world.bob.types("/task delete secret-plan")

    assert world.bob.dialog() == (
        "[Delete this task]\n"
        "There is no task `secret-plan` that you can see here. `/task list` shows the ones you can see."
    )


@pytest.mark.parametrize(
    ("line", "may_not", "hint"),
    [
        ("pause {name}", "stop it", f"{LET_ME} {PASS_ON_STOP}"),
        ("resume {name}", "resume it", LET_ME),
        ("edit {name} other", "edit its prompt", LET_ME),
        ("send {name} hello", "reply to its agent yourself", PASS_ON),
        ("detach {name}", "detach it", "Ask Alice, or a Taskwire administrator."),
    ],
)
async def test_only_its_owner_steers_a_task(world: World, line: str, may_not: str, hint: str) -> None:
    """Bob sees Alice's task but may not steer it. The bot tells him whom to ask."""
    thread = await world.alice.runs("/task create fix it")
    task = world.task("fix-it")

    await world.bob.types("/task " + line.format(name=task.name))

    assert world.bob.reads() == [f"*Fix it* belongs to Alice, so you can't {may_not}. {hint}"]
    assert (task.status, task.prompt, task.inputs) == ("active", "fix it", [])
    assert thread.new_messages() == []


async def test_only_its_owner_is_asked_whether_to_delete(world: World) -> None:
    """Bob asks to delete Alice's task, by command and by a press on the card. The dialog refuses him at
    once."""
    thread = await world.alice.runs("/task create fix it")
    await world.polls()
    name = world.task("fix-it").name
    world.task("fix-it").becomes("working", "On it")
    await world.polls()
    await world.passes(seconds=4)

    await world.bob.types(f"/task delete {name}")
    first = world.bob.dialog()
    await world.bob.clicks(thread, "Delete")
    second = world.bob.dialog()
    await world.bob.clicks(thread, "Stop")

    refused = "*Fix it* belongs to Alice, so you can't {}."
    told = f"[Delete this task]\n{refused.format('delete it')} Ask Alice, or a Taskwire administrator."
    assert (first, second) == (told, told)
    assert world.bob.reads() == [f"{refused.format('stop it')} {LET_ME} {PASS_ON_STOP}"]
    assert world.task("fix-it").status == "active"


async def test_a_visible_task_of_somebody_else_cannot_be_attached(world: World) -> None:
    """Bob sees the task but may not steer it, so he cannot attach it."""
    thread = await world.alice.runs("/task create fix it")
    task = world.task("fix-it")
    where = world.slack.backend.permalink(thread.channel, thread.ts)

    await world.bob.types(f"/task attach {task.name}")

    assert world.bob.reads() == [f"*Fix it* already has a thread: <{where}>"]


@pytest.mark.parametrize("listed", ["person", "group"])
async def test_administrators_see_and_steer_all(world: World, listed: str) -> None:
    """The settings list administrators by id or by user group. An administrator needs no Coder account."""
    dora = world.person("dora", in_coder=False)
    group = world.slack.add_group("ops", ["dora"])
    await world.restarts(admins=(dora.id if listed == "person" else group.id,))
    world.slack.add_channel("ops-room", ["dora"])
    task = world.coder.add_task("alice", "fix it", name="loose")

    await dora.types("/task list", "ops-room")
    await dora.types("/task pause loose", "ops-room")
    await dora.types("/task create do that", "ops-room")

    listed_tasks, paused, refused = dora.reads()
    assert "Fix it, alice" in listed_tasks
    assert paused == "Pausing *Fix it*. `/task resume loose` resumes it."
    assert refused.startswith("No Coder user has your address dora@example.com.")
    assert task.status == "paused"


async def test_an_administrator_attaches_for_its_owner(world: World) -> None:
    """An administrator attaches another person's task. The owner stays the same, and is told: notices mention
    the owner, and the owner may reply."""
    dora = world.person("dora")
    await world.restarts(admins=(dora.id,))
    world.slack.workspace.channel("general").members.append(dora.id)
    task = world.coder.add_task("alice", "fix it", name="loose")

    thread = await dora.runs("/task attach loose")
    await world.polls()
    task.becomes("complete", "Opened PR #1")
    await world.polls()

    assert thread.new_messages() == [
        f"<@{world.alice.id}> Opened PR #1.\nDone: Fix it. Reply here if there is more to do."
    ]
    await world.passes(seconds=5)
    await world.alice.replies(thread, "use main")
    assert task.inputs == ["use main"]
    general = world.slack.workspace.channel("general").id
    assert world.alice.hears() == [
        f"Dora gave *Fix it* a thread in <#{general}>. `/task detach loose` ends that thread.\n[Open thread]"
    ]


async def test_a_person_who_leaves_the_administrators_is_refused_at_once(world: World) -> None:
    """Dora has left the administrators' group in Slack. The bot caches the group's members for some minutes
    only. When it next reads the group, it refuses her."""
    dora = world.person("dora", in_coder=False)
    group = world.slack.add_group("ops", ["dora"])
    await world.restarts(admins=(group.id,))
    world.slack.add_channel("ops-room", ["dora"])
    world.coder.add_task("alice", "fix it", name="loose")
    await dora.types("/task list", "ops-room")
    assert "Fix it" in dora.reads()[0]

    group.members.clear()
    await world.forgets()
    await dora.types("/task list", "ops-room")

    assert dora.reads()[0].startswith("No Coder user has your address")
