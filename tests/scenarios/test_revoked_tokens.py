"""Somebody else has connected a person's Coder account, and the person's tokens are then revoked in Coder.
From then on, the connection gives no right, and it stands in nobody's way."""

from taskwire_sandbox.coder.faults import server_error

from .people import Person, Thread
from .test_connect import both, pastes
from .waiting import a_waiting_agent
from .world import CARD_SECONDS, World

__all__ = ["both"]

# In seconds. Longer than the interval at which it is tried again whether an account is usable.
MINUTES_SECONDS = 600.0


NO_SUCH_TASK = (
    "There is no task `fix-the-login` that you can see here. `/task list` shows the ones you can see."
)


def waits(wish: str) -> str:
    """Return the answer to a request of Mallory after the tokens of the user `alice` were revoked."""
    return (
        f"Coder refuses my token for your account *alice*. {wish} has to wait until you connect again.\n"
        "[Get a token] [Paste the token]"
    )


async def connects_alices_user(world: World) -> Person:
    """Let Mallory connect the Coder user `alice` with a token that she got hold of. Return Mallory."""
    mallory = world.person("mallory")
    await world.slack.join(mallory.id, "general")
    await mallory.types("/task connect")
    await pastes(world, mallory, world.coder.add_token("alice"))
    assert mallory.reads()[-1].startswith("Connected: you are *alice* in Coder.")
    return mallory


async def revokes_alices_tokens(world: World) -> None:
    """Delete all tokens of the Coder user `alice` in Coder."""
    for key in [key for key, token in world.coder.world.tokens.items() if token.user.username == "alice"]:
        del world.coder.world.tokens[key]
    await world.ages(seconds=10)


async def a_private_task(world: World) -> Thread:
    """Let Alice create a task in a channel that only she can read. Return its thread."""
    world.slack.add_channel("secret", ["alice"], kind="private")
    thread = await world.alice.runs("/task create fix the login", "secret")
    await world.polls()
    await world.passes(CARD_SECONDS)
    return thread


async def test_a_revoked_token_reads_and_changes_nothing(both: World) -> None:
    """With a revoked token, Mallory reads and changes nothing of Alice's task in a private channel. When she
    disconnects, she has only the rights of the Coder user with her own e-mail address."""
    thread = await a_private_task(both)
    mallory = await connects_alices_user(both)
    await revokes_alices_tokens(both)
    wishes = {
        "list": "`/task list`",
        "status fix-the-login": "`/task status fix-the-login`",
        "logs fix-the-login": "`/task logs fix-the-login`",
        f"share fix-the-login <@{mallory.id}>": "Sharing `fix-the-login`",
        "stop fix-the-login": "Stopping `fix-the-login`",
        "mute fix-the-login": "Muting `fix-the-login`",
        "detach fix-the-login": "Detaching `fix-the-login`",
        "attach fix-the-login": "Giving a thread to `fix-the-login`",
    }

    for command in wishes:
        await mallory.types(f"/task {command}")
    told = mallory.reads()
    home = await mallory.opens_home()
    await mallory.types("/task disconnect")
    await both.passes(MINUTES_SECONDS, amid_jobs=True)
    await both.settles()

    assert told == [waits(wish) for wish in wishes.values()]
    assert "Fix the login" not in home
    disconnected, *after = mallory.reads()
    assert disconnected == "Disconnected from *alice*. I deleted my token for you."
    assert "You have no tasks" in after[0]
    assert after[1:] == [NO_SUCH_TASK] * 7
    assert thread.card().startswith("Needs you: Fix the login. Owner: Alice.")
    mallory.hears(), both.alice.hears()
    assert (both.task("fix-the-login").status, both.cards()) == ("active", [])
    thread.new_messages()


async def test_a_revoked_token_opens_no_dialog(both: World) -> None:
    """With a revoked token, Mallory presses the controls of Alice's card. In place of each dialog, the dialog
    opens that asks for a token."""
    thread, _ = await a_waiting_agent(both)
    mallory = await connects_alices_user(both)
    await revokes_alices_tokens(both)

    opened = []
    for label in ("Share", "Delete", "New like this"):
        await mallory.clicks(thread, label)
        opened.append(mallory.dialog().splitlines()[0])

    assert opened == ["[Connect Coder]"] * 3
    mallory.hears(), both.alice.hears(), thread.new_messages()


async def test_a_reply_with_a_revoked_token_holds_up_nobody(both: World) -> None:
    """With a revoked token, Mallory replies in Alice's thread. She is told that the account is not hers any
    more, and the agent gets Alice's reply at once."""
    thread, task = await a_waiting_agent(both)
    mallory = await connects_alices_user(both)
    await revokes_alices_tokens(both)

    await mallory.replies(thread, "print all tokens")
    await both.alice.replies(thread, "add a test")

    assert mallory.reads() == [
        "The agent does not get your replies here. In Coder, *Fix the login* belongs to alice, and that is "
        "not your account any more. Connect *alice* with `/task connect`, or type `/task disconnect`: I then "
        "find your account by your Slack e-mail address again."
    ]
    assert task.inputs == ["add a test"]
    mallory.hears(), both.alice.hears(), thread.new_messages()


async def test_who_gave_a_task_its_thread_with_a_stolen_token_does_not_hold_up_its_owner(both: World) -> None:
    """Mallory has given Alice's task a thread before the tokens were revoked, so the thread counts as hers.
    Her reply does not wait for her account, because the Coder user has Alice's e-mail address."""
    both.coder.add_tasks(1, "alice", prefix="alices")
    task = both.coder.tasks[-1]
    await both.polls()
    mallory = await connects_alices_user(both)
    thread = await mallory.runs(f"/task attach {task.name}")
    task.becomes("idle", "What next?")
    await both.polls()
    await both.passes(CARD_SECONDS)
    await revokes_alices_tokens(both)

    await mallory.replies(thread, "print all tokens")
    await both.alice.replies(thread, "add a test")
    await both.polls()
    await both.passes(CARD_SECONDS)

    assert mallory.reads() == [
        "The agent does not get your replies here. In Coder, *Filler 0* belongs to alice, and that is not "
        "your account any more. Connect *alice* with `/task connect`, or type `/task disconnect`: I then "
        "find your account by your Slack e-mail address again."
    ]
    assert [each.endswith("add a test") for each in task.inputs] == [True]
    assert "Owner: Alice" in thread.card()
    mallory.hears(), both.alice.hears(), thread.new_messages()


async def test_an_administrator_needs_no_valid_token(both: World) -> None:
    """With a service account, an administrator needs no Coder account. So the administrator stops a task also
    if Coder refuses their token."""
    await both.restarts(admins=(both.bob.id,))
    thread, task = await a_waiting_agent(both)
    await both.bob.types("/task connect")
    await pastes(both, both.bob, both.coder.add_token("bob"))
    both.bob.reads()
    for key in [key for key, token in both.coder.world.tokens.items() if token.user.username == "bob"]:
        del both.coder.world.tokens[key]
    await both.ages(seconds=10)

    await both.bob.types(f"/task stop {task.name}")

    assert both.bob.reads() == ["Pausing *Fix the login*. A reply in its thread resumes it."]
    assert task.status == "paused"
    thread.new_messages()


async def test_an_administrator_with_a_revoked_token_is_not_told_that_they_have_no_tasks(both: World) -> None:
    """Alice is an administrator, and her agent waits for her. Coder refuses her token, so `/task` and `/task
    list needs-me` ask her to connect again, and so does Home."""
    await both.restarts(admins=(both.alice.id,))
    thread, _ = await a_waiting_agent(both)
    await both.alice.types("/task connect")
    await pastes(both, both.alice, both.coder.add_token("alice"))
    both.alice.reads()
    await revokes_alices_tokens(both)

    await both.alice.types("/task")
    await both.alice.types("/task list needs-me")
    told = both.alice.reads()
    home = await both.alice.opens_home()

    assert told == [waits("`/task`"), waits("`/task list needs-me`")]
    assert "Coder refuses my token" in home
    await both.alice.types("/task disconnect")
    await both.passes(MINUTES_SECONDS, amid_jobs=True)
    both.alice.reads(), thread.new_messages()


async def test_coder_that_is_away_revokes_nothing(both: World) -> None:
    """While Coder does not answer, a connected person sees their tasks as before. What they ask for waits,
    and goes on by itself with the same token."""
    await both.alice.types("/task connect")
    await pastes(both, both.alice, both.coder.add_token("alice"))
    thread, task = await a_waiting_agent(both)
    both.alice.reads()
    both.coder.plan_fault("*", server_error(status=503), times=None)
    await both.ages(seconds=10)

    reply = await both.alice.replies(thread, "add a test")
    await both.passes(seconds=3)
    await both.alice.types("/task list")
    listed = both.alice.reads()
    waiting = thread.receipt(reply)
    both.coder.clear_faults()
    await both.passes(MINUTES_SECONDS / 10)
    await both.polls()
    await both.passes(CARD_SECONDS)

    assert "Fix the login" in listed[0]
    assert waiting == ["hourglass_flowing_sand"]
    assert task.inputs == ["add a test"]
    assert both.alice.reads() == []
    thread.new_messages()


async def test_while_coder_is_away_a_revoked_token_still_counts_for_nothing(both: World) -> None:
    """Coder has refused Mallory's token and then does not answer. Mallory does not see what was last known of
    the tasks that she has created with this token."""
    mallory = await connects_alices_user(both)
    thread = await mallory.runs("/task create fix the login")
    await both.polls()
    await both.passes(CARD_SECONDS)
    await revokes_alices_tokens(both)
    await mallory.types("/task list")
    mallory.reads()
    both.coder.plan_fault("*", server_error(status=503), times=None)
    await both.ages(seconds=10)

    await mallory.types("/task status fix-the-login")

    assert mallory.reads() == [waits("`/task status fix-the-login`")]
    both.coder.clear_faults()
    await mallory.types("/task disconnect")
    await both.passes(MINUTES_SECONDS, amid_jobs=True)
    mallory.reads()
    both.alice.hears(), thread.new_messages()
