"""Slack's limits hold for all people together. A person who asks without end leaves others their answers."""

import pytest

from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.outbox.private_answers import MOST_PENDING, PrivateAnswer
from taskwire.queue.rate_limiter import (
    SHORT_WAIT_MS,
    STARVING_AFTER_MS,
    WINDOW_MS,
    RateLimiter,
)
from taskwire.queue.user_limits import MAX_PER_MINUTE
from taskwire.slack.manifest import SEND_TO_TASK
from taskwire.telemetry import Metrics
from taskwire_sandbox.slack import messages
from tests.metrics import value_of

from .many_tasks import calls
from .people import Person, buttons
from .running_tasks import a_task
from .test_backfill import away, back
from .test_pass_on import ASKED, bob_asks
from .test_user_limits_of_verbs import TOO_FAST
from .waiting import a_busy_agent, a_waiting_agent, takes_all
from .world import CARD_SECONDS, World

READ = "conversations.replies"


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


async def test_searches_that_one_person_causes_stand_behind_backfill(world: World) -> None:
    """Mallory, a guest, writes once below each of eighty messages that the bot has sent him. Then the bot
    is away, and Alice writes to her agent. Her reply is delivered before the bot searches for most of
    Mallory's threads."""
    thread, task = await a_waiting_agent(world)
    mallory = world.person("mallory", in_coder=False, is_restricted=True)
    place = world.slack.workspace.channel(world.slack.open_direct(mallory.id).id)
    said = {"text": "old", "user": world.slack.bot_user_id, "bot_id": world.slack.backend.app.bot_id}
    roots = [str(messages.write(world.slack.backend, place, said)["ts"]) for _ in range(80)]
    await world.settles()
    for ts in roots:
        world.reader.read_root(place.id, ts)
        await world.slack.post(mallory.id, place.id, "hi", ts)
    await world.slack.wait_until_idle()
    await away(world)
    await world.slack.post(world.alice.id, thread.channel, "written while you were away", thread.ts)
    before = len(calls(world, "conversations.replies"))

    await back(world)
    await world.passes(seconds=5)
    inputs_at_once = list(task.inputs)
    searched_first = len(calls(world, "conversations.replies")) - before
    for _ in range(30):
        await world.passes(seconds=10)

    assert inputs_at_once == task.inputs == ["written while you were away"]
    assert searched_first < 20
    assert len(calls(world, "conversations.replies")) - before == 81
    thread.new_messages()
    assert not await world.jobs()


async def test_a_search_gets_the_turn_of_a_starving_claim(world: World) -> None:
    """Other reads need more places than Slack allows. A search for a thread that has waited for a minute gets
    the next place that goes to a starving claim."""
    mallory = await a_stranger(world)
    place = world.slack.workspace.channel(world.slack.open_direct(mallory.id).id)
    said = {"text": "old", "user": world.slack.bot_user_id, "bot_id": world.slack.backend.app.bot_id}
    root = str(messages.write(world.slack.backend, place, said)["ts"])
    world.reader.read_root(place.id, root)
    reads, refused = Reads(world), list[float]()
    await reads.take_all_places()
    await world.slack.post(mallory.id, place.id, "hi", root)
    await world.settles()
    # The reads may use up a minute's places in half of a minute. Then the search waits for the other half.
    longest = (STARVING_AFTER_MS + WINDOW_MS / 2 + SHORT_WAIT_MS) / 1000

    while not calls(world, READ) and (not refused or refused[-1] - refused[0] <= longest):
        world.clock.passes(1)
        # The reads ask before the search, so they leave it no place but one that the search has claimed.
        await reads.take_all_places()
        await world.settles()
        if has_been_refused(world):
            refused.append(world.clock.time())

    assert refused
    assert len(calls(world, READ)) == 1


def has_been_refused(world: World) -> bool:
    """Return whether a search has found no place."""
    registry = world.bot.parts.metrics.registry
    return value_of(registry, "taskwire_retries_total", kind="find_thread", why="rate_limited") > 0


class Reads:
    """Reads of threads that people wait for. There are always more of them than places."""

    def __init__(self, world: World) -> None:
        self._limiter = RateLimiter(world.connections, world.keys, world.clock, Metrics())
        self._count = 0

    async def take_all_places(self) -> None:
        """Take all places that are free. The next read waits for the next place."""
        while await self._limiter.take_place(READ, claimant=f"read {self._count}") == 0:
            self._count += 1


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


@pytest.mark.parametrize("key", ["made-up", "pressed before"])
async def test_presses_of_offers_that_run_nothing_are_limited(world: World, key: str) -> None:
    """Mallory presses a button of an offered command that does not exist, or that was pressed before, again
    and again. He gets answers up to the limit of questions."""
    mallory = await a_stranger(world)
    if key == "pressed before":
        await mallory.types("/task umute fix-it")
        told = world.slack.ephemerals(mallory.name)[-1]
        button = buttons(told.body, "Mute fix-it")[0]
        key = button["value"]
        await mallory.presses_made_up("command.run", key)
        mallory.reads()
        world.clock.passes(61)

    for _ in range(15):
        await mallory.presses_made_up("command.run", key)
    said = mallory.reads()

    assert len(said) == 11
    assert said[-1].startswith("I take 10 requests a minute, so I skipped the rest.")


async def test_choices_in_the_menus_of_cards_leave_edits_to_others(world: World) -> None:
    """Bob chooses from the menus of three cards without end. All his choices are counted together. Each of
    the first twenty lets its card be drawn again. The others let each card be drawn once, a minute later."""
    threads = []
    for number in range(3):
        threads.append(await world.alice.runs(f"/task create thing {number}"))
        await world.passes(seconds=20)
    most, drawn = MAX_PER_MINUTE["press"], []

    for number in range(48):
        await world.bob.clicks(threads[number % 3], "Open in Coder")
        drawn.append(len(calls(world, "chat.update")))
        await world.passes(CARD_SECONDS / 3)
    said = world.bob.reads()
    before = len(calls(world, "chat.update"))
    await world.passes(seconds=65)
    await world.passes(CARD_SECONDS)

    assert drawn[most + 3] > drawn[0]
    assert before == drawn[most + 3]
    assert len(calls(world, "chat.update")) == before + len(threads)
    assert said == [TOO_FAST.replace("10", str(most))]
    for thread in threads:
        thread.new_messages()


async def test_a_dialog_with_a_wrong_token_asks_coder_ten_times_a_minute(world: World) -> None:
    """Mallory submits the dialog for his token with a wrong token again and again. The dialog stays open.
    Coder is asked ten times, and then the dialog says why it is not."""
    await world.restarts(accounts="both")
    mallory = await a_stranger(world)
    await mallory.types("/task connect")
    await mallory.presses("Paste the token")
    view = world.slack.views(mallory.id)[-1]
    before = len(world.coder.requests)

    for number in range(15):
        wrong = {"account.token": f"aaaaaaaaaa-bbbbbbbbbbbbbbbbbbbb{number:02}"}
        last = await world.slack.submit(mallory.id, view, wrong)

    asked = [each for each in world.coder.requests[before:] if each.route == "users.get"]
    assert len(asked) == 10
    assert last.errors["account.token"].startswith("I take 10 requests a minute, so I skipped the rest.")
    mallory.reads()


async def test_one_author_asks_for_a_few_replies_only(world: World) -> None:
    """Bob asks Alice to pass on ten of his replies, and may ask for no more until she has decided. His
    question stays, so he can press again after that."""
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")
    for number in range(10):
        await bob_asks(world, thread, f"please do {number}")
        await world.passes(seconds=61)
    await world.bob.replies(thread, "and one more")
    world.bob.reads()

    await world.bob.presses("Ask Alice to pass it on")
    refused = world.bob.reads()
    world.alice.reads()
    await world.alice.presses("Not now")
    await world.bob.presses("Ask Alice to pass it on")
    asked = world.alice.reads()

    assert refused == [
        "Alice still has to decide about 10 of your replies, so I did not ask about this one. Press the "
        "button again later."
    ]
    assert [said.partition("\n[")[0] for said in asked] == [f"{ASKED}:\n> and one more"]
