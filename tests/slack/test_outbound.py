"""The bot posts to the stand-in and reads from it."""

from datetime import UTC, datetime

import pytest

from taskwire import transport
from taskwire.domain.ids import ChannelId, Ts, UserId, microseconds
from taskwire.domain.text.message import Block, Message, View
from taskwire.slack import drafts, errors
from taskwire.slack import outbound as module
from taskwire.slack.call_priorities import Priority, as_claimant
from taskwire.slack.client import make_client
from taskwire.slack.metadata import Metadata
from taskwire.slack.models import Channel, Identity, Profile
from taskwire.slack.outbound import Outbound
from taskwire_sandbox.slack import Attachment, CallFault, SlackSandbox
from tests.slack.conftest import SECRET, RateLimiter, mask

HELLO = Message(text="Hello.")
META = Metadata("m1", "answer")
SINCE = Ts("0.000000")


def dev(slack: SlackSandbox) -> ChannelId:
    return ChannelId(slack.workspace.channel("dev").id)


def person(slack: SlackSandbox, name: str) -> UserId:
    return UserId(slack.workspace.user(name).id)


def calls(slack: SlackSandbox, method: str) -> int:
    return sum(call.method == method for call in slack.calls)


async def post(outbound: Outbound, channel: ChannelId, name: str, thread_ts: Ts | None = None) -> Ts:
    meta = Metadata(name, "answer")
    return await outbound.post(channel, Message(text=name), meta, thread_ts=thread_ts)


async def test_we_know_who_we_are(slack: SlackSandbox, outbound: Outbound) -> None:
    app, workspace = slack.backend.app, slack.workspace

    found = await outbound.get_identity()

    assert found == Identity(workspace.team_id, "acme", UserId(app.bot_user_id), app.bot_id)


async def test_a_post_carries_its_metadata_and_unfurls_nothing(
    slack: SlackSandbox, outbound: Outbound
) -> None:
    meta = Metadata("m1", "card", "task-1")

    ts = await outbound.post(dev(slack), HELLO, meta)

    shown = slack.message(dev(slack), ts)
    assert shown["text"] == "Hello."
    payload = {"id": "m1", "kind": "card", "task_id": "task-1"}
    assert shown["metadata"] == {"event_type": "taskwire_message", "event_payload": payload}
    assert slack.calls[-1].arguments["unfurl_links"] is False
    assert slack.calls[-1].arguments["unfurl_media"] is False


async def test_a_secret_reaches_neither_text_nor_blocks(slack: SlackSandbox, outbound: Outbound) -> None:
    words: Block = {"type": "rich_text_section", "elements": [{"type": "text", "text": f"it is {SECRET}"}]}
    block: Block = {"type": "rich_text", "block_id": "b", "elements": [words]}
    message = Message(text=f"{SECRET}!", blocks=(block,))

    ts = await outbound.post(dev(slack), message, META)

    assert SECRET not in str(slack.message(dev(slack), ts))
    assert "it is *****" in str(slack.message(dev(slack), ts))


async def test_nothing_is_posted_after_its_deadline(slack: SlackSandbox, outbound: Outbound) -> None:
    with transport.deadline(transport.boottime()), pytest.raises(transport.DeadlinePassed):
        await outbound.post(dev(slack), HELLO, META)

    assert calls(slack, "chat.postMessage") == 0


async def test_a_post_whose_answer_was_cut_is_one_post_and_is_found_again(
    slack: SlackSandbox, outbound: Outbound
) -> None:
    slack.faults.add("chat.postMessage", CallFault.DONE_THEN_CUT)

    with pytest.raises(transport.ConnectionCut):
        await outbound.post(dev(slack), HELLO, META)

    assert calls(slack, "chat.postMessage") == 1
    assert len(await outbound.find_copies(dev(slack), None, SINCE, "m1")) == 1


async def test_every_copy_is_found_on_whatever_page_it_stands(
    slack: SlackSandbox, outbound: Outbound, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taskwire.slack.calls.PAGE_SIZE", 2)
    channel = dev(slack)
    root = await post(outbound, channel, "root")
    first = await post(outbound, channel, "n1", root)
    others = [await post(outbound, channel, f"n{number}", root) for number in range(2, 7)]
    second = await post(outbound, channel, "n1", root)

    found = await outbound.find_copies(channel, root, SINCE, "n1")

    assert found == [first, second]
    assert await outbound.find_copies(channel, root, others[0], "n1") == [second]
    assert await outbound.find_copies(channel, root, second, "n1") == [second]


async def test_each_page_takes_a_place(
    slack: SlackSandbox, outbound: Outbound, rate_limiter: RateLimiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taskwire.slack.calls.PAGE_SIZE", 1)
    channel = dev(slack)
    await post(outbound, channel, "n1")
    await post(outbound, channel, "n2")

    await outbound.find_copies(channel, None, SINCE, "n1")

    history = ("conversations.history", "", Priority.POST)
    assert rate_limiter.waits == [("auth.test", "", Priority.POST), history, history]


async def test_a_thread_is_not_searched_for_a_root_message(slack: SlackSandbox, outbound: Outbound) -> None:
    channel = dev(slack)
    root = await post(outbound, channel, "root")
    await post(outbound, channel, "inside", root)

    assert await outbound.find_copies(channel, None, SINCE, "inside") == []
    assert await outbound.find_copies(channel, None, SINCE, "root") == [root]


async def test_metadata_of_somebody_else_is_no_copy(slack: SlackSandbox, outbound: Outbound) -> None:
    channel = dev(slack)
    ts = await slack.post_as_bot("dev", "I am Taskwire, honestly")
    payload = {"id": "m1", "kind": "card"}
    stored = slack.workspace.channel("dev").messages[ts]
    stored.metadata = {"event_type": "taskwire_message", "event_payload": payload}

    assert await outbound.find_copies(channel, None, SINCE, "m1") == []


async def test_an_edited_card_keeps_its_id_and_loses_its_old_blocks(
    slack: SlackSandbox, outbound: Outbound
) -> None:
    channel = dev(slack)
    message = Message(text="Starting", blocks=({"type": "divider"},))
    ts = await outbound.post(channel, message, Metadata("c1", "card"))

    await outbound.update(channel, ts, Message(text="Working"), Metadata("c1", "card", "task-1"))

    shown = slack.message(channel, ts)
    assert (shown["text"], shown.get("blocks")) == ("Working", None)
    assert shown["metadata"]["event_payload"] == {"id": "c1", "kind": "card", "task_id": "task-1"}
    assert await outbound.find_copies(channel, None, SINCE, "c1") == [ts]


async def test_what_is_not_there_cannot_be_edited_or_deleted(slack: SlackSandbox, outbound: Outbound) -> None:
    channel = dev(slack)
    ts = await post(outbound, channel, "m1")
    await outbound.delete(channel, ts)

    with pytest.raises(errors.MessageGone):
        await outbound.update(channel, ts, HELLO, META)
    with pytest.raises(errors.MessageGone):
        await outbound.delete(channel, ts)


async def test_a_receipt_may_be_set_and_taken_back_twice(slack: SlackSandbox, outbound: Outbound) -> None:
    channel = dev(slack)
    ts = Ts(await slack.post("alice", "dev", "go on"))

    await outbound.add_reaction(channel, ts, "eyes")
    await outbound.add_reaction(channel, ts, "eyes")
    assert [one["name"] for one in slack.message(channel, ts)["reactions"]] == ["eyes"]

    await outbound.remove_reaction(channel, ts, "eyes")
    await outbound.remove_reaction(channel, ts, "eyes")
    assert "reactions" not in slack.message(channel, ts)


async def test_an_answer_by_response_url_is_seen_by_one_person(
    slack: SlackSandbox, outbound: Outbound
) -> None:
    alice = person(slack, "alice")
    url = slack.backend.tickets.response_url("commands", alice, dev(slack))

    await outbound.respond(url, Message(text=f"Psst, {SECRET}"))

    assert [said.body["text"] for said in slack.ephemerals(alice)] == ["Psst, *****"]
    assert slack.ephemerals(person(slack, "bob")) == []


async def test_a_worn_out_response_url_says_so(slack: SlackSandbox, outbound: Outbound) -> None:
    url = slack.backend.tickets.response_url("commands", person(slack, "alice"), dev(slack))
    for _ in range(5):
        await outbound.respond(url, HELLO)

    with pytest.raises(errors.SlackRefused) as refused:
        await outbound.respond(url, HELLO)

    assert refused.value.code == "used_or_expired_url"
    slack.ignore_violations("used_url")


async def test_an_ephemeral_message_reaches_members_only(slack: SlackSandbox, outbound: Outbound) -> None:
    channel, carol = dev(slack), UserId(slack.add_user("carol").id)

    await outbound.post_ephemeral(channel, person(slack, "alice"), HELLO)

    assert len(slack.ephemerals(person(slack, "alice"))) == 1
    with pytest.raises(errors.ChannelProblem):
        await outbound.post_ephemeral(channel, carol, HELLO)


def dialog(title: str) -> View:
    return View(
        content={"type": "modal", "title": {"type": "plain_text", "text": title}, "blocks": []},
    )


async def test_a_dialog_opens_and_is_filled_by_its_id(slack: SlackSandbox, outbound: Outbound) -> None:
    trigger = slack.backend.tickets.trigger(person(slack, "alice"))

    view_id = await outbound.views.open(trigger, dialog("One moment"))
    await outbound.views.update(view_id, dialog("New task"))

    opened = slack.backend.views.find(view_id)
    assert opened is not None
    assert opened.content["title"]["text"] == "New task"
    with pytest.raises(errors.DialogGone):
        await outbound.views.open(trigger, dialog("Again"))


async def test_what_comes_back_to_us_is_not_masked(slack: SlackSandbox, outbound: Outbound) -> None:
    """The client masks a secret in a dialog's labels, but not in a value that Slack will send back to the
    bot.

    Such values are the dialog's metadata and the initial values of its fields. A masked response URL would
    not work, and a person would submit the mask in a field.
    """
    trigger = slack.backend.tickets.trigger(person(slack, "alice"))
    about = f'{{"response_url": "https://hooks.slack.com/commands/T1/2/{SECRET}"}}'
    element: Block = {"type": "plain_text_input", "action_id": SECRET, "initial_value": SECRET}
    label: Block = {"type": "plain_text", "text": f"Not {SECRET}"}
    field: Block = {"type": "input", "block_id": SECRET, "label": label, "element": element}
    content = dialog("New task").content | {
        "submit": _plain("Go"),
        "private_metadata": about,
        "blocks": [field],
    }

    view_id = await outbound.views.open(trigger, View(content=content))

    opened = slack.backend.views.find(view_id)
    assert opened is not None
    assert opened.content["private_metadata"] == about
    assert opened.content["blocks"] == [field | {"label": label | {"text": "Not *****"}}]


async def test_a_field_with_a_token_of_ours_is_left_empty(
    slack: SlackSandbox, rate_limiter: RateLimiter
) -> None:
    """If a form field would contain a token of ours, the field is left empty. The token must not be shown,
    and its mask must not be submitted."""
    trigger = slack.backend.tickets.trigger(person(slack, "alice"))
    element: Block = {"type": "plain_text_input", "action_id": "a", "initial_value": f"use {SECRET}"}
    field: Block = {"type": "input", "block_id": "b", "element": element, "label": _plain("A")}
    content = dialog("New task").content | {"submit": _plain("Go"), "blocks": [field]}

    async with transport.make_session() as session:
        client = make_client(slack.bot_token, slack.api_url, session=session)
        outbound = Outbound(client, rate_limiter, mask, mask_own=mask)
        view_id = await outbound.views.open(trigger, View(content=content))

    opened = slack.backend.views.find(view_id)
    assert opened is not None
    assert opened.content["blocks"][0]["element"] == {"type": "plain_text_input", "action_id": "a"}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


async def test_a_profile_says_who_may_not_act(slack: SlackSandbox, outbound: Outbound) -> None:
    guest = slack.add_user("guest", is_ultra_restricted=True, email="")
    stranger = slack.add_user("stranger", is_stranger=True, team_id="T0OTHER", is_email_confirmed=False)

    assert await outbound.get_profile(UserId(guest.id)) == Profile(
        id=UserId(guest.id),
        name="guest",
        real_name="Guest",
        is_email_confirmed=True,
        is_guest=True,
        teams=frozenset({"T0TASKWIRE"}),
        time_zone="Etc/UTC",
    )
    found = await outbound.get_profile(UserId(stranger.id))
    assert (found.is_stranger, found.teams, found.is_email_confirmed) == (True, frozenset({"T0OTHER"}), False)
    bot = await outbound.get_profile(UserId(slack.bot_user_id))
    assert (bot.is_bot, bot.email) == (True, None)


async def test_people_are_found_by_address(slack: SlackSandbox, outbound: Outbound) -> None:
    assert await outbound.find_user_by_email("alice@acme.test") == person(slack, "alice")
    assert await outbound.find_user_by_email("nobody@acme.test") is None


async def test_an_organizations_install_lists_its_workspaces(slack: SlackSandbox, outbound: Outbound) -> None:
    """If the app is installed in an organization, the client reads all pages of the list of workspaces."""
    slack.workspace.enterprise_id = "E0ORG"
    slack.workspace.org_teams = tuple(f"T{number}" for number in range(250))

    assert (await outbound.get_identity()).is_org_wide
    assert await outbound.list_teams() == set(slack.workspace.org_teams)


async def test_a_channel_is_known_as_the_bot_sees_it(slack: SlackSandbox, outbound: Outbound) -> None:
    slack.add_channel("else", ["alice"], with_bot=False, is_ext_shared=True)
    hidden = slack.add_channel("hidden", ["alice"], kind="private")
    direct = slack.open_direct("alice")
    secret = slack.add_channel("secret", ["alice"], kind="private", with_bot=False)
    elsewhere = ChannelId(slack.workspace.channel("else").id)

    assert await outbound.get_channel(dev(slack)) == Channel(id=dev(slack), name="dev", is_public=True)
    assert await outbound.get_channel(elsewhere) == Channel(
        id=elsewhere, name="else", is_public=True, is_shared=True
    )
    assert not (await outbound.get_channel(ChannelId(hidden.id))).is_public
    assert await outbound.get_channel(ChannelId(direct.id)) == Channel(
        id=ChannelId(direct.id), name="", other=person(slack, "alice")
    )
    with pytest.raises(errors.ChannelProblem):
        await outbound.get_channel(ChannelId(secret.id))


async def test_it_is_known_where_somebody_is(slack: SlackSandbox, outbound: Outbound) -> None:
    """The client lists a person's channels of all kinds, over all pages. Channels that the bot cannot see are
    missing."""
    many = [slack.add_channel(f"room-{number}", ["alice"]).id for number in range(1_010)]
    here = slack.add_channel("here", ["alice"], kind="private").id
    slack.add_channel("secret", ["alice"], kind="private", with_bot=False)
    slack.add_channel("others", ["bob"])

    found = await outbound.list_channels_of(person(slack, "alice"))

    assert found >= {*many, here}
    assert not found & {slack.workspace.channel(name).id for name in ("secret", "others")}


async def test_direct_messages_with_a_person_are_one_place(slack: SlackSandbox, outbound: Outbound) -> None:
    direct = await outbound.open_direct(person(slack, "alice"))

    assert await outbound.open_direct(person(slack, "alice")) == direct


async def test_a_group_has_members(slack: SlackSandbox, outbound: Outbound) -> None:
    group = slack.add_group("admins", ["alice", "bob"])

    found = await outbound.list_group(group.id)

    assert found == {person(slack, "alice"), person(slack, "bob")}


async def test_a_message_has_an_address(slack: SlackSandbox, outbound: Outbound) -> None:
    ts = await post(outbound, dev(slack), "m1")

    link = await outbound.get_permalink(dev(slack), ts)

    assert link == f"https://acme.slack.com/archives/{dev(slack)}/p{ts.replace('.', '')}"


async def test_a_thread_is_read_as_its_events_would_have_been(
    slack: SlackSandbox, outbound: Outbound
) -> None:
    channel = dev(slack)
    root = await post(outbound, channel, "root")
    first = await slack.post("alice", "dev", "go & on", root)
    await post(outbound, channel, "a notice", root)
    await slack.post_as_bot("dev", "beep", root)
    second = await slack.post("bob", "dev", "see", root, files=[Attachment("a.txt", b"abc")])

    found = (await outbound.list_replies(channel, root, SINCE)).replies

    assert [(reply.ts, reply.text, reply.thread_ts) for reply in found] == [
        (first, "go &amp; on", root),
        (second, "see", root),
    ]
    assert all(reply.is_bot_thread for reply in found)
    assert [reply.delivery for reply in found] == [f"{channel}:{first}", f"{channel}:{second}"]
    assert [file.name for file in found[1].files] == ["a.txt"]
    assert [reply.ts for reply in (await outbound.list_replies(channel, root, Ts(second))).replies] == [
        second
    ]


async def test_roots_say_when_they_were_last_replied_to(
    slack: SlackSandbox, outbound: Outbound, rate_limiter: RateLimiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client lists the root messages of a channel before a given message, each with the time of its
    latest reply. It reads one page at a time, at the lowest priority."""
    monkeypatch.setattr(module, "ROOTS_PAGE_SIZE", 3)
    channel = dev(slack)
    roots = [await post(outbound, channel, name) for name in ("one", "two", "three", "four", "five")]
    last = Ts(await slack.post("alice", "dev", "go on", roots[2]))
    await slack.post("alice", "dev", "before", roots[1])

    page = await outbound.list_roots(channel, roots[3])
    rest = await outbound.list_roots(channel, roots[0])

    assert page.latest_replies == {roots[3]: None, roots[2]: last, roots[1]: page.latest_replies[roots[1]]}
    assert [page.covers(ts) for ts in roots] == [False, True, True, True, True]
    assert page.span_us == microseconds(roots[3]) - microseconds(roots[1])
    assert rest.latest_replies == {roots[0]: None}
    assert rest.covers(SINCE)
    assert rate_limiter.waits[-1] == ("conversations.history", "", Priority.BACKFILL)


async def test_a_file_is_shared_once_and_its_share_is_found(slack: SlackSandbox, outbound: Outbound) -> None:
    channel = dev(slack)
    root = await post(outbound, channel, "root")
    file_id = await outbound.files.start_upload("log.txt", f"line\n{SECRET}")
    assert await outbound.files.find_share(file_id, channel) is None

    await outbound.files.complete_upload(file_id, "The whole log", channel, root)

    await slack.wait_until_idle()
    ts = await outbound.files.find_share(file_id, channel)
    assert ts is not None
    assert slack.message(channel, ts)["thread_ts"] == root
    assert slack.backend.files.files[file_id].content == b"line\n*****"


async def test_a_persons_file_is_read_if_it_is_text_of_that_size(
    slack: SlackSandbox, outbound: Outbound
) -> None:
    files = [Attachment("a.txt", "grüße".encode()), Attachment("b.bin", b"\xff\xfe\0")]
    ts = await slack.post("alice", "dev", "here", files=files)
    text, binary = (file["url_private"] for file in slack.message(dev(slack), ts)["files"])

    assert await outbound.files.download(text, 100) == "grüße"
    assert await outbound.files.download(text, 3) is None
    assert await outbound.files.download(binary, 100) is None


async def test_slacks_own_clock_is_remembered(slack: SlackSandbox, outbound: Outbound) -> None:
    before = datetime.now(UTC).replace(microsecond=0)

    await outbound.get_channel(dev(slack))

    found = outbound.last_answer_at
    assert found is not None
    assert before <= found <= datetime.now(UTC)


async def test_in_a_turn_room_is_asked_for_and_not_waited_for(
    slack: SlackSandbox, outbound: Outbound, rate_limiter: RateLimiter
) -> None:
    """In a job, a call that gets no place in the rate limit fails immediately.

    The queue runs the job again later. The rate limiter knows the job by its name, and keeps its position.
    """
    rate_limiter.seconds = 1.5
    with as_claimant("receipts:L1 card"):
        with pytest.raises(errors.NoCapacity) as later:
            await outbound.reserve("chat.postMessage", "C1", Priority.MENTION)
        with pytest.raises(errors.NoCapacity):
            await outbound.update(dev(slack), SINCE, Message(text="Hello"), META, Priority.FINAL_CARD)

    assert later.value.retry_after_seconds == 1.5
    assert rate_limiter.waits == [
        ("chat.postMessage", "C1", Priority.MENTION),
        ("chat.update", f"{dev(slack)}:{SINCE}", Priority.FINAL_CARD),
    ]
    assert rate_limiter.claimants == ["receipts:L1 card"] * 2
    assert len(slack.calls) == 0


async def test_outside_a_turn_a_place_is_waited_for(slack: SlackSandbox) -> None:
    """Outside a job, a call waits for its place in the rate limit, because nothing would repeat the call
    later."""

    class FullAtFirst(RateLimiter):
        async def take_place(
            self, method: str, where: str = "", priority: Priority = Priority.POST, claimant: str = ""
        ) -> float:
            await super().take_place(method, where, priority, claimant)
            return 0.01 if len(self.waits) == 1 else 0.0

    rate_limiter = FullAtFirst()
    async with transport.make_session() as session:
        client = make_client(slack.bot_token, slack.api_url, session=session)
        await Outbound(client, rate_limiter, mask).get_channel(dev(slack))

    assert rate_limiter.waits == [("conversations.info", "", Priority.POST)] * 2
    assert len(set(rate_limiter.claimants)) == 1


async def test_a_place_that_is_too_far_off_is_not_waited_for(
    outbound: Outbound, rate_limiter: RateLimiter
) -> None:
    """Outside a job, a call fails if it would have to wait too long for its place. The trigger of a dialog
    would expire meanwhile."""
    rate_limiter.seconds = 2.0

    with pytest.raises(errors.NoCapacity):
        await outbound.views.open("trigger", dialog("One moment"))

    assert rate_limiter.waits == [("views.open", "", Priority.POST)]


async def test_where_nobody_says_whether_there_is_room_a_person_is_answered(slack: SlackSandbox) -> None:
    """If Redis is away, a call outside a job is made without asking the rate limiter, so that a dialog opens.
    A call in a job fails."""

    class Away(RateLimiter):
        async def take_place(
            self, method: str, where: str = "", priority: Priority = Priority.POST, claimant: str = ""
        ) -> float:
            raise ConnectionError(f"{method} {where} {priority} {claimant}")

    async with transport.make_session() as session:
        client = make_client(slack.bot_token, slack.api_url, session=session)
        outbound = Outbound(client, Away(), mask)
        found = await outbound.get_channel(dev(slack))
        with as_claimant("to_thread:L1 job"), pytest.raises(ConnectionError):
            await outbound.get_channel(dev(slack))

    assert found.name == "dev"
    assert calls(slack, "conversations.info") == 1


async def test_an_attempt_takes_no_place_of_its_own(
    slack: SlackSandbox, outbound: Outbound, rate_limiter: RateLimiter
) -> None:
    """A post does not ask the rate limiter for a place, because its caller has reserved one before. So a post
    never waits for a place."""
    await post(outbound, dev(slack), "n1")

    assert rate_limiter.waits == []


async def test_what_slack_would_spoil_is_not_sent(slack: SlackSandbox, outbound: Outbound) -> None:
    with pytest.raises(drafts.InvalidDraft):
        await outbound.post(dev(slack), Message(text=" "), META)
    with pytest.raises(drafts.InvalidDraft):
        await outbound.update(dev(slack), SINCE, Message(text="x" * 4_001), META)
    with pytest.raises(drafts.InvalidDraft):
        await outbound.files.start_upload("empty.txt", "")

    assert len(slack.calls) == 0
