"""Replies while a system fails, or while it refuses them. No reply is lost, and people are told what each
reply waits for."""

from taskwire_sandbox.coder.faults import bad_gateway, server_error, too_many

from .running_tasks import card
from .unknown_outcomes import without_notices
from .waiting import a_busy_agent, a_waiting_agent, comes_up, takes_all
from .world import World


async def test_the_notice_of_a_broken_workspace_sends_what_waits(world: World) -> None:
    """The workspace breaks while a reply waits. A press of *Retry and send* on the notice restarts the
    workspace and sends the reply. The notice stays."""
    thread, task = await a_busy_agent(world)
    await world.alice.replies(thread, "use main")
    task.build_fails()
    await world.polls()
    notice, given_up = thread.new_messages()

    await world.alice.clicks(thread, "Retry and send")
    await comes_up(world)

    assert notice.endswith("\n[Retry and send] [Retry]")
    assert given_up.endswith("\n> use main\n[Retry and send]")
    assert task.inputs == ["use main"]
    assert "Retried by Alice." in thread.all_messages()[-2]
    assert thread.all_messages()[-1] == "Sent again.\n> use main"
    world.alice.reads()


async def test_a_broken_workspace_says_what_to_do(world: World) -> None:
    """A person replies while the workspace is broken. The bot says that the reply was not delivered. Its
    button restarts the workspace, and then sends the reply."""
    thread, task = await a_waiting_agent(world)
    task.crashes()
    await world.passes(seconds=320)
    await world.polls()
    await world.passes(seconds=320)
    thread.new_messages()
    warned = await card(world, thread)

    reply = await world.alice.replies(thread, "use main")
    said, receipt = thread.new_messages(), thread.receipt(reply)
    await world.alice.clicks(thread, "Retry and send")
    for _ in range(4):
        await world.passes(seconds=4)
        await world.polls()
    await world.passes(seconds=5)

    assert receipt == ["warning"]
    assert warned.startswith("Broken: Fix the login. The agent can't work.")
    assert said == ["This reply was not delivered: the workspace is broken.\n> use main\n[Retry and send]"]
    assert task.inputs == ["use main"]
    assert thread.receipt(reply) == ["white_check_mark"]
    assert world.alice.reads() == ["Retrying *Fix the login*."]
    assert thread.new_messages() == []


async def test_an_agent_that_cannot_be_reached_gets_it_when_it_can(world: World) -> None:
    """Coder cannot reach the agent, so a reply waits and has an hourglass. When Coder reaches the agent
    again, the bot sends the reply."""
    thread, task = await a_waiting_agent(world)
    task.agent_is_unreachable()
    await world.passes(seconds=60)
    await world.polls()
    without_notices(thread)

    reply = await world.alice.replies(thread, "use main")
    waiting = thread.receipt(reply)
    task.agent_is_reachable()
    await world.passes(seconds=5)

    assert waiting == ["hourglass_flowing_sand"]
    assert task.inputs == ["use main"]


async def test_an_agent_that_stays_out_of_reach_is_told_once(world: World) -> None:
    """An agent stays unreachable while replies wait. The bot tells people once what their replies wait
    for."""
    thread, task = await a_waiting_agent(world)
    thread.new_messages()
    world.coder.plan_fault("tasks.logs", bad_gateway(), times=None)

    for text in ("use main", "and test it"):
        await world.alice.replies(thread, text)
    for _ in range(4):
        await world.passes(seconds=600)
    said = without_notices(thread)
    world.coder.clear_faults()
    await takes_all(world, task)
    await world.passes(seconds=31)

    assert said == [
        "Replies wait: Coder can't reach the agent of *Fix the login*. If this takes long, write `!stop`, "
        "then `!resume`. I'll try to send them for a day; you need not write them again."
    ]
    assert task.inputs == ["use main", "and test it"]


async def test_a_log_that_coder_does_not_show_is_told_once(world: World) -> None:
    """Coder fails only for the agent's log, so the card shows no problem. The bot tells the thread once that
    replies wait."""
    thread, task = await a_waiting_agent(world)
    thread.new_messages()
    world.coder.plan_fault("tasks.logs", server_error(), times=None)

    await world.alice.replies(thread, "use main")
    for _ in range(4):
        await world.passes(seconds=600)
    said = without_notices(thread)
    world.coder.clear_faults()
    await world.passes(seconds=31)

    assert said == [
        "Replies wait: Coder does not say whether the agent of *Fix the login* is ready. A Coder "
        "administrator can find out why. I'll try to send them for a day; you need not write them again."
    ]
    assert task.inputs == ["use main"]


async def test_a_send_that_does_not_reach_the_agent_is_tried_again(world: World) -> None:
    """The bot sends a reply, and Coder answers with an error. This error proves that the agent did not get
    the reply, so the bot sends it again."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", bad_gateway())

    reply = await world.alice.replies(thread, "use main")
    waiting = thread.receipt(reply)
    await world.passes(seconds=5)

    assert waiting == ["hourglass_flowing_sand"]
    assert task.inputs == ["use main"]


async def test_a_task_that_coder_does_not_resume_gives_all_that_waits_back(world: World) -> None:
    """Replies wait for a paused task, and Coder refuses to resume it. One message shows all these replies
    with Coder's reason. Its button sends all of them again, in order."""
    thread, task = await a_busy_agent(world)
    replies = [await world.alice.replies(thread, text) for text in ("first", "second")]
    task.pause()
    world.coder.plan_fault("tasks.resume", server_error("You have used up your quota.", 409))

    await world.passes(seconds=31)
    said, receipts = thread.new_messages(), [thread.receipt(reply) for reply in replies]
    await world.alice.clicks(thread, "Try again")
    await takes_all(world, task)
    for _ in range(3):
        await world.passes(seconds=5)

    assert receipts == [["warning"]] * 2
    assert said == [
        "These 2 replies were not delivered: I could not resume the task. Coder said: You have used up "
        "your quota.\n"
        "> first\n"
        "> second\n"
        "[Try again]"
    ]
    assert task.inputs == ["first", "second"]
    assert await world.dead_letters() == []
    thread.new_messages()


async def test_the_button_of_returned_replies_outlives_the_first_of_them(
    world: World,
) -> None:
    """Three replies were not delivered, and one message offers *Try again* for all. The author deletes the
    first reply. The button then sends only the other two."""
    thread, task = await a_busy_agent(world)
    replies = [await world.alice.replies(thread, text) for text in ("first", "second", "third")]
    task.pause()
    world.coder.plan_fault("tasks.resume", server_error("You have used up your quota.", 409))
    await world.passes(seconds=31)
    thread.new_messages()

    await world.alice.deletes(thread, replies[0])
    await world.passes(seconds=5)
    await world.alice.clicks(thread, "Try again")
    await takes_all(world, task)
    for _ in range(3):
        await world.passes(seconds=5)

    assert task.inputs == ["second", "third"]
    thread.new_messages()


async def test_coder_away_for_a_while_delays_and_loses_nothing(world: World) -> None:
    """Coder is away for a while, and replies wait. When Coder is back, the agent gets each reply, in
    order."""
    thread, task = await a_waiting_agent(world)

    async with world.coder.outage():
        replies = [await world.alice.replies(thread, text) for text in ("first", "second")]
        await world.passes(seconds=10)
        await world.passes(seconds=10)
        waiting = [thread.receipt(reply) for reply in replies]
    for _ in range(3):
        await world.passes(seconds=31)
        task.becomes("idle")

    assert waiting == [["hourglass_flowing_sand"]] * 2
    assert task.inputs == ["first", "second"]
    thread.new_messages()


async def test_coder_in_trouble_is_asked_again(world: World) -> None:
    """The bot has to read from Coder before it sends a reply. It repeats a read that failed. After a 429 from
    Coder, it first waits as long as Coder asks."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.get", server_error())
    world.coder.plan_fault("tasks.logs", too_many(retry_after=7))

    await world.alice.replies(thread, "use main")
    await world.passes(seconds=2)
    before = list(task.inputs)
    await world.passes(seconds=8)

    assert before == []
    assert task.inputs == ["use main"]


async def test_while_coder_refuses_the_token_replies_wait(world: World) -> None:
    """Coder refuses the bot's token. The replies wait, for days if necessary, because nothing is wrong with
    them."""
    thread, task = await a_waiting_agent(world)
    world.coder.user("taskwire").status = "suspended"

    reply = await world.alice.replies(thread, "use main")
    for _ in range(4):
        await world.passes(seconds=12 * 3600)
    waiting = (task.inputs, thread.receipt(reply))
    world.coder.user("taskwire").status = "active"
    await world.passes(seconds=38)

    assert waiting == ([], ["hourglass_flowing_sand"])
    assert task.inputs == ["use main"]
    thread.new_messages()


async def test_a_token_refused_between_reading_and_sending_drops_nothing(world: World) -> None:
    """To send a reply, the bot first reads from Coder and then sends. Coder accepts the token for the read
    and refuses it for the second call. The bot keeps the reply and sends it later."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", server_error("You are signed out or your session has expired.", 401))

    await world.alice.replies(thread, "use main")
    before = thread.new_messages()
    await world.passes(seconds=38)

    assert before == []
    assert task.inputs == ["use main"]
    thread.new_messages()


async def test_a_reply_for_which_the_agent_is_never_ready_is_given_back_after_a_day(world: World) -> None:
    """A reply has waited a day for a busy agent, so the bot gives it up. Its message shows the reply's text
    and has *Try again*, because the agent may be ready later."""
    thread, task = await a_busy_agent(world)
    reply = await world.alice.replies(thread, "use main")

    await world.passes(seconds=24 * 3600 + 31)
    said, receipt = thread.new_messages(), thread.receipt(reply)
    task.becomes("idle")
    await world.alice.clicks(thread, "Try again")

    assert receipt == ["warning"]
    assert said[-1] == (
        "This reply was not delivered: for a day, the agent was never ready.\n> use main\n[Try again]"
    )
    assert task.inputs == ["use main"]


async def test_what_waits_behind_is_given_back_with_it_and_sent_with_it(world: World) -> None:
    """Three replies have waited a day for a busy agent, so the bot gives them up. One message shows the texts
    of all three. Its button sends all three in order."""
    thread, task = await a_busy_agent(world)
    replies = [await world.alice.replies(thread, text) for text in ("first", "second", "third")]

    await world.passes(seconds=24 * 3600 + 31)
    said, receipts = thread.new_messages()[-1], [thread.receipt(reply) for reply in replies]
    await takes_all(world, task)
    await world.alice.clicks(thread, "Try again")
    await world.passes(seconds=5)

    assert said == (
        "These 3 replies were not delivered: for a day, the agent was never ready.\n"
        "> first\n"
        "> second\n"
        "> third\n"
        "[Try again]"
    )
    assert receipts == [["warning"]] * 3
    assert task.inputs == ["first", "second", "third"]
    assert [thread.receipt(reply) for reply in replies] == [["white_check_mark"]] * 3


async def test_coder_away_for_a_day_ends_what_waits_and_loses_nothing(world: World) -> None:
    """Coder is away for a day, so the bot gives up all waiting replies and shows them in one message. Later
    the author presses *Try again*, and the operator also sends the replies again. The agent gets each reply
    once."""
    thread, task = await a_waiting_agent(world)
    async with world.coder.outage():
        for text in ("first", "second"):
            await world.alice.replies(thread, text)
        await world.passes(seconds=10)
        await world.passes(seconds=24 * 3600 + 31)
        await world.passes(seconds=5)
        said, letters = without_notices(thread), await world.letters().list_ids()
    await takes_all(world, task)

    await world.alice.clicks(thread, "Try again")
    await world.passes(seconds=5)
    sent = [await world.letters().send_again(letter) for letter in letters]
    await world.passes(seconds=5)

    assert said == [
        "These 2 replies were not delivered: every try failed for a day.\n> first\n> second\n[Try again]"
    ]
    assert (len(letters), sent) == (2, ["already_handled"] * 2)
    assert task.inputs == ["first", "second"]
    world.errors.clear()


async def test_what_was_typed_in_a_command_is_given_back_as_it_was_typed(world: World) -> None:
    """Alice sends markup of Slack with `/task send`, and Coder is away for a day. The question quotes exactly
    the characters that the agent gets when a person presses *Try again*."""
    thread, task = await a_busy_agent(world)
    words = "replace <!all|nothing> by &lt;"
    await world.alice.types(f"/task send fix-the-login {words}")
    async with world.coder.outage():
        await world.passes(seconds=40)
        await world.passes(seconds=24 * 3600 + 31)
        await world.passes(seconds=5)
        said = thread.all_messages()
    await takes_all(world, task)

    await world.alice.clicks(thread, "Try again")
    await world.passes(seconds=5)

    assert f"This reply was not delivered: every try failed for a day.\n> {words}\n[Try again]" in said
    assert task.inputs == [words]
    world.errors.clear()
    world.alice.reads(), thread.new_messages()
