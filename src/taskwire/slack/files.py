"""Files in Slack: uploads and shares a file, finds out whether a file was shared, and reads people's files.

`outbound` does everything else that the bot does in Slack.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from slack_sdk.web.async_client import AsyncWebClient

from taskwire.domain.ids import ChannelId, Ts
from taskwire.slack import models
from taskwire.slack.calls import Calls, Method, SlackTimeouts
from taskwire.slack.drafts import Drafts
from taskwire.slack.handed_out_urls import HandedOutUrls
from taskwire.slack.models import Identity
from taskwire.slack.payload_fields import read_files, read_user

# In characters. Longer files are read and sent one at a time, to limit the memory for them.
LONG_FILE = 500_000


class Files:
    """What the bot does with files in Slack. `get_own` returns the bot's own identity."""

    def __init__(
        self,
        client: AsyncWebClient,
        calls: Calls,
        drafts: Drafts,
        handed_out_urls: HandedOutUrls,
        timeouts: SlackTimeouts,
        get_own: Callable[[], Awaitable[Identity]],
    ) -> None:
        self._client = client
        self._calls = calls
        self._drafts = drafts
        self._handed_out_urls = handed_out_urls
        self._timeouts = timeouts
        self._get_own = get_own
        self._long_files = asyncio.Semaphore(1)

    async def start_upload(self, name: str, text: str) -> str:
        """Upload a text as a file and return the file's id. Nobody sees the file before `complete_upload`."""
        # Masking a million characters takes a second, so a worker thread does it. Only one long text at a
        # time is masked, because masking needs several times the memory of the text.
        async with self._long_files if len(text) > LONG_FILE else contextlib.nullcontext():
            content = await asyncio.to_thread(self._drafts.prepare_file, text)
        call = self._client.files_getUploadURLExternal(filename=self._drafts.mask(name), length=len(content))
        answer = await self._calls.make(Method.START_UPLOAD, self._timeouts.change, call)
        file_id = models.require_text(Method.START_UPLOAD, answer, "file_id")
        url = models.require_text(Method.START_UPLOAD, answer, "upload_url")
        await self._handed_out_urls.upload(url, content, self._timeouts.file)
        return file_id

    async def complete_upload(
        self, file_id: str, title: str, channel: ChannelId, thread_ts: Ts | None = None
    ) -> None:
        """Share an uploaded file in a channel or thread.

        The caller must first take a place in Slack's rate limits with `Outbound.reserve`. If the call is
        inside a `transport.deadline`, that deadline applies.
        """
        call = self._client.files_completeUploadExternal(
            files=[{"id": file_id, "title": self._drafts.mask(title)}],
            channel_id=channel,
            thread_ts=thread_ts,
        )
        await self._calls.make(Method.COMPLETE_UPLOAD, self._timeouts.post, call, is_reserved=True)

    async def has_file(
        self, channel: ChannelId, thread_ts: Ts | None, since: Ts, name: str, text: str
    ) -> bool:
        """Return whether the bot has shared a file with this name and the length of `text` since `since`."""
        own = await self._get_own()
        sought = (self._drafts.mask(name), len(await asyncio.to_thread(self._drafts.prepare_file, text)))
        async for message in self._calls.iter_messages(channel, thread_ts, since, self._timeouts.read):
            is_own = read_user(message, "user") == own.bot_user_id
            if is_own and any((file.name, file.size) == sought for file in read_files(message)):
                return True
        return False

    async def find_share(self, file_id: str, channel: ChannelId) -> Ts | None:
        """Return the ts of the message that shows a file; None if no message shows it yet.

        Slack posts the message soon after `complete_upload`.
        """
        call = self._client.files_info(file=file_id)
        answer = await self._calls.make(Method.FILE, self._timeouts.read, call, ok_error="file_not_found")
        return models.find_share(answer, channel)

    async def get_file_url(self, file_id: str) -> str:
        """Return the address under which Slack shows a shared file."""
        call = self._client.files_info(file=file_id)
        answer = await self._calls.make(Method.FILE, self._timeouts.read, call)
        return models.require_text(Method.FILE, answer, "file", "permalink")

    async def download(self, url: str, limit_bytes: int) -> str | None:
        """Read a person's file as text; None if the file is longer than the limit or is not text."""
        return await self._handed_out_urls.download(url, limit_bytes, self._timeouts.file)
