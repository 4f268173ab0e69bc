"""`/task create`: a typed line becomes a card, a task and a thread. Bad input is refused before anything is
created."""

import pytest

from taskwire_sandbox.coder.rows import Parameter

from .world import World

LONG = "word " * 7_999 + "words"


async def test_create_posts_a_card_and_starts_the_task_as_this_person(world: World) -> None:
    """A person types `/task create` with a prompt. Coder gets the prompt as it was typed, and the card shows
    it."""
    thread = await world.alice.runs("/task create fix the login redirect")

    task = world.task("fix-the-login-redirect")
    assert (task.prompt, task.row.owner.username) == ("fix the login redirect", "alice")
    assert thread.card() == (
        "Starting: Fix the login redirect. Owner: Alice. Template: Tasks on Docker. "
        f"<{world.coder.url}/tasks/alice/{task.id}>\n"
        "[Stop] [⋯ Open in Coder, Watch, Mute, New like this, Share, Detach, Delete]"
    )


@pytest.mark.parametrize("verb", ["create", "new", "run", "Create"])
async def test_create_has_synonyms(world: World, verb: str) -> None:
    """`new` and `run` do what `create` does. A verb may begin with a capital letter, as phones write it."""
    await world.alice.runs(f"/task {verb} fix it")

    assert [task.prompt for task in world.coder.tasks] == ["fix it"]


@pytest.mark.parametrize(
    "options",
    [
        "template=big preset=fast name=my-task org=other",
        "--template big --preset fast --name my-task --org other",
        "--template=big --preset=fast --name=my-task --organization=other",
        "\u2014template big \u2013preset fast \u2014name=my-task org=other",
        'template="Big ones" preset=\u201cFast\u201d name=\u2018my-task\u2019 organisation=other',
    ],
)
async def test_create_takes_options_in_every_spelling(world: World, options: str) -> None:
    """The bot reads options in many spellings. They can have a colon or an equals sign, any quotation marks,
    and the long dashes of a phone."""
    other = world.coder.add_organization("other")
    fast = world.coder.new_preset("Fast", {"cpu": "8"})
    world.coder.add_template("big", display_name="Big ones", organization="other", presets=[fast])
    world.coder.user("alice").org_roles[other.id] = set()

    await world.alice.runs(f"/task create {options} fix it")

    task = world.task("my-task")
    assert (task.prompt, task.row.version.template.name) == ("fix it", "big")
    assert task.row.workspace.latest.preset_id == fast.id


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "create template=tasks-dokcer fix it",
            "There is no template `tasks-dokcer` for tasks, so nothing was created.\n[Use tasks-docker]",
        ),
        (
            "create template=nothing-like-it fix it",
            "There is no template `nothing-like-it` for tasks, so nothing was created. Choose "
            "`tasks-docker`.\n[Use tasks-docker]",
        ),
        (
            "create preset=x fix it",
            "The template `tasks-docker` has no presets, so nothing was created. Leave `preset=` out.",
        ),
        (
            "create org=codr fix it",
            "There is no organization `codr` with templates for tasks, so nothing was created.\n[Use coder]",
        ),
        (
            "create template=<b><!here> fix it",
            "There is no template `&lt;b&gt;@\u2060here` for tasks, so nothing was created. Choose "
            "`tasks-docker`.\n[Use tasks-docker]",
        ),
    ],
)
async def test_what_is_not_known_creates_nothing(world: World, line: str, says: str) -> None:
    """A command names something that does not exist, for example a template. No task is created. The answer
    gives similar names, and only the author sees it."""
    await world.alice.types(f"/task {line}")

    assert world.alice.reads() == [says]
    assert not world.coder.tasks


async def test_an_unknown_preset_is_answered_with_those_there_are(world: World) -> None:
    """A command names a preset that the template does not have. The answer has a button for each preset with
    a similar name. If there is none, it has a button for each preset of the template."""
    world.coder.add_template("big", presets=[world.coder.new_preset("Fast"), world.coder.new_preset("Slow")])

    await world.alice.types("/task create template=big preset=fsat fix it")
    await world.alice.types("/task create template=big preset=green fix it")

    assert world.alice.reads() == [
        "The template `big` has no preset `fsat`, so nothing was created.\n[Use Fast]",
        "The template `big` has no preset `green`, so nothing was created.\n[Use Fast] [Use Slow]",
    ]


async def test_among_several_templates_one_has_to_be_named(world: World) -> None:
    """Coder has several templates, and the deployment has no default. A command without a template creates
    nothing, and the bot asks which template to use."""
    world.coder.add_template("big")

    await world.alice.types("/task create fix it")

    assert world.alice.reads() == [
        "Which template? Nothing was created. Choose `big` or `tasks-docker`.\n[Use big] [Use tasks-docker]"
    ]


async def test_the_deployment_has_defaults(world: World) -> None:
    """A command names no template and no preset. The task gets the template of TASKWIRE_TEMPLATE and the
    preset of TASKWIRE_PRESET."""
    fast = world.coder.new_preset("Fast")
    world.coder.add_template("big", presets=[world.coder.new_preset("Slow", is_default=True), fast])
    await world.restarts(template="big", preset="fast")

    await world.alice.runs("/task create fix it")

    task = world.task("fix-it")
    assert (task.row.version.template.name, task.row.workspace.latest.preset_id) == ("big", fast.id)


async def test_a_default_that_is_gone_is_said(world: World) -> None:
    """The deployment's default template no longer exists. The bot's answer says so, and does not blame the
    person, who named no template."""
    await world.restarts(template="old")

    await world.alice.types("/task create fix it")

    assert world.alice.reads() == [
        "The default template `old` is not in Coder, so nothing was created.\n[Use tasks-docker]"
    ]


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("почини вход", "task"),
        ("\U0001f680\U0001f525", "task"),
        ("Réparer l'écran d'accueil", "reparer-lecran-daccueil"),
        ("修复 login 页面", "login"),
        ("a" * 60, "a" * 25),
        ("fix the thing that breaks everything", "fix-the-thing-that-breaks"),
    ],
)
async def test_a_name_is_made_of_what_latin_letters_there_are(world: World, prompt: str, name: str) -> None:
    """The bot makes a task's name from the Latin letters of the prompt, because Coder's names are ASCII. The
    task's title keeps the person's own words."""
    thread = await world.alice.runs(f"/task create {prompt}")

    task = world.coder.tasks[0]
    assert task.name[:-7] == name
    assert len(task.name) <= 32
    assert task.prompt == prompt
    assert prompt[:25].lower() in thread.card().lower()


async def test_a_very_long_prompt_arrives_whole(world: World) -> None:
    """A prompt has 40,000 characters. The agent gets all of them, and the card shows the beginning."""
    await world.alice.runs(f"/task create {LONG}")

    assert world.coder.tasks[0].prompt == LONG


async def test_a_name_that_is_taken_is_answered_with_a_free_one(world: World) -> None:
    """A command gives its task a name that another task has. The bot posts no card, and offers a name that is
    free."""
    world.coder.add_task("alice", "older", name="fix")
    world.coder.add_task("alice", "older still", name="fix-2")

    await world.alice.types("/task create name=fix fix it")

    assert world.alice.reads() == ["The name `fix` is taken in Coder.\n[Use fix-3]"]
    await world.alice.presses("Use fix-3")
    assert world.task("fix-3").prompt == "fix it"
    assert len(world.cards()) == 1


async def test_options_behind_the_prompt_are_read_and_named(world: World) -> None:
    """A person writes options after the prompt. The bot reads them as options. Its answer names them, and
    says how to keep them as text."""
    thread = await world.alice.runs("/task create fix it name=renamer")

    assert world.task("renamer").prompt == "fix it"
    assert thread.card().startswith("Starting: Fix it. ")
    assert world.alice.reads() == [
        "Read as options: `name=renamer`. If you meant it as text, write `/task create -- …`."
    ]

    await world.alice.runs("/task create -- fix it name=other")

    assert sorted(task.prompt for task in world.coder.tasks) == ["fix it", "fix it name=other"]


async def test_an_option_behind_the_prompt_that_does_not_exist_creates_nothing(world: World) -> None:
    """An option after the prompt names something that does not exist. The bot creates nothing, and says how
    to keep the option as text."""
    await world.alice.types("/task create explain template=nope")

    assert len(world.coder.tasks) == 0
    [answer] = world.alice.reads()
    assert answer.endswith(
        "If `template=nope` is part of your text, put `--` before the text.\n[Use tasks-docker]"
    )


async def test_the_same_within_two_minutes_is_asked_about(world: World) -> None:
    """A person repeats a command within two minutes. This may be a mistake, so the bot first asks. A press of
    *Create another* creates one more task."""
    await world.alice.runs("/task create fix it")
    await world.alice.types("/task create fix it")

    assert world.alice.reads() == ["You just created this task. Another one?\n> fix it\n[Create another]"]
    assert len(world.coder.tasks) == 1

    await world.alice.presses("Create another")

    assert len(world.coder.tasks) == 2
    assert world.alice.sees() == ("Creating another one.\n> fix it")
    assert len(world.cards()) == 1


async def test_a_question_that_is_too_old_says_so(world: World) -> None:
    """The bot asks whether to create a second task, and keeps that request for a limited time. If a person
    presses the button later, the bot answers that the button has expired."""
    await world.alice.runs("/task create fix it")
    await world.alice.types("/task create fix it")
    world.alice.reads()
    await world.forgets()

    await world.alice.presses("Create another")

    assert world.alice.sees() == ("This button is too old. Write your request again.")
    assert len(world.coder.tasks) == 1


async def test_what_is_not_the_same_is_not_asked_about(world: World) -> None:
    """The bot asks only if the same person repeats a command within two minutes, with the same name and
    words. Otherwise, it creates the task at once."""
    await world.alice.runs("/task create fix it")
    await world.passes(seconds=5)
    await world.alice.runs("/task create name=other fix it")
    await world.passes(seconds=5)
    await world.alice.runs("/task create fix it now")
    await world.passes(seconds=5)
    await world.bob.runs("/task create fix it")
    await world.passes(seconds=105)
    await world.alice.runs("/task create fix it")

    assert len(world.coder.tasks) == 5


async def test_a_failed_creation_may_be_repeated_at_once(world: World) -> None:
    """A command created no task, and the person repeats it at once. The bot does not ask, because it asks
    only if the first command created a task."""
    world.coder.settings.lacks_agent_license = True
    thread = await world.alice.runs("/task create fix it")
    assert thread.card().startswith("Not created: fix it.")
    world.alice.reads()
    world.coder.settings.lacks_agent_license = False

    await world.alice.runs("/task create fix it")

    assert len(world.coder.tasks) == 1


async def test_a_template_that_coder_refuses_is_said_on_the_card(world: World) -> None:
    """Coder refuses to create a task from the template. The card and a private answer give the reason. A
    reply in the thread reaches no agent."""
    world.coder.settings.lacks_agent_license = True

    thread = await world.alice.runs("/task create fix it")

    why = (
        "Coder said: Build is not permitted: Your license is not entitled to managed agents. "
        "Please contact sales to continue using managed agents."
    )
    assert thread.card() == (
        f"Not created: fix it. Coder did not create this task. {why} `/task create` creates another. "
        "Owner: Alice. Template: Tasks on Docker."
    )
    assert world.alice.reads() == [f"The task was not created. {why}"]

    await world.alice.replies(thread, "hello?")

    assert thread.new_messages() == ["Not delivered: the task was never created.\n[New task]"]


async def test_missing_parameters_are_named(world: World) -> None:
    """The template has a required parameter, and the command names no preset that gives its value. The bot
    creates no task, and its answer names the parameter."""
    world.coder.add_template("needy", parameters=[Parameter("repo", is_required=True)])

    await world.alice.runs("/task create template=needy fix it")

    assert world.alice.reads() == [
        "The task was not created. Coder said: Unable to validate parameters. repo: Required parameter not "
        "provided; parameter value is null."
    ]


async def test_a_version_that_was_archived_meanwhile_is_told_at_once(world: World) -> None:
    """The template's version was archived before the task was created. Coder answers with an unusual error.
    The bot tells the person at once, and does not try again."""
    old = world.coder.add_template("old")
    old.active.is_archived = True

    await world.alice.runs("/task create template=old fix it")

    assert world.alice.reads() == [
        "The task was not created. Coder said: Archived template versions cannot be used to make a "
        "workspace. template_version_id: template version archived."
    ]


async def test_a_channel_without_the_bot_gets_nothing(world: World) -> None:
    """A person types `/task create` in a channel without the bot. The bot creates nothing, and tells the
    person how to invite it."""
    world.slack.add_channel("random", ["alice"], with_bot=False)
    world.slack.add_channel("secret", ["alice"], kind="private", with_bot=False)

    await world.alice.types("/task create fix it", "random")
    await world.alice.types("/task create fix it", "secret")

    place = world.slack.workspace.channel("random").id
    assert world.alice.reads() == [
        f"I'm not in <#{place}>, so nothing was created. Invite me with `/invite @Taskwire`, then try again.",
        "I can't see this conversation, so nothing was created. If it is a private channel, invite me with "
        "`/invite @Taskwire`. Otherwise, use a channel.",
    ]
    assert not world.coder.tasks

    world.slack.workspace.channel("random").members.append(world.slack.bot_user_id)
    await world.alice.runs("/task create fix it", "random")
    assert len(world.coder.tasks) == 1


async def test_a_task_can_live_in_the_direct_messages_with_the_bot(world: World) -> None:
    """A person starts a task in their direct messages with the bot. The card is there, and a reply in its
    thread reaches the agent."""
    here = world.slack.open_direct("alice").id

    thread = await world.alice.runs("/task create fix it", here)
    await world.polls()
    await world.alice.replies(thread, "use main")

    assert world.task("fix-it").inputs == ["use main"]
