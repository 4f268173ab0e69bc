"""`/task settings`: one dialog for the settings of a channel, and what each setting changes."""

from taskwire.domain.channel_settings import ChannelSettings
from taskwire.messages.settings_form import read_settings
from taskwire_sandbox.coder import faults
from taskwire_sandbox.slack import DeliveryFault

from .people import Person
from .running_tasks import TITLE, a_task, card, small_text
from .world import CARD_SECONDS, POST_SECONDS, SETTLE_SECONDS, World

DIALOG = (
    "[Settings]\nFor you, everywhere:\n"
    "{own}"
    "For everybody in {place}:\n"
    "Template of new tasks: {template}\n"
    "{preset}"
    "In new threads, the agent gets: {replies}\n"
    "Who can steer tasks: {steerers}\n"
    "A reply to a paused task: {resumes}\n"
    "When a task needs its owner, call them after: {settle}\n"
    "When nothing changes in a task, call its owner after: {stuck}\n"
    "When nobody answers a question, call the owner again after: {reminder}\n"
    "When there is still no answer, call: \n"
    "[Save]"
)
OWN = (
    "When a task needs me, call me: {calls}\n"
    "Quiet hours begin: {begins}\n"
    "Quiet hours end: {ends}\n"
    "Times are in your time zone. Threads still get every message.\n"
)
USUAL = OWN.format(calls="By a mention in the thread", begins="No quiet hours", ends="Not set")
EVERYWHERE = {
    "template": "Default",
    "preset": "",
    "replies": "Every reply",
    "steerers": "The owner of each task",
    "resumes": "Resumes it",
    "settle": "Default (20 s)",
    "stuck": "Default (30 min)",
    "reminder": "Default (never)",
    "own": USUAL,
}
BEGIN = "Alice has changed the settings of this channel: from now on, "
END = "\n[Settings]"
TOLD = f"{BEGIN}everybody here can steer new tasks. Older tasks stay as they are.{END}"
TOLD_BACK = f"{BEGIN}only a task's owner, people it is shared with, and administrators can steer it.{END}"
WAITS = "Waits until somebody resumes it"


def place(world: World, channel: str = "general") -> str:
    """Return a channel's name as Slack shows it in mrkdwn."""
    return f"<#{world.slack.workspace.channel(channel).id}>"


def dialog(world: World, **values: str) -> str:
    """Return the text of the dialog with these values. Other fields have the values of a new channel."""
    return DIALOG.format(place=place(world), **(EVERYWHERE | values))


async def set_channel(world: World, person: Person | None = None, **values: str) -> None:
    """Let a person change a setting of the channel, and read the answer. By default, the person is Alice."""
    person = person or world.alice
    await person.types("/task settings")
    assert await person.saves(**values) == {}
    assert person.reads() == [f"Saved the settings of {place(world)}."]


async def test_what_was_set_stands_in_the_dialog_for_everybody(world: World) -> None:
    """Only the person who saves the settings gets an answer. The dialog shows the new values to everybody."""
    await world.alice.types("/task settings")
    before = world.alice.dialog()

    await world.alice.saves(replies="Only replies that mention @Taskwire", resumes=WAITS, settle="1 min")
    await world.bob.types("/task settings")

    assert before == dialog(world)
    assert world.bob.dialog() == dialog(
        world, replies="Only replies that mention @Taskwire", resumes=WAITS, settle="1 min"
    )
    assert (world.alice.reads(), world.bob.reads()) == ([f"Saved the settings of {place(world)}."], [])
    assert world.alice.dialog() == ""


async def test_the_settings_of_another_channel_stay_as_they_are(world: World) -> None:
    """Alice changes the settings of one channel. The settings of another channel stay."""
    world.slack.add_channel("random", ["alice"])
    await set_channel(world, settle="1 min")

    await world.alice.types("/task settings", "random")

    assert "When a task needs its owner, call them after: Default (20 s)" in world.alice.dialog()


async def test_a_channel_whose_settings_are_as_everywhere_keeps_nothing(world: World) -> None:
    """Alice sets all settings of a channel back to those of the deployment. The store then keeps nothing for
    the channel."""
    await set_channel(world, settle="1 min")
    await set_channel(world, settle="Default (20 s)")

    assert await world.connections.commands.keys("*channel_settings*") == []


async def test_new_tasks_have_the_channels_template_and_preset(world: World) -> None:
    """A new task has the template and the preset of its channel. If a command names another template, the
    task has that template. The dialog shows the presets of the chosen template."""
    presets = [world.coder.new_preset("Slow", is_default=True), world.coder.new_preset("Fast")]
    big = world.coder.add_template("big", display_name="Big ones", presets=presets)
    await world.alice.types("/task settings")
    await world.alice.chooses("settings.template", "Big ones")
    shown = world.alice.dialog()
    await world.alice.saves(preset="Fast")
    world.alice.reads()

    await world.alice.runs("/task create fix it")
    await world.alice.runs("/task create template=tasks-docker fix that")
    await world.alice.types("/task create")

    one, other = world.task("fix-it").row, world.task("fix-that").row
    assert shown == dialog(world, template="Big ones", preset="Preset of new tasks: The template's own\n")
    assert (one.version.template.id, one.workspace.latest.preset_id) == (big.id, presets[1].id)
    assert other.version.template.name == "tasks-docker"
    assert "Template: Big ones\nPreset: Fast\n" in world.alice.dialog()


async def test_a_template_that_is_gone_creates_nothing(world: World) -> None:
    """The channel's template no longer exists. The bot tells the person how to choose another template, and
    the dialog says why no template is chosen."""
    big = world.coder.add_template("big", display_name="Big ones")
    await set_channel(world, template="Big ones")
    del world.coder.world.templates[big.id]

    await world.alice.types("/task create fix it")
    refused = world.alice.reads()
    await world.alice.types("/task settings")

    assert refused == [
        "The template of this channel is no longer in Coder, or you can't use it, so nothing was created. "
        "Name another one (`template=NAME`), or choose one for everybody here in `/task settings`."
    ]
    assert (
        ":warning: The template that was set here is no longer in Coder, or you can't use it.\n"
        in world.alice.dialog()
    )
    assert not world.coder.tasks


async def test_in_a_channel_of_mentions_a_plain_reply_is_no_input(world: World) -> None:
    """By the channel's setting, the agent gets only replies that mention the bot. The card says so, and its
    menu can let the agent get every reply of the thread."""
    await set_channel(world, replies="Only replies that mention @Taskwire")
    thread, task = await a_task(world)
    task.becomes("idle", "Which login?")
    await world.polls()

    aside = await world.alice.replies(thread, "I wonder whether it finds it")
    told = await world.slack.mention(world.alice.id, "general", "the one for admins", thread.ts)
    await world.settles()
    before = await card(world, thread)
    await world.alice.clicks(thread, "Read every reply")
    await world.polls()

    assert task.inputs == ["the one for admins"]
    assert (thread.receipt(aside), thread.receipt(told)) == ([], ["white_check_mark"])
    assert "The agent gets only messages that mention @Taskwire." in before
    assert before.endswith(
        "[⋯ Open in Coder, Follow, Logs, Read every reply, Watch, Mute, New like this, Share, Detach, Delete]"
    )
    assert "Mention @Taskwire" not in await card(world, thread)
    assert world.alice.reads() == ["Every reply in this thread goes to the agent now."]
    thread.new_messages()


async def test_an_attached_task_follows_the_channel_too(world: World) -> None:
    """The channel's setting for replies also holds for a thread that `/task attach` began."""
    await set_channel(world, replies="Only replies that mention @Taskwire")
    world.coder.add_task("alice", "fix it", name="fix")

    thread = await world.alice.runs("/task attach fix")

    assert "The agent gets only messages that mention @Taskwire." in await card(world, thread)


async def test_in_a_channel_that_lets_everybody_in_all_its_people_steer(world: World) -> None:
    """If a channel lets everybody steer, each member can reply, pause and resume. Only the owner can delete.
    A person who leaves the channel loses the right."""
    await set_channel(world, steerers="Everybody in this channel")
    assert world.reader.new_roots() == [TOLD]
    thread, task = await a_task(world)
    task.becomes("idle", "Which one?")
    await world.polls()

    reply = await world.bob.replies(thread, "the new one")
    await world.passes(seconds=5)
    inputs = list(task.inputs)
    await world.bob.types(f"/task delete {task.name}")
    refused = world.bob.dialog()
    world.slack.workspace.channel("general").members.remove(world.bob.id)
    await world.ages(seconds=10)
    await world.bob.types(f"/task pause {task.name}", world.bob.direct())

    assert (inputs, thread.receipt(reply)) == (["Bob wrote:\n> the new one"], ["white_check_mark"])
    assert refused.startswith("[Delete this task]\n")
    assert "belongs to Alice" in refused
    assert task.status == "active"
    assert len(world.bob.reads()) == 1


async def test_the_card_says_that_everybody_can_steer(world: World) -> None:
    """Everybody in the channel can steer new tasks. Their cards and `/task status` say so, until the setting
    is changed back. The card of an older task does not say it."""
    older, _ = await a_task(world)
    await set_channel(world, steerers="Everybody in this channel")
    thread = await world.alice.runs("/task create name=docs tidy the docs")
    first = await card(world, thread)
    await world.polls()
    await world.passes(CARD_SECONDS)
    second = small_text(world, thread)
    await world.alice.types("/task status docs")
    [status] = world.alice.reads()

    await set_channel(world, steerers="The owner of each task")
    await world.passes(CARD_SECONDS)

    assert "Everybody here can steer it." in first
    assert second == "Alice · Tasks on Docker · `docs` · everybody here can steer"
    assert "Everybody here can steer it." in status
    assert small_text(world, thread) == "Alice · Tasks on Docker · `docs`"
    assert "can steer" not in small_text(world, older)
    world.reader.new_roots()


async def test_a_task_that_has_a_thread_already_stays_with_its_owner(world: World) -> None:
    """Bob sets that everybody in the channel may steer. This holds only for threads that begin later, because
    the owner of an older task has not agreed."""
    thread, task = await a_task(world)
    task.becomes("idle", "Which one?")
    await world.polls()

    await set_channel(world, world.bob, steerers="Everybody in this channel")
    await world.bob.replies(thread, "the new one")
    told = world.bob.reads()
    await world.bob.types(f"/task pause {task.name}")
    refused = world.bob.reads()
    later = await world.alice.runs("/task create tidy the docs")
    await world.polls()
    await set_channel(world, world.bob, settle="1 min")
    world.coder.tasks[-1].becomes("idle", "Ready")
    await world.bob.replies(later, "use main")
    await world.passes(seconds=5)

    assert told == ["The agent did not get your reply: you can't steer this task.\n[Ask Alice to pass it on]"]
    assert len(refused) == 1
    assert (task.inputs, task.status) == ([], "active")
    assert world.coder.tasks[-1].inputs == ["Bob wrote:\n> use main"]
    world.reader.new_roots(), thread.new_messages(), later.new_messages()


async def test_a_channel_is_told_once_who_may_steer(world: World) -> None:
    """Alice saves that everybody may steer, and the bot tells the channel. A second save without a change of
    this setting posts nothing. When Alice changes the setting back, and when she sets it again, the bot tells
    the channel."""
    everybody = "Everybody in this channel"
    await set_channel(world, steerers=everybody)
    first = world.reader.new_roots()

    await set_channel(world, steerers=everybody, settle="1 min")
    again = world.reader.new_roots()
    await set_channel(world, steerers="The owner of each task")
    set_back = world.reader.new_roots()
    await world.passes(POST_SECONDS)
    await set_channel(world, steerers=everybody)

    assert (first, again, set_back) == ([TOLD], [], [TOLD_BACK])
    assert world.reader.new_roots() == [TOLD]


async def test_a_channel_decides_how_long_idle_must_last(world: World) -> None:
    """If an agent is idle for less than the channel's settle time, the bot posts no notice yet."""
    await set_channel(world, settle="1 min")
    thread, task = await a_task(world)
    task.becomes("idle", "Which one?")
    await world.polls()

    await world.passes(SETTLE_SECONDS)
    early = thread.new_messages()
    await world.passes(seconds=60)

    assert early == []
    assert thread.new_messages() == [
        f"<@{world.alice.id}> Which one?\nNeeds you: {TITLE}. Reply here to go on.\n[Logs]"
    ]


async def test_a_reply_to_a_paused_task_waits_where_the_channel_says_so(world: World) -> None:
    """By the channel's setting, a reply to a paused task does not resume the task. The bot asks whether to
    send or to drop the waiting replies, and gives their number."""
    await set_channel(world, resumes=WAITS)
    thread, task = await a_task(world)
    await world.alice.replies(thread, "!pause")
    await world.passes(seconds=5)
    await world.polls()
    paused, told = thread.new_messages(), world.alice.reads()

    first = await world.alice.replies(thread, "use main")
    second = await world.alice.replies(thread, "and add a test")
    await world.passes(seconds=60)
    asked, status = thread.new_messages(), task.status
    await world.alice.clicks(thread, "Resume and send")
    await world.polls()
    task.becomes("idle", "Ready")
    await world.passes(seconds=30)
    await world.polls()
    task.becomes("idle", "Ready again")
    await world.polls()
    await world.passes(seconds=60)

    assert paused == ["Paused by Alice. Replies wait until somebody resumes it."]
    assert told == [f"Pausing *{TITLE}*. Replies wait until somebody resumes it."]
    assert (asked, status) == (["Paused. 2 replies wait.\n[Resume and send] [Drop them]"], "paused")
    assert task.inputs == ["use main", "and add a test"]
    assert [thread.receipt(ts) for ts in (first, second)] == [["white_check_mark"]] * 2
    assert "Resumed. The agent gets the waiting replies." in thread.all_messages()
    assert world.alice.reads() == []
    thread.new_messages()


async def test_replies_that_wait_go_on_when_somebody_resumes_the_task_in_coder(world: World) -> None:
    """By the channel's setting, a reply to a paused task waits. Somebody resumes the task in Coder and not in
    Slack. The agent gets the waiting reply."""
    await set_channel(world, resumes=WAITS)
    thread, task = await a_task(world)
    task.pause_by_timeout()
    await world.polls()
    notice = thread.new_messages()
    reply = await world.alice.replies(thread, "use main")
    await world.passes(seconds=10)
    waits = (thread.new_messages(), thread.receipt(reply))

    task.resume()
    await world.polls()
    task.becomes("idle", "Ready")
    await world.polls()
    await world.passes(seconds=10)

    assert notice == [
        f"Paused: {TITLE}. Nothing happened for a while, so Coder stopped its workspace. Nothing is "
        "lost. *Resume* starts it again. Replies wait until then.\n[Resume] [Edit prompt]"
    ]
    assert waits == (
        ["Paused. 1 reply waits.\n[Resume and send] [Drop the reply]"],
        ["hourglass_flowing_sand"],
    )
    assert (task.inputs, thread.receipt(reply)) == (["use main"], ["white_check_mark"])
    assert "Resumed. The agent gets the waiting replies." in thread.all_messages()
    thread.new_messages()


async def test_a_reply_that_waits_can_be_dropped(world: World) -> None:
    """A person drops a reply that waits while its task is paused. The bot posts the reply's text, and the
    agent does not get the reply after a resume."""
    await set_channel(world, resumes=WAITS)
    thread, task = await a_task(world)
    task.pause()
    await world.polls()
    await world.alice.replies(thread, "use main")
    thread.new_messages()

    await world.alice.clicks(thread, "Drop the reply")
    task.resume()
    await comes_up_again(world)

    assert task.inputs == []
    assert thread.new_messages()[0] == "Dropped 1 reply:\n| use main"


async def comes_up_again(world: World) -> None:
    """Let the workspace run, and its agent be ready for input."""
    await world.polls()
    world.task("fix-the-login-redirect").becomes("working", "On it")
    await world.polls()
    await world.passes(seconds=5)


async def test_a_guest_sees_no_settings(world: World) -> None:
    """The dialog shows a refusal to a guest, before the guest can enter anything."""
    guest = world.person("gina", is_restricted=True)
    world.slack.add_channel("guests", ["gina"])

    await guest.types("/task settings", "guests")

    assert guest.dialog() == (
        "[Settings]\nGuests in this Slack cannot use Taskwire. Ask a full member to do it."
    )


async def test_where_the_bot_is_not_a_person_has_their_own_settings(world: World) -> None:
    """A person types `/task settings` in a channel without the bot. The dialog has only the personal
    settings, and says why the channel's settings are missing."""
    quiet = world.slack.add_channel("quiet", ["alice"], kind="private", with_bot=False)

    await world.alice.types("/task settings", "quiet")

    assert world.alice.dialog() == (
        f"[Settings]\nWe must both be in <#{quiet.id}> to change its settings. Join it and "
        f"invite me.\nFor you, everywhere:\n{USUAL}[Save]"
    )


async def test_a_person_who_has_left_the_channel_saves_nothing(world: World) -> None:
    """A person leaves the channel while the dialog is open. The bot refuses their submission."""
    await world.bob.types("/task settings")
    world.slack.workspace.channel("general").members.remove(world.bob.id)
    await world.ages(seconds=10)

    await world.bob.saves(settle="1 min")
    await world.alice.types("/task settings")

    assert world.bob.reads() == [
        f"We must both be in {place(world)} to change its settings. Join it and invite me."
    ]
    assert world.alice.dialog() == dialog(world)


async def test_a_message_offers_the_dialog(world: World) -> None:
    """A message cannot open a dialog. So the answer to the message `settings` has a button that opens it.

    In a direct message, the dialog has only the person's own settings.
    """
    await world.alice.writes_directly("settings")
    offered = world.alice.reads()

    await world.alice.presses("Settings")
    shown = world.alice.dialog()
    await world.alice.saves_own(calls="both")

    assert offered == ["Open the settings?\n[Settings]"]
    assert shown == f"[Settings]\nFor you, everywhere:\n{USUAL}[Save]"
    assert world.alice.reads() == [
        "Saved. When a task needs you, I mention you in its thread and send you a direct message."
    ]


async def test_settings_that_are_saved_twice_by_slack_are_saved_once(world: World) -> None:
    """Slack delivers one submission twice. The second delivery is ignored, because it could undo newer
    settings."""
    await world.alice.types("/task settings")
    world.slack.faults.add("view_submission", DeliveryFault.TWICE)

    await world.alice.saves(settle="5 min")

    assert world.alice.reads() == [f"Saved the settings of {place(world)}."]


async def test_the_dialog_says_when_coder_is_away(world: World) -> None:
    """While Coder is away, the dialog of `/task settings` shows only a sentence, and has no field and nothing
    to save."""
    world.coder.plan_fault("templates.*", faults.refused())

    await world.alice.types("/task settings")

    assert world.alice.dialog() == ("[Settings]\nCoder is not answering. Try again in a minute.")


def test_a_made_up_submission_sets_only_what_the_dialog_offers() -> None:
    """An invented submission carries values that the dialog does not offer. The bot saves none of them."""
    entered = {
        "settings.template": "../x",
        "settings.replies": "none",
        "settings.resumes": "maybe",
        "settings.settle": "-1",
        "settings.preset:../x": "preset:p",
    }

    assert read_settings(entered) == ChannelSettings()
