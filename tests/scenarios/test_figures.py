"""The metrics: each one changes when the event that it counts has happened."""

import asyncio
import logging
import re
from pathlib import Path

import aiohttp

from taskwire.domain.ids import ChannelId, LinkId, Ts
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.maintenance import RemoveDuplicateMessage
from taskwire.domain.queueing.queues import duplicates
from taskwire.domain.text.message import Message
from taskwire.queue.batch import Batch
from taskwire.slack.metadata import Metadata
from taskwire_sandbox.coder.faults import cut_after, late, refused, server_error
from taskwire_sandbox.slack import CallFault, DeliveryFault

from .running_tasks import a_task
from .test_backfill import away, back
from .waiting import a_busy_agent, a_waiting_agent
from .world import World, new_world

_NAME = re.compile(r"^# TYPE taskwire_(\w+?)(?:_total)? \w+$", re.MULTILINE)
_ROW = re.compile(r"^taskwire_(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


class Figures:
    """The content of /metrics, looked up by a metric's name and label values."""

    def __init__(self, text: str) -> None:
        self._rows = {
            (name, frozenset(re.findall(r'"([^"]*)"', labels))): float(value)
            for name, labels, value in _ROW.findall(text)
        }
        self._names = set(_NAME.findall(text))

    def __call__(self, name: str, *labels: str) -> float:
        """Return the value of a metric with these label values, or 0 if there is none yet. Fail if no such
        metric exists."""
        assert name.removesuffix("_count").removesuffix("_sum").removesuffix("_total") in self._names, name
        return self._rows.get((name, frozenset(labels)), 0.0)


async def look(world: World) -> Figures:
    """Request /metrics, as Prometheus does."""
    address = f"http://127.0.0.1:{world.bot.port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        return Figures(await answer.text())


async def test_what_comes_in_is_counted_with_its_age_and_once(world: World) -> None:
    """Slack delivers a reply twice. The metrics count one claimed delivery and one duplicate. Other metrics
    say how old the deliveries and the connection to Slack are."""
    thread, _ = await a_waiting_agent(world)
    world.slack.faults.add("message", DeliveryFault.TWICE)

    await world.alice.replies(thread, "use main")
    now = await look(world)

    assert (
        now("deliveries_total", "message", "claimed"),
        now("deliveries_total", "message", "duplicate"),
    ) == (1, 1)
    assert now("delivery_age_seconds_count", "message") == 2
    assert now("delivery_age_seconds_sum", "message") > 0
    assert (now("sockets_opened_total"), now("socket_connections"), now("backfills_total")) == (1, 1, 1)
    assert now("socket_age_seconds") > 0


async def test_no_library_sets_the_level_of_our_own_log(world: World) -> None:
    """Bolt, the Slack library, sets the level of a logger with the app's name. The bot's own logger has this
    name too, and must keep its level."""
    await world.alice.runs("/task create fix the login")

    # The world sets this level, so that it can read the whole log.
    assert logging.getLogger("taskwire").level == logging.DEBUG


async def test_what_was_missed_is_counted(world: World) -> None:
    """A person replies while the bot is away. When it is back, backfill finds the message, and a metric
    counts it."""
    thread, _ = await a_waiting_agent(world)
    await away(world)
    await world.slack.post(world.alice.id, thread.channel, "use main", thread.ts)

    await back(world)
    now = await look(world)

    assert (now("backfills_total"), now("missed_messages_total")) == (1, 1)


async def test_attempts_and_what_became_of_lost_answers_are_counted(world: World) -> None:
    """The answers to several calls are lost, and the bot finds out whether each call took effect. A metric
    counts the calls that did ("there") and those that did not ("not there")."""
    world.slack.faults.add("chat.postMessage", CallFault.DONE_THEN_CUT)
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", cut_after())
    await world.alice.replies(thread, "use main")
    task.becomes("idle")
    world.coder.plan_fault("tasks.send", refused())
    await world.alice.replies(thread, "and test it")
    for _ in range(2):
        await world.passes(seconds=66)

    now = await look(world)

    assert now("attempts_total", "post_card") == now("reconciled_total", "post_card", "there") == 1
    assert now("attempts_total", "create_task") == 1
    assert now("attempts_total", "reply") == 3
    assert now("reconciled_total", "reply", "there") == 1
    assert now("reconciled_total", "reply", "not_there") == 1
    assert now("jobs_total", "create_task", "done") == 1
    thread.new_messages()


async def test_what_has_to_be_repeated_is_counted_by_why(world: World) -> None:
    """The bot tries a job again because Coder failed, and again because Coder refused the service account. A
    metric counts the repetitions for each reason."""
    thread, task = await a_busy_agent(world)
    await world.alice.replies(thread, "use main")
    world.coder.plan_fault("tasks.get", server_error())
    await world.passes(seconds=31)
    world.coder.user("taskwire").status = "suspended"
    await world.passes(seconds=31)
    waiting = await look(world)
    world.coder.user("taskwire").status = "active"
    await world.passes(seconds=31)
    task.becomes("idle")
    await world.polls()

    now = await look(world)

    assert waiting("waiting_jobs", "to_coder") == 1
    assert waiting("oldest_job_age_seconds", "to_coder") > 60
    assert now("waiting_jobs", "to_coder") == now("oldest_job_age_seconds", "to_coder") == 0
    assert now("retries_total", "reply", "failed") == 1
    assert now("retries_total", "reply", "account") >= 1
    assert now("up", "coder") == 1
    thread.new_messages()


async def test_what_waits_for_a_place_at_slack_is_counted(world: World) -> None:
    """The bot edits a card at most every three seconds, so a second edit waits. The metrics count this as
    rate limited and not as failed."""
    thread, task = await a_waiting_agent(world)
    for state in ("working", "failed"):
        task.becomes(state)
        await world.polls()

    now = await look(world)

    assert now("retries_total", "draw_card", "rate_limited") >= 1
    assert now("retries_total", "draw_card", "failed") == 0
    thread.new_messages()


async def test_what_is_given_up_is_counted_and_kept(world: World) -> None:
    """The bot gives a job up. The metrics count a dead letter until the operator deletes it."""
    _, task = await a_task(world)
    await world.slack.archive("alice", "general")
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    kept = await look(world)
    await world.letters().forget()

    now = await look(world)

    assert kept("dead_letters_total", "post_notice") == kept("dead_letters_kept") == 1
    assert kept("jobs_total", "post_notice", "given_up") == 1
    assert (now("dead_letters_total", "post_notice"), now("dead_letters_kept")) == (1, 0)
    assert kept("polls_total", "done") >= 1
    assert kept("poll_seconds_count") >= kept("polls_total", "done")
    assert kept("last_poll_timestamp_seconds") > 0
    assert kept("links") == 1
    assert len(world.cards()) == 1


async def test_turns_that_change_hands_are_counted(world: World) -> None:
    """A job takes longer than its lease, so another worker takes over the queue. The metrics count the lease
    that was lost and the lease that was taken over."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.get", late(0.5))
    asked = len(world.coder.requests)

    await world.slack.post(world.alice.id, thread.channel, "use main", thread.ts)
    await world.until(lambda: len(world.coder.requests) > asked, "Coder is asked for the task")
    await world.passes(seconds=11, amid_jobs=True)
    now = await look(world)

    assert now("leases_taken_over_total", "reply") == now("lost_leases_total", "reply") == 1
    assert now("leases_held") == 0
    assert task.inputs == ["use main"]


async def test_a_copy_that_is_taken_back_is_counted(world: World) -> None:
    """A card was posted twice. The bot deletes the second copy, and a metric counts the deletion."""
    thread, _ = await a_waiting_agent(world)
    deps = world.bot.parts.deps
    card = world.slack.message(thread.channel, thread.ts)["metadata"]["event_payload"]
    meta = Metadata(id=card["id"], kind="card")
    await deps.slack.post(ChannelId(thread.channel), Message(text="once more"), meta)
    link = LinkId(card["id"].partition(":")[2])
    work = RemoveDuplicateMessage(
        channel=ChannelId(thread.channel), thread_ts=None, since=Ts(thread.ts), message_id=meta.id
    )

    await deps.queues.write(Batch().append(duplicates(link), Job(id="tidy", work=work)))
    for _ in range(2):
        await world.passes(seconds=120)
    now = await look(world)

    assert now("duplicates_removed_total", "remove_duplicate_message") == 1
    assert world.cards() == []
    thread.new_messages()


async def test_a_store_that_is_away_is_counted(tmp_path: Path) -> None:
    """The store does not answer. The metrics count the failures and show that the store is down. When it
    answers again, they show that it is up."""
    async with new_world(tmp_path, has_store_faults=True) as world:
        await world.loses_its_store()
        lost = await look(world)
        async with asyncio.timeout(10):
            while not lost("store_failures_total"):
                lost = await look(world)
        await world.finds_its_store()
        now = lost
        async with asyncio.timeout(10):
            while not now("up", "store"):
                now = await look(world)

    assert (lost("up", "store"), now("up", "store")) == (0, 1)
