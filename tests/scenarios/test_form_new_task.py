"""The form for a new task opens at once. The bot fills it when Coder has answered, and creates the task that
was entered."""

import asyncio

import pytest

from taskwire.domain.text.thread_context import EarlierMessage, make_context
from taskwire_sandbox.coder import faults

from .world import CARD_SECONDS, World

FORM = (
    "[New task]\n"
    "Template: {template}\n"
    "What should the agent do?: {prompt}\n"
    "Name: {name}\n"
    "Channel: {channel}\n"
    "[Create]"
)


def form(world: World, prompt: str = "", name: str = "", channel: str = "general") -> str:
    """Return the text that the form shows if Coder has one template. The arguments are what is already filled
    in."""
    place = world.slack.workspace.channel(channel).id if channel else ""
    return FORM.format(template="Tasks on Docker", prompt=prompt, name=name, channel=place)


async def test_create_without_a_prompt_opens_the_form(world: World) -> None:
    """A person types `/task create` without a prompt, and submits the form that opens. The bot creates the
    task in the channel where the command was typed."""
    await world.alice.types("/task create")

    assert world.alice.dialog() == form(world)

    assert await world.alice.submits(prompt="fix it", name="my-fix") == {}

    assert world.task("my-fix").prompt == "fix it"
    assert len(world.cards()) == 1


@pytest.mark.parametrize(
    ("line", "prompt"),
    [
        ("please fix the login", "please fix the login"),
        ("create name=my-fix", ""),
        ("prevent the server from crashing", "prevent the server from crashing"),
        ("create \u200b", ""),
    ],
)
async def test_a_stray_sentence_starts_nothing(world: World, line: str, prompt: str) -> None:
    """A text without a verb opens the form with that text. Nothing is created before the person submits the
    form."""
    await world.alice.types(f"/task {line}")

    name = "my-fix" if "name=" in line else ""
    assert world.alice.dialog() == form(world, prompt, name)
    assert not world.coder.tasks


async def test_the_form_opens_before_coder_answers(world: World) -> None:
    """Slack lets the bot open a dialog only within three seconds of the command. So the bot opens the form at
    once, and fills it when Coder has answered."""
    world.coder.plan_fault("templates.*", faults.late(0.3))
    typing = asyncio.ensure_future(world.alice.types("/task create"))

    await world.until(world.alice.dialog, "a dialog is open")

    assert world.alice.dialog() == ("[New task]\nOne moment, asking Coder…")
    await typing
    assert world.alice.dialog() == form(world)


async def test_new_like_this_fills_the_form_as_the_task_was(world: World) -> None:
    """Bob presses *New like this* on Alice's card. The form has her task's values but no name, and the new
    task is Bob's."""
    slow, fast = world.coder.new_preset("Slow", is_default=True), world.coder.new_preset("Fast")
    big = world.coder.add_template("big", display_name="Big ones", presets=[slow, fast])
    thread = await world.alice.runs("/task create template=big preset=Fast name=first fix the login")
    await world.polls()

    await world.bob.clicks(thread, "New like this")
    shown = world.bob.dialog()
    await world.bob.submits(name="second")
    await world.passes(CARD_SECONDS)

    place = world.slack.workspace.channel("general").id
    assert shown == (
        "[New task]\nTemplate: Big ones\nPreset: Fast\nWhat should the agent do?: fix the login\nName: \n"
        f"Channel: {place}\n[Create]"
    )
    made = world.task("second")
    assert (made.row.owner.username, made.prompt) == ("bob", "fix the login")
    assert (made.row.version.template.id, made.row.workspace.latest.preset_id) == (big.id, fast.id)
    assert len(world.cards()) == 1


@pytest.mark.parametrize("way", ["moved", "attached"])
async def test_new_like_a_task_in_another_channel_shows_no_earlier_messages(world: World, way: str) -> None:
    """In a private channel, Alice lets the agent have the earlier messages of the thread. Then she moves the
    task to a public channel, or attaches it there. Its card and *New like this* have only her own words."""
    world.slack.add_channel("secret", ["alice", "bob"], kind="private")
    await world.slack.join(world.slack.bot_user_id, "secret")
    root = await world.slack.post(world.bob.id, "secret", "the payroll server is 10.9.8.7")
    before = await world.alice.mentions("with thread: fix the login", root, channel="secret")
    await world.polls()
    await world.passes(CARD_SECONDS)
    task = world.coder.tasks[-1]
    if way == "attached":
        await world.alice.types(f"/task detach {task.name}", "secret")

    thread = await world.alice.runs(f"/task attach {task.name}")
    await world.bob.clicks(thread, "New like this")

    assert "the payroll server is 10.9.8.7" in task.prompt
    assert world.bob.dialog() == form(world, "fix the login")
    assert thread.card().startswith("Working: fix the login. ")
    world.alice.reads(), before.new_messages()


async def test_a_task_that_no_thread_had_is_attached_without_earlier_messages(world: World) -> None:
    """The prompt of Alice's task has earlier messages of a thread that this deployment does not know. She
    attaches the task. The card's title and *New like this* have only the words before these messages."""
    prompt = "fix the login\n\n" + make_context([EarlierMessage("Bob", "the payroll server is 10.9.8.7")])
    world.coder.add_task("alice", prompt, name="loose")

    thread = await world.alice.runs("/task attach loose")
    await world.bob.clicks(thread, "New like this")

    assert thread.card().startswith("Working: Fix the login. ")
    assert world.bob.dialog() == form(world, "fix the login")


async def test_new_like_a_task_whose_template_is_gone_says_so(world: World) -> None:
    """A person presses *New like this* on a task whose template no longer exists. The form says that the
    template is gone, and has the task's other values."""
    big = world.coder.add_template("big", display_name="Big ones")
    thread = await world.alice.runs("/task create template=big fix the login")
    await world.polls()
    del world.coder.world.templates[big.id]

    await world.alice.clicks(thread, "New like this")

    said = "There is no template `Big ones` for tasks, so nothing was created. Choose `tasks-docker`."
    assert world.alice.dialog() == form(world, "fix the login").replace(
        "[New task]", f"[New task]\n:warning: {said}"
    )
    await world.passes(CARD_SECONDS)


async def test_another_template_brings_its_presets(world: World) -> None:
    """A person chooses another template in the form. The form then offers that template's presets, and keeps
    the entered text."""
    slow, fast = world.coder.new_preset("Slow", is_default=True), world.coder.new_preset("Fast")
    big = world.coder.add_template("big", display_name="Big ones", presets=[slow, fast])
    await world.restarts(template="tasks-docker")
    await world.alice.types("/task fix it")

    await world.alice.chooses("form.template", "Big ones")

    place = world.slack.workspace.channel("general").id
    assert world.alice.dialog() == (
        "[New task]\nTemplate: Big ones\nPreset: Slow\nWhat should the agent do?: fix it\nName: \n"
        f"Channel: {place}\n[Create]"
    )

    await world.alice.submits(preset="Fast")

    task = world.task("fix-it")
    assert (task.row.version.template.id, task.row.workspace.latest.preset_id) == (big.id, fast.id)
    assert len(world.cards()) == 1


async def test_presets_that_did_not_come_leave_the_default(world: World) -> None:
    """A person chooses another template, and the bot cannot read that template's presets. The new task gets
    the template's default preset."""
    slow, fast = world.coder.new_preset("Slow", is_default=True), world.coder.new_preset("Fast")
    world.coder.add_template("big", display_name="Big ones", presets=[slow, fast])
    await world.restarts(template="tasks-docker")
    await world.alice.types("/task fix it", world.slack.open_direct("alice").id)
    world.coder.plan_fault("templates.*", faults.refused(), times=2)
    await world.alice.chooses("form.template", "Big ones")
    world.coder.clear_faults()

    await world.alice.submits()

    assert world.task("fix-it").row.workspace.latest.preset_id == slow.id
    assert len(world.cards()) == 1


async def test_a_form_tells_nothing_more_to_who_may_not_create_any_more(world: World) -> None:
    """Alice's account is suspended while her form is open. If she chooses another template, the form shows no
    presets."""
    preset = world.coder.new_preset("Secret preset", is_default=True)
    world.coder.add_template("big", display_name="Big ones", presets=[preset])
    await world.restarts(template="tasks-docker")
    await world.alice.types("/task fix it")

    world.coder.suspend("alice")
    await world.ages(seconds=10)
    await world.alice.chooses("form.template", "Big ones")

    assert world.alice.dialog().partition("\n")[2] == (
        "Your Coder account (alice@example.com) is suspended. Ask a Coder administrator."
    )


async def test_a_preset_can_be_left_out(world: World) -> None:
    """A person empties the preset's field in the form. The task gets no preset, even if the template has a
    default preset."""
    presets = [world.coder.new_preset("Slow", is_default=True)]
    world.coder.add_template("big", display_name="Big ones", presets=presets)
    await world.restarts(template="big")
    here = world.slack.open_direct("alice").id
    await world.alice.types("/task fix it", here)
    await world.alice.chooses("form.template", "Tasks on Docker")
    await world.alice.chooses("form.template", "Big ones")

    await world.alice.clears("form.preset")
    await world.alice.submits()

    assert world.task("fix-it").row.workspace.latest.preset_id is None
    assert len(world.slack.messages(here)) == len(world.cards()) == 1


async def test_what_was_typed_as_options_stands_in_the_form(world: World) -> None:
    """A command with options opens the form. The form has the template and the preset of these options, and
    names an option that is wrong."""
    fast = world.coder.new_preset("Fast")
    world.coder.add_template("big", display_name="Big ones", presets=[fast])
    await world.alice.types("/task create template=big preset=fast")

    assert "Template: Big ones\nPreset: Fast\n" in world.alice.dialog()

    await world.alice.types("/task create template=bgi")

    assert world.alice.dialog().startswith(
        "[New task]\n:warning: There is no template `bgi` for tasks, so nothing was created.\n"
    )


async def test_a_name_that_coder_refuses_is_said_beside_its_field(world: World) -> None:
    """A person enters a name that Coder does not accept. The form shows an error beside the name, and stays
    open with all entered values."""
    await world.alice.types("/task fix it")

    assert await world.alice.submits(name="no <spaces>") == {"form.name": "Names look like no-spaces."}
    assert await world.alice.submits(name="", prompt="\u200b ") == {
        "form.prompt": "Say what the agent should do."
    }
    assert not world.coder.tasks


async def test_the_form_says_when_a_prompt_is_too_long_for_it(world: World) -> None:
    """A person opens the form with a prompt that is longer than the dialog's 3,000 characters. The form says
    that the end is missing, and that `/task create` takes the whole prompt."""
    await world.alice.types("/task " + "word " * 1_000)

    assert world.alice.dialog().startswith(
        "[New task]\n:warning: The prompt has 4,999 characters and a dialog holds 3,000: its end is missing "
        "here. `/task create PROMPT` takes it whole.\n"
    )


async def test_a_prompt_of_exactly_the_dialogs_length_arrives_whole(world: World) -> None:
    """A person submits a prompt of 3,000 characters, the most that a field of a dialog takes. The task gets
    the whole prompt."""
    await world.alice.types("/task create")
    await world.alice.submits(prompt="x" * 3_000)

    assert world.coder.tasks[0].prompt == "x" * 3_000
    assert len(world.cards()) == 1


async def test_another_channel_can_be_chosen(world: World) -> None:
    """A person chooses another channel in the form, and the bot posts the card there. If the bot is not in
    that channel, it tells the person so and creates nothing."""
    world.slack.add_channel("random", ["alice"])
    world.slack.add_channel("quiet", ["alice"], with_bot=False)
    random, quiet = (world.slack.workspace.channel(name).id for name in ("random", "quiet"))
    await world.alice.types("/task fix it")
    await world.alice.submits(channel=random)

    assert [message["text"][:9] for message in world.slack.messages(random)] == ["Starting:"]
    assert len(world.cards()) == 1

    await world.alice.types("/task fix that")
    await world.alice.submits(channel=quiet)

    assert world.alice.reads() == [
        f"I'm not in <#{quiet}>, so nothing was created. Invite me with `/invite @Taskwire`, then try again."
    ]


async def test_in_a_direct_message_the_channel_may_stay_empty(world: World) -> None:
    """A person opens the form in a direct message and chooses no channel. The task's thread is in their
    direct messages with the bot."""
    here = world.slack.open_direct("alice").id
    await world.alice.types("/task fix it", here)

    assert world.alice.dialog() == form(world, "fix it", channel="")

    await world.alice.submits()

    assert len(world.slack.messages(here)) == 1
    assert len(world.cards()) == 1


async def test_without_any_template_the_form_says_so(world: World) -> None:
    """Coder has no template for tasks. The form has no fields, and says whom to ask for a template."""
    world.coder.template.active.has_ai_task = False

    await world.alice.types("/task create")

    assert world.alice.dialog() == (
        "[New task]\nYou have no template for tasks. Ask a Coder administrator for one."
    )


async def test_a_person_without_an_account_is_told_in_the_dialog(world: World) -> None:
    """A person without a Coder account asks for the form. The dialog shows the refusal before the person can
    type anything."""
    carol = world.person("carol", in_coder=False)
    await world.slack.join(carol.id, "general")

    await carol.types("/task create")

    assert carol.dialog() == (
        "[New task]\nNo Coder user has your address carol@example.com. Sign in to Coder once with it, or ask "
        "a Coder administrator to add you."
    )


async def test_the_helps_button_opens_the_form(world: World) -> None:
    """The help has the button *New task*, which opens the form."""
    await world.alice.types("/task help")
    world.alice.reads()

    await world.alice.presses("New task")

    assert world.alice.dialog() == form(world)


async def test_a_refusal_reaches_a_person_whose_form_was_open_for_long(world: World) -> None:
    """A person submits a form that was open for 45 minutes, and the bot refuses the task. Slack's URL for the
    answer has expired. So the bot answers with a message that only this person sees."""
    world.coder.add_task("alice", "older", name="fix")
    await world.alice.types("/task create")
    await world.passes(seconds=45 * 60)

    await world.alice.submits(prompt="fix it", name="fix")

    assert world.alice.reads() == ["The name `fix` is taken in Coder.\n[Use fix-2]"]


async def test_a_free_name_is_used_in_the_channel_that_the_form_names(world: World) -> None:
    """A person enters a taken name in the form, and the bot offers a free name. A press of that button
    creates the task with all other values of the form."""
    world.coder.add_task("alice", "older", name="fix")
    shop = world.slack.add_channel("shop", ["alice", "taskwire"]).id
    await world.alice.types("/task create")
    await world.alice.submits(prompt="fix it", name="fix", channel=shop)
    assert world.alice.reads() == ["The name `fix` is taken in Coder.\n[Use fix-2]"]

    await world.alice.presses("Use fix-2")

    assert world.task("fix-2").prompt == "fix it"
    [card] = world.slack.messages(shop)
    assert str(card["text"]).startswith("Starting: Fix it.")
    world.cards()
    world.alice.reads()
