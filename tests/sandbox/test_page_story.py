"""A visitor uses the demo's page with the mouse, and with only the keyboard."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FilePayload, expect

from tests.sandbox.page_worlds import World, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def world(browser: Browser) -> AsyncIterator[World]:
    async with opened(browser) as made:
        yield made


async def test_a_suggestion_becomes_a_task_with_one_click_and_enter(world: World) -> None:
    """If a visitor clicks a suggestion, the page fills the message box and sends nothing. Enter then sends
    the command, which makes a task."""
    await world.page.get_by_role("button", name="Get something fixed").click()

    await expect(world.box).to_be_focused()
    await expect(world.box).to_have_value("/task create fix the login redirect")
    assert world.heard == []

    await world.page.keyboard.press("Enter")

    await expect(world.message("I am on it.")).to_contain_text("Only visible to you")
    await expect(world.message("Reply in this thread")).to_contain_text("fix the login redirect")
    assert world.heard == ["create fix the login redirect"]


async def test_a_reply_in_a_thread_gets_its_receipt(world: World) -> None:
    """If a person opens the thread from the card and replies there, the reply shows its author and the bot's
    reaction."""
    await world.type("/task create fix it")
    card = world.message("Reply in this thread")
    await card.hover()
    await card.get_by_role("button", name="Reply in thread").click()

    await expect(world.reply_box).to_be_focused()
    await world.reply_box.fill("please add a test")
    await world.reply_box.press("Enter")

    reply = world.thread.locator(".message", has_text="please add a test")
    await expect(reply).to_contain_text("Alice Adams")
    await expect(reply.get_by_role("button", name="white check mark, 1: Taskwire")).to_be_visible()
    await expect(card.get_by_role("button", name="1 reply")).to_be_visible()


async def test_a_file_of_the_bot_can_be_read_and_downloaded(world: World) -> None:
    """If the bot posts a file, the page shows its first lines. A person can show all lines, and download the
    file."""
    await world.type("/task create fix it")
    ts = await world.message("Reply in this thread").get_attribute("data-ts")
    await world.slack.post("alice", "shop", "logs", ts)
    await world.message("2 replies").get_by_role("button", name="replies").click()

    file = world.thread.get_by_role("group", name="File agent.log")
    await expect(file.locator("pre")).to_contain_text("line 8 of the log")
    await expect(file.locator("pre")).not_to_contain_text("line 9 of the log")
    await file.get_by_role("button", name="Show all 40 lines").click()
    await expect(file.locator("pre")).to_contain_text("line 40 of the log")

    async with world.page.expect_download() as downloading:
        await file.get_by_role("link", name="Download").click()
    assert (await downloading.value).suggested_filename == "agent.log"


async def test_a_person_attaches_a_file(world: World) -> None:
    """If a person attaches a file to a message, the chosen file is sent with the message."""
    content = FilePayload(name="trace.log", mimeType="text/plain", buffer=b"boom in line 7")
    await world.page.locator(".conversation input[type=file]").set_input_files(content)
    await expect(world.page.get_by_role("list", name="Attached files")).to_contain_text("trace.log")
    await world.type("have a look")

    await expect(world.message("have a look").locator("pre")).to_have_text("boom in line 7")


async def test_a_button_asks_before_it_does_harm(world: World) -> None:
    """If a person clicks a dangerous button, the page first asks. The bot gets the click only if the person
    confirms."""
    await world.type("/task create fix it")
    delete = world.message("Reply in this thread").get_by_role("button", name="Delete", exact=True)
    await delete.click()
    await expect(world.dialog).to_contain_text("Its workspace goes with it.")
    await world.dialog.get_by_role("button", name="Keep it").click()
    assert "click task.delete" not in world.heard

    await delete.click()
    await world.dialog.get_by_role("button", name="Delete").click()

    await world.hears("click task.delete")
    await expect(world.message("Gone")).to_be_visible()


async def test_one_can_be_somebody_else(world: World) -> None:
    """If a visitor becomes Bob, they see the channel, but not Alice's ephemeral message or her private
    channel.

    If the visitor then adds a reaction, it has Bob's name.
    """
    await world.type("/task create fix it")
    await expect(world.message("I am on it.")).to_be_visible()

    await world.page.get_by_role("button", name="Be Bob Brown").click()

    await expect(world.message("I am on it.")).to_have_count(0)
    await expect(world.page.get_by_role("button", name="secret")).to_have_count(0)
    card = world.message("Reply in this thread")
    await card.hover()
    await card.get_by_role("button", name="Add reaction").click()
    await world.page.get_by_role("menuitem", name="eyes").click()
    await expect(card.get_by_role("button", name="eyes, 1: Bob Brown")).to_be_visible()


async def test_messages_elsewhere_are_counted(world: World) -> None:
    """If messages arrive in a conversation that is not open, the list shows their number until the
    conversation is opened."""
    await world.slack.post("bob", "shop", "hello alice")
    await expect(world.message("hello alice")).to_be_visible()
    await expect(world.page.get_by_role("log")).to_contain_text("Bob Brown: hello alice")
    await world.page.get_by_role("button", name="secret").click()

    await world.slack.post("bob", "shop", "still there?")

    await world.page.get_by_role("button", name="shop, 1 new").click()
    await expect(world.message("still there?")).to_be_visible()
    await expect(world.page.get_by_role("button", name="shop", exact=True)).to_be_visible()


async def test_each_person_keeps_their_own_counts(world: World) -> None:
    """A visitor becomes another person and then the first one again. Each of them sees the number of the
    messages that they have not read."""
    await world.page.get_by_role("button", name="random").click()
    for text in ("hello all", "still there?"):
        await world.slack.post("bob", "shop", text)
    await world.slack.post("alice", "shop", "yes")
    await expect(world.page.get_by_role("button", name="shop, 2 new")).to_be_visible()

    await world.page.get_by_role("button", name="Be Bob Brown").click()
    await expect(world.page.get_by_role("button", name="shop, 1 new")).to_be_visible()
    await world.page.get_by_role("button", name="Be Alice Adams").click()

    await expect(world.page.get_by_role("button", name="shop, 2 new")).to_be_visible()


async def test_a_visitor_joins_a_channel(world: World) -> None:
    """A visitor can read a public channel before joining it. After joining, the visitor can write there."""
    await world.page.get_by_role("button", name="random").click()
    await expect(world.box).to_be_hidden()
    await world.page.get_by_role("button", name="Join channel").click()

    await world.type("hello from me")

    await expect(world.message("hello from me")).to_be_visible()


async def test_a_command_in_a_thread_is_refused_as_slack_does(world: World) -> None:
    """If a person types a command in a thread, the page shows Slack's refusal there, only to this person."""
    ts = await world.slack.post("bob", "shop", "a thread begins")
    await world.slack.post("bob", "shop", "and goes on", ts)
    await world.page.get_by_role("button", name="1 reply").click()
    await world.reply_box.fill("/task list")
    await world.reply_box.press("Enter")

    await expect(world.thread).to_contain_text("/task is not supported in threads. Sorry!")


async def test_the_app_has_a_home_and_a_conversation(world: World) -> None:
    """A click on the app opens the Home tab, which shows what the bot publishes. If a person presses a button
    there or writes a direct message, the bot gets the press or the message."""
    await world.page.get_by_role("button", name="Taskwire", exact=True).click()
    await expect(world.page.locator("#conversation-name")).to_have_text("Taskwire")
    await expect(world.page.locator("#home")).to_contain_text("Nothing.")
    await world.page.get_by_role("button", name="Refresh").click()
    await world.hears("click home.refresh")
    await world.page.get_by_role("button", name="Messages", exact=True).click()

    await world.type("fix the footer")
    await world.hears("fix the footer")


async def test_everything_goes_by_keyboard_alone(world: World) -> None:
    """With only the keyboard, a person can write a reply, add a reaction and fill in a dialog."""
    keys = world.page.keyboard
    await keys.type("/task c")
    await expect(world.page.get_by_role("option")).to_have_count(1)
    await keys.press("Tab")
    await expect(world.box).to_have_value("/task create ")
    await keys.type("fix it")
    await keys.press("Enter")
    card = world.message("Reply in this thread")
    await expect(card).to_be_visible()

    await world.page.locator("#messages").press("Shift+Tab")
    await card.focus()
    await keys.press("ArrowUp")
    await expect(world.message("I am on it.")).to_be_focused()
    await keys.press("ArrowDown")
    await keys.press("ArrowRight")
    await keys.press("Enter")
    await keys.press("Enter")
    await expect(card.get_by_role("button", name="+1, 1: Alice Adams")).to_be_visible()

    await card.focus()
    await keys.press("Enter")
    await expect(world.reply_box).to_be_focused()
    await keys.type("go on")
    await keys.press("Enter")
    await expect(world.thread.get_by_role("button", name="white check mark")).to_be_visible()
    await keys.press("Escape")
    await expect(world.thread).to_be_hidden()
    await expect(card).to_be_focused()

    await keys.press("/")
    await expect(world.box).to_be_focused()
    await keys.type("task form")
    await keys.press("Enter")
    await expect(world.dialog.get_by_label("Template")).to_be_focused()
    await keys.press("Escape")
    await expect(world.dialog).to_have_count(0)


async def test_the_first_direct_message_of_the_app_is_seen_to_be_new(world: World) -> None:
    """If the app writes its first direct message, a conversation appears, with the number of its new
    messages. The number stays until the tab with the messages is opened."""
    await world.type("/task write to me")

    await world.page.get_by_role("button", name="Taskwire, 1 new").click()
    await world.page.get_by_role("button", name="Messages, 1 new").click()

    await expect(world.message("Hello, it is me.")).to_be_visible()


async def test_a_choice_of_channels_offers_channels(world: World) -> None:
    """A dialog has a menu for choosing a channel. If the menu's filter excludes direct conversations, the
    menu offers only channels."""
    await world.type("/task write to me")
    await world.page.get_by_role("button", name=", 1 new").wait_for()

    await world.type("/task form")

    options = world.dialog.get_by_label("Channel").locator("option")
    await expect(options.filter(has_text="#shop")).to_have_count(1)
    offered = [text for text in await options.all_inner_texts() if text.startswith("#")]
    assert len(offered) == 3
    assert await options.count() == 4
