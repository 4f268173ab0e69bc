"""The demo's page has a side panel, which shows what Coder sees and has buttons for acts in Coder."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from taskwire_sandbox.coder import CoderSandbox
from tests.sandbox.page_worlds import World, opened

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def world(browser: Browser) -> AsyncIterator[World]:
    async with CoderSandbox() as coder:
        coder.add_user("alice")
        coder.add_task("alice", "fix the login redirect", name="fix-login")
        async with opened(browser, coder) as made:
            yield made


@pytest.fixture
def task(world: World) -> Locator:
    panel = world.page.get_by_role("complementary", name="What Coder sees")
    return panel.get_by_role("article", name="Task fix-login")


async def test_the_panel_shows_what_the_agent_does_and_gets(world: World, task: Locator) -> None:
    """The panel shows the agent's status, state, prompt, screen and inputs, as Coder has them. The panel
    follows changes without a click."""
    assert world.coder is not None
    await expect(task).to_contain_text("fix the login redirect")
    puppet = world.coder.task("fix-login")
    puppet.row.inputs.append("please add a test")
    puppet.becomes("complete", "Opened PR #12")
    puppet.says("All tests pass.")

    await expect(task).to_contain_text("please add a test")
    await expect(task).to_contain_text("All tests pass.")
    await expect(task).to_contain_text("complete")


async def test_a_task_is_paused_resumed_and_deleted_behind_the_bots_back(world: World, task: Locator) -> None:
    """A person pauses, resumes and deletes a task in the panel, as another person could do in Coder. The
    panel asks before it deletes."""
    await task.get_by_role("button", name="Pause by idle time-out").click()
    await expect(task).to_contain_text("paused")
    await task.get_by_role("button", name="Resume").click()
    await expect(task).to_contain_text("active")
    await task.get_by_role("button", name="Delete in Coder").click()
    await world.dialog.get_by_role("button", name="Delete it").click()

    await expect(task).to_have_count(0)
    assert world.coder is not None
    assert world.coder.tasks == []


async def test_coder_can_be_made_unreachable_and_brought_back(world: World) -> None:
    """If a person makes Coder unreachable in the panel, calls to Coder fail. The panel still works and can
    bring Coder back."""
    assert world.coder is not None
    panel = world.page.get_by_role("complementary", name="What Coder sees")
    await panel.get_by_role("button", name="Make Coder unreachable").click()
    await expect(panel.get_by_role("button", name="Bring it back")).to_be_visible()

    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"{world.coder.url}/api/v2/buildinfo")
        await panel.get_by_role("button", name="Bring it back").click()
        await expect(panel.get_by_role("button", name="Make Coder unreachable")).to_be_visible()
        async with session.get(f"{world.coder.url}/api/v2/buildinfo") as answer:
            assert answer.status == 200


async def test_open_in_coder_shows_the_task_in_the_panel(world: World, task: Locator) -> None:
    """If a person clicks *Open in Coder* on a card, the panel opens and shows the task. The demo has no pages
    of Coder."""
    assert world.coder is not None
    await world.page.get_by_role("button", name="What Coder sees").click()
    await expect(task).to_be_hidden()
    await world.slack.post(
        "bob", "shop", f"look: {world.coder.url}/tasks/alice/{world.coder.task('fix-login').id}"
    )

    await world.message("look:").get_by_role("link").click()

    await expect(task).to_be_focused()
