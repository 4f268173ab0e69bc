"""The people who try the acts, and the tasks on which they act."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from taskwire.app.wiring import Timings
from taskwire.domain.ids import TaskId, UserId
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.queues import waiting_requests
from taskwire.queue.rate_limiter import MethodLimits
from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.slack.workspace import PRIVATE
from tests.scenarios.people import Person, Thread
from tests.scenarios.test_connect import connects
from tests.scenarios.world import SETTLE_SECONDS, World, new_world

Mode = Literal["service", "both", "personal"]
MODES: tuple[Mode, ...] = ("service", "both", "personal")
REVOKED = "owner whose token is revoked"
# In mode `both`, only these people have connected an account. In mode `personal`, every member with a Coder
# account has connected it.
_CONNECTED_IN_BOTH = ("owner", "steerer", REVOKED)
ORGANIZATION, SISTER, PARTNER = "E0ORG", "T0SISTER", "T0PARTNER"
# The report and the log of a task's agent. Only people who may see the task may read these words.
REPORT, LOG = "the reported words", "the logged words"
CHANNELS = COMMON, OPEN, OTHER = "general", "open", "other"
# These timings have no rate limits of Slack and Taskwire, because the tables leave such limits out.
_UNLIMITED = Timings(limits={}, other_limits=MethodLimits(None))
AGAIN_SECONDS = 121.0
# In mode `service`, these people try every act. The others try only one act for each kind of question about
# rights.
CORE = ("guest", "teammate", "owner")
WITHOUT_ACCOUNT = ("without account",)
# Only a person can use commands, buttons and dialogs. Apps and workflow steps only write messages.
Writer = Literal["person", "app", "workflow"]


@dataclass(frozen=True)
class Actor:
    """A person who tries the acts.

    `here` is the channel where the person acts. `target` is the name of the task on which the person acts.
    `writer` says whether the messages look like those of a person, an app or a workflow step.
    """

    name: str
    person: Person
    here: str = COMMON
    target: str = "common"
    writer: Writer = "person"


@dataclass
class Target:
    """A task with its thread. If an act ends the task, its owner makes it again."""

    owner: Person
    channel: str
    thread: Thread
    task: SandboxTask
    link: Link


@dataclass
class Cast:
    """All people who try acts, and the tasks on which they act."""

    world: World
    mode: Mode
    actors: dict[str, Actor] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)
    group: str = ""
    # The state into which each task was brought. A task has no entry if the last act may have changed its
    # state.
    states: dict[str, tuple[str, str]] = field(default_factory=dict)
    # The texts of the acks of the present act.
    acks: list[str] = field(default_factory=list)

    @property
    def friend(self) -> Person:
        """Return Bob, who tries no act himself. The actors name him in their acts."""
        return self.world.bob

    def add(
        self,
        name: str,
        *,
        in_coder: bool = True,
        here: str = COMMON,
        target: str = "common",
        writer: Writer = "person",
        **profile: object,
    ) -> Person:
        """Add an actor to the workspace and to the channel `here`, and return the person.

        `in_coder` says whether the person has an account in Coder. `profile` are fields of the person's Slack
        account.
        """
        world = self.world
        handle = name.replace(" ", "-")
        person = world.alice if name == "owner" else world.person(handle, in_coder=in_coder, **profile)  # type: ignore[arg-type] # as the stand-in takes them
        members = world.slack.workspace.channel(here).members
        if person.id not in members:
            members.append(person.id)
        self.actors[name] = Actor(name, person, here, target, writer)
        return person

    def find_target(self, actor: Actor) -> Target:
        """Return the task on which an actor acts."""
        return self.targets[actor.target]

    async def has_target(self, name: str, owner: Person, channel: str) -> Target:
        """Let the owner create the task `name` in a channel, and return it. If it is the task `common`, share
        it with the people who may steer it."""
        world = self.world
        # If the same request comes again within two minutes, the bot asks whether a second task is wanted.
        # Wait longer than that.
        world.clock.passes(AGAIN_SECONDS)
        thread = await owner.runs("/task create fix it", channel)
        task = world.coder.tasks[-1]
        await world.polls()
        link = await world.bot.parts.deps.links.find_by_task(TaskId(task.id))
        assert link is not None
        self.targets[name] = target = Target(owner, channel, thread, task, link)
        await self.is_idle(target)
        await world.passes(SETTLE_SECONDS + 1)
        await world.polls()
        if name == "common":
            people = self.actors
            steerers = f"<@{people['steerer'].person.id}> <!subteam^{self.group}>"
            former = f"<@{people['former steerer'].person.id}>"
            await owner.types(f"/task share {task.name} {steerers} {former}", channel)
            await owner.types(f"/task unshare {task.name} {former}", channel)
            await people["watcher"].person.replies(thread, "!watch")
        return target

    async def is_idle(self, target: Target) -> None:
        """Let the task's agent take all input that waits, and then wait for more input."""
        task = target.task
        if task.status != "active":
            task.resume()
            await self.world.polls()
        assert task.program is not None
        task.program.on_input = lambda _: task.becomes("idle", REPORT)
        task.becomes("idle", REPORT)
        task.rewrites(LOG)
        await self.world.polls()

    async def is_paused(self, target: Target) -> None:
        """Pause a task."""
        if target.task.status != "paused":
            target.task.pause()
            await self.world.polls()

    async def forget_waiting(self, actor: Actor) -> None:
        """Remove the requests of an actor that wait for the actor's account. Otherwise they would run during
        a later act."""
        keys, name = self.world.keys, waiting_requests(UserId(actor.person.id))
        pipe = self.world.connections.commands.pipeline(transaction=False)
        pipe.delete(*(keys.named("queue", name, part) for part in ("order", "jobs", "state")))
        for place in ("ready", "ready:calls", "ready:acts"):
            pipe.zrem(keys.named(place), name)
        await pipe.execute()


@asynccontextmanager
async def new_cast(directory: Path, store_url: str, mode: Mode) -> AsyncIterator[Cast]:
    """Make a world with all people and tasks."""
    async with new_world(directory, store_url=store_url, timings=_UNLIMITED, is_agent=True) as world:
        world.slack.backend.rate_limiter.is_on = False
        cast = Cast(world, mode)
        await _gather(cast)
        # Otherwise the bot's cached answers about people would expire during the acts.
        await world.forgets()
        yield cast
        # Requests that people without an account made while the world was prepared may still wait for an
        # account.
        await world.stops()
        await world.connections.commands.flushdb()
        world.reader.read_all()
        world.slack.violations[:] = [
            said for said in world.slack.violations if said != "response_url: message_not_found"
        ]


async def _gather(cast: Cast) -> None:
    world, slack = cast.world, cast.world.slack
    slack.workspace.channel(COMMON).kind = PRIVATE
    for channel in (OPEN, OTHER):
        slack.add_channel(channel, ["alice"])
    _add_people(cast)
    is_personal = cast.mode != "service"
    if is_personal:
        cast.add(REVOKED, target="revoked")
    admins = slack.add_group("admins", [cast.actors["administrator by group"].person.name])
    steerers = slack.add_group("steerers", [cast.actors["steerer by group"].person.name])
    cast.group = steerers.id
    slack.workspace.enterprise_id = ORGANIZATION
    for user in slack.workspace.users.values():
        user.enterprise_id = "" if user.team_id == PARTNER else ORGANIZATION
        user.teams = [user.team_id]
    listed = (cast.actors["administrator"].person.id, admins.id)
    token = world.settings.coder_session_token if cast.mode != "personal" else None
    await world.restarts(admins=listed, accounts=cast.mode, coder_session_token=token)
    if is_personal:
        await _connect(cast)
        await _has_revoked_token(cast)
    world.coder.suspend("suspended")
    slack.workspace.user(cast.actors["deactivated"].person.id).deleted = True
    await cast.has_target("common", world.alice, COMMON)
    await world.alice.types("/task settings", OPEN)
    assert await world.alice.saves(steerers="channel") == {}
    await cast.has_target("open", world.alice, OPEN)


def _add_people(cast: Cast) -> None:
    coder = cast.world.coder
    cast.add("owner")
    cast.add("teammate")
    # This person has different email addresses in Coder and in Slack. With a connected account the addresses
    # do not matter.
    if cast.mode == "service":
        cast.add("steerer")
    else:
        cast.add("steerer", in_coder=False)
        coder.add_user("steerer", email="another@example.com")
    cast.add("steerer by group")
    cast.add("former steerer")
    cast.add("watcher")
    cast.add("anybody in an open channel", here=OPEN, target="open")
    cast.add("administrator", in_coder=False)
    cast.add("administrator by group")
    cast.add("elsewhere", here=OTHER)
    cast.add("without account", in_coder=False)
    cast.add("unconfirmed address", is_email_confirmed=False)
    twin = cast.add("two accounts of one address")
    coder.add_user("twin").email = f"{twin.name}@example.com"
    cast.add("suspended")
    cast.add("deactivated")
    cast.add("guest", is_restricted=True)
    cast.add("outside company", team_id=PARTNER, is_stranger=True)
    cast.add("sister workspace", team_id=SISTER)
    cast.add("bot", writer="app", is_bot=True)
    cast.add("workflow step", writer="workflow", is_bot=True)


async def _connect(cast: Cast) -> None:
    """Connect the Coder accounts of the people in `_CONNECTED_IN_BOTH`. In mode `personal`, connect the
    accounts of all members too."""
    names = [user.username for user in cast.world.coder.world.users.values()]
    for actor in cast.actors.values():
        is_member = actor.writer == "person" and not actor.name.startswith(("guest", "outside", "sister"))
        if actor.name in _CONNECTED_IN_BOTH or (
            cast.mode == "personal" and is_member and actor.person.name in names
        ):
            await connects(cast.world, actor.person, actor.here)


async def _has_revoked_token(cast: Cast) -> None:
    """Let the actor REVOKED make a task, then revoke this actor's tokens in Coder."""
    person, tokens = cast.actors[REVOKED].person, cast.world.coder.world.tokens
    await cast.has_target("revoked", person, COMMON)
    for key in [key for key in tokens.values() if key.user.username == person.name]:
        del tokens[key.id]
