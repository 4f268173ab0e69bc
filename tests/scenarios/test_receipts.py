"""Receipts: the bot's one reaction on a reply shows what happened to that reply."""

from taskwire_sandbox.coder.faults import late, refused, server_error
from taskwire_sandbox.slack import Attachment, CallFault

from .unknown_outcomes import LANDING_SECONDS, without_notices
from .waiting import a_busy_agent, a_waiting_agent, takes_all
from .world import World


def reactions(world: World) -> list[str]:
    """Return every reaction that the bot has added, in order."""
    return [str(call.arguments["name"]) for call in world.slack.calls if call.method == "reactions.add"]


async def test_a_reply_that_arrives_at_once_is_only_ticked(world: World) -> None:
    """The agent has the reply within two seconds, so the bot adds the tick and never the eyes."""
    thread, _ = await a_waiting_agent(world)

    reply = await world.alice.replies(thread, "use main")
    await world.passes(seconds=3)

    assert thread.receipt(reply) == ["white_check_mark"]
    assert reactions(world) == ["white_check_mark"]


async def test_a_reply_that_takes_longer_is_seen_first(world: World) -> None:
    """A reply takes more than two seconds to reach the agent. The bot first adds the eyes to it, and later
    replaces them by the tick."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", refused())

    reply = await world.alice.replies(thread, "use main")
    at_once = thread.receipt(reply)
    await world.passes(seconds=2.1)
    soon = thread.receipt(reply)
    await world.passes(LANDING_SECONDS)

    assert (at_once, soon) == ([], ["eyes"])
    assert task.inputs == ["use main"]
    assert thread.receipt(reply) == ["white_check_mark"]
    assert without_notices(thread) == []


async def test_only_the_newest_state_shows(world: World) -> None:
    """A reply waits for a busy agent, and is then delivered. It shows only the hourglass at first, and later
    only the tick."""
    thread, task = await a_busy_agent(world)

    reply = await world.alice.replies(thread, "use main")
    waiting = thread.receipt(reply)
    await world.passes(seconds=5)
    still_waiting = thread.receipt(reply)
    task.becomes("idle")
    await world.passes(seconds=31)

    assert waiting == still_waiting == ["hourglass_flowing_sand"]
    assert thread.receipt(reply) == ["white_check_mark"]
    assert reactions(world) == ["hourglass_flowing_sand", "white_check_mark"]


async def test_all_replies_that_wait_show_the_same(world: World) -> None:
    """Several replies wait for a busy agent. All of them have the hourglass, and later all have the tick."""
    thread, task = await a_busy_agent(world)

    texts = ("use main", "and test it", "then push")
    waiting = [await world.slack.post(world.alice.id, thread.channel, text, thread.ts) for text in texts]
    await world.settles()
    waiting.append(await world.alice.replies(thread, "thanks for all"))
    at_once = [thread.receipt(reply) for reply in waiting]
    await world.passes(seconds=5)
    later = [thread.receipt(reply) for reply in waiting]
    await takes_all(world, task)
    await world.passes(seconds=31)

    assert at_once == later == [["hourglass_flowing_sand"]] * 4
    assert [thread.receipt(reply) for reply in waiting] == [["white_check_mark"]] * 4
    assert task.inputs == [*texts, "thanks for all"]
    assert set(reactions(world)) == {"hourglass_flowing_sand", "white_check_mark"}


async def test_replies_behind_a_question_wait_with_it(world: World) -> None:
    """The bot asks whether to send a reply without its picture. This reply and the next one have the
    hourglass, until the person has decided."""
    thread, task = await a_waiting_agent(world)
    picture = Attachment("plan.png", b"\x89PNG")

    asked = await world.alice.replies(thread, "look at this", (picture,))
    behind = await world.alice.replies(thread, "and test it")
    await world.passes(seconds=5)
    waiting = [thread.receipt(reply) for reply in (asked, behind)]
    await takes_all(world, task)
    await world.alice.clicks(thread, "Don't send")
    await world.passes(seconds=31)

    assert waiting == [["hourglass_flowing_sand"]] * 2
    assert [thread.receipt(reply) for reply in (asked, behind)] == [[], ["white_check_mark"]]
    assert task.inputs == ["and test it"]
    thread.new_messages()


async def test_a_reply_that_coder_refuses_says_why_and_can_be_sent_again(world: World) -> None:
    """Coder refuses a reply. The bot adds a warning sign to the reply. Its message in the thread gives the
    reason, and *Try again* sends the reply."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", server_error("Only http scheme is supported.", 400))

    reply = await world.alice.replies(thread, "use main")
    warned = thread.receipt(reply)
    said = thread.new_messages()
    await world.alice.clicks(thread, "Try again")

    assert warned == ["warning"]
    assert said == [
        "This reply was not delivered. Coder said: Only http scheme is supported.\n> use main\n[Try again]"
    ]
    assert task.inputs == ["use main"]
    assert thread.receipt(reply) == ["white_check_mark"]


async def test_trying_again_twice_sends_once(world: World) -> None:
    """A person presses *Try again* twice. The agent gets the reply once, and the second answer says that
    somebody has decided already."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", server_error("Only http scheme is supported.", 400))
    await world.alice.replies(thread, "use main")
    thread.new_messages()

    await world.alice.clicks_at_once(thread, "Try again", "Try again")
    task.becomes("idle")
    await world.passes(seconds=31)

    assert task.inputs == ["use main"]
    assert world.alice.reads() == ["Somebody already decided this."]


async def test_a_refusal_that_comes_again_is_told_again(world: World) -> None:
    """Coder refuses a reply, a person presses *Try again*, and Coder refuses it again. The bot posts a second
    message about the refusal."""
    thread, _ = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", server_error("Only http scheme is supported.", 400), times=2)

    reply = await world.alice.replies(thread, "use main")
    await world.alice.clicks(thread, "Try again")

    refused = (
        "This reply was not delivered. Coder said: Only http scheme is supported.\n> use main\n[Try again]"
    )
    await world.passes(seconds=4)
    told = "Tried again, but not sent. The reason is below.\n> use main"
    assert thread.new_messages() == [told, refused]
    assert thread.receipt(reply) == ["warning"]


async def test_a_reaction_whose_answer_was_lost_goes_when_the_next_one_comes(world: World) -> None:
    """Slack's answer to a reaction of the bot is lost, so the bot does not know whether Slack added it. The
    bot removes this reaction when it adds the next one."""
    thread, task = await a_busy_agent(world)
    world.slack.faults.add("reactions.add", CallFault.DONE_THEN_CUT)

    reply = await world.alice.replies(thread, "use main")
    lost = thread.receipt(reply)
    task.becomes("idle")
    await world.polls()
    await world.passes(seconds=31)

    assert lost == ["hourglass_flowing_sand"]
    assert thread.receipt(reply) == ["white_check_mark"]


async def test_a_reply_that_is_deleted_needs_no_mark(world: World) -> None:
    """The author deletes a reply before the bot has delivered it. The agent does not get it, and the bot adds
    no reaction."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.get", late(0.3))

    reply = await world.slack.post(world.alice.id, thread.channel, "use main", thread.ts)
    await world.slack.delete(world.alice.id, thread.channel, reply)
    await world.settles()
    await world.passes(seconds=3)

    assert task.inputs == []
    assert reactions(world) == []
