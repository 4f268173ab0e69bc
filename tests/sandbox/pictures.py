"""Makes the pictures of `docs/using.md`, and `docs/demo.png`: `python -m tests.sandbox.pictures [FOLDER]`.

Most pictures come from the demo. Messages that are rare, or that come only after half an hour, are drawn from
examples. The program needs chromium, and some minutes, because the demo's agents work slowly.
"""

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from playwright.async_api import Browser, Locator, Page, ViewportSize, async_playwright, expect
from slack_sdk.web.async_client import AsyncWebClient

from taskwire.domain.ids import ts_of
from taskwire.domain.lifecycle.events import Notice, NoticeKind
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.text.message import Message
from taskwire.messages import cards, inputs, notices
from taskwire.slack.manifest import make_manifest
from taskwire_sandbox.page import routes as page_routes
from taskwire_sandbox.slack import SlackSandbox
from tests.programs import find_chromium
from tests.sandbox.small_png import shrink
from tests.unit.message_examples import BOND, CODER, OPENED, STATUS_OF_PHASE, link

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
PATIENCE_MS = 120_000
# In a window of this width, a line of a message has about as many words as in Slack's own window.
NARROW: ViewportSize = {"width": 600, "height": 1500}
WIDE: ViewportSize = {"width": 1000, "height": 620}
PHONE: ViewportSize = {"width": 360, "height": 480}
# For each task: its prompt, the last phase on its card, and the name of its picture.
TASKS = (
    ("upgrade the project to Python 3.14", "Working", "working"),
    ("split the customer name into two columns", "Needs you", "needs-you"),
    ("fix the login redirect", "Done", "done"),
    ("find out why the checkout test is flaky", "Failed", "failed"),
    ("update the base image", "Broken", "broken"),
    ("audit every module", "Paused", "paused"),
)
# Without colored edges on the letters, the files are smaller.
ARGUMENTS = ("--no-sandbox", "--disable-lcd-text")
DEMO = "demo"
# What the agents of the examples said last.
WORDS = {"stuck": "Running the browser tests", "reminder": "Which config should I keep?"}
EXPLAINS = "explain when a cart expires"
TOURED = 6


@contextlib.asynccontextmanager
async def _demo() -> AsyncIterator[str]:
    """Run the demo. Yield its URL."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "taskwire", "demo", "--port", "0"), stdout=asyncio.subprocess.PIPE
    )
    assert running.stdout is not None
    try:
        while (line := await running.stdout.readline()) and b"http://" not in line:
            pass
        yield line.decode().strip()
    finally:
        running.send_signal(signal.SIGINT)
        await running.wait()


@contextlib.asynccontextmanager
async def _page(browser: Browser, address: str, size: ViewportSize) -> AsyncIterator[Page]:
    """Open the page as Alice in a window of this size."""
    context = await browser.new_context(viewport=size)
    page = await context.new_page()
    await page.goto(address)
    await page.locator("[data-ready]").wait_for()
    yield page
    await context.close()


def _card(page: Page, prompt: str) -> Locator:
    return page.locator("#messages .message", has_text=re.compile(re.escape(prompt), re.IGNORECASE)).first


async def _says(page: Page, text: str) -> None:
    await page.locator("#message-box").fill(text)
    await page.locator("#message-box").press("Enter")


async def _take(shown: Locator, folder: Path, name: str) -> None:
    """Save a picture of what is shown, without traces of the mouse and the keyboard focus."""
    await shown.page.evaluate("document.activeElement.blur()")
    await shown.page.mouse.move(0, 0)
    await shown.screenshot(path=folder / f"{name}.png", animations="disabled")


async def _cards_and_notices(page: Page, folder: Path) -> None:
    for prompt in (*(task[0] for task in TASKS), EXPLAINS):
        await _says(page, f"/task create {prompt}")
        await _card(page, prompt).wait_for(timeout=PATIENCE_MS)
    audit = _card(page, "audit every module")
    await expect(audit).to_contain_text("Working", timeout=PATIENCE_MS)
    await audit.get_by_role("button", name="Stop").click()
    await expect(_card(page, EXPLAINS)).to_contain_text("Done", timeout=PATIENCE_MS)
    for prompt, phase, name in TASKS:
        card = _card(page, prompt)
        await expect(card).to_contain_text(phase, timeout=PATIENCE_MS)
        await _take(card, folder, f"card-{name}")
    for prompt, name in ((TASKS[1][0], "question"), (TASKS[2][0], "done"), (TASKS[3][0], "failed")):
        await _notice(page, prompt, folder, f"notice-{name}")
    await _notice(page, TASKS[4][0], folder, "notice-broken")
    await _notice(page, EXPLAINS, folder, "notice-answer")


async def _answer(page: Page, folder: Path) -> None:
    """Take a picture of the dialog in which a person answers an agent's question that offers choices."""
    await _card(page, TASKS[1][0]).get_by_role("button", name="Answer").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("radio").first.wait_for(timeout=PATIENCE_MS)
    await _take(dialog.locator(".modal").or_(dialog).first, folder, "answer")
    await page.keyboard.press("Escape")


async def _notice(page: Page, prompt: str, folder: Path, name: str) -> None:
    """Take a picture of the newest message that mentions Alice in a task's thread."""
    await _card(page, prompt).get_by_role("button", name=re.compile("repl(y|ies)")).click()
    called = page.locator("#thread .message", has_text="@Alice Adams").last
    await called.wait_for(timeout=PATIENCE_MS)
    await _take(called, folder, name)
    await page.get_by_role("button", name="Close thread").click()


async def _live(page: Page, folder: Path) -> None:
    """Take a picture of what a person who follows a task sees."""
    await _card(page, TASKS[0][0]).hover()
    await _card(page, TASKS[0][0]).get_by_role("button", name="Reply in thread").click()
    await page.locator("#reply-box").fill("!follow")
    await page.locator("#reply-box").press("Enter")
    live = page.locator("#thread .message", has_text="live for everybody here")
    await expect(live).to_contain_text("Update", timeout=PATIENCE_MS)
    await _take(live, folder, "live")
    await page.get_by_role("button", name="Close thread").click()


async def _surfaces(page: Page, folder: Path) -> None:
    """Take pictures of a card's menu, the form, the list, and the Home tab if the app has one."""
    await _card(page, TASKS[0][0]).get_by_role("button", name="More…").click()
    await page.get_by_role("menu").screenshot(path=folder / "menu.png")
    await page.keyboard.press("Escape")
    await _says(page, "/task list")
    listed = page.locator("#messages .message.ephemeral").last
    await expect(listed).to_contain_text("Split the customer", timeout=PATIENCE_MS)
    await _take(listed, folder, "list")
    await _says(page, "/task create")
    form = page.get_by_role("dialog")
    await form.locator("textarea").wait_for(timeout=PATIENCE_MS)
    await _take(form, folder, "form")
    await page.keyboard.press("Escape")
    await _says(page, "/task settings")
    await form.get_by_role("button", name="Save").wait_for(timeout=PATIENCE_MS)
    await _take(form.locator(".modal").or_(form).first, folder, "settings")
    await page.keyboard.press("Escape")


async def _pass_on(page: Page, folder: Path) -> None:
    """Take a picture of what a task's owner sees of a colleague's reply."""
    await page.get_by_role("button", name="Conversations").click()
    await page.get_by_role("button", name="Be Bob Brown").click()
    await page.keyboard.press("Escape")
    await _card(page, TASKS[1][0]).get_by_role("button", name=re.compile("repl(y|ies)")).click()
    await page.locator("#reply-box").fill("please keep the old column for the reports")
    await page.locator("#reply-box").press("Enter")
    await page.locator("#thread").get_by_role("button", name="Ask Alice Adams to pass it on").click()
    await expect(page.locator("#thread")).to_contain_text("was asked to pass it on", timeout=PATIENCE_MS)
    await page.get_by_role("button", name="Close thread").click()
    await page.get_by_role("button", name="Conversations").click()
    await page.get_by_role("button", name="Be Alice Adams").click()
    await page.keyboard.press("Escape")
    await _card(page, TASKS[1][0]).get_by_role("button", name=re.compile("repl(y|ies)")).click()
    asked = page.locator("#thread .message.ephemeral", has_text="asks you to pass this on").last
    await asked.wait_for(timeout=PATIENCE_MS)
    await _take(asked, folder, "pass-on")
    await page.get_by_role("button", name="Close thread").click()


async def _home(page: Page, folder: Path, name: str) -> None:
    """Take a picture of the Home tab."""
    await page.get_by_role("button", name="Conversations").click()
    await page.locator("#sidebar").get_by_role("button", name=re.compile("^Taskwire")).click()
    await expect(page.locator("#home")).to_contain_text("Needs you", timeout=PATIENCE_MS)
    await _take(page.locator("#home"), folder, name)


def _make_examples(alice: str) -> dict[str, Message]:
    """Make the messages that are rare or come late. Return them by the names of their pictures."""
    now = datetime.now(UTC)
    told = {"title": "Fix the login redirect", "prompt": "fix the login redirect"}
    bond = BOND.model_copy(update=told | {"made_at": ts_of(now), "created_at": now})
    made: dict[str, Message] = {}
    for phase in (Phase.STARTING, Phase.PAUSING, Phase.UNCLEAR, Phase.GONE):
        report = None if phase is Phase.STARTING else OPENED.model_copy(update={"uri": ""})
        shown = link(phase, report, STATUS_OF_PHASE.get(phase, "active"))
        shown = shown.model_copy(update={"record": bond})
        made[f"card-{phase.value}"] = cards.card(shown, coder_url=CODER)
    late: tuple[tuple[NoticeKind, Phase, int], ...] = (
        ("stuck", Phase.WORKING, 1_800_000),
        ("reminder", Phase.NEEDS_YOU, 7_200_000),
        ("paused", Phase.PAUSED, 0),
        ("gone", Phase.GONE, 0),
    )
    for kind, phase, lasted_ms in late:
        report = OPENED.model_copy(update={"message": WORDS.get(kind, ""), "uri": ""})
        shown = link(phase, report).model_copy(update={"record": bond})
        calls = (alice,) if lasted_ms else ()
        notice = Notice(kind=kind, id="n1", is_call=bool(calls), report=report, lasted_ms=lasted_ms)
        made[f"notice-{kind}"] = notices.notice(
            shown, notice, coder_url=CODER, calls=calls, pause_reason="idle timeout"
        )
    shown = link(Phase.PAUSED).model_copy(update={"record": bond})
    made["notice-waiting"] = inputs.ask_about_held_replies(shown, 2, "Paused by Alice Adams")
    return made


async def _examples(browser: Browser, folder: Path, size: ViewportSize) -> None:
    """Take the pictures of the examples."""
    async with SlackSandbox(routes=page_routes(person="alice"), manifest=make_manifest()) as slack:
        alice = slack.add_user("alice", real_name="Alice Adams")
        channel = slack.add_channel("shop", ["alice"])
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
        for name, made in _make_examples(alice.id).items():
            await client.chat_postMessage(channel=channel.id, text=made.text, blocks=[*made.blocks])
            async with _page(browser, slack.backend.base_url, size) as page:
                await _take(page.locator("#messages .message").last, folder, name)


async def _whole_page(page: Page, folder: Path) -> None:
    """Take pictures of the page in the middle of the tour, and without the tour."""
    await page.locator("#tour-switch").click()
    tour = page.get_by_role("region", name="Tour")
    for number in range(1, TOURED + 1):
        await page.locator("#tour .primary").click()
        await expect(tour).to_contain_text(f"Step {number} of")
        await expect(tour).to_have_attribute("data-busy", "false", timeout=PATIENCE_MS)
    await _take(page.locator("body"), folder, "tour")
    await page.get_by_role("button", name="Close the tour").click()
    await _take(page.locator("body"), folder, DEMO)


async def main(folder: Path) -> None:
    """Make all pictures."""
    async with async_playwright() as playwright, _demo() as address:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        async with _page(browser, address, WIDE) as page:
            await _whole_page(page, folder)
        async with _page(browser, address, NARROW) as page:
            await page.get_by_role("button", name="Close these suggestions").click()
            await _cards_and_notices(page, folder)
            await _answer(page, folder)
            await _live(page, folder)
            await _pass_on(page, folder)
            await _surfaces(page, folder)
            await page.set_viewport_size({"width": NARROW["width"], "height": 1080})
            await _home(page, folder, "home")
        async with _page(browser, address, PHONE) as page:
            await page.get_by_role("button", name="Close these suggestions").click()
            await _take(_card(page, TASKS[1][0]), folder, "phone")
        await _examples(browser, folder, NARROW)
        await browser.close()


if __name__ == "__main__":
    wanted = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    asyncio.run(main(wanted))
    for made in wanted.glob("*.png"):
        shrink(made)
    if wanted == FOLDER:
        (FOLDER / f"{DEMO}.png").replace(FOLDER.parent / f"{DEMO}.png")
