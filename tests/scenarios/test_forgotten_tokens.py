"""No token of a person stays valid in Coder when `taskwire forget` removes the person, or when a connection
is given up."""

import httpx

from taskwire.app.forgetting import Forgetting
from taskwire.domain.ids import UserId
from taskwire_sandbox.coder.faults import server_error

from .people import Person
from .test_connect import both, pastes, scopes_of
from .test_connect import connects as connects_by_token
from .test_connect_page import Browser, asks, http, keys_of, page
from .world import World

__all__ = ["both", "http", "page"]

HOUR_SECONDS = 3_600.0


async def forget(world: World, person: Person) -> Forgetting:
    """Forget a person, as `taskwire forget` does beside the running bot."""
    forgetting = Forgetting(world.settings, world.connections, world.keys, UserId(person.id))
    await forgetting.run()
    await world.settles()
    return forgetting


async def a_replaced_token(world: World) -> None:
    """Let Alice connect twice while Coder deletes no token. A replaced token then waits to be deleted."""
    await connects_by_token(world, world.alice)
    world.coder.plan_fault("keys.delete", server_error(status=503), times=None)
    await world.alice.types("/task connect")
    await pastes(world, world.alice, world.coder.add_token("alice"))
    world.alice.reads()
    assert len(scopes_of(world, "alice")) > 1


async def test_a_token_that_waits_to_be_deleted_is_deleted_when_its_person_is_forgotten(both: World) -> None:
    """Alice has replaced her token, and Coder has not deleted the old one yet. When she is forgotten, all her
    tokens are deleted in Coder."""
    await a_replaced_token(both)
    both.coder.clear_faults()

    forgetting = await forget(both, both.alice)

    assert forgetting.left == []
    assert scopes_of(both, "alice") == []


async def test_while_coder_is_away_the_deletion_of_a_token_is_kept(both: World) -> None:
    """Alice is forgotten while Coder deletes no token. The command says so. When Coder answers again, the
    running bot deletes the old token, and the next command deletes the rest."""
    await a_replaced_token(both)

    first = await forget(both, both.alice)
    both.coder.clear_faults()
    await both.passes(HOUR_SECONDS)
    second = await forget(both, both.alice)
    both.alice.reads()

    assert [words.partition(":")[0] for words in first.left] == [
        "the Coder account and its token, because Coder does not answer"
    ]
    assert second.left == []
    assert scopes_of(both, "alice") == []


async def test_tokens_of_an_unconfirmed_account_are_deleted_when_their_person_is_forgotten(
    page: World, http: httpx.AsyncClient
) -> None:
    """Mallory's link was allowed in Alice's browser, and Mallory is forgotten before she enters the number.
    The tokens of Alice's account end in Coder."""
    mallory = page.person("mallory")
    await page.slack.join(mallory.id, "general")
    await Browser(page, http, "alice").allows(await asks(page, mallory))
    await page.settles()
    mallory.reads()

    forgetting = await forget(page, mallory)

    assert forgetting.left == []
    assert keys_of(page, "alice") == []


async def test_tokens_of_a_connection_that_is_given_up_end(page: World, http: httpx.AsyncClient) -> None:
    """Coder gives the tokens, and then does not say for an hour whose they are. The connection is given up,
    and the tokens end in Coder."""
    mallory = page.person("mallory")
    await page.slack.join(mallory.id, "general")
    browser = Browser(page, http, "alice")
    landed = await browser.comes_back_with(await asks(page, mallory))
    page.coder.plan_fault("users.get", server_error(status=503), times=None)
    await browser.opens(landed)
    await page.settles()
    before = keys_of(page, "alice")

    for _ in range(40):
        await page.passes(HOUR_SECONDS / 30)

    assert len(before) == 1
    assert keys_of(page, "alice") == []
    assert mallory.reads() == [
        "Coder is not answering, so connecting your Coder account has to wait. I'll try for an hour; no need "
        "to repeat it.",
        "Coder did not answer for an hour, so connecting your Coder account failed. Ask again when Coder is "
        "back.",
    ]


async def test_a_connected_account_keeps_its_tokens(page: World, http: httpx.AsyncClient) -> None:
    """Alice connects her account on Coder's page. An hour later, she still acts with the same token."""
    await Browser(page, http, "alice").allows(await asks(page, page.alice))
    await page.settles()
    before = keys_of(page, "alice")

    await page.passes(HOUR_SECONDS)

    assert page.alice.reads() == ["Connected: you are *alice* in Coder.\n[Disconnect]"]
    assert keys_of(page, "alice") == before
