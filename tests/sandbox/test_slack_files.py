"""The app uploads files in three steps, and people attach files to messages."""

from collections.abc import AsyncIterator

import pytest

from taskwire_sandbox.slack import Attachment
from tests.sandbox.slack_app import Api, Json
from tests.sandbox.slack_worlds import world


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with world(share_seconds=0.1) as opened:
        yield opened


async def upload(api: Api, name: str, content: bytes) -> str:
    """Make the first two steps of an upload. Return the file's id."""
    opened = await api.form("files.getUploadURLExternal", filename=name, length=str(len(content)))
    async with api.session.post(opened["upload_url"], data=content) as response:
        assert (response.status, await response.text()) == (200, f"OK - {len(content)}")
    return str(opened["file_id"])


async def test_an_upload_is_shared_a_moment_later(api: Api) -> None:
    """When an upload is completed, the answer does not say where the file is shared. A moment later the file
    is in the thread, and files.info says where it is shared."""
    channel = api.slack.workspace.channel("general").id
    root = await api.post(channel, "root")
    file_id = await upload(api, "log.txt", b"all of it")

    answer = await api.call(
        "files.completeUploadExternal",
        files=[{"id": file_id, "title": "The log"}],
        channel_id=channel,
        thread_ts=root,
        initial_comment="see",
    )
    at_once = len(api.slack.thread("general", root))
    await api.slack.until(lambda: len(api.slack.thread("general", root)) == 2, "the share")
    shown = await api.call("files.info", file=file_id)

    message = api.slack.thread("general", root)[-1]
    assert (answer["files"][0]["title"], "shares" in answer["files"][0], at_once) == ("The log", False, 1)
    assert (message["subtype"], message["text"], message["files"][0]["id"]) == ("file_share", "see", file_id)
    assert shown["file"]["shares"] == {"public": {channel: [{"ts": message["ts"], "thread_ts": root}]}}


@pytest.mark.parametrize(
    ("place", "error"), [("random", "not_in_channel"), ("secret", "channel_not_found"), ("general", None)]
)
async def test_a_file_goes_where_the_bot_is(api: Api, place: str, error: str | None) -> None:
    """If the bot could not post a message in a place, it cannot share a file there."""
    file_id = await upload(api, "a.txt", b"x")
    channel = api.slack.workspace.channel(place).id

    answer = await api.call("files.completeUploadExternal", files=[{"id": file_id}], channel_id=channel)

    assert answer.get("error") == error


async def test_what_was_not_uploaded_cannot_be_completed(api: Api) -> None:
    """If a file has the wrong length or an unknown id, its upload cannot be completed. The answer is the
    error "not found"."""
    opened = await api.form("files.getUploadURLExternal", filename="a.txt", length="3")
    async with api.session.post(opened["upload_url"], data=b"four") as response:
        assert response.status == 400

    errors = [
        (await api.call("files.completeUploadExternal", files=[{"id": file_id}]))["error"]
        for file_id in (opened["file_id"], "F404")
    ]

    assert errors == ["file_not_found", "file_not_found"]
    assert api.slack.violations == ["upload of 4 bytes where 3 were announced"]


async def test_an_attachment_is_read_with_the_bots_token(api: Api) -> None:
    """If a person attaches a file, the app can read it with the bot's token. Without the token, the answer is
    Slack's sign-in page."""
    ts = await api.slack.post("alice", "general", "look", files=[Attachment("a.diff", b"+1")])
    file: Json = api.slack.message("general", ts)["files"][0]

    headers = {"Authorization": f"Bearer {api.slack.bot_token}"}
    async with api.session.get(file["url_private"], headers=headers) as response:
        with_token = await response.read()
    async with api.session.get(file["url_private"]) as response:
        without_token = (response.content_type, await response.text())

    assert (file["name"], file["filetype"], file["mode"], file["size"]) == ("a.diff", "diff", "snippet", 2)
    assert with_token == b"+1"
    assert without_token[0] == "text/html"
    assert api.slack.violations == ["a file was fetched without a token that may read it"]
