"""Messages of the app in the Slack stand-in: posting, editing, deleting, reading, reactions."""

from collections.abc import AsyncIterator

import pytest

from tests.sandbox.slack_app import Api, Json
from tests.sandbox.slack_worlds import world

METADATA = {"event_type": "taskwire_message", "event_payload": {"id": "m1"}}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with world() as opened:
        yield opened


@pytest.fixture
def general(api: Api) -> str:
    return api.slack.workspace.channel("general").id


async def test_a_posted_message_is_the_bots(api: Api, general: str) -> None:
    """A posted message has the ids of the bot, the app and the team."""
    answer = await api.call("chat.postMessage", channel=general, text="hello")

    message = answer["message"]
    shown = {key: message[key] for key in ("type", "user", "text", "bot_id", "app_id", "team", "ts")}
    assert shown == {
        "type": "message",
        "user": api.slack.bot_user_id,
        "text": "hello",
        "bot_id": "B0TW000001",
        "app_id": "A0TW000001",
        "team": "T0TASKWIRE",
        "ts": answer["ts"],
    }


@pytest.mark.parametrize(
    ("posted", "stored"),
    [
        ("a & b < c", "a &amp; b &lt; c"),
        ("a &amp; b", "a &amp; b"),
        ("see https://x.test/a?b=1&c=2.", "see <https://x.test/a?b=1&amp;c=2>."),
        ("<https://x.test|label> <@U1> <!here>", "<https://x.test|label> <@U1> <!here>"),
    ],
)
async def test_posted_text_is_stored_as_slack_does(api: Api, general: str, posted: str, stored: str) -> None:
    """If a posted text has control characters of Slack's markup, they become entities. Bare URLs become
    links."""
    ts = await api.post(general, posted)

    assert api.slack.message("general", ts)["text"] == stored


@pytest.mark.parametrize(
    ("place", "error"),
    [("random", "not_in_channel"), ("secret", "channel_not_found"), ("C404", "channel_not_found")],
)
async def test_where_the_bot_is_not_it_cannot_post(api: Api, place: str, error: str) -> None:
    """If the bot has not joined a channel, it cannot post there. If the channel is private, the error says
    that there is no such channel."""
    found = api.slack.workspace.find_channel(place)

    answer = await api.call("chat.postMessage", channel=found.id if found else place, text="hello")

    assert answer["error"] == error


async def test_an_archived_channel_takes_nothing(api: Api, general: str) -> None:
    """If a channel is archived, it accepts neither messages nor reactions."""
    ts = await api.post(general, "before")
    await api.slack.archive("alice", "general")

    posted = await api.call("chat.postMessage", channel=general, text="after")
    reacted = await api.call("reactions.add", channel=general, timestamp=ts, name="eyes")

    assert (posted["error"], reacted["error"]) == ("is_archived", "is_archived")


async def test_a_persons_id_is_a_place_to_post_to(api: Api) -> None:
    """If the bot posts to a person's id, the message goes to the direct conversation with this person."""
    alice = api.slack.workspace.user("alice")

    answer = await api.call("chat.postMessage", channel=alice.id, text="psst")

    assert answer["channel"] == api.slack.open_direct("alice").id
    assert [m["text"] for m in api.slack.messages(answer["channel"])] == ["psst"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, "no_text"),
        ({"blocks": "nonsense"}, "invalid_blocks_format"),
        ({"markdown_text": "a", "text": "b"}, "markdown_text_conflict"),
        ({"text": "a", "metadata": "nonsense"}, "invalid_metadata_format"),
        ({"text": "a", "attachments": [{}] * 101}, "too_many_attachments"),
        ({"text": "a", "thread_ts": "1.000001"}, "cannot_reply_to_message"),
    ],
)
async def test_content_that_slack_refuses(api: Api, general: str, arguments: Json, error: str) -> None:
    """If a message has wrong content, it is refused. Each kind of wrong content has its own error."""
    answer = await api.call("chat.postMessage", channel=general, **arguments)

    assert answer["error"] == error


async def test_a_long_text_is_cut_when_posted_and_refused_when_edited(api: Api, general: str) -> None:
    """If a post has more than 40,000 characters, it is cut. If an edit has more than 4,000 characters, it is
    refused."""
    ts = await api.post(general, "x" * 40_001)

    edited = await api.call("chat.update", channel=general, ts=ts, text="x" * 4_001)

    assert len(api.slack.message("general", ts)["text"]) == 40_000
    assert edited["error"] == "msg_too_long"


async def test_blocks_have_a_size_together(api: Api, general: str) -> None:
    """If the texts of all blocks of a message have more than about 13,200 characters, the message is
    refused."""
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2_700}}

    fits = await api.call("chat.postMessage", channel=general, text="t", blocks=[section] * 4)
    too_long = await api.call("chat.postMessage", channel=general, text="t", blocks=[section] * 5)

    assert (fits["ok"], too_long["error"]) == (True, "msg_blocks_too_long")


async def test_metadata_comes_back_only_when_asked_for(api: Api, general: str) -> None:
    """The history and the replies show metadata only if the call has include_all_metadata.

    If an edit has no metadata, the old metadata stays. If it has {}, the metadata is removed.
    """
    ts = await api.post(general, "root", metadata=METADATA)
    await api.post(general, "reply", thread_ts=ts, metadata=METADATA)
    await api.call("chat.update", channel=general, ts=ts, text="edited")

    plain = await api.call("conversations.history", channel=general)
    full = await api.call("conversations.history", channel=general, include_all_metadata=True)
    thread = await api.call("conversations.replies", channel=general, ts=ts, include_all_metadata=True)
    await api.call("chat.update", channel=general, ts=ts, text="again", metadata={})
    removed = await api.call("conversations.history", channel=general, include_all_metadata=True)

    assert [m.get("metadata") for m in plain["messages"]] == [None]
    assert [m.get("metadata") for m in full["messages"]] == [METADATA]
    assert [m.get("metadata") for m in thread["messages"]] == [METADATA, METADATA]
    assert [m.get("metadata") for m in removed["messages"]] == [None]


async def test_metadata_with_a_bad_event_type_is_ignored_with_a_warning(api: Api, general: str) -> None:
    """If metadata has a bad event type, the message is posted without metadata. The stand-in records a
    violation."""
    bad = {"event_type": "task wire", "event_payload": {}}

    answer = await api.call("chat.postMessage", channel=general, text="a", metadata=bad)

    assert answer["ok"]
    assert answer["response_metadata"] == {"warnings": ["invalid_metadata_schema"]}
    assert "metadata" not in answer["message"]
    assert api.slack.violations == ["metadata ignored: event_type 'task wire'"]


async def test_an_edit_keeps_the_blocks_it_leaves_out(api: Api, general: str) -> None:
    """If an edit has no blocks, the old blocks stay. If an edit has an empty list of blocks, the old blocks
    are removed. The message is marked as edited."""
    ts = await api.post(general, "a", blocks=[{"type": "divider"}])

    await api.call("chat.update", channel=general, ts=ts, text="b")
    kept = api.slack.message("general", ts)
    await api.call("chat.update", channel=general, ts=ts, text="c", blocks=[])

    assert ("blocks" in kept, kept["edited"]["user"]) == (True, api.slack.bot_user_id)
    assert "blocks" not in api.slack.message("general", ts)


async def test_only_the_apps_own_messages_can_be_changed(api: Api, general: str) -> None:
    """If the app edits or deletes a message that is not its own, the call is refused. If the message does not
    exist, the error says so."""
    theirs = await api.slack.post("alice", "general", "mine")

    update = await api.call("chat.update", channel=general, ts=theirs, text="x")
    delete = await api.call("chat.delete", channel=general, ts=theirs)
    missing = await api.call("chat.update", channel=general, ts="1.000001", text="x")

    errors = (update["error"], delete["error"], missing["error"])
    assert errors == ("cant_update_message", "cant_delete_message", "message_not_found")


async def test_a_thread_comes_parent_first(api: Api, general: str) -> None:
    """A thread starts with its parent, which has the count of replies. Each reply names the parent's
    author."""
    root = await api.slack.post("alice", "general", "root")
    first = await api.post(general, "one", thread_ts=root)
    await api.post(general, "two", thread_ts=first)

    answer = await api.call("conversations.replies", channel=general, ts=root)

    parent, *replies = answer["messages"]
    assert (parent["text"], parent["reply_count"], parent["latest_reply"]) == ("root", 2, replies[-1]["ts"])
    assert [(m["text"], m["thread_ts"], m["parent_user_id"]) for m in replies] == [
        ("one", root, parent["user"]),
        ("two", root, parent["user"]),
    ]


async def test_history_is_newest_first_and_without_replies(api: Api, general: str) -> None:
    """The history has the newest message first. It has no replies, except those that were also sent to the
    channel."""
    root = await api.post(general, "root")
    await api.post(general, "hidden", thread_ts=root)
    await api.post(general, "shown", thread_ts=root, reply_broadcast=True)

    answer = await api.call("conversations.history", channel=general)

    shown = [(m["text"], m.get("subtype")) for m in answer["messages"]]
    assert shown == [("shown", "thread_broadcast"), ("root", None)]


async def test_history_says_of_each_root_when_it_was_last_replied_to(api: Api, general: str) -> None:
    """In the history, each root has the time of its last reply. Deleted replies and edits do not count."""
    quiet, busy, left = [await api.post(general, text) for text in ("quiet", "busy", "left")]
    stamps = [await api.slack.post("alice", "general", text, busy) for text in ("one", "two", "three")]
    only = await api.slack.post("alice", "general", "only", left)
    await api.slack.edit("alice", "general", stamps[0], "one more")
    await api.slack.delete("alice", "general", stamps[2])
    await api.slack.delete("alice", "general", only)

    answer = await api.call("conversations.history", channel=general)

    told = {m["ts"]: (m.get("reply_count"), m.get("latest_reply")) for m in answer["messages"]}
    assert told == {quiet: (None, None), busy: (2, stamps[1]), left: (None, None)}


async def test_history_comes_in_pages_and_ranges(api: Api, general: str) -> None:
    """The history comes in pages, which new messages do not shift. Messages exactly at the ends of a range
    count only with `inclusive`."""
    stamps = [await api.post(general, str(number)) for number in range(5)]

    first = await api.call("conversations.history", channel=general, limit=2)
    await api.post(general, "later")
    cursor = first["response_metadata"]["next_cursor"]
    second = await api.call("conversations.history", channel=general, limit=2, cursor=cursor)
    open_range = await api.call("conversations.history", channel=general, oldest=stamps[1], latest=stamps[3])
    closed = await api.call(
        "conversations.history", channel=general, oldest=stamps[1], latest=stamps[3], inclusive=True
    )

    assert [m["text"] for m in first["messages"] + second["messages"]] == ["4", "3", "2", "1"]
    assert (first["has_more"], second["has_more"]) == (True, True)
    assert [m["text"] for m in open_range["messages"]] == ["2"]
    assert [m["text"] for m in closed["messages"]] == ["3", "2", "1"]


async def test_every_page_of_a_thread_begins_with_the_parent(api: Api, general: str) -> None:
    """Every page of a thread begins with the parent."""
    root = await api.post(general, "root")
    for number in range(3):
        await api.post(general, str(number), thread_ts=root)

    first = await api.call("conversations.replies", channel=general, ts=root, limit=2)
    cursor = first["response_metadata"]["next_cursor"]
    second = await api.call("conversations.replies", channel=general, ts=root, limit=2, cursor=cursor)

    assert [m["text"] for m in first["messages"]] == ["root", "0", "1"]
    assert [m["text"] for m in second["messages"]] == ["root", "2"]


async def test_a_deleted_parent_leaves_a_tombstone(api: Api, general: str) -> None:
    """If the root of a thread is deleted, a tombstone takes its place, and its replies stay. If a message
    without replies is deleted, nothing stays."""
    root = await api.post(general, "root")
    reply = await api.post(general, "reply", thread_ts=root)

    await api.call("chat.delete", channel=general, ts=root)
    left = [m.get("subtype") for m in api.slack.thread("general", root)]
    await api.call("chat.delete", channel=general, ts=reply)

    assert left == ["tombstone", None]
    assert [m["ts"] for m in api.slack.thread("general", root)] == [root]


async def test_reactions_are_added_once_and_taken_once(api: Api, general: str) -> None:
    """If a reaction is added or removed a second time, the answer is an error. The two errors have different
    names."""
    ts = await api.slack.post("alice", "general", "look")
    item = {"channel": general, "timestamp": ts, "name": "eyes"}

    added = [await api.call("reactions.add", **item) for _ in range(2)]
    shown = await api.call("reactions.get", channel=general, timestamp=ts)
    removed = [await api.call("reactions.remove", **item) for _ in range(2)]
    missing = await api.call("reactions.add", channel=general, timestamp="1.000001", name="eyes")
    invalid = await api.call("reactions.add", channel=general, timestamp=ts, name="No Emoji")

    bot = api.slack.bot_user_id
    assert [a.get("error") for a in added] == [None, "already_reacted"]
    assert shown["message"]["reactions"] == [{"name": "eyes", "users": [bot], "count": 1}]
    assert [a.get("error") for a in removed] == [None, "no_reaction"]
    assert (missing["error"], invalid["error"]) == ("message_not_found", "invalid_name")


async def test_an_ephemeral_message_is_seen_by_one(api: Api, general: str) -> None:
    """If the bot posts an ephemeral message, only the addressed person sees it. This person must be a member
    of the channel. The history does not have the message."""
    alice, bob = (api.slack.workspace.user(name) for name in ("alice", "bob"))
    await api.slack.leave("bob", "general")

    shown = await api.call("chat.postEphemeral", channel=general, user=alice.id, text="psst")
    refused = await api.call("chat.postEphemeral", channel=general, user=bob.id, text="psst")
    edited = await api.call("chat.update", channel=general, ts=shown["message_ts"], text="x")

    assert [(e.body["text"], e.ts) for e in api.slack.ephemerals("alice")] == [("psst", shown["message_ts"])]
    assert (refused["error"], edited["error"]) == ("user_not_in_channel", "message_not_found")
    assert all(m["text"] != "psst" for m in api.slack.messages("general"))


async def test_a_permalink_leads_into_the_thread(api: Api, general: str) -> None:
    """The permalink of a reply names the reply's thread."""
    root = await api.post(general, "root")
    reply = await api.post(general, "reply", thread_ts=root)

    answer = await api.call("chat.getPermalink", channel=general, message_ts=reply)

    path = f"https://acme.slack.com/archives/{general}/p{reply.replace('.', '')}"
    assert answer["permalink"] == f"{path}?thread_ts={root}&cid={general}"


async def test_the_bot_joins_what_is_public(api: Api) -> None:
    """If the bot joins a public channel, the channel gets a message about this. The bot cannot join a private
    channel."""
    random, secret = (api.slack.workspace.channel(name).id for name in ("random", "secret"))

    joined = await api.call("conversations.join", channel=random)
    again = await api.call("conversations.join", channel=random)
    refused = await api.call("conversations.join", channel=secret)
    listed = await api.call("users.conversations", types="public_channel")

    assert (joined["channel"]["is_member"], again["warning"]) == (True, "already_in_channel")
    assert refused["error"] == "channel_not_found"
    assert [m["subtype"] for m in api.slack.messages("random")] == ["channel_join"]
    assert [c["name"] for c in listed["channels"]] == ["general", "random"]


async def test_places_are_described(api: Api, general: str) -> None:
    """conversations.info can include the number of a channel's members. conversations.members lists the
    members."""
    info = await api.call("conversations.info", channel=general, include_num_members=True)
    members = await api.call("conversations.members", channel=general, limit=2)
    opened = await api.call("conversations.open", users=api.slack.workspace.user("alice").id)
    nobody = await api.call("conversations.open", users="U404")

    assert (info["channel"]["name"], info["channel"]["num_members"]) == ("general", 3)
    assert len(members["members"]) == 2
    assert opened["channel"] == {"id": api.slack.open_direct("alice").id}
    assert nobody["error"] == "user_not_found"
