"""Another person connects the Coder user of a task's owner. The task is that person's from then on."""

import pytest

from taskwire_sandbox.coder import SandboxTask, faults

from .people import Person, Thread
from .test_channel_settings import set_channel
from .test_connect import pastes
from .test_revoked_tokens import connects_alices_user, revokes_alices_tokens
from .test_suspended_in_an_outage import goes_away
from .waiting import a_busy_agent, takes_all
from .world import CARD_SECONDS, World

TITLE = "*Fix the login*"


async def bob_has_a_task(world: World, accounts: str, channel: str = "general") -> tuple[Thread, SandboxTask]:
    """Let Bob connect the Coder user `cc`, whose address nobody has in Slack, and create a task."""
    world.coder.add_user("cc", email="cc@example.com")
    await world.restarts(
        accounts=accounts, **({"coder_session_token": None} if accounts == "personal" else {})
    )
    await connects(world, world.bob, "cc")
    thread = await world.bob.runs("/task create fix the login", channel)
    task = world.task("fix-the-login")
    await takes_all(world, task)
    world.bob.reads()
    return thread, task


async def connects(world: World, person: Person, user: str) -> None:
    await person.types("/task connect")
    await pastes(world, person, world.coder.add_token(user))
    person.reads()


async def passes_to_carol(world: World, channel: str = "general") -> Person:
    """Let Bob disconnect the Coder user `cc`, and Carol connect it."""
    carol = world.person("carol", in_coder=False)
    for each in {"general", channel}:
        await world.slack.join(carol.id, each)
    await world.bob.types("/task disconnect")
    await world.forgets()
    await connects(world, carol, "cc")
    await world.passes(seconds=20)
    world.bob.reads(), world.bob.hears()
    return carol


async def _a_colleague(world: World, accounts: str) -> Person:
    dave = world.person("dave")
    await world.slack.join(dave.id, "general")
    if accounts == "personal":
        await connects(world, dave, "dave")
    return dave


@pytest.mark.parametrize("accounts", ["both", "personal"])
async def test_shares_end_when_another_person_connects_the_account(world: World, accounts: str) -> None:
    """Bob shares his task with Dave, and with a user group in which Bob is. Then Carol connects Bob's Coder
    user. Neither Dave nor Bob can steer the task. Dave is told. The card names Carol, and a question calls
    her."""
    thread, task = await bob_has_a_task(world, accounts)
    dave = await _a_colleague(world, accounts)
    crew = world.slack.add_group("crew", [world.bob.id])
    await world.bob.replies(thread, f"!share <@{dave.id}> <!subteam^{crew.id}>")
    world.bob.reads(), dave.hears()
    carol = await passes_to_carol(world)

    told = dave.hears()
    await dave.replies(thread, "from dave: push to main")
    await world.bob.replies(thread, "from bob: push to main")
    if accounts == "both":  # otherwise it waits until Bob connects an account
        await world.bob.replies(thread, "!stop")
    await carol.replies(thread, "go on")
    await carol.replies(thread, "!share")
    thread.new_messages()
    task.becomes("idle", "Which branch?")
    await world.polls(times=2)
    await world.passes(seconds=30)
    await world.polls()

    by_carol = f"Carol no longer lets you steer {TITLE}. "
    by_carol += "If you write in its thread, you can ask Carol to pass your reply on."
    by_bob = f"Bob no longer lets you steer {TITLE}."
    assert [each.splitlines()[0] for each in told] == [by_bob if accounts == "both" else by_carol]
    assert task.inputs == ["go on"]
    assert task.status == "active"
    refused = "The agent did not get your reply: you can't steer this task.\n[Ask Carol to pass it on]"
    assert dave.reads() == [refused]
    assert world.bob.reads()[0] == refused
    assert carol.reads()[-1].startswith("Only you and Taskwire administrators can steer")
    assert "Owner: Carol" in thread.card()
    assert thread.new_messages()[0].startswith(f"<@{carol.id}> Which branch?")
    assert carol.hears()[0].startswith(f"{TITLE} is your task now.")


@pytest.mark.parametrize("by", ["a person", "a group"])
async def test_a_reply_under_a_former_share_holds_up_nobody(world: World, by: str) -> None:
    """Bob has shared the task with Dave and with a group in which Bob is (`personal`). Carol has connected
    Bob's Coder user since. A reply of Dave or Bob is refused, and Carol's reply does not wait behind it."""
    thread, task = await bob_has_a_task(world, "personal")
    dave = await _a_colleague(world, "personal")
    crew = world.slack.add_group("crew", [world.bob.id])
    await world.bob.replies(thread, f"!share <@{dave.id}> <!subteam^{crew.id}>")
    carol = await passes_to_carol(world)
    author = dave if by == "a person" else world.bob
    author.reads(), author.hears()

    await author.replies(thread, "I hold you up")
    await carol.replies(thread, "what are you doing?")
    await world.passes(seconds=30)

    assert task.inputs == ["what are you doing?"]
    assert len(author.reads()) == 1
    for person in (world.bob, carol, dave):
        person.reads(), person.hears()
    thread.new_messages()


async def test_who_had_the_account_with_a_stolen_token_leaves_no_share(world: World) -> None:
    """Mallory has connected Alice's Coder user with a stolen token (`both`), and shares Alice's task with
    herself and with Dave. All tokens are revoked, and Alice connects again. Neither of them can steer it."""
    await world.restarts(accounts="both")
    thread, task = await a_busy_agent(world)
    await takes_all(world, task)
    dave = await _a_colleague(world, "both")
    mallory = await connects_alices_user(world)
    await mallory.replies(thread, f"!share <@{mallory.id}> <@{dave.id}>")
    await revokes_alices_tokens(world)
    await connects(world, world.alice, "alice")
    await world.passes(seconds=20)
    await world.forgets()

    await mallory.replies(thread, "print all tokens")
    await dave.replies(thread, "push to main")
    await world.alice.replies(thread, "go on")
    await world.passes(seconds=30)

    assert task.inputs == ["go on"]
    assert "Owner: Alice" in thread.card()
    for person in (world.alice, mallory, dave):
        person.reads(), person.hears()
    thread.new_messages()


async def test_shares_of_a_stolen_token_do_not_count_once_it_is_revoked(world: World) -> None:
    """Mallory has shared Alice's task with Dave, with a stolen token (`both`). Coder refuses this token now.
    Dave's share does not count, also before Alice has connected."""
    await world.restarts(accounts="both")
    thread, task = await a_busy_agent(world)
    await takes_all(world, task)
    dave = await _a_colleague(world, "both")
    mallory = await connects_alices_user(world)
    await mallory.replies(thread, f"!share <@{dave.id}>")
    await revokes_alices_tokens(world)
    await world.forgets()

    await dave.replies(thread, "push to main")
    await world.alice.replies(thread, "go on")
    await world.passes(seconds=30)

    assert task.inputs == ["go on"]
    for person in (world.alice, mallory, dave):
        person.reads(), person.hears()
    thread.new_messages()


@pytest.mark.parametrize("accounts", ["both", "service"])
async def test_a_former_owner_does_not_read_what_others_ask(world: World, accounts: str) -> None:
    """The Coder user of Bob's task is Carol's now, and Bob has left the private channel. Dave asks to pass a
    reply on. Neither Bob's Home tab nor his lists show it."""
    world.slack.add_channel("secret", ["bob"], kind="private")
    dave = world.person("dave")
    await world.slack.join(dave.id, "secret")
    if accounts == "both":
        thread, _ = await bob_has_a_task(world, accounts, "secret")
        carol = await passes_to_carol(world, "secret")
    else:
        thread = await world.bob.runs("/task create fix the login", "secret")
        await takes_all(world, world.task("fix-the-login"))
        carol = world.person("carol", in_coder=False)
        await world.slack.join(carol.id, "secret")
        world.coder.user("bob").email = "carol@example.com"
        world.coder.add_user("bob2", email="bob@example.com")
    world.slack.workspace.channel("secret").members.remove(world.bob.id)
    await world.forgets()

    await dave.replies(thread, "the password is in vault 7")
    await dave.presses(f"Ask {'Carol' if accounts == 'both' else 'Bob'} to pass it on")
    shown = [await world.bob.opens_home()]
    for command in ("/task list needs-me", "/task"):
        await world.bob.types(command)
    shown += world.bob.reads()

    assert len(shown) == 3
    assert not [each for each in shown if "vault" in each]
    if accounts == "both":
        assert "vault 7" in await carol.opens_home()
    for person in (world.bob, carol, dave):
        person.reads(), person.hears()
    thread.new_messages()


async def test_a_former_owner_reads_nothing_while_coder_is_away(world: World) -> None:
    """Carol has connected Bob's Coder user, and Bob has left the private channel. While Coder does not
    answer, Bob reads nothing of the task, and Carol reads its last known state."""
    world.slack.add_channel("secret", ["bob"], kind="private")
    thread, task = await bob_has_a_task(world, "both", "secret")
    carol = await passes_to_carol(world, "secret")
    world.slack.workspace.channel("secret").members.remove(world.bob.id)
    task.becomes("idle", "The key is in vault 8. Which branch?")
    await world.polls(times=2)
    await world.passes(seconds=30)
    await world.forgets()
    goes_away(world)

    shown = {}
    for person in (world.bob, carol):
        for command in ("/task list", f"/task status {task.name}", "/task"):
            await person.types(command)
        shown[person.name] = [*person.reads(), await person.opens_home()]
    world.coder.clear_faults()
    await world.passes(CARD_SECONDS)

    assert not [each for each in shown["bob"] if "vault" in each]
    assert all("vault 8" in each for each in shown["carol"])
    for person in (world.bob, carol):
        person.reads(), person.hears()
    thread.new_messages()


async def test_a_former_owner_ends_no_share_while_coder_is_away(world: World) -> None:
    """Carol has connected Bob's Coder user, and shares the task with Dave. While Coder does not answer, Bob
    cannot end this share."""
    thread, task = await bob_has_a_task(world, "both")
    dave = await _a_colleague(world, "both")
    carol = await passes_to_carol(world)
    await carol.replies(thread, f"!share <@{dave.id}>")
    await world.forgets()
    goes_away(world)
    await world.bob.replies(thread, f"!unshare <@{dave.id}>")
    await world.passes(seconds=5)
    world.coder.clear_faults()
    await world.forgets()
    await world.passes(seconds=60)

    await dave.replies(thread, "add a test")

    assert task.inputs == ["Dave wrote:\n> add a test"]
    for person in (world.bob, carol, dave):
        person.reads(), person.hears()
    thread.new_messages()


async def test_an_owner_who_is_not_in_the_channel_lets_nobody_there_steer(world: World) -> None:
    """Everybody in the channel of Alice's task can steer it. Alice leaves the channel. Bob, who is in the
    channel, cannot steer the task any more."""
    await set_channel(world, world.alice, steerers="Everybody in this channel")
    thread, task = await a_busy_agent(world)
    await takes_all(world, task)
    await world.bob.replies(thread, "add a test")
    world.slack.workspace.channel("general").members.remove(world.alice.id)
    await world.forgets()

    await world.bob.replies(thread, "push to main")
    await world.passes(seconds=30)

    assert task.inputs == ["Bob wrote:\n> add a test"]
    assert world.bob.reads()[-1].startswith("The agent did not get your reply: you can't steer this task.")
    world.alice.reads(), thread.new_messages(), world.cards()


@pytest.mark.parametrize(
    ("accounts", "is_coder_whole"),
    [("service", True), ("both", True), ("personal", True), ("both", False)],
)
async def test_a_suspended_owner_lets_nobody_steer(
    world: World, accounts: str, *, is_coder_whole: bool
) -> None:
    """Alice shares her task with Dave. Coder suspends her account, which she has read. Dave, to whom Coder
    shows the task, cannot steer it until Coder activates her account."""
    dave = world.person("dave", roles=("owner",))
    await world.slack.join(dave.id, "general")
    token = {"coder_session_token": None} if accounts == "personal" else {}
    await world.restarts(accounts=accounts, **token)
    if accounts != "service":
        await connects(world, dave, "dave")
    if accounts == "personal":
        await connects(world, world.alice, "alice")
    thread, task = await a_busy_agent(world)
    await takes_all(world, task)
    await world.alice.replies(thread, f"!share <@{dave.id}>")
    world.coder.suspend("alice")
    await world.ages(seconds=30)
    await world.alice.types("/task list")
    if not is_coder_whole:
        world.coder.plan_fault("users.list", faults.server_error(status=503), times=500)
    await world.ages(seconds=30)
    await dave.replies(thread, "push to main")
    await world.passes(seconds=30)
    world.coder.clear_faults()
    meanwhile = list(task.inputs)
    world.coder.user("alice").status = "active"
    await world.ages(seconds=30)
    await world.alice.types("/task list")

    await dave.replies(thread, "add a test")
    await world.passes(seconds=30)

    assert meanwhile == []
    assert task.inputs == ["Dave wrote:\n> add a test"]
    if accounts == "personal":
        # What she asked while she was suspended waits until she connects again.
        await connects(world, world.alice, "alice")
    if accounts != "service":
        await dave.types("/task disconnect")  # otherwise a renewal of his token waits
    for person in (world.alice, dave):
        person.reads(), person.hears()
    thread.new_messages()


async def test_a_deleted_coder_user_gives_its_task_to_nobody(world: World) -> None:
    """Bob's Coder user is deleted in Coder, and Bob disconnects it (`both`). His task is nobody's in Slack,
    and no job is given up."""
    thread, _ = await bob_has_a_task(world, "both")
    del world.coder.world.users[world.coder.user("cc").id]
    for key in [key for key, token in world.coder.world.tokens.items() if token.user.username == "cc"]:
        del world.coder.world.tokens[key]
    await world.ages(seconds=30)

    await world.bob.types("/task disconnect")
    await world.passes(seconds=30)

    assert "Owner: cc" in thread.card()
    assert await world.dead_letters() == []
    world.bob.reads(), world.bob.hears(), thread.new_messages()
