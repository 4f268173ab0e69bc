"""Stores the hashes of the words and files of a message that a person has picked, or has written with another
one's file, as soon as the person has done so.

A person picks a message by the reaction that starts a task, or by *Send to its task*. The request may wait
behind others for hours. Meanwhile the person who has uploaded a file can change it, and an app can change the
words without Slack's mark for edited messages. So a second job, in a queue of its own, reads the message at
once. The request gets the hashes from here, and compares them with the message when it is carried out.
"""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Sequence
from typing import cast

from taskwire.agent.input import AgentInput, has_only_own_files
from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.ids import ThreadRef, Ts, UserId
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.jobs import Job, Reply
from taskwire.domain.queueing.person_jobs import ReadPickedFiles
from taskwire.domain.queueing.queues import picked_files
from taskwire.domain.requester import FileRef, Requester
from taskwire.job_context import Handler, JobContext, JobEnded, Outcome, done, retry
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.shortcuts import PickedMessage

# A request may wait for a person's account for a week, after it has waited in its queue.
HASHES_TTL_MS = 14 * DAY_MS
# Where the note has the hash of the words. No file has this id.
WORDS = "words"
# Slack usually gives the files in a moment. If they are not read after so many looks, the request waits.
LOOKS, PAUSE_SECONDS, LATER_SECONDS = 20, 0.1, 1.0


def read_files_at_once(
    requester: Requester, message_ts: Ts, about: str, batch: Batch, claimed_in: ThreadRef | None = None
) -> Batch:
    """Append the job that reads the files of the message that a person has picked.

    `about` and `claimed_in` are as in `picked_files` and `Batch.append`.
    """
    work = ReadPickedFiles(
        person=requester.person, at=requester.at, channel=requester.channel, message_ts=message_ts
    )
    name = picked_files(requester.person, requester.at, about)
    return batch.append(name, Job(id=f"files:{message_ts}", work=work), claimed_in=claimed_in)


class PickedFiles:
    """Reads the files of picked messages."""

    def __init__(self, deps: Dependencies, people: People, agent_input: AgentInput) -> None:
        self._deps = deps
        self._people = people
        self._agent_input = agent_input

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (Handler.without_link(ReadPickedFiles, self.read),)

    async def read(self, context: JobContext) -> Outcome:
        """Store the hashes of a message's files. Read no file for a person who may not use the message."""
        work = context.work(ReadPickedFiles)
        link = await self._deps.links.find(context.link_id)
        key = _name_note(work.person, work.at, work.message_ts)
        hashes = await self._find_known(*key) or {}
        # If the person has no right now, or the message cannot be read, the note stays without its words. The
        # request is then refused, also if the person gets the right later.
        if not await self._may_use(work, link):
            return done(self._deps.notes.keep_in(Batch(), json.dumps(hashes), *key, ttl_ms=HASHES_TTL_MS))
        with contextlib.suppress(ChannelProblem, MessageGone):
            message = await self._deps.slack.find_picked(work.channel, work.message_ts)
            hashes.setdefault(WORDS, self._hash_words(message))
            hashes |= await self._hash([file for file in message.files if file.id not in hashes])
        return done(self._deps.notes.keep_in(Batch(), json.dumps(hashes), *key, ttl_ms=HASHES_TTL_MS))

    async def _find_known(self, *key: str) -> dict[str, str] | None:
        """Return the hash of each file that was read before, by the file's id; None if nothing was read.

        The hash of the message's words has the key WORDS.
        """
        stored = await self._deps.notes.find(*key)
        found: object = json.loads(stored) if stored is not None else None
        # An older version of Taskwire has stored a list without ids.
        return cast("dict[str, str]", found) if isinstance(found, dict) else None

    def _hash_words(self, message: PickedMessage) -> str:
        # A plain hash is enough, because the note is encrypted.
        words = Reply(person=UserId(""), ts=message.ts, text=message.text, blocks=message.blocks_json)
        return hashlib.sha256(self._agent_input.get_plain(words).encode()).hexdigest()

    async def _hash(self, files: Sequence[FileRef]) -> dict[str, str]:
        hashes = await self._agent_input.hash_files(tuple(files))
        return {file.id: each for file, each in zip(files, hashes, strict=True)}

    async def _may_use(self, work: ReadPickedFiles, link: Link | None) -> bool:
        try:
            if link is not None:
                return await self._people.can_steer(work.person, link)
            await self._people.get_account(work.person)
        except UserError:
            return False
        except OutsideError:
            # The check has to wait, but the author can change the files meanwhile.
            return True
        return True

    async def get_hashes(
        self, context: JobContext, requester: Requester, message_ts: Ts, files: tuple[FileRef, ...]
    ) -> tuple[str, ...]:
        """Return the hashes that the files of a picked message had when the person picked it.

        If the files are not read yet, end the job: it runs again a moment later. A file that was not there
        then gets no hash, so fewer hashes than files mean that the message was changed. If nobody will read
        the files, because the store has lost that job, return the present hashes.
        """
        known = await self._find_read(context, requester, message_ts)
        if known is None:
            return await self._agent_input.hash_files(files)
        return tuple(known[file.id] for file in files if file.id in known)

    async def has_same_words(self, context: JobContext, requester: Requester, message: PickedMessage) -> bool:
        """Return whether a picked message has the words that it had when the person picked it.

        End the job if the message is not read yet, as `get_hashes` does. If nobody will read it, return True.
        If it could not be read then, return False.
        """
        known = await self._find_read(context, requester, message.ts)
        return known is None or known.get(WORDS) == self._hash_words(message)

    async def _find_read(
        self, context: JobContext, requester: Requester, message_ts: Ts
    ) -> dict[str, str] | None:
        """Return what the other job has read (`_find_known`). End this job while the other one waits."""
        about = context.link_id if context.lease.name.startswith("to_coder:") else requester.channel
        name = picked_files(requester.person, requester.at, about)
        # Look at the queue first: its job could end between the two looks.
        for _ in range(LOOKS):
            if not await self._deps.links.list_jobs(name):
                break
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            raise JobEnded(retry(LATER_SECONDS))
        return await self._find_known(*_name_note(requester.person, requester.at, message_ts))

    async def with_hashes(self, context: JobContext, link: Link, reply: Reply) -> Reply:
        """Return the reply with what its files said when it arrived, if somebody else can change one of them.

        End the job if the files are not read yet, as `get_hashes` does.
        """
        if reply.file_hashes or has_only_own_files(reply.person, reply.files):
            return reply
        author = Requester(person=reply.person, channel=link.record.channel, at=reply.ts)
        known = await self._find_read(context, author, reply.ts)
        return await self._agent_input.with_file_hashes(reply, known)


def _name_note(person: str, at: str, message_ts: str) -> tuple[str, ...]:
    return "picked_files", person, at, message_ts
