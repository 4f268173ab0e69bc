"""Which list is taken first: what is done and said, then receipts, then cards; and cards all the same."""

from taskwire.bridge.work import ALIKE_EACH
from taskwire.model.jobs import ListName, card, show, tell
from taskwire.store.queue import Turn

from .engine import Engine

CARDS = [card(f"L{number:02}") for number in range(20)]


async def taken(engine: Engine, *, is_alike: bool = False) -> ListName:
    """The list that is taken next."""
    turn = await engine.queue.take(is_alike=is_alike)
    assert isinstance(turn, Turn), turn
    return turn.name


async def cards_wait(engine: Engine) -> None:
    """Twenty cards have been due for a second."""
    for name in CARDS:
        await engine.append("card", name=name, score="due", is_newest=True)
    engine.passes(1)


async def test_what_is_said_goes_before_receipts_and_those_before_cards(engine: Engine) -> None:
    """However long cards have been due: ten thousand of them change when Coder goes away."""
    await cards_wait(engine)
    await engine.append("receipt:1.1", name=show("R"), score="due", is_newest=True)
    await engine.append("notice", name=tell("T"))

    assert [await taken(engine) for _ in range(3)] == [tell("T"), show("R"), CARDS[0]]


async def test_receipts_and_cards_get_on_however_much_is_said(engine: Engine) -> None:
    """One in five takings asks what has been due for longest, and each of those has one fewer before it."""
    older, waiting = 10, {show("R"), card("C")}
    for number in range(older):
        await engine.append("notice", name=tell(f"A{number}"))
    engine.passes(1)
    for name in waiting:
        await engine.append("mark", name=name, score="due", is_newest=True)

    takings = 0
    while waiting and takings < 1_000:
        engine.passes(0.01)
        for beside in "XY":
            await engine.append("notice", name=tell(f"{beside}{takings}"))
        takings += 1
        waiting -= {await taken(engine, is_alike=takings % ALIKE_EACH == 0)}

    assert takings <= ALIKE_EACH * (older + 2)


async def test_as_many_lists_as_another_version_has_moved_hold_up_nobody(engine: Engine) -> None:
    """What it holds is not taken, and the cards are found behind more of that than one look mends."""
    names = [tell(f"T{number}") for number in range(150)]
    for name in names:
        await engine.append("notice", name=name)
    held = {str(name): engine.clock.now_ms + 10_000 for name in names}
    await engine.connections.commands.zadd(engine.keys.named("ready"), held)
    await cards_wait(engine)

    assert [await taken(engine) for _ in range(3)] == CARDS[:3]


async def test_a_list_that_is_not_due_holds_nobody_up(engine: Engine) -> None:
    """What is said later does not go before what is shown now."""
    await engine.append("notice", name=tell("T"), delay_ms=5_000)
    await cards_wait(engine)

    assert await taken(engine) == CARDS[0]


async def test_what_another_version_has_moved_is_found(engine: Engine) -> None:
    """It writes down when a list is due, and not in which order they go."""
    await cards_wait(engine)
    await engine.append("notice", name=tell("T"))
    moved = {str(tell("T")): engine.clock.now_ms + 5_000}
    await engine.connections.commands.zadd(engine.keys.named("ready"), moved)
    meanwhile = await taken(engine)
    engine.passes(5)

    assert meanwhile == CARDS[0]
    assert await taken(engine) == tell("T")


async def test_nothing_is_left_of_lists_that_are_empty(engine: Engine) -> None:
    """Whatever they held."""
    await engine.append("receipt:1.1", name=show("R"), score="due", is_newest=True)
    await engine.append("notice", name=tell("T"))
    for _ in range(2):
        await engine.ends(await engine.takes())

    assert await engine.connections.commands.keys("*ready*") == []
