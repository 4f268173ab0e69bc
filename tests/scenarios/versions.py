"""Helpers that make a world's store look as if a newer version of Taskwire had used it, with that version's
jobs."""

import json
from collections.abc import Awaitable, Callable
from typing import cast

from taskwire.domain.ids import LinkId
from taskwire.domain.queueing.queues import QueueName
from taskwire.queue.batch import Batch
from taskwire.queue.fence import FORMAT
from taskwire.queue.scripts import Script
from tests.lua import with_libraries
from tests.sealed import open_job, seal_job

from .world import World

NEWER = FORMAT + 1


async def record_newer_version(world: World) -> None:
    """Record in the store that a newer version has just used this store."""
    key = world.keys.named("formats")
    now = int(world.clock.stamp())
    await world.connections.commands.hset(key, str(NEWER), f"{now} 1")


async def rewrite_jobs_as_newer(world: World, name: QueueName) -> None:
    """Change the jobs of a queue as if a newer version had written them, with a field that this version does
    not know."""
    redis, key = world.connections.commands, world.keys.named("queue", name, "jobs")
    for field, body in (await cast("Awaitable[dict[str, str]]", redis.hgetall(key))).items():
        if field.startswith("body|"):
            job = open_job(body, name)
            job["work"]["mood"] = "cheerful"
            await redis.hset(key, field, seal_job(job, name))


async def switch_to_newer_version(world: World, *names: QueueName) -> None:
    """Let the running bot act as the newer version from now on, which can read the jobs of these queues.
    Return when the bot has run all jobs that are due."""
    redis = world.connections.commands
    for name in names:
        key = world.keys.named("queue", name, "jobs")
        for field, body in (await cast("Awaitable[dict[str, str]]", redis.hgetall(key))).items():
            if field.startswith("body|"):
                job = open_job(body, name)
                job["work"].pop("mood", None)
                await redis.hset(key, field, seal_job(job, name))
    world.bot.parts.deps.queues.formats.own_format = NEWER
    await redis.lpush(world.keys.named("wakeups"), "1")
    await world.until(lambda: _has_taken_all(world), "the newer version has taken what is due")
    # A taken job still runs. Its lease would lapse if the story moved the clock now.
    await world.settles()


async def make_dead_letter_readable(world: World, letter_id: str) -> None:
    """Let the newer version read the job of a dead letter."""
    redis, key = world.connections.commands, world.keys.named("dead_letters")
    letter = json.loads(await cast("Awaitable[str]", redis.hget(key, letter_id)))
    job = open_job(letter["body"], letter["queue"])
    job["work"].pop("mood")
    letter["body"] = seal_job(job, letter["queue"])
    await redis.hset(key, letter_id, json.dumps(letter))


async def _has_taken_all(world: World) -> bool:
    place, now = world.keys.named("newer", str(NEWER)), world.clock.stamp()
    return not await world.connections.commands.zcount(place, "-inf", now)


async def link_of(world: World) -> LinkId:
    """Return the only link of this world."""
    (link,) = (await world.bot.parts.deps.links.list_open()).values()
    return link


async def append_unreadable_job(world: World, name: QueueName, job_id: str) -> None:
    """Append a job of a kind that this version does not know."""
    job = json.dumps({"id": job_id, "work": {"kind": "of a newer version"}})
    await append_stored_job(world, name, job_id, job)


async def append_stored_job(world: World, name: QueueName, job_id: str, job: str) -> None:
    """Append a job in the form in which another version stores it."""
    body = "put(ARGV[3], ARGV[4], 'next', '0', 'new', ARGV[5]) return 1"
    await Script(world.connections.commands, world.keys, world.clock, with_libraries(body))(name, job_id, job)


async def drop(world: World, name: QueueName, job_id: str) -> None:
    """Remove a job, as the newer version would do after running it."""
    await world.bot.parts.deps.queues.write(Batch().drop(name, job_id))


async def rewrite_state_as_newer(world: World, link: LinkId) -> Callable[[], Awaitable[None]]:
    """Change the state of a link as if a newer version had written it. Return a function that restores the
    state."""
    redis, key = world.connections.commands, world.keys.link(link)
    story = await cast("Awaitable[str]", redis.hget(key, "state"))
    told = json.loads(story) | {"phase": "pondering"}
    await redis.hset(key, "state", json.dumps(told))

    async def undo() -> None:
        await redis.hset(key, "state", story)

    return undo
