"""Flows that send a direct message to a person: about a notice, and after their quiet hours."""

from collections.abc import Mapping, Sequence

from taskwire.domain.ids import UserId, from_ms
from taskwire.domain.person_settings import PersonSettings
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.person_jobs import SavePersonSettings
from taskwire.domain.queueing.queues import intake
from taskwire.queue.batch import Batch
from taskwire.queue.leases import Queues
from taskwire.redis.connection import Connections
from tests.faults.actors import Actor, metadata
from tests.faults.deployment import Deployment
from tests.faults.points import Kind
from tests.scenarios.reading import shown

from .flow import LEASE_KINDS, Flow, give_tasks, task_of, title_of
from .telling import Failing


class Direct(Flow):
    """The base of flows that end with one direct message."""

    settings = PersonSettings()

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._sent_before: dict[Actor, int] = {}

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a task whose agent is working, and the person settings of the flow."""
        for actor in actors:
            # A request to Slack with the id of this person's direct messages counts as the actor's.
            self.deployment.watch.names.add(actor, self.deployment.slack.open_direct(actor.person).id)
        await give_tasks(self, actors)
        await self.set_up(actors)

    async def set_up(self, actors: Sequence[Actor]) -> None:
        """Store the flow's settings as the person settings of each actor."""
        for actor in actors:
            key = self.deployment.keys.named("person_settings", actor.person)
            stored = self.settings.model_dump_json(context=f"person_settings:{actor.person}")
            await self.deployment.store.set(key, stored)

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Note how many direct messages each actor already has."""
        for actor in actors:
            self._sent_before[actor] = len(self._sent(actor))

    def new_directs(self, actor: Actor) -> list[tuple[str, str]]:
        """Return the kind and the text of each direct message of this run."""
        new = self._sent(actor)[self._sent_before[actor] :]
        return [(metadata(message)["kind"], shown(message)) for message in new]

    def _sent(self, actor: Actor) -> list[Mapping[str, object]]:
        slack = self.deployment.slack
        return list(slack.messages(slack.open_direct(actor.person).id))

    def is_over(self, actor: Actor) -> bool:
        """Return whether the bot has sent the direct message in this run."""
        return bool(self.new_directs(actor))


class CallingDirectly(Direct, Failing):
    """An agent fails, and its owner has chosen direct messages. The notice mentions nobody, and a direct
    message follows."""

    floor = 50
    settings = PersonSettings(calls="direct")

    def notice(self, actor: Actor) -> str:
        """Return the expected notice, which mentions nobody."""
        return super().notice(actor).removeprefix(f"<@{actor.person}> ")

    def check(self, actor: Actor) -> None:
        """Check that the notice and the direct message were each posted once."""
        super().check(actor)
        assert self.new_directs(actor) == [
            (
                "call",
                f"Failed: {title_of(actor)}. No luck with try {actor.run_number}.\n[Answer] [Open thread]",
            )
        ]


class EndingQuietHours(Direct):
    """A person ends their quiet hours and gets the summary of the failures in these hours.

    Other flows prove how Taskwire claims a submitted dialog. Here the flow itself writes the job that such a
    claim would write.
    """

    floor = 40
    meets = LEASE_KINDS | {Kind.OUTSIDE_WRITE}

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Let each agent fail during its owner's quiet hours. These hours last for most of a day."""
        await super().reach_start(actors)
        hour = from_ms(self.deployment.clock.now_ms).hour
        self.settings = PersonSettings(quiet_from_hour=(hour - 1) % 24, quiet_until_hour=(hour + 20) % 24)
        await self.set_up(actors)
        for actor in actors:
            task_of(actor).becomes("working", f"Try {actor.run_number}")
        await self.deployment.poll()
        for actor in actors:
            task_of(actor).becomes("failed", f"No luck with try {actor.run_number}")
        await self.deployment.poll()

    async def go(self, actor: Actor) -> None:
        """Write the job that saves the person's settings, now without quiet hours."""
        work = SavePersonSettings(person=UserId(actor.person), settings=PersonSettings())
        job = Job(id=f"dialog:{actor.run_number}", work=work)
        store = Connections(self.deployment.store, self.deployment.store, "")
        queues = Queues(store, self.deployment.keys, self.deployment.clock)
        await queues.write(Batch().append(intake(actor.person), job))

    def check(self, actor: Actor) -> None:
        """Check that the bot sent the summary once, and posted nothing in the channel."""
        address = self.deployment.slack.backend.permalink(actor.channel, actor.thread_ts)
        failed = f"{title_of(actor)}. No luck with try {actor.run_number - 1} <{address}>"
        assert self.new_directs(actor) == [("summary", f"During your quiet hours:\n•  Failed: {failed}")]
        assert self.said(actor) == []
