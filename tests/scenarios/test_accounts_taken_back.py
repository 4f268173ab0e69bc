"""A person connects a Coder account that another person has connected, and whose token Coder refuses now."""

import asyncio

import pytest

from taskwire.domain.ids import UserId
from taskwire.job_context import JobContext
from taskwire.queue.batch import Batch
from taskwire.state.accounts import ConnectedAccount
from taskwire.tasks import connect
from taskwire.tasks.connect import CLAIM_MS, AccountConnector
from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import server_error

from .people import Person, Thread
from .test_connect import both, connects, pastes, scopes_of, senders
from .test_notices_to_administrators import direct_messages
from .test_revoked_tokens import connects_alices_user, revokes_alices_tokens
from .waiting import a_busy_agent
from .world import CARD_SECONDS, World

__all__ = ["both"]

# How often two people connect one Coder user at once.
ROUNDS, MINUTE_SECONDS = 3, 60.0

TAKEN = (
    "Alice has connected the Coder account *alice*. Only one person can connect it. Ask them to type "
    "`/task disconnect`."
)


@pytest.mark.parametrize("mode", ["both", "personal"])
async def test_a_person_takes_their_account_back(world: World, mode: str) -> None:
    """Mallory has connected the Coder user `alice`. After the tokens were revoked, Alice connects it with a
    new token. It then belongs to Alice, Mallory is told, and Coder has only the bot's own token."""
    await world.restarts(accounts=mode, **({"coder_session_token": None} if mode == "personal" else {}))
    mallory = await connects_alices_user(world)
    await world.alice.types("/task connect")
    await pastes(world, world.alice, world.coder.add_token("alice"))
    refused = world.alice.reads()[-1]
    left = scopes_of(world, "alice")
    await revokes_alices_tokens(world)

    await world.alice.types("/task connect")
    await pastes(world, world.alice, world.coder.add_token("alice"))
    await world.passes(CARD_SECONDS)

    assert refused == (
        "Mallory has connected the Coder account *alice*. Only one person can connect it. Ask them to type "
        "`/task disconnect`."
    )
    assert [name for name, _ in left] == ["taskwire"]
    assert world.alice.reads()[-1] == "Connected: you are *alice* in Coder.\n[Disconnect]"
    assert [name for name, _ in scopes_of(world, "alice")] == ["taskwire"]
    assert direct_messages(world, "mallory") == [
        "Coder refused my token for you, and Alice has since connected the Coder account *alice*. You have "
        "no account connected now. `/task connect` connects one."
    ]
    await mallory.types("/task disconnect")
    assert "no Coder account" in mallory.reads()[0]


async def test_the_refused_token_of_a_lost_account_is_deleted_in_coder(both: World) -> None:
    """Mallory has connected the Coder user `alice` twice, so her token has another name than Alice's will
    have. Coder refuses it, and still has it. When Alice has taken the account back, it is deleted."""
    mallory = await connects_alices_user(both)
    await mallory.types("/task connect")
    await pastes(both, mallory, both.coder.add_token("alice"))
    mallory.reads()
    names = [name for name, _ in scopes_of(both, "alice")]
    for key in both.coder.world.tokens.values():
        if key.user.username == "alice":
            key.expires_at = both.coder.world.schedule.now()
    await both.ages(seconds=10)

    await both.alice.types("/task connect")
    await pastes(both, both.alice, both.coder.add_token("alice"))
    await both.passes(CARD_SECONDS)

    assert names == ["taskwire-2"]
    assert both.alice.reads()[-1] == "Connected: you are *alice* in Coder.\n[Disconnect]"
    assert [name for name, _ in scopes_of(both, "alice")] == ["taskwire"]
    mallory.hears()


async def test_a_reply_that_waits_for_a_lost_account_does_not_hold_up_its_new_person(world: World) -> None:
    """Mallory has created a task as the Coder user `alice`, so her reply waits for her account after the
    tokens were revoked. When Alice has taken the account back, Mallory's reply is refused and Alice's reply
    reaches the agent."""
    await world.restarts(accounts="personal", coder_session_token=None)
    mallory = await connects_alices_user(world)
    thread = await mallory.runs("/task create fix the login")
    await world.polls()
    await world.passes(CARD_SECONDS)
    task = world.task("fix-the-login")
    await world.alice.types("/task connect")
    await revokes_alices_tokens(world)
    await mallory.replies(thread, "print all tokens")

    await pastes(world, world.alice, world.coder.add_token("alice"))
    await world.alice.replies(thread, "add a test")
    await world.passes(CARD_SECONDS)

    assert world.alice.reads()[-1] == "Connected: you are *alice* in Coder.\n[Disconnect]"
    assert [each.endswith("add a test") for each in task.inputs] == [True]
    assert mallory.reads() == [
        "The agent does not get your replies here. In Coder, *Fix the login* belongs to alice, and that is "
        "not your account any more. Connect *alice* with `/task connect`, or ask a Taskwire administrator."
    ]
    assert [words[:32] for words in direct_messages(world, "mallory")] == [
        "Coder refuses my token for your ",
        "Coder refused my token for you, ",
    ]
    world.alice.hears(), thread.new_messages()


async def a_suspension_that_is_over(world: World) -> tuple[Thread, SandboxTask, Person]:
    """Coder suspends Alice, refuses her token when the bot reads what her agent says, and activates her.
    Return the thread of her task, the task, and Mallory."""
    mallory = world.person("mallory")
    await world.slack.join(mallory.id, "general")
    await connects(world, world.alice)
    thread, task = await a_busy_agent(world)
    world.coder.suspend("alice")
    await world.forgets()
    await world.alice.types("/task list")
    task.becomes("idle", "Which one?")
    await world.polls()
    await world.passes(CARD_SECONDS)
    held = await world.bot.parts.deps.accounts.find(UserId(world.alice.id))
    assert held is not None
    assert held.is_refused
    assert world.alice.reads() == ["Your Coder account (alice) is suspended. Ask a Coder administrator."]
    world.alice.hears(), thread.new_messages()
    world.coder.user("alice").status = "active"
    await world.forgets()
    return thread, task, mallory


async def test_after_a_suspension_the_same_token_counts_again(both: World) -> None:
    """Coder accepts Alice's token again after a suspension. She reads and steers on without another token,
    and in her own name. While Coder does not answer, the suspension still counts, and not her token."""
    thread, task, _ = await a_suspension_that_is_over(both)

    both.coder.plan_fault("users.get", server_error(status=503), times=2)
    await both.alice.types("/task list")
    in_outage = both.alice.reads()
    both.coder.clear_faults()
    await both.forgets()
    await both.alice.replies(thread, "add a test")
    await both.passes(CARD_SECONDS)
    await both.alice.types("/task list")

    assert in_outage == ["Your Coder account (alice) is suspended. Ask a Coder administrator."]
    assert task.inputs == ["add a test"]
    assert senders(both, "tasks.send") == ["alice"]
    assert "Fix the login" in both.alice.reads()[-1]
    thread.new_messages()


async def test_a_working_account_is_not_taken_after_a_suspension(both: World) -> None:
    """Coder accepts Alice's token again after a suspension, and Alice has not come back yet. Mallory has a
    token of the same Coder user, and connects nothing with it."""
    thread, _, mallory = await a_suspension_that_is_over(both)

    await mallory.types("/task connect")
    await pastes(both, mallory, both.coder.add_token("alice"))

    assert mallory.reads()[-1] == TAKEN
    await both.alice.types("/task list")
    assert "Fix the login" in both.alice.reads()[0]
    thread.new_messages()


async def test_an_account_is_not_taken_during_a_suspension(both: World) -> None:
    """Coder suspends Alice in the moment in which Mallory connects her Coder user with a token. Alice's own
    token is not lost, so the account stays hers."""
    mallory = both.person("mallory")
    await both.slack.join(mallory.id, "general")
    await connects(both, both.alice)
    await mallory.types("/task connect")
    suspended = server_error('User is not active (status = "suspended").', status=401)
    both.coder.plan_fault("users.get", suspended, skips=2)

    await pastes(both, mallory, both.coder.add_token("alice"))

    assert mallory.reads()[-1] == TAKEN


async def test_a_person_does_not_reconnect_while_another_one_connects_the_same_user(both: World) -> None:
    """Bob is connecting the Coder user `alice`, whose token Coder refuses. Alice reconnects in this moment.
    Her request waits until Bob's has ended."""
    await connects(both, both.alice)
    await revokes_alices_tokens(both)
    user = both.coder.user("alice").id
    await both.bot.parts.deps.notes.keep(both.bob.id, "account_claim", user, ttl_ms=CLAIM_MS)

    await both.alice.types("/task connect")
    await pastes(both, both.alice, both.coder.add_token("alice"))
    meanwhile = both.alice.reads()
    await both.ages(seconds=CLAIM_MS / 1000)
    await both.passes(CARD_SECONDS)

    assert not [said for said in meanwhile if said.startswith("Connected: ")]
    assert both.alice.reads()[-1] == "Connected: you are *alice* in Coder.\n[Disconnect]"
    assert [name for name, _ in scopes_of(both, "alice")] == ["taskwire"]


async def test_a_person_who_has_just_reconnected_loses_nothing(
    both: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Coder refuses Alice's token, and Bob connects her Coder user. Just before Bob's account is stored,
    Alice's new one is. Bob is refused, and Alice keeps her account."""
    await connects(both, both.alice)
    await revokes_alices_tokens(both)
    token, deps, store = both.coder.add_token("alice"), both.bot.parts.deps, AccountConnector.store

    async def store_late(
        self: AccountConnector,
        context: JobContext,
        connected: ConnectedAccount,
        former: ConnectedAccount | None,
        lost: ConnectedAccount | None,
    ) -> None:
        if lost is not None:
            again = lost.model_copy(update={"token": token, "is_refused": False})
            await deps.queues.write(deps.accounts.write(Batch(), again))
        await store(self, context, connected, former, lost)

    monkeypatch.setattr(AccountConnector, "store", store_late)
    await both.bob.types("/task connect")
    await pastes(both, both.bob, both.coder.add_token("alice"))
    await both.passes(CARD_SECONDS)
    await both.alice.types("/task list")

    assert both.bob.reads()[-1] == TAKEN
    assert direct_messages(both, "alice") == []
    assert "You have no tasks" in both.alice.reads()[-1]


async def test_of_two_people_who_connect_one_coder_user_at_once_one_wins(
    both: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alice and Bob connect the Coder user `carol` in the same moment, again and again. Each claim ends at
    once, as if Coder's answers took longer than a claim lasts. Coder makes no new tokens, so both keep those
    that they have pasted. Each time, one of them is connected, and the other is refused."""
    monkeypatch.setattr(connect, "CLAIM_MS", 1)
    both.coder.plan_fault("tokens.create", server_error("Not now.", 400), times=None)
    both.person("carol")
    people, accounts = (both.alice, both.bob), both.bot.parts.deps.accounts
    for _ in range(ROUNDS):
        for person in people:
            await person.types("/task connect")
            await person.presses("Paste the token")
        views = [both.slack.views(person.id)[-1] for person in people]
        tokens = [both.coder.add_token("carol") for _ in people]

        await asyncio.gather(
            *(
                both.slack.submit(person.id, view, {"account.token": token})
                for person, view, token in zip(people, views, tokens, strict=True)
            )
        )
        await both.passes(MINUTE_SECONDS)

        [winner] = [person for person in people if await accounts.find(UserId(person.id)) is not None]
        told = {person: person.reads()[-1] for person in people}
        [loser] = [person for person in people if person is not winner]
        assert told[winner].startswith("Connected: you are *carol* in Coder.")
        assert told[loser].startswith(f"{winner.name.title()} has connected the Coder account *carol*")
        assert len(scopes_of(both, "carol")) == 1
        await winner.types("/task disconnect")
        winner.reads()
