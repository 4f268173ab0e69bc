"""People get places in turn: whoever asks for much delays nobody else."""

import asyncio

from taskwire.listeners.turns import Turns


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def _start(turns: Turns, begun: list[str], *people: str) -> list[asyncio.Task[None]]:
    async def run(person: str) -> None:
        await turns.take(person)
        begun.append(person)

    tasks = [asyncio.create_task(run(person)) for person in people]
    await _settle()
    return tasks


async def test_a_free_place_goes_to_each_person_in_turn() -> None:
    """Bob asks for five places before Alice and Carol ask. They wait for one place only."""
    turns, begun = Turns(1, 1), list[str]()
    await _start(turns, begun, *["bob"] * 5, "alice", "carol", "alice")

    for _ in range(7):
        turns.leave(begun[-1])
        await _settle()

    assert begun == ["bob", "bob", "alice", "carol", "bob", "alice", "bob", "bob"]


async def test_one_person_never_takes_all_places() -> None:
    """Three of four places are free for Alice, although Bob waits for more."""
    turns, begun = Turns(4, 2), list[str]()
    await _start(turns, begun, *["bob"] * 5, "alice", "carol")

    assert begun == ["bob", "bob", "alice", "carol"]


async def test_who_stops_waiting_takes_no_place() -> None:
    """Bob's second wait is cancelled, and so is a wait at the moment at which it gets its place."""
    turns, begun = Turns(1, 1), list[str]()
    waiting = await _start(turns, begun, "bob", "bob", "alice", "carol")
    waiting[1].cancel()
    await _settle()

    turns.leave("bob")
    waiting[2].cancel()
    await _settle()

    assert begun == ["bob", "carol"]
