"""Input on its way to the agent, exactly once.

Coder's answer decides, not the state that was last seen: input is tried whenever the task is active, a
paused task is resumed first, and what comes too early waits. A lost answer is read back in `read_back`.
"""

import contextlib
from functools import partial

from taskwire.bridge.doors import Doors
from taskwire.bridge.excuses import said
from taskwire.bridge.fates import Case, Fates
from taskwire.bridge.hand import Ending, in_doubt
from taskwire.bridge.input_text import InputText
from taskwire.bridge.read_back import InputReader, ResumeNote, SendNote
from taskwire.bridge.show import REACTIONS
from taskwire.bridge.sightings import entries_of
from taskwire.coder.errors import (
    AlreadyRunning,
    AppUnreachable,
    BuildActive,
    MustBeActive,
    NoLogs,
    NoTasks,
    NotFound,
    NotReady,
    RejectedByApp,
    TaskPaused,
    TokenRefused,
)
from taskwire.coder.models import Logs, Task, TaskStatus
from taskwire.model import doubt
from taskwire.model.errors import Refused, Unknown
from taskwire.model.ids import moment_of
from taskwire.model.jobs import Job, TidyInput, tidy
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.store.steps import Step
from taskwire.words import inputs


class Deliverer:
    """Brings the words of a reply to the agent."""

    def __init__(self, doors: Doors, texts: InputText, fates: Fates, reader: InputReader) -> None:
        self._doors = doors
        self._texts = texts
        self._fates = fates
        self._reader = reader

    async def deliver(self, case: Case, text: str) -> Ending:
        """Send the words if the task takes any now; resume it if it is paused; else wait."""
        if case.is_suspect and (over := await self._dealt_with(case)):
            return over
        task_id = case.link.bond.task_id
        assert task_id is not None  # noqa: S101 - a link's first jobs bind it before any reply
        try:
            task = await self._doors.coder.get_task(task_id)
        except NotFound:
            # Whether it is gone is for the sweep to say; until then the reply waits.
            return await self._fates.waits(case)
        if task.status is TaskStatus.PAUSED:
            doubted = await self._paused_since(case, task, text) if case.is_suspect else None
            return doubted or await self._resume(case, task)
        if task.status is not TaskStatus.ACTIVE:
            return await self._fates.waits(case, is_broken=task.status is TaskStatus.ERROR)
        return await self._send(case, task, text)

    async def _send(self, case: Case, task: Task, text: str) -> Ending:
        try:
            logs = await self._doors.coder.get_logs(task.id)
            if case.is_suspect and (sent := await self._sent_before(case, logs, text)):
                return sent
            note = SendNote.before(case.hand, task, logs, text)
            unclear = await self._attempt(case, task, note)
        except (NotReady, BuildActive, TaskPaused, MustBeActive, NoLogs):
            return await self._fates.waits(case)
        except AppUnreachable:
            return await self._fates.out_of_reach(case)
        except (TokenRefused, NoTasks):
            # The account's trouble, not this reply's: it waits.
            raise
        except Refused as refused:
            words = await self._texts.words(case.reply)
            message = inputs.not_delivered(case.link, case.hand.job.id, said(refused), words)
            return self._fates.failed(case, message)
        return unclear or await self._fates.delivered(case, note.reported_at)

    async def _attempt(self, case: Case, task: Task, note: SendNote) -> Ending | None:
        """Send it once; an ending, or Unknown, if nobody can tell yet whether the agent has it."""
        hand = case.hand
        try:
            await hand.attempt(
                note.model_dump_json(),
                self._doors.coder.timeouts.send,
                lambda: self._doors.coder.send(task.id, note.marked.text),
                _tidy_step(case, note),
            )
        except Unknown as error:
            if await self._reader.glimpse(task.id, note):
                hand.settled(has_landed=True)
            elif isinstance(error, RejectedByApp):
                return in_doubt(hand.job.knowing(was_rejected=True))
            else:
                raise
        return None

    async def _sent_before(self, case: Case, logs: Logs, text: str) -> Ending | None:
        """What is known of an input that the agent may have had before Redis went back in time."""
        found = doubt.find_since(text, moment_of(case.reply.ts), entries_of(logs))
        if found == "not_there":
            return None
        if found == "there":
            return await self._fates.delivered(case, None)
        return await self._fates.forgotten(case)

    async def _dealt_with(self, case: Case) -> Ending | None:
        """What shows in the thread of how this reply was dealt with, which Redis may have forgotten."""
        thread = case.link.bond.thread
        if thread is None:
            return None
        try:
            traces = await self._doors.slack.find_traces(thread.channel, thread.ts, case.reply.ts)
        except (ChannelProblem, MessageGone):
            return None
        if REACTIONS["delivered"] in traces.marks:
            return await self._fates.delivered(case, None)
        if case.hand.turn.rewound is not None:
            return self._fates.told_before(case, traces)
        return None

    async def _paused_since(self, case: Case, task: Task, text: str) -> Ending | None:
        """What is known of a reply to a task that was paused since, by whom it should not be resumed."""
        with contextlib.suppress(NoLogs):
            if sent := await self._sent_before(case, await self._doors.coder.get_logs(task.id), text):
                return sent
        if task.workspace_id is None:
            return None
        build = (await self._doors.coder.get_workspace(task.workspace_id)).latest_build
        is_newer = build.created_at is not None and build.created_at > moment_of(case.reply.ts)
        return await self._fates.forgotten(case) if is_newer else None

    async def _resume(self, case: Case, task: Task) -> Ending:
        note = ResumeNote(build=task.workspace_build_number)
        coder = self._doors.coder
        try:
            build = await case.hand.attempt(
                note.model_dump_json(), coder.timeouts.change, lambda: coder.resume(task.id)
            )
        except (BuildActive, AlreadyRunning):
            return await self._fates.waits(case)
        except (TokenRefused, NoTasks):
            raise
        except Refused as refused:
            return await self._fates.together(case, partial(inputs.not_resumed, said(refused)))
        return self._fates.resumed(case, build.build_number)


def _tidy_step(case: Case, note: SendNote) -> Step:
    ts = case.reply.ts
    job = Job(id=f"tidy:input:{ts}", work=TidyInput(ts=ts, marked=note.marked))
    return Step().append(tidy(case.link.id), job)
