"""A new task: from the words of a person to a card, a task in Coder, and the link between them.

The intent is written down first, with the link's own id; then the card is posted, whose ts is the thread;
then the task is created under a name that makes a second try safe; then both are bound. `attach` goes the
same way with a task that exists.
"""

import hashlib
import re

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done
from taskwire.bridge.people import People
from taskwire.bridge.posting import post_once
from taskwire.bridge.sightings import observation_of
from taskwire.coder.errors import NameTaken, NoTasks, NotFound, TokenRefused
from taskwire.coder.models import Preset, Task, Template
from taskwire.model.changes import Observed
from taskwire.model.errors import Refused, UserError
from taskwire.model.grammar import nearest
from taskwire.model.ids import LinkId, TaskId, UserId, from_ms
from taskwire.model.jobs import (
    Asker,
    CreateAsked,
    CreateTask,
    DrawCard,
    Happened,
    Job,
    PostCard,
    show,
    steer,
    tell,
)
from taskwire.model.links import Bond, Link
from taskwire.slack.errors import ChannelProblem
from taskwire.slack.outbound import Metadata
from taskwire.store.steps import Step
from taskwire.words import answers, cards, refusals

# Coder's own limit on a task's name (coderd/taskname and its validation: 32 characters).
NAME_LENGTH = 32
SUFFIX = 6
TITLE_LENGTH = 64
REPEAT_MS = 120_000
ASKED_MS = 1_800_000


class Creator:
    """Carries out the jobs that make a new link."""

    def __init__(self, doors: Doors, people: People) -> None:
        self._doors = doors
        self._people = people

    async def asked(self, hand: Hand) -> Ending:
        """Check what a person asked for, and write the intent down as a link of its own."""
        work = hand.job.work
        assert isinstance(work, CreateAsked)  # noqa: S101 - the worker hands each job to its kind's carrier
        account = await self._people.get_account(work.asker.person)
        if not work.is_repeat and await self._is_repeated(hand, work):
            key = await self._remember(hand, work)
            return done(None, (work.asker, answers.another_one(work.prompt, key)))
        templates = await self._doors.coder.list_templates()
        template = choose_template(templates, work.template, work.organization, self._doors.template)
        preset = choose_preset(
            await self._doors.coder.list_presets(template.active_version_id), work.preset, self._doors.preset
        )
        name = work.name or _name_for(work.prompt, hand.job.id)
        if work.name is not None:
            await self._check_free(account.username, work.name)
        bond = Bond(
            id=_link_id(hand.job.id),
            channel=work.asker.channel,
            made_at=work.asker.at,
            asked_by=work.asker.person,
            owner_slack=work.asker.person,
            owner_id=account.id,
            owner_name=account.username,
            prompt=work.prompt,
            name=name,
            title=_title(work.prompt),
            template=template.title,
            template_version_id=template.active_version_id,
            preset_id=preset.id if preset else None,
            preset=preset.name if preset else None,
        )
        return done(self._intent(Step(), bond, work.asker))

    def _intent(self, step: Step, bond: Bond, asker: Asker) -> Step:
        self._doors.writes.bond(step, bond)
        job = Job(id=f"card:{bond.id}", work=PostCard(asker=asker))
        return step.append(steer(bond.id), job, score=0)

    async def _is_repeated(self, hand: Hand, work: CreateAsked) -> bool:
        """Whether this person asked for the same within two minutes, in another job than this one."""
        what = _digest(work.prompt, work.template or "", work.preset or "", work.asker.channel)
        place = ("created", work.asker.person, what)
        first = await self._doors.memory.find(*place)
        if first is None:
            await self._doors.memory.keep(hand.job.id, *place, ttl_ms=REPEAT_MS)
        return first is not None and first != hand.job.id

    async def _remember(self, hand: Hand, work: CreateAsked) -> str:
        key = _digest(hand.job.id)
        await self._doors.memory.keep(work.model_dump_json(), "another", key, ttl_ms=ASKED_MS)
        return key

    async def _check_free(self, owner: str, name: str) -> None:
        try:
            await self._doors.coder.get_task(f"{owner}/{name}")
        except NotFound:
            return
        raise UserError(*refusals.name_taken(name, _free_name(name, owner)))

    def attach(self, step: Step, asker: Asker, task: Task, owner_slack: UserId | None, job_id: str) -> Step:
        """Write down the intent to give an existing task a thread."""
        bond = bare_bond(task, asker).model_copy(update={"id": _link_id(job_id), "owner_slack": owner_slack})
        return self._intent(step, bond, asker)

    async def post_card(self, hand: Hand) -> Ending:
        """Post the card: its ts is the thread from now on, and what was already said there is taken over."""
        work, link = hand.job.work, await self._link(hand)
        assert isinstance(work, PostCard)  # noqa: S101 - the worker hands each job to its kind's carrier
        bond = link.bond
        meta = Metadata(id=hand.job.id, kind="card", task_id=bond.task_id)
        try:
            card = cards.card(link, coder_url=self._doors.coder_url)
            ts = await post_once(self._doors, hand, bond.id, bond.channel, None, card, meta)
        except ChannelProblem as problem:
            step = self._doors.writes.ends(Step(), bond, "failed")
            return done(step, (work.asker, answers.cannot_post(problem.code)))
        posted = bond.model_copy(update={"thread_ts": ts})
        step = self._doors.writes.bond(Step(), posted)
        self._doors.writes.thread(step, posted)
        job = Job(id=f"create:{bond.id}", work=CreateTask(asker=work.asker))
        return done(step.append(steer(bond.id), job, score=1))

    async def create_task(self, hand: Hand) -> Ending:
        """Create the task, or find the one that an earlier try created, and bind it to the link."""
        work, link = hand.job.work, await self._link(hand)
        assert isinstance(work, CreateTask)  # noqa: S101 - the worker hands each job to its kind's carrier
        if link.bond.task_id is not None:
            task = await self._doors.coder.get_task(link.bond.task_id)
            return done(self._bound(hand, link, task, is_baseline=True))
        try:
            task = await self._created(hand, link.bond)
        except (TokenRefused, NoTasks):
            raise
        except UserError as error:
            return self._failed(link, work.asker, str(error))
        except Refused as refused:
            return self._failed(link, work.asker, refusals.create_refused(str(refused)))
        return done(self._bound(hand, link, task, is_baseline=False))

    async def _created(self, hand: Hand, bond: Bond) -> Task:
        was_in_doubt = hand.is_in_doubt
        if was_in_doubt:
            found = await self._found(bond)
            hand.settled()
            if found is not None:
                return found
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
        except NameTaken:
            # A first attempt that finds the name taken is a conflict; a later one may meet its own task.
            found = await self._found(bond) if was_in_doubt else None
            if found is not None:
                return found
            raise UserError(*refusals.name_taken(bond.name, _free_name(bond.name, bond.id))) from None

    async def _found(self, bond: Bond) -> Task | None:
        """The task that an earlier try created: of this name, with this prompt, and no link's yet."""
        try:
            task = await self._doors.coder.get_task(f"{bond.owner_name}/{bond.name}")
        except NotFound:
            return None
        is_ours = task.initial_prompt == bond.prompt
        if not is_ours or await self._doors.links.find_by_task(TaskId(task.id)) is not None:
            raise UserError(*refusals.name_taken(bond.name, _free_name(bond.name, bond.id)))
        return task

    def _bound(self, hand: Hand, link: Link, task: Task, *, is_baseline: bool) -> Step:
        bond = link.bond.model_copy(
            update={
                "task_id": TaskId(task.id),
                "name": task.name,
                "title": task.display_name or link.bond.title or task.name,
                "linked_at": from_ms(hand.now_ms),
            }
        )
        step = self._doors.writes.bond(Step(), bond)
        self._doors.writes.task(step, bond)
        event = Observed(seen=observation_of(task), is_baseline=is_baseline)
        step.append(tell(bond.id), Job(id=f"bound:{bond.id}", work=Happened(event=event)))
        return step.append(show(bond.id), Job(id="card", work=DrawCard()), score="due", is_newest=True)

    def _failed(self, link: Link, asker: Asker, why: str) -> Ending:
        """Nothing was created: the card says why, and the link ends."""
        step = self._doors.writes.field(Step(), link.id, "failure", why)
        self._doors.writes.ends(step, link.bond, "failed")
        step.append(show(link.id), Job(id="card", work=DrawCard()), score="due", is_newest=True)
        return done(step, (asker, answers.not_created(why)))

    async def _link(self, hand: Hand) -> Link:
        link = await self._doors.links.find(LinkId(hand.turn.name.partition(":")[2]))
        if link is None:
            raise Refused("the link is not there any more")
        return link


def bare_bond(task: Task, asker: Asker) -> Bond:
    """What a link is to a task that exists, before it has a thread."""
    return Bond(
        id=LinkId("task-" + _digest(task.id)[:12]),
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


def choose_template(
    templates: tuple[Template, ...], named: str | None, organization: str | None, default: str | None
) -> Template:
    """The template that was named, else the default, else the only one."""
    usable = [t for t in templates if organization is None or _is_called(organization, t.organization_name)]
    if not usable:
        raise UserError(*refusals.no_templates(organization))
    wanted = named or default
    if wanted is None:
        if len(usable) == 1:
            return usable[0]
        raise UserError(*refusals.which_template([t.name for t in usable]))
    found = [t for t in usable if _is_called(wanted, t.name, t.display_name, t.id)]
    if not found:
        names = [t.name for t in usable]
        raise UserError(*refusals.unknown_template(wanted, nearest(wanted, names), names))
    if len(found) > 1:
        raise UserError(*refusals.which_organization(wanted, [t.organization_name for t in found]))
    return found[0]


def choose_preset(presets: tuple[Preset, ...], named: str | None, default: str | None) -> Preset | None:
    """The preset that was named, else the deployment's, else the template's own default."""
    if named is not None:
        if named.lower() == "none":
            return None
        found = [p for p in presets if _is_called(named, p.name, p.id)]
        if not found:
            names = [p.name for p in presets]
            raise UserError(*refusals.unknown_preset(named, nearest(named, names), names))
        return found[0]
    preferred = [p for p in presets if default is not None and _is_called(default, p.name)]
    return next(iter(preferred), None) or next((p for p in presets if p.is_default), None)


def _is_called(wanted: str, *names: str) -> bool:
    return wanted.casefold() in (name.casefold() for name in names if name)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _link_id(job_id: str) -> LinkId:
    return LinkId(_digest("link", job_id)[:12])


def _name_for(prompt: str, job_id: str) -> str:
    """The person's words, cut, and six characters of the intent's hash: the same at every try."""
    words = re.sub(r"[^a-z0-9]+", "-", prompt.casefold()).strip("-")
    room = NAME_LENGTH - SUFFIX - 1
    if len(words) > room:
        words = words[:room].rpartition("-")[0] or words[:room]
    return f"{words.strip('-') or 'task'}-{_digest('name', job_id)[:SUFFIX]}"


def _free_name(name: str, salt: str) -> str:
    return f"{name[: NAME_LENGTH - 5].rstrip('-')}-{_digest(name, salt)[:4]}"


def _title(prompt: str) -> str:
    """The prompt's first line, cut at a word: what people call the task until Coder says otherwise."""
    line = next((line.strip() for line in prompt.splitlines() if line.strip()), prompt)
    return (
        line
        if len(line) <= 64
        else line[:63].rpartition(" ")[0] + "…"
        if " " in line[:63]
        else line[:63] + "…"
    )
