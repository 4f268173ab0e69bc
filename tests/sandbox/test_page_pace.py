"""The demo's page while messages arrive: the page scrolls to the right messages, and keeps an open edit."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Route, expect
from slack_sdk.web.async_client import AsyncWebClient

from tests.sandbox.page_worlds import World, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")

MANY = 30


@pytest_asyncio.fixture(loop_scope="session")
async def world(browser: Browser) -> AsyncIterator[World]:
    async with opened(browser) as made:
        yield made


async def _scrolled_up(pane: Locator) -> None:
    """Scroll up by a full pane, as a person does to read older messages."""
    await expect(pane.locator(".message")).to_have_count(MANY)
    await pane.evaluate("list => { list.scrollTop = 0 }")
    await pane.locator(".message").first.hover()


async def _fill(world: World, thread_ts: str = "") -> None:
    for number in range(MANY - bool(thread_ts)):
        await world.slack.post("bob", "shop", f"line {number}", *([thread_ts] if thread_ts else []))


async def _tell_alice(world: World, text: str, thread_ts: str | None = None) -> None:
    """Let the bot send an ephemeral message to Alice, in the channel or in a thread."""
    shop, alice = world.slack.workspace.channel("shop").id, world.slack.workspace.user("alice").id
    client = AsyncWebClient(token=world.slack.bot_token, base_url=world.slack.api_url)
    await client.chat_postEphemeral(channel=shop, user=alice, text=text, thread_ts=thread_ts)


async def test_what_one_says_and_its_answer_are_in_view(world: World) -> None:
    """A person has scrolled up. If they write a message, the page scrolls to it. If they type a command, the
    page scrolls to its answer."""
    await _fill(world)
    await _scrolled_up(world.page.locator("#messages"))
    await world.type("/task create fix it")
    await expect(world.message("Reply in this thread")).to_be_in_viewport()

    await world.page.locator("#messages").evaluate("list => { list.scrollTop = 0 }")
    await world.type("and one of mine")

    await expect(world.message("and one of mine")).to_be_in_viewport()


async def test_a_reply_of_ones_own_is_in_view(world: World) -> None:
    """If a person has scrolled up in a thread and then replies, the thread scrolls to its end."""
    ts = await world.slack.post("bob", "shop", "the root")
    await _fill(world, ts)
    await world.message("the root").get_by_role("button", name="replies").click()
    await _scrolled_up(world.thread.locator(".messages"))

    await world.reply_box.fill("one of mine")
    await world.reply_box.press("Enter")

    await expect(world.thread.locator(".message", has_text="one of mine")).to_be_in_viewport()


async def test_an_answer_to_a_button_is_in_view(world: World) -> None:
    """A person has scrolled up. If the bot sends them an ephemeral message, for example after a click of a
    button, the page scrolls to this message."""
    await _fill(world)
    await _scrolled_up(world.page.locator("#messages"))

    await _tell_alice(world, "Only you can see that it is gone.")

    await expect(world.message("Only you can see")).to_be_in_viewport()


async def test_an_answer_in_a_thread_is_shown_although_the_thread_is_read_first(world: World) -> None:
    """The bot sends an ephemeral message in a thread. The page reads the messages of the thread before it
    reads the ephemeral messages. The thread shows the ephemeral message all the same."""
    ts = await world.slack.post("bob", "shop", "the root")
    await world.slack.post("bob", "shop", "a reply", ts)
    await world.message("the root").locator(".thread-button").click()
    await expect(world.thread).to_contain_text("a reply")
    is_read = asyncio.Event()

    async def answer_after_thread(route: Route) -> None:
        await is_read.wait()
        await route.continue_()

    await world.page.route("**/_control/ephemerals*", answer_after_thread)
    world.page.on("response", lambda answer: is_read.set() if "thread_ts=" in answer.url else None)
    await _tell_alice(world, "Only you see this.", ts)

    await expect(world.thread).to_contain_text("Only you see this.")


async def test_a_new_demo_shows_nothing_of_the_old_one(world: World) -> None:
    """Slack has told a person that a command is unknown. If the demo is restarted while the page is open,
    this message disappears, but the words in the message box stay."""
    await world.type("/foo")
    await expect(world.message("/foo is not a valid command.")).to_be_visible()
    await world.box.fill("not sent yet")

    async def answer_as_new_demo(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, json=await answer.json() | {"run": "another"})

    await world.page.route("**/page/settings.json", answer_as_new_demo)
    await world.slack.go_down()
    await expect(world.page.get_by_text("The demo has stopped answering.")).to_be_visible()
    await world.slack.come_back()

    await expect(world.message("/foo is not a valid command.")).to_have_count(0)
    await expect(world.box).to_have_value("not sent yet")
    # The browser reports each refused connection.
    world.troubles.clear()


async def test_what_is_being_edited_outlives_a_change(world: World) -> None:
    """If a reaction arrives while a person edits a message, the open edit stays. After saving, the message
    shows the edit and the reaction."""
    ts = await world.slack.post("alice", "shop", "first words")
    mine = world.page.locator(f'#messages [data-ts="{ts}"]')
    await mine.hover()
    await mine.get_by_role("button", name="More actions").click()
    await world.page.get_by_role("menuitem", name="Edit message").click()
    box = mine.get_by_label("Edit message")
    await box.fill("second words")

    await world.slack.react("bob", "shop", ts, "eyes")
    await world.slack.post("bob", "shop", "meanwhile")
    await expect(world.message("meanwhile")).to_be_visible()
    await expect(box).to_have_value("second words")
    await box.press("Enter")

    await expect(mine).to_contain_text("second words")
    await expect(mine.get_by_role("button", name="eyes, 1")).to_be_visible()
