"""Opens the demo's page of a workspace in a real browser.

A test fails if the browser sends a request to another machine or reports an error.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, async_playwright

from taskwire_sandbox import page
from taskwire_sandbox.coder import CoderSandbox
from taskwire_sandbox.slack import SlackSandbox
from taskwire_sandbox.slack.manifest import EVENT_SCOPES, SCOPES
from tests.programs import find_chromium
from tests.sandbox.page_bot import bot

HINTS = (
    page.Hint("/task create [options] PROMPT", "start a task here"),
    page.Hint("/task form", "open the form"),
    page.Hint("!pause", "stop its workspace"),
)
_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


# The page offers the commands and shortcuts that the manifest declares.
_MANIFEST: dict[str, Any] = {
    "display_information": {"name": "Taskwire"},
    "features": {
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True},
        "shortcuts": [
            {"name": "New task", "type": "global", "callback_id": "new_task"},
            {"name": "Make a task of this", "type": "message", "callback_id": "make_task"},
        ],
        "slash_commands": [{"command": "/task", "should_escape": True}],
    },
    "oauth_config": {"scopes": {"bot": sorted(SCOPES)}},
    "settings": {
        "event_subscriptions": {"bot_events": sorted(EVENT_SCOPES)},
        "interactivity": {"is_enabled": True},
        "socket_mode_enabled": True,
    },
}


@dataclass
class World:
    """The stand-ins, the page that one person has opened, and the payloads that the bot has received."""

    slack: SlackSandbox
    page: Page
    heard: list[str]
    coder: CoderSandbox | None = None
    troubles: list[str] = field(default_factory=list)

    @property
    def box(self) -> Locator:
        """Return the message box of the channel."""
        return self.page.locator("#message-box")

    @property
    def reply_box(self) -> Locator:
        """Return the message box of the thread."""
        return self.page.locator("#reply-box")

    @property
    def thread(self) -> Locator:
        """Return the thread pane."""
        return self.page.get_by_role("complementary", name="Thread")

    @property
    def dialog(self) -> Locator:
        """Return the open dialog."""
        return self.page.get_by_role("dialog")

    def message(self, text: str) -> Locator:
        """Return the channel's message with this text."""
        return self.page.locator("#messages .message", has_text=text)

    async def type(self, text: str) -> None:
        """Write a text into the message box and send it."""
        await self.box.fill(text)
        await self.box.press("Enter")

    async def hears(self, words: str) -> None:
        """Wait until the bot has received this text."""
        await self.slack.until(lambda: words in self.heard, f"the bot to hear {words!r}")


def _furnish(slack: SlackSandbox) -> None:
    for name, real_name in (("alice", "Alice Adams"), ("bob", "Bob Brown"), ("carol", "Carol Chen")):
        slack.add_user(name, real_name=real_name)
    slack.add_user("dora", real_name="Dora Diaz", is_restricted=True)
    slack.add_channel("shop", ["alice", "bob", "dora"])
    slack.add_channel("random", ["bob"])
    slack.add_channel("secret", ["alice"], kind="private")


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Start a browser."""
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=find_chromium(), args=[*_ARGUMENTS])
        try:
            yield running
        finally:
            await running.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Provide one browser for all tests of this process. Starting a browser takes longer than most tests."""
    async with launched() as running:
        yield running


@asynccontextmanager
async def browsed(browser: Browser) -> AsyncIterator[Page]:
    """Open a page in a separate browser context, without cookies or storage of other tests."""
    context = await browser.new_context(viewport={"width": 1400, "height": 860})
    try:
        yield await context.new_page()
    finally:
        await context.close()


def _watch(world: World) -> None:
    """Note errors of the page, and its requests to other machines, in `world.troubles`."""
    shown, ours = world.page, world.slack.backend.base_url
    shown.on("pageerror", lambda error: world.troubles.append(f"error: {error}"))
    # If the page is reloaded, its pending requests are aborted. This is no error.
    shown.on(
        "requestfailed",
        lambda failed: (
            None if failed.failure == "net::ERR_ABORTED" else world.troubles.append(f"failed: {failed.url}")
        ),
    )
    shown.on(
        "console",
        lambda said: world.troubles.append(said.text) if said.type in ("error", "warning") else None,
    )
    shown.on(
        "request",
        lambda asked: None if asked.url.startswith(ours) else world.troubles.append(f"left: {asked.url}"),
    )


@asynccontextmanager
async def opened(browser: Browser, coder: CoderSandbox | None = None) -> AsyncIterator[World]:
    """Open the demo's page as Alice, with a running bot. At the end, fail if the browser has reported an
    error or a request to another machine."""
    routes = page.routes(coder_url=coder.url if coder else "", person="alice", hints=HINTS)
    async with SlackSandbox(routes=routes, manifest=_MANIFEST) as slack:
        _furnish(slack)
        async with bot(slack) as heard, browsed(browser) as shown:
            world = World(slack, shown, heard, coder)
            _watch(world)
            await shown.goto(slack.backend.base_url)
            await shown.locator("[data-ready]").wait_for()
            yield world
            assert world.troubles == [], world.troubles
