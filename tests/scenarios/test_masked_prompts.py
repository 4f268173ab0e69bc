"""Prompts with secrets, and who sees the secrets. Other people see `•••`, the mask, in their place. An edited
prompt never replaces a secret by this mask."""

import pytest

from .people import Thread
from .test_overdue import set_channel
from .test_secrets_kept import SECRET
from .world import World

HINT = "••• hides a secret. Write the secret there, or leave that part out."
PROMPT = f"fix the login with {SECRET}"


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


async def test_masks_of_a_task_that_is_gone_are_not_sent(world: World) -> None:
    """An attached task was deleted, so nobody has its whole prompt. The form of *New like this* shows the
    prompt with a mask, and refuses a submission that contains the mask."""
    task = world.coder.add_task("alice", PROMPT, name="push")
    thread = await world.alice.runs("/task attach push")
    await world.polls()
    task.delete()
    await world.polls()
    thread.new_messages(), world.alice.reads(), world.cards()

    await world.alice.clicks(thread, "New like this")

    assert "fix the login with ghp_•••" in world.alice.dialog()
    assert await world.alice.submits() == {"form.prompt": HINT}
    assert world.coder.tasks == []


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
