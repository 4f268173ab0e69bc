"""Events of shared links, from the stand-in and malformed, are parsed into typed values."""

import pytest

from taskwire.domain.ids import UserId
from taskwire.slack.inbound import IgnoredPayload
from taskwire.slack.shared_links import SharedLinks, parse_shared_links
from taskwire_sandbox.slack import SlackSandbox

BOT = UserId("U0BOT")
EVENT: dict[str, object] = {
    "type": "link_shared",
    "user": "U1",
    "channel": "C1",
    "message_ts": "1.000001",
    "event_ts": "1.000002",
    "source": "conversations_history",
    "links": [{"url": "https://coder.test/tasks/alice/1", "domain": "coder.test"}],
}


async def test_a_posted_link_names_its_message_and_its_author(slack: SlackSandbox) -> None:
    """A posted link is parsed as it was typed, with its message, channel and author."""
    dev, alice = slack.workspace.channel("dev").id, slack.workspace.user("alice").id
    ts = await slack.post("alice", "dev", "see https://coder.test/tasks/alice/1")
    await slack.wait_until_idle()

    event = next(one.payload for one in reversed(slack.deliveries) if one.name == "link_shared")
    found = parse_shared_links(event, BOT)

    assert isinstance(found, SharedLinks)
    assert (found.channel, found.message_ts, found.person) == (dev, ts, alice)
    assert found.urls == ("https://coder.test/tasks/alice/1",)


@pytest.mark.parametrize(
    "change",
    [
        {"source": "composer", "channel": "COMPOSER"},
        {"user": "U0BOT"},
        {"user": None},
        {"channel": 7},
        {"message_ts": "Uxxxxxxx-909b5454"},
    ],
)
def test_other_links_are_ignored(change: dict[str, object]) -> None:
    """An event of shared links is ignored if it is malformed, if the message is the bot's own, or if a person
    is still writing the message."""
    assert isinstance(parse_shared_links({"event_id": "Ev1", "event": EVENT | change}, BOT), IgnoredPayload)


def test_links_without_an_address_are_left_out() -> None:
    """If a link in the event has no URL, it is left out, and parsing raises no error."""
    event = EVENT | {"links": [{}, 7, {"url": "https://coder.test/"}]}

    found = parse_shared_links({"event_id": "Ev1", "event": event}, BOT)

    assert isinstance(found, SharedLinks)
    assert found.urls == ("https://coder.test/",)
