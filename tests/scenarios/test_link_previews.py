"""A link to a task in Coder gets a preview, if the people who read the link may see the task."""

import pytest

from taskwire_sandbox.coder.faults import server_error

from .people import buttons
from .reading import shown
from .world import World


async def _shares(world: World, text: str, channel: str = "general", who: str = "alice") -> list[str]:
    """Let a person post a message. Return the previews below it, as people read them."""
    ts = await world.slack.post(who, channel, text)
    await world.settles()
    return [shown(item | {"text": item["fallback"]}) for item in _previews(world, channel, ts)]


def _previews(world: World, channel: str, ts: str) -> list[dict[str, object]]:
    message = world.slack.message(world.slack.workspace.channel(channel).id, ts)
    return list(message.get("attachments", []))


async def test_a_link_shows_the_task_and_leads_to_its_thread(world: World) -> None:
    """Bob posts a link to Alice's task in the channel of the task's thread. The link gets a preview, because
    everybody in this channel may see the task."""
    thread = await world.alice.runs("/task create fix the login")
    task = world.task("fix-the-login")
    task.becomes("working", "Reading the code")
    await world.polls()
    url = f"{world.coder.url}/tasks/alice/{task.id}"

    previews = await _shares(world, f"how is {url} going?", who="bob")

    assert previews == [
        f"Working: Fix the login. Reading the code. Owner: Alice. Template: Tasks on Docker. {url}\n"
        "[Open thread]"
    ]
    assert (thread.new_messages(), world.bob.reads()) == ([], [])


async def test_the_owner_gives_a_task_without_a_thread_one_where_the_link_is(world: World) -> None:
    """Alice posts a link to her task, which has no thread. The preview has *Attach here*. The bot refuses
    Bob's press. Alice's press posts the task's card in the channel."""
    task = world.coder.add_task("alice", "fix the login")
    url = f"{world.coder.url}/tasks/alice/{task.id}"
    ts = await world.slack.post("alice", "general", f"look: {url}")
    await world.settles()
    (preview,) = _previews(world, "general", ts)
    (button,) = buttons(preview, "Attach here")
    where = ("general", ts, button["action_id"], button["value"])

    await world.slack.click(world.bob.id, *where)
    await world.settles()
    assert world.bob.reads() == [
        "There is no such task that you can see here. It may have been deleted. `/task list` shows the "
        "ones you can see."
    ]
    await world.slack.click(world.alice.id, *where)
    await world.settles()

    (card,) = world.cards()
    assert card.startswith("Working: Fix the login.")
    assert world.alice.reads() == []


async def test_nobody_shows_other_peoples_tasks(world: World) -> None:
    """Alice's task has no thread. Carol posts a link to it, and so does Bob, who is an administrator. Neither
    link gets a preview."""
    await world.restarts(admins=(world.bob.id,))
    task = world.coder.add_task("alice", "fix the login")
    carol = world.person("carol")
    await world.slack.join(carol.id, "general")

    for who in ("carol", "bob"):
        assert await _shares(world, f"{world.coder.url}/tasks/alice/{task.id}", who=who) == []


async def test_a_task_of_another_channel_is_shown_by_its_owner_only(world: World) -> None:
    """The task's thread is in a private channel. In another channel, only a link that the owner posts gets a
    preview."""
    world.slack.add_channel("secret", ["alice", "bob"], kind="private")
    await world.alice.runs("/task create fix the login", channel="secret")
    url = f"{world.coder.url}/tasks/alice/{world.task('fix-the-login').id}"

    by_bob = await _shares(world, url, who="bob")
    by_alice = await _shares(world, url)

    assert (by_bob, len(by_alice)) == ([], 1)


@pytest.mark.parametrize(
    "path", ["/tasks/alice/no-such-task", "/workspaces", "/tasks/alice", "", "/tasks/bob/..%2F"]
)
async def test_other_links_stay_as_they_are(world: World, path: str) -> None:
    """A link to another page of Coder, or to a task that does not exist, gets no preview and no answer."""
    assert await _shares(world, f"see {world.coder.url}{path}") == []


async def test_three_links_of_a_message_get_a_preview(world: World) -> None:
    """Only the first three of many links get a preview, so that they do not fill the channel."""
    tasks = [world.coder.add_task("alice", f"fix bug {number}") for number in range(5)]
    urls = [f"{world.coder.url}/tasks/alice/{task.id}" for task in tasks]

    assert len(await _shares(world, " ".join([*urls, urls[0]]))) == 3


async def test_a_channel_that_another_company_reads_gets_no_preview(world: World) -> None:
    """The owner posts the link in a channel that is shared with another company. The link gets no preview."""
    task = world.coder.add_task("alice", "fix the login")
    world.slack.workspace.channel("general").is_ext_shared = True

    assert await _shares(world, f"{world.coder.url}/tasks/alice/{task.id}") == []


async def test_a_conversation_without_the_bot_gets_no_preview(world: World) -> None:
    """A link in a private channel without the bot gets no preview, because the bot does not know who reads
    there."""
    task = world.coder.add_task("alice", "fix the login")
    world.slack.add_channel("secret", ["alice"], kind="private", with_bot=False)

    assert await _shares(world, f"{world.coder.url}/tasks/alice/{task.id}", "secret") == []


async def test_while_coder_is_away_a_link_stays_as_it_is(world: World) -> None:
    """While Coder is away, a link gets no preview. The bot says nothing, because nobody asked it for
    anything."""
    task = world.coder.add_task("alice", "fix the login")
    url = f"{world.coder.url}/tasks/alice/{task.id}"
    world.coder.plan_fault("tasks.get", server_error(), times=1)

    assert await _shares(world, url) == []


async def test_the_owner_moves_a_task_to_where_the_link_is(world: World) -> None:
    """The owner presses *Attach here* on a preview in another channel. In the old thread, the bot posts the
    texts of the waiting replies. The old card links to the new card."""
    world.slack.add_channel("elsewhere", ["alice"])
    thread = await world.alice.runs("/task create fix the login")
    task = world.task("fix-the-login")
    task.becomes("working", "Reading the code")
    await world.polls()
    await world.alice.replies(thread, "use main")
    await world.passes(seconds=4)
    url = f"{world.coder.url}/tasks/alice/{task.id}"
    ts = await world.slack.post("alice", "elsewhere", f"look: {url}")
    await world.settles()
    (preview,) = _previews(world, "elsewhere", ts)
    (button,) = buttons(preview, "Attach here")
    place = world.slack.workspace.channel("elsewhere").id

    await world.slack.click("alice", place, ts, button["action_id"], button["value"])
    await world.settles()
    await world.passes(seconds=5)

    (card,) = [each for each in world.slack.messages(place) if "metadata" in each]
    where = world.slack.backend.permalink(place, str(card["ts"]))
    assert shown(card).startswith("Working: Fix the login. Reading the code.")
    assert thread.new_messages() == [
        "The agent did not get this reply:\n| use main",
        f"The task has a <{where}|new thread>. Replies here reach no agent.",
    ]
    assert where in thread.card()
    assert world.alice.reads() == []
    world.cards()


async def test_a_person_who_posts_links_without_end_gets_ten_previews_a_minute(world: World) -> None:
    """Bob posts many links to Alice's task. After ten messages in a minute his links get no preview, and cost
    Coder nothing. Alice's links and Bob's commands are not counted with them."""
    await world.alice.runs("/task create fix the login")
    url = f"{world.coder.url}/tasks/alice/{world.task('fix-the-login').id}"
    shown_at_first = [await _shares(world, url, who="bob") for _ in range(10)]
    asked = len(world.coder.requests)

    above = await _shares(world, url, who="bob")
    asked_above = len(world.coder.requests) - asked
    by_alice = await _shares(world, url)
    await world.passes(seconds=61)
    later = await _shares(world, url, who="bob")

    assert all(shown_at_first)
    assert (above, asked_above) == ([], 0)
    assert by_alice
    assert later
    assert world.bob.reads() == []
