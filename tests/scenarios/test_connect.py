"""People connect their own Coder accounts. The bot then acts on tasks in the person's own name."""

import base64
from collections.abc import Callable
from urllib.parse import quote

import pytest

from taskwire.coder.scopes import PERSON_SCOPES
from taskwire_sandbox.coder.faults import Fault, cut_after, hang, refused, server_error

from .people import Person
from .test_audit import entries
from .test_notices_to_administrators import direct_messages
from .test_secrets_kept import stored
from .waiting import a_waiting_agent
from .world import CARD_SECONDS, World

OFFER = (
    "Connect your Coder account to act in your own name. Copy a token from Coder's page, then paste it.\n"
    "[Get a token] [Paste the token]"
)

WRONG_TOKEN = "aaaaaaaaaa-bbbbbbbbbbbbbbbbbbbbbb"
REFUSED = "Coder refuses this token. Copy a new one and paste it."
# RETRY_SECONDS is longer than the first waits between two tries. LEASE_SECONDS is longer than a lease.
RETRY_SECONDS, LEASE_SECONDS = 3.0, 60.0
DAY_SECONDS = 86_400.0


@pytest.fixture
async def both(world: World) -> World:
    """Provide a deployment with a service account, in which people may also connect their own accounts."""
    await world.restarts(accounts="both")
    return world


def scopes_of(world: World, name: str) -> list[tuple[str, int]]:
    """Return each Coder token of this person, as its name and its number of scopes."""
    keys = world.coder.world.tokens.values()
    return [(key.name, len(key.scopes)) for key in keys if key.user.username == name]


async def pastes(world: World, person: Person, token: str) -> None:
    """Press *Paste the token* in the person's newest message with that button. Submit this token in the
    dialog."""
    await person.presses("Paste the token")
    view = world.slack.views(person.id)[-1]
    submitted = await world.slack.submit(person.id, view, {"account.token": token})
    assert submitted.ok, submitted
    await world.settles()


async def connects(world: World, person: Person, channel: str = "general") -> str:
    """Connect the Coder account that has the person's name. Return the token that was pasted."""
    token = world.coder.add_token(person.name)
    await person.types("/task connect", channel)
    await pastes(world, person, token)
    told = person.reads()
    assert told[0] == OFFER
    assert told[1].startswith(f"Connected: you are *{person.name}* in Coder.")
    return token


def senders(world: World, route: str) -> list[str]:
    """Return who made the calls of a route, by their Coder user names."""
    return [seen.user for seen in world.coder.requests if seen.route == route]


async def test_a_connected_person_acts_in_their_own_name(both: World) -> None:
    """Alice has connected her account. The bot uses her token to create, steer and read her task. It reads
    the list of tasks with the service account's token."""
    await connects(both, both.alice)

    thread, task = await a_waiting_agent(both)
    await both.alice.replies(thread, "add a test")
    await both.alice.types(f"/task pause {task.name}")
    both.alice.reads()

    assert task.inputs == ["add a test"]
    for route in ("tasks.create", "tasks.send", "tasks.logs", "tasks.pause"):
        assert set(senders(both, route)) == {"alice"}, route
    assert set(senders(both, "tasks.list")) - {"alice"} == {"taskwire"}
    thread.new_messages()


async def test_the_pasted_token_is_exchanged_and_deleted(both: World) -> None:
    """With the token that a person pastes, the bot makes a token of its own. This token has a name, few
    scopes and the longest lifetime that Coder allows. The bot then deletes the pasted token."""
    pasted = await connects(both, both.alice)

    assert scopes_of(both, "alice") == [("taskwire", len(PERSON_SCOPES))]
    assert pasted.partition("-")[0] not in both.coder.world.tokens


async def test_a_token_is_nowhere_in_plain_text(both: World) -> None:
    """A person connects by pasting a token, and the bot makes a token of its own. Neither token is in plain
    text in the store or in a call to Slack."""
    pasted = await connects(both, both.alice)
    own = next(key.key for key in both.coder.world.tokens.values() if key.name == "taskwire")

    kept = await stored(both)
    said = repr([call.arguments for call in both.slack.calls])

    for token in (pasted, own):
        forms = {token, quote(token), base64.b64encode(token.encode()).decode(), token.encode().hex()}
        assert not [form for form in forms if form in kept or form in said]


async def test_what_somebody_unknown_asks_for_goes_on_when_they_have_connected(both: World) -> None:
    """A person without a known Coder account types a command. The bot answers once, in the same channel, how
    to connect the account. When the person has connected it, the command runs."""
    carol = both.person("carol", in_coder=False)
    await both.slack.join(carol.id, "general")
    both.coder.add_user("cc", email="other@example.com")

    await carol.types("/task create fix the logout")
    told = carol.reads()
    await pastes(both, carol, both.coder.add_token("cc"))
    await both.passes(CARD_SECONDS)

    assert told == [
        "Creating *fix the logout* has to wait until you connect your Coder account. Copy a token from "
        "Coder's page, then paste it.\n[Get a token] [Paste the token]"
    ]
    assert carol.reads()[0] == (
        "Connected: you are *cc* in Coder. This account's e-mail address is not the one that you use in "
        "Slack. If the account is somebody else's, disconnect.\n[Disconnect]"
    )
    assert both.task("fix-the-logout").row.owner.username == "cc"
    assert len(both.cards()) == 1


@pytest.mark.parametrize("fault", [None, server_error(), hang()], ids=["in time", "error", "no answer"])
async def test_a_wrong_token_connects_nothing(both: World, fault: Fault | None) -> None:
    """A person pastes a token that Coder refuses. The dialog stays open and says so beside the field. If
    Coder does not answer in time, the dialog closes, and a message says so later."""
    await both.alice.types("/task connect")
    await both.alice.presses("Paste the token")
    view = both.slack.views(both.alice.id)[-1]
    if fault is not None:
        both.coder.plan_fault("users.get", fault)

    submitted = await both.slack.submit(both.alice.id, view, {"account.token": WRONG_TOKEN})
    await both.settles()
    await both.passes(RETRY_SECONDS)

    told = both.alice.reads()
    assert submitted.errors == ({"account.token": REFUSED} if fault is None else {})
    assert told == ([OFFER] if fault is None else [OFFER, f"{REFUSED}\n[Get a token] [Paste the token]"])
    assert scopes_of(both, "alice") == []


@pytest.mark.parametrize(
    "pasted", ["two words", "aaaaaaaaaa-bbbb\nbbbb", "aaaaaaaaaa-bbbb\0bbbb", "aaaaaaaaaa-bébé"]
)
async def test_a_text_that_can_be_no_token_is_said_beside_the_field(both: World, pasted: str) -> None:
    """A person pastes a text that cannot be a token. The dialog shows an error beside the field and stays
    open, so that the person can paste the right token."""
    await both.alice.types("/task connect")
    await both.alice.presses("Paste the token")
    view = both.slack.views(both.alice.id)[-1]

    first = await both.slack.submit(both.alice.id, view, {"account.token": pasted})
    again = await both.slack.submit(both.alice.id, view, {"account.token": both.coder.add_token("alice")})
    await both.settles()

    assert first.errors == {
        "account.token": "Not a token: it has spaces or odd characters. Copy the whole token from "
        "Coder's page again."
    }
    assert again.ok
    told = both.alice.reads()
    assert told[0] == OFFER
    assert told[1].startswith("Connected: you are *alice* in Coder.")


async def test_an_account_belongs_to_one_person_at_a_time(both: World) -> None:
    """Bob tries to connect a Coder account that Alice has connected. The bot refuses and names Alice. When
    Alice has disconnected, Bob can connect the account."""
    await connects(both, both.alice)
    await both.bob.types("/task connect")
    await pastes(both, both.bob, both.coder.add_token("alice"))
    refused = both.bob.reads()[-1]

    await both.alice.types("/task disconnect")
    await both.forgets()
    await both.bob.types("/task connect")
    await pastes(both, both.bob, both.coder.add_token("alice"))

    assert refused == (
        "Alice has connected the Coder account *alice*. Only one person can connect it. Ask them to type "
        "`/task disconnect`."
    )
    assert both.alice.reads() == ["Disconnected from *alice*. I deleted my token for you."]
    assert both.bob.reads()[-1].startswith("Connected: you are *alice* in Coder.")


async def test_disconnecting_deletes_the_token_in_coder(both: World) -> None:
    """A person disconnects their account. The bot deletes its token in Coder. From then on, the bot finds the
    person's Coder user by their e-mail address again."""
    await connects(both, both.alice)

    await both.alice.types("/task disconnect")
    await both.alice.types("/task disconnect")

    assert scopes_of(both, "alice") == []
    assert both.alice.reads() == [
        "Disconnected from *alice*. I deleted my token for you.",
        "You have connected no Coder account.",
    ]


async def test_disconnect_is_a_button_where_the_account_is_shown(both: World) -> None:
    """Alice presses *Disconnect* in the answer to `/task connect`, which shows her account."""
    await connects(both, both.alice)
    await both.alice.types("/task connect")
    shown = both.alice.reads()

    await both.alice.presses("Disconnect")

    assert shown == [
        "You are *alice* in Coder.\n[Disconnect] [Get a token] [Paste another token]",
    ]
    assert both.alice.reads() == ["Disconnected from *alice*. I deleted my token for you."]


async def test_the_audit_trail_shows_who_connected_and_disconnected(both: World) -> None:
    """The audit trail has an entry when a person connects or disconnects a Coder account. So administrators
    know when this person acted in their own name."""
    await connects(both, both.alice)
    await both.alice.types("/task disconnect")
    both.alice.reads()

    assert [entry.partition(", Coder")[0] for entry in await entries(both)] == [
        "alice connect by dialog: done",
        "alice disconnect by command: done",
    ]


async def test_a_revoked_token_holds_a_reply_until_the_account_is_connected_again(both: World) -> None:
    """A person's token was revoked in Coder, so their reply waits. The bot asks the person once, by direct
    message, to connect again. When they have connected, the bot delivers the reply."""
    await connects(both, both.alice)
    thread, task = await a_waiting_agent(both)
    own = next(key for key in both.coder.world.tokens.values() if key.name == "taskwire")
    del both.coder.world.tokens[own.id]

    first = await both.alice.replies(thread, "add a test")
    waiting = thread.receipt(first)
    told = direct_messages(both, "alice")
    await both.alice.types("/task connect")
    await pastes(both, both.alice, both.coder.add_token("alice"))
    await both.passes(CARD_SECONDS)

    assert waiting == ["hourglass_flowing_sand"]
    assert told == [
        "Coder refuses my token for your account *alice*. Your requests have to wait until you connect again."
    ]
    assert task.inputs == ["add a test"]
    both.alice.reads()
    thread.new_messages()


@pytest.mark.parametrize(
    "route", ["users.get", "tokens.config", "tokens.create", "templates.list", "keys.get", "keys.delete"]
)
@pytest.mark.parametrize("fault", [cut_after, refused, server_error], ids=lambda fault: fault.__name__)
async def test_a_lost_answer_leaves_one_token(both: World, route: str, fault: Callable[[], Fault]) -> None:
    """While the bot connects an account, one call to Coder fails, or its answer is lost. The account gets
    connected, and at the end Coder has one token of the bot."""
    token = both.coder.add_token("alice")
    await both.alice.types("/task connect")
    both.coder.plan_fault(route, fault())

    await pastes(both, both.alice, token)
    await both.passes(RETRY_SECONDS)

    assert scopes_of(both, "alice") == [("taskwire", len(PERSON_SCOPES))]
    assert both.alice.reads()[-1].startswith("Connected: you are *alice* in Coder.")


async def test_a_bot_that_dies_while_it_connects_leaves_one_token(both: World) -> None:
    """The bot stores the account, and dies before Coder has deleted the pasted token. After the restart, the
    person need not paste again, and Coder has only the bot's own token."""
    token = both.coder.add_token("alice")
    await both.alice.types("/task connect")
    both.coder.plan_fault("keys.delete", hang())
    await both.alice.presses("Paste the token")
    view = both.slack.views(both.alice.id)[-1]
    assert (await both.slack.submit(both.alice.id, view, {"account.token": token})).ok
    await both.until(lambda: "keys.delete" in [seen.route for seen in both.coder.requests], "it is deleting")

    await both.crashes()
    await both.starts()
    await both.passes(LEASE_SECONDS)

    assert scopes_of(both, "alice") == [("taskwire", len(PERSON_SCOPES))]
    assert both.alice.reads()[-1].startswith("Connected: you are *alice* in Coder.")


async def test_the_former_token_works_until_the_new_one_is_stored(both: World) -> None:
    """A person connects again, as the same or as another Coder user. The bot dies while it tries the new
    token. Coder still has the former token then. After the restart, only the new token is left."""
    both.coder.add_user("alice2", email="other@example.com")
    await connects(both, both.alice)
    for username in ("alice", "alice2"):
        former = next(key for key in both.coder.world.tokens.values() if key.name.startswith("taskwire"))
        await both.alice.types("/task connect")
        both.coder.plan_fault("templates.list", hang())
        await both.alice.presses("Paste another token")
        view = both.slack.views(both.alice.id)[-1]
        token = both.coder.add_token(username)
        assert (await both.slack.submit(both.alice.id, view, {"account.token": token})).ok
        await both.until(lambda: both.coder.requests[-1].route == "templates.list", "it tries the new token")

        held = former.id in both.coder.world.tokens
        await both.crashes()
        await both.starts()
        await both.passes(LEASE_SECONDS)

        assert held
        (left,) = (key for key in both.coder.world.tokens.values() if key.name.startswith("taskwire"))
        assert (left.user.username, left.id != former.id) == (username, True)
        both.alice.reads()


async def test_a_token_is_renewed_before_it_ends(world: World) -> None:
    """Olga has the role Owner, so Coder lets her token live for a week. The bot renews her token in time."""
    olga = world.person("olga", roles=("owner",))
    await world.slack.join(olga.id, "general")
    await world.restarts(accounts="both")
    await connects(world, olga)

    for _ in range(2):
        await world.passes(5.5 * DAY_SECONDS)
        names = [name for name, _ in scopes_of(world, "olga")]
    await olga.types("/task disconnect")

    assert names == ["taskwire"]
    assert scopes_of(world, "olga") == []
    assert olga.reads() == ["Disconnected from *olga*. I deleted my token for you."]


async def test_a_bot_that_dies_while_it_renews_a_token_deletes_the_old_one_later(world: World) -> None:
    """The bot renews a token, and dies before Coder has deleted the old token. The bot has stored a job for
    that deletion, and the job runs after the restart."""
    olga = world.person("olga", roles=("owner",))
    await world.slack.join(olga.id, "general")
    await world.restarts(accounts="both")
    await connects(world, olga)
    world.coder.plan_fault("keys.delete", hang())

    world.clock.passes(5.5 * DAY_SECONDS)
    await world.connections.commands.lpush(world.keys.named("wakeups"), "1")
    await world.until(lambda: len(scopes_of(world, "olga")) == 2, "there are two tokens")
    await world.until(lambda: world.coder.requests[-1].route == "keys.delete", "it deletes the old one")
    await world.crashes()
    await world.starts()
    await world.passes(LEASE_SECONDS)

    assert [name for name, _ in scopes_of(world, "olga")] == ["taskwire-2"]
    await olga.types("/task disconnect")
    olga.reads()


async def test_connecting_again_after_a_renewal_leaves_one_token(world: World) -> None:
    """The bot has renewed a token, and the new one has another name in Coder than the first. When the person
    connects again, the bot deletes the renewed token."""
    olga = world.person("olga", roles=("owner",))
    await world.slack.join(olga.id, "general")
    await world.restarts(accounts="both")
    await connects(world, olga)
    await world.passes(5.5 * DAY_SECONDS)
    renewed = [name for name, _ in scopes_of(world, "olga")]

    await olga.types("/task connect")
    await pastes(world, olga, world.coder.add_token("olga"))

    assert renewed == ["taskwire-2"]
    assert [name for name, _ in scopes_of(world, "olga")] == ["taskwire"]
    await olga.types("/task disconnect")
    olga.reads()


async def test_an_account_is_disconnected_in_home(both: World) -> None:
    """Alice presses *Disconnect* in her Home tab. The tab says that the account is disconnected, and offers
    to connect one."""
    await connects(both, both.alice)
    await both.alice.opens_home()

    await both.alice.presses_in_home("Disconnect")
    await both.passes(CARD_SECONDS)

    lines = both.alice.home().splitlines()
    assert lines[0] == "Disconnected from *alice*. I deleted my token for you."
    assert lines[-1] == (
        "I act for you with a shared Coder account. Connect your own to act in your own name. [Connect]"
    )
    assert scopes_of(both, "alice") == []


async def test_the_home_tab_shows_the_account(both: World) -> None:
    """The Home tab names the person's connected Coder account. If Coder refuses the account's token, the tab
    says so. A button connects the account again or another one."""
    before = (await both.alice.opens_home()).splitlines()[-1]
    await connects(both, both.alice)
    await both.passes(CARD_SECONDS)
    connected = both.alice.home().splitlines()[-2:]
    own = next(key for key in both.coder.world.tokens.values() if key.name == "taskwire")
    del both.coder.world.tokens[own.id]
    await both.alice.types("/task create fix the login")
    both.alice.reads()
    await both.passes(CARD_SECONDS)
    refused = both.alice.home().splitlines()[-2:]
    await both.alice.presses_in_home("Connect")

    assert (
        before
        == "I act for you with a shared Coder account. Connect your own to act in your own name. [Connect]"
    )
    assert connected == ["You are *alice* in Coder.", "[Change] [Disconnect]"]
    assert refused == [
        "Coder refuses my token for your account *alice*. Your requests wait.",
        "[Connect] [Disconnect]",
    ]
    assert both.alice.dialog().startswith("[Connect Coder]")
    view = both.slack.views(both.alice.id)[-1]
    assert (await both.slack.submit(both.alice.id, view, {"account.token": both.coder.add_token("alice")})).ok
    await both.settles()
    await both.passes(CARD_SECONDS)
    assert both.alice.home().splitlines()[0].startswith("Connected: you are *alice* in Coder.")
    assert len(both.cards()) == 1


async def test_a_person_whose_token_cannot_be_renewed_is_asked_to_connect_again(world: World) -> None:
    """A person's token ends soon, and Coder refuses to make a new one. The bot asks the person once, by
    direct message, to connect again before the token ends."""
    olga = world.person("olga", roles=("owner",))
    await world.slack.join(olga.id, "general")
    await world.restarts(accounts="both")
    await connects(world, olga)
    world.coder.plan_fault("tokens.create", server_error("Not now.", 400), times=None)

    await world.passes(5.5 * DAY_SECONDS)
    told = direct_messages(world, "olga")
    await world.passes(DAY_SECONDS)

    assert len(told) == 1
    assert told[0].startswith("My token for your account *olga* ends on ")
    assert direct_messages(world, "olga") == told


async def test_another_persons_task_is_steered_with_the_service_account(both: World) -> None:
    """Bob may steer Alice's task by Taskwire's rules. Coder would not show him the task, so the bot uses the
    service account."""
    await connects(both, both.bob)
    thread, task = await a_waiting_agent(both)
    await both.alice.types(f"/task share {task.name} <@{both.bob.id}>")

    await both.bob.replies(thread, "add a test")

    assert task.inputs == ["Bob wrote:\n> add a test"]
    assert senders(both, "tasks.send") == ["taskwire"]
    both.alice.reads()
    both.bob.hears()
    thread.new_messages()


async def test_a_suspended_account_steers_nothing(both: World) -> None:
    """Bob has a share in Alice's task. His Coder account is suspended, so he cannot pause the task."""
    await connects(both, both.bob)
    _, task = await a_waiting_agent(both)
    await both.alice.types(f"/task share {task.name} <@{both.bob.id}>")
    both.alice.reads()
    both.bob.hears()
    both.coder.suspend("bob")
    await both.forgets()

    await both.bob.types(f"/task pause {task.id}")

    assert both.bob.reads() == ["Your Coder account (bob) is suspended. Ask a Coder administrator."]
    assert task.status == "active"


async def test_there_is_nothing_to_connect_where_the_service_account_acts_for_all(world: World) -> None:
    """By default the service account acts for everybody, so the bot asks nobody for a token."""
    await world.alice.types("/task connect")
    await world.alice.types("/task disconnect")

    nothing = "There is nothing to connect here: I find your Coder account by your e-mail address."
    assert world.alice.reads() == [nothing, nothing]
