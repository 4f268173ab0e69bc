"""A new task: from the words of a person to an intent, written down as a link of its own.

Which template and preset are meant, `choosing` decides. What the intent is carried out by follows it in the
link's own list: `open_thread` posts the card, whose ts is the thread; then `bind` creates the task and ties
both together. `attach` is the intent for a task that exists.
"""

from functools import partial

from taskwire.bridge.bonds import bare_bond, link_id
from taskwire.bridge.choosing import choose_preset, choose_template
from taskwire.bridge.doors import Doors
from taskwire.bridge.free_names import require_free
from taskwire.bridge.hand import Ending, Hand, done
from taskwire.bridge.patience import patiently
from taskwire.bridge.people import Account, People
from taskwire.coder.models import Task
from taskwire.model.errors import UserError
from taskwire.model.ids import LinkId, UserId
from taskwire.model.jobs import Asker, CreateAsked, Job, PostCard, steer
from taskwire.model.links import Bond
from taskwire.model.naming import digest, name_for, title_for
from taskwire.store.steps import Step
from taskwire.words import answers, inputs, refusals

REPEAT_MS = 120_000
ASKED_MS = 1_800_000
ATTACHING_MS = 60_000


class Creator:
    """Carries out the jobs that make a new link."""

    def __init__(self, doors: Doors, people: People) -> None:
        self._doors = doors
        self._people = people

    async def asked(self, hand: Hand) -> Ending:
        """Check what a person asked for, and write the intent down as a link of its own."""
        work = hand.work(CreateAsked)
        return await patiently(self._doors, hand, None, partial(self._asked, work))

    async def _asked(self, work: CreateAsked, hand: Hand) -> Ending:
        meant = await self._meant(work)
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
            await require_free(self._doors.coder, account.username, meant.name)
        step = self._doors.memory.keeping(Step(), f"{hand.now_ms} {bond.id}", *note, ttl_ms=REPEAT_MS)
        return done(self._intent(step, bond, work.asker))

    async def _meant(self, work: CreateAsked) -> CreateAsked:
        """What was asked for; asked once more, it is what was asked for at first."""
        if not work.kept:
            return work
        kept = await self._doors.memory.find("another", work.kept)
        if kept is None:
            raise UserError(*refusals.too_late())
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

    async def attach(self, step: Step, asker: Asker, task: Task, owner: UserId | None, job_id: str) -> Step:
        """Write down the intent to give an existing task a thread; UserError while somebody else does."""
        note = ("attaching", task.id)
        is_first = await self._doors.memory.is_first(*note, value=job_id, ttl_ms=ATTACHING_MS)
        if not is_first and await self._doors.memory.find(*note) != job_id:
            raise UserError(*refusals.being_attached(task.name))
        bond = bare_bond(task, asker).model_copy(update={"id": link_id(job_id), "owner_slack": owner})
        return self._intent(step, bond, asker)


def _likeness(work: CreateAsked, bond: Bond) -> str:
    """What makes two askings the same."""
    return digest(
        work.prompt, bond.template_version_id, bond.preset_id or "", work.name or "", work.asker.channel
    )
