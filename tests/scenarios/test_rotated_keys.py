"""The operator adds a new encryption key before the old one, or a key is missing. No waiting job is lost."""

import re
from collections.abc import Iterator

import pytest

from taskwire import sealing
from taskwire.state.key_rotation import StoredKeys
from tests.keys import KEY

from .test_notices_to_administrators import direct_messages
from .waiting import a_busy_agent
from .world import World

NEW = sealing.make_key()
DONE = "every stored value is encrypted with the newest key"


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield
    sealing.install_keys([KEY])


async def test_after_a_rotation_the_old_key_can_be_removed(world: World) -> None:
    """After a new key was added, the bot encrypts waiting jobs with it in the background. The operator can
    then remove the old key, and the jobs still run."""
    thread, task = await a_busy_agent(world)
    reply = await world.alice.replies(thread, "add a test")
    keys = world.bot.parts.sweeps.stored_keys
    old, new = sealing.key_ring(), sealing.install_keys([NEW, KEY])
    before = await keys.count()

    await keys.look()
    await keys.look()
    after = await keys.count()
    sealing.install_keys([NEW])
    task.becomes("idle")
    await world.polls()
    await world.passes(seconds=31)

    assert set(before) == {old.newest_id}
    assert set(after) == {new.newest_id}
    assert sum(after.values()) == sum(before.values())
    assert task.inputs == ["add a test"]
    assert thread.receipt(reply) == ["white_check_mark"]


async def test_replicas_with_keys_in_another_order_do_not_undo_a_rotation(world: World) -> None:
    """Two replicas have the same two keys in a different order. Jobs are encrypted with the key that was
    added last. The rotation ends when both replicas have this key first.

    When no replica has had this key first for a minute, the older key counts again.
    """
    await a_busy_agent(world)
    first, second = (StoredKeys(world.connections, world.keys, world.clock) for _ in range(2))

    async def look(who: StoredKeys, *keys: str) -> set[str]:
        sealing.install_keys(keys)
        await who.look()
        return set(await who.count())

    old, new = sealing.key_ring().newest_id, sealing.install_keys([NEW, KEY]).newest_id
    seen = [await look(second, KEY, NEW), await look(first, NEW, KEY), await look(second, KEY, NEW)]
    await look(first, NEW, KEY)
    early = [line for line in world.logged if DONE in line and new in line]
    await look(second, NEW, KEY)
    await look(first, NEW, KEY)
    late = [line for line in world.logged if DONE in line and new in line]
    world.clock.passes(61)
    second.start_again()
    back = await look(second, KEY, NEW)

    assert seen == [{old}, {new}, {new}]
    assert (len(early), len(late) > 0) == (0, True)
    assert back == {old}


async def test_what_needs_a_missing_key_waits_for_it(world: World) -> None:
    """A job waits, and the key with which it was encrypted is missing. The bot keeps the job and tells the
    administrators. The job runs when the key is back."""
    await world.restarts(admins=(world.bob.id,))
    thread, task = await a_busy_agent(world)
    reply = await world.alice.replies(thread, "add a test")
    sealing.install_keys([NEW])
    task.becomes("idle")
    await world.passes(seconds=31)
    waiting = list(task.inputs)
    await world.passes(seconds=301)
    await world.bot.parts.newer.tell_waiting()
    await world.settles()

    sealing.install_keys([NEW, KEY])
    await world.passes(seconds=61)
    await world.polls()
    await world.passes(seconds=31)

    assert waiting == []
    [told] = direct_messages(world, "bob")
    assert re.sub(r"by .* UTC", "by (time)", told) == (
        ":warning: 1 queue waits for a key: the next job cannot be read without it. Put the key back "
        "into TASKWIRE_SECRET_KEYS, behind the others, by (time), or I'll give the job up."
    )
    assert task.inputs == ["add a test"]
    assert thread.receipt(reply) == ["white_check_mark"]
