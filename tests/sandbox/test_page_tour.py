"""A visitor takes the tour of the demo's page by mouse and by keyboard. `tests/process/test_demo.py` plays
the whole tour."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from taskwire_sandbox.coder import CoderSandbox
from tests.sandbox.page_worlds import World, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def world(browser: Browser) -> AsyncIterator[World]:
    async with CoderSandbox() as coder, opened(browser, coder) as made:
        yield made


@pytest.fixture
def tour(world: World) -> Locator:
    return world.page.get_by_role("region", name="Tour")


async def test_a_step_acts_and_says_what_happens_behind_it(world: World, tour: Locator) -> None:
    """The tour does nothing until the visitor starts it. The first step types a command, marks the card, and
    says what Taskwire does."""
    await world.page.get_by_role("button", name="Take the tour").click()
    await expect(tour).to_contain_text("A tour in two minutes")
    assert world.heard == []

    await tour.get_by_role("button", name="Step through").click()

    await expect(tour).to_contain_text("Alice asks for something Step 1 of 13")
    await expect(tour).to_contain_text("Claim: Taskwire writes it down once, in its store (Redis)")
    await expect(world.page.locator(".tour-spot")).to_contain_text("Working")
    assert [words.partition(" ")[0] for words in world.heard] == ["create"]


async def test_the_tour_goes_by_keyboard(world: World, tour: Locator) -> None:
    """A visitor can go through the tour by Enter and the arrow keys, also backwards. Escape closes the tour,
    and the focus returns to the button that opens it."""
    switch = world.page.get_by_role("button", name="Tour", exact=True)
    await switch.focus()
    await world.page.keyboard.press("Enter")
    await expect(tour.get_by_role("button", name="Step through")).to_be_focused()
    await world.page.keyboard.press("Enter")
    await expect(tour).to_have_attribute("data-busy", "false")
    await expect(tour.get_by_role("button", name="Next")).to_be_focused()
    await world.page.keyboard.press("ArrowRight")
    await expect(tour).to_contain_text("A card, and its thread")
    await expect(world.thread).to_be_visible()
    # While a step acts, the keys do nothing.
    await expect(tour).to_have_attribute("data-busy", "false")

    await world.page.keyboard.press("ArrowLeft")
    await expect(tour).to_contain_text("Alice asks for something")
    await world.page.keyboard.press("Escape")

    await expect(tour).to_be_hidden()
    await expect(switch).to_be_focused()
    assert len(world.heard) == 1


async def test_the_tour_does_not_type_for_those_who_want_no_motion(world: World, tour: Locator) -> None:
    """If a visitor prefers reduced motion, the tour does not type the command letter by letter. The whole
    command is in the box immediately."""
    await world.page.emulate_media(reduced_motion="reduce")
    await world.page.evaluate(
        "window.typed = []; document.querySelector('#message-box').addEventListener('focus', "
        "(event) => window.typed.push(event.target.value))"
    )
    await world.page.locator("#tour-switch").click()
    await tour.get_by_role("button", name="Step through").click()
    await world.page.locator(".tour-spot").wait_for()

    assert len(await world.page.evaluate("window.typed")) == 1
