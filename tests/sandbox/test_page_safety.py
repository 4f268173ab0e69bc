"""The demo's page loads nothing from other origins, and runs no markup of people or bots."""

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from taskwire_sandbox import page
from taskwire_sandbox.slack import SlackSandbox
from tests.sandbox.page_bot import HOSTILE
from tests.sandbox.page_worlds import opened

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_markup_in_messages_is_shown_and_never_run(browser: Browser) -> None:
    """If a message has tags, script URLs or handlers, the page shows them as text. This holds in every kind
    of block and in typed messages."""
    async with opened(browser) as world:
        await world.type("/task hostile")
        await world.type(HOSTILE)

        await expect(world.message("onerror")).to_have_count(2)
        assert await world.page.locator("#messages img:not(.avatar), #messages script").count() == 0
        assert await world.page.locator("a[href^='javascript']").count() == 0
        assert await world.page.title() == "shop · Taskwire demo"


async def test_links_of_the_demo_open_here_and_others_apart(browser: Browser) -> None:
    """If a person clicks a link to a message, its thread opens on the page. A link to another site opens in a
    new tab, which cannot access this page."""
    async with opened(browser) as world:
        ts = await world.slack.post("bob", "shop", "the root")
        shop = world.slack.workspace.channel("shop").id
        await world.slack.post("bob", "shop", f"see {world.slack.backend.permalink(shop, ts)}")
        await world.slack.post("bob", "shop", "and https://coder.test/docs")

        await world.message("see ").get_by_role("link").click()

        await expect(world.thread).to_contain_text("the root")
        link = world.message("and ").get_by_role("link")
        await expect(link).to_have_attribute("target", "_blank")
        await expect(link).to_have_attribute("rel", "noopener noreferrer")


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "text/html"), ("/page/main.js", "text/javascript"), ("/page/base.css", "text/css")],
)
async def test_the_pages_files_forbid_everything_from_elsewhere(path: str, kind: str) -> None:
    """Each file of the page has a fixed content type. Its policy lets the browser load nothing from other
    origins."""
    async with (
        SlackSandbox(routes=page.routes()) as slack,
        aiohttp.ClientSession() as session,
        session.get(slack.backend.base_url + path) as answer,
    ):
        assert answer.content_type == kind
        policy = answer.headers["Content-Security-Policy"]

    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "http" not in policy


async def test_a_foreign_page_reaches_neither_slack_nor_coder() -> None:
    """If a page of another origin sends a request to the demo, the demo refuses it. This also holds for
    requests of the Coder panel."""
    routes = page.routes(coder_url="http://127.0.0.1:9")
    async with SlackSandbox(routes=routes) as slack, aiohttp.ClientSession() as session:
        address = f"{slack.backend.base_url}/_control/coder"
        async with session.get(address, headers={"Origin": "https://evil.test"}) as answer:
            assert answer.status == 403
        async with session.get(address) as answer:
            assert (answer.status, (await answer.json())["error"]) == (
                502,
                "the stand-in of Coder does not answer",
            )
