"""The demo's page has Slack's ways to use an app: mentions, menus, shortcuts. A visitor can also be a
guest."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from taskwire_sandbox.slack import messages
from tests.sandbox.page_bot import select_row, words
from tests.sandbox.page_worlds import World, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def world(browser: Browser) -> AsyncIterator[World]:
    async with opened(browser) as made:
        yield made


async def test_a_mention_is_completed(world: World) -> None:
    """If a person types `@` and a part of a name, Enter completes the mention with the first suggestion. A
    second Enter sends the message with the mention."""
    await world.box.press_sequentially("@task")
    await expect(world.page.get_by_role("option", selected=True)).to_have_text("@taskwireTaskwire")
    await world.box.press("Enter")
    await expect(world.box).to_have_value("@taskwire ")
    await world.box.press_sequentially("fix the footer")
    await world.box.press("Enter")

    await world.hears(f"<@{world.slack.bot_user_id}> fix the footer")
    await expect(world.message("@Taskwire fix the footer")).to_be_visible()


async def test_channels_and_emoji_are_completed(world: World) -> None:
    """If a person types `#` and a part of a name, Tab completes the name of a channel. After `:`, Tab
    completes the name of an emoji."""
    await world.box.press_sequentially("see #sec")
    await world.box.press("Tab")
    await world.box.press_sequentially(":ey")
    await world.box.press("Tab")

    await expect(world.box).to_have_value("see #secret :eyes: ")


async def test_a_commands_suggestions_never_change_what_enter_sends(world: World) -> None:
    """If a person types a command, Enter sends it exactly as it was typed, whatever suggestions are shown."""
    await world.box.press_sequentially("/task create")
    await world.box.press("Enter")

    await world.hears("create")


async def test_the_menu_of_a_card_acts_and_opens_pages(world: World) -> None:
    """If a person chooses an entry of a card's menu, the bot gets the choice. An entry with a URL opens the
    URL's page in a new tab."""
    await world.type("/task create fix it")
    card = world.message("Reply in this thread")
    await card.get_by_role("button", name="More", exact=True).click()
    page = world.page.get_by_role("menuitem", name="Open in Coder")
    await expect(page).to_have_attribute("href", "https://coder.test/tasks/7")
    await expect(page).to_have_attribute("target", "_blank")

    await world.page.get_by_role("menuitem", name="Mute").click()

    await world.hears("menu mute")


async def test_the_select_of_a_card_shows_what_was_chosen_until_it_is_drawn_again(world: World) -> None:
    """If a person chooses an option of a card's select, the select shows this option. When the app draws the
    row again with a new block id, the select shows its placeholder again."""
    await world.type("/task select")
    row = world.page.locator("#messages .message").last
    await row.get_by_role("button", name="More…").click()
    await world.page.get_by_role("menuitem", name="Logs").click()
    await world.hears("select logs")
    await expect(row.get_by_role("button", name="Logs")).to_be_visible()

    await row.get_by_role("button", name="Logs").click()
    await world.page.get_by_role("menuitem", name="Mute").click()

    await world.hears("select mute")
    await expect(row.get_by_role("button", name="More…")).to_be_visible()


async def test_a_menu_stays_open_while_its_card_changes(world: World) -> None:
    """A person has opened the menu of a card, and the app draws the card again. The menu stays open, and the
    app gets the person's choice."""
    await world.type("/task select")
    row = world.page.locator("#messages .message").last
    await row.get_by_role("button", name="More…").click()
    place = world.slack.workspace.channel("shop")
    changed = [
        {"type": "section", "block_id": "note", "text": words("Changed meanwhile")},
        *select_row("menu.2"),
    ]
    ts = str(await row.get_attribute("data-ts"))
    messages.rewrite(world.slack.backend, place, ts, {"blocks": changed}, editor=world.slack.bot_user_id)
    await expect(row).to_contain_text("Changed meanwhile")

    await world.page.get_by_role("menuitem", name="Logs").click()

    await world.hears("select logs")


async def test_the_shortcuts_are_where_slack_has_them(world: World) -> None:
    """The global shortcut is in the sidebar, and the message shortcut is in the menu of each message."""
    ts = await world.slack.post("bob", "shop", "the footer is wrong")
    await world.message("the footer").hover()
    await world.message("the footer").get_by_role("button", name="More actions").click()
    await world.page.get_by_role("menuitem", name="Make a task of this").click()
    await world.hears("make a task of the footer is wrong")
    assert world.slack.deliveries[-1].payload["message_ts"] == ts

    await world.page.get_by_role("button", name="New task").click()

    await expect(world.dialog.get_by_label("Template")).to_be_visible()


async def test_a_guest_sees_only_their_own_channels(world: World) -> None:
    """If a visitor becomes the guest, they are marked as a guest and see only their own channels."""
    await world.page.get_by_role("button", name="Be Dora Diaz, a guest").click()

    await expect(world.page.get_by_role("button", name="shop", exact=True)).to_be_visible()
    await expect(world.page.get_by_role("button", name="random")).to_have_count(0)
    await world.type("hello")
    await expect(world.message("hello")).to_contain_text("Dora DiazGUEST")


async def test_the_ideas_stay_at_hand(world: World) -> None:
    """The page shows a strip of ideas: buttons that suggest a command. If a visitor closes the strip, the
    ideas are still in a menu beside the message box."""
    await world.page.get_by_role("button", name="Close these suggestions").click()
    await expect(world.page.locator("#welcome")).to_be_hidden()

    await world.page.get_by_role("button", name="Ideas for a task").click()
    await world.page.get_by_role("menuitem", name="Read an answer").click()

    await expect(world.box).to_have_value("/task create explain when a cart expires")
