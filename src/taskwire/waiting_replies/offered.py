"""Teammates' replies that a task's owner may pass on to the agent. They are stored for a week.

A reply is stored when its author is told that they may not steer the task. The replies that an owner is asked
to pass on are also listed. `replies/pass_on.py` handles the buttons.
"""

import hashlib
import json
from collections.abc import Callable, Sequence

from pydantic import BaseModel

from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import ChannelId, LinkId, Ts, UserId
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.parsing.bare_words import is_stop
from taskwire.domain.queueing.decisions import Choose
from taskwire.domain.queueing.jobs import REPLY_ID_PREFIX, Reply
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import json_length
from taskwire.domain.text.mrkdwn import break_mentions
from taskwire.messages.blocks import clean_name
from taskwire.messages.teammates import PASSED_TEXT_LENGTH, AskedFile, AskedLine
from taskwire.outbox.permalinks import find_permalink
from taskwire.outbox.questions import find_choice
from taskwire.queue.batch import Batch
from taskwire.redis.decoding import read

# For this long after the bot offers a reply, the buttons that pass the reply on work.
OFFERED_REPLY_TTL_MS = 7 * DAY_MS
# The name of the note that lists the replies about which an owner is asked, and the most replies in this
# note.
ASKED, MOST_ASKED = "asked_of", 50
# The most replies of one author in this note.
MOST_ASKED_BY_ONE = 10


class OfferedReply(BaseModel):
    """A reply that the owner may pass on, and the thread that contains the reply.

    If the owner was asked, `author_name` and `words` are what the owner was shown. If part of the words was
    masked, `message_url` is the address of the message, and `edited_at` is when it was last edited before the
    owner was asked. If the author pressed the button that asks the owner, `asker` is this press. When the
    owner decides, the message that contains the button is replaced.
    """

    reply: Reply
    channel: ChannelId
    thread_ts: Ts
    is_asked: bool = False
    asker: Requester | None = None
    author_name: str = ""
    words: str = ""
    message_url: str = ""
    edited_at: Ts | None = None
    # The content of each file of the reply, as the owner was shown it. The content is empty for a file that
    # the owner has to open. `can_open_files` says whether the owner can open it: Slack shows a file to people
    # in its channel.
    file_texts: tuple[str, ...] = ()
    can_open_files: bool = False
    # The press of a button, if the reply is a choice that the agent offers. Such a reply is no message in the
    # thread.
    choice: Choose | None = None

    @property
    def job_id(self) -> str:
        """The id of the job for this reply if it is passed on.

        The values of the question's buttons contain this id.
        """
        if self.choice is None:
            return f"{REPLY_ID_PREFIX}{self.reply.ts}"
        return f"choice:{self.choice.key}:{self.choice.number}:{self.reply.person}"

    @property
    def is_stop(self) -> bool:
        """Whether the reply is only a word such as `stop`. If it is passed on, the task stops."""
        return self.choice is None and not self.reply.files and is_stop(self.words)

    @property
    def shown_hash(self) -> str:
        """A hash of what the owner was shown: the author's name, the words, and the files.

        The values of the question's buttons contain this hash, so a press counts only for what that question
        showed. The hash needs no key, because only people who are asked get it.
        """
        names = [file.name for file in self.reply.files]
        shown = json.dumps([self.author_name, self.words, names, self.reply.file_hashes])
        return hashlib.sha256(shown.encode()).hexdigest()

    async def is_settled(self, deps: Dependencies, link: Link) -> bool:
        """Return whether the reply is a choice and the agent's question has been answered in the meantime."""
        return self.choice is not None and await find_choice(deps, link, self.choice) is None


class DecidedReply(BaseModel):
    """Who has decided about an offered reply, and when.

    `was_passed` is False if the person pressed *Not now*, and True if the person passed the reply on.
    """

    person: UserId
    at: Ts
    was_passed: bool


def keep_offered(
    deps: Dependencies, link: Link, offered: OfferedReply, batch: Batch, now_ms: int = 0
) -> Batch:
    """Store a reply.

    If `offered.is_asked`, also add the reply to the list of replies about which the task's owner is asked.
    `now_ms` is the time of the entry in this list.
    """
    name, owner = offered.job_id, link.record.owner_slack
    if offered.is_asked and owner is not None:
        counted = f"{link.id} {name}"
        deps.notes.count_in(batch, counted, now_ms, MOST_ASKED, ASKED, owner, ttl_ms=OFFERED_REPLY_TTL_MS)
    kept = offered.model_dump_json()
    return deps.notes.keep_in(batch, kept, "offered_reply", link.id, name, ttl_ms=OFFERED_REPLY_TTL_MS)


async def find_offered(deps: Dependencies, link: LinkId, job_id: str) -> OfferedReply | None:
    """Find a stored reply.

    Return None if a person has decided about the reply, or if it is more than a week old.
    """
    kept = await deps.notes.find("offered_reply", link, job_id)
    return None if kept is None else read(OfferedReply.model_validate_json, kept)


async def count_asked_by(deps: Dependencies, owner: UserId, author: UserId) -> int:
    """Return how many replies of this author the owner is asked to pass on."""
    counted = [name.partition(" ") for name in await deps.notes.list_counted(ASKED, owner)]
    found = [await find_offered(deps, LinkId(link), job_id) for link, _, job_id in counted]
    return sum(offered is not None and offered.reply.person == author for offered in found)


def forget_offered(deps: Dependencies, link: Link, job_id: str, batch: Batch) -> Batch:
    """Delete a stored reply, because a person has decided about it."""
    if link.record.owner_slack is not None:
        deps.notes.uncount_in(batch, f"{link.id} {job_id}", ASKED, link.record.owner_slack)
    return deps.notes.forget_in(batch, "offered_reply", link.id, job_id)


def keep_decided(deps: Dependencies, link: LinkId, job_id: str, decided: DecidedReply, batch: Batch) -> None:
    """Store who has decided about a reply.

    If a person later presses a button of the question about the reply, the person is told who has decided.
    """
    kept = decided.model_dump_json()
    deps.notes.keep_in(batch, kept, "decided_reply", link, job_id, ttl_ms=OFFERED_REPLY_TTL_MS)


async def find_decided(deps: Dependencies, link: LinkId, job_id: str) -> DecidedReply | None:
    """Find who has decided about a reply.

    Return None if nobody has, or if the decision is no longer stored.
    """
    kept = await deps.notes.find("decided_reply", link, job_id)
    return None if kept is None else read(DecidedReply.model_validate_json, kept)


async def list_asked(deps: Dependencies, person: UserId, owns: Callable[[Link], bool]) -> list[AskedLine]:
    """List the replies that this person is asked to pass on, the oldest first.

    `owns` returns whether a link's task is the person's own now. A former owner may not read these replies.
    """
    counted = [name.partition(" ") for name in await deps.notes.list_counted(ASKED, person)]
    links = await deps.links.list_links({LinkId(link) for link, _, _ in counted})
    found = []
    for link_id, _, job_id in counted:
        link = links.get(LinkId(link_id))
        if link is None or link.end_reason is not None or not owns(link):
            continue
        offered = await find_offered(deps, link.id, job_id)
        if offered is not None and not await offered.is_settled(deps, link):
            found.append(describe_asked(deps, link, offered, await find_permalink(deps, link.record)))
    return found


def choose_shown_files(text: str, contents: Sequence[str]) -> tuple[str, ...]:
    """Return, for each file, its content if the message has room for it below `text`; otherwise empty."""
    left, shown = PASSED_TEXT_LENGTH - json_length(text), []
    for content in contents:
        length = json_length(content)
        shown.append(content if length <= left else "")
        left -= length if length <= left else 0
    return tuple(shown)


def describe_asked(deps: Dependencies, link: Link, offered: OfferedReply, permalink: str = "") -> AskedLine:
    """Return the text that shows the owner a reply. `permalink` is the address of the task's thread."""
    # If a letter changed, another part could be masked. So exactly this text is sent.
    shown = break_mentions(offered.words.strip())
    reply = offered.reply
    files = tuple(
        AskedFile(
            clean_name(file.name),
            file.size,
            text,
            file.permalink if offered.can_open_files else "",
            may_differ=file.is_editable and (not text or deps.mask(text) != text),
        )
        for file, known, text in zip(reply.files, reply.file_hashes, offered.file_texts, strict=False)
        if known
    )
    texts = [shown, *(file.text for file in files)]
    return AskedLine(
        link=link,
        job_id=offered.job_id,
        name=clean_name(offered.author_name),
        text=shown,
        files=tuple(clean_name(file.name) for file in reply.files),
        contents=files,
        permalink=permalink,
        is_hidden=any(len(text) <= PASSED_TEXT_LENGTH and deps.mask(text) != text for text in texts),
        message_url=offered.message_url,
        shown_hash=offered.shown_hash,
        is_stop=offered.is_stop,
    )
