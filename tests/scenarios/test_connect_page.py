"""People connect their Coder accounts on a page of Coder (OAuth2), instead of pasting a token."""

import re
from collections.abc import AsyncIterator
from html import unescape
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from taskwire.app.bot import run_bot
from taskwire_sandbox.coder.faults import cut_after, server_error
from tests.ports import free_port

from .people import Person
from .test_connect import scopes_of, senders
from .test_notices_to_administrators import direct_messages
from .waiting import a_waiting_agent
from .world import CARD_SECONDS, World

OFFER = (
    "Connect your Coder account: allow Taskwire on Coder's page. You then act in your own name. This link "
    "is for you alone, and works for 10 minutes.\n"
    "[Open Coder] [Paste a token instead]"
)
BEGIN_AGAIN = "Coder did not let me connect your account. `/task connect` begins again."
HOUR_SECONDS = 3_600.0
RETRY_SECONDS, LEASE_SECONDS = 3.0, 60.0


class Browser:
    """A browser that is signed in to Coder as one person."""

    def __init__(self, world: World, http: httpx.AsyncClient, username: str) -> None:
        self._world, self._http, self._username = world, http, username

    async def allows(self, page: str) -> str:
        """Open the link and press *Allow*. Return the text of the last page."""
        landed = await self.comes_back_with(page)
        return await self.opens(landed)

    async def comes_back_with(self, page: str) -> str:
        """Open the link and press *Allow*. Return the address to which Coder sends the browser."""
        user = self._world.coder.user(self._username).id
        asked = await self._http.get(page, params={"user": user, **_query(page)})
        assert f"full access to your {self._username} account" in asked.text
        sent = await self._http.post(page, params={"user": user, **_query(page)})
        return sent.headers["Location"]

    async def opens(self, address: str) -> str:
        """Open an address of Taskwire. Return the text of the last page."""
        answer = await self._http.get(address)
        while answer.is_redirect:
            assert answer.status_code == 303
            answer = await self._http.get(urljoin(address, answer.headers["Location"]))
        assert "<script" not in answer.text
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert not re.search("code=|state=", str(answer.url))
        return unescape(re.sub("<[^>]+>", "", answer.text)).strip()


def _query(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Provide an HTTP session for all browsers of a test. It shares no cookies with other tests."""
    async with httpx.AsyncClient() as client:
        yield client


@pytest.fixture
async def page(world: World) -> AsyncIterator[World]:
    """Provide a deployment whose people connect their accounts on Coder's page."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    app = world.coder.add_oauth_app("Taskwire", f"{address}/coder/callback")
    await world.restarts(
        accounts="both",
        coder_oauth_client_id=app.id,
        coder_oauth_secret=SecretStr(app.secret),
        public_url=address,
        http_addr=f"127.0.0.1:{port}",
    )
    yield world
    # Disconnect both people, because a waiting renewal would count as a job that is left at the end.
    for person in (world.alice, world.bob):
        await person.types("/task disconnect")
        person.reads()


async def asks(world: World, person: Person) -> str:
    """Let a person type `/task connect`. Return the address that the button opens."""
    await person.types("/task connect")
    assert person.reads()[-1].endswith("[Open Coder] [Paste a token instead]")
    told = world.slack.ephemerals(person.id)[-1]
    return next(
        str(element["url"])
        for block in told.body["blocks"]
        for element in block.get("elements", ())
        if "url" in element
    )


async def connects(world: World, http: httpx.AsyncClient, person: Person) -> None:
    """Connect the person's Coder account of the same name."""
    await Browser(world, http, person.name).allows(await asks(world, person))
    await world.settles()
    assert person.reads() == [f"Connected: you are *{person.name}* in Coder.\n[Disconnect]"]


def count(world: World, route: str) -> int:
    """Return how many calls of a route have succeeded."""
    return len([seen for seen in world.coder.requests if seen.route == route and seen.status == 200])


def keys_of(world: World, name: str) -> list[str]:
    """Return the ids of this person's tokens in Coder."""
    return [key.id for key in world.coder.world.tokens.values() if key.user.username == name]


async def test_a_person_who_allows_it_on_coders_page_is_connected(
    page: World, http: httpx.AsyncClient
) -> None:
    """A person presses *Allow* on Coder's page. Their account in Coder has the same e-mail address as in
    Slack, so it is connected without another question. `/task disconnect` revokes the token."""
    await page.alice.types("/task connect")
    offered = page.alice.reads()
    link = await asks(page, page.alice)

    shown = await Browser(page, http, "alice").allows(link)
    await page.settles()
    told = page.alice.reads()
    thread, task = await a_waiting_agent(page)
    await page.alice.replies(thread, "add a test")
    await page.alice.types("/task connect")
    again = page.alice.reads()
    await page.alice.types("/task disconnect")

    assert offered == [OFFER]
    assert shown.startswith("Go back to Slack")
    assert told == ["Connected: you are *alice* in Coder.\n[Disconnect]"]
    assert task.inputs == ["add a test"]
    assert set(senders(page, "tasks.send")) == {"alice"}
    assert again[0].startswith("You are *alice* in Coder. Connect another account: allow")
    assert page.alice.reads() == ["Disconnected from *alice*. I deleted my token for you."]
    assert keys_of(page, "alice") == []
    assert count(page, "oauth.revoke") == 1
    thread.new_messages()


async def test_another_account_needs_the_number_that_the_browser_shows(
    page: World, http: httpx.AsyncClient
) -> None:
    """Mallory's link is opened in Alice's browser, and Alice presses *Allow*. Only Alice's browser shows a
    number. The bot connects the account to Mallory only when Mallory enters that number."""
    mallory = page.person("mallory")
    await page.slack.join(mallory.id, "general")
    shown = await Browser(page, http, "alice").allows(await asks(page, mallory))
    await page.settles()
    asked = mallory.reads()
    number = shown.splitlines()[-1]

    wrong = []
    for _ in range(2):
        await mallory.presses("Enter the number")
        await submits(page, mallory, "1234 5678")
        wrong += mallory.reads()
    held = page.coder.world.tokens.keys() >= set(keys_of(page, "alice"))
    await mallory.presses("Enter the number")
    await submits(page, mallory, number)

    assert re.fullmatch(r"\d{4} \d{4}", number)
    assert asked == [
        "Is *alice* your Coder account? Then enter the number that your browser shows. If you did not ask "
        "for this, do nothing: the request ends after 10 minutes.\n[Enter the number]"
    ]
    assert wrong == ["The numbers differ. Press *Enter the number* again."] * 2
    assert held
    assert mallory.reads() == ["Connected: you are *alice* in Coder.\n[Disconnect]"]
    await mallory.types("/task disconnect")
    mallory.reads()


async def submits(world: World, person: Person, number: str) -> None:
    """Enter this number in the dialog that asks for it, and submit the dialog."""
    view = world.slack.views(person.id)[-1]
    assert (await world.slack.submit(person.id, view, {"account.number": number})).ok
    await world.settles()


async def test_without_the_number_nothing_is_connected(page: World, http: httpx.AsyncClient) -> None:
    """The browser shows a number that the person must enter in Slack. After five wrong numbers, no account
    gets connected. Ten minutes after *Allow*, the bot revokes the token in Coder."""
    mallory = page.person("mallory")
    await page.slack.join(mallory.id, "general")
    shown = await Browser(page, http, "alice").allows(await asks(page, mallory))
    await page.settles()
    for _ in range(6):
        await mallory.presses("Enter the number")
        await submits(page, mallory, "00000000")
    told = mallory.reads()[1:]

    await mallory.presses("Enter the number")
    await submits(page, mallory, shown.splitlines()[-1])
    await page.passes(HOUR_SECONDS / 6 + 1)

    assert told[4] == ("The numbers differ. The account is not connected. `/task connect` begins again.")
    assert mallory.reads() == ["I am not waiting for a number. `/task connect` begins again."]
    assert keys_of(page, "alice") == []


async def test_a_link_works_once_and_for_ten_minutes(page: World, http: httpx.AsyncClient) -> None:
    """A person opens a link that was used, is too old, was invented, or was denied in Coder. No account is
    connected. The page shows nothing about any person."""
    browser = Browser(page, http, "alice")
    landed = await browser.comes_back_with(await asks(page, page.alice))
    await browser.opens(landed)
    await page.settles()
    page.alice.reads()
    http.cookies.clear()
    used = await browser.opens(landed)
    denied_link = await asks(page, page.alice)
    state = _query(denied_link)["state"]
    denied = await browser.opens(f"{callback(page)}?error=access_denied&state={state}")
    after_denied = await browser.opens(f"{callback(page)}?code=coder_a_b&state={state}")
    invented = await browser.opens(f"{callback(page)}?code=coder_a_b&state={'x' * 64}")
    old_link = await asks(page, page.alice)
    old_state = _query(old_link)["state"]
    await page.forgets()
    old = await browser.opens(f"{callback(page)}?code=coder_a_b&state={old_state}")

    over = "This link is used or too old\nNothing was connected. In Slack, /task connect begins again."
    assert "\n".join(filter(None, denied.splitlines())).endswith("In Slack, /task connect begins again.")
    for shown in (used, after_denied, invented, old):
        assert "\n".join(filter(None, shown.splitlines()[1:])) == over
    assert count(page, "oauth.tokens") == 1


def callback(world: World) -> str:
    """Return the address to which Coder sends the browser back."""
    return f"{world.settings.public_url}/coder/callback"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "PUT"])
async def test_a_program_that_only_looks_at_the_link_does_not_use_it_up(
    page: World, http: httpx.AsyncClient, method: str
) -> None:
    """A scanner of links asks for the address before the browser opens it. The person is connected all the
    same, by the browser."""
    browser = Browser(page, http, "alice")
    landed = await browser.comes_back_with(await asks(page, page.alice))

    looked = await http.request(method, landed)
    await page.settles()
    told = page.alice.reads()
    await browser.opens(landed)
    await page.settles()

    assert (looked.status_code // 100, told) == (4, [])
    assert page.alice.reads() == ["Connected: you are *alice* in Coder.\n[Disconnect]"]


async def test_a_code_of_somebody_else_is_worth_nothing(page: World, http: httpx.AsyncClient) -> None:
    """After Alice's *Allow*, Coder gives her browser a code. Bob sends this code as the answer to his own
    link. PKCE ties a code to its link, so Coder refuses it."""
    stolen = _query(await Browser(page, http, "alice").comes_back_with(await asks(page, page.alice)))["code"]
    own = _query(await asks(page, page.bob))["state"]

    await Browser(page, http, "bob").opens(f"{callback(page)}?code={stolen}&state={own}")
    await page.settles()

    assert page.bob.reads() == [BEGIN_AGAIN]
    assert keys_of(page, "alice") == []


async def test_coder_that_is_away_at_the_exchange_is_asked_again(
    page: World, http: httpx.AsyncClient
) -> None:
    """After *Allow*, the bot requests tokens from Coder. If Coder fails and makes no tokens, the bot repeats
    the request. If only Coder's answer is lost, the bot asks the person to begin again."""
    page.coder.plan_fault("oauth.tokens", server_error(status=503), times=2)
    await Browser(page, http, "alice").allows(await asks(page, page.alice))
    for _ in range(3):
        await page.passes(4 * RETRY_SECONDS)
    waited = page.alice.reads()
    page.coder.plan_fault("oauth.tokens", cut_after())
    await Browser(page, http, "bob").allows(await asks(page, page.bob))
    await page.passes(RETRY_SECONDS)

    assert waited[-1] == "Connected: you are *alice* in Coder.\n[Disconnect]"
    assert page.bob.reads() == [BEGIN_AGAIN]


async def test_the_tokens_are_refreshed_before_they_end(page: World, http: httpx.AsyncClient) -> None:
    """Coder's access tokens live for a day, so the bot refreshes them earlier. If there are two replicas, one
    of them does this. The person gets no message.

    After an outage of more than a day, the bot can still refresh the tokens.
    """
    await connects(page, http, page.alice)
    first = keys_of(page, "alice")

    other = page.settings.model_copy(update={"http_addr": "127.0.0.1:0"})
    async with run_bot(other, page.connections, clock=page.clock, has_timers=False):
        await page.passes(19 * HOUR_SECONDS)
    second, exchanges = keys_of(page, "alice"), count(page, "oauth.tokens")
    await page.stops()
    page.clock.passes(30 * HOUR_SECONDS)
    await page.starts()
    await page.passes(CARD_SECONDS)
    await page.alice.types("/task create fix the login")
    await page.passes(10)

    assert exchanges == 2
    assert len({*first, *second, *keys_of(page, "alice")}) == 3
    assert len(keys_of(page, "alice")) == 1
    assert page.task("fix-the-login").row.owner.username == "alice"
    assert direct_messages(page, "alice") == []
    page.alice.reads()
    page.cards()


async def test_a_lost_refresh_asks_the_person_to_connect_again(page: World, http: httpx.AsyncClient) -> None:
    """The bot refreshes a person's tokens, and Coder's answer is lost. The bot asks the person to connect
    again. Until then, the person's next request waits."""
    await connects(page, http, page.alice)
    page.coder.plan_fault("oauth.tokens", cut_after())
    await page.passes(19 * HOUR_SECONDS)
    await page.passes(LEASE_SECONDS)
    told = direct_messages(page, "alice")

    await page.alice.types("/task create fix the login")
    waits = page.alice.reads()
    await Browser(page, http, "alice").allows(await asks(page, page.alice))
    await page.settles()
    await page.passes(CARD_SECONDS)

    assert told == [
        "Coder refuses my token for your account *alice*. Your requests have to wait until you connect again."
    ]
    assert waits == [
        "Coder refuses my token for your account *alice*. Creating *fix the login* has to wait until you "
        "connect again.\n[Connect with Coder] [Paste a token instead]"
    ]
    assert page.task("fix-the-login").row.owner.username == "alice"
    page.alice.reads()
    page.cards()


async def test_the_token_can_be_pasted_as_before(page: World) -> None:
    """The answer to `/task connect` has two buttons. One opens Coder's page, and the other opens the dialog
    for a pasted token."""
    await page.alice.types("/task connect")

    await page.alice.presses("Paste a token instead")
    view = page.slack.views(page.alice.id)[-1]
    assert (await page.slack.submit(page.alice.id, view, {"account.token": page.coder.add_token("alice")})).ok
    await page.settles()

    assert page.alice.reads()[-1].startswith("Connected: you are *alice* in Coder.")
    assert [name for name, _ in scopes_of(page, "alice")] == ["taskwire"]
