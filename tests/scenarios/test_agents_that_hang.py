"""Agents that take a call and never answer hold their callers for up to a minute. Stops, commands and private
answers do not wait for them."""

import pytest

from taskwire.coder.agent_places import AGENT_JOBS_OF_NEW_OWNERS, MAX_AGENT_JOBS, MAX_AGENT_JOBS_OF_OWNER
from taskwire_sandbox.coder.faults import hang
from taskwire_sandbox.slack import Attachment
from tests.metrics import value_of

from .many_tasks import calls, start_threads
from .people import Person, Thread
from .world import CARD_SECONDS, World

# More than the places for jobs that a process has.
TASKS = 34


def sends(world: World) -> list[str]:
    """Return the path of each request that sends input to an agent."""
    return [seen.path for seen in world.coder.requests if seen.route == "tasks.send"]


def unanswered_logs(world: World) -> list[str]:
    """Return the path of each request for an agent's log that has no answer."""
    return [seen.path for seen in world.coder.requests if seen.route == "tasks.logs" and not seen.status]


async def wait_for_input(world: World, people: dict[Person, int]) -> dict[Person, list[Thread]]:
    """Start tasks of each of these people. Their agents wait for input."""
    threads = {
        owner: await start_threads(world, count, owner, prefix=owner.name) for owner, count in people.items()
    }
    await world.polls()
    await world.passes(CARD_SECONDS)
    for task in world.coder.tasks:
        if task.row.owner.username in {owner.name for owner in people}:
            task.becomes("idle")
    await world.polls()
    await world.passes(60)
    return threads


async def ends(world: World, *threads: Thread) -> None:
    """Let the agents answer again, and read what was said."""
    world.coder.clear_faults()
    for _ in range(30):
        await world.passes(60)
        if not await world.jobs():
            break
    for thread in threads:
        thread.new_messages()


async def test_agents_of_one_owner_that_hang_delay_nobody_else(world: World) -> None:
    """Thirty-four agents of Alice take a reply and never answer. Only eight of these calls are made at once.
    Meanwhile Bob stops his own task and gets a private answer, and none of the eight has ended."""
    bobs = await world.bob.runs("/task create fix the login")
    threads = (await wait_for_input(world, {world.alice: TASKS}))[world.alice]

    world.coder.plan_fault("tasks.send", hang(), times=None)
    for thread in threads:
        await world.slack.post(world.alice.id, thread.channel, "go on", thread.ts)
    await world.until(lambda: len(sends(world)) == MAX_AGENT_JOBS_OF_OWNER, "the agents hang")
    await world.slack.post(world.bob.id, bobs.channel, "!status", bobs.ts)
    await world.until(world.bob.has_news, "Bob is answered")
    await world.slack.command(world.bob.id, "general", "/task", "stop fix-the-login")
    await world.until(lambda: world.task("fix-the-login").status == "paused", "Bob's task is stopped")

    assert len(sends(world)) == MAX_AGENT_JOBS_OF_OWNER
    await ends(world, bobs, *threads)
    world.bob.reads()


async def test_an_agent_that_answers_gets_its_input_while_those_of_another_owner_hang(world: World) -> None:
    """Twenty agents of Alice take a reply and never answer. Bob's agent gets Bob's reply meanwhile."""
    threads = await wait_for_input(world, {world.alice: 20, world.bob: 1})
    (bobs,) = threads[world.bob]
    task = world.task("bob-00000")

    world.coder.plan_fault("tasks.send", hang(), times=MAX_AGENT_JOBS_OF_OWNER)
    for thread in threads[world.alice]:
        await world.slack.post(world.alice.id, thread.channel, "go on", thread.ts)
    await world.until(lambda: len(sends(world)) == MAX_AGENT_JOBS_OF_OWNER, "the agents hang")
    await world.slack.post(world.bob.id, bobs.channel, "use main", bobs.ts)
    await world.until(lambda: task.inputs, "Bob's agent has the reply")

    assert task.inputs == ["use main"]
    assert len(sends(world)) == MAX_AGENT_JOBS_OF_OWNER + 1
    await ends(world, bobs, *threads[world.alice])


async def test_an_agent_that_answers_gets_its_input_while_those_of_two_owners_hang(world: World) -> None:
    """Ten agents of Alice and ten of Bob take a reply and never answer. Carol's agent gets her reply
    meanwhile."""
    carol, together = world.person("carol"), MAX_AGENT_JOBS - AGENT_JOBS_OF_NEW_OWNERS
    await world.slack.join(carol.id, "general")
    threads = await wait_for_input(world, {world.alice: 10, world.bob: 10, carol: 1})
    (carols,), task = threads[carol], world.task("carol-00000")
    hanging = [(owner, thread) for owner in (world.alice, world.bob) for thread in threads[owner]]

    world.coder.plan_fault("tasks.send", hang(), times=together)
    for owner, thread in hanging:
        await world.slack.post(owner.id, thread.channel, "go on", thread.ts)
    await world.until(lambda: len(sends(world)) == together, "the agents hang")
    await world.slack.post(carol.id, carols.channel, "use main", carols.ts)
    await world.until(lambda: task.inputs, "Carol's agent has the reply")

    assert task.inputs == ["use main"]
    assert len(sends(world)) == together + 1
    await ends(world, carols, *(thread for _, thread in hanging))


async def test_questions_of_others_take_no_places_of_the_owners_replies(world: World) -> None:
    """Eight agents of Alice never answer a request for their logs. Bob asks for these logs. Meanwhile
    Alice's ninth agent gets her reply."""
    *threads, last = (await wait_for_input(world, {world.alice: MAX_AGENT_JOBS_OF_OWNER + 1}))[world.alice]
    task = world.task(f"alice-{MAX_AGENT_JOBS_OF_OWNER:05}")

    world.coder.plan_fault("tasks.logs", hang(), times=MAX_AGENT_JOBS_OF_OWNER)
    for thread in threads:
        await world.slack.post(world.bob.id, thread.channel, "!logs", thread.ts)
    await world.until(lambda: len(unanswered_logs(world)) == MAX_AGENT_JOBS_OF_OWNER, "the agents hang")
    await world.slack.post(world.alice.id, last.channel, "use main", last.ts)
    await world.until(lambda: task.inputs, "Alice's agent has the reply")

    assert task.inputs == ["use main"]
    assert not world.bob.has_news(), "a question of Bob has ended before"
    await ends(world, last, *threads)
    world.bob.reads()


async def test_questions_of_many_about_one_agent_leave_places_to_others(world: World) -> None:
    """Sixteen people ask for the log of one agent of Alice, which never answers. Bob's agent gets Bob's reply
    meanwhile."""
    threads = await wait_for_input(world, {world.alice: 1, world.bob: 1})
    (hers,), (bobs,) = threads[world.alice], threads[world.bob]
    people = [world.person(f"asker{number}") for number in range(MAX_AGENT_JOBS)]
    for person in people:
        await world.slack.join(person.id, "general")

    world.coder.plan_fault("tasks.logs", hang(), times=MAX_AGENT_JOBS_OF_OWNER)
    for person in people:
        await world.slack.post(person.id, hers.channel, "!logs", hers.ts)
    await world.until(lambda: len(unanswered_logs(world)) == MAX_AGENT_JOBS_OF_OWNER, "the agent hangs")
    await world.slack.post(world.bob.id, bobs.channel, "use main", bobs.ts)
    await world.until(lambda: world.task("bob-00000").inputs, "Bob's agent has the reply")

    assert not any(person.has_news() for person in people), "a question has ended before"
    await ends(world, hers, bobs)
    for person in people:
        person.reads()


async def test_a_reply_without_a_place_shows_that_it_waits_and_downloads_no_file(world: World) -> None:
    """Eight agents of Alice take a reply and never answer, so her reply to a ninth agent waits for a place.
    Its receipt says so once. Its file is downloaded only when a place is free."""
    *threads, last = (await wait_for_input(world, {world.alice: MAX_AGENT_JOBS_OF_OWNER + 1}))[world.alice]
    task, file = world.task(f"alice-{MAX_AGENT_JOBS_OF_OWNER:05}"), Attachment("a.log", b"boom", "text/plain")

    world.coder.plan_fault("tasks.send", hang(), times=None)
    for thread in threads:
        await world.slack.post(world.alice.id, thread.channel, "go on", thread.ts)
    await world.until(lambda: len(sends(world)) == MAX_AGENT_JOBS_OF_OWNER, "the agents hang")
    reply = await world.slack.post(world.alice.id, last.channel, "see this", last.ts, files=(file,))
    await world.until(lambda: last.receipt(reply) == ["hourglass_flowing_sand"], "the receipt shows the wait")
    await world.until(lambda: retries_without_place(world) >= 3, "the reply is tried again")
    downloads = [each.downloads for each in world.slack.backend.files.files.values()]
    marks = [each.arguments for each in calls(world, "reactions.add") if each.arguments["timestamp"] == reply]
    world.coder.clear_faults()
    await world.until(lambda: task.inputs, "the agent has the reply")

    assert downloads == [0]
    assert [each["name"] for each in marks] == ["hourglass_flowing_sand"]
    assert task.inputs == ["see this\n\na.log:\n```\nboom\n```"]
    await ends(world, *threads, last)


def retries_without_place(world: World) -> int:
    """Return how many times a reply has found no place for its call to the agent."""
    registry = world.bot.parts.metrics.registry
    return int(value_of(registry, "taskwire_retries_total", kind="reply", why="agents_busy"))


@pytest.mark.parametrize("verb", ["!logs", "go on"])
async def test_an_outage_of_many_agents_leaves_stops_their_places(world: World, verb: str) -> None:
    """The agents of three people do not answer any more, whatever they are asked. They hold less than half of
    the places for jobs. Carol stops one of her tasks that hang, and none of the calls has ended."""
    carol, most = world.person("carol"), MAX_AGENT_JOBS - AGENT_JOBS_OF_NEW_OWNERS
    # An owner who comes when the others hold all other places has one of the last ones.
    held = (most, most + 1)
    await world.slack.join(carol.id, "general")
    threads = await wait_for_input(world, {world.alice: 12, world.bob: 12, carol: 12})

    world.coder.plan_fault("tasks.logs", hang(), times=None)
    for owner, own in threads.items():
        for thread in own:
            await world.slack.post(owner.id, thread.channel, verb, thread.ts)

    await world.until(lambda: len(unanswered_logs(world)) in held, "the agents hang")
    await world.slack.command(carol.id, "general", "/task", "stop carol-00003")
    await world.until(lambda: world.task("carol-00003").status == "paused", "Carol's task is stopped")

    assert len(unanswered_logs(world)) in held
    await ends(world, *(thread for own in threads.values() for thread in own))
    for person in (world.alice, world.bob, carol):
        person.reads()
