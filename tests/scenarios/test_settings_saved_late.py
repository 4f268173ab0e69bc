"""The settings of a channel that are saved a while after a person has submitted them."""

from taskwire.domain.channel_settings import ChannelSettings
from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.person_jobs import SaveChannelSettings
from taskwire.domain.queueing.queues import intake
from taskwire.domain.requester import Requester
from taskwire.queue.batch import Batch

from .running_tasks import TITLE, a_task
from .world import World


async def test_settings_that_wait_hold_from_when_they_are_saved(world: World) -> None:
    """Bob lets everybody in the channel steer, but his submission waits behind an earlier request of his.
    Alice starts a task meanwhile. When the settings are saved, her task stays her own."""
    carol = world.person("carol")
    await world.slack.join(carol.id, "general")
    place = ChannelId(world.slack.workspace.channel("general").id)
    at = Ts(world.slack.backend.ids.ts())
    thread, _ = await a_task(world)
    await world.passes(seconds=60)
    requester = Requester(person=UserId(world.bob.id), channel=place, at=at, surface="dialog")
    work = SaveChannelSettings(requester=requester, settings=ChannelSettings(steerers="channel"))

    await world.bot.parts.deps.queues.write(
        Batch().append(intake(requester.person), Job(id="dialog:late", work=work))
    )
    await world.passes(seconds=5)
    told = world.reader.new_roots()
    await carol.replies(thread, "!stop")

    assert any("from now on, everybody here can steer new tasks" in said for said in told)
    assert carol.reads()[0].startswith(f"*{TITLE}* belongs to Alice, so you can't stop it.")
    world.bob.reads()
