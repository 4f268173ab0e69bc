"""The task of a new link: created under a name that makes a second try safe, or found, and bound to it."""

from functools import partial

from taskwire.bridge.bonds import end_unbound, find_permalink, get_link
from taskwire.bridge.doors import Doors
from taskwire.bridge.excuses import said
from taskwire.bridge.free_names import name_taken
from taskwire.bridge.hand import Ending, Hand, done
from taskwire.bridge.patience import has_waited_long, patiently
from taskwire.bridge.saying import draw
from taskwire.bridge.sightings import observation_of
from taskwire.coder.errors import NameTaken, NoTasks, NotFound, ServerTrouble, TokenRefused
from taskwire.coder.models import Task
from taskwire.model.changes import Observed, at_first_sight
from taskwire.model.errors import OutsideError, Refused, TryLater, Unknown, UserError
from taskwire.model.ids import TaskId
from taskwire.model.jobs import Asker, CreateTask, Happened, Job, tell
from taskwire.model.links import Bond, Link
from taskwire.store.steps import Step
from taskwire.words import answers, refusals

# A server that answers with errors is asked no longer and no oftener: a template that cannot work looks so.
MOST_ERRORS = 5
FAILING_MS = 900_000


class Binder:
    """Carries out the jobs that give a link its task."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    async def bind(self, hand: Hand) -> Ending:
        """Create the task, or find the one that an earlier try created, and bind it to the link."""
        work, link = hand.work(CreateTask), await get_link(self._doors, hand)
        if has_waited_long(hand) and not hand.is_in_doubt and not work.was_tried:
            return self._failed(link, work.asker, refusals.NEVER_ANSWERED)
        carry = self._create if link.bond.task_id is None else self._attach
        return await patiently(self._doors, hand, link, partial(carry, link, work.asker), gives_up=False)

    async def _create(self, link: Link, asker: Asker, hand: Hand) -> Ending:
        try:
            task = await self._created(hand, link.bond)
        except (TokenRefused, NoTasks):
            raise
        except UserError as error:
            return self._failed(link, asker, str(error))
        except Refused as refused:
            return self._failed(link, asker, refusals.coder_said(said(refused)))
        return done(self._bound(hand, link, task, is_baseline=False))

    async def _attach(self, link: Link, asker: Asker, hand: Hand) -> Ending:
        task_id = TaskId(str(link.bond.task_id))
        other = await self._doors.links.find_by_task(task_id)
        if other is not None and other.id != link.id:
            where = await find_permalink(self._doors, other.bond)
            return self._failed(link, asker, refusals.has_a_thread(where))
        try:
            task = await self._doors.coder.get_task(task_id)
        except NotFound:
            return self._failed(link, asker, refusals.GONE)
        return done(self._bound(hand, link, task, is_baseline=True))

    async def _created(self, hand: Hand, bond: Bond) -> Task:
        work = hand.work(CreateTask)
        was_in_doubt = hand.is_in_doubt or hand.turn.is_suspect or work.was_tried
        if was_in_doubt:
            found = await self._found(bond)
            hand.settled("there" if found is not None else "not_there")
            if found is not None:
                return found
            self._require_hope(hand, work)
        try:
            return await hand.attempt(
                bond.name,
                self._doors.coder.timeouts.create,
                lambda: self._doors.coder.create_task(
                    bond.owner_id,
                    bond.template_version_id,
                    bond.prompt,
                    bond.name,
                    preset_id=bond.preset_id,
                ),
            )
        except Unknown as error:
            # A look now can only find: the request may still be on its way, and a second one meets its name.
            task = await self._glimpse(bond)
            hand.settled(has_landed=task is not None)
            if task is None:
                hand.learned(was_tried=True, errors=work.errors + isinstance(error, ServerTrouble))
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

    def _require_hope(self, hand: Hand, work: CreateTask) -> None:
        """Raise UserError where nobody waits for another try, or it would end as all the others."""
        lasts_ms = hand.now_ms - (hand.job.failing_since_ms or hand.now_ms)
        if work.errors >= MOST_ERRORS and lasts_ms > FAILING_MS:
            raise UserError(refusals.CREATE_FAILED)
        if has_waited_long(hand):
            raise UserError(refusals.NEVER_ANSWERED)

    def _has_landed(self, hand: Hand) -> bool:
        """Whether everything that was tried since the first failure has had its time."""
        lasts_ms = self._doors.coder.timeouts.create * 1000 + self._doors.queue.times.landing_margin_ms
        since_ms = hand.job.failing_since_ms
        return since_ms > 0 and hand.now_ms - since_ms > lasts_ms

    async def _name_taken(self, bond: Bond) -> refusals.Refusal:
        return await name_taken(self._doors.coder, bond.owner_name, bond.name)

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
        step = self._doors.writes.field(end_unbound(self._doors, link), link.id, "failure", why)
        is_attached = link.bond.task_id is not None
        told = answers.not_attached(why) if is_attached else answers.not_created(why)
        return done(draw(link.id, step), (asker, told))
