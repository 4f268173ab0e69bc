"""Who asked for something and where, and the messages and files that a request refers to."""

from typing import Literal

from pydantic import ConfigDict

from taskwire.domain.allowed import Barred
from taskwire.domain.ids import ChannelId, ThreadRef, Ts, UserId
from taskwire.domain.sealed_model import Readable, SealedModel

# Where a person acted. `reply` is a message in a task's thread, even if it is a verb. The surface is empty in
# jobs of versions that did not record it.
Surface = Literal[
    "", "command", "button", "home", "dialog", "shortcut", "emoji", "mention", "direct_message", "reply"
]


class Requester(SealedModel):
    """The person who asked, where and when they asked, and how to answer this person privately.

    `response_url` is Slack's URL for private answers; None if Slack gave none.
    """

    model_config = ConfigDict(frozen=True)

    person: UserId
    channel: ChannelId
    at: Ts
    thread_ts: Ts | None = None
    response_url: str | None = None
    # Whether the person may have asked in another channel. `channel` is then the channel for the result.
    is_elsewhere: bool = False
    surface: Surface = ""
    # Whether the settings did not allow the bot in this channel when the person's message arrived.
    is_out_of_place: bool = False
    # Why the person might not use the bot when their message arrived, as far as this was known then.
    barred: Barred = ""

    def is_in(self, thread: ThreadRef | None) -> bool:
        """Return whether the person asked in this thread. `thread` is None if there is no thread yet."""
        return self.thread_ts is not None and thread == ThreadRef(self.channel, self.thread_ts)


class FileRef(SealedModel):
    """A file that came with a message."""

    model_config = ConfigDict(frozen=True)

    id: Readable
    name: str
    url: str = ""
    size: int = 0
    mimetype: Readable = ""
    # The page on which people open the file.
    permalink: str = ""
    # Whether people can edit the file in Slack. The file then keeps its id.
    is_editable: bool = False
    # The id of the person who has uploaded the file and alone can change it; empty if others can too, as with
    # a canvas. Another person can share the file too.
    uploader_id: Readable = ""


class EarlierMessages(SealedModel):
    """The messages of a thread before the message at `before`. If `before` is None, all messages."""

    model_config = ConfigDict(frozen=True)

    channel: ChannelId
    thread_ts: Ts
    before: Ts | None = None
