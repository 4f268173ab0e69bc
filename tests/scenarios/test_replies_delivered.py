"""The agent gets replies in order, once, and when it is ready."""

from taskwire_sandbox.slack import CallFault, DeliveryFault

from .people import Thread
from .waiting import PROMPT, a_busy_agent, a_waiting_agent
from .world import World


async def test_replies_arrive_in_the_order_in_which_they_were_written(world: World) -> None:
    """A person writes three replies, and the agent works after each. It gets each reply once, in the order of
    writing."""
    thread, task = await a_busy_agent(world)

    texts = ["first", "second", "third"]
    replies = [await world.alice.replies(thread, text) for text in texts]
    for _ in texts:
        task.becomes("idle")
        await world.passes(seconds=31)

    assert task.inputs == texts
    assert [thread.receipt(reply) for reply in replies] == [["white_check_mark"]] * 3


async def test_a_busy_agent_gets_the_reply_when_it_is_ready(world: World) -> None:
    """A person replies while the agent is busy. An hourglass shows that the reply waits, and the agent gets
    it when it is ready."""
    thread, task = await a_busy_agent(world)

    reply = await world.alice.replies(thread, "use main")
    before = (task.inputs, thread.receipt(reply))
    task.becomes("idle")
    await world.polls()

    assert before == ([], ["hourglass_flowing_sand"])
    assert task.inputs == ["use main"]
    assert thread.receipt(reply) == ["white_check_mark"]


async def test_a_reply_to_a_paused_task_resumes_it(world: World) -> None:
    """A person replies to a paused task. The reply resumes the task, so the person need not press *Resume*
    first."""
    thread, task = await a_waiting_agent(world)
    task.pause()
    await world.polls()

    reply = await world.alice.replies(thread, "carry on, please")
    waiting = thread.receipt(reply)
    await world.passes(seconds=3)
    await world.passes(seconds=5)

    assert waiting == ["hourglass_flowing_sand"]
    assert task.inputs == ["carry on, please"]
    assert thread.receipt(reply) == ["white_check_mark"]
    await world.polls()
    assert thread.new_messages() == [
        "Paused: Fix the login. The workspace was stopped in Coder. Retried by Alice.",
        "Resumed by Alice.",
    ]


async def test_a_reply_to_a_task_that_starts_waits_for_it(world: World) -> None:
    """A person replies while the task is pending or initializing. The agent gets the reply when it is
    ready."""
    thread, task = await a_waiting_agent(world)
    task.status_is("initializing")

    reply = await world.alice.replies(thread, "use main")
    waiting = thread.receipt(reply)
    task.status_is("pending")
    await world.passes(seconds=3)
    task.status_is("active")
    await world.passes(seconds=5)

    assert waiting == ["hourglass_flowing_sand"]
    assert task.inputs == ["use main"]


async def test_a_reply_that_comes_after_a_later_one_goes_last_and_says_so(world: World) -> None:
    """Slack delivers two replies in the wrong order. The agent gets the earlier reply last, and the thread is
    told about it."""
    thread, task = await a_waiting_agent(world)
    world.slack.faults.add("message", DeliveryFault.LATE, seconds=1)

    first = await world.slack.post(world.alice.id, thread.channel, "first", thread.ts)
    second = await world.slack.post(world.alice.id, thread.channel, "second", thread.ts)
    await world.until(lambda: task.inputs == ["second"], "the second reply overtakes the first")
    await world.settles()
    task.becomes("idle")
    await world.passes(seconds=31)

    assert task.inputs == ["second", "first"]
    assert [thread.receipt(reply) for reply in (first, second)] == [["white_check_mark"]] * 2
    assert thread.new_messages() == [
        ("Slack delivered this reply late, so the agent got it after a newer one.\n> first")
    ]


async def test_an_event_that_comes_twice_is_taken_once(world: World) -> None:
    """Slack delivers one event twice. The agent gets the reply once."""
    thread, task = await a_waiting_agent(world)
    world.slack.faults.add("message", DeliveryFault.TWICE)

    await world.alice.replies(thread, "use main")
    task.becomes("idle")
    await world.passes(seconds=31)

    assert task.inputs == ["use main"]


async def test_a_mention_in_the_thread_is_one_reply(world: World) -> None:
    """Slack sends two events for a mention. The agent gets the words once, without the bot's name."""
    thread, task = await a_waiting_agent(world)

    await world.slack.mention(world.alice.id, thread.channel, "use main, @bob agrees", thread.ts)
    await world.settles()
    task.becomes("idle")
    await world.passes(seconds=31)

    assert task.inputs == ["use main, @Bob agrees"]


async def test_a_very_long_reply_arrives_whole(world: World) -> None:
    """A reply has 40,000 characters, which is Slack's limit. The agent gets all of them."""
    thread, task = await a_waiting_agent(world)
    text = ("all work and no play " * 2_000)[:39_999] + "!"

    reply = await world.alice.replies(thread, text)

    assert task.inputs == [text]
    assert thread.receipt(reply) == ["white_check_mark"]


async def test_a_reply_written_before_slack_has_answered_our_post_is_delivered(world: World) -> None:
    """A person replies below a new card before Slack has told the bot the card's ts. The agent gets the
    reply."""
    thread = await a_card_before_slack_answers(world)

    await world.alice.replies(thread, "and add a test")
    await world.until(lambda: world.coder.tasks, "the task")
    await world.polls()
    await world.passes(seconds=5)

    assert world.task("fix-the-login").inputs == ["and add a test"]


async def test_a_reply_is_delivered_although_the_answer_to_our_post_is_lost(world: World) -> None:
    """Slack's answer to the card's post is lost. The bot finds the card by its id, and the replies in the
    card's thread reach the agent."""
    world.slack.faults.add("chat.postMessage", CallFault.DONE_THEN_CUT)
    world.slack.faults.add("conversations.history", CallFault.SERVER_ERROR)
    place = world.slack.workspace.channel("general").id
    await world.slack.command(world.alice.id, place, "/task", f"create {PROMPT}")
    cards = await world.slack.until(lambda: world.slack.messages(place), "the card")

    thread = Thread(world, place, str(cards[0]["ts"]))
    world.reader.read_root(place, thread.ts)
    await world.alice.replies(thread, "and add a test")
    await world.passes(seconds=21)
    await world.polls()
    await world.passes(seconds=5)

    assert world.task("fix-the-login").inputs == ["and add a test"]
    assert len(world.slack.messages(place)) == 1
    assert len(world.alice.reads()) == 1, "she is told that her command waits"


async def test_a_reply_edited_before_slack_has_answered_our_post_arrives_as_edited(world: World) -> None:
    """A person edits a reply below a new card before the bot knows the card's ts. The agent gets the edited
    text."""
    thread = await a_card_before_slack_answers(world)

    reply = await world.slack.post(world.alice.id, thread.channel, "and add a tset", thread.ts)
    await world.slack.edit(world.alice.id, thread.channel, reply, "and add a test")
    await world.until(lambda: world.coder.tasks, "the task")
    await world.polls()
    await world.passes(seconds=5)

    assert world.task("fix-the-login").inputs == ["and add a test"]


async def a_card_before_slack_answers(world: World) -> Thread:
    """Let Alice create a task. Slack shows the card at once, and answers the bot half a second later. Return
    the card's thread before Slack answers."""
    world.slack.faults.add("chat.postMessage", CallFault.DONE_THEN_LATE, seconds=0.5)
    place = world.slack.workspace.channel("general").id
    await world.slack.command(world.alice.id, place, "/task", f"create {PROMPT}")
    cards = await world.slack.until(lambda: world.slack.messages(place), "the card")
    thread = Thread(world, place, str(cards[0]["ts"]))
    world.reader.read_root(place, thread.ts)
    return thread
