"""A request waits until the person has connected their Coder account, and then runs by itself."""

import pytest

from .people import Person, Thread
from .test_connect import pastes
from .test_notices_to_administrators import direct_messages
from .waiting import a_waiting_agent
from .world import CARD_SECONDS, World

BUTTONS = "[Get a token] [Paste the token]"
WEEK_SECONDS = 7 * 86_400.0


@pytest.fixture
async def both(world: World) -> World:
    """Provide a deployment in which people may connect their own accounts."""
    await world.restarts(accounts="both")
    return world


async def a_stranger(world: World) -> Person:
    """Add a person to Slack, and a user to Coder for that person. Their e-mail addresses differ, so the bot
    cannot match the two. Return the person."""
    carol = world.person("carol", in_coder=False)
    await world.slack.join(carol.id, "general")
    world.coder.add_user("cc", email="other@example.com")
    return carol


async def connects(world: World, person: Person, username: str) -> str:
    """Connect a person's account, and return the bot's answer."""
    await pastes(world, person, world.coder.add_token(username))
    await world.passes(CARD_SECONDS)
    return next(told for told in person.reads() if told.startswith("Connected: "))


def waits(wish: str) -> str:
    """Return what the bot answers if a person without an account makes a request. `wish` is how the answer
    names the request."""
    return (
        f"{wish[:1].upper()}{wish[1:]} has to wait until you connect your Coder account. Copy a token from "
        f"Coder's page, then paste it.\n{BUTTONS}"
    )


def waits_again(wish: str) -> str:
    """Return what the bot answers to a request of Alice if Coder no longer accepts her token. `wish` is how
    the answer names the request."""
    return (
        f"Coder refuses my token for your account *alice*. {wish[:1].upper()}{wish[1:]} has to wait until "
        f"you connect again.\n{BUTTONS}"
    )


async def loses_her_token(world: World) -> tuple[Thread, str]:
    """Connect Alice's account, create her task, and revoke her token. Return the thread and the task's
    name."""
    await world.alice.types("/task connect")
    await connects(world, world.alice, "alice")
    thread, task = await a_waiting_agent(world)
    own = next(key for key in world.coder.world.tokens.values() if key.name == "taskwire")
    del world.coder.world.tokens[own.id]
    return thread, task.name


async def test_each_request_is_answered_and_all_go_on_in_order(both: World) -> None:
    """Carol has no account and makes three requests. The bot answers each with how to connect. When she has
    connected her account, all three requests run."""
    carol = await a_stranger(both)

    await carol.types("/task create fix the logout")
    await carol.types("/task list mine")
    await carol.types("/task templates")
    told = carol.reads()
    await pastes(both, carol, both.coder.add_token("cc"))
    await both.passes(CARD_SECONDS)
    answers = carol.reads()

    assert told == [
        waits("creating *fix the logout*"),
        waits("`/task list mine`"),
        waits("`/task templates`"),
    ]
    assert answers[0].startswith("Connected: you are *cc* in Coder.")
    assert answers[0].startswith("Connected: you are *cc* in Coder.")
    assert sorted(answers[1:]) == [
        "Templates for tasks:\n•  tasks-docker\nTasks on Docker (tasks-docker) [Use]",
        "You have no tasks yet. `/task create PROMPT` creates one, and `/task create` alone opens a form.",
    ]
    assert both.task("fix-the-logout").row.owner.username == "cc"
    assert len(both.cards()) == 1


async def test_a_task_that_waits_for_the_account_is_listed(both: World) -> None:
    """Carol has no account and creates a task. Her Home tab shows that the task waits for her account. When
    she has connected the account, the tab shows the task in place of this line."""
    carol = await a_stranger(both)
    await carol.opens_home()
    await carol.types("/task create fix the logout")
    await both.passes(CARD_SECONDS)

    waiting = carol.home()
    assert carol.reads() == [waits("creating *fix the logout*")]
    await connects(both, carol, "cc")
    await both.polls()
    await both.passes(CARD_SECONDS)

    line = "*fix the logout* waits for your Coder account."
    assert f"*Needs you*\n{line}\n" in waiting
    assert line not in carol.home()
    assert "*Running*\n:gear: Fix the logout · Working · " in carol.home()
    assert len(both.cards()) == 1


async def test_a_form_asks_for_the_account_first(both: World) -> None:
    """A person without an account asks for the form. The bot opens the dialog for a token instead of the
    form."""
    carol = await a_stranger(both)

    await carol.types("/task create")

    assert carol.dialog() == (
        "[Connect Coder]\n"
        "Token from Coder: \n"
        f"Copy a token from <{both.coder.url}/cli-auth|Coder's page>, then paste it here. I'll replace it "
        "with one made for Taskwire if Coder allows that, and store it encrypted.\n"
        "[Connect]"
    )


async def test_a_pause_waits_for_the_account_and_holds_up_nobody_else(both: World) -> None:
    """Alice's token was revoked, so her pause waits. Bob's reply reaches the agent."""
    thread, name = await loses_her_token(both)
    await both.alice.types(f"/task share {name} <@{both.bob.id}>")
    both.alice.reads()
    both.bob.hears()

    await both.alice.types(f"/task pause {name}")
    waiting, held = both.alice.reads(), both.task(name).status
    await both.bob.replies(thread, "add a test")
    delivered = both.task(name).inputs
    said = await connects(both, both.alice, "alice")
    await both.polls()

    assert waiting == [waits_again("stopping *Fix the login*")]
    assert held == "active"
    assert delivered == ["Bob wrote:\n> add a test"]
    assert said.startswith("Connected")
    assert both.task(name).status == "paused"
    assert direct_messages(both, "alice") == []
    thread.new_messages()


async def test_a_question_in_the_thread_waits_too(both: World) -> None:
    """Alice's token was revoked, so her query in the thread waits. The bot answers it privately when she has
    connected her account again."""
    thread, _ = await loses_her_token(both)

    await both.alice.replies(thread, "!logs")
    waiting = both.alice.reads()
    await connects(both, both.alice, "alice")

    assert waiting == [waits_again("answering you in the thread of *Fix the login*")]
    thread.new_messages()


async def test_a_request_is_given_up_after_a_week_without_an_account(both: World) -> None:
    """A request to create a task has waited a week for a connected account. The bot gives the request up and
    tells the person, because nobody expects the task any more."""
    carol = await a_stranger(both)
    await carol.types("/task create fix the logout")
    carol.reads()

    await both.passes(WEEK_SECONDS + 600)
    await both.passes(600)

    assert carol.reads() == [
        "You connected no Coder account within a week, so creating *fix the logout* failed. Connect your "
        "account, then ask again."
    ]
    assert await both.dead_letters() == []


async def test_only_so_many_requests_wait(both: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person without an account already has as many waiting requests as allowed, and makes another one. The
    bot refuses it, and says how many requests wait."""
    monkeypatch.setattr("taskwire.outbox.waiting_requests.MOST_WAITING", 1)
    carol = await a_stranger(both)

    await carol.types("/task list")
    await carol.types("/task templates")

    assert carol.reads() == [
        waits("`/task list`"),
        "1 request already waits for your Coder account, so I did not keep this one. Connect and ask "
        f"again.\n{BUTTONS}",
    ]
    await connects(both, carol, "cc")


async def test_the_owner_of_a_task_of_another_account_is_told_how_to_get_it_back(both: World) -> None:
    """Alice connects Bob's account although she owns a task with her own. A reply of hers does not reach the
    agent. The bot says which account to connect. When she has disconnected, the reply reaches the agent."""
    thread, task = await a_waiting_agent(both)
    await both.alice.types("/task connect")
    await pastes(both, both.alice, both.coder.add_token("bob"))
    connected = both.alice.reads()[-1]

    await both.alice.replies(thread, "use main")
    refused = both.alice.reads()
    await both.alice.types("/task disconnect")
    await both.forgets()
    await both.alice.replies(thread, "use main")

    assert "This account's e-mail address is not the one that you use in Slack" in connected
    assert refused == [
        "The agent does not get your replies here. In Coder, *Fix the login* belongs to alice, and that is "
        "not your account any more. Connect *alice* with `/task connect`, or type `/task disconnect`: I then "
        "find your account by your Slack e-mail address again."
    ]
    assert task.inputs == ["use main"]
    both.alice.reads()


async def test_the_home_tab_drops_its_answer_when_the_account_changes(both: World) -> None:
    """The answer to a press stands at the top of the Home tab for two minutes. If the person connects an
    account meanwhile, the answer goes, because it may be untrue with this account."""
    thread, _ = await a_waiting_agent(both)
    await both.alice.replies(thread, "!stop")
    await both.polls(2)
    both.alice.reads()
    await both.alice.opens_home()
    await both.alice.presses_in_home("Resume")
    answered = both.alice.home()

    await both.alice.types("/task connect")
    await connects(both, both.alice, "alice")
    for _ in range(4):
        await both.passes(CARD_SECONDS)

    assert "Resuming *Fix the login*." in answered
    assert "Resuming *Fix the login*." not in both.alice.home()
    assert "You are *alice* in Coder." in both.alice.home()
    assert thread.new_messages() == ["Paused and resumed by Alice."]
    both.alice.reads()
