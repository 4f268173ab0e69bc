"""Slack's limits hold for all people together. A person who asks without end leaves others their answers."""

from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.outbox.private_answers import MOST_PENDING, PrivateAnswer
from taskwire.slack.manifest import SEND_TO_TASK

from .many_tasks import calls
from .people import Person
from .waiting import a_busy_agent, takes_all
from .world import World


async def a_stranger(world: World) -> Person:
    """Return a member of the workspace who has no Coder account."""
    mallory = world.person("mallory", in_coder=False)
    await world.slack.join(mallory.id, "general")
    return mallory


async def test_messages_that_one_person_picks_fill_no_queue(world: World) -> None:
    """While Coder is away, Mallory picks a message of Alice's thread for its agent again and again. Thirty of
    these requests wait. Alice's own request is still taken."""
    mallory = await a_stranger(world)
    thread, task = await a_busy_agent(world)
    ts = await world.slack.post(world.alice.id, thread.channel, "// look at this", thread.ts)
    await world.passes(seconds=5)

    async with world.coder.outage():
        for _ in range(4):
            for _ in range(10):
                await world.slack.message_shortcut(mallory.id, thread.channel, ts, SEND_TO_TASK)
            await world.settles()
            world.clock.passes(61)
        waiting = [job for jobs in (await world.jobs()).values() for job in jobs if "send_to_task" in job]
        world.alice.reads()
        await world.slack.message_shortcut(world.alice.id, thread.channel, ts, SEND_TO_TASK)
        await world.settles()
        later = [job for jobs in (await world.jobs()).values() for job in jobs if "send_to_task" in job]

    assert (len(waiting), len(later)) == (30, 31)
    await takes_all(world, task)
    for _ in range(4):
        await world.passes(seconds=600)
        await world.polls()
    world.alice.reads()
    mallory.reads()
    thread.new_messages()


async def test_answers_of_which_one_person_waits_for_many_stand_behind_others(world: World) -> None:
    """Three people have caused more private answers than Slack lets the bot show in a minute. Bob's answer
    goes before those that wait, and of one person no more than fifty wait."""
    thread, _ = await a_busy_agent(world)
    await world.passes(seconds=5)
    private_answers = world.bot.parts.private_answers
    people = [world.person(name, in_coder=False) for name in ("mallory", "mike", "mona")]
    for person in people:
        await world.slack.join(person.id, "general")
        requester = Requester(
            person=UserId(person.id),
            channel=ChannelId(thread.channel),
            at=Ts(world.slack.backend.ids.ts()),
            thread_ts=Ts(thread.ts),
        )
        for number in range(2 * MOST_PENDING):
            private_answers.show(PrivateAnswer(requester, Message(text=f"No {number}.")))
    await world.until(lambda: len(calls(world, "chat.postEphemeral")) >= 90, "the budget is used up")

    await world.slack.post(world.bob.id, thread.channel, "!status", thread.ts)
    await world.until(world.bob.has_news, "Bob is answered")

    assert world.bob.reads()[0].startswith("Working: ")
    assert private_answers.count > 0
    world.clock.passes(120)
    await world.settles()
    assert all(len(person.reads()) <= MOST_PENDING for person in people)


async def test_replies_below_other_messages_of_the_bot_are_looked_up_once(world: World) -> None:
    """A person writes again and again below a message of the bot that is no card. The bot asks Slack once
    what the message is."""
    mallory = await a_stranger(world)
    await world.slack.post(mallory.id, mallory.direct(), "please build it")
    await world.passes(seconds=5)
    root = next(each["ts"] for each in world.slack.messages(mallory.direct()) if each.get("bot_id"))
    before = len(calls(world, "conversations.replies"))

    for _ in range(5):
        await world.slack.post(mallory.id, mallory.direct(), "hi", root)
        await world.passes(seconds=40)

    assert len(calls(world, "conversations.replies")) - before == 1
    mallory.hears()


async def test_messages_that_an_edit_makes_replies_are_limited(world: World) -> None:
    """In a thread where only mentions reach the agent, Mallory makes forty of his messages replies by editing
    them, while Coder is away. Thirty of them wait, and he is told."""
    mallory = await a_stranger(world)
    root = await world.slack.post(world.alice.id, "general", "the login is broken")
    thread = await world.alice.mentions("fix it", root)
    await world.polls()
    await world.passes(seconds=5)

    async with world.coder.outage():
        for number in range(40):
            ts = await world.slack.post(mallory.id, "general", f"chat {number}", root)
            mention = f"<@{world.slack.bot_user_id}> junk {number}"
            await world.slack.edit(mallory.id, "general", ts, mention)
            await world.settles()
        waiting = [job for jobs in (await world.jobs()).values() for job in jobs if job.startswith("reply:")]

    assert len(waiting) == 30
    assert any(said.startswith("Too many replies wait here") for said in mallory.reads())
    for _ in range(4):
        await world.passes(seconds=600)
        await world.polls()
    await world.until(lambda: world.bot.parts.private_answers.is_idle, "all is told")
    mallory.reads()
    thread.new_messages()
