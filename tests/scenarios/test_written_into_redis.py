"""A person who can write into Redis cannot act as another person, and cannot give orders in other people's
names."""

import json

from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.domain.queueing.jobs import Act
from taskwire.domain.queueing.queues import to_coder
from taskwire.domain.requester import Requester

from .versions import append_stored_job, link_of
from .waiting import a_waiting_agent
from .world import World

ALICES = (
    "*Fix it* belongs to Alice, so you can't stop it. Alice can let you, with `!share @Bob` in its thread. "
    "Or write `stop` there and ask Alice to pass it on."
)


async def _accounts(world: World) -> list[str]:
    found = world.connections.commands.scan_iter(world.keys.named("cached", "accounts", "*"))
    return [str(key) async for key in found]


async def test_an_account_that_was_copied_in_redis_gives_no_rights(world: World) -> None:
    """Bob copies Alice's stored account over his own. The bot refuses the copy and asks Coder for Bob's
    account."""
    await world.alice.runs("/task create fix it")
    task = world.task("fix-it")
    redis = world.connections.commands
    await world.forgets()
    await world.alice.types(f"/task status {task.id}")
    (alices,) = await _accounts(world)
    stolen = str(await redis.get(alices))
    await world.bob.types(f"/task status {task.id}")
    (bobs,) = set(await _accounts(world)) - {alices}
    await redis.set(bobs, stolen, px=300_000)

    await world.bob.types(f"/task pause {task.id}")

    assert world.bob.reads()[-1] == ALICES
    assert len(world.alice.reads()) == 1
    assert task.status == "active"


async def test_a_profile_that_was_written_into_redis_is_not_used(world: World) -> None:
    """The bot ignores a stored profile that Taskwire has not signed."""
    await world.alice.runs("/task create fix it")
    task = world.task("fix-it")
    forged = f'\n{{"id": "{world.bob.id}", "email": "alice@example.com", "is_email_confirmed": true}}'
    await world.connections.commands.set(
        world.keys.named("cached", "profile", world.bob.id), forged, px=300_000
    )

    await world.bob.types(f"/task pause {task.id}")

    assert world.bob.reads() == [ALICES]
    assert task.status == "active"


async def test_an_order_that_was_written_into_redis_is_not_carried_out(world: World) -> None:
    """Only a process with the key can make a job. The bot gives a forged job up at once, and later jobs go
    on."""
    thread, task = await a_waiting_agent(world)
    link = await link_of(world)
    asked = Requester(person=UserId(world.alice.id), channel=ChannelId(thread.channel), at=Ts(thread.ts))
    forged = json.dumps({"id": "forged", "work": Act(requester=asked, verb="delete").model_dump()})

    await append_stored_job(world, to_coder(link), "forged", forged)
    await world.settles()

    assert task.status == "active"
    assert not task.is_deleted
    assert await world.dead_letters() == [
        "it cannot be read: work.act: Value error, it is not signed, so this Taskwire has not written it"
    ]
    assert len(world.errors) == 1
    world.errors.clear()
    thread.new_messages()


async def test_rights_that_were_written_into_redis_are_none(world: World) -> None:
    """Somebody writes into Redis that Bob may steer the task: as a share of the task, or as a setting of the
    channel. Neither is signed by Taskwire, so the bot still refuses Bob."""
    thread, task = await a_waiting_agent(world)
    link, redis = await link_of(world), world.connections.commands
    await redis.hset(world.keys.named("shared"), link, world.bob.id)
    settings = json.dumps({"version": 1, "steerers": "channel"})
    await redis.set(world.keys.named("channel_settings", thread.channel), settings)

    await world.bob.types(f"/task pause {task.name}")
    await redis.hset(world.keys.link(link), "shares", world.bob.id)
    await world.bob.types(f"/task pause {task.id}")

    assert task.status == "active"
    world.bob.reads()
    thread.new_messages()
