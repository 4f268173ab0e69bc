"""Watching a task: a notice mentions the task's watchers beside its owner."""

import contextlib

import pytest

from taskwire_sandbox.slack.workspace import PRIVATE

from .running_tasks import TITLE, a_task, small_text, timeless
from .test_preferences import ASKED, asks, is_quiet_for_two_hours, saves
from .world import CARD_SECONDS, World

WATCHED = f"I call you when *{TITLE}* needs somebody, is done or fails.\n[Stop watching]"
NOT_WATCHED = f"You don't watch *{TITLE}*."


@pytest.mark.parametrize("way", ["verb", "menu"])
async def test_a_watcher_is_called_beside_the_owner(world: World, way: str) -> None:
    """Bob may not steer Alice's task, but he can watch it. The next notice mentions Bob beside Alice."""
    thread, task = await a_task(world)

    await (world.bob.replies(thread, "!watch") if way == "verb" else world.bob.clicks(thread, "Watch"))
    task.becomes("complete", "Opened PR #12")
    await world.polls()

    assert world.bob.reads() == [WATCHED]
    assert thread.new_messages() == [
        f"<@{world.alice.id}> <@{world.bob.id}> Opened PR #12.\n"
        f"Done: {TITLE}. Reply here if there is more to do."
    ]


@pytest.mark.parametrize("is_away", [False, True])
async def test_the_owner_is_not_offered_to_watch(world: World, is_away: bool) -> None:
    """Alice and Bob ask privately for the status of Alice's task. Only Bob's answer offers *Watch*, because
    Alice is called anyway. The card is the same for everybody, so it offers *Watch*."""
    thread, task = await a_task(world)
    told = []
    async with world.coder.outage() if is_away else contextlib.nullcontext():
        for person in (world.alice, world.bob):
            await person.types(f"/task status {task.name}")
            await person.replies(thread, "!status")
            told.append(["Watch" in answer for answer in person.reads()])

    assert told == [[False, False], [True, True]]
    assert "Watch" in thread.card()


async def test_who_watches_in_quiet_hours_hears_when_they_are_told(world: World) -> None:
    """Bob watches a task in his quiet hours. The answer says when he will be notified."""
    thread, _ = await a_task(world)
    await is_quiet_for_two_hours(world, world.bob)
    world.bob.reads()

    await world.bob.replies(thread, "!watch")

    assert [timeless(told) for told in world.bob.reads()] == [
        f"I call you when *{TITLE}* needs somebody, is done or fails. You have quiet hours until <{{time}}>, "
        "so I'll call you after them.\n[Stop watching]"
    ]


async def test_who_wants_no_calls_hears_that_watching_brings_none(world: World) -> None:
    """Bob and Alice, the owner, have turned all notifications off, and both type `!watch`. The bot tells each
    that their settings let no notice mention them."""
    thread, _ = await a_task(world)
    for person in (world.alice, world.bob):
        await saves(world, person, calls="nothing")
        person.reads()
        await person.replies(thread, "!watch")

    never = "you chose not to be called."
    assert world.alice.reads() == [f"*{TITLE}* is yours, but {never}\n[Settings]"]
    assert world.bob.reads() == [f"You watch *{TITLE}*, but {never}\n[Settings] [Stop watching]"]


async def test_a_watcher_is_not_called_by_a_pause(world: World) -> None:
    """Bob watches a task, and Coder pauses it. The notice of the pause mentions nobody."""
    thread, task = await a_task(world)
    await world.bob.replies(thread, "!watch")
    world.bob.reads()

    task.pause_by_timeout()
    await world.polls()

    assert thread.new_messages() == [
        f"Paused: {TITLE}. Nothing happened for a while, so Coder stopped its workspace. Nothing is "
        "lost: a reply resumes it.\n"
        "[Resume] [Edit prompt]"
    ]


@pytest.mark.parametrize("way", ["verb", "button"])
async def test_a_person_stops_watching(world: World, way: str) -> None:
    """Bob stops watching, by the verb or by the button below the bot's answer. After a press, the new answer
    replaces the old one."""
    thread, task = await a_task(world)
    await world.bob.clicks(thread, "Watch")
    world.bob.reads()

    await (world.bob.replies(thread, "!unwatch") if way == "verb" else world.bob.presses("Stop watching"))
    task.becomes("failed", "No luck")
    await world.polls()

    assert world.bob.sees() == NOT_WATCHED
    assert world.bob.reads() == ([NOT_WATCHED] if way == "verb" else [])
    assert thread.new_messages() == [
        f"<@{world.alice.id}> No luck.\nFailed: {TITLE}. Reply here to tell the agent how to go on.\n[Logs]"
    ]


async def test_a_muted_task_calls_no_watcher_either(world: World) -> None:
    """The notices of a muted task mention nobody, and the card shows *muted*. A person who begins to watch is
    told that the task is muted."""
    thread, task = await a_task(world)
    await world.bob.replies(thread, "!watch")
    await world.alice.replies(thread, "!mute")
    await world.bob.replies(thread, "!watch")
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    await world.passes(CARD_SECONDS)
    facts = small_text(world, thread)
    muted = world.alice.reads()
    await world.alice.presses("Undo")
    await world.passes(CARD_SECONDS)

    assert muted == [
        f"Muted: I call nobody about *{TITLE}*, not even its watchers. Its messages still come.\n[Undo]"
    ]
    assert world.alice.sees() == f"Unmuted: I call people about *{TITLE}* again."
    assert facts == f"Alice · Tasks on Docker · `{task.name}` · muted"
    assert small_text(world, thread) == f"Alice · Tasks on Docker · `{task.name}`"
    assert world.bob.reads() == [
        WATCHED,
        f"I call you when *{TITLE}* needs somebody, is done or fails. It is muted now, so nobody is "
        "called.\n[Stop watching]",
    ]
    assert thread.new_messages() == [f"Opened PR #12.\nDone: {TITLE}. Reply here if there is more to do."]


@pytest.mark.parametrize("loses", ["channel", "membership"])
async def test_a_watcher_who_can_no_longer_read_the_thread_is_not_called(world: World, loses: str) -> None:
    """Bob watches a task, and then leaves the channel or becomes a guest. The bot no longer notifies him,
    because a direct message would show him the agent's words."""
    channel = world.slack.workspace.channel("general")
    channel.kind = PRIVATE
    thread, _ = await a_task(world)
    await saves(world, world.bob, calls="both")
    await world.bob.replies(thread, "!watch")
    world.bob.reads()

    if loses == "channel":
        channel.members.remove(world.bob.id)
    else:
        world.slack.workspace.user(world.bob.id).is_restricted = True
    await world.ages(seconds=10)
    await asks(world)

    assert thread.new_messages() == [f"<@{world.alice.id}> {ASKED}"]
    assert world.cards() == []


async def test_the_owner_need_not_watch(world: World) -> None:
    """The owner types `!watch`. The answer says that notices mention the owner anyway, or that the task is
    muted."""
    thread, _ = await a_task(world)

    await world.alice.replies(thread, "!watch")
    await world.alice.replies(thread, "!unwatch")

    assert world.alice.reads() == [f"*{TITLE}* is yours, so I call you anyway.\n[Mute]"] * 2
    await world.alice.replies(thread, "!mute")
    world.alice.reads()
    await world.alice.replies(thread, "!watch")
    assert world.alice.reads() == [f"*{TITLE}* is yours, but it is muted: I call nobody.\n[Unmute]"]
    assert thread.new_messages() == []


async def test_only_so_many_people_watch_one_task(world: World) -> None:
    """Twenty people watch a task. The bot refuses the next one, because a notice must not mention a whole
    company."""
    thread, _ = await a_task(world)
    people = [world.person(f"person{number}") for number in range(21)]
    world.slack.workspace.channel("general").members += [person.id for person in people]

    for person in people:
        await world.passes(seconds=5)
        await person.replies(thread, "!watch")

    assert [person.reads() for person in people] == [[WATCHED]] * 20 + [
        [f"20 people already watch *{TITLE}*, which is the limit. Try again when one of them stops."]
    ]


async def test_a_person_who_cannot_see_a_task_cannot_watch_it(world: World) -> None:
    """Bob sends an invented press for a task of a private channel. The bot refuses him."""
    world.slack.add_channel("secret", ["alice"], kind="private")
    await world.alice.runs("/task create fix it", "secret")
    link = await world.bot.parts.deps.links.list_open()

    await world.bob.presses_made_up("task.watch", next(iter(link.values())))

    assert world.bob.reads() == [
        "There is no such task that you can see here. It may have been deleted. `/task list` shows the "
        "ones you can see."
    ]


async def test_a_teammate_watches_from_the_menu_of_the_card(world: World) -> None:
    """A teammate chooses *Watch* in the menu of a card. Everybody sees the whole menu, and everybody may use
    *Watch*."""
    thread, _ = await a_task(world)

    await world.bob.clicks(thread, "Watch")

    assert world.bob.reads() == [
        f"I call you when *{TITLE}* needs somebody, is done or fails.\n[Stop watching]"
    ]
