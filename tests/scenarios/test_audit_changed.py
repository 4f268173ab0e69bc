"""Somebody who can write to Redis changes the audit trail while people act."""

from redis.client import NEVER_DECODE

from .running_tasks import a_task
from .test_audit import forget_messages, timeless, trail
from .test_figures import look
from .world import World


async def call(world: World, *words: str | bytes) -> None:
    """Send a command to the store, as a person does who has the password of Taskwire's user."""
    await world.connections.commands.execute_command(*words, **{NEVER_DECODE: True})  # type: ignore[no-untyped-call] # untyped


async def test_a_trail_that_takes_no_entries_stops_no_act_and_is_told(world: World) -> None:
    """Somebody makes Redis refuse new entries of the trail. Alice's pause is done and answered all the same.

    The entry is in the log with its number, and the log, the metrics and the health say that it is missing.
    """
    thread, task = await a_task(world)
    key, highest = world.keys.named("audit"), "18446744073709551615-1"
    await call(world, "XADD", key, highest, "entry", "x")
    await call(world, "XDEL", key, highest)

    await world.alice.types(f"/task pause {task.name}")
    errors, world.errors[:] = list(world.errors), []
    figures, health = await look(world), await world.bot.health()
    await trail(world).seal()
    [sealed], world.errors[:] = list(world.errors), []

    assert task.status == "paused"
    assert world.alice.reads() == ["Pausing *Fix the login redirect*. A reply in its thread resumes it."]
    assert [line for line in world.logged if "[taskwire.audit]" in line and " number=2 " in line]
    assert len(errors) == 1
    assert "audit entry refused by Redis, it is only in this log" in errors[0]
    assert "the audit trail was changed" in sealed
    assert figures("audit_entries_refused_total") == 1
    assert figures("up", "audit") == 0
    assert health["audit"].startswith("Redis refuses entries of the audit trail: ERR Invalid stream ID")
    broken = await trail(world).find_break()
    assert broken == (2, "it and what follows is missing")
    forget_messages(world, thread)


async def test_a_row_that_is_no_entry_is_shown_to_administrators(world: World) -> None:
    """Somebody writes bytes that are no text into the trail. The answer shows that there is such an entry."""
    await world.restarts(admins=(world.bob.id,))
    await call(world, "XADD", world.keys.named("audit"), "1-7", "entry", b"\xff", "hash", "x")

    await world.bob.types("/task audit")
    [said] = world.bob.reads()

    assert timeless(said).splitlines() == [
        ":warning: Somebody may have changed this list. Entry 1 is missing. Compare the list with "
        "Taskwire's log. Who "
        "did what:",
        "(time)  Entry 7 is not readable, written by somebody.",
    ]
