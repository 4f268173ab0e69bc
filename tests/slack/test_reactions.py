"""Events of reactions, from the stand-in and malformed, are parsed into typed values."""

from collections.abc import Mapping

import pytest

from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.domain.text.message import Message
from taskwire.slack.inbound import IgnoredPayload
from taskwire.slack.metadata import Metadata
from taskwire.slack.outbound import Outbound
from taskwire.slack.reactions import ReactionAdded, parse_reaction
from taskwire_sandbox.slack import SlackSandbox

BOT = UserId("U0BOT")
EVENT: dict[str, object] = {
    "type": "reaction_added",
    "user": "U1",
    "reaction": "tada",
    "event_ts": "2.000001",
    "item": {"type": "message", "channel": "C1", "ts": "1.000001"},
    "item_user": "U0BOT",
}


def last(slack: SlackSandbox) -> Mapping[str, object]:
    """Return the latest reaction event that the stand-in has delivered."""
    return next(one.payload for one in reversed(slack.deliveries) if one.name == "reaction_added")


async def test_a_reaction_names_its_message_and_its_person(slack: SlackSandbox, outbound: Outbound) -> None:
    """A parsed reaction names its message and its person, but not the thread of the message."""
    dev, alice = ChannelId(slack.workspace.channel("dev").id), UserId(slack.workspace.user("alice").id)
    root = await outbound.post(dev, Message(text="A card"), Metadata("c1", "card"))
    notice = await outbound.post(dev, Message(text="A notice"), Metadata("n1", "completed"), thread_ts=root)
    bot = (await outbound.get_identity()).bot_user_id

    await slack.react(alice, dev, notice, "octagonal_sign")
    found = parse_reaction(last(slack), bot)

    assert isinstance(found, ReactionAdded)
    assert (found.channel, found.ts, found.person, found.is_on_own) == (dev, notice, alice, True)
    assert found.author == bot
    assert found.name == "octagonal_sign"
    assert found.delivery == last(slack)["event_id"]
    assert await outbound.find_metadata(dev, notice) == Metadata("n1", "completed")


async def test_a_reaction_of_the_bot_is_ignored(slack: SlackSandbox, outbound: Outbound) -> None:
    """A reaction of the bot itself, such as a receipt, is ignored."""
    dev = ChannelId(slack.workspace.channel("dev").id)
    ts = Ts(await slack.post("alice", "dev", "hello"))
    await outbound.add_reaction(dev, ts, "eyes")
    await slack.wait_until_idle()

    bot = (await outbound.get_identity()).bot_user_id

    assert isinstance(parse_reaction(last(slack), bot), IgnoredPayload)


@pytest.mark.parametrize(
    ("change", "name", "is_on_own"),
    [
        ({}, "tada", True),
        ({"reaction": "+1::skin-tone-3"}, "+1", True),
        ({"item_user": "U2"}, "tada", False),
        ({"item_user": None}, "tada", True),
        ({"reaction": None}, "", True),
    ],
)
def test_what_an_event_says(change: dict[str, object], name: str, *, is_on_own: bool) -> None:
    """A parsed reaction has the emoji's name without a skin tone. It counts as a reaction to the bot's own
    message, unless the event names another author of the message."""
    found = parse_reaction({"event_id": "Ev1", "event": EVENT | change}, BOT)

    assert isinstance(found, ReactionAdded)
    assert (found.name, found.is_on_own) == (name, is_on_own)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"event": EVENT},
        {"event_id": "Ev1", "event": EVENT | {"user": None}},
        {"event_id": "Ev1", "event": EVENT | {"user": "U0BOT"}},
        {"event_id": "Ev1", "event": EVENT | {"item": {"type": "file", "file": "F1"}}},
        {"event_id": "Ev1", "event": EVENT | {"item": []}},
        {"event_id": "Ev1", "event": EVENT | {"event_ts": "now"}},
        {"event_id": 1, "event": EVENT},
    ],
)
def test_other_payloads_are_ignored(body: Mapping[str, object]) -> None:
    """If a payload is no valid event of a person's reaction to a message, it is ignored, and parsing raises
    no error."""
    assert isinstance(parse_reaction(body, BOT), IgnoredPayload)
