"""Calls every method of Slack's Web API that Taskwire uses, and records the arguments sent and the keys read.

The stand-in for Slack answers. Each answer records the keys that the client looks up in it.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from taskwire import transport
from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.domain.text.message import Block, Message, View
from taskwire.slack.client import make_client
from taskwire.slack.metadata import Metadata
from taskwire.slack.outbound import Outbound
from taskwire_sandbox.slack import Attachment, SlackSandbox
from tests.slack.conftest import RateLimiter

CHANNEL = r"\bC0TW[0-9A-Z]+"
# Every answer has these keys, and the SDK looks them up in every answer.
IN_EVERY_ANSWER = {"ok", "error"}
WORDS: Block = {"type": "section", "text": {"type": "mrkdwn", "text": "Hello."}}
HELLO = Message(text="Hello.", blocks=(WORDS,))
TITLE: Block = {"type": "plain_text", "text": "New task"}
DIALOG = View(content={"type": "modal", "title": TITLE, "blocks": []})
HOME = View(content={"type": "home", "blocks": [WORDS]})
SINCE = Ts("0.000000")


@dataclass
class Recording:
    """The arguments that the client sent and the keys that it read, by method.

    `seen` has all keys that the client looked up. `found` has the keys that were present in at least one
    answer.
    """

    sent: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    seen: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    found: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def read(self, method: str) -> set[str]:
        """Return the paths of the values that the client read in a method's answers. A path that only leads
        to other values is left out."""
        seen = self.seen[method]
        return {
            path
            for path in seen
            if not any(re.match(rf"{re.escape(path)}(\[\]|\.)", other) for other in seen)
        }


class _RecordingDict(dict[str, Any]):
    """A JSON object that records which of its keys are looked up."""

    def __init__(self, values: dict[str, Any], note: Callable[[str, bool], None], path: str = "") -> None:
        super().__init__({key: _record_reads(value, note, f"{path}{key}") for key, value in values.items()})
        self._note, self._path = note, path

    def get(self, key: str, default: object = None) -> Any:
        """Look up a key, and record that the client has looked it up."""
        self._note(f"{self._path}{key}", key in self)
        return super().get(key, default)


def _record_reads(value: object, note: Callable[[str, bool], None], path: str) -> object:
    if isinstance(value, dict):
        return _RecordingDict(value, note, f"{path}.")
    if isinstance(value, list):
        return [_record_reads(each, note, f"{path}[]") for each in value]
    return value


def _record_answers(client: AsyncWebClient, recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the answers to a client record which keys are read."""
    ask = client._request  # noqa: SLF001 - the one place through which every answer passes

    async def request(*, http_verb: str, api_url: str, req_args: dict[str, Any]) -> dict[str, Any]:
        method = api_url.rpartition("/")[2]

        def note(path: str, is_there: bool) -> None:
            path = re.sub(CHANNEL, "{channel}", path)
            if path not in IN_EVERY_ANSWER:
                recording.seen[method].add(path)
            if is_there:
                recording.found[method].add(path)

        answer = await ask(http_verb=http_verb, api_url=api_url, req_args=req_args)
        return answer | {"data": _RecordingDict(answer["data"], note)}

    monkeypatch.setattr(client, "_request", request)


async def record_calls(monkeypatch: pytest.MonkeyPatch) -> Recording:
    """Call every method of `Outbound` with all its arguments. The stand-in's lists have more than one
    page."""
    for size in (
        "calls.PAGE_SIZE",
        "outbound.PAGE_SIZE",
        "outbound.LONGEST_PAGE_SIZE",
        "outbound.PROFILES_PAGE_SIZE",
    ):
        monkeypatch.setattr(f"taskwire.slack.{size}", 1)
    recording = Recording()
    async with SlackSandbox(retry_seconds=()) as slack, transport.make_session() as session:
        for name in ("alice", "bob"):
            slack.add_user(name)
        slack.add_channel("dev", ["alice", "bob"])
        client = make_client(slack.bot_token, slack.api_url, session=session)
        _record_answers(client, recording, monkeypatch)
        outbound = Outbound(client, RateLimiter(), str)

        await _post_messages(slack, outbound)
        await _read_workspace(slack, outbound)
        await _open_dialogs_and_share_files(slack, outbound)

        await slack.wait_until_idle()
        for call in slack.calls:
            recording.sent[call.method] |= call.arguments.keys()
        assert slack.violations == []
    return recording


async def _post_messages(slack: SlackSandbox, outbound: Outbound) -> None:
    dev, alice = ChannelId(slack.workspace.channel("dev").id), UserId(slack.workspace.user("alice").id)
    root = await outbound.post(dev, HELLO, Metadata("root", "card", "task-1"))
    notice = await outbound.post(dev, HELLO, Metadata("notice", "notice"), thread_ts=root)
    await outbound.update(dev, notice, HELLO, Metadata("notice", "notice"))
    await outbound.post_ephemeral(dev, alice, HELLO, root)
    await outbound.respond(slack.backend.tickets.response_url("commands", alice, dev), HELLO)
    await outbound.get_permalink(dev, root)
    await outbound.sessions.set_status(dev, root, "processing", "Fix the login")
    link = "https://coder.example.com/tasks/alice/1"
    posted = Ts(await slack.post("alice", "dev", f"see {link}", root))
    await outbound.unfurl(dev, posted, {link: HELLO})
    await outbound.find_picked(dev, posted)
    files = [Attachment("a.txt", b"abc")]
    reply = Ts(await slack.post("alice", "dev", "see", root, files=files))
    await outbound.add_reaction(dev, reply, "eyes")
    await outbound.list_replies(dev, root, SINCE)
    await outbound.find_traces(dev, root, reply)
    await outbound.find_metadata(dev, root)
    await outbound.find_copies(dev, None, SINCE, "root")
    await outbound.list_roots(dev, root)
    await outbound.remove_reaction(dev, reply, "eyes")
    await outbound.delete(dev, notice)


async def _read_workspace(slack: SlackSandbox, outbound: Outbound) -> None:
    dev, alice = ChannelId(slack.workspace.channel("dev").id), UserId(slack.workspace.user("alice").id)
    group = slack.add_group("admins", ["alice", "bob"])
    await outbound.get_identity()
    await outbound.open_socket(slack.app_token)
    await outbound.get_profile(alice)
    _, cursor = await outbound.list_profiles()
    await outbound.list_profiles(cursor)
    await outbound.find_user_by_email("alice@acme.test")
    await outbound.get_channel(dev)
    direct = await outbound.open_direct(alice)
    await outbound.get_channel(direct)
    await outbound.list_channels_of(alice)
    await outbound.list_group(group.id)
    await outbound.list_groups()
    slack.workspace.org_teams = (home := slack.workspace.team_id, "T2")
    await outbound.list_teams()
    await outbound.list_profiles(team=home)
    await outbound.list_group(group.id, (home,))
    await outbound.list_groups(home, with_members=True)
    slack.workspace.org_teams = ()


async def _open_dialogs_and_share_files(slack: SlackSandbox, outbound: Outbound) -> None:
    dev, alice = ChannelId(slack.workspace.channel("dev").id), UserId(slack.workspace.user("alice").id)
    view_id = await outbound.views.open(slack.backend.tickets.trigger(alice), DIALOG)
    await outbound.views.update(view_id, DIALOG)
    await outbound.views.publish(alice, HOME)
    root = await outbound.post(dev, HELLO, Metadata("files", "card"))
    secret = ChannelId(slack.add_channel("secret", ["alice"], kind="private").id)
    for channel, thread_ts in ((dev, root), (dev, None), (secret, None)):
        file_id = await outbound.files.start_upload("log.txt", "line")
        await outbound.files.complete_upload(file_id, "The whole log", channel, thread_ts)
        await slack.wait_until_idle()
        await outbound.files.find_share(file_id, channel)
        await outbound.files.get_file_url(file_id)
        await outbound.files.has_file(channel, thread_ts, SINCE, "log.txt", "line")
    await outbound.find_copies(dev, None, SINCE, "nowhere")
