"""For arbitrary payloads, parsing never raises, and every parsed value can be stored."""

import json
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.ids import ChannelId, UserId, microseconds
from taskwire.domain.queueing.jobs import Reply
from taskwire.slack import inbound
from taskwire.slack.inbound import MessageEdited, ThreadMessage
from taskwire.slack.payload_sources import parse_source

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
Body = dict[str, object]
Strategy = st.SearchStrategy[object]

# The texts include lone surrogates (halves of a character), because JSON can contain them.
WORDS = st.text(st.characters(), max_size=6)
LEAVES: Strategy = st.none() | st.booleans() | st.integers() | st.floats() | WORDS
ANYTHING: Strategy = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)


def usually(right: Strategy) -> Strategy:
    """Generate values of the right kind, and sometimes any other value."""
    return st.one_of(right, right, right, ANYTHING)


def record(**fields: Strategy) -> st.SearchStrategy[Body]:
    """Generate objects that have some of these fields, each with a generated value."""
    return st.fixed_dictionaries({}, optional={key: usually(value) for key, value in fields.items()})


def one_of(*words: str) -> Strategy:
    return st.sampled_from(words)


USER, CHANNEL, TS = (
    one_of("U0000001", "U0BOT"),
    one_of("C0000001", "D0000001"),
    one_of("1.000001", "2.000001"),
)
FILES = st.lists(
    record(id=WORDS, name=WORDS, url_private=WORDS, size=st.integers(), mimetype=WORDS), max_size=2
)
MESSAGE = record(
    ts=TS, thread_ts=TS, user=USER, text=WORDS, files=FILES, blocks=st.lists(ANYTHING, max_size=2),
    subtype=one_of("tombstone", "file_share"), bot_id=one_of("B1"), edited=record(ts=TS), parent_user_id=USER,
)  # fmt: skip
EVENT = record(
    channel=CHANNEL, ts=TS, thread_ts=TS, event_ts=TS, deleted_ts=TS, user=USER, text=WORDS, files=FILES,
    blocks=st.lists(ANYTHING, max_size=2), parent_user_id=USER, channel_type=one_of("im", "channel"),
    subtype=one_of("message_changed", "message_deleted", "thread_broadcast"), message=MESSAGE,
    previous_message=MESSAGE, bot_id=one_of("B1"), team=one_of("T1", "E1"), user_team=one_of("T1", "E1"),
)  # fmt: skip
AUTHORIZATION = record(team_id=one_of("T1"), enterprise_id=one_of("E1"), user_id=USER, is_bot=st.booleans())
ELEMENT = record(
    action_id=one_of("task.pause", "chosen"), action_ts=TS, value=WORDS, selected_option=record(value=WORDS),
    selected_options=st.lists(record(value=WORDS), max_size=2), selected_users=st.lists(WORDS, max_size=2),
)  # fmt: skip
STATE = record(
    values=st.dictionaries(WORDS, usually(st.dictionaries(WORDS, ELEMENT, max_size=2)), max_size=2)
)
VIEW = record(id=WORDS, hash=WORDS, callback_id=one_of("create"), state=STATE, private_metadata=WORDS)
BODY = record(
    event=EVENT, authorizations=st.lists(AUTHORIZATION, max_size=2), is_ext_shared_channel=st.booleans(),
    team_id=one_of("T1"), enterprise_id=one_of("E1"), user_id=USER, channel_id=CHANNEL, trigger_id=WORDS,
    text=WORDS, response_url=WORDS, user=record(id=USER, team_id=one_of("T1")), channel=record(id=CHANNEL),
    actions=st.lists(ELEMENT, max_size=2), container=record(message_ts=TS, channel_id=CHANNEL, thread_ts=TS),
    message=MESSAGE, view=VIEW, state=STATE, team=record(id=one_of("T1")), enterprise=record(id=one_of("E1")),
    response_urls=st.lists(record(response_url=WORDS), max_size=2),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(BODY)
def test_nothing_that_arrives_breaks_anything(body: Body) -> None:
    inbound.parse_message_event(body)
    inbound.parse_mention(body)
    inbound.parse_home_opened(body)
    inbound.parse_command(body, NOW)
    inbound.parse_click(body)
    inbound.parse_submission(body)
    parse_source(body)


@settings(max_examples=300, deadline=None)
@given(EVENT, st.lists(AUTHORIZATION, max_size=1))
def test_what_comes_out_of_a_message_can_be_written_down(event: Body, authorizations: list[Body]) -> None:
    found = inbound.parse_message_event({"event": event, "authorizations": authorizations})

    if isinstance(found, ThreadMessage | MessageEdited):
        reply = Reply(
            person=found.person, ts=found.ts, text=found.text, blocks=found.blocks_json, files=found.files
        )
        assert Reply.model_validate_json(reply.model_dump_json()) == reply
        assert microseconds(found.ts) != microseconds(found.thread_ts)
        assert isinstance(json.loads(found.blocks_json or "[]"), list)


@settings(max_examples=200, deadline=None)
@given(MESSAGE)
def test_a_message_of_a_threads_history_breaks_nothing(message: Body) -> None:
    found = inbound.parse_thread_message(message, ChannelId("C0000001"), UserId("U0BOT"))

    assert not isinstance(found, ThreadMessage) or found.delivery == f"C0000001:{found.ts}"
