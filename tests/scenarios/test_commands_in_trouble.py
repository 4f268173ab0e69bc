"""Commands while Coder, Slack or the store fails: the person gets a clear sentence, and nothing is lost or
done twice."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from taskwire.coder.client import CoderTimeouts
from taskwire_sandbox.coder import faults
from taskwire_sandbox.coder.server import RecordedRequest
from taskwire_sandbox.slack import CallFault, DeliveryFault

from .people import a_crowd
from .running_tasks import a_task
from .world import World, new_world

AWAY = "Coder is not answering. Try again in a minute."
WAITS = (
    "Coder is not answering, so creating *fix it* has to wait. I'll try for an hour; no need to repeat it."
)
NOT_TAKEN = "I can't reach my data store, so nothing was done. Try again in a minute."


@pytest.fixture
async def frail(tmp_path: Path) -> AsyncIterator[World]:
    """Provide a world whose bot can be cut off from its store."""
    async with new_world(tmp_path, has_store_faults=True) as made:
        yield made


@pytest.mark.parametrize("line", ["list", "status loose", "logs loose", "templates"])
@pytest.mark.parametrize(
    "fault",
    [faults.server_error(), faults.nonsense(), faults.refused(), faults.too_many(), faults.cut_after()],
    ids=lambda fault: fault.name,
)
async def test_a_question_that_coder_does_not_answer(world: World, line: str, fault: faults.Fault) -> None:
    """A person types a query while Coder fails. Whatever the fault is, the bot answers with the same
    sentence."""
    world.coder.add_task("alice", "fix it", name="loose")
    world.coder.plan_fault("*", fault, times=None)

    await world.alice.types(f"/task {line}")

    assert world.alice.reads() == [AWAY]


async def test_a_coder_that_is_too_slow_is_not_waited_for(world: World) -> None:
    """Coder answers too slowly. The bot answers a query with an error. A command waits, and runs when Coder
    is fast again."""
    world.bot.parts.deps.service_coder.timeouts = CoderTimeouts(read=0.2)
    world.coder.plan_fault("*", faults.hang(), times=None)

    await world.alice.types("/task list")
    await world.alice.types("/task create fix it")
    await world.passes(seconds=2)
    assert world.alice.reads() == [AWAY, WAITS]

    world.coder.clear_faults()
    await world.passes(seconds=16)
    assert len(world.coder.tasks) == 1
    assert len(world.cards()) == 1


async def test_a_refused_token_is_named_and_what_was_asked_waits(world: World) -> None:
    """Coder refuses the bot's token. A query is answered with a sentence, and a command runs when Coder
    accepts the token again."""
    token = faults.server_error("You are signed out or your session has expired.", 401)
    world.coder.plan_fault("*", token, times=None)

    await world.alice.types("/task list")
    await world.alice.types("/task create fix it")
    await world.passes(seconds=2)
    await world.passes(seconds=20)

    assert world.alice.reads() == [
        "Coder refuses my token, so I can do nothing in Coder. Tell a Taskwire administrator: "
        "`taskwire doctor` says what to do.",
        "Coder refuses my token, so creating *fix it* has to wait. I'll try for an hour. Tell a "
        "Taskwire administrator: `taskwire doctor` says what to do.",
    ]

    world.coder.clear_faults()
    await world.passes(seconds=20)

    assert [task.prompt for task in world.coder.tasks] == ["fix it"]
    assert len(world.cards()) == 1


async def test_a_task_waits_while_slack_refuses_the_token(world: World) -> None:
    """Slack refuses the bot's token while the bot creates a task. The bot creates the task when Slack accepts
    the token again."""
    world.coder.plan_fault("tasks.create", faults.too_many(retry_after=1), times=1)
    await world.alice.types("/task create fix it")
    await world.forgets()
    fault = world.slack.faults.add("users.info", CallFault.ERROR, error="token_revoked")

    await world.passes(seconds=20)
    await world.passes(seconds=20)

    assert fault.hits == 1
    assert [task.prompt for task in world.coder.tasks] == ["fix it"]
    assert len(world.cards()) == 1


async def test_what_coder_does_not_allow_is_said_in_its_words(world: World) -> None:
    """Coder forbids a query. The bot does not try again, and the person reads Coder's own sentence."""
    world.coder.plan_fault("tasks.list", faults.server_error("Forbidden.", 403), times=None)

    await world.alice.types("/task list")

    assert world.alice.reads() == ["Coder said: Forbidden."]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (
            faults.server_error("You are signed out or your session has expired.", 401),
            "Coder refused my token for an hour, so stopping `loose` failed. Ask again when a Taskwire "
            "administrator has fixed that.",
        ),
        (
            faults.server_error("Route not found.", 404),
            "Coder had no Tasks feature for an hour, so stopping `loose` failed. Tell a Taskwire "
            "administrator: "
            "`taskwire doctor` says more.",
        ),
    ],
    ids=["token", "tasks"],
)
async def test_what_coder_refused_for_an_hour_is_not_called_away(
    world: World, fault: faults.Fault, told: str
) -> None:
    """Coder refuses each try of a command for an hour, and the bot gives the command up. It tells the person
    why Coder refused, and not that Coder is away."""
    world.coder.plan_fault("tasks.*", fault, times=None)

    await world.alice.types("/task pause loose")
    await world.passes(seconds=2)
    world.alice.reads()
    await world.passes(seconds=3_700)

    assert world.alice.reads() == [told]


async def test_a_coder_without_tasks_is_named(world: World) -> None:
    """This Coder has no Tasks feature. Every answer says that, and none says that Coder is away or broken."""
    thread = await world.alice.runs("/task create fix it")
    world.coder.plan_fault("tasks.*", faults.server_error("Route not found.", 404), times=None)

    await world.alice.types("/task list")
    await world.alice.replies(thread, "!status")

    named = (
        "Coder has no Tasks feature, so I can do nothing. Tell a Taskwire administrator: "
        "`taskwire doctor` says more."
    )
    assert world.alice.reads() == [named] * 2
    assert thread.new_messages() == []


@pytest.mark.parametrize(
    ("line", "wish"),
    [
        ("create fix it", "creating *fix it*"),
        ("pause loose", "stopping `loose`"),
        ("attach loose", "giving a thread to `loose`"),
    ],
)
async def test_what_is_asked_while_coder_is_away_happens_when_it_is_back(
    world: World, line: str, wish: str
) -> None:
    """A person types a command while Coder is away. The bot tells the person once that the command waits, and
    runs it when Coder is back."""
    task = world.coder.add_task("alice", "older", name="loose")
    async with world.coder.outage():
        await world.alice.types(f"/task {line}")
        for _ in range(5):
            await world.passes(seconds=16)
        assert world.alice.reads() == [WAITS.replace("creating *fix it*", wish)]

    await world.passes(seconds=16)

    is_there = {
        "create": len(world.coder.tasks) == 2,
        "pause": task.status == "paused",
        "attach": len(world.slack.messages("general")) == 1,
    }
    assert is_there[line.split()[0]]
    assert len(world.cards()) == (0 if line.startswith("pause") else 1)
    assert len(world.alice.reads()) == (1 if line.startswith("pause") else 0)


async def test_a_hiccup_is_not_talked_about(world: World) -> None:
    """Coder fails for a short time only. The bot posts no message about this."""
    world.coder.plan_fault("*", faults.refused(), times=1)

    await world.alice.types("/task create fix it")
    await world.passes(seconds=2)

    assert world.alice.reads() == []
    assert len(world.cards()) == 1


async def test_a_coder_that_stays_away_is_waited_for_an_hour(world: World) -> None:
    """Coder stays away, and a command waits. After an hour, the bot tells the person that it gave the command
    up, and creates no task later."""
    async with world.coder.outage():
        await world.alice.types("/task create fix it")
        await world.passes(seconds=2)
        await world.passes(seconds=3_700)

    assert world.alice.reads() == [
        WAITS,
        "Coder did not answer for an hour, so creating *fix it* failed. Ask again when Coder is back.",
    ]
    await world.passes(seconds=60)
    assert not world.coder.tasks


async def test_later_requests_wait_too_and_say_so(world: World) -> None:
    """Two commands wait while Coder is away. Each waits for an hour at most. The bot tells the person when a
    command has to wait, and when it gives the command up."""
    async with world.coder.outage():
        await world.alice.types("/task create fix it")
        await world.passes(seconds=2)
        await world.passes(seconds=1_800)
        await world.alice.types("/task pause loose")
        await world.passes(seconds=16)
        told = world.alice.reads()
        await world.passes(seconds=1_900)
        await world.passes(seconds=2)
        after_an_hour = world.alice.reads()
        await world.passes(seconds=1_800)
        await world.passes(seconds=2)

    assert told == [WAITS, WAITS.replace("creating *fix it*", "stopping `loose`")]
    assert [said.partition(",")[0] for said in after_an_hour] == ["Coder did not answer for an hour"]
    assert world.alice.reads() == [
        "Coder did not answer for an hour, so stopping `loose` failed. Ask again when Coder is back."
    ]


async def test_a_card_waits_for_a_coder_that_went_away_after_it_was_posted(world: World) -> None:
    """Coder fails after the bot has posted the card. The card says that the task is being created. When Coder
    is back, the same card shows the task."""
    world.coder.plan_fault("tasks.create", faults.too_many(retry_after=1), times=5)

    thread = await world.alice.runs("/task create fix it")
    assert thread.card().startswith("Creating…: fix it.")
    for _ in range(6):
        await world.passes(seconds=16)

    assert thread.card().startswith("Starting: Fix it.")
    assert world.alice.reads() == [WAITS]
    assert len(world.coder.tasks) == 1


async def test_a_card_whose_task_cannot_be_made_for_an_hour_says_so(world: World) -> None:
    """The bot cannot create a card's task for an hour. The card says so. The bot ends the link, so that no
    task is created when nobody expects it any more."""
    world.coder.plan_fault("tasks.create", faults.too_many(retry_after=1), times=None)

    thread = await world.alice.runs("/task create fix it")
    await world.passes(seconds=2)
    await world.passes(seconds=3_700)
    await world.passes(seconds=20)

    why = "Coder did not answer for an hour, so I stopped trying."
    assert thread.card() == (
        f"Not created: fix it. Coder did not create this task. {why} `/task create` creates another. "
        "Owner: Alice. Template: Tasks on Docker."
    )
    assert world.alice.reads() == [WAITS, f"The task was not created. {why}"]


@pytest.mark.parametrize(
    "fault",
    [faults.cut_after(), faults.error_after(), faults.nonsense(status=201)],
    ids=lambda fault: fault.name,
)
async def test_a_lost_answer_makes_no_second_task(world: World, fault: faults.Fault) -> None:
    """Coder created the task, but its answer was lost. The bot finds the task by its name, and creates no
    second one."""
    world.coder.plan_fault("tasks.create", fault)

    thread = await world.alice.runs("/task create fix it")

    assert len(world.coder.tasks) == 1
    assert ": Fix it. Owner: Alice." in thread.card()


async def test_a_server_that_fails_to_create_is_asked_for_a_quarter_of_an_hour(world: World) -> None:
    """Coder answers each try to create a task with a server error, most likely because of the template. The
    bot tries for 15 minutes. After that, the card says who can find the cause."""
    world.coder.plan_fault("tasks.create", faults.server_error("Internal error creating task."), times=None)

    thread = await world.alice.runs("/task create fix it")
    for _ in range(20):
        await world.passes(seconds=90)

    assert thread.card().startswith(
        "Not created: fix it. Coder did not create this task. Coder answered with errors for 15 minutes. A "
        "Coder administrator can find out why."
    )
    assert [said.split(".")[0] for said in world.alice.reads()] == [
        "Coder is not answering, so creating *fix it* has to wait",
        "The task was not created",
    ]


async def test_a_creation_that_an_outage_broke_off_is_made_when_coder_is_back(world: World) -> None:
    """A long outage interrupts a creation. The outage does not count as an error of the template, so the bot
    creates the task afterwards."""
    world.coder.plan_fault("tasks.create", faults.refused())

    thread = await world.alice.runs("/task create fix it")
    async with world.coder.outage():
        for _ in range(20):
            await world.passes(seconds=60)
    await world.passes(seconds=16)
    await world.passes(seconds=5)

    assert thread.card().startswith("Starting: Fix it.")
    assert len(world.alice.reads()) == 1
    assert len(world.coder.tasks) == 1


async def test_a_task_that_was_made_before_a_long_outage_is_found_after_it(world: World) -> None:
    """Coder created the task, and was then unreachable for two hours. After that, the bot finds the task, and
    the card shows it."""
    world.coder.plan_fault("tasks.create", faults.cut_after())
    world.coder.plan_fault("tasks.get", faults.refused())

    thread = await world.alice.runs("/task create fix it")
    async with world.coder.outage():
        for _ in range(4):
            await world.passes(seconds=1_800)
    await world.passes(seconds=16)
    await world.passes(seconds=5)

    assert len(world.coder.tasks) == 1
    assert ": Fix it. Owner: Alice." in thread.card()
    assert len(world.alice.reads()) == 1


async def test_a_name_that_another_takes_in_between_is_said_on_the_card(world: World) -> None:
    """Two people ask for one name at the same time. One gets the name, and the other's card offers a free
    name."""

    def takes_it(seen: RecordedRequest, phase: str) -> None:
        if (seen.route, phase) == ("tasks.create", "before") and not world.coder.tasks:
            world.coder.add_task("alice", "x", name="fix")

    world.coder.on_request = takes_it

    thread = await world.alice.runs("/task create name=fix fix it")

    why = "The name `fix` is taken in Coder. This one is free: `name=fix-2`."
    assert why in thread.card()
    assert world.alice.reads() == [f"The task was not created. {why}"]


async def test_the_store_is_away(frail: World) -> None:
    """While the store is unreachable, the bot answers each command with an error and does not store the
    command. So none of them runs when the store is back."""
    await frail.loses_its_store()

    for line in ("create fix it", "pause loose", "list", "status loose"):
        await frail.alice.types(f"/task {line}", settles=False)
        await frail.until(frail.alice.has_news, f"an answer to {line}")
        assert frail.alice.reads() == [NOT_TAKEN]

    await frail.alice.types("/task create", settles=False)
    await frail.until(lambda: "my data store" in frail.alice.dialog(), "the dialog says so")
    assert frail.alice.dialog() == f"[New task]\n{NOT_TAKEN}"

    await frail.finds_its_store()
    await frail.alice.runs("/task create fix it")
    assert len(frail.coder.tasks) == 1


async def test_a_question_that_cannot_be_counted_is_answered(frail: World) -> None:
    """The store is unreachable, so nothing can be counted. Alice still gets help."""
    await frail.loses_its_store()

    await frail.alice.types("/task help", settles=False)
    await frail.until(frail.alice.has_news, "an answer")

    assert len(frail.alice.reads()) == 1
    await frail.finds_its_store()


async def test_a_store_that_does_not_answer_leaves_doubt(frail: World) -> None:
    """The store does not answer, so it may have stored the command or not. The bot asks the person to check
    this before they repeat the command."""
    assert frail.store is not None
    await frail.alice.runs("/task create fix that")
    await frail.passes(seconds=5)
    frail.store.freeze()

    await frail.alice.types("/task create fix it", settles=False)

    assert frail.alice.reads() == [
        ("I may have lost this request: my data store did not answer. Check the result before you ask again.")
    ]
    frail.store.thaw()
    await frail.until(lambda: len(frail.coder.tasks) == 2, "what was taken happens")
    await frail.settles()
    assert len(frail.coder.tasks) == 2
    assert len(frail.cards()) == 1


async def test_a_dialog_sent_off_without_a_store_stays_open(frail: World) -> None:
    """The store fails when a person submits the dialog of *Delete* or the form of a new task. The dialog says
    that nothing was done. The form says so too and keeps the typed text."""
    frail.coder.add_task("alice", "older", name="loose")
    await frail.alice.types("/task delete loose")
    await frail.loses_its_store()
    await frail.alice.submits(settles=False)
    assert frail.alice.dialog() == f"[Delete this task]\n{NOT_TAKEN}"
    await frail.slack.close("alice", frail.slack.views("alice")[-1])
    await frail.finds_its_store()
    await frail.alice.types("/task fix it")
    await frail.loses_its_store()

    assert await frail.alice.submits(settles=False) == {"form.prompt": NOT_TAKEN}
    assert "fix it" in frail.alice.dialog()

    await frail.finds_its_store()
    await frail.alice.submits()
    assert sorted(task.prompt for task in frail.coder.tasks) == ["fix it", "older"]
    assert len(frail.cards()) == 1


async def test_a_dialog_that_slack_does_not_open_is_said(world: World) -> None:
    """Slack does not open a dialog, because its trigger has expired. The bot tells the person that nothing
    was done."""
    world.slack.faults.add("views.open", CallFault.ERROR, error="expired_trigger_id")

    await world.alice.types("/task create")

    assert world.alice.reads() == ["Slack did not open the dialog in time. Nothing was done; try again."]


async def test_a_command_that_slack_brings_twice_is_one(world: World) -> None:
    """Slack delivers one command twice, with one trigger id. The bot runs it once."""
    world.slack.faults.add("/task", DeliveryFault.TWICE)

    await world.alice.runs("/task create fix it")

    assert len(world.coder.tasks) == 1


async def test_fifty_questions_do_not_slow_an_acknowledgement(world: World) -> None:
    """The bot acks each query at once and then works on a few queries at a time. Each query is answered in
    the end."""
    people = await a_crowd(world, 50)
    world.coder.plan_fault("tasks.list", faults.late(0.05), times=None)

    answers = await asyncio.gather(*[person.types("/task list", settles=False) for person in people])
    await world.settles()

    assert all(answer.ok for answer in answers)
    assert [len(person.reads()) for person in people] == [1] * 50


async def test_the_first_command_is_taken_though_slack_does_not_say_who_we_are(world: World) -> None:
    """After the start, Slack refuses every call of `auth.test`, which tells the bot its own identity. The bot
    already knows its identity, so the first command works."""
    world.slack.faults.add("auth.test", CallFault.RATE_LIMITED, times=None)

    thread = await world.alice.runs("/task create fix it")

    assert thread.ts


async def test_a_creation_that_fails_without_a_word_is_tried_again_soon(world: World) -> None:
    """The first try to create a task has an unknown outcome. The bot tries again soon. It cannot create a
    second task, because the name of the first is taken."""
    world.coder.plan_fault("tasks.create", faults.server_error())

    thread = await world.alice.runs("/task create fix it")
    await world.passes(seconds=5)

    assert [task.prompt for task in world.coder.tasks] == ["fix it"]
    assert thread.ts


async def test_what_slack_brought_is_noted_when_redis_takes_notes_again(world: World) -> None:
    """The bot notes when each kind of request last came from Slack. Redis refuses such a note about the first
    command. The bot writes the note again later, so `taskwire doctor` knows of the command."""
    await world.alice.types("/task help")
    store, note = world.connections.commands, world.bot._record_heard  # noqa: SLF001 - a timer calls it every ten seconds
    await store.config_set("min-replicas-to-write", 1)
    with pytest.raises(RedisError):
        await note()
    await store.config_set("min-replicas-to-write", 0)

    await note()

    assert "command" in await world.bot.parts.heard.list_latest()
    world.alice.reads()


async def test_a_form_opens_if_the_offer_of_a_command_cannot_be_stored(world: World) -> None:
    """A person types a wrong verb before a task's title. Usually the bot offers a button with a better
    command. Redis accepts no writes, so the bot cannot store this offer, and opens the form with the typed
    text instead."""
    await a_task(world)
    store = world.connections.commands
    await store.config_set("min-replicas-to-write", 1)

    await world.alice.types("/task show Fix the login redirect", settles=False)
    await world.until(lambda: "show Fix the login redirect" in world.alice.dialog(), "the form")
    await store.config_set("min-replicas-to-write", 0)

    await world.settles()
    assert world.alice.reads() == []
