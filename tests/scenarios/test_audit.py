"""The audit trail: who did what to which task, from where, and how the act ended."""

import json
import re
from typing import cast

from taskwire.domain.audit import AuditFilter
from taskwire.state.audit import AuditTrail
from taskwire_sandbox.coder.faults import Fault
from taskwire_sandbox.coder.wire import Response

from .people import Thread
from .running_tasks import a_task
from .waiting import a_busy_agent, takes_all
from .world import World

ONLY_ADMINS = "Only Taskwire administrators can see who did what. Ask one of them."


def trail(world: World) -> AuditTrail:
    return world.bot.parts.deps.audit


async def entries(world: World) -> list[str]:
    """Return each entry as one line, the oldest first. Check that no entry was removed or changed."""
    found = []
    async for stored in trail(world).read(AuditFilter()):
        entry = stored.entry
        name = world.slack.workspace.users[entry.person].name
        reason = f" ({entry.reason})" if entry.reason else ""
        status = f", Coder {entry.coder_status}" if entry.coder_status else ""
        found.append(f"{name} {entry.verb} by {entry.surface}: {entry.outcome}{reason}{status}")
    assert await trail(world).find_break() is None
    return found


def forget_messages(world: World, thread: Thread) -> None:
    """Count all messages as read, because other scenarios check them."""
    for person in (world.alice, world.bob):
        person.reads()
    thread.new_messages()


def timeless(said: str) -> str:
    """Return a page of the trail without times, references and e-mail addresses."""
    said = re.sub(r"<!date\^\d+\^[^|]*\|[^>]*>", "(time)", said)
    return re.sub(r" · `[0-9a-f]{12}`", "", said)


async def test_every_surface_leaves_one_entry(world: World) -> None:
    """Each act leaves one entry, whether it came by command, reply, button or form. The entry of a refused
    act has the reason. A query leaves no entry."""
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")
    await world.polls()

    await world.alice.replies(thread, "please add a test")
    await world.bob.replies(thread, "drop the database")
    await world.bob.replies(thread, "!pause")
    await world.alice.clicks(thread, "Stop")
    await world.polls()
    await world.alice.types(f"/task resume {task.name}")
    await world.alice.types(f"/task status {task.name}")
    await world.bob.types("/task pause no-such-task")
    await world.alice.types("/task create")
    await world.alice.submits(prompt="and another")
    await world.polls()

    assert await entries(world) == [
        "alice create by command: done, Coder 201",
        "alice send by reply: done, Coder 204",
        "bob send by reply: refused (not_allowed)",
        "bob stop by reply: refused (not_allowed)",
        "alice stop by button: done, Coder 202",
        "alice resume by command: done, Coder 202",
        "bob stop by command: refused (no_such_task)",
        "alice create by dialog: done, Coder 201",
    ]
    world.cards()
    forget_messages(world, thread)


async def test_an_entry_names_people_and_the_task_and_never_their_words(world: World) -> None:
    """An entry names the person and the task. The test compares a whole entry, which contains neither a
    prompt nor a reply."""
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")

    await world.alice.replies(thread, "use the secret word xyzzy")

    [_, sent] = [stored async for stored in trail(world).read(AuditFilter())]
    assert sent.entry.model_dump(exclude={"reference"}) == {
        "person": world.alice.id,
        "account": "alice",
        "verb": "send",
        "task_id": task.id,
        "task": task.name,
        "surface": "reply",
        "channel": thread.channel,
        "outcome": "done",
        "reason": "",
        "coder_status": 204,
    }
    forget_messages(world, thread)


async def test_what_coder_refuses_is_recorded_as_failed(world: World) -> None:
    """Coder refuses an act. The act's entry says that it failed, and has the HTTP status of Coder's
    answer."""
    world.coder.settings.lacks_agent_license = True

    await world.alice.runs("/task create fix it")

    [said] = await entries(world)
    assert re.fullmatch(r"alice create by command: failed \(coder_refused\), Coder 4\d\d", said), said
    world.alice.reads()


async def test_an_act_that_is_tried_again_has_one_entry(world: World) -> None:
    """Coder does not answer the first try of an act, and the bot tries again. The trail has one entry for the
    act, with the result of the latest try."""
    thread, task = await a_task(world)
    for _ in range(2):
        world.coder.plan_fault("tasks.pause", Fault("away", executes=False, answer=Response(503, b"")))

    await world.alice.replies(thread, "!pause")
    for _ in range(4):
        await world.passes(seconds=30)

    assert (await entries(world))[1:] == ["alice stop by reply: done, Coder 202"]
    assert task.status == "paused"
    forget_messages(world, thread)


async def test_edits_of_waiting_replies_are_recorded(world: World) -> None:
    """An edit of a waiting reply changes what the agent gets, so it has an entry. An edit of a delivered
    reply has none."""
    thread, task = await a_busy_agent(world)
    first = await world.alice.replies(thread, "use the secret word xyzzy")
    second = await world.alice.replies(thread, "and another")

    await world.alice.edits(thread, first, "use main")
    await world.alice.deletes(thread, second)
    await takes_all(world, task)
    await world.passes(seconds=31)
    await world.alice.edits(thread, first, "use develop")

    assert (await entries(world))[1:] == [
        "alice edit_reply by reply: done",
        "alice delete_reply by reply: done",
        "alice send by reply: done, Coder 204",
    ]
    forget_messages(world, thread)


async def test_replies_that_are_given_up_together_have_an_entry_each(world: World) -> None:
    """The bot gives up three waiting replies at the same moment. The trail has one entry for each reply."""
    thread, task = await a_busy_agent(world)
    for text in ("first", "second", "third"):
        await world.alice.replies(thread, text)

    await world.passes(seconds=86_400)
    await world.passes(seconds=60)

    assert task.inputs == []
    given_up = "alice send by reply: failed (not_delivered)"
    assert (await entries(world))[1:] == [given_up, given_up, f"{given_up}, Coder 409"]
    numbers = [stored.number async for stored in trail(world).read(AuditFilter())]
    assert numbers == [1, 2, 3, 4]
    forget_messages(world, thread)


async def test_administrators_page_through_who_did_what(world: World) -> None:
    """An administrator asks for the audit trail, and sees the newest entries first. The buttons show another
    page in the same message."""
    await world.restarts(admins=(world.bob.id,))
    thread, task = await a_task(world)
    for number in range(6):
        await world.alice.replies(thread, "!mute")
        await world.alice.replies(thread, "!unmute")
        await world.passes(seconds=60 + number)
    world.alice.reads()

    await world.bob.types("/task audit verb=mute")
    [filtered] = world.bob.reads()
    await world.bob.types("/task audit")
    [first] = world.bob.reads()
    await world.bob.presses("Older")
    second = world.bob.sees()
    await world.bob.types("/task audit since=2m who=alice task=fix")
    [lately] = world.bob.reads()

    where = f"by reply in <#{thread.channel}>: done"
    row = f"(time)  <@{world.alice.id}> (alice)  *{{}}* `{task.name}` {where}"
    assert timeless(filtered).splitlines() == ["Who did what · verb=mute:", *[row.format("mute")] * 6]
    pairs = [row.format("unmute"), row.format("mute")]
    looked = f"(time)  <@{world.bob.id}> (bob)  *audit* by command in <#{thread.channel}>: done"
    assert timeless(first).splitlines() == ["Who did what:", looked, *pairs * 4, pairs[0], "[Older]"]
    assert timeless(second).splitlines()[:5] == ["Who did what · page 2:", *pairs, *pairs]
    assert timeless(second).splitlines()[5].startswith(f"(time)  <@{world.alice.id}> (alice)  *create*")
    assert timeless(second).splitlines()[6] == "[Newer]"
    assert timeless(lately).splitlines() == ["Who did what · since=2m who=alice task=fix:", *pairs]


async def test_administrators_get_the_trail_as_a_file(world: World) -> None:
    """An administrator asks for the audit trail as a file. Each line of the file is one JSON object, with the
    hash of the entry."""
    await world.restarts(admins=(world.bob.id,))
    await world.alice.runs("/task create fix it")

    await world.bob.types("/task audit export since=1h")

    assert world.bob.reads() == [
        "*Who did what* is in your direct messages with me, as a file.\n[Open the file]"
    ]
    [file] = world.slack.backend.files.files.values()
    rows = [json.loads(line) for line in file.content.decode().splitlines()]
    assert [(row["number"], row["person"], row["verb"], len(row["hash"])) for row in rows] == [
        (1, world.alice.id, "create", 40)
    ]
    assert world.cards()[-1] == "(file audit.jsonl)"


async def test_nobody_else_sees_who_did_what(world: World) -> None:
    """People who are no administrators get the audit trail neither as a list nor as a file. Their help does
    not name the verb `audit`."""
    await world.alice.types("/task audit")
    await world.alice.types("/task audit export")
    await world.alice.types("/task help")

    first, second, helped = world.alice.reads()
    assert (first, second) == (ONLY_ADMINS, ONLY_ADMINS)
    assert await entries(world) == [
        "alice audit by command: refused (not_allowed)",
        "alice export_audit by command: refused (not_allowed)",
    ]
    assert "audit" not in helped


async def test_administrators_are_told_that_somebody_changed_the_trail(world: World) -> None:
    """Somebody has removed an entry of the audit trail from Redis. The next answer about the trail names that
    entry, and asks the administrator to compare the trail with Taskwire's log."""
    await world.restarts(admins=(world.bob.id,))
    for number in range(2):
        await world.alice.runs(f"/task create do {number}")
        await world.passes(seconds=2)
    key = world.keys.named("audit")
    rows = cast("list[tuple[str, object]]", await world.connections.commands.xrange(key))
    await world.connections.commands.xdel(key, rows[0][0])

    await world.bob.types("/task audit who=nobody")

    assert world.bob.reads() == [
        ":warning: Somebody may have changed this list. Entry 1 is missing. Compare the list with "
        "Taskwire's log. "
        "Nothing fits `who=nobody`."
    ]
