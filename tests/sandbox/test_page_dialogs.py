"""Dialogs on the demo's page are loaded, filled in, refused and submitted. Only the person who opened a
dialog sees it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.sandbox.page_worlds import World, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def world(browser: Browser) -> AsyncIterator[World]:
    async with opened(browser) as made:
        await made.type("/task form")
        await made.dialog.get_by_label("Template").wait_for()
        yield made


async def test_an_empty_field_is_named_before_anything_is_sent(world: World) -> None:
    """If required fields of a dialog are empty, the page sends nothing. Each empty field shows an error, and
    the first of them gets the focus."""
    await world.dialog.get_by_role("button", name="Create").click()

    await expect(world.dialog.locator(".error:visible")).to_have_text(["Please fill this in."] * 2)
    await expect(world.dialog.get_by_label("Template")).to_be_focused()
    await expect(world.dialog.get_by_label("Prompt")).to_have_attribute("aria-invalid", "true")
    assert world.heard == ["form"]


async def test_the_bots_objection_stands_at_its_field(world: World) -> None:
    """If the bot answers a submission with an error, the dialog shows the error at the field that the bot
    names. All entered values stay."""
    await world.dialog.get_by_label("Template").select_option("Docker")
    await world.dialog.get_by_label("Prompt").fill("fix the login")
    await world.dialog.get_by_label("Name").fill("taken")
    await world.dialog.get_by_role("button", name="Create").click()

    await expect(world.dialog.locator(".error:visible")).to_have_text("This name is taken; try taken-2.")
    await expect(world.dialog.get_by_label("Prompt")).to_have_value("fix the login")

    await world.dialog.get_by_label("Name").fill("taken-2")
    await world.dialog.get_by_role("button", name="Create").click()

    await world.hears("form fix the login")
    await expect(world.dialog).to_have_count(0)


async def test_every_kind_of_input_reaches_the_bot(world: World) -> None:
    """If a person fills in a dialog, the bot gets the chosen and typed values of every kind of input. They
    have the form that Slack gives them."""
    dialog = world.dialog
    await dialog.get_by_label("Template").select_option("Cloud")
    await dialog.get_by_label("Prompt").fill("fix it, please")
    await dialog.get_by_label("Channel").select_option("#shop")
    await dialog.get_by_label("Large").check()
    await dialog.get_by_label("Logs").check()
    await dialog.get_by_label("Bob Brown").check()
    await dialog.get_by_label("Day").fill("2030-05-01")
    await dialog.get_by_role("button", name="Create").click()
    await world.hears("form fix it, please")

    payload = world.slack.deliveries[-1].payload
    values = {name: block[name] for name, block in payload["view"]["state"]["values"].items()}
    bob, shop = world.slack.workspace.user("bob").id, world.slack.workspace.channel("shop").id
    assert values["template"]["selected_option"]["value"] == "cloud"
    assert values["channel"]["selected_conversation"] == shop
    assert values["size"]["selected_option"]["value"] == "large"
    assert [option["value"] for option in values["extras"]["selected_options"]] == ["logs"]
    assert values["who"]["selected_users"] == [bob]
    assert values["when"]["selected_date"] == "2030-05-01"
    assert values["name"]["value"] is None


async def test_a_dialog_is_its_persons_alone(world: World) -> None:
    """If a person opens a dialog, it is shown only in this person's window, until this person closes it."""
    other = await world.page.context.new_page()
    await other.goto(f"{world.slack.backend.base_url}/?as=bob")
    await other.locator("[data-ready]").wait_for()

    await expect(other.get_by_role("dialog")).to_have_count(0)
    await expect(world.dialog).to_be_visible()

    await world.dialog.get_by_role("button", name="Close", exact=True).click()

    await expect(world.dialog).to_have_count(0)
    await world.slack.until(lambda: not world.slack.views("alice"), "the dialog to be closed")
