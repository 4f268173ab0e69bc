"""A person who can write into Redis is nobody else in Coder by that."""

from .world import World

ALICES = "*Fix it* belongs to alice, so you can't do that. Ask them, or a Taskwire administrator."


async def _accounts(world: World) -> list[str]:
    found = world.connections.commands.scan_iter(world.keys.named("cached", "accounts", "*"))
    return [str(key) async for key in found]


async def test_an_account_that_was_copied_in_redis_gives_no_rights(world: World) -> None:
    """What is known of Alice is sealed for her. In Bob's place it is not used, and Coder is asked for Bob."""
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
    """A value that Taskwire has not sealed counts as none."""
    await world.alice.runs("/task create fix it")
    task = world.task("fix-it")
    forged = f'\n{{"id": "{world.bob.id}", "email": "alice@example.com", "is_email_confirmed": true}}'
    await world.connections.commands.set(
        world.keys.named("cached", "profile", world.bob.id), forged, px=300_000
    )

    await world.bob.types(f"/task pause {task.id}")

    assert world.bob.reads() == [ALICES]
    assert task.status == "active"
