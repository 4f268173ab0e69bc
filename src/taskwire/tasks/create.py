"""Requests for a new task: checks a person's request, and stores a link before it does anything else.

`choices.py` chooses template and preset. The next jobs are in the link's own queue (`start.py`): first a job
posts the card, and the card's ts names the thread; then a job creates the task and binds it to the link.
`attach` makes a link for an existing task.
"""

from functools import partial

from taskwire.agent.input import require_fits
from taskwire.agent.observing import LONGEST_TITLE
from taskwire.agent.thread_context import ThreadContext
from taskwire.coder.models import Task
from taskwire.dependencies import Dependencies
from taskwire.domain.channel_settings import ChannelSettings
from taskwire.domain.errors import UserError
from taskwire.domain.ids import LinkId, ThreadRef, UserId
from taskwire.domain.lifecycle.links import LinkRecord
from taskwire.domain.masking.secrets import mask_beginning
from taskwire.domain.parsing.commands import explain_trailing_options
from taskwire.domain.parsing.naming import digest, find_words, make_name, make_title
from taskwire.domain.parsing.near_misses import offer_values
from taskwire.domain.queueing.jobs import CreateRequested, Job, PostCard
from taskwire.domain.queueing.queues import to_coder
from taskwire.domain.requester import Requester
from taskwire.domain.text.agent_text import AgentText, is_shell_command
from taskwire.domain.text.mrkdwn import is_blank
from taskwire.job_context import Handler, JobContext, Outcome, done, replace_question
from taskwire.messages import answers, inputs, refusals
from taskwire.messages.unknown_verbs import offer_commands
from taskwire.outbox.home_requests import refresh_home_if_kept
from taskwire.outbox.request_retries import retry_for_person
from taskwire.people.accounts import Account
from taskwire.people.permissions import People
from taskwire.people.quotas import Quotas
from taskwire.queue.batch import Batch
from taskwire.redis.decoding import read
from taskwire.sealing import key_ring
from taskwire.tasks.choices import (
    WrongOption,
    choose_preset,
    choose_template_in_channel,
    get_default_preset,
    require_free,
)
from taskwire.tasks.lookup import bare_record
from taskwire.tasks.offered_commands import keep_offers

# If a person makes an equal request again within this time, the bot asks whether the person wants another
# task.
REPEAT_MS = 120_000
# How long the buttons of the question about another task work.
QUESTION_TTL_MS = 1_800_000
# How many requests of one person wait for an answer. The buttons of older questions no longer work.
MOST_KEPT_REQUESTS = 20
# After one request has begun to attach a task, no other request may attach that task for this time.
ATTACH_CLAIM_MS = 60_000


class TaskCreator:
    """Handles the requests that make a new link."""

    def __init__(self, deps: Dependencies, people: People, thread_context: ThreadContext) -> None:
        self._deps = deps
        self._people = people
        self._thread_context = thread_context
        self._quotas = Quotas(deps, people)

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (Handler.without_link(CreateRequested, self.handle_request),)

    async def handle_request(self, context: JobContext) -> Outcome:
        """Check a request for a task, and store the request as a new link."""
        work = context.work(CreateRequested)
        try:
            outcome = await retry_for_person(self._deps, context, None, partial(self.create, work))
            if (outcome.kind == "done") == bool(context.job.tries):
                # The request begins to wait, or has ended its wait. The Home tab lists it meanwhile.
                await refresh_home_if_kept(self._deps, work.requester.person, outcome.batch)
            return outcome
        except UserError as error:
            if work.note_key:
                context.audit.is_refused(error.reason)
                return replace_question(Batch(), work.requester, answers.refusal(error))
            raise

    async def create(self, work: CreateRequested, context: JobContext) -> Outcome:
        """Check a request, and store it as a new link. Raise UserError if the request is refused."""
        try:
            return await self._check_and_write(work, context)
        except WrongOption as error:
            request = await self._get_full_request(work)
            if not error.near or request.context is not None:
                raise explain_trailing_options(error, work.trailing_options) from None
            return await self._offer_values(work, request, error, digest("offered", context.job.id))
        except UserError as error:
            raise explain_trailing_options(error, work.trailing_options) from None

    async def _offer_values(
        self, work: CreateRequested, request: CreateRequested, error: WrongOption, key: str
    ) -> Outcome:
        """Offer this task with values that fit. The offers are stored under `key`."""
        values = (request.template, request.preset, request.name, request.organization)
        given = dict(zip(("template", "preset", "name", "org"), values, strict=True))
        known = {name: value for name, value in given.items() if value is not None}
        refusal = offer_values(error.sentence, error.option, error.near, known, request.prompt)
        refusal.hint = explain_trailing_options(UserError(""), work.trailing_options).hint
        batch = await keep_offers(self._deps.notes, refusal, key, request.requester, request.thread_ts)
        asked = offer_commands(refusal, key)
        if work.note_key:
            return replace_question(batch, work.requester, asked)
        return done(batch, (work.requester, asked))

    async def _check_and_write(self, work: CreateRequested, context: JobContext) -> Outcome:
        request = await self._get_full_request(work)
        if is_shell_command(request.prompt):
            raise UserError(*refusals.prompt_is_command())
        require_fits(request.prompt)
        account = await self._people.get_account(work.requester.person)
        if is_blank(request.prompt):
            # The form and the command always have a prompt, so Slack did not send this payload.
            raise UserError(*refusals.button_expired())
        await self._people.places.require_place(request.requester, "created")
        settings = await self._deps.channel_settings.get(request.requester.channel)
        record = await self._make_record(request, account, settings, context)
        require_fits(record.task_input)
        thread = ThreadRef(record.channel, record.root_ts) if record.root_ts is not None else None
        if thread is not None and await self._deps.links.find_by_thread(thread) not in (None, record.id):
            raise UserError(*refusals.thread_has_task())
        if await self._deps.links.find(record.id) is not None:
            return done(None, (work.requester, inputs.already_decided()))
        note = ("create_request", work.requester.person, _make_fingerprint(request, record))
        if (request.is_offered or not work.note_key) and await self._is_repeated(note, context.now_ms):
            key = digest(context.job.id)
            kept = request.model_copy(update={"is_offered": False})
            batch = await keep_request(self._deps, kept, key, context.now_ms)
            asked = answers.ask_to_create_another(request.prompt, key)
            return (
                replace_question(batch, work.requester, asked)
                if work.note_key
                else done(batch, (work.requester, asked))
            )
        if request.name is not None:
            await require_free(context.coder, account.username, request.name)
        if thread is not None and not await self._claim_thread(thread, context.job.id):
            raise UserError(*refusals.thread_has_task())
        batch = await self._quotas.count_task(work.requester.person, record, context.job.id, context.now_ms)
        self._deps.notes.keep_in(batch, f"{context.now_ms} {record.id}", *note, ttl_ms=REPEAT_MS)
        batch = self._write_link(batch, record, settings, work.requester)
        if work.note_key:
            make_answer = answers.creating_offered if request.is_offered else answers.creating_another
            return replace_question(batch, work.requester, make_answer(request.prompt))
        return done(
            batch,
            *(
                [(work.requester, answers.options_after_prompt(request.trailing_options))]
                if request.trailing_options
                else ()
            ),
        )

    async def _claim_thread(self, thread: ThreadRef, job_id: str) -> bool:
        """Claim a discussion for this request, so that two mentions at once do not start two tasks in it.

        Return false if another request has claimed it.
        """
        note = ("thread_claim", thread.channel, thread.ts)
        is_first = await self._deps.notes.keep_if_new(*note, value=job_id, ttl_ms=ATTACH_CLAIM_MS)
        return is_first or await self._deps.notes.find(*note) == job_id

    async def _get_full_request(self, work: CreateRequested) -> CreateRequested:
        """Return the whole request.

        A button carries only the key of a note. The note contains the request.
        """
        if not work.note_key or work.prompt:
            return work
        first = await find_request(self._deps, work.note_key, work.requester.person)
        # The person pressed the button where the bot answered the first request. The card goes to the channel
        # of that first request.
        requester = work.requester.model_copy(
            update={"channel": first.requester.channel, "is_elsewhere": True}
        )
        return first.model_copy(update={"requester": requester})

    async def _make_record(
        self, work: CreateRequested, account: Account, settings: ChannelSettings, context: JobContext
    ) -> LinkRecord:
        coder, job_id = context.coder, context.job.id
        template = choose_template_in_channel(
            await coder.list_templates(), work.template, work.organization, settings, self._deps.template
        )
        presets = await coder.list_presets(template.active_version_id)
        preset = choose_preset(
            template, presets, work.preset, get_default_preset(template, settings, self._deps.preset)
        )
        # Everybody reads the task's name and title, so they are made from the masked prompt.
        shown = mask_beginning(self._deps.mask, find_words(work.prompt), LONGEST_TITLE)
        earlier = AgentText("")
        if work.context is not None:
            earlier = await self._thread_context.read(work.requester.person, work.context)
        name = await self._people.find_name(work.requester.person)
        return LinkRecord(
            id=make_link_id(job_id),
            channel=work.requester.channel,
            made_at=work.requester.at,
            requested_by=work.requester.person,
            owner_slack=work.requester.person,
            owner_slack_name=name,
            owner_id=account.id,
            owner_name=account.username,
            prompt=work.prompt,
            context=earlier,
            root_ts=work.thread_ts,
            name=work.name or make_name(shown, job_id),
            title=make_title(shown),
            template=template.title,
            template_version_id=template.active_version_id,
            preset_id=preset.id if preset else None,
            preset=preset.name if preset else None,
        )

    def _write_link(
        self, batch: Batch, record: LinkRecord, settings: ChannelSettings, requester: Requester
    ) -> Batch:
        self._deps.writes.write_record(batch, record)
        if record.root_ts is not None:
            # The thread exists already. Later mentions of the bot in this thread are replies.
            self._deps.writes.write_thread(batch, record)
            self._deps.writes.add_taken(batch, record.id, requester.at)
        if record.root_ts is not None or settings.replies == "mentions":
            self._deps.writes.set_field(batch, record.id, "mention_only", "1")
        job = Job(id=f"card:{record.id}", work=PostCard(requester=requester))
        return batch.append(to_coder(record.id), job, score=0)

    async def _is_repeated(self, note: tuple[str, ...], now_ms: int) -> bool:
        """Return whether the person has made an equal request within two minutes.

        A request that failed does not count.
        """
        first = await self._deps.notes.find(*note)
        if first is None:
            return False
        at_ms, _, link_id = first.partition(" ")
        link = await self._deps.links.find(LinkId(link_id))
        return now_ms - int(at_ms) < REPEAT_MS and (link is None or link.end_reason != "failed")

    async def attach(
        self, batch: Batch, requester: Requester, task: Task, owner: UserId | None, job_id: str
    ) -> Batch:
        """Add a link for an existing task to a batch. Raise UserError while another request attaches this
        task."""
        note = ("attach_claim", task.id)
        is_first = await self._deps.notes.keep_if_new(*note, value=job_id, ttl_ms=ATTACH_CLAIM_MS)
        if not is_first and await self._deps.notes.find(*note) != job_id:
            raise UserError(*refusals.attach_in_progress(task.name))
        record = bare_record(task, requester, self._deps.mask).model_copy(
            update={
                "id": make_link_id(job_id),
                "owner_slack": owner,
                "owner_slack_name": await self._people.find_name(owner),
            }
        )
        settings = await self._deps.channel_settings.get(record.channel)
        return self._write_link(batch, record, settings, requester)


async def keep_request(
    deps: Dependencies, request: CreateRequested, key: str, now_ms: int, ttl_ms: int = QUESTION_TTL_MS
) -> Batch:
    """Return a batch that stores a request until the person has answered a question about it.

    The question's buttons carry the key of the request. Only the newest requests of a person are stored.
    Raises RedisError.
    """
    return await deps.notes.keep_newest_in(
        Batch(),
        request.model_dump_json(),
        "kept_request",
        key,
        # The group expires with its notes, so it has only notes that are stored for the same time.
        group=("kept_requests_of", f"{ttl_ms}", request.requester.person),
        at_ms=now_ms,
        most=MOST_KEPT_REQUESTS,
        ttl_ms=ttl_ms,
    )


async def find_request(deps: Dependencies, key: str, person: UserId) -> CreateRequested:
    """Return a stored request. Raise UserError if the request has expired, or if another person made it."""
    kept = await deps.notes.find("kept_request", key)
    request = read(CreateRequested.model_validate_json, kept) if kept is not None else None
    if request is None or request.requester.person != person:
        raise UserError(*refusals.button_expired())
    return request


def _make_fingerprint(work: CreateRequested, record: LinkRecord) -> str:
    """Return a digest that is equal for equal requests."""
    return key_ring().digest(
        work.prompt,
        record.template_version_id,
        record.preset_id or "",
        work.name or "",
        work.requester.channel,
    )


def make_link_id(job_id: str) -> LinkId:
    """Return the id of the link that this job makes."""
    return LinkId(digest("link", job_id)[:12])
