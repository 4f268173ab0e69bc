"""A teammate mutes a task, or an administrator shares it. Its owner hears of it, but not again and again."""

import pytest

from .running_tasks import TITLE, a_task, timeless
from .test_owner_changes import connects
from .world import World


async def test_the_owner_hears_that_a_teammate_mutes_the_task(world: World) -> None:
    """Bob, who has a share, mutes Alice's task, so it mentions nobody. The bot tells Alice once. When Alice
    mutes the task herself, the bot tells nobody."""
    thread, task = await a_task(world)
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    world.alice.reads()
    world.bob.hears()

    await world.bob.replies(thread, "!mute")
    await world.bob.replies(thread, "!mute")
    told = world.alice.hears()
    await world.alice.types(f"/task unmute {task.name}")
    await world.alice.replies(thread, "!mute")

    assert [timeless(said) for said in told] == [_muted_by_bob(task.name)]
    assert (world.alice.hears(), world.bob.hears()) == ([], [])
    assert len(world.alice.reads()) == len(world.bob.reads()) == 2


def _muted_by_bob(name: str) -> str:
    return (
        f"Bob muted *{TITLE}* (<{{date_short_pretty}} at {{time}}>). I call nobody about a muted task; "
        f"`/task unmute {name}` ends that.\n[Open thread]"
    )


async def test_an_owner_hears_of_mutes_once_an_hour(world: World) -> None:
    """Bob mutes and unmutes Alice's task again and again. She is told once an hour. After she has unmuted the
    task herself, she is told when he mutes it again."""
    thread, task = await a_task(world)
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    for verb in ("!mute", "!unmute", "!mute", "!unmute", "!mute"):
        await world.bob.replies(thread, verb)
    in_turn = world.alice.hears()

    await world.alice.replies(thread, "!unmute")
    await world.bob.replies(thread, "!mute")
    again = world.alice.hears()
    await world.bob.replies(thread, "!unmute")
    await world.ages(seconds=3_600)
    await world.bob.replies(thread, "!mute")
    later = world.alice.hears()

    told = [[timeless(said) for said in heard] for heard in (in_turn, again, later)]
    assert told == [[_muted_by_bob(task.name)]] * 3
    world.alice.reads()
    world.bob.reads()
    world.bob.hears()
    thread.new_messages()


async def test_the_owner_hears_that_an_administrator_shares_the_task(world: World) -> None:
    """Root, an administrator, shares Alice's task with Bob, and with himself. Alice is told of Bob. Root gets
    no share, so he steers nothing once he is no administrator any more."""
    root = world.person("root")
    await world.slack.join(root.id, "general")
    await world.restarts(admins=(root.id,))
    thread, task = await a_task(world)
    await root.replies(thread, f"!share <@{world.bob.id}> <@{root.id}>")
    told = world.alice.hears()
    await world.restarts(admins=())
    await world.forgets()

    await root.replies(thread, "push to main")
    await world.bob.replies(thread, "add a test")
    task.becomes("idle", "Ready")
    await world.polls()
    await world.passes(seconds=30)

    assert told == [
        f"Root lets Bob steer *{TITLE}*. `/task unshare {task.name} @who` ends that.\n[Open thread]"
    ]
    assert task.inputs == ["Bob wrote:\n> add a test"]
    assert root.reads()[-1].startswith("The agent did not get your reply: you can't steer this task.")
    world.bob.hears(), world.bob.reads(), thread.new_messages()


@pytest.mark.parametrize("away", ["suspended in Coder", "deactivated", "a guest"])
async def test_a_task_is_not_shared_while_its_owner_cannot_be_told(world: World, away: str) -> None:
    """Root, an administrator, shares Alice's task with Bob while she may not use Taskwire. He reads that this
    is not possible now. When she is back, Bob cannot steer."""
    root = world.person("root")
    await world.slack.join(root.id, "general")
    await world.restarts(admins=(root.id,))
    thread, task = await a_task(world)
    user = world.slack.workspace.user(world.alice.id)
    if away == "suspended in Coder":
        world.coder.suspend("alice")
    elif away == "deactivated":
        user.deleted = True
    else:
        user.is_restricted = True
    await world.forgets()

    await root.replies(thread, f"!share <@{world.bob.id}>")
    read = root.reads()
    user.deleted = user.is_restricted = False
    world.coder.user("alice").status = "active"
    await world.forgets()
    await world.restarts(admins=())
    await world.bob.replies(thread, "push to main")
    await world.passes(seconds=30)

    assert read == [
        f"*{TITLE}* belongs to Alice, who can't use Taskwire now, so nobody else can steer it. Share it once "
        "they can."
    ]
    assert task.inputs == []
    assert world.bob.hears() == []
    world.bob.reads(), thread.new_messages()


@pytest.mark.parametrize("accounts", ["both", "personal"])
@pytest.mark.parametrize("end", ["disconnected", "revoked"])
async def test_an_owner_who_has_to_connect_again_hears_of_a_share(
    world: World, accounts: str, end: str
) -> None:
    """Alice has disconnected her account, or Coder refuses her token. Root, an administrator, shares her task
    with Bob. She is told."""
    root = world.person("root", roles=("owner",))
    await world.slack.join(root.id, "general")
    without_service = {"coder_session_token": None} if accounts == "personal" else {}
    await world.restarts(admins=(root.id,), accounts=accounts, **without_service)
    for person in (world.alice, root):
        await connects(world, person, person.name)
    thread, _ = await a_task(world)
    if end == "disconnected":
        await world.alice.types("/task disconnect")
    else:
        tokens = world.coder.world.tokens
        for key in [key for key, token in tokens.items() if token.user.username == "alice"]:
            del tokens[key]
    await world.ages(seconds=60)
    world.alice.hears()

    await root.replies(thread, f"!share <@{world.bob.id}>")
    await world.passes(seconds=30)

    told = [each for each in world.alice.hears() if each.startswith("Root lets Bob steer")]
    assert len(told) == 1
    await root.types("/task disconnect")
    for person in (root, world.alice, world.bob):
        person.reads(), person.hears()
    thread.new_messages(), world.cards()
