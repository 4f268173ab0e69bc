"""Sharing a task: its owner lets people and user groups steer the task, and can end that."""

import pytest

from taskwire_sandbox.coder.faults import Fault
from taskwire_sandbox.coder.wire import Response

from .many_tasks import calls
from .people import Person
from .running_tasks import TITLE, a_task
from .test_gone_tasks import EMPTY, NOT_FOUND
from .world import World

ONLY_ALICE = f"Only you and Taskwire administrators can steer *{TITLE}*. `!share @who` shares it."
NOT_BOBS = (
    f"*{TITLE}* belongs to Alice, so you can't stop it. Alice can let you, with `!share @Bob` in its thread. "
    "Or write `stop` there and ask Alice to pass it on."
)
LET_STEER = (
    f"Alice lets you steer *{TITLE}*. Replies in its thread go to the agent. You can also stop and resume "
    "the task, and edit its prompt.\n[Open thread]"
)
LET_STEER_NO_LONGER = (
    f"Alice no longer lets you steer *{TITLE}*. If you write in its thread, you can ask Alice to pass your "
    "reply on.\n[Open thread]"
)
ONLY_YOU_NOW = f"Bob can no longer steer *{TITLE}*. Only you and Taskwire administrators can."
NOT_SHARED = f"*{TITLE}* belongs to Alice, so you can't {{}}. Ask Alice, or a Taskwire administrator."


def and_bob(who: str = "Bob", name: str = "") -> str:
    """Return the answer that says that `who` can steer. It has a task's name if it is outside the thread."""
    return f"{who} can steer *{TITLE}*, but not delete, detach or share it. {how_to_end(who, name)}"


def still(who: str, name: str = "") -> str:
    """Return the answer to the end of Bob's share, while `who` can still steer."""
    return f"Bob can no longer steer *{TITLE}*. {who} still can. {how_to_end(who, name)}"


def how_to_end(who: str, name: str) -> str:
    """Return the sentence that says how to end the share of the first person of `who`."""
    person = "" if who.startswith("<") else who.split(" and ")[0].split(",")[0]
    unshare = f"/task unshare {name}" if name else "!unshare"
    several = f" for {person}" if person not in ("", who) else ""
    return f"`{unshare} @{person or 'who'}` ends that{several}."


@pytest.mark.parametrize("way", ["command", "verb", "mention"])
async def test_a_person_with_a_share_talks_to_the_agent(world: World, way: str) -> None:
    """Alice shares her task with Bob, and the bot tells Bob. The agent then gets Bob's reply with his name,
    and the reply has a receipt like a reply of the owner."""
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")

    if way == "command":
        await world.alice.types(f"/task share {task.name} <@{world.bob.id}|bob>")
    else:
        verb = "!share" if way == "verb" else f"<@{world.slack.bot_user_id}> share"
        await world.alice.replies(thread, f"{verb} <@{world.bob.id}>")
    reply = await world.bob.replies(thread, "please add a test")
    await world.passes(seconds=3)

    assert world.alice.reads() == [and_bob(name=task.name if way == "command" else "")]
    assert world.bob.hears() == [LET_STEER]
    assert task.inputs == ["Bob wrote:\n> please add a test"]
    assert thread.receipt(reply) == ["white_check_mark"]
    assert (world.bob.reads(), thread.new_messages()) == ([], [])


async def test_a_person_with_a_share_pauses_resumes_and_edits(world: World) -> None:
    """Bob, who has a share, can pause, resume and edit by verb, button, command and dialog."""
    thread, task = await a_task(world)
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    world.alice.reads()
    world.bob.hears()

    await world.bob.clicks(thread, "Stop")
    await world.polls()
    await world.passes(seconds=5)
    await world.bob.replies(thread, "!edit fix the logout redirect")
    await world.bob.types(f"/task resume {task.name}")
    await world.polls()

    assert task.prompt == "Bob wrote:\n> fix the logout redirect"
    assert [build.transition for build in task.builds][-2:] == ["stop", "start"]
    assert len(world.bob.reads()) == 2
    assert thread.new_messages() == ["Paused and resumed by Bob."]


@pytest.mark.parametrize(
    ("words", "may_not"),
    [
        ("!delete", "delete it"),
        ("!detach", "detach it"),
        ("!share <@{carol}>", "share it"),
        ("!unshare <@{bob}>", "change who steers it"),
        ("/task detach {name}", "detach it"),
    ],
)
async def test_a_person_with_a_share_may_not_end_or_share_it(world: World, words: str, may_not: str) -> None:
    """Bob has a share in a task. The bot refuses to delete, detach or share the task for Bob, because only
    the owner can do that."""
    thread, task = await a_task(world)
    carol = world.person("carol")
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    world.alice.reads()
    world.bob.hears()
    said = words.format(carol=carol.id, bob=world.bob.id, name=task.name)

    await (world.bob.types(said) if said.startswith("/") else world.bob.replies(thread, said))

    assert world.bob.reads() == [NOT_SHARED.format(may_not)]
    await world.bob.replies(thread, "!status")
    assert "Bob can steer it too." in world.bob.reads()[0]
    assert (task.status, thread.new_messages()) == ("active", [])


async def test_the_menu_of_a_person_with_a_share_has_no_share_detach_or_delete(world: World) -> None:
    """Bob has a share. The menu in his `/task status` lacks *Share*, *Detach* and *Delete*; Alice's has
    them."""
    thread, task = await a_task(world)
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    task.pause()
    await world.polls()
    await world.passes(seconds=4)
    thread.new_messages()
    world.alice.reads()
    world.bob.hears()

    for person in (world.alice, world.bob):
        await person.types(f"/task status {task.name}")

    assert world.alice.reads()[0].endswith(
        "[Resume] [⋯ Open in Coder, Logs, Edit prompt, Mute, New like this, Share, Detach, Delete]"
    )
    assert world.bob.reads()[0].endswith(
        "[Resume] [⋯ Open in Coder, Logs, Edit prompt, Watch, Mute, New like this]"
    )


async def test_share_without_anybody_says_who_may_steer(world: World) -> None:
    """`!share` alone lists the people who may steer, and says how to add others."""
    thread, task = await a_task(world)

    await world.alice.replies(thread, "!share")
    await world.alice.types(f"/task share {task.name}")

    in_channel = (
        f"Only you and Taskwire administrators can steer *{TITLE}*. `/task share {task.name} @who` shares it."
    )
    assert world.alice.reads() == [ONLY_ALICE, in_channel]


async def test_a_task_is_shared_with_a_user_group(world: World) -> None:
    """Alice shares a task with a user group. Bob may steer it only while he is a member of the group."""
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")
    group = world.slack.add_group("reviewers", [])

    await world.alice.types(f"/task share {task.name} <!subteam^{group.id}|@reviewers>")
    group.members.append(world.bob.id)
    await world.forgets()
    await world.bob.replies(thread, "please add a test")
    group.members.clear()
    await world.forgets()
    await world.bob.replies(thread, "!pause")

    assert world.alice.reads() == [and_bob(f"<!subteam^{group.id}>", task.name)]
    assert task.inputs == ["Bob wrote:\n> please add a test"]
    assert world.bob.reads() == [NOT_BOBS]
    assert task.status == "active"
    await world.alice.replies(thread, "!status")
    assert "a user group can steer it too." in world.alice.reads()[0]
    thread.new_messages()


async def test_a_person_with_a_share_finds_the_task_from_anywhere(world: World) -> None:
    """Alice shares a task with Bob. In any channel, Bob's list has the task with the buttons that he may use.
    He can also name it in commands."""
    thread, task = await a_task(world)
    world.slack.add_channel("random", ["bob"])
    await world.bob.types(f"/task status {task.name}", "random")
    assert world.bob.reads()[0].startswith("There is no task")

    await world.alice.types(f"/task share {task.name} <@{world.bob.id}>")
    world.alice.reads()
    world.bob.hears()
    await world.polls()
    home = await world.bob.opens_home()
    for line in (
        "",
        "list mine",
        "list",
        f"status alice/{task.name}",
        "status fix-the",
        f"pause {task.name}",
    ):
        await world.bob.types(f"/task {line}".strip(), "random")

    overview, mine, listed, status, by_prefix, paused = world.bob.reads()
    assert f"Nothing needs you right now.\nRunning:\n•  Working: {TITLE}, Alice." in overview
    assert f"{TITLE}, Alice." in mine
    assert "*Running*" in home
    assert TITLE in home
    assert TITLE in listed
    assert TITLE in status
    assert TITLE in by_prefix
    assert paused.startswith(f"Pausing *{TITLE}*.")
    await world.polls()
    assert thread.new_messages() == ["Paused by Bob. A reply resumes it."]


async def test_a_second_share_says_how_to_end_that_share(world: World) -> None:
    """Alice shares her task with Bob, and then with Carol. The second answer says how to end Carol's
    share."""
    thread, _ = await a_task(world)
    carol = world.person("carol")
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    await world.alice.replies(thread, f"!share <@{carol.id}>")

    assert world.alice.reads()[1] == (
        f"Bob and Carol can steer *{TITLE}*, but not delete, detach or share it. `!unshare @Carol` ends that "
        "for Carol."
    )
    world.bob.hears()
    carol.hears()


async def test_a_person_is_told_once_of_a_share(world: World) -> None:
    """The bot tells Bob of his first share in a task and of its end, but not of a second share."""
    thread, _ = await a_task(world)
    carol = world.person("carol")
    group = world.slack.add_group("reviewers", [carol.id])
    await world.alice.replies(thread, f"!share <@{world.bob.id}> <@{world.alice.id}>")
    await world.alice.replies(thread, f"!share <@{world.bob.id}> <!subteam^{group.id}>")
    await world.alice.replies(thread, f"!unshare <@{world.bob.id}>")
    world.alice.reads()

    assert world.bob.hears() == [LET_STEER, LET_STEER_NO_LONGER]
    assert (carol.hears(), world.alice.hears(), thread.new_messages()) == ([], [], [])
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    await world.passes(seconds=2)
    assert world.bob.hears() == [LET_STEER]
    world.alice.reads()


async def test_a_person_who_cannot_read_the_thread_is_told_the_command(world: World) -> None:
    """Alice shares a task whose thread is in a private channel without Bob. The bot tells Bob a command, and
    no link to the thread."""
    world.slack.add_channel("secret", ["alice"], kind="private")
    thread = await world.alice.runs("/task create fix the login redirect", "secret")
    name = world.task("fix-the-login-redirect").name

    await world.alice.replies(thread, f"!share <@{world.bob.id}>")

    assert world.bob.hears() == [
        f"Alice lets you steer *{TITLE}*. `/task send {name} TEXT` sends the agent a reply. You can also "
        "stop and resume the task, and edit its prompt."
    ]
    assert world.alice.reads() == [and_bob()]


async def test_a_share_shows_in_an_open_home_tab_and_leaves_it(world: World) -> None:
    """Bob's open Home tab shows Alice's task only while she shares it with him."""
    thread, _ = await a_task(world)
    await world.bob.opens_home()

    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    await world.passes(seconds=4)
    during = world.bob.home()
    await world.alice.replies(thread, f"!unshare <@{world.bob.id}>")
    await world.passes(seconds=4)

    assert TITLE in during
    assert TITLE not in world.bob.home()
    world.alice.reads()
    world.bob.hears()


@pytest.mark.parametrize("way", ["command", "verb"])
async def test_a_share_ends(world: World, way: str) -> None:
    """Alice ends Bob's share. The bot refuses Bob's next act. Other people keep their shares."""
    thread, task = await a_task(world)
    carol = world.person("carol")
    await world.alice.replies(thread, f"!share <@{world.bob.id}> and <@{carol.id}>")

    words = f"unshare {task.name} <@{world.bob.id}>" if way == "command" else f"!unshare <@{world.bob.id}>"
    await (world.alice.types(f"/task {words}") if way == "command" else world.alice.replies(thread, words))
    await world.bob.clicks(thread, "Stop")

    in_channel = task.name if way == "command" else ""
    assert world.alice.reads() == [and_bob("Bob and Carol"), still("Carol", in_channel)]
    assert (world.bob.hears(), carol.hears()) == ([LET_STEER, LET_STEER_NO_LONGER], [LET_STEER])
    assert world.bob.reads() == [NOT_BOBS]
    assert task.status == "active"


async def test_a_reply_that_waits_does_not_outlive_the_share(world: World) -> None:
    """Bob's share ends while his reply waits. The bot checks the share again before it delivers, so the agent
    never gets the reply."""
    thread, task = await a_task(world)
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    reply = await world.bob.replies(thread, "please add a test")
    await world.passes(seconds=3)
    assert thread.receipt(reply) == ["hourglass_flowing_sand"]

    await world.alice.replies(thread, f"!unshare <@{world.bob.id}>")
    world.alice.reads()
    world.bob.hears()
    task.becomes("idle", "Ready")
    await world.polls()
    await world.passes(seconds=30)

    assert (task.inputs, thread.receipt(reply)) == ([], [])
    assert world.bob.reads() == [
        "The agent did not get your reply: you can't steer this task.\n[Ask Alice to pass it on]"
    ]
    thread.new_messages()


@pytest.mark.parametrize(
    ("profile", "why"),
    [
        ({"is_restricted": True}, "Guests in this Slack cannot use Taskwire."),
        ({"is_stranger": True}, "Taskwire works for members of this Slack only."),
        ({"is_bot": True}, "Only people can steer tasks."),
        ({"in_coder": False}, "No Coder account has the e-mail address that they use in Slack."),
    ],
    ids=["guest", "stranger", "bot", "no account"],
)
async def test_no_task_is_shared_with_a_person_who_can_never_steer(
    world: World, profile: dict[str, bool], why: str
) -> None:
    """Alice shares a task with Bob and Gina. The answer says why Gina cannot steer. The task is shared with
    neither of them."""
    thread, task = await a_task(world)
    gina: Person = world.person("gina", **profile)  # type: ignore[arg-type] # as `person` takes them

    await world.alice.replies(thread, f"!share <@{world.bob.id}> <@{gina.id}>")
    await world.alice.replies(thread, "!share")

    assert world.alice.reads() == [f"Gina can't steer a task. {why} Nothing was shared.", ONLY_ALICE]
    assert task.inputs == []


@pytest.mark.parametrize("words", ["/task share {name} {who}", "!share {who}"])
@pytest.mark.parametrize("who", ["@Robert Berg", "robert  berg"])
async def test_a_person_is_found_by_the_name_that_was_typed(world: World, words: str, who: str) -> None:
    """A person's name is typed as plain text and not chosen from Slack's list. The bot finds the person, and
    capitals do not matter."""
    thread, task = await a_task(world)
    carol = world.person("carol")
    world.slack.workspace.user("bob").real_name = "Robert Berg"
    said = words.format(name=task.name, who=f"{who} and <@{carol.id}>")

    await (world.alice.types(said) if said.startswith("/") else world.alice.replies(thread, said))
    await world.alice.replies(thread, "!unshare @Robert Berg")

    in_channel = task.name if said.startswith("/") else ""
    assert world.alice.reads() == [
        and_bob("Carol and Robert Berg", in_channel),
        still("Carol").replace("Bob", "Robert Berg"),
    ]
    assert (world.bob.hears(), carol.hears()) == ([LET_STEER, LET_STEER_NO_LONGER], [LET_STEER])


@pytest.mark.parametrize("verb", ["share", "unshare"])
async def test_a_name_of_nobody_or_of_several_people_changes_nothing(world: World, verb: str) -> None:
    """A person shares a task with a name that nobody has, or that several people have. No share changes, and
    the answer says how to choose a person."""
    thread, _ = await a_task(world)
    people = [world.person(f"person{number}", real_name="Jo Smith") for number in range(2)]
    if verb == "unshare":
        await world.alice.replies(thread, "!share " + " ".join(f"<@{person.id}>" for person in people))
        assert [len(person.hears()) for person in people] == [1, 1]
    world.alice.reads()

    await world.alice.replies(thread, f"!{verb} @Jo Smith")
    await world.alice.replies(thread, f"!{verb} @Nobody <@{world.bob.id}>")
    await world.alice.replies(thread, f"!{verb} @Task Wire")

    choose = f"so nothing was changed. Type `!{verb} @` and choose from the list that Slack shows."
    assert world.alice.reads() == [
        f"Several people have the name `Jo Smith`, {choose}",
        f"I don't know who `Nobody` is, {choose}",
        f"I don't know who `Task Wire` is, {choose}",
    ]


async def test_nobody_is_found_by_name_among_too_many_people(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alice types a name, and Slack has more people than the bot reads. So the bot finds nobody."""
    monkeypatch.setattr("taskwire.slack.outbound.PROFILES_PAGE_SIZE", 1)
    monkeypatch.setattr("taskwire.people.directory.MOST_PAGES_OF_PEOPLE", 2)
    world.slack.workspace.user("bob").real_name = "Robert"
    thread, _ = await a_task(world)

    await world.alice.replies(thread, "!share @Robert")

    assert world.alice.reads() == [
        "I don't know who `Robert` is, so nothing was changed. Type `!share @` and choose from the list "
        "that Slack shows."
    ]


async def test_a_task_is_shared_with_only_so_many(world: World) -> None:
    """Alice shares a task with Bob, and then with 20 other people. That is one more than the limit, so the
    bot changes nothing, and asks Slack about none of them."""
    thread, _ = await a_task(world)
    people = [world.person(f"person{number}") for number in range(20)]
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    world.alice.reads(), world.bob.hears()
    asked = len(calls(world, "users.info"))

    await world.alice.replies(thread, "!share " + " ".join(f"<@{person.id}>" for person in people))

    assert world.alice.reads() == [
        f"*{TITLE}* can be shared with at most 20 people and groups. Nothing was changed. "
        "End other shares first with `!unshare @who`."
    ]
    assert len(calls(world, "users.info")) == asked


@pytest.mark.parametrize(("verb", "what"), [("share", "share a task with"), ("unshare", "end the shares of")])
@pytest.mark.parametrize("who", ["mentions", "names", "both"])
async def test_a_command_names_only_so_many(world: World, verb: str, what: str, who: str) -> None:
    """Alice names 21 people and groups in one command, by mentions or as plain text. The bot changes nothing,
    and looks up none of them."""
    thread, task = await a_task(world)
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    world.alice.reads(), world.bob.hears()
    mentions = [f"<!subteam^S{number:03}|@group>" for number in range(21)]
    names = [f"@Person {number}" for number in range(21)]
    named = {"mentions": mentions, "names": names, "both": [*mentions[:11], *names[:10]]}[who]
    before = [call.method for call in world.slack.calls if call.method.startswith("user")]

    await world.alice.types(f"/task {verb} {task.name} {' '.join(named)}")

    after = [call.method for call in world.slack.calls if call.method.startswith("user")]
    assert world.alice.reads() == [
        f"You can {what} at most 20 people and groups at once. Nothing was changed."
    ]
    assert set(after[len(before) :]) <= {"users.info", "users.conversations"}
    await world.alice.replies(thread, "!share")
    assert world.alice.reads() == [and_bob()]


async def test_a_task_without_a_thread_cannot_be_shared(world: World) -> None:
    """A share belongs to the link of a thread, so the bot refuses to share a task without a thread. Such a
    task is shared with nobody, so there is no share to end."""
    world.coder.add_task("alice", "fix it", name="loose")

    await world.alice.types(f"/task share loose <@{world.bob.id}>")
    await world.alice.types(f"/task unshare loose <@{world.bob.id}>")

    assert world.alice.reads() == [
        "`loose` has no thread in Slack, so it can't be shared. Make one first: `/task attach loose`.",
        "`loose` has no thread in Slack, so it is shared with nobody.",
    ]


async def test_a_task_that_is_back_is_still_shared(world: World) -> None:
    """Coder does not show a shared task for a while. When the task is back, Bob still has his share."""
    thread, task = await a_task(world)
    world.slack.add_channel("random", ["bob"])
    await world.alice.types(f"/task share {task.name} <@{world.bob.id}>")
    world.alice.reads()
    world.bob.hears()

    world.coder.plan_fault("tasks.list", EMPTY, times=2)
    world.coder.plan_fault("tasks.get", Fault("hidden", answer=Response(404, NOT_FOUND)))
    await world.polls(times=2)
    assert await world.bot.parts.deps.links.list_shares() == {}
    await world.polls(times=2)
    await world.bob.types("/task list", "random")

    assert TITLE in world.bob.reads()[0]
    thread.new_messages()
