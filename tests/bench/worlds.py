"""Worlds that are measured and then left as they are."""

from tests.scenarios.world import World


async def abandoned(world: World) -> None:
    """Leave undone what a measure has heaped up: a bench asserts nothing about it."""
    await world.stops()
    await world.connections.commands.flushdb()
    world.reader.unread()
    world.errors.clear()
    world.slack.complaints.clear()
