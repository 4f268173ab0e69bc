"""A new task: from the words of a person to a card, a task in Coder, and the link between them.

The intent is written down first, with the link's own id; then the card is posted, whose ts is the thread;
then the task is created under a name that makes a second try safe; then both are bound. `attach` goes the
same way with a task that exists. Which template and preset are meant, `choosing` decides.
"""

from functools import partial

from taskwire.bridge.choosing import choose_preset, choose_template
from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done
from taskwire.bridge.patience import has_waited_long, patiently
from taskwire.bridge.people import Account, People
from taskwire.bridge.posting import post_once
from taskwire.bridge.saying import draw
from taskwire.bridge.sightings import observation_of
from taskwire.coder.errors import CoderError, NameTaken, NoTasks, NotFound, TokenRefused
from taskwire.coder.models import Task
from taskwire.model.changes import Observed, at_first_sight
from taskwire.model.errors import OutsideError, Refused, TryLater, Unknown, UserError
from taskwire.model.ids import LinkId, TaskId, UserId
from taskwire.model.jobs import (
    Asker,
    CreateAsked,
    CreateTask,
    Happened,
    Job,
    PostCard,
    ReadThread,
    steer,
    tell,
)
from taskwire.model.links import Bond, Link
from taskwire.model.messages import Message
from taskwire.model.naming import digest, name_for, near, title_for
from taskwire.slack.errors import ChannelProblem
from taskwire.slack.outbound import Metadata
from taskwire.store.steps import Step
from taskwire.words import answers, cards, inputs, refusals

REPEAT_MS = 120_000
ASKED_MS = 1_800_000
# A server that answers with errors is not asked for longer: a template that cannot work looks the same.
FAILING_MS = 900_000
ATTACHING_MS = 60_000
FREE_NAMES = 8
# Its name makes a second try safe, so that one whose process died need not be waited for until it has landed.
WRITE_SECONDS = 10.0


class Creator:
    """Carries out the jobs that make a new link."""

    def __init__(self, doors: Doors, people: People) -> None:
        self._doors = doors
        self._people = people

    async def asked(self, hand: Hand) -> Ending:
        """Check what a person asked for, and write the intent down as a link of its own."""
        work = hand.work(CreateAsked)
        return await patiently(hand, work.asker, partial(self._asked, work))

    async def _asked(self, work: CreateAsked, hand: Hand) -> Ending:
        meant = await self._meant(work)
        if meant is None:
            return done(None, (work.asker, answers.too_late()))
        account = await self._people.get_account(work.asker.person)
        bond = await self._bond(meant, account, hand.job.id)
        if await self._doors.links.find(bond.id) is not None:
            return done(None, (work.asker, inputs.already_decided()))
        note = ("created", work.asker.person, _likeness(meant, bond))
        if not work.kept and await self._is_repeated(note, hand.now_ms):
            key = digest(hand.job.id)
            step = self._doors.memory.keeping(
                Step(), meant.model_dump_json(), "another", key, ttl_ms=ASKED_MS
            )
            return done(step, (work.asker, answers.another_one(meant.prompt, key)))
        if meant.name is not None:
            await self._check_free(account.username, meant.name)
        step = self._doors.memory.keeping(Step(), f"{hand.now_ms} {bond.id}", *note, ttl_ms=REPEAT_MS)
        return done(self._intent(step, bond, work.asker))

    async def _meant(self, work: CreateAsked) -> CreateAsked | None:
        """What was asked for; asked once more, it is what was asked for at first."""
        if not work.kept:
            return work
        kept = await self._doors.memory.find("another", work.kept)
        if kept is None:
            return None
        first = CreateAsked.model_validate_json(kept)
        # The button stands where the first asking was answered, which need not be where the card goes.
        asker = work.asker.model_copy(update={"channel": first.asker.channel})
        return first.model_copy(update={"asker": asker})

    async def _bond(self, work: CreateAsked, account: Account, job_id: str) -> Bond:
        coder = self._doors.coder
        template = choose_template(
            await coder.list_templates(), work.template, work.organization, self._doors.template
        )
        presets = await coder.list_presets(template.active_version_id)
        preset = choose_preset(template, presets, work.preset, self._doors.preset)
        return Bond(
            id=link_id(job_id),
            channel=work.asker.channel,
            made_at=work.asker.at,
            asked_by=work.asker.person,
            owner_slack=work.asker.person,
            owner_id=account.id,
            owner_name=account.username,
            prompt=work.prompt,
            name=work.name or name_for(work.prompt, job_id),
            title=title_for(work.prompt),
            template=template.title,
            template_version_id=template.active_version_id,
            preset_id=preset.id if preset else None,
            preset=preset.name if preset else None,
        )

    def _intent(self, step: Step, bond: Bond, asker: Asker) -> Step:
        self._doors.writes.bond(step, bond)
        job = Job(id=f"card:{bond.id}", work=PostCard(asker=asker))
        return step.append(steer(bond.id), job, score=0)

    async def _is_repeated(self, note: tuple[str, ...], now_ms: int) -> bool:
        """Whether this person has created the same within two minutes; what failed does not count."""
        first = await self._doors.memory.find(*note)
        if first is None:
            return False
        at_ms, _, link_id = first.partition(" ")
        link = await self._doors.links.find(LinkId(link_id))
        return now_ms - int(at_ms) < REPEAT_MS and (link is None or link.ended != "failed")

    async def _check_free(self, owner: str, name: str) -> None:
        if not await self._is_free(owner, name):
            raise UserError(*refusals.name_taken(name, await self._free_name(owner, name)))

    async def _is_free(self, owner: str, name: str) -> bool:
        try:
            await self._doors.coder.get_task(f"{owner}/{name}")
        except NotFound:
            return True
        return False

    async def _free_name(self, owner: str, name: str) -> str:
        """A name like this one that no task has; nothing if there is none at hand."""
        for number in range(2, 2 + FREE_NAMES):
            if await self._is_free(owner, near(name, number)):
                return near(name, number)
        return ""

    async def attach(self, step: Step, asker: Asker, task: Task, owner: UserId | None, job_id: str) -> Step:
        """Write down the intent to give an existing task a thread; UserError while somebody else does."""
        note = ("attaching", task.id)
        is_first = await self._doors.memory.is_first(*note, value=job_id, ttl_ms=ATTACHING_MS)
        if not is_first and await self._doors.memory.find(*note) != job_id:
            raise UserError(*refusals.being_attached(task.name))
        bond = bare_bond(task, asker).model_copy(update={"id": link_id(job_id), "owner_slack": owner})
        return self._intent(step, bond, asker)

    async def post_card(self, hand: Hand) -> Ending:
        """Post the card: its ts is the thread from now on, and what was already said there is taken over."""
        work, link = hand.work(PostCard), await self._link(hand)
        if not hand.is_in_doubt and has_waited_long(hand):
            return done(self._ends(link), (work.asker, answers.never_posted()))
        return await patiently(hand, work.asker, partial(self._post_card, link, work.asker))

    async def _post_card(self, link: Link, asker: Asker, hand: Hand) -> Ending:
        bond = link.bond
        meta = Metadata(id=hand.job.id, kind="card", task_id=bond.task_id)
        try:
            card = await self._card(link, hand.now_ms)
            ts = await post_once(self._doors, hand, bond.id, bond.channel, None, card, meta)
        except ChannelProblem as problem:
            is_attached = bond.task_id is not None
            told = answers.cannot_post(problem.code, bond.channel, is_attached=is_attached)
            return done(self._ends(link), (asker, told))
        except NotFound:
            return done(self._ends(link), (asker, answers.not_attached(refusals.GONE)))
        posted = bond.model_copy(update={"thread_ts": ts})
        step = self._doors.writes.bond(Step(), posted)
        self._doors.writes.thread(step, posted)
        if hand.note:
            # It may have stood there for long, and Slack brings what was said for minutes only.
            step.append(tell(bond.id), Job(id="read-thread", work=ReadThread()))
        job = Job(id=f"create:{bond.id}", work=CreateTask(asker=asker))
        return done(step.append(steer(bond.id), job, score=1))

    async def _card(self, link: Link, now_ms: int) -> Message:
        """The first card; of a task that exists, how it stands."""
        if link.bond.task_id is not None:
            seen = observation_of(await self._doors.coder.get_task(link.bond.task_id))
            story = at_first_sight(Observed(seen=seen), self._doors.rules, now_ms)
            link = link.model_copy(update={"seen": seen, "story": story})
        return cards.card(link, coder_url=self._doors.coder_url)

    async def create_task(self, hand: Hand) -> Ending:
        """Create the task, or find the one that an earlier try created, and bind it to the link."""
        work, link = hand.work(CreateTask), await self._link(hand)
        if not hand.is_in_doubt and has_waited_long(hand):
            return self._failed(link, work.asker, refusals.NEVER_ANSWERED)
        carry = self._create if link.bond.task_id is None else self._attach
        return await patiently(hand, work.asker, partial(carry, link, work.asker))

    async def _create(self, link: Link, asker: Asker, hand: Hand) -> Ending:
        try:
            task = await self._created(hand, link.bond)
        except (TokenRefused, NoTasks):
            raise
        except UserError as error:
            return self._failed(link, asker, str(error))
        except Refused as refused:
            why = refused.answer.said if isinstance(refused, CoderError) else str(refused)
            return self._failed(link, asker, refusals.create_refused(why))
        return done(self._bound(hand, link, task, is_baseline=False))

    async def _attach(self, link: Link, asker: Asker, hand: Hand) -> Ending:
        task_id = TaskId(str(link.bond.task_id))
        other = await self._doors.links.find_by_task(task_id)
        if other is not None and other.id != link.id:
            place = (other.bond.channel, other.bond.thread_ts or other.bond.made_at)
            where = await self._doors.slack.get_permalink(*place)
            return self._failed(link, asker, refusals.has_a_thread(where))
        try:
            task = await self._doors.coder.get_task(task_id)
        except NotFound:
            return self._failed(link, asker, refusals.GONE)
        return done(self._bound(hand, link, task, is_baseline=True))

    async def _created(self, hand: Hand, bond: Bond) -> Task:
        work = hand.job.work
        was_tried = isinstance(work, CreateTask) and work.was_tried
        was_in_doubt = hand.is_in_doubt or hand.turn.is_suspect or was_tried
        if was_in_doubt:
            found = await self._found(bond)
            hand.settled()
            if found is not None:
                return found
            since_ms = hand.job.failing_since_ms
            if since_ms and hand.now_ms - since_ms > FAILING_MS:
                raise UserError(refusals.CREATE_FAILED)
        try:
            return await hand.attempt(
                bond.name,
                min(WRITE_SECONDS, self._doors.coder.timeouts.create),
                lambda: self._doors.coder.create_task(
                    bond.owner_id,
                    bond.template_version_id,
                    bond.prompt,
                    bond.name,
                    preset_id=bond.preset_id,
                ),
                is_kept_up=True,
            )
        except Unknown:
            # A look now can only find: the request may still be on its way, and a second one meets its name.
            task = await self._glimpse(bond)
            hand.settled(has_landed=task is not None)
            if task is None:
                hand.learned(was_tried=True)
                raise
            return task
        except NameTaken:
            # A first attempt that finds the name taken is a conflict; a later one may meet its own task.
            found = await self._found(bond) if was_in_doubt else None
            if found is not None:
                return found
            if was_in_doubt and not self._has_landed(hand):
                hand.learned(was_tried=True)
                raise TryLater("the name is taken, and its task cannot be seen yet") from None
            raise UserError(*await self._name_taken(bond)) from None

    def _has_landed(self, hand: Hand) -> bool:
        """Whether everything that was tried since the first failure has had its time."""
        lasts_ms = self._doors.coder.timeouts.create * 1000 + self._doors.queue.times.landing_margin_ms
        since_ms = hand.job.failing_since_ms
        return since_ms > 0 and hand.now_ms - since_ms > lasts_ms

    async def _name_taken(self, bond: Bond) -> refusals.Refusal:
        return refusals.name_taken(bond.name, await self._free_name(bond.owner_name, bond.name))

    async def _found(self, bond: Bond) -> Task | None:
        """The task that an earlier try created: of this name, with this prompt, and no link's yet."""
        try:
            task = await self._doors.coder.get_task(f"{bond.owner_name}/{bond.name}")
        except NotFound:
            return None
        is_ours = task.initial_prompt == bond.prompt
        if not is_ours or await self._doors.links.find_by_task(TaskId(task.id)) is not None:
            raise UserError(*await self._name_taken(bond))
        return task

    async def _glimpse(self, bond: Bond) -> Task | None:
        try:
            return await self._found(bond)
        except (UserError, OutsideError):
            return None

    def _bound(self, hand: Hand, link: Link, task: Task, *, is_baseline: bool) -> Step:
        bond = link.bond.model_copy(
            update={
                "task_id": TaskId(task.id),
                "name": task.name,
                "title": task.display_name or link.bond.title or task.name,
            }
        )
        step = self._doors.writes.bond(Step(), bond)
        self._doors.writes.task(step, bond)
        event = Observed(seen=observation_of(task), is_baseline=is_baseline)
        if is_baseline:
            # Until the list has had its say the card shows what the task was found at.
            story = at_first_sight(event, self._doors.rules, hand.now_ms)
            self._doors.writes.story(step, bond.id, story, None)
        step.append(tell(bond.id), Job(id=f"bound:{bond.id}", work=Happened(event=event)))
        return draw(bond.id, step)

    def _failed(self, link: Link, asker: Asker, why: str) -> Ending:
        """Nothing was created, or attached: the card says why, and the link ends."""
        step = self._doors.writes.field(self._ends(link), link.id, "failure", why)
        is_attached = link.bond.task_id is not None
        told = answers.not_attached(why) if is_attached else answers.not_created(why)
        return done(draw(link.id, step), (asker, told))

    def _ends(self, link: Link) -> Step:
        """End a link before it is bound: its task, if there is one, may have another."""
        bond = link.bond.model_copy(update={"task_id": None})
        step = self._doors.writes.ends(Step(), bond, "failed")
        if link.bond.task_id is not None:
            self._doors.memory.forgetting(step, "attaching", link.bond.task_id)
        return step

    async def _link(self, hand: Hand) -> Link:
        link = await self._doors.links.find(hand.link_id)
        if link is None:
            raise Refused("the link is not there any more")
        return link


def bare_bond(task: Task, asker: Asker) -> Bond:
    """What a link is to a task that exists, before it has a thread."""
    return Bond(
        id=LinkId("task-" + digest(task.id)[:12]),
        channel=asker.channel,
        made_at=asker.at,
        asked_by=asker.person,
        owner_id=task.owner_id,
        owner_name=task.owner_name,
        prompt=task.initial_prompt,
        name=task.name,
        title=task.title,
        template=task.template_display_name or task.template_name,
        task_id=TaskId(task.id),
    )


def link_id(job_id: str) -> LinkId:
    """The id of the link that a job makes."""
    return LinkId(digest("link", job_id)[:12])


def _likeness(work: CreateAsked, bond: Bond) -> str:
    """What makes two askings the same."""
    return digest(
        work.prompt, bond.template_version_id, bond.preset_id or "", work.name or "", work.asker.channel
    )
