"""The layout of the demo's page: on a telephone, in menus, and in excerpts with long lines."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Route, ViewportSize, expect
from slack_sdk.web.async_client import AsyncWebClient

from taskwire.domain.lifecycle.phases import Phase
from taskwire.messages import cards
from taskwire_sandbox.coder import CoderSandbox
from taskwire_sandbox.slack import Attachment
from tests.sandbox.page_worlds import World, opened
from tests.unit.message_examples import CODER, FORGES, NOON_MS, OPENED, link

pytestmark = pytest.mark.asyncio(loop_scope="session")

TELEPHONE: ViewportSize = {"width": 390, "height": 844}


async def height(shown: Locator) -> float:
    """Return the height of an element in pixels."""
    box = await shown.bounding_box()
    assert box is not None
    return box["height"]


async def hidden_pixels(shown: Locator) -> list[int]:
    """Return how many pixels of an element's content its box hides: first across, then down. 0 means that the
    content fits."""
    found = await shown.evaluate("e => [e.scrollWidth - e.clientWidth, e.scrollHeight - e.clientHeight]")
    return [int(each) for each in found]


@pytest_asyncio.fixture(loop_scope="session")
async def world(browser: Browser) -> AsyncIterator[World]:
    async with CoderSandbox() as coder, opened(browser, coder) as made:
        yield made


async def test_a_telephone_shows_every_idea_and_everybody(world: World) -> None:
    """In a narrow window, all ideas (buttons that suggest a command) and all people are visible. None of them
    is cut off."""
    await world.page.set_viewport_size({"width": 360, "height": 800})

    for name in ("You are Alice Adams", "Be Bob Brown", "Be Carol Chen", "Be Dora Diaz, a guest"):
        await expect(world.page.get_by_role("button", name=name)).to_be_in_viewport(ratio=1)
    await expect(world.page.locator(".idea")).to_have_count(7)
    for idea in await world.page.locator(".idea").all():
        assert await hidden_pixels(idea) == [0, 0]


async def test_a_telephone_has_the_conversations_in_a_drawer(world: World) -> None:
    """In a narrow window, a button opens a drawer with the conversations. If a person chooses a conversation
    or presses Escape, the drawer closes."""
    await world.page.set_viewport_size(TELEPHONE)
    drawer = world.page.get_by_role("navigation", name="Conversations")
    await expect(drawer).to_be_hidden()

    await world.page.get_by_role("button", name="Conversations").click()
    await drawer.get_by_role("button", name="secret").click()

    await expect(world.page.locator("#conversation-name")).to_have_text("# secret")
    await expect(drawer).to_be_hidden()
    await world.page.get_by_role("button", name="Conversations").click()
    await expect(drawer.get_by_role("button", name="secret")).to_be_focused()
    await world.page.keyboard.press("Escape")
    await expect(drawer).to_be_hidden()
    await expect(world.page.get_by_role("button", name="Conversations")).to_be_focused()


async def test_a_telephone_leaves_most_of_its_height_to_what_is_said(world: World) -> None:
    """On a telephone, a button that suggests a command (an idea) shows only its name. Most of the height is
    thus for messages. A tap on the button still writes the command."""
    await world.page.set_viewport_size(TELEPHONE)

    ideas = world.page.locator(".idea")
    await expect(ideas.last).to_be_in_viewport(ratio=1)
    assert await height(world.page.locator("#messages")) > TELEPHONE["height"] / 2
    await ideas.first.click()
    await expect(world.box).to_have_value("/task create fix the login redirect")


LONG_CARD = {
    "title": "Split the customer name into two columns and check every report that reads them",
    "prompt": "do it this week, please",
    "template": "Tasks on Kubernetes",
    "name": "split-the-customer-name-4e345c",
}
LONG_REPORT = OPENED.model_copy(
    update={
        "message": "Split the name into two columns; the old column stays until both reports read the new"
    }
)


@pytest.mark.parametrize("phase", [Phase.WORKING, Phase.NEEDS_YOU, Phase.DONE, Phase.FAILED, Phase.PAUSED])
@pytest.mark.parametrize("is_mention_only", [False, True])
async def test_a_card_has_seven_lines_on_a_telephone(
    world: World, phase: Phase, is_mention_only: bool
) -> None:
    """On a telephone, a card has seven lines at most, in a font as large as Slack's, also with long texts."""
    await world.page.set_viewport_size(TELEPHONE)
    shown = link(phase, LONG_REPORT)
    record = shown.record.model_copy(update=LONG_CARD)
    state = shown.state.model_copy(update={"since_ms": NOON_MS + 14_000, "started_ms": NOON_MS})
    update = {"record": record, "state": state, "is_mention_only": is_mention_only}
    card = cards.card(shown.model_copy(update=update), coder_url=CODER, forges=FORGES)
    client = AsyncWebClient(token=world.slack.bot_token, base_url=world.slack.api_url)
    shop = world.slack.workspace.channel("shop").id
    await client.chat_postMessage(channel=shop, text="card", blocks=[*card.blocks])

    drawn = world.message("Split the customer name")
    await expect(drawn).to_have_css("font-size", "15px")
    await expect(drawn.locator(".line").first).to_have_css("line-height", "22px")
    parts = await drawn.locator(".content .block:not(.actions)").all()
    assert sum([round(await height(part) / 22) for part in parts]) <= 6
    assert await height(drawn.locator(".actions").last) < 2 * 36


async def test_a_telephone_shows_the_message_box_with_one_line_whole(world: World) -> None:
    """In a narrow window, the message box shows its placeholder in one complete line, even after the window
    was resized."""
    await expect(world.box).to_have_attribute("placeholder", "Message #shop, or type / for a command")
    await world.page.set_viewport_size(TELEPHONE)

    await expect(world.box).to_have_attribute("placeholder", "Message #shop")
    assert await height(world.box) < 40


async def test_the_message_box_names_its_channel_before_the_stream_is_open(world: World) -> None:
    """While the page waits for its second answer about the workspace, it is not connected yet. The
    placeholder of the message box already names the channel."""
    asked: list[str] = []

    async def answer_once(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            await route.continue_()

    await world.page.route("**/_control/state*", answer_once)
    await world.page.reload()
    await world.page.locator("[data-ready]").wait_for()

    await expect(world.box).to_have_attribute("placeholder", "Message #shop, or type / for a command")
    await expect(world.page).to_have_title("shop · Taskwire demo")
    assert asked


@pytest.mark.parametrize("width", [390, 1280])
async def test_the_name_of_a_file_is_shown_whole(world: World, width: int) -> None:
    """At this width of the window, nothing covers the name of a file, in the channel or in a thread."""
    await world.page.set_viewport_size({"width": width, "height": 844})
    file = Attachment("log-of-the-failed-nightly-deployment.txt", b"one line")
    ts = await world.slack.post("bob", "shop", "the root", files=[file])
    await world.slack.post("bob", "shop", "the reply", ts, files=[file])
    await world.message("the root").get_by_role("button", name="1 reply").click()

    for place in (world.message("the root"), world.thread.locator(".message", has_text="the reply")):
        await expect(place.locator(".file-name")).to_have_text(file.name)
        assert await hidden_pixels(place.locator(".file-name")) == [0, 0]


async def test_what_coder_sees_is_closed_where_it_lies_over_the_rest(world: World) -> None:
    """In a narrow window, the Coder panel covers the page. The panel's own button closes the panel and
    returns the focus to the button that opens it."""
    await world.page.set_viewport_size(TELEPHONE)
    switch = world.page.get_by_role("button", name="What Coder sees")
    await switch.click()
    panel = world.page.get_by_role("complementary", name="What Coder sees")
    box = await panel.bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, TELEPHONE["width"])

    await panel.get_by_role("button", name="Close this panel").click()

    await expect(panel).to_be_hidden()
    await expect(switch).to_be_focused()


async def test_the_tour_closes_the_panel_that_would_cover_it(world: World) -> None:
    """In a narrow window, the Coder panel covers the page. If a person starts the tour, the panel closes and
    the tour is visible."""
    await world.page.set_viewport_size(TELEPHONE)
    await world.page.get_by_role("button", name="What Coder sees").click()

    await world.page.get_by_role("button", name="Tour", exact=True).click()

    await expect(world.page.get_by_role("complementary", name="What Coder sees")).to_be_hidden()
    await world.page.get_by_role("button", name="Step through").click()
    await expect(world.page.get_by_role("region", name="Tour")).to_contain_text("Step 1 of 13")


async def test_the_ideas_leave_the_room_to_messages(world: World) -> None:
    """Once there are messages, the strip of ideas has one line. It is not above direct messages."""
    strip = world.page.get_by_role("region", name="Things to try")
    await expect(strip.locator(".idea")).to_have_count(7)
    await expect(strip.locator(".idea").last).to_be_visible()

    await world.slack.post("bob", "shop", "hello")

    await expect(strip).to_contain_text("More ideas: 💡 beside the message box.")
    await expect(strip.locator(".idea").last).to_be_hidden()
    assert await height(strip) < 50
    await world.page.get_by_role("button", name="Taskwire", exact=True).click()
    await world.page.get_by_role("button", name="Messages", exact=True).click()
    await expect(world.page.locator("#conversation-name")).to_have_text("Taskwire")
    await expect(strip).to_be_hidden()


async def test_a_message_box_beside_a_thread_shows_whole_lines(world: World) -> None:
    """Between a thread and the Coder panel, the message box has room for few words. It shows them whole."""
    await world.page.set_viewport_size({"width": 1280, "height": 800})
    ts = await world.slack.post("bob", "shop", "the root")
    await world.slack.post("bob", "shop", "a reply", ts)
    await world.message("the root").get_by_role("button", name="1 reply").click()

    await expect(world.box).to_have_attribute("placeholder", "Message #shop")
    assert await height(world.page.locator(".composer-note")) < 25


async def test_a_trouble_covers_no_message_box(world: World) -> None:
    """The page says in a strip at the top that a message was not sent. The strip does not cover a message
    box."""
    ts = await world.slack.post("bob", "shop", "the root")
    await world.slack.post("bob", "shop", "a reply", ts)
    await world.message("the root").get_by_role("button", name="1 reply").click()
    await expect(world.thread).to_contain_text("a reply")
    await world.page.route("**/_control/act", lambda route: route.abort("aborted"))
    await world.type("hello")

    trouble = await world.page.get_by_text("The demo does not answer. Is it still running?").bounding_box()
    assert trouble is not None
    for box in (world.box, world.reply_box):
        place = await box.bounding_box()
        assert place is not None
        assert trouble["y"] + trouble["height"] <= place["y"]


async def test_a_menu_stays_in_its_pane(world: World) -> None:
    """If a person opens the menu of a reply, the menu stays inside the thread's pane. It does not cover the
    panel beside the thread."""
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
    """If a line of an excerpt has no spaces, it is wrapped, and no line below it is cut off."""
    lines = "\n".join(["/srv/" + "long" * 80, *(f"line {number}" for number in range(40))])
    await world.slack.post("bob", "shop", f"```{lines}```")

    code = world.message("line 39").locator("pre")
    await expect(code).to_be_visible()
    assert await hidden_pixels(code) == [0, 0]


async def test_a_channel_keeps_its_end_in_view_when_a_thread_opens_beside_it(world: World) -> None:
    """When a thread opens, the channel gets narrower and its lines wrap more. The last message of the channel
    stays in view."""
    for number in range(12):
        await world.slack.post("bob", "shop", f"message {number} " + "with many words " * 12)
    ts = await world.slack.post("bob", "shop", "the root")
    await world.slack.post("alice", "shop", "mine", ts)
    root = world.message("the root")
    await expect(root.get_by_role("button", name="1 reply")).to_be_in_viewport()

    await root.get_by_role("button", name="1 reply").click()
    await expect(world.thread.locator(".message", has_text="mine")).to_be_visible()

    await expect(root.get_by_role("button", name="1 reply")).to_be_in_viewport()
    await world.slack.post("bob", "shop", "one more")
    await expect(world.message("one more")).to_be_in_viewport()
