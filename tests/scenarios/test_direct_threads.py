"""What a person writes below a direct message of the bot reaches no agent, and the bot says so."""

import pytest

from taskwire_sandbox.slack import messages
from taskwire_sandbox.slack.workspace import PRIVATE

from .people import Person, Thread
from .running_tasks import a_task
from .test_direct_rights import CALL as WATCHERS_CALL
from .test_preferences import ASKED, asks, saves
from .world import World

NOT_HERE = (
    "Your reply was not sent: no agent gets replies in this thread. *Answer* opens a box for it.\n"
    "[Answer] [Open thread]"
)
# For a person who may read the task, but not steer it.
ONLY_READS = (
    "Your reply was not sent: no agent gets replies in this thread. Write in the task's thread instead.\n"
    "[Open thread]"
)
NOWHERE = (
    "Your reply was not sent: no agent gets replies in this thread. Write in a task's thread, or send me a "
    "new direct message."
)
CALL = WATCHERS_CALL.replace("[Open", "[Answer] [Open")
# The bot answers within this time, and not again within ten minutes.
MOMENT, PAUSE = 5, 601


async def _called(world: World) -> tuple[Thread, Thread]:
    """Let Alice's agent ask, and call Alice by a direct message. Return the task's thread, and the thread of
    the direct message."""
    thread, _ = await a_task(world)
    await saves(world, world.alice, calls="direct")
    await asks(world)
    assert thread.new_messages() == [ASKED]
    assert world.cards() == [CALL]
    return thread, _below_newest(world, world.alice)


def _below_newest(world: World, person: Person) -> Thread:
    """Return the thread of the bot's newest direct message to a person."""
    direct = person.direct()
    return Thread(world, direct, str(world.slack.messages(direct)[-1]["ts"]))


@pytest.mark.parametrize("text", ["the second one", "ask <@{bob}>", "!status", "stop", "<@{bot}> status"])
async def test_a_reply_below_a_call_is_answered_with_the_way_to_the_thread(world: World, text: str) -> None:
    """Alice answers the agent's question below the direct message that called her. A moment later, the bot
    says there that no agent gets this, with a button to the task's thread."""
    thread, call = await _called(world)

    await world.alice.replies(call, text.format(bob=world.bob.id, bot=world.slack.bot_user_id))
    await world.passes(MOMENT)

    assert call.new_messages() == [NOT_HERE]
    assert f"p{thread.ts.replace('.', '')}" in str(world.slack.thread(call.channel, call.ts)[-1]["blocks"])
    await world.passes(60)
    assert thread.new_messages() == []
    assert world.task("fix-the-login-redirect").inputs == []


async def test_several_replies_below_a_call_are_answered_once_in_ten_minutes(world: World) -> None:
    """Alice writes three times below the call, and gets one answer. Later, she gets one again."""
    _, call = await _called(world)

    for text in ("the second one", "hello?", "anybody?"):
        await world.alice.replies(call, text)
        await world.passes(MOMENT)
    at_once = call.new_messages()
    await world.ages(PAUSE)
    await world.alice.replies(call, "hello again")
    await world.passes(MOMENT)

    assert at_once == [NOT_HERE]
    assert call.new_messages() == [NOT_HERE]


async def test_a_reply_below_an_offer_is_told_to_start_anew(world: World) -> None:
    """The bot offers to create a task, and Alice writes below the offer. The offer is about no task yet."""
    await world.alice.writes_directly("fix the login redirect")
    world.reader.new_roots()
    offer = _below_newest(world, world.alice)

    await world.alice.replies(offer, "in the docs too")
    await world.passes(MOMENT)

    assert offer.new_messages() == [NOWHERE]


async def _bob_called(world: World) -> Thread:
    """Let Bob be called about Alice's task in a private channel. Return the thread of the direct message."""
    world.slack.workspace.channel("general").kind = PRIVATE
    thread, _ = await a_task(world)
    await saves(world, world.bob, calls="direct")
    await world.bob.replies(thread, "!watch")
    await asks(world)
    thread.new_messages(), world.bob.reads(), world.cards()
    return _below_newest(world, world.bob)


@pytest.mark.parametrize("is_below", [False, True])
async def test_a_question_is_answered_where_it_was_called(world: World, is_below: bool) -> None:
    """Alice presses *Answer* on the direct message that called her, or on the bot's answer to her reply below
    it. The agent gets what she writes in the dialog, and its thread shows this."""
    thread, call = await _called(world)
    if is_below:
        await world.alice.replies(call, "the second one")
        await world.passes(MOMENT)
        assert call.new_messages() == [NOT_HERE]

    await world.alice.clicks(call, "Answer")
    dialog = world.alice.dialog()
    await world.alice.submits(prompt="the second one")
    await world.passes(MOMENT)

    assert "Which config should I keep?" in dialog
    assert world.task("fix-the-login-redirect").inputs == ["the second one"]
    assert thread.new_messages() == ["Alice says: the second one\n> the second one"]
    world.alice.reads()


async def test_an_answer_in_the_direct_messages_is_offered_as_one(world: World) -> None:
    """Alice answers the question with a new direct message. The bot says that nothing was sent, and *Answer*
    opens the dialog. After the agent has its answer, her next message is only an offer to create a task."""
    thread, call = await _called(world)

    await world.alice.writes_directly("2, keep it")
    offered = world.reader.new_roots()[-1]
    await world.alice.clicks(_below_newest(world, world.alice), "Answer")
    await world.alice.submits(prompt="2, keep it")
    await world.polls()
    await world.passes(MOMENT)
    await world.alice.writes_directly("fix the docs")

    title = "*Fix the login redirect*"
    assert offered == (
        f"Nothing was sent to {title}. Choose *Answer* to reply to it, or create a task with "
        "this?\n> 2, keep it\n[Answer] [Create] [Change] [My tasks]"
    )
    assert world.task("fix-the-login-redirect").inputs == ["2, keep it"]
    assert world.reader.new_roots() == [
        "Create a task with this?\n> fix the docs\n[Create] [Change] [My tasks]"
    ]
    thread.new_messages(), call.new_messages(), world.alice.reads()


async def test_a_person_who_only_watches_is_led_to_the_thread(world: World) -> None:
    """Bob watches Alice's task, and may not steer it. The message that calls him, and the answer to his reply
    below it, have no *Answer*."""
    thread, _ = await a_task(world)
    await saves(world, world.bob, calls="direct")
    await world.bob.replies(thread, "!watch")
    await asks(world)
    called = world.cards()
    call = _below_newest(world, world.bob)

    await world.bob.replies(call, "the second one")
    await world.passes(MOMENT)

    assert called == [WATCHERS_CALL]
    assert call.new_messages() == [ONLY_READS]
    thread.new_messages(), world.bob.reads()


async def test_a_person_who_may_not_read_the_task_gets_no_way_to_it(world: World) -> None:
    """Bob was called about Alice's task, and has left its private channel since."""
    call = await _bob_called(world)
    await world.slack.leave("bob", "general")
    await world.ages(seconds=10)

    await world.bob.replies(call, "the second one")
    await world.passes(MOMENT)

    assert call.new_messages() == [NOWHERE]


async def test_a_person_who_may_not_use_the_bot_any_more_gets_no_answer(world: World) -> None:
    """Bob was called about Alice's task, and has become a guest since."""
    call = await _bob_called(world)
    world.slack.workspace.user("bob").is_restricted = True
    await world.ages(seconds=10)

    await world.bob.replies(call, "the second one")
    await world.passes(60)

    assert call.new_messages() == []


async def test_a_message_of_another_app_below_a_call_is_not_answered(world: World) -> None:
    """Another app writes in the thread of the call. No person wrote that."""
    _, call = await _called(world)

    place = world.slack.workspace.channel(call.channel)
    said = {"text": "lunch!", "user": "UOTHER", "bot_id": "BOTHER", "thread_ts": call.ts}
    messages.write(world.slack.backend, place, said)
    await world.passes(60)

    assert [reply["text"] for reply in world.slack.thread(call.channel, call.ts)[1:]] == ["lunch!"]
    call.new_messages()


async def test_a_card_that_redis_does_not_know_yet_is_looked_at_again(world: World) -> None:
    """Alice writes below a new card in her direct messages, and Redis does not know its thread. The bot waits
    before it says that it does not know the thread, because Redis may learn of the thread in a moment."""
    place = world.slack.workspace.channel(world.alice.direct())
    said = {"text": "a card", "user": world.slack.bot_user_id, "bot_id": world.slack.backend.app.bot_id}
    payload = {"id": "task:0123456789ab:card", "kind": "card", "task_id": "a-task"}
    metadata = {"event_type": "taskwire_message", "event_payload": payload}
    ts = str(messages.write(world.slack.backend, place, {**said, "metadata": metadata})["ts"])
    world.reader.read_root(place.id, ts)
    card = Thread(world, place.id, ts)

    await world.alice.replies(card, "use main")
    await world.passes(MOMENT)
    at_once = card.new_messages()
    for _ in range(3):
        await world.passes(31)

    assert at_once == []
    assert card.new_messages() == [
        "Not delivered: I no longer know this thread. `/task attach NAME` gives its task a new one."
    ]


async def test_a_task_in_direct_messages_gets_its_replies(world: World) -> None:
    """Alice has started a task in the direct messages. A reply below its card reaches the agent, and the bot
    does not answer it."""
    await world.alice.writes_directly("fix the login redirect")
    await world.alice.clicks(_below_newest(world, world.alice), "Create")
    task = world.task("fix-the-login-redirect")
    world.reader.new_roots()
    card = _below_newest(world, world.alice)
    task.becomes("idle", "Which config should I keep?")
    await world.polls()
    await world.passes(60)
    card.new_messages()

    await world.alice.replies(card, "the second one")
    await world.passes(60)

    assert task.inputs == ["the second one"]
    world.reader.new_roots(), card.new_messages()
