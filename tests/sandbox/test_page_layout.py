"""Where things stand on the demo's page: on a telephone, in menus, and in excerpts with long lines."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect

from taskwire.sandbox.coder import CoderSandbox
from tests.sandbox.page_worlds import World, opened


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with CoderSandbox() as coder, opened(coder) as made:
        yield made


async def test_a_telephone_shows_the_ideas_below_each_other_and_everybody(world: World) -> None:
    """Nothing at the top is pushed out of a narrow window, and each idea has its whole width."""
    await world.page.set_viewport_size({"width": 360, "height": 800})

    for name in ("You are Alice Adams", "Be Bob Brown", "Be Carol Chen"):
        await expect(world.page.get_by_role("button", name=name)).to_be_in_viewport(ratio=1)
    lefts = await world.page.locator(".idea").evaluate_all(
        "ideas => ideas.map((idea) => idea.getBoundingClientRect().left)"
    )
    assert len(lefts) == 3
    assert len(set(lefts)) == 1


async def test_a_menu_stays_in_its_pane(world: World) -> None:
    """What can be done with a reply lies over the thread, and not over what is beside it."""
    ts = await world.slack.post("bob", "shop", "the root")
    await world.slack.post("alice", "shop", "mine", ts)
    await world.message("the root").get_by_role("button", name="1 reply").click()
    mine = world.thread.locator(".message", has_text="mine")
    await mine.hover()
    await mine.get_by_role("button", name="More actions").click()

    await expect(world.page.get_by_role("complementary", name="What Coder sees")).to_be_visible()
    menu = await world.page.get_by_role("menu").bounding_box()
    pane = await world.thread.bounding_box()
    assert menu is not None
    assert pane is not None
    assert menu["x"] + menu["width"] <= pane["x"] + pane["width"]


async def test_an_excerpt_shows_its_long_lines_whole(world: World) -> None:
    """A line without a single space is wrapped, and nothing below it is cut off."""
    lines = "\n".join(["/srv/" + "long" * 80, *(f"line {number}" for number in range(40))])
    await world.slack.post("bob", "shop", f"```{lines}```")

    code = world.message("line 39").locator("pre")
    await expect(code).to_be_visible()
    hidden = await code.evaluate("e => [e.scrollWidth - e.clientWidth, e.scrollHeight - e.clientHeight]")
    assert hidden == [0, 0]
