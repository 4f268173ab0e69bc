"""A visitor uses `taskwire demo`: one command, one URL, and a story in a browser."""

import signal
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.sandbox.page_worlds import browsed, launched

from .conftest import StartTaskwire
from .processes import END_SECONDS, Taskwire

pytestmark = pytest.mark.real_start

# An agent of the demo works for some seconds, so that a visitor can follow it.
PATIENCE_MS = 60_000
# The tour usually waits 40 s for a step. In this test it waits longer, because the machine may be busy.
STEP_MS = 200_000
GAVE_UP = "This takes longer than usual"


async def _address(demo: Taskwire) -> str:
    return (await demo.says(r"http://127\.0\.0\.1:\d+/"))[0]


def _names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


async def _end(demo: Taskwire) -> int:
    demo.send_signal(signal.SIGINT)
    return await demo.wait_for_exit(END_SECONDS)


async def _goes_through_a_story(page: Page) -> None:
    """Let the visitor create a task. Wait until the visitor is mentioned, let them reply, and wait until the
    task finishes."""
    box = page.locator("#message-box")
    await box.fill("/task create split the customer name into two columns")
    await box.press("Enter")
    card = page.locator("#messages .message", has_text="split the customer name")
    await card.hover()
    await card.get_by_role("button", name="Reply in thread").click()
    thread = page.get_by_role("complementary", name="Thread")
    called = thread.locator(".message", has_text="Shall I drop the old column now?").last
    await expect(called).to_contain_text("@Alice Adams", timeout=PATIENCE_MS)

    reply = page.locator("#reply-box")
    await reply.fill("no, keep it for now")
    await reply.press("Enter")

    mine = thread.locator(".message", has_text="no, keep it for now").first
    await expect(mine.get_by_role("button", name="white check mark, 1: Taskwire")).to_be_visible(
        timeout=PATIENCE_MS
    )
    finished = thread.locator(".message", has_text="I left the old column in place").last
    await expect(finished).to_contain_text("@Alice Adams", timeout=PATIENCE_MS)


async def test_a_visitor_lives_through_one_story(start_taskwire: StartTaskwire) -> None:
    """A visitor creates a task, is mentioned by the bot, replies and sees the task finish. Meanwhile the demo
    connects to no other machine. Ctrl-C ends the demo, which says so."""
    async with launched() as browser, browsed(browser) as page:
        demo = await start_taskwire("demo")
        await page.goto(await _address(demo))
        await page.locator("[data-ready]").wait_for()
        await _goes_through_a_story(page)
        await page.get_by_role("button", name="Taskwire", exact=True).click()
        await expect(page.get_by_role("heading", name="Taskwire", exact=True)).to_be_visible()
        await expect(page.get_by_role("button", name="Home", exact=True)).to_be_visible()
        code = await _end(demo)

    assert code == 0
    assert "Traceback" not in demo.output
    assert demo.output.endswith("Ctrl-C ends it.\n\n\n  Stopped. Nothing was kept.\n")


async def test_a_visitor_connects_an_account(start_taskwire: StartTaskwire) -> None:
    """A visitor copies a token from the page of the stand-in for Coder and pastes it into the dialog in
    Slack. The visitor's account is then connected."""
    async with launched() as browser, browsed(browser) as page:
        demo = await start_taskwire("demo")
        await page.goto(await _address(demo))
        await page.locator("[data-ready]").wait_for()
        box = page.locator("#message-box")
        await box.fill("/task connect")
        await box.press("Enter")
        offer = page.locator("#messages .message", has_text="Get a token").last
        async with page.context.expect_page() as opened:
            await offer.get_by_text("Get a token").click()
        coder = await opened.value
        await coder.get_by_role("link", name="Alice").click()
        token = await coder.locator("code").inner_text()

        await offer.get_by_role("button", name="Paste the token").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("textbox").fill(token)
        await dialog.get_by_role("button", name="Connect").click()

        connected = page.locator("#messages .message", has_text="Connected: you are alice in Coder")
        await expect(connected).to_be_visible(timeout=PATIENCE_MS)
        assert token not in demo.output + await page.locator("body").inner_text()
        assert await _end(demo) == 0


# The tour's agent works for three quarters of a minute. On a busy machine it takes longer.
@pytest.mark.timeout(300)
async def test_the_tour_goes_to_its_end(start_taskwire: StartTaskwire) -> None:
    """A visitor takes the tour, pauses it and continues it step by step. Every step shows its effect."""
    async with launched() as browser, browsed(browser) as page:
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        demo = await start_taskwire("demo")
        await page.goto(await _address(demo))
        await page.locator("[data-ready]").wait_for()
        await page.evaluate(f"document.getElementById('tour').dataset.patienceMs = {STEP_MS}")
        await page.locator("#tour-switch").click()
        tour = page.get_by_role("region", name="Tour")
        await tour.get_by_role("button", name="Play").click()
        await expect(tour).to_contain_text("Step 1 of 13")
        await tour.get_by_role("button", name="Pause").click()

        for number in range(2, 14):
            await expect(tour).to_have_attribute("data-busy", "false", timeout=STEP_MS)
            await expect(tour).not_to_contain_text(GAVE_UP)
            await tour.get_by_role("button", name="Next").click()
            await expect(tour).to_contain_text(f"Step {number} of 13")

        await expect(tour).to_have_attribute("data-busy", "false", timeout=STEP_MS)
        await expect(page.locator("#home")).to_contain_text("Split the", timeout=PATIENCE_MS)
        assert failures == []
        assert await _end(demo) == 0


async def test_two_demos_find_two_ports(start_taskwire: StartTaskwire) -> None:
    """If another demo uses the default port, a second demo uses another port. If the user has chosen a port
    that is taken, the demo ends with an error."""
    first, second = [await start_taskwire("demo") for _ in range(2)]
    addresses = [await _address(demo) for demo in (first, second)]
    port = addresses[0].rstrip("/").rpartition(":")[2]
    third = await start_taskwire("demo", "--port", port)

    codes = [await third.wait_for_exit(), await _end(first), await _end(second)]

    assert len(set(addresses)) == 2
    assert codes == [2, 0, 0]
    assert (
        third.output
        == f"Port {port} is taken on this machine. Name another, or leave --port out: any will do.\n"
    )


async def test_a_port_that_cannot_be_is_not_called_taken(start_taskwire: StartTaskwire) -> None:
    """If the user chooses a port above 65535, the error says that the port is invalid, not that it is
    taken."""
    demo = await start_taskwire("demo", "--port", "65536")

    assert await demo.wait_for_exit() == 2
    assert demo.output == "There is no port 65536. Leave --port out: any will do.\n"


async def test_nothing_around_it_changes_it(start_taskwire: StartTaskwire, tmp_path: Path) -> None:
    """Real settings in the environment, a proxy and a `.env` file do not affect the demo. The demo changes
    none of them and leaves no files behind."""
    (tmp_path / ".env").write_text("SLACK_BOT_TOKEN=xoxb-real\nREDIS_URL=redis://127.0.0.1:1\n")
    around = {
        "REDIS_URL": "redis://127.0.0.1:1",
        "SLACK_CLIENT_ID": "1",
        "SLACK_CLIENT_SECRET": "2",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "http_proxy": "http://127.0.0.1:1",
        "TMPDIR": str(tmp_path),
    }
    demo = await start_taskwire("demo", **around)
    await _address(demo)

    assert await _end(demo) == 0

    assert _names_in(tmp_path) == [".env"]
