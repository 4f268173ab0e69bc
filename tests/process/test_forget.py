"""`taskwire forget` removes what is stored about a person, also while a bot runs."""

import json
import re

from redis.asyncio import Redis

from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.domain.queueing.jobs import AnswerInThread, Job
from taskwire.domain.queueing.person_jobs import AnswerQuestion, ConnectAccount, WaitForAccount
from taskwire.domain.queueing.queues import account, thread_answers, waiting_requests
from taskwire.domain.requester import Requester
from taskwire.queue.batch import Batch
from taskwire.queue.leases import Queues
from taskwire.queue.scripts import ServerClock
from taskwire.redis import connection
from taskwire.redis.keys import Keys
from taskwire.state.accounts import AccountStore, seal_pasted
from taskwire_sandbox.coder.faults import Fault
from taskwire_sandbox.coder.wire import Response
from tests.sealed import open_all

from .processes import Place, Taskwire, until

STAYS = (
    "What stays: messages in Slack; tasks and the user in Coder; in the audit trail, the id and the user "
    "name in Coder until its entries end (TASKWIRE_AUDIT_DAYS); the id of the person who last acted on "
    "another person's task.\n"
)


async def forget(place: Place, who: str) -> tuple[int, str]:
    running = await place.run("forget", "--person", who)
    return await running.wait_for_exit(), running.output


async def stored(url: str) -> str:
    """Return all keys and values in Redis as one text, with encrypted values decrypted. The audit trail and
    the job numbers of empty queues are left out."""
    found = []
    async with Redis.from_url(url, decode_responses=True) as redis:
        async for key in redis.scan_iter("*"):
            if key.endswith((":audit", ":audit:head")) or (":queue:" in key and key.endswith(":state")):
                continue
            match await redis.type(key):
                case "string":
                    found.append(f"{key} {await redis.get(key)!r}")
                case "hash":
                    found.append(f"{key} {json.dumps(await redis.hgetall(key))}")
                case "zset":
                    found.append(f"{key} {await redis.zrange(key, 0, -1)}")
                case "list":
                    found.append(f"{key} {await redis.lrange(key, 0, -1)}")
    return open_all("\n".join(found))


async def _work_of_two_people(place: Place, bot: Taskwire) -> tuple[str, str]:
    """Let Alice and Bob each create a task, and share Bob's task with Alice. Return the threads of both
    tasks."""
    for person, prompt in (("alice", "the secret garden"), ("bob", "mend the fence")):
        await place.slack.command(person, "general", "/task", f"create {prompt}")
    await until(lambda: bot.output.count('"verb": "create"') == 2, "two tasks")
    alice = place.slack.workspace.user("alice").id
    fence = next(task.name for task in place.coder.tasks if "fence" in task.name)
    await place.slack.command("bob", "general", "/task", f"share {fence} <@{alice}>")
    await until(lambda: '"verb": "share"' in bot.output, "the share")
    garden, other = (
        next(str(m["ts"]) for m in place.slack.messages("general") if word in str(m["text"]))
        for word in ("secret garden", "Mend the fence")
    )
    return garden, other


async def test_a_person_is_forgotten_beside_a_running_bot(place: Place, redis_url: str) -> None:
    """While the bot runs, `forget` removes everything about a person, except the audit trail. Tasks of other
    people continue."""
    place.settings |= {"REDIS_URL": redis_url, "TASKWIRE_ACCOUNTS": "both"}
    bot = await place.run_ready()
    garden, _ = await _work_of_two_people(place, bot)
    alice = place.slack.workspace.user("alice").id
    place.coder.suspend("alice")
    before = await _suspend(redis_url, place, UserId(alice))

    code, said = await forget(place, "alice@example.com")
    again = await forget(place, alice)
    await until(lambda: "Detached" in str(place.slack.message("general", garden)["text"]), "the card")
    after = await stored(redis_url)
    audit = await place.run("audit", "--json")
    await audit.wait_for_exit()

    assert f"account_suspensions:{alice}" in before
    assert "secret garden" in before
    assert code == 0
    assert said.startswith(f"Removed of {alice}:\n")
    assert "  threads of tasks: 2\n" in said
    assert said.endswith(STAYS)
    assert again == (0, f"Nothing is stored about {alice}.\n")
    assert alice not in after
    assert "secret garden" not in after
    assert "mend the fence" in after
    assert f'"person": "operator", "account": "", "verb": "forget", "task_id": "", "task": "{alice}"' in (
        audit.output
    )
    assert "secret-garden" in before
    assert "secret-garden" not in after + audit.output + bot.output
    assert "mend-the-fence" in audit.output
    task_id = next(task.id for task in place.coder.tasks if "garden" in task.name)
    detached = str(place.slack.message("general", garden)["text"])
    assert detached == f"Detached: {task_id}. Template: Tasks on Docker."
    assert len(place.coder.tasks) == 2


async def test_an_account_stays_while_coder_does_not_answer(place: Place, redis_url: str) -> None:
    """If Coder does not answer, `forget` keeps a person's account, because the person's token still exists in
    Coder. The next `forget` deletes the account and the token."""
    place.settings |= {"REDIS_URL": redis_url, "TASKWIRE_ACCOUNTS": "both"}
    bot = await place.run_ready()
    alice = UserId(place.slack.workspace.user("alice").id)
    await _connect(redis_url, place, alice)
    await until(lambda: "account connected" in bot.output, "the account")
    await until(lambda: _tokens(place) == ["taskwire"], "the pasted token to be deleted")
    place.coder.plan_fault("keys.delete", Fault("away", executes=False, answer=Response(503, b"")))

    code, said = await forget(place, alice)
    held = _tokens(place)
    second_code, second = await forget(place, alice)

    assert code == 1
    assert "Not removed: the Coder account and its token, because Coder does not answer: " in said
    assert held == ["taskwire"]
    assert second_code == 0
    assert "  the Coder account and its token\n" in second
    assert _tokens(place) == []
    assert alice not in await stored(redis_url)


def _tokens(place: Place) -> list[str]:
    return [key.name for key in place.coder.world.tokens.values() if key.user.username == "alice"]


async def _connect(url: str, place: Place, alice: UserId) -> None:
    """Write the job that Taskwire writes when Alice submits the dialog with her token."""
    keys = Keys(place.slack.workspace.team_id)
    requester = Requester(person=alice, channel=ChannelId("C1"), at=Ts("1764072000.000000"))
    work = ConnectAccount(
        requester=requester, sealed_token=seal_pasted(place.coder.add_token("alice"), alice)
    )
    async with connection.open(url) as store:
        queues = Queues(store, keys, ServerClock())
        await queues.write(Batch().append(account(alice), Job(id="dialog:1", work=work)))


async def _suspend(url: str, place: Place, person: UserId) -> str:
    """Write that Coder has suspended a person, as Taskwire does. Return what is stored then.

    The running bot removes this if it still knows an answer of Coder from before the suspension.
    """
    keys, found = Keys(place.slack.workspace.team_id), ""

    async def is_kept() -> bool:
        nonlocal found
        async with connection.open(url) as store:
            batch = AccountStore(store, keys).note_suspended(Batch(), person, "alice", "")
            await Queues(store, keys, ServerClock()).write(batch)
        found = await stored(url)
        return f"account_suspensions:{person}" in found

    await until(is_kept, "the suspension")
    return found


async def _wait_for_account(url: str, place: Place, asked: UserId, *owners: UserId) -> None:
    """Let a request of the person `asked` wait for the Coder account of each of these owners. An owner may be
    `asked` or another person."""
    keys = Keys(place.slack.workspace.team_id)
    requester = Requester(person=asked, channel=ChannelId("C1"), at=Ts("1764072000.000000"))
    question = AnswerQuestion(requester=requester, line="list")
    async with connection.open(url) as store:
        for owner in owners:
            job = Job(id=f"question:{owner}", work=question).model_dump_json()
            work = WaitForAccount(
                person=owner, requester=requester, wish="a list", queue="intake", waiting_job=job
            )
            batch = Batch().append(waiting_requests(owner), Job(id=f"waits:{owner}", work=work))
            await Queues(store, keys, ServerClock()).write(batch)


async def _ask_in_thread(url: str, place: Place, person: UserId) -> None:
    """Let a question of this person wait in the thread of a task."""
    keys = Keys(place.slack.workspace.team_id)
    requester = Requester(person=person, channel=ChannelId("C1"), at=Ts("1764072000.000000"))
    work = AnswerInThread(requester=requester, question="status")
    async with connection.open(url) as store:
        batch = Batch().append(thread_answers("L9", person), Job(id="status:1", work=work))
        await Queues(store, keys, ServerClock()).write(batch)


async def test_without_a_running_bot_the_threads_are_left_to_it(place: Place, redis_url: str) -> None:
    """Without a running bot, `forget` leaves the person's threads as they are and exits with 1. It removes
    everything else about the person. The next bot removes the person from the threads."""
    place.settings["REDIS_URL"] = redis_url
    bot = await place.run_ready()
    await _work_of_two_people(place, bot)
    await bot.stop()
    alice, bob = (UserId(place.slack.workspace.user(name).id) for name in ("alice", "bob"))
    await _wait_for_account(redis_url, place, alice, alice, bob)
    await _ask_in_thread(redis_url, place, alice)

    code, said = await forget(place, alice)
    await place.run_ready()
    await until(lambda: _is_gone(redis_url, alice), "the bot to remove the rest")
    again = await forget(place, alice)

    assert code == 1
    # A job that the bot had not finished when it stopped may name Alice too.
    waiting = re.search(r"  waiting requests: (\d+)\n", said)
    assert waiting is not None
    assert int(waiting[1]) in (3, 4)
    assert (
        "Not removed: 2 threads of tasks. Taskwire removes the person from them while it runs; run this "
        "again then.\n"
    ) in said
    assert again[0] == 0


async def _is_gone(url: str, person: str) -> bool:
    return "secret garden" not in await stored(url) and person not in await stored(url)


async def test_a_person_who_is_not_known_is_a_sentence(place: Place) -> None:
    """If `forget` gets the name of an unknown person, it says so in a sentence and removes nothing."""
    assert await forget(place, "nobody@example.com") == (
        2,
        "Slack knows no active member with this address. Give the Slack id (U…) of a deactivated person.\n",
    )
    assert await forget(place, "alice") == (2, "This is neither a Slack id (U…) nor an e-mail address.\n")
