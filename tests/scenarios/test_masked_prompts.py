"""Prompts with secrets, and who sees the secrets. Other people see `•••`, the mask, in their place. An edited
prompt never replaces a secret by this mask."""

import pytest

from taskwire_sandbox.coder.faults import server_error

from .people import Thread
from .test_overdue import set_channel
from .test_secrets_kept import SECRET
from .world import World

HINT = "••• hides a secret. Write the secret there, or leave that part out."
PROMPT = f"fix the login with {SECRET}"
# The bot keeps the first 2,000 characters once Coder has the task: here up to the middle of the secret.
LONG_PROMPT = f"{('fix the login ' * 143)[:1_979]} {SECRET} and do not push"


async def a_paused_task(world: World) -> Thread:
    """Let Alice create a task whose prompt has a secret, and pause it. Return the task's thread."""
    thread = await world.alice.runs(f"/task create --name push {PROMPT}")
    await world.polls()
    await world.alice.types("/task pause push")
    await world.polls()
    await world.passes(seconds=10)
    thread.new_messages(), world.alice.reads()
    return thread


@pytest.mark.parametrize("right", ["share", "channel"])
@pytest.mark.parametrize("label", ["Edit prompt", "New like this"])
async def test_only_the_owner_reads_a_prompt_with_its_secrets(world: World, right: str, label: str) -> None:
    """Alice's prompt has a secret. Bob may steer her task, by a share or by the channel's settings. He can
    change the prompt, but the dialog shows him the secret only masked."""
    if right == "channel":
        await set_channel(world, steerers="Everybody in this channel")
    thread = await a_paused_task(world)
    if right == "share":
        await world.alice.types(f"/task share push <@{world.bob.id}>")
        world.alice.reads()
    world.cards()

    for person in (world.alice, world.bob):
        await person.clicks(thread, label)

    assert PROMPT in world.alice.dialog()
    assert HINT not in world.alice.dialog()
    assert "fix the login with ghp_•••" in world.bob.dialog()
    assert HINT in world.bob.dialog()
    assert SECRET not in world.bob.dialog()
    assert await world.bob.submits(prompt="fix it with ghp_•••") == {"form.prompt": HINT}


async def test_a_mask_does_not_replace_a_secret(world: World) -> None:
    """Bob sees Alice's prompt with its secret masked. He types `/task edit` with the mask in the new text,
    and the bot changes nothing and says why. He can replace the prompt by a text without the mask."""
    thread = await a_paused_task(world)
    await world.alice.types(f"/task share push <@{world.bob.id}>")
    world.alice.reads(), world.cards()

    await world.bob.types(f"/task edit {world.task('push').name} push it with ghp_•••")
    kept = world.task("push").prompt
    refused = world.bob.reads()
    await world.bob.clicks(thread, "Edit prompt")
    assert await world.bob.submits(prompt="push it without") == {}
    await world.passes(seconds=7)

    assert kept == PROMPT
    assert refused == [
        "Nothing was changed: `•••` hides a secret, and the secret would be lost. Write the secret "
        "there, leave that part out, or ask Alice to edit the prompt."
    ]
    assert world.task("push").prompt == "Bob wrote:\n> push it without"
    thread.new_messages(), world.bob.reads()


async def test_an_owner_may_write_the_sign_of_a_mask(world: World) -> None:
    """A prompt without secrets contains `•••`, the sign of a mask. Its owner may keep this sign in an edited
    prompt, because it hides no secret."""
    thread = await world.alice.runs("/task create --name dots show ••• for passwords")
    await world.polls()
    await world.alice.types("/task pause dots")
    await world.polls()
    await world.passes(seconds=10)

    await world.alice.clicks(thread, "Edit prompt")
    assert await world.alice.submits(prompt="show ••• for all passwords") == {}
    await world.passes(seconds=7)

    assert world.task("dots").prompt == "show ••• for all passwords"
    thread.new_messages(), world.alice.reads()


async def test_an_owner_makes_another_task_like_one_that_was_attached(world: World) -> None:
    """An attached task has a secret in its prompt. In the form of *New like this*, the owner gets the whole
    prompt from Coder. Bob, who has a share, gets the prompt with masks and cannot submit them."""
    world.coder.add_task("alice", PROMPT, name="push")
    thread = await world.alice.runs("/task attach push")
    await world.polls()
    await world.alice.types(f"/task share push <@{world.bob.id}>")
    world.alice.reads(), world.bob.reads(), world.cards()

    await world.bob.clicks(thread, "New like this")
    shown_to_bob, refused = world.bob.dialog(), await world.bob.submits()
    await world.alice.clicks(thread, "New like this")
    shown_to_alice, errors = world.alice.dialog(), await world.alice.submits(name="again")

    assert "fix the login with ghp_•••" in shown_to_bob
    assert refused == {"form.prompt": HINT}
    assert PROMPT in shown_to_alice
    assert HINT not in shown_to_alice
    assert errors == {}
    assert [task.prompt for task in world.coder.tasks] == [PROMPT, PROMPT]
    thread.new_messages(), world.alice.reads(), world.cards()


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("prompt", [PROMPT, LONG_PROMPT])
async def test_a_part_of_a_prompt_does_not_stand_for_all_of_it(world: World, who: str, prompt: str) -> None:
    """A task was deleted, so nobody has its whole prompt: of a long prompt the bot keeps the beginning, and
    of an attached task's prompt no secrets. *New like this* opens no form with a part of the prompt."""
    task = world.coder.add_task("alice", prompt, name="push")
    thread = await world.alice.runs("/task attach push")
    await world.polls()
    task.delete()
    await world.polls()
    thread.new_messages(), world.alice.reads(), world.cards()

    person = getattr(world, who)
    await person.clicks(thread, "New like this")

    assert person.dialog() == (
        "[New task]\nThere is no such task that you can see here. It may have been deleted. "
        "`/task list` shows the ones you can see."
    )


@pytest.mark.parametrize("who", ["alice", "bob"])
async def test_a_long_prompt_waits_for_coder(world: World, who: str) -> None:
    """The bot keeps the beginning of a long prompt. While Coder does not answer, *New like this* says so,
    and opens no form with only that beginning."""
    thread = await world.alice.runs(f"/task create --name push {LONG_PROMPT}")
    await world.polls()
    person = getattr(world, who)
    world.coder.plan_fault("tasks.get", server_error(status=503), times=None)

    await person.clicks(thread, "New like this")

    assert person.dialog() == "[New task]\nCoder is not answering. Try again in a minute."
    thread.new_messages()


async def test_others_get_the_whole_of_a_long_prompt_with_masks(world: World) -> None:
    """The bot keeps the beginning of Alice's long prompt, and the beginning ends within a secret. In the form
    of *New like this*, Bob and Alice get the whole prompt. Bob sees no part of the secret."""
    thread = await world.alice.runs(f"/task create --name push {LONG_PROMPT}")
    await world.polls()

    for person in (world.alice, world.bob):
        await person.clicks(thread, "New like this")

    assert f"{SECRET} and do not push" in world.alice.dialog()
    assert "ghp_••• and do not push" in world.bob.dialog()
    assert SECRET[:8] not in world.bob.dialog()
    assert HINT in world.bob.dialog()
    assert await world.bob.submits() == {"form.prompt": HINT}
    thread.new_messages()


async def test_an_attached_prompt_with_other_line_breaks_is_whole(world: World) -> None:
    """An attached task has a long prompt. Its line breaks have two characters each, and the bot keeps one of
    them. The form of *New like this* has the whole prompt nevertheless."""
    world.coder.add_task("alice", "fix the login\r\n" * 150 + "and do not push", name="push")
    thread = await world.alice.runs("/task attach push")
    await world.polls()

    await world.alice.clicks(thread, "New like this")

    assert "and do not push" in world.alice.dialog()
    thread.new_messages(), world.alice.reads()


async def test_the_messages_of_a_thread_are_no_part_of_the_prompt(world: World) -> None:
    """An agent got the messages of a thread after its long prompt. The form of *New like this* has the
    prompt without these messages, as for a short prompt."""
    root = await world.slack.post(world.alice.id, "general", "the login is broken")
    mention = f"<@{world.slack.bot_user_id}> with thread: {LONG_PROMPT}"
    thread = await world.alice.mentions(mention, root)
    await world.polls()

    for person in (world.alice, world.bob):
        await person.clicks(thread, "New like this")

    assert "the login is broken" in world.coder.tasks[0].prompt
    for person in (world.alice, world.bob):
        assert " and do not push\nName" in person.dialog()
        assert "the login is broken" not in person.dialog()
    thread.new_messages()


async def test_masks_in_a_message_of_the_bot_are_not_sent(world: World) -> None:
    """A person makes a new task from a notice with a masked secret. The form refuses the prompt as long as it
    contains the mask, because the bot does not have the secret."""
    thread = await world.alice.runs("/task create fix the login")
    task = world.task("fix-the-login")
    task.becomes("complete", f"Pushed with {SECRET}")
    await world.polls()
    await world.passes(seconds=10)
    await world.polls()
    notice = next(m for m in world.slack.thread(thread.channel, thread.ts)[1:] if "Pushed" in str(m["text"]))
    thread.new_messages(), world.cards()

    answer = await world.slack.message_shortcut(
        world.alice.id, thread.channel, str(notice["ts"]), "make_task"
    )
    await world.settles()

    assert answer.ok
    assert "Pushed with ghp_•••" in world.alice.dialog()
    assert await world.alice.submits() == {"form.prompt": HINT}
    assert await world.alice.submits(prompt="push it again") == {}
    assert [each.prompt for each in world.coder.tasks] == ["fix the login", "push it again"]
    world.reader.new_roots()
