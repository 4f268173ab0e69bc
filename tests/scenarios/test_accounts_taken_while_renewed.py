"""While Coder renews a person's tokens, another person connects the same Coder user, because Coder refuses
the old token. Then only the other person has this Coder user."""

import asyncio

import httpx
import pytest

from taskwire.coder.client import CoderClient
from taskwire.coder.keys import make_token
from taskwire.coder.oauth import GrantRefused, OAuthClient, Tokens
from taskwire.domain.ids import UserId
from taskwire.queue.batch import Batch
from taskwire.tasks import connect
from taskwire_sandbox.coder.faults import server_error
from taskwire_sandbox.slack.view_stacks import View

from .people import Person
from .test_connect import connects as pastes_token
from .test_connect_page import HOUR_SECONDS, connects, http, keys_of, page
from .test_notices_to_administrators import direct_messages
from .world import CARD_SECONDS, World

__all__ = ["http", "page"]

DAY_SECONDS = 24 * HOUR_SECONDS


async def _opens_dialog(world: World) -> View:
    """Let Bob open the dialog for a token. Return the dialog."""
    await world.bob.types("/task connect")
    has_page = world.bot.parts.deps.oauth is not None
    await world.bob.presses("Paste a token instead" if has_page else "Paste the token")
    return world.slack.views(world.bob.id)[-1]


async def _bob_takes_user_of(world: World, former: Person, view: View) -> None:
    """Mark a person's token as refused, as after three minutes of waiting. Let Bob connect the person's Coder
    user with a token."""
    accounts, bob = world.bot.parts.deps.accounts, UserId(world.bob.id)
    known = await accounts.find(UserId(former.id))
    assert known is not None
    await world.bot.parts.deps.queues.write(accounts.mark_refused(Batch(), known.person, known.key_id))
    await world.slack.submit(bob, view, {"account.token": world.coder.add_token(former.name)})
    while await accounts.find(bob) is None:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.02)


async def _assert_only_bob_has_it(world: World, former: Person) -> None:
    accounts = world.bot.parts.deps.accounts
    await world.passes(CARD_SECONDS)
    held = await accounts.find(UserId(world.bob.id))
    assert held is not None
    assert await accounts.find_person(held.user_id) == world.bob.id
    assert await accounts.find(UserId(former.id)) is None
    assert keys_of(world, former.name) == [held.key_id]
    assert direct_messages(world, former.name) == [
        f"Coder refused my token for you, and Bob has since connected the Coder account *{former.name}*. You "
        "have no account connected now. `/task connect` connects one."
    ]
    assert not await world.dead_letters()
    world.bob.reads()


@pytest.mark.parametrize("is_given", [True, False], ids=["new tokens", "refused"])
async def test_a_refresh_does_not_bring_an_account_back(
    page: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, is_given: bool
) -> None:
    """Bob takes Alice's Coder user during the refresh. Coder then gives new tokens, or refuses. Alice has no
    account, and her new tokens are deleted."""
    await connects(page, http, page.alice)
    view, refresh = await _opens_dialog(page), OAuthClient.refresh

    async def refresh_late(self: OAuthClient, refresh_token: str) -> Tokens:
        tokens = await refresh(self, refresh_token)
        await _bob_takes_user_of(page, page.alice, view)
        if not is_given:
            await self.revoke(tokens.refresh_token)
            raise GrantRefused("refresh token", "invalid_grant", "")
        return tokens

    monkeypatch.setattr(OAuthClient, "refresh", refresh_late)
    await page.passes(19 * HOUR_SECONDS)

    await _assert_only_bob_has_it(page, page.alice)


async def test_the_renewal_of_a_pasted_token_does_not_bring_an_account_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bob takes Olga's Coder user while Coder makes another token for Olga. Olga has no account, and the
    other token is deleted."""
    olga = world.person("olga", roles=("owner",))
    await world.slack.join(olga.id, "general")
    await world.restarts(accounts="both")
    await pastes_token(world, olga)
    old = keys_of(world, "olga")
    view = await _opens_dialog(world)

    async def make_token_late(client: CoderClient, name: str, scopes: tuple[str, ...]) -> str:
        token = await make_token(client, name, scopes)
        if old:
            del world.coder.world.tokens[old.pop()]
            await _bob_takes_user_of(world, olga, view)
        return token

    monkeypatch.setattr(connect, "make_token", make_token_late)
    await world.passes(5.5 * DAY_SECONDS)

    await _assert_only_bob_has_it(world, olga)
    await world.bob.types("/task disconnect")
    world.bob.reads()


async def test_where_coder_revokes_nothing_the_new_account_deletes_the_refused_token(
    page: World, http: httpx.AsyncClient
) -> None:
    """Coder refuses Alice's token, which it still has, and cannot revoke tokens. Bob takes her Coder user.
    Her token is deleted with Bob's."""
    await connects(page, http, page.alice)
    view = await _opens_dialog(page)
    for token in page.coder.world.tokens.values():
        if token.user.username == "alice":
            token.expires_at = page.coder.world.schedule.now()
    page.coder.plan_fault("oauth.revoke", server_error("No such route.", 404), times=None)

    await _bob_takes_user_of(page, page.alice, view)

    await _assert_only_bob_has_it(page, page.alice)
    page.coder.clear_faults()
