"""The bot masks agents' secrets before it stores a text. It does not mask a person's own words."""

import re

from taskwire_sandbox.coder import faults
from tests.sealed import open_all

from .people import Thread
from .waiting import a_waiting_agent
from .world import World

SECRET = "ghp_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gH6"


async def kept(world: World) -> str:
    """Return everything in the store, with the encrypted values decrypted."""
    return open_all(await stored(world))


async def stored(world: World) -> str:
    """Return everything in the store as Redis has it."""
    redis = world.connections.commands
    found = []
    async for key in redis.scan_iter():
        kind = await redis.type(key)
        match kind:
            case "hash":
                found.append(str(await redis.hgetall(key)))
            case "string":
                found.append(str(await redis.get(key)))
            case "zset":
                found.append(str(await redis.zrange(key, 0, -1)))
            case "stream":
                found.append(str(await redis.xrange(key)))
            case _:
                found.append(str(await redis.lrange(key, 0, -1)))
    return "\n".join(found)


async def _says_it(world: World, thread: Thread) -> None:
    task = world.task("fix-the-login")
    task.says(f"I used {SECRET} to push.")
    task.becomes("complete", f"Pushed with {SECRET}", f"https://x.example/pull/1?token={SECRET}")
    await world.polls()
    await world.passes(seconds=3)
    await world.polls()
    assert SECRET not in "\n".join([thread.card(), *thread.new_messages()])


async def test_what_an_agent_says_is_masked_before_it_is_kept(world: World) -> None:
    """An agent's report, link and text contain a secret. The store has all three with the secret masked."""
    thread, _ = await a_waiting_agent(world)

    await _says_it(world, thread)
    written = await kept(world)

    assert "Pushed with ghp_•••" in written
    assert SECRET not in written


async def test_what_coder_says_is_masked_before_it_is_kept(world: World) -> None:
    """Somebody created a task in Coder. The store has its title and its prompt with secrets masked."""
    made = world.coder.add_task("alice", f"push with {SECRET}", name="loose")
    made.row.display_name = f"Use {SECRET}"
    thread = await world.alice.runs(f"/task attach {made.name}")
    await world.polls()
    await world.passes(seconds=3)

    written = await kept(world)

    assert "Use ghp_•••" in written
    assert SECRET not in written + thread.card()


async def test_what_coder_refuses_with_is_masked_before_it_is_kept(world: World) -> None:
    """Coder refuses a task, and its error quotes a secret of the template. The bot masks the secret in its
    answer, on the card and in the store."""
    world.coder.plan_fault("tasks.create", faults.server_error(f"bad variable: {SECRET}", 400))

    thread = await world.alice.runs("/task create fix it")
    told = world.alice.reads()

    assert told == ["The task was not created. Coder said: bad variable: ghp_•••."]
    assert SECRET not in await kept(world) + thread.card()


async def test_our_own_tokens_are_kept_nowhere_and_reach_no_agent(world: World) -> None:
    """A person writes one of Taskwire's own tokens, which open the whole deployment. The bot masks it, so
    that neither the store nor an agent gets it. A secret of the person stays."""
    thread, task = await a_waiting_agent(world)
    token = world.settings.service_token

    await world.alice.replies(thread, f"use {token} and {SECRET}")
    made = await world.alice.runs(f"/task create try {token}")

    assert task.inputs == [f"use ••• and {SECRET}"]
    assert world.task("try").prompt == "try •••"
    assert token not in await kept(world)
    assert made.new_messages() == []


async def test_a_prompt_is_sent_back_as_it_is(world: World) -> None:
    """The owner edits a prompt that has a secret. The dialog's field shows the prompt unmasked, because its
    whole text becomes the new prompt."""
    thread = await world.alice.runs(f"/task create name=push push with {SECRET}")
    await world.polls()
    await world.alice.types("/task pause push")
    await world.polls()
    await world.passes(seconds=5)
    await world.passes(seconds=5)

    await world.alice.clicks(thread, "Edit prompt")
    shown = world.alice.dialog()
    await world.alice.submits()

    assert f"push with {SECRET}" in shown
    assert world.task("push").prompt == f"push with {SECRET}"
    assert SECRET not in thread.card()
    thread.new_messages()
    world.alice.reads()


async def test_a_prompt_that_is_cut_shows_no_half_of_a_secret(world: World) -> None:
    """The card shows only the beginning of a long prompt. The bot masks secrets before it cuts the prompt,
    because it cannot recognize half of a token."""
    words = "push it there " * 21

    thread = await world.alice.runs(f"/task create name=push {words[:284]} {SECRET} {words}")
    await world.polls()

    assert "push it there" in thread.card()
    assert SECRET[:8] not in thread.card()
    assert world.task("push").prompt == f"{words[:284]} {SECRET} {words}".strip()


PASSPHRASE = 'log in with password: "correct horse battery staple is my long secret" and fix it'


async def test_a_passphrase_that_a_title_cuts_is_not_shown_in_half(world: World) -> None:
    """A prompt has a passphrase, and the title has room for only a part of it. The bot masks the whole
    passphrase before it cuts the title."""
    thread = await world.alice.runs(f"/task create name=push {PASSPHRASE}")
    await world.polls()

    assert 'log in with password: "•••' in thread.card().lower()
    assert "horse" not in thread.card()


async def test_a_passphrase_in_an_edited_prompt_is_not_shown_in_half(world: World) -> None:
    """A person edits a prompt, and the new prompt has a passphrase. The bot makes a new title from this
    prompt. It masks the whole passphrase before it cuts the title."""
    thread, task = await a_waiting_agent(world)
    await world.alice.types(f"/task pause {task.name}")
    await world.polls()

    await world.alice.types(f"/task edit {task.name} {PASSPHRASE}")
    await world.passes(seconds=7)

    assert 'Log in with password: "•••' in thread.card()
    assert "horse" not in thread.card()
    assert "horse" not in " ".join([*thread.new_messages(), *world.alice.reads()])


async def test_a_secret_of_a_prompt_is_no_part_of_the_tasks_name(world: World) -> None:
    """A prompt begins with a password, and the bot makes the task's name from the prompt. It leaves the
    password out, because everybody sees the name."""
    thread = await world.alice.runs("/task create -- password=hunter2 fix it")
    await world.polls()

    (task,) = world.coder.tasks
    assert task.name.startswith("password-fix-it-")
    assert task.prompt == "password=hunter2 fix it"
    assert "hunter2" not in thread.card()


async def test_a_field_never_shows_a_token_of_ours(world: World) -> None:
    """Somebody put Taskwire's own token into a prompt in Coder. The dialog for that prompt has an empty
    field."""
    token = world.settings.service_token
    world.coder.add_task("alice", f"push with {token}", name="loose").pause()
    thread = await world.alice.runs("/task attach loose")
    await world.polls()

    await world.alice.clicks(thread, "Edit prompt")

    assert "Its new prompt: \n" in world.alice.dialog()
    assert token not in world.alice.dialog() + thread.card() + await kept(world)


async def test_a_secret_that_the_end_of_a_build_log_cuts_in_two_is_masked(world: World) -> None:
    """Only the end of a long build log is shown. The bot masks the log before it cuts the log, so that no
    half of a secret is left."""
    thread, task = await a_waiting_agent(world)
    task.build_fails(f"{SECRET}{' x' * 1_375} no space left on device")

    await world.polls()
    await world.passes(seconds=400)
    await world.polls()

    said = "\n".join(thread.new_messages())
    assert "no space left on device" in said
    assert SECRET[-10:] not in said


async def test_of_what_is_long_only_a_beginning_is_kept(world: World) -> None:
    """A prompt, a title and a build's error are very long. The store has only the beginning of each, and no
    part of a secret that would be cut in two."""
    made = world.coder.add_task("alice", f"{'p ' * 990}{SECRET}{' p' * 20_000}", name="loose")
    made.row.display_name = f"{'t ' * 240}{SECRET}{' t' * 500_000}"
    thread = await world.alice.runs("/task attach loose")
    await world.polls()
    task = world.task("loose")
    task.build_fails(f"{'e ' * 990}{SECRET}{' e' * 20_000}")
    await world.polls()
    await world.passes(seconds=400)
    await world.polls()

    written = await kept(world)
    longest = {letter: max(map(len, re.findall(f"(?:{letter} )+", written))) for letter in "pt"}
    assert longest == {"p": 1_980, "t": 480}
    assert [len(why) for why in re.findall("'build_failure': '\"1 (terraform [^']*)\"'", written)] == [2_000]
    assert SECRET[:12] not in written
    thread.new_messages()


async def test_a_button_says_where_an_agents_link_leads(world: World) -> None:
    """An agent reports a link, and the card has a button for it. The button names the link's host. It names
    no host for a task's page in the deployment's Coder, and for the Git hosts in the settings. Only the
    address of a pull request is called one."""
    thread, task = await a_waiting_agent(world)
    coder = world.settings.coder_url
    await world.restarts(forges=("git.example.com",))
    links = {
        "https://git.example.com/a/b/pull/1": "[View pull request] ",
        "https://github.com/a/b/pull/1": "[View pull request (github.com)] ",
        f"{coder}/tasks/alice/fix-login": "[Open link] ",
        f"{coder}/@alice/ws.main/apps/preview/pull/12": f"[Open link ({coder.removeprefix('http://')})] ",
        "https://git.example.com/evil/tools/raw/main/pull/12/setup.exe": "[Open link] ",
        "https://git.example.com@evil.example/a/b/pull/1": "",
    }

    for number, (uri, button) in enumerate(links.items()):
        task.becomes("working", f"step {number}", uri)
        await world.polls()
        await world.passes(seconds=4)
        assert f"\n{button}[Stop]" in thread.card()


async def test_the_form_for_another_task_like_this_shows_no_secret_to_others(world: World) -> None:
    """A prompt has a secret. In the form of *New like this*, the task's owner sees the prompt unmasked. Bob
    sees it with the secret masked."""
    thread = await world.alice.runs(f"/task create fix the login\nwith {SECRET}")

    for person in (world.alice, world.bob):
        await person.clicks(thread, "New like this")

    assert SECRET in world.alice.dialog()
    assert SECRET not in world.bob.dialog()
    assert "What should the agent do?: fix the login\nwith " in world.bob.dialog()
