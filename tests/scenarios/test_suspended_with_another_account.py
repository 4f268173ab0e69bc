"""Coder suspends a person's account, and the person connects another one. The suspension counts again when
that account is gone, and never ends by it."""

import asyncio

import pytest

from taskwire.domain.ids import UserId
from taskwire_sandbox.coder import SandboxTask, faults

from .people import Person, Thread
from .test_owner_changes import bob_has_a_task, connects
from .test_suspended_in_an_outage import goes_away
from .waiting import takes_all
from .world import World


def _restart(accounts: str) -> dict[str, object]:
    without_service = {"coder_session_token": None} if accounts == "personal" else {}
    return {"accounts": accounts, **without_service}


def _revoke(world: World, name: str) -> None:
    """Delete all tokens of a Coder user."""
    tokens = world.coder.world.tokens
    for key in [key for key, token in tokens.items() if token.user.username == name]:
        del tokens[key]


async def _tries(world: World, person: Person, thread: Thread, task: SandboxTask, words: str) -> bool:
    """Return whether the agent gets these words of the person, after ten minutes."""
    await world.ages(seconds=600)
    await person.replies(thread, words)
    await world.passes(seconds=60)
    return any(words in each for each in task.inputs)


def _leaves_unread(world: World, thread: Thread, *people: Person) -> None:
    for person in people:
        person.reads(), person.hears()
    thread.new_messages(), world.cards()


@pytest.mark.parametrize("accounts", ["both", "personal"])
@pytest.mark.parametrize("is_suspended", [True, False], ids=["suspended", "not suspended"])
async def test_a_share_does_not_count_again_when_another_account_is_refused(
    world: World, accounts: str, *, is_suspended: bool
) -> None:
    """Bob shares his task with Dave. Coder suspends Bob, or does not. He connects another Coder user and uses
    Taskwire. Then Coder refuses the token of that user. Dave can neither write to the agent nor stop it."""
    await world.restarts(**_restart(accounts))
    world.coder.add_user("cc", email="cc@example.com")
    dave = world.person("dave")
    await world.slack.join(dave.id, "general")
    await connects(world, dave, "dave")
    if accounts == "personal":
        await connects(world, world.bob, "bob")
    thread = await world.bob.runs("/task create fix the login")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    await world.bob.replies(thread, f"!share <@{dave.id}>")
    if is_suspended:
        world.coder.suspend("bob")
    await world.ages(seconds=60)
    await world.bob.types("/task list")
    if accounts == "personal":
        await world.bob.types("/task disconnect")
    await connects(world, world.bob, "cc")
    await world.ages(seconds=60)
    await world.bob.types("/task list")
    _revoke(world, "cc")

    gets_it = await _tries(world, dave, thread, task, "push to main")
    await dave.replies(thread, "!stop")
    await world.passes(seconds=60)

    assert not gets_it
    assert task.status == "active"
    _leaves_unread(world, thread, world.bob, dave)


@pytest.mark.parametrize("end", ["disconnected", "revoked", "deleted"])
async def test_a_suspended_administrator_is_none_by_another_account(world: World, end: str) -> None:
    """Coder suspends Root, an administrator. He connects another user, and uses Taskwire as that user. When
    this account is gone, he can neither write to the agent of Alice's task nor stop it."""
    root = world.person("root")
    await world.slack.join(root.id, "general")
    await world.restarts(accounts="both", admins=(root.id,))
    world.coder.add_user("cc", email="cc@example.com")
    thread = await world.alice.runs("/task create fix the login")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    world.coder.suspend("root")
    before = await _tries(world, root, thread, task, "before")
    await connects(world, root, "cc")
    meanwhile = await _tries(world, root, thread, task, "as another user")
    if end == "disconnected":
        await root.types("/task disconnect")
    else:
        _revoke(world, "cc")
    if end == "deleted":
        del world.coder.world.users[world.coder.user("cc").id]

    after = await _tries(world, root, thread, task, "push to main")
    await root.replies(thread, "!stop")
    await world.passes(seconds=60)

    assert (before, meanwhile, after) == (False, True, False)
    assert task.status == "active"
    _leaves_unread(world, thread, root, world.alice)


async def test_a_suspended_administrator_reads_nothing_in_an_outage_by_another_account(world: World) -> None:
    """Coder suspends Root, an administrator. He connects another user and disconnects it. While Coder does
    not answer, he reads nothing of Alice's task, and can neither mute nor detach it."""
    root = world.person("root")
    await world.slack.join(root.id, "general")
    await world.restarts(accounts="both", admins=(root.id,))
    world.coder.add_user("cc", email="cc@example.com")
    thread = await world.alice.runs("/task create fix the login")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    task.becomes("idle", "The key is in vault 8")
    await world.polls(times=2)
    world.coder.suspend("root")
    await world.ages(seconds=60)
    await root.types("/task list")
    await connects(world, root, "cc")
    await root.types("/task list")
    await root.types("/task disconnect")
    root.reads(), thread.new_messages()
    await world.ages(seconds=60)
    goes_away(world)

    for command in ("/task list", "/task status alice/fix-the-login"):
        await root.types(command)
    for verb in ("!mute", "!detach"):
        await root.replies(thread, verb)
    await world.passes(seconds=30)

    shown = root.reads()
    assert shown
    assert [each for each in shown if "is suspended" not in each] == []
    assert not thread.card().startswith("Detached")
    world.coder.clear_faults()
    _leaves_unread(world, thread, root, world.alice)


async def test_a_suspended_person_does_not_steer_by_a_share_after_another_account(world: World) -> None:
    """Alice shares her task with Bob, whom Coder suspends. He connects another user and disconnects it. He
    does not steer with Alice's account (`personal`), as somebody who has never connected one could."""
    await world.restarts(**_restart("personal"))
    world.coder.add_user("cc", email="cc@example.com")
    await connects(world, world.bob, "bob")
    await connects(world, world.alice, "alice")
    thread = await world.alice.runs("/task create fix the login")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    world.coder.suspend("bob")
    suspended = await _tries(world, world.bob, thread, task, "suspended")
    await world.bob.types("/task disconnect")
    disconnected = await _tries(world, world.bob, thread, task, "disconnected")
    await connects(world, world.bob, "cc")
    await world.bob.types("/task disconnect")

    after = await _tries(world, world.bob, thread, task, "push to main")
    await world.bob.replies(thread, "!stop")
    await world.passes(seconds=60)

    assert not suspended
    assert not disconnected
    assert not after
    assert task.status == "active"
    _leaves_unread(world, thread, world.alice, world.bob)


async def test_a_suspension_ends_when_the_suspended_account_is_active_again(world: World) -> None:
    """Coder suspends Bob, and he connects another user meanwhile. When his own user is active again, and he
    connects it, he can steer his task, and Dave can by his share."""
    await world.restarts(**_restart("personal"))
    world.coder.add_user("cc", email="cc@example.com")
    dave = world.person("dave")
    await world.slack.join(dave.id, "general")
    await connects(world, world.bob, "bob")
    thread = await world.bob.runs("/task create fix the login")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    await world.bob.replies(thread, f"!share <@{dave.id}>")
    world.coder.suspend("bob")
    suspended = await _tries(world, dave, thread, task, "suspended")
    await world.bob.types("/task list")
    await connects(world, world.bob, "cc")
    world.coder.user("bob").status = "active"

    await connects(world, world.bob, "bob")

    assert not suspended
    assert await _tries(world, world.bob, thread, task, "go on")
    assert await _tries(world, dave, thread, task, "add a test")
    _leaves_unread(world, thread, world.bob, dave)


async def test_a_task_that_was_being_created_is_not_its_former_owners(world: World) -> None:
    """Bob creates a task as the Coder user `cc`, whose address nobody has in Slack. He disconnects this user
    before Coder has answered. The task is nobody's in Slack."""
    thread, _ = await bob_has_a_task(world, "both")
    thread.new_messages(), world.cards()
    world.coder.plan_fault("tasks.create", faults.late_after(2))
    await world.bob.types("/task create second job", settles=False)
    while len(world.coder.tasks) < 2:  # noqa: ASYNC110 - no event tells when the stand-in has the task
        await asyncio.sleep(0.02)
    await world.bob.types("/task disconnect", settles=False)
    while await world.bot.parts.deps.accounts.find(UserId(world.bob.id)) is not None:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.02)

    await world.settles()
    await world.passes(seconds=30)

    cards = [card for card in world.cards() if "Second job" in card]
    assert ["Owner: cc" in card for card in cards] == [True]
    world.reader.read_all()


@pytest.mark.parametrize(
    ("accounts", "end"),
    # Without a service account, nobody can ask about a user whose token has ended.
    [("both", "connects another"), ("both", "token ended"), ("personal", "connects another")],
)
async def test_a_suspension_that_nobody_has_seen_is_seen_before_the_account_goes(
    world: World, accounts: str, end: str
) -> None:
    """Root, an administrator in `both` and with a share in `personal`, has connected a user with another
    address than his own. Coder suspends it, and Root does nothing before he connects another user over it, or
    disconnects it after its token has ended. Afterwards he cannot write to the agent."""
    root = world.person("root", in_coder=False)
    await world.slack.join(root.id, "general")
    admins = {"admins": (root.id,)} if accounts == "both" else {}
    await world.restarts(**_restart(accounts), **admins)
    for name in ("root2", "cc"):
        world.coder.add_user(name, email=f"{name}@example.com")
    await connects(world, root, "root2")
    await connects(world, world.alice, "alice")
    thread = await world.alice.runs("/task create fix the login")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    if accounts == "personal":
        await world.alice.replies(thread, f"!share <@{root.id}>")
    before = await _tries(world, root, thread, task, "add a test")
    world.coder.suspend("root2")
    if end == "connects another":
        await connects(world, root, "cc")
    else:
        _revoke(world, "root2")
    await root.types("/task disconnect")

    after = await _tries(world, root, thread, task, "push to main")
    await root.replies(thread, "!stop")
    await world.passes(seconds=60)

    assert (before, after) == (True, False)
    assert task.status == "active"
    _leaves_unread(world, thread, root, world.alice)


@pytest.mark.parametrize("end", ["deleted", "active again"])
async def test_each_of_two_suspensions_ends_by_itself(world: World, end: str) -> None:
    """Coder suspends both users that Root, an administrator, has connected, one after the other. The second
    is deleted, or is active again, and he disconnects it. The first is still suspended, so he cannot
    write to the agent of Alice's task."""
    root = world.person("root", in_coder=False)
    await world.slack.join(root.id, "general")
    await world.restarts(accounts="both", admins=(root.id,))
    for name in ("root2", "cc"):
        world.coder.add_user(name, email=f"{name}@example.com")
    await connects(world, root, "root2")
    thread = await world.alice.runs("/task create fix the login")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    world.coder.suspend("root2")
    first = await _tries(world, root, thread, task, "first")
    await connects(world, root, "cc")
    world.coder.suspend("cc")
    second = await _tries(world, root, thread, task, "second")
    if end == "deleted":
        del world.coder.world.users[world.coder.user("cc").id]
    else:
        world.coder.user("cc").status = "active"
    await root.types("/task disconnect")

    after = await _tries(world, root, thread, task, "push to main")

    assert (first, second, after) == (False, False, False)
    _leaves_unread(world, thread, root, world.alice)


@pytest.mark.parametrize("tokens", ["alive", "ended"])
async def test_a_disconnect_that_was_given_up_does_not_end_a_suspension(world: World, tokens: str) -> None:
    """Coder suspends the user that Root, an administrator, has connected, and then does not answer for more
    than an hour. He disconnects, which is given up. When Coder answers again, he cannot write to the agent of
    Alice's task. When the user is active again, he can."""
    root = world.person("root", in_coder=False)
    await world.slack.join(root.id, "general")
    await world.restarts(accounts="both", admins=(root.id,))
    world.coder.add_user("root2", email="root2@example.com")
    await connects(world, root, "root2")
    thread = await world.alice.runs("/task create fix the login")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    world.coder.suspend("root2")
    if tokens == "ended":
        _revoke(world, "root2")
    goes_away(world)
    await root.types("/task disconnect")
    for _ in range(8):
        await world.passes(seconds=600)
    told = root.reads()[-1]
    world.coder.clear_faults()
    await world.passes(seconds=600)

    refused = await _tries(world, root, thread, task, "push to main")
    world.coder.user("root2").status = "active"

    assert told.startswith("Disconnected from *root2*.")
    assert not refused
    assert await _tries(world, root, thread, task, "add a test")
    _leaves_unread(world, thread, root, world.alice)
