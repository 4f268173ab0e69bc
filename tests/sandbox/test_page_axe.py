"""Checks the demo's page for barriers, which hinder people without a mouse or without sight. The checks are
made by axe-core, a program that checks web pages."""

from collections.abc import AsyncIterator, Sequence
from importlib import resources
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, ViewportSize, expect

from taskwire_sandbox.coder import CoderSandbox
from tests.sandbox.page_worlds import World, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
_RUN = """async () => {
  const found = await axe.run({ resultTypes: ["violations"] });
  const named = (each) => each.nodes.map((node) => `${each.impact} ${each.id}: ${node.html}`);
  return found.violations.flatMap(named);
}"""
WIDE: ViewportSize = {"width": 1400, "height": 860}
PHONE: ViewportSize = {"width": 360, "height": 740}
either_look = pytest.mark.parametrize(("look", "size"), [("light", WIDE), ("dark", PHONE)])


async def barriers(page: Page) -> Sequence[str]:
    """List the barriers that axe-core finds on the page now. First wait until nothing is loading, because the
    loading text covers words."""
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)
    found: Sequence[str] = await page.evaluate(_RUN)
    return found


@pytest_asyncio.fixture(loop_scope="session")
async def world(browser: Browser, look: Literal["light", "dark"], size: ViewportSize) -> AsyncIterator[World]:
    async with CoderSandbox() as coder:
        coder.add_user("alice")
        coder.add_task("alice", "fix the login redirect", name="fix-login")
        async with opened(browser, coder) as made:
            await made.page.emulate_media(color_scheme=look)
            await made.page.set_viewport_size(size)
            await made.page.evaluate(AXE)
            yield made


@either_look
async def test_a_channel_and_a_thread_have_no_barriers(world: World) -> None:
    """axe-core finds no barriers in a channel and in a thread. They show a card, an ephemeral message,
    reactions, a file, and the Coder panel."""
    ts = await world.slack.post("bob", "shop", "the root of *it*, see `code` and https://coder.test")
    await world.slack.post("dora", "shop", "@alice and #random")
    await world.slack.post("alice", "shop", "logs", ts)
    await world.slack.react("alice", "shop", ts, "eyes")
    await world.type("/task create fix it")
    await expect(world.message("I am on it.")).to_be_visible()
    channel = await barriers(world.page)

    await world.message("the root").get_by_role("button", name="replies").click()
    await expect(world.thread.get_by_role("group", name="File agent.log")).to_be_visible()

    assert (channel, await barriers(world.page)) == ([], [])


@either_look
async def test_menus_dialogs_and_the_tour_have_no_barriers(world: World) -> None:
    """axe-core finds no barriers in menus, dialogs, the tour, suggestions, the drawer and the Home tab."""
    found: dict[str, Sequence[str]] = {}
    await world.box.press_sequentially("/task")
    found["suggestions"] = await barriers(world.page)
    await world.box.fill("")
    await world.page.get_by_role("button", name="Ideas for a task").click()
    found["menu"] = await barriers(world.page)
    await world.page.keyboard.press("Escape")
    await world.page.locator("#tour-switch").click()
    found["tour"] = await barriers(world.page)
    await world.page.keyboard.press("Escape")
    if await world.page.locator("#places-switch").is_visible():
        await world.page.get_by_role("button", name="Conversations").click()
        found["drawer"] = await barriers(world.page)
    await world.page.get_by_role("button", name="Taskwire", exact=True).click()
    await expect(world.page.locator("#home")).to_contain_text("Nothing.")
    found["home"] = await barriers(world.page)
    await world.page.get_by_role("button", name="Messages", exact=True).click()
    await world.type("/task form")
    await expect(world.dialog.get_by_label("Template")).to_be_visible()
    found["dialog"] = await barriers(world.page)
    await world.dialog.get_by_role("button", name="Create").click()
    found["mistakes"] = await barriers(world.page)

    assert {where: said for where, said in found.items() if said} == {}
