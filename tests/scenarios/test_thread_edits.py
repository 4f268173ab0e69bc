"""People edit or delete replies, before or after the agent has them."""

import pytest

from taskwire_sandbox.coder.faults import late
from taskwire_sandbox.slack import DeliveryFault

from .waiting import a_busy_agent, a_waiting_agent, takes_all
from .world import POST_SECONDS, World

LATE_EDIT = "The agent did not get this edit: it already has the old text. To correct it, write a new reply."


async def test_an_edit_before_delivery_changes_what_the_agent_gets(world: World) -> None:
    """The author edits a waiting reply. The agent gets the new text, and the reply keeps its place and its
    mark."""
    thread, task = await a_busy_agent(world)
    first = await world.alice.replies(thread, "use mian")
    await world.alice.replies(thread, "and test it")

    await world.alice.edits(thread, first, "use main")
    for _ in range(2):
        task.becomes("idle")
        await world.passes(seconds=9)

    assert task.inputs == ["use main", "and test it"]
    assert thread.receipt(first) == ["white_check_mark"]


async def test_a_deletion_before_delivery_takes_it_from_the_queue(world: World) -> None:
    """The author deletes a reply that waits. The reply leaves the queue, and the agent never gets it."""
    thread, task = await a_busy_agent(world)
    first = await world.alice.replies(thread, "never mind")
    await world.alice.replies(thread, "use main")

    await world.alice.deletes(thread, first)
    task.becomes("idle")
    await world.passes(seconds=9)

    assert task.inputs == ["use main"]


async def test_an_edit_that_says_it_to_people_takes_it_from_the_queue(world: World) -> None:
    """The author edits a waiting reply into an aside. The agent does not get the reply, and its mark is
    removed."""
    thread, task = await a_busy_agent(world)
    reply = await world.alice.replies(thread, "use main")

    await world.alice.edits(thread, reply, "// use main")
    task.becomes("idle")
    await world.passes(seconds=9)

    assert task.inputs == []
    assert thread.receipt(reply) == []


async def test_an_edit_after_delivery_is_said_once(world: World) -> None:
    """The author edits a reply that the agent already has. The bot tells the thread once that the agent has
    the earlier words."""
    thread, task = await a_waiting_agent(world)
    reply = await world.alice.replies(thread, "use mian")

    await world.alice.edits(thread, reply, "use <main>")
    await world.alice.edits(thread, reply, "use main!")
    task.becomes("idle")
    await world.passes(seconds=9)

    assert task.inputs == ["use mian"]
    assert thread.new_messages() == [f"{LATE_EDIT}\n> use <main>"]
    assert thread.receipt(reply) == ["white_check_mark"]


async def test_a_deletion_after_delivery_is_said(world: World) -> None:
    """The author deletes a reply that was delivered. The bot tells the thread that the agent already has
    it."""
    thread, task = await a_waiting_agent(world)
    reply = await world.alice.replies(thread, "use main")

    await world.alice.deletes(thread, reply)

    assert task.inputs == ["use main"]
    assert thread.new_messages() == [
        "The agent already has the deleted reply of Alice. To correct that, write a new reply."
    ]


async def test_an_edit_while_it_is_being_delivered_is_said(world: World) -> None:
    """The author edits a reply while the bot is delivering it. The bot tells the thread that the agent gets
    the earlier words."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", late(0.5))

    reply = await world.slack.post(world.alice.id, thread.channel, "use mian", thread.ts)
    await world.until(lambda: _asked(world, "tasks.send"), "the reply is on its way")
    await world.alice.edits(thread, reply, "use main")

    assert task.inputs == ["use mian"]
    assert thread.new_messages() == [f"{LATE_EDIT}\n> use main"]


async def test_an_edit_during_a_try_that_fails_counts(world: World) -> None:
    """The author edits a reply while the bot tries to send it. The agent is busy and does not take it, so the
    reply still waits. Later the agent gets the edited text."""
    thread, task = await a_busy_agent(world)
    world.coder.plan_fault("tasks.send", late(0.5))

    reply = await world.slack.post(world.alice.id, thread.channel, "use mian", thread.ts)
    await world.until(lambda: _asked(world, "tasks.send"), "the reply is on its way")
    await world.alice.edits(thread, reply, "use main")
    task.becomes("idle")
    await world.passes(seconds=9)

    assert task.inputs == ["use main"]
    assert thread.new_messages() == []


async def test_a_link_that_slack_unfurls_is_no_edit(world: World) -> None:
    """Slack adds a preview to the reply. The bot does not take that for an edit."""
    thread, task = await a_waiting_agent(world)
    reply = await world.alice.replies(thread, "see https://docs.acme.test/a")

    await world.slack.unfurl(thread.channel, reply, "https://docs.acme.test/a")
    await world.settles()

    assert task.inputs == ["see https://docs.acme.test/a"]
    assert thread.new_messages() == []


async def test_edits_of_what_was_no_input_are_not_commented(world: World) -> None:
    """People edit or delete verbs, asides, and replies of people who may not steer. The agent never had these
    messages, so the bot says nothing."""
    thread, task = await a_waiting_agent(world)
    verb = await world.alice.replies(thread, "!unmute")
    aside = await world.alice.replies(thread, "// a joke")
    comment = await world.bob.replies(thread, "nice")
    world.alice.reads()
    world.bob.reads()

    await world.alice.edits(thread, verb, "!mute")
    await world.alice.edits(thread, aside, "a joke")
    await world.bob.edits(thread, comment, "very nice")
    await world.alice.deletes(thread, verb)
    await world.bob.deletes(thread, comment)

    assert task.inputs == []
    assert (thread.new_messages(), world.alice.reads(), world.bob.reads()) == ([], [], [])


async def test_an_edit_that_arrives_before_its_message_counts(world: World) -> None:
    """An author edits a reply, and Slack delivers the edit before the reply itself. The agent gets the edited
    text."""
    thread, task = await a_waiting_agent(world)
    world.slack.faults.add("message", DeliveryFault.LATE, seconds=0.5)

    reply = await world.slack.post(world.alice.id, thread.channel, "use mian", thread.ts)
    await world.alice.edits(thread, reply, "use main")
    await world.settles()
    task.becomes("idle")
    await world.passes(seconds=9)

    assert task.inputs == ["use main"]
    assert thread.new_messages() == []


async def test_a_deletion_that_arrives_before_its_message_counts(world: World) -> None:
    """An author deletes a reply, and Slack delivers the deletion before the reply itself. The agent does not
    get the reply."""
    thread, task = await a_waiting_agent(world)
    world.slack.faults.add("message", DeliveryFault.LATE, seconds=0.5)

    reply = await world.slack.post(world.alice.id, thread.channel, "never mind", thread.ts)
    await world.alice.deletes(thread, reply)
    await world.settles()
    await world.passes(seconds=9)

    assert task.inputs == []


async def test_an_edit_of_a_held_reply_is_what_is_sent(world: World) -> None:
    """A pause holds two replies. The author edits one and deletes the other. The bot then holds only the
    first reply, with its new text."""
    thread, task = await a_busy_agent(world)
    first = await world.alice.replies(thread, "use mian")
    second = await world.alice.replies(thread, "never mind")
    await world.alice.replies(thread, "!pause")
    await world.passes(seconds=3)
    thread.new_messages()

    await world.alice.edits(thread, first, "use main")
    await world.alice.deletes(thread, second)
    await world.alice.clicks(thread, "Drop them")

    assert thread.new_messages() == ["Dropped 1 reply:\n| use main"]
    assert task.inputs == []


async def test_an_edit_of_a_reply_that_was_not_delivered_is_what_is_tried_again(world: World) -> None:
    """The bot did not send a reply that begins with `!`, and the author edits the `!` away. The author is
    asked anew, and *Send as text* sends the text that the message has now."""
    thread, task = await a_waiting_agent(world)
    reply = await world.alice.replies(thread, "!make test")

    await world.alice.edits(thread, reply, "make test, please")
    asked = world.alice.reads()
    thread.new_messages()
    await world.alice.presses("Send as text")
    world.alice.reads()

    assert asked == [
        "You edited this message. Is it text for the agent?\n> make test, please\n[Send as text]"
    ]
    assert task.inputs == ["make test, please"]
    assert thread.receipt(reply) == ["white_check_mark"]


@pytest.mark.parametrize("words", ["!make tests", "!pause"])
async def test_an_edit_of_a_reply_that_goes_as_it_is_changes_what_the_agent_gets(
    world: World, words: str
) -> None:
    """The author presses *Send as text* for a reply that begins with `!`, and edits it while it waits. The
    agent gets the new text. The bot does not ask again."""
    thread, task = await a_busy_agent(world)
    reply = await world.alice.replies(thread, "!make test")
    await world.alice.clicks(thread, "Send as text")
    thread.new_messages()

    await world.alice.edits(thread, reply, words)
    await takes_all(world, task)
    await world.passes(seconds=9)

    assert (task.status, task.inputs) == ("active", [words])
    assert thread.new_messages() == []
    assert thread.receipt(reply) == ["white_check_mark"]


async def test_an_edit_of_a_held_reply_that_goes_as_it_is_is_held_in_its_new_words(world: World) -> None:
    """The author presses *Send as text* for a reply that begins with `!`. A pause holds the reply, and the
    author edits it. When the reply is dropped, the bot shows the new text."""
    thread, task = await a_busy_agent(world)
    reply = await world.alice.replies(thread, "!make test")
    await world.alice.clicks(thread, "Send as text")
    await world.alice.replies(thread, "!pause")
    await world.passes(seconds=3)
    thread.new_messages()

    await world.alice.edits(thread, reply, "!make tests")
    await world.alice.clicks(thread, "Drop the reply")

    assert thread.new_messages() == ["Dropped 1 reply:\n| !make tests"]
    assert task.inputs == []


async def test_an_edit_of_a_reply_that_is_asked_about_is_what_goes_as_it_is(world: World) -> None:
    """The bot asks about a reply that begins with `!`, and the author edits it. The question shows the text
    that the message has now, and *Send as text* sends it."""
    thread, task = await a_waiting_agent(world)
    reply = await world.alice.replies(thread, "!make test")
    thread.new_messages()

    await world.alice.edits(thread, reply, "!make tests")
    await world.passes(seconds=5)
    before, shown, said = list(task.inputs), thread.all_messages()[-1], thread.new_messages()
    await world.alice.clicks(thread, "Send as text")

    assert before == []
    assert (shown, said) == ("I don't know `!make`.\n> !make tests\n[Help] [Send as text]", [])
    assert task.inputs == ["!make tests"]


async def test_an_edit_that_puts_a_mark_before_a_reply_sends_no_shell_command(world: World) -> None:
    """The author edits a waiting reply so that it begins with `!`. The agent does not get it, because nobody
    has pressed *Send as text* for it."""
    thread, task = await a_busy_agent(world)
    reply = await world.alice.replies(thread, "make test")

    await world.alice.edits(thread, reply, "!make test")
    await takes_all(world, task)
    await world.passes(seconds=9)

    assert task.inputs == []
    assert thread.receipt(reply) == []


async def test_an_edit_of_a_reply_of_unknown_outcome_does_not_send_it(world: World) -> None:
    """The bot does not know whether the agent got a reply, and the author edits it. The bot does not send the
    new text before a person presses *Send again*."""
    thread, task = await a_waiting_agent(world)
    task.agentapi_fails("message")
    reply = await world.alice.replies(thread, "use mian")
    await world.passes(seconds=66)
    thread.new_messages()

    await world.alice.edits(thread, reply, "use main")
    await world.passes(POST_SECONDS)
    before = list(task.inputs)
    said = thread.new_messages()
    await world.alice.clicks(thread, "Send again")

    assert before == []
    assert said == ["The agent may have the old text. *Send again* above sends the new text:\n> use main"]
    assert task.inputs == ["use main"]


async def test_a_reply_of_unknown_outcome_that_is_deleted_is_not_sent_again(world: World) -> None:
    """The bot does not know whether the agent got a reply, and the author deletes it. The bot says so in the
    thread and does not send the reply again. Later replies reach the agent."""
    thread, task = await a_waiting_agent(world)
    task.agentapi_fails("message")
    reply = await world.alice.replies(thread, "use mian")
    await world.passes(seconds=66)
    await world.alice.replies(thread, "use main")
    thread.new_messages()

    await world.alice.deletes(thread, reply)
    await world.passes(POST_SECONDS)

    assert task.inputs == ["use main"]
    assert thread.new_messages() == [
        "Not sure whether the agent got the deleted reply of Alice. I won't send it again."
    ]
    assert ("Closed: the reply was deleted.\n> use mian") in thread.all_messages()


def _asked(world: World, route: str) -> bool:
    return any(seen.route == route for seen in world.coder.requests)
