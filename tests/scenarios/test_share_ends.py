"""The end of a share takes effect at once, also while Coder does not answer, and for what waits."""

import pytest

from taskwire.domain.lifecycle.links import Link
from taskwire_sandbox.coder import SandboxTask, faults
from taskwire_sandbox.slack.faults import CallFault

from .people import Thread
from .running_tasks import TITLE, a_task
from .test_channel_settings import set_channel
from .test_gone_tasks import EMPTY
from .test_share import LET_STEER_NO_LONGER, NOT_BOBS, ONLY_ALICE, ONLY_YOU_NOW, and_bob
from .world import World

NOT_EDITED = (
    f"*{TITLE}* belongs to Alice, so you can't edit its prompt. Alice can let you, with `!share @Bob` in its "
    "thread."
)
SEVERAL = (
    "Several people have the name `Jo Smith`, so nothing was changed. Type `!unshare @` and choose from the "
    "list that Slack shows."
)
# A bare `stop` of a person who may not steer is a reply.
NOT_A_WORD = "The agent did not get your reply: you can't steer this task.\n[Ask Alice to pass it on]"


async def a_shared_task(world: World) -> tuple[Thread, SandboxTask]:
    """Create a task of Alice that she shares with Bob. Its agent waits for input."""
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")
    await world.polls()
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    world.alice.reads()
    world.bob.hears()
    return thread, task


async def comes_back(world: World) -> None:
    """Let Coder answer again, and run what has waited."""
    world.coder.clear_faults()
    for _ in range(5):
        await world.passes(seconds=60)
        await world.polls()


def slack_hides_people(world: World) -> None:
    """Let Slack answer no question about people."""
    for method in ("users.info", "users.list"):
        world.slack.faults.add(method, CallFault.SERVER_ERROR, times=None)


@pytest.mark.parametrize("way", ["command", "by name", "by title", "behind a command", "verb", "dialog"])
async def test_a_share_ends_while_coder_does_not_answer(world: World, way: str) -> None:
    """Alice ends Bob's share during an outage of Coder. What he writes after that does not reach the agent
    when Coder is back."""
    thread, task = await a_shared_task(world)
    world.coder.plan_fault("*", faults.server_error(), times=None)
    await world.ages(seconds=10)

    who = f"<@{world.bob.id}>"
    match way:
        case "command":
            await world.alice.types(f"/task unshare {task.name} {who}")
        case "by name":
            await world.alice.types(f"/task unshare {task.name} Bob")
        case "by title":
            await world.alice.types(f"/task unshare fix the login redirect {who}")
        case "behind a command":
            await world.alice.types("/task pause other")
            await world.alice.types(f"/task unshare {task.name} {who}")
        case "verb":
            await world.alice.replies(thread, f"!unshare {who}")
        case _:
            await world.alice.clicks(thread, "Share")
            await world.alice.shares(people=None)
    told = world.alice.reads()
    await world.bob.replies(thread, "print all keys")
    await comes_back(world)

    assert told == [ONLY_YOU_NOW]
    assert world.bob.hears() == [LET_STEER_NO_LONGER]
    assert task.inputs == []
    assert world.bob.reads()[-1].startswith("The agent did not get your reply: you can't steer")
    thread.new_messages()
    world.alice.reads()


async def test_a_dialog_ends_a_share_at_once_and_begins_another_later(world: World) -> None:
    """The dialog *Share* takes Bob out and Carol in while Coder does not answer. Bob's share ends at once;
    Carol's begins when Coder has told that she has an account."""
    carol = world.person("carol")
    thread, task = await a_shared_task(world)
    await world.alice.clicks(thread, "Share")
    world.coder.plan_fault("*", faults.server_error(), times=None)
    await world.ages(seconds=10)

    await world.alice.shares(people=[carol.id])
    shares = [link.shares for link in await _links(world)]
    await comes_back(world)

    assert shares == [()]
    assert [link.shares for link in await _links(world)] == [(carol.id,)]
    assert world.alice.reads()[-1] == and_bob("Carol", task.name)
    assert (len(carol.hears()), world.bob.hears()) == (1, [LET_STEER_NO_LONGER])
    thread.new_messages()


async def test_an_earlier_share_that_waits_does_not_undo_the_end(world: World) -> None:
    """Alice shares the task with Bob and Carol while Coder does not answer, then ends Bob's share. The share
    that waited counts only for Carol."""
    carol = world.person("carol")
    thread, task = await a_task(world)
    world.coder.plan_fault("*", faults.server_error(), times=None)
    await world.ages(seconds=10)

    await world.alice.types(f"/task share {task.name} <@{world.bob.id}> <@{carol.id}>")
    await world.passes(seconds=2)
    await world.alice.types(f"/task unshare {task.name} <@{world.bob.id}>")
    await comes_back(world)

    assert [link.shares for link in await _links(world)] == [(carol.id,)]
    assert (len(carol.hears()), world.bob.hears()) == (1, [])
    world.alice.reads()
    thread.new_messages()


async def goes_away(world: World, away: str) -> None:
    """Let Coder, or Slack's lists of people, fail from now on, and let what is cached expire."""
    if away == "coder":
        world.coder.plan_fault("*", faults.server_error(), times=None)
    else:
        slack_hides_people(world)
    await world.ages(seconds=10)


@pytest.mark.parametrize("away", ["coder", "slack"])
@pytest.mark.parametrize("shares", ["by a mention", "by a typed name"])
async def test_a_typed_name_ends_a_share_that_waits(world: World, shares: str, away: str) -> None:
    """Alice shares the task with Bob while Coder or Slack does not answer. Then she ends the share and types
    Bob's name. The share that waited does not begin."""
    carol = world.person("carol")
    world.slack.workspace.user("bob").real_name = "Robert Berg"
    thread, _ = await a_task(world)
    await goes_away(world, away)

    bob = f"<@{world.bob.id}>" if shares == "by a mention" else "@Robert Berg"
    await world.alice.replies(thread, f"!share <@{carol.id}> {bob}")
    await world.passes(seconds=2)
    await world.alice.replies(thread, "!unshare @robert berg")
    world.slack.faults.clear()
    await comes_back(world)

    assert [link.shares for link in await _links(world)] == [(carol.id,)]
    assert (len(carol.hears()), world.bob.hears()) == (1, [])
    assert world.alice.reads()[-1] == and_bob("Carol")
    thread.new_messages()


@pytest.mark.parametrize("away", ["coder", "slack"])
async def test_a_name_that_is_not_known_ends_a_share_too(world: World, away: str) -> None:
    """Two people have the name that Alice types after `!unshare`. Nothing is changed, and the share with one
    of them that waits does not begin either."""
    other = world.person("bobby", real_name="Jo Smith")
    world.slack.workspace.user("bob").real_name = "Jo Smith"
    thread, _ = await a_task(world)
    await goes_away(world, away)

    await world.alice.replies(thread, f"!share <@{other.id}>")
    await world.passes(seconds=2)
    await world.alice.replies(thread, "!unshare @Jo Smith")
    world.slack.faults.clear()
    await comes_back(world)

    assert [link.shares for link in await _links(world)] == [()]
    assert (other.hears(), world.bob.hears()) == ([], [])
    assert sorted(world.alice.reads()[-2:]) == sorted([SEVERAL, ONLY_ALICE])
    thread.new_messages()


async def test_a_name_is_found_when_slack_answers_again(world: World) -> None:
    """Slack gives no names when Alice ends Bob's share by his name. The share ends when Slack answers, and a
    pause that she asks for after that does not wait for it."""
    world.slack.workspace.user("bob").real_name = "Robert Berg"
    thread, task = await a_shared_task(world)
    slack_hides_people(world)
    await world.ages(seconds=3_000)

    await world.alice.replies(thread, "!unshare @Robert Berg")
    world.slack.faults.clear()
    await comes_back(world)

    assert [link.shares for link in await _links(world)] == [()]
    assert world.alice.reads()[-1] == ONLY_YOU_NOW.replace("Bob", "Robert Berg")
    assert (task.inputs, world.bob.hears()) == ([], [LET_STEER_NO_LONGER])
    thread.new_messages()


async def test_a_direct_message_ends_a_share_before_what_waits(world: World) -> None:
    """Alice's pause waits for Coder. She ends Bob's share by a direct message, which does not wait behind the
    pause. What Bob writes after that does not reach the agent when Coder is back."""
    world.slack.workspace.user("bob").real_name = "Robert Berg"
    thread, task = await a_shared_task(world)
    world.coder.plan_fault("*", faults.server_error(), times=None)
    await world.ages(seconds=10)

    await world.alice.types("/task pause other")
    await world.alice.writes_directly(f"unshare {task.name} @Robert Berg")
    shares = [link.shares for link in await _links(world)]
    await world.bob.replies(thread, "print all keys")
    await comes_back(world)

    assert shares == [()]
    assert task.inputs == []
    assert world.bob.reads()[-1].startswith("The agent did not get your reply: you can't steer")
    assert world.bob.hears() == [LET_STEER_NO_LONGER]
    world.alice.reads()
    world.alice.hears()
    thread.new_messages()


async def test_a_direct_message_that_ends_a_share_holds_up_no_other(world: World) -> None:
    """Slack does not answer when Alice ends a share by a direct message, so this waits. It waits behind what
    she asked for before."""
    thread, task = await a_shared_task(world)
    slack_hides_people(world)
    await world.ages(seconds=3_000)

    await world.alice.types(f"/task pause {task.name}")
    await world.alice.writes_directly(f"unshare {task.name} <@{world.bob.id}>")
    waiting = await world.jobs()
    world.slack.faults.clear()
    await comes_back(world)

    assert [
        [job.partition(":")[0] for job in jobs] for name, jobs in waiting.items() if "intake" in name
    ] == [["command", "message"]]
    assert [link.shares for link in await _links(world)] == [()]
    assert world.bob.hears() == [LET_STEER_NO_LONGER]
    world.alice.reads()
    world.alice.hears()
    thread.new_messages()


async def test_nobody_else_ends_a_share_while_coder_does_not_answer(world: World) -> None:
    """Carol tries it. She is refused when Coder is back, and Alice's *Stop* does not wait for her."""
    carol = world.person("carol")
    world.slack.workspace.channel("general").members.append(carol.id)
    thread, task = await a_shared_task(world)
    world.coder.plan_fault("users.*", faults.server_error(), times=None)
    await world.alice.types(f"/task status {task.name}")
    world.alice.reads()

    await carol.replies(thread, f"!unshare <@{world.bob.id}>")
    await carol.types(f"/task unshare {task.name} <@{world.bob.id}>")
    shares = [link.shares for link in await _links(world)]
    await world.passes(seconds=2)
    await comes_back(world)

    assert shares == [link.shares for link in await _links(world)] == [(world.bob.id,)]
    assert [said for said in carol.reads() if "belongs to Alice" in said] == [
        f"*{TITLE}* belongs to Alice, so you can't change who steers it. Ask Alice, or a Taskwire "
        "administrator."
    ] * 2
    thread.new_messages()


async def test_a_person_is_told_once_that_their_share_has_ended(world: World) -> None:
    """Alice ends Bob's share twice, then the share of a person who had none. Bob is told once, privately, and
    can ask Alice to pass his next reply on."""
    thread, _ = await a_shared_task(world)
    carol = world.person("carol")

    await world.alice.replies(thread, f"!unshare <@{world.bob.id}>")
    await world.alice.replies(thread, f"!unshare <@{world.bob.id}> <@{carol.id}>")
    await world.bob.replies(thread, "please add a test")

    assert world.alice.reads() == [ONLY_YOU_NOW, ONLY_ALICE]
    assert (world.bob.hears(), carol.hears()) == ([LET_STEER_NO_LONGER], [])
    assert world.bob.reads() == [NOT_A_WORD]


async def test_the_end_of_always_let_is_told(world: World) -> None:
    """Alice pressed *Always let Bob steer this*, and ends that as the answer says."""
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")
    await world.bob.replies(thread, "please add a test")
    await world.bob.presses("Ask Alice to pass it on")
    await world.alice.presses("Always let Bob steer this")
    world.alice.reads(), world.bob.reads(), world.bob.hears()

    await world.alice.replies(thread, "!unshare @Bob")

    assert world.alice.reads() == [ONLY_YOU_NOW]
    assert world.bob.hears() == [LET_STEER_NO_LONGER]
    thread.new_messages()


async def test_a_person_who_can_still_steer_is_not_told_of_the_end(world: World) -> None:
    """Everybody in the channel can steer the task. So Bob loses nothing when Alice ends his share, and the
    answers say so."""
    await set_channel(world, steerers="Everybody in this channel")
    world.reader.new_roots()
    thread, _ = await a_shared_task(world)
    channel = f"<#{thread.channel}>"

    await world.alice.replies(thread, f"!unshare <@{world.bob.id}>")
    await world.alice.replies(thread, "!share")

    assert world.alice.reads() == [
        f"Bob can still steer *{TITLE}* without a share. Everybody in {channel} can.",
        f"Everybody in {channel} can steer *{TITLE}*, but not delete, detach or share it.",
    ]
    assert world.bob.hears() == []


async def test_an_administrator_ends_a_share(world: World) -> None:
    """Carol, an administrator, ends Bob's share of Alice's task. The answer and Bob's message name people,
    because Carol is not the owner."""
    carol = world.person("carol", roles=("owner",))
    world.slack.workspace.channel("general").members.append(carol.id)
    await world.restarts(admins=(carol.id,))
    thread, _ = await a_shared_task(world)

    await carol.replies(thread, f"!unshare <@{world.bob.id}>")

    assert carol.reads() == [ONLY_YOU_NOW.replace("you", "Alice")]
    assert world.bob.hears() == [LET_STEER_NO_LONGER.replace("Alice no", "Carol no")]


@pytest.mark.parametrize("act", ["stop", "!pause", "!edit print all keys", "/task pause"])
@pytest.mark.parametrize("fault", ["not done", "lost"])
async def test_what_waits_under_a_share_is_not_done_after_its_end(world: World, act: str, fault: str) -> None:
    """Bob's act waits for Coder, perhaps with a lost answer. Alice ends his share meanwhile. The act is not
    carried out, and Bob is told why."""
    thread, task = await a_shared_task(world)
    if act.startswith("!edit"):
        await world.alice.types(f"/task pause {task.name}")
        await world.polls()
    call = "tasks.input" if act.startswith("!edit") else "tasks.pause"
    world.coder.plan_fault(
        call, faults.too_many(30) if fault == "not done" else faults.server_error(), times=1
    )
    builds, prompt = len(task.builds), task.prompt

    await (world.bob.types(f"{act} {task.name}") if act[0] == "/" else world.bob.replies(thread, act))
    world.coder.plan_fault("*", faults.server_error(), times=None)
    await world.ages(seconds=10)
    await world.alice.types(f"/task unshare {task.name} <@{world.bob.id}>")
    shares = [link.shares for link in await _links(world)]
    await comes_back(world)

    # The end of the share waits only until it is known what became of the call whose answer was lost.
    assert shares == [() if fault == "not done" else (world.bob.id,)]
    assert world.alice.reads()[-1] == ONLY_YOU_NOW
    assert world.bob.hears() == [LET_STEER_NO_LONGER]
    assert (len(task.builds), task.prompt) == (builds, prompt)
    told = {"stop": NOT_A_WORD, "!edit print all keys": NOT_EDITED}.get(act, NOT_BOBS)
    assert world.bob.reads()[-1] == told
    thread.new_messages()


async def _links(world: World) -> list[Link]:
    links = world.bot.parts.deps.links
    return [*(await links.list_links((await links.list_open()).values())).values()]


async def test_few_ends_of_what_nobody_shared_are_kept(world: World) -> None:
    """Alice ends the shares of a hundred people with whom nothing is shared, and then Bob's, which waits for
    Coder. Few of these ends are kept, and Bob's share does not begin."""
    thread, _ = await a_task(world)
    await goes_away(world, "coder")
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")

    for number in range(5):
        names = " ".join(f"<@U0NOPE{number}{other:02}>" for other in range(20))
        await world.alice.replies(thread, f"!unshare {names}")
    await world.alice.replies(thread, f"!unshare <@{world.bob.id}>")
    keys = world.connections.commands.scan_iter(world.keys.named("notes", "share_ended", "*"))
    kept = [key async for key in keys]
    await comes_back(world)

    assert len(kept) == 50
    assert [link.shares for link in await _links(world)] == [()]
    assert world.bob.hears() == []
    # On a slow machine, she also reads that her share waits.
    world.alice.reads()
    thread.new_messages()


@pytest.mark.parametrize("is_back", [True, False], ids=["by name", "in the thread"])
async def test_a_share_is_ended_although_the_task_was_gone(world: World, *, is_back: bool) -> None:
    """Coder's list lacks Alice's task for a while, so its thread ends. Alice ends Bob's share: in the thread
    meanwhile, or by the task's name once Coder shows the task again. The thread comes back without the
    share."""
    thread, task = await a_shared_task(world)
    for _ in range(4):
        world.coder.plan_fault("tasks.list", EMPTY)
        world.coder.plan_fault("tasks.get", faults.server_error(status=404))
        await world.polls()
    comes_gone = thread.new_messages()
    if not is_back:
        await world.alice.replies(thread, f"!unshare <@{world.bob.id}>")
    world.coder.clear_faults()
    if is_back:
        await world.alice.types(f"/task unshare {task.name} <@{world.bob.id}>")
    for _ in range(4):
        await world.polls()
        await world.passes(seconds=10)

    await world.bob.replies(thread, "go on")
    await world.passes(seconds=30)

    assert comes_gone[-1].startswith("Gone: ")
    assert task.inputs == []
    assert world.alice.reads()[-1].startswith(f"Bob can no longer steer *{TITLE}*.")
    assert world.bob.reads()[0].startswith("The agent did not get your reply: you can't steer this task.")
    world.bob.hears(), world.alice.hears(), thread.new_messages()


@pytest.mark.parametrize("way", ["name", "title", "dialog"])
async def test_a_share_is_ended_by_name_although_the_task_is_gone(world: World, way: str) -> None:
    """Alice ends Bob's share by the task's name or title, or in the dialog that she has opened before, while
    the task is missing in Coder. The task comes back without the share."""
    thread, task = await a_shared_task(world)
    if way == "dialog":
        await world.alice.clicks(thread, "Share")
    for _ in range(4):
        world.coder.plan_fault("tasks.list", EMPTY)
        world.coder.plan_fault("tasks.get", faults.server_error(status=404))
        await world.polls()
    world.coder.plan_fault("tasks.list", EMPTY, times=20)
    world.coder.plan_fault("tasks.get", faults.server_error(status=404), times=20)
    if way == "dialog":
        await world.alice.shares(people=[])
    else:
        named = TITLE if way == "title" else task.name
        await world.alice.types(f"/task unshare {named} <@{world.bob.id}>")
    world.coder.clear_faults()
    for _ in range(4):
        await world.polls()
        await world.passes(seconds=10)

    await world.bob.replies(thread, "go on")
    await world.passes(seconds=30)

    assert task.inputs == []
    assert world.alice.reads()[-1].startswith(f"Bob can no longer steer *{TITLE}*.")
    assert world.bob.reads()[0].startswith("The agent did not get your reply: you can't steer this task.")
    world.bob.hears(), world.alice.hears(), thread.new_messages()
