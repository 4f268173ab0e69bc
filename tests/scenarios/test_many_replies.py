"""A hundred waiting replies reach the agent in order. If more than two hundred wait, the bot refuses new
replies with a message.

The bot also limits the other requests that wait in a thread, with a higher limit.
"""

import pytest

from taskwire.domain.ids import ChannelId, LinkId, Ts, UserId
from taskwire.domain.queueing.jobs import REPLY_ID_PREFIX, Act, Job, PostText, Reply
from taskwire.domain.queueing.queues import (
    QueueName,
    input_score,
    no_agent_score,
    receipts,
    thread_answers,
    to_coder,
)
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.queue.batch import Batch
from taskwire.queue.inbox import (
    MAX_REPLIES_OF_ONE,
    MAX_REPLIES_OF_OTHERS,
    MAX_WAITING_ANSWERS,
    MAX_WAITING_REPLIES,
    MAX_WAITING_REQUESTS,
)
from taskwire.queue.user_limits import MAX_UNCHECKED_OF_STRANGERS, MAX_UNCHECKED_REPLIES

from .people import Person, Thread
from .test_choices import an_asking_agent
from .waiting import a_busy_agent, takes_all
from .world import World

TOO_MANY = (
    "Too many replies already wait for the agent, so the newer ones, with :warning:, were not delivered. "
    "Write them again later."
)
TOO_MUCH = (
    "Too many requests wait in this thread, so I did not accept the newer ones, with :warning:. Try again "
    "in a few minutes."
)
NO_PLACE = "Too many replies already wait for the agent, so this one was not delivered. Send it again later."
UNCHECKED = (
    "Too many replies wait here, so I can't accept this one or newer ones now. Write them again later."
)


async def writes(world: World, thread: Thread, count: int) -> list[str]:
    """Let Alice write this number of replies, and return the ts of each."""
    written = [
        await world.slack.post(world.alice.id, thread.channel, f"step {number}", thread.ts)
        for number in range(count)
    ]
    await world.settles()
    return written


async def has_waiting(
    world: World,
    thread: Thread,
    count: int,
    author: Person | None = None,
    first: int = 0,
    delay_ms: int = 0,
) -> Batch:
    """Put this number of replies into the queue of jobs for the thread's task. They are Alice's if no author
    is given. The first one has the number `first`. They are sent after `delay_ms`. Return a batch that
    removes them from the queue."""
    link = await link_of(world, thread)
    filling, emptying = Batch(), Batch()
    for number in range(first, first + count):
        ts = Ts(f"{float(thread.ts) + number / 1000:.6f}")
        person = UserId((author or world.alice).id)
        reply = Reply(person=person, ts=ts, text="…", is_admitted=True, wait_count=1)
        job = Job(id=f"{REPLY_ID_PREFIX}{ts}", work=reply)
        filling.append(to_coder(link), job, score=input_score(ts), delay_ms=delay_ms)
        emptying.drop(to_coder(link), job.id)
    await world.bot.parts.deps.queues.write(filling)
    await world.settles()
    return emptying


async def shares(world: World, thread: Thread, *people: Person) -> None:
    """Let Alice share the thread's task with these people. They read what they are told."""
    await world.alice.replies(thread, "!share " + " ".join(f"<@{each.id}>" for each in people))
    world.alice.reads(), [each.hears() for each in people], thread.new_messages()


async def link_of(world: World, thread: Thread) -> LinkId:
    """Return the id of a thread's link."""
    key = world.keys.named("thread", f"{thread.channel}:{thread.ts}")
    return LinkId(str(await world.connections.commands.get(key)))


async def has_to_answer(world: World, thread: Thread, person: Person, count: int) -> Batch:
    """Put this number of answers to this person's queries into their queue of answers in the thread. They
    wait for an hour. Return a batch that removes them from the queue."""
    name = thread_answers(await link_of(world, thread), person.id)
    filling, emptying = Batch(), Batch()
    for number in range(count):
        job = Job(id=f"said:{number}", work=PostText(message=Message(text="…")))
        filling.append(name, job, delay_ms=3_600_000)
        emptying.drop(name, job.id)
    await world.bot.parts.deps.queues.write(filling)
    return emptying


async def has_to_do(world: World, thread: Thread, count: int, person: str = "") -> Batch:
    """Put this number of requests into the queue of jobs for the thread's task. They are this person's, or
    Alice's if `person` is empty, and wait for an hour. Return a batch that removes them."""
    name = to_coder(await link_of(world, thread))
    who = UserId(person or world.alice.id)
    requester = Requester(person=who, channel=ChannelId(thread.channel), at=Ts(thread.ts))
    filling, emptying = Batch(), Batch()
    for number in range(count):
        job = Job(id=f"mute:{number}", work=Act(requester=requester, verb="mute"))
        filling.append(name, job, score=no_agent_score(requester.at), delay_ms=3_600_000)
        emptying.drop(name, job.id)
    await world.bot.parts.deps.queues.write(filling)
    return emptying


def without(name: QueueName, jobs: list[str]) -> Batch:
    """Return a batch that removes these jobs from the queue, so that a test need not wait for them."""
    batch = Batch()
    for job in jobs:
        batch.drop(name, job)
    return batch


async def test_a_hundred_waiting_replies_reach_the_agent_in_order(world: World) -> None:
    """A hundred replies wait for a busy agent. It gets each reply once, in order. The bot changes the
    replies' receipts only as fast as Slack allows."""
    thread, task = await a_busy_agent(world)
    replies = await writes(world, thread, 100)

    await takes_all(world, task)
    ((name, marks),) = [each for each in (await world.jobs()).items() if each[0].startswith("receipts")]

    assert task.inputs == [f"step {number}" for number in range(100)]
    marked = {f"receipt:{reply}" for reply in replies if thread.receipt(reply) == ["white_check_mark"]}
    assert marked | set(marks) >= {f"receipt:{reply}" for reply in replies}
    await world.bot.parts.deps.queues.write(without(QueueName(name), marks))


async def test_more_than_two_hundred_are_refused_in_words(world: World) -> None:
    """Two hundred replies wait, so the bot refuses further replies. Each refused reply gets a warning mark,
    and the thread gets one message about them. When fewer replies wait, the bot accepts new ones."""
    thread, task = await a_busy_agent(world)
    others = await has_waiting(world, thread, MAX_WAITING_REPLIES - 1)

    replies = await writes(world, thread, 4)
    await world.passes(seconds=5)
    said, marks = thread.new_messages(), sorted(thread.receipt(reply) for reply in replies)
    await world.bot.parts.deps.queues.write(others)
    await takes_all(world, task)
    again = await world.alice.replies(thread, "once more")
    await world.passes(seconds=60)

    assert said == [TOO_MANY]
    assert marks == [["hourglass_flowing_sand"], ["warning"], ["warning"], ["warning"]]
    assert len(task.inputs) == 2
    assert task.inputs[-1] == "once more"
    assert thread.receipt(again) == ["white_check_mark"]
    thread.new_messages()


async def test_a_teammate_leaves_places_to_the_owner(world: World) -> None:
    """Bob, with whom the task is shared, has as many waiting replies as one teammate may have. His next ones
    are refused. Alice's reply, and a stop, are still accepted."""
    thread, task = await a_busy_agent(world)
    await shares(world, thread, world.bob)
    others = await has_waiting(world, thread, MAX_REPLIES_OF_ONE - 1, world.bob)

    replies = [await world.bob.replies(thread, f"more {number}") for number in range(3)]
    own = await world.alice.replies(thread, "do not deploy")
    await world.passes(seconds=5)
    said, marks = thread.new_messages(), [thread.receipt(each) for each in (*replies, own)]
    await world.bot.parts.deps.queues.write(others)
    await takes_all(world, task)

    assert said == [TOO_MANY]
    assert marks == [["hourglass_flowing_sand"], ["warning"], ["warning"], ["hourglass_flowing_sand"]]
    assert task.inputs == ["Bob wrote:\n> more 0", "do not deploy"]
    await world.passes(seconds=60)
    thread.new_messages()


async def test_a_command_and_a_shortcut_meet_the_same_limit(world: World) -> None:
    """Bob, who steers Alice's task, has as many waiting replies as one teammate may have. `/task send` and
    *Send to its task* are refused, and nothing is posted. Alice's own are accepted until all places are
    taken. When fewer replies wait, the same message of Bob is sent."""
    thread, task = await a_busy_agent(world)
    await shares(world, thread, world.bob)
    aside = await world.bob.replies(thread, "@alice use main")
    batches = [await has_waiting(world, thread, MAX_REPLIES_OF_ONE, world.bob)]

    await world.bob.types("/task send fix-the-login and then deploy")
    await world.slack.message_shortcut(world.bob.id, thread.channel, aside, "send_to_task")
    await world.settles()
    refused, shown = world.bob.reads(), thread.new_messages()
    await world.alice.types("/task send fix-the-login do not deploy")
    accepted = world.alice.reads()
    batches.append(await has_waiting(world, thread, MAX_WAITING_REPLIES, first=MAX_REPLIES_OF_ONE))
    await world.alice.types("/task send fix-the-login one more")
    full = world.alice.reads()
    for each in batches:
        await world.bot.parts.deps.queues.write(each)
    await world.slack.message_shortcut(world.bob.id, thread.channel, aside, "send_to_task")
    await takes_all(world, task)

    assert refused == [NO_PLACE] * 2
    assert (shown, full) == ([], [NO_PLACE])
    assert accepted == [
        "Posted in the thread of *Fix the login*. The reaction there shows when the agent has it."
    ]
    assert task.inputs == ["Bob wrote:\n> @Alice use main", "do not deploy"]
    await world.passes(seconds=60)
    thread.new_messages()


async def test_a_choice_that_finds_no_place_can_be_made_again(world: World) -> None:
    """As many replies as the bot accepts wait for an agent that offers choices. Alice's press is refused, and
    the question keeps its buttons. When fewer replies wait, she presses again, and the agent gets it."""
    thread, task = await an_asking_agent(world)
    thread.new_messages()
    others = await has_waiting(world, thread, MAX_WAITING_REPLIES, delay_ms=3_600_000)

    await world.alice.clicks(thread, "2. release-2")
    refused, shown = world.alice.reads(), thread.new_messages()
    question = thread.all_messages()[0]
    await world.bot.parts.deps.queues.write(others)
    await world.alice.clicks(thread, "2. release-2")
    await world.passes(seconds=3)

    assert (refused, shown) == ([NO_PLACE], [])
    assert question.endswith("[1. main, where all work goes] [2. release-2]")
    assert task.inputs == ["2. release-2"]
    assert thread.new_messages() == ["Alice chose: 2. release-2\n> 2. release-2"]


async def test_teammates_together_leave_places_to_the_owner(world: World) -> None:
    """Bob and Carol have as many waiting replies as all teammates may have. Carol's next reply is refused.
    Even if still more wait, Alice has places of her own."""
    thread, task = await a_busy_agent(world)
    carol = world.person("carol")
    await world.slack.join(carol.id, thread.channel)
    await shares(world, thread, world.bob, carol)
    half = MAX_REPLIES_OF_OTHERS // 2
    batches = [
        await has_waiting(world, thread, half, world.bob),
        await has_waiting(world, thread, half, carol, half),
    ]

    refused = await carol.replies(thread, "one more")
    batches.append(await has_waiting(world, thread, MAX_WAITING_REPLIES, world.bob, 2 * half))
    own = await world.alice.replies(thread, "do not deploy")
    await world.passes(seconds=5)

    assert thread.receipt(refused) == ["warning"]
    assert thread.receipt(own) == ["hourglass_flowing_sand"]
    assert TOO_MANY in thread.new_messages()
    for each in batches:
        await world.bot.parts.deps.queues.write(each)
    await takes_all(world, task)
    assert task.inputs == ["do not deploy"]


async def test_a_warning_goes_before_marks_of_what_waits(world: World) -> None:
    """The agent's queue is full, and many of its replies have no mark yet. The warning at a refused reply is
    there at once."""
    thread, task = await a_busy_agent(world)
    others = await has_waiting(world, thread, MAX_WAITING_REPLIES - 80)
    replies = await writes(world, thread, 80)
    await world.passes(seconds=20)
    marked = sum(thread.receipt(each) != [] for each in replies)

    refused = await world.alice.replies(thread, "one more")
    await world.passes(seconds=5)

    assert marked < len(replies)
    assert thread.receipt(refused) == ["warning"]
    assert thread.new_messages() == [TOO_MANY]
    await world.bot.parts.deps.queues.write(others)
    await takes_all(world, task)
    name = receipts(await link_of(world, thread))
    await world.bot.parts.deps.queues.write(without(name, (await world.jobs()).get(name, [])))


async def test_a_stranger_hears_nothing_of_how_many_wait(world: World) -> None:
    """As many replies as the bot accepts wait for the agent. Bob, who may not steer, writes a message in the
    thread. It gets no receipt and no answer."""
    thread, _ = await a_busy_agent(world)
    others = await has_waiting(world, thread, MAX_WAITING_REPLIES)

    reply = await world.bob.replies(thread, "looks good")

    assert thread.new_messages() == []
    assert thread.receipt(reply) == []
    await world.bot.parts.deps.queues.write(others)


async def test_a_stranger_cannot_fill_a_queue_while_coder_is_away(world: World) -> None:
    """While Coder is away, nobody can check whether Bob may steer. He writes many messages, but the queue
    still accepts the owner's replies."""
    thread, task = await a_busy_agent(world)
    await world.coder.go_down()
    for number in range(MAX_UNCHECKED_REPLIES + 20):
        await world.slack.post(world.bob.id, thread.channel, f"junk {number}", thread.ts)
    own = [
        await world.slack.post(world.alice.id, thread.channel, f"step {number}", thread.ts)
        for number in range(MAX_UNCHECKED_REPLIES + 5)
    ]
    await world.settles()
    waiting = sum(name.startswith("to_coder") * len(jobs) for name, jobs in (await world.jobs()).items())
    refused = world.bob.reads()

    await world.coder.come_back()
    await takes_all(world, task)
    ((name, marks),) = [each for each in (await world.jobs()).items() if each[0].startswith("receipts")]

    assert waiting == 2 * MAX_UNCHECKED_REPLIES + 5
    assert refused == [UNCHECKED]
    assert task.inputs == [f"step {number}" for number in range(len(own))]
    await world.bot.parts.deps.queues.write(without(QueueName(name), marks))
    world.bob.reads(), thread.new_messages()


async def test_ten_strangers_together_cannot_fill_a_queue_while_coder_is_away(world: World) -> None:
    """While Coder is away, the bot cannot check who may steer, and ten strangers write many replies. They get
    at most half of the places. The replies of the owner, and of a person with a share, are accepted."""
    thread, task = await a_busy_agent(world)
    await world.alice.types(f"/task share {task.name} <@{world.bob.id}>")
    world.alice.reads(), world.bob.hears()
    strangers = [world.person(f"stranger{number}") for number in range(10)]
    for stranger in strangers:
        await world.slack.join(stranger.id, thread.channel)
    await world.coder.go_down()
    for number in range(11):
        for stranger in strangers:
            await world.slack.post(stranger.id, thread.channel, f"junk {number}", thread.ts)
    for person in (world.bob, world.alice):
        for number in range(5):
            await world.slack.post(person.id, thread.channel, f"{person.name} {number}", thread.ts)
    await world.settles()
    waiting = sum(name.startswith("to_coder") * len(jobs) for name, jobs in (await world.jobs()).items())
    refused = [stranger.reads() for stranger in strangers]

    await world.coder.come_back()
    await takes_all(world, task)

    assert waiting == MAX_UNCHECKED_OF_STRANGERS + 10
    assert {said for each in refused for said in each} == {UNCHECKED}
    assert task.inputs == [
        *(f"Bob wrote:\n> bob {number}" for number in range(5)),
        *(f"alice {number}" for number in range(5)),
    ]
    for name, marks in (await world.jobs()).items():
        if name.startswith("receipts"):
            await world.bot.parts.deps.queues.write(without(QueueName(name), marks))
    for stranger in strangers:
        stranger.reads()
    thread.new_messages()


async def test_more_questions_than_a_thread_keeps_are_refused_in_words(world: World) -> None:
    """Too many answers to Alice's queries wait in a thread, so the bot refuses her `!help`. All refused
    messages get a warning mark, and the thread gets one message about them. When fewer answers wait, `!help`
    works again."""
    thread, _ = await a_busy_agent(world)
    others = await has_to_answer(world, thread, world.alice, MAX_WAITING_ANSWERS - 1)

    asked = [await world.alice.replies(thread, "!help") for _ in range(3)]
    await world.bot.parts.deps.queues.write(others)
    for _ in range(3):
        await world.passes(seconds=2)
    said, marks = world.alice.reads(), [thread.receipt(each) for each in asked]
    await world.alice.replies(thread, "!help")

    assert said == world.alice.reads()
    assert thread.new_messages() == [TOO_MUCH]
    assert marks == [[], ["warning"], ["warning"]]


async def test_a_click_where_much_still_waits_is_refused_in_words(world: World) -> None:
    """Too many requests wait for a task. The bot refuses a press of *Stop* at once, with a message. When
    fewer requests wait, the same button works."""
    thread, task = await a_busy_agent(world)
    others = await has_to_do(world, thread, MAX_WAITING_REPLIES + MAX_WAITING_REQUESTS)

    await world.alice.clicks(thread, "Stop")
    said, before = world.alice.reads(), task.status
    await world.bot.parts.deps.queues.write(others)
    await world.alice.clicks(thread, "Stop")

    assert said == [
        "You have too many requests waiting, so I did not accept this one. Try again in a few minutes."
    ]
    assert (before, task.status) == ("active", "paused")
    assert world.alice.reads() == []


@pytest.mark.parametrize("way", ["button", "word", "reply"])
async def test_verbs_of_strangers_do_not_keep_an_owner_from_acting(world: World, way: str) -> None:
    """Bob may not steer, and his many requests wait in the task's queue. The bot refuses his next request. It
    still accepts a press, a verb or a reply of Alice, the owner."""
    thread, task = await a_busy_agent(world)
    others = await has_to_do(world, thread, MAX_WAITING_REPLIES + MAX_WAITING_REQUESTS, world.bob.id)

    await world.bob.clicks(thread, "Stop")
    refused = world.bob.reads()
    if way == "button":
        await world.alice.clicks(thread, "Stop")
    else:
        await world.alice.replies(thread, "stop" if way == "word" else "go on")
    await world.bot.parts.deps.queues.write(others)
    await (takes_all(world, task) if way == "reply" else world.settles())

    assert refused == [
        "You have too many requests waiting, so I did not accept this one. Try again in a few minutes."
    ]
    assert (task.status, task.inputs) == (("active", ["go on"]) if way == "reply" else ("paused", []))
    world.alice.reads(), thread.new_messages()
