"""Which list is taken first: what calls people and what they ask, what else is said, receipts, cards.

And each of them all the same, however much of the others there is.
"""

import pytest

from taskwire.bridge.work import ALIKE_EACH
from taskwire.model.changes import Notice
from taskwire.model.ids import Ts
from taskwire.model.jobs import Job, ListName, Say, Tell, card, in_turn, intake, show, soon, steer, tell
from taskwire.model.messages import Message
from taskwire.store.queue import Turn
from taskwire.store.steps import NEAR, Step

from .engine import Engine, job

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


async def much_is_said(engine: Engine) -> None:
    """Twenty threads have had something to hear of for a second, which calls nobody."""
    for number in range(20):
        await engine.append("notice", name=tell(f"N{number:02}"))
    engine.passes(1)


CALLING = Job(id="a", work=Tell(notice=Notice(kind="completed", id="a", is_call=True)))
ASKING = Job(id="a", work=Say(message=Message(text="Send it?"), is_call=True))


@pytest.mark.parametrize("calling", [CALLING, ASKING], ids=["a notice", "a question"])
async def test_who_is_called_waits_for_nothing_else_that_is_said(engine: Engine, calling: Job) -> None:
    """However many tasks have changed; what stands before it in its thread goes with it."""
    await much_is_said(engine)
    await engine.append(*(f"before {number}" for number in range(NEAR - 1)), name=tell("T"))
    await engine.queue.write(Step().append(tell("T"), calling))

    order = []
    for _ in range(NEAR + 1):
        turn = await engine.takes()
        order.append(turn.job_id)
        await engine.ends(turn)

    assert order == ["before 0", "before 1", "before 2", "a", "notice"]


@pytest.mark.parametrize("ahead", [(intake("U1"), 1), (steer("L1"), soon("1764071000.000100"))])
async def test_what_people_ask_waits_for_nothing_that_is_said(
    engine: Engine, ahead: tuple[ListName, int]
) -> None:
    """A command, a pause."""
    await much_is_said(engine)
    await engine.append("asked", name=ahead[0], score=ahead[1])

    assert await taken(engine) == ahead[0]


async def test_a_reply_that_is_tried_again_goes_with_what_is_said(engine: Engine) -> None:
    """Ten thousand busy agents would else keep everybody waiting."""
    await much_is_said(engine)
    await engine.append("reply:1", name=steer("L1"), score=in_turn(Ts("1764071000.000100")))

    assert await taken(engine) == tell("N00")


async def test_no_words_of_a_persons_make_a_call(engine: Engine) -> None:
    """Whatever they look like."""
    await much_is_said(engine)
    await engine.queue.write(Step().append(tell("T"), job("a", '"is_call":true')))

    assert await taken(engine) == tell("N00")


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
