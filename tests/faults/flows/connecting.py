"""Flows in which a person connects their own Coder account, or the account of a task's former owner."""

from collections.abc import Sequence

from taskwire.domain.ids import ChannelId, TaskId, Ts, UserId
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.person_jobs import AnswerQuestion, ConnectAccount, WaitForAccount
from taskwire.domain.queueing.queues import account, intake, waiting_requests
from taskwire.domain.requester import Requester
from taskwire.messages import help_texts
from taskwire.queue.batch import Batch
from taskwire.queue.leases import Queues
from taskwire.redis.connection import Connections
from taskwire.state.accounts import seal_pasted
from taskwire.state.link_writes import LinkWrites
from taskwire.state.links import Links
from taskwire_sandbox.coder.rows import Token
from tests.faults.actors import Actor
from tests.faults.deployment import Deployment
from tests.faults.points import Kind
from tests.scenarios.reading import shown

from .flow import LEASE_KINDS, Flow, give_tasks, task_of

# The people who connect an owner's Coder user, in turns.
HEIRS = ("Anna", "Otto")


class Connecting(Flow):
    """A person pastes a token from Coder's page. Taskwire exchanges this token for a token with few rights,
    and stores the new token. Taskwire writes no intent record before these calls.

    Taskwire then deletes the pasted token and the bot's former token, and answers a question that has waited
    for the account. Other flows prove how Taskwire claims a submitted dialog. Here the flow itself writes the
    job that such a claim would write.
    """

    floor = 40
    meets = LEASE_KINDS - {Kind.BEGIN} | {Kind.OUTSIDE_WRITE}
    accounts = "both"

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        # For each actor, the token from Coder's page. Below it, the ids of the tokens that Taskwire must
        # delete.
        self._pasted: dict[Actor, str] = {}
        self._replaced: dict[Actor, set[str]] = {}

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Let each actor connect once, so that a run replaces a token."""
        await self.reach_start(actors)
        for actor in actors:
            await self.go(actor)
        await self.deployment.run_until(lambda: all(map(self.is_over, actors)), "everybody is connected")

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Give each actor a token from Coder's page."""
        for actor in actors:
            self._pasted[actor] = self.deployment.coder.add_token(actor.name)
            self._replaced[actor] = {token.id for token in self._tokens(actor)}

    async def go(self, actor: Actor) -> None:
        """Write the job that Taskwire writes for a pasted token. Also write a question of the person that
        waits until the account is connected."""
        person = UserId(actor.person)
        at = Ts(self.deployment.slack.backend.ids.ts())
        requester = Requester(person=person, channel=ChannelId(actor.channel), at=at)
        work = ConnectAccount(requester=requester, sealed_token=seal_pasted(self._pasted[actor], person))
        store = Connections(self.deployment.store, self.deployment.store, "")
        queues = Queues(store, self.deployment.keys, self.deployment.clock)
        job = Job(id=f"dialog:{actor.run_number}", work=work)
        batch = Batch().append(account(person), job)
        await queues.write(batch.append(waiting_requests(person), _make_waiting(actor, requester)))

    def is_over(self, actor: Actor) -> bool:
        """Return whether the person has only one token in Coder, and this token is new."""
        left = self._tokens(actor)
        return len(left) == 1 and left[0].id not in self._replaced[actor]

    def check(self, actor: Actor) -> None:
        """Check that the bot's token has few rights, and that the person got each expected answer at most
        once."""
        (token,) = self._tokens(actor)
        assert "all" not in token.scopes
        self.told_at_most(
            actor,
            f"Connected: you are *{actor.name}* in Coder.\n[Disconnect]",
            help_texts.help_text("pause").text,
            wishes=["connecting your Coder account", "`/task help pause`"],
        )
        assert self.said(actor) == []

    def _tokens(self, actor: Actor) -> list[Token]:
        tokens = self.deployment.coder.world.tokens.values()
        return [token for token in tokens if token.user.username == actor.name]


class TakingOver(Flow):
    """Another person connects the Coder user of a task's owner, whose tokens Coder refuses. The task is that
    person's from then on, and its share ends. The person is told of it once.

    Two heirs connect the user in turns. The flow itself writes the job of a submitted dialog, and the share.
    """

    floor = 50
    meets = LEASE_KINDS - {Kind.BEGIN} | {Kind.OUTSIDE_WRITE}
    accounts = "both"

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._heirs: dict[Actor, list[str]] = {}
        self._group = ""
        self._pasted: dict[Actor, str] = {}
        self._heard: dict[Actor, int] = {}

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a task with a thread, and two heirs in the channel."""
        await give_tasks(self, actors)
        slack = self.deployment.slack
        self._group = slack.add_group("crew", []).id
        for actor in actors:
            self._heirs[actor] = []
            for name in HEIRS:
                heir = slack.add_user(f"{name}{actor.number}")
                slack.workspace.channel(actor.channel).members.append(heir.id)
                self.deployment.watch.names.add(actor, heir.id, slack.open_direct(heir.id).id)
                self._heirs[actor].append(heir.id)

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Let Coder refuse all tokens of each actor's user, and make a new one. Share each actor's task."""
        tokens, store = self.deployment.coder.world.tokens, self._open_store()
        for actor in actors:
            for key in [key for key, token in tokens.items() if token.user.username == actor.name]:
                del tokens[key]
            self._pasted[actor] = self.deployment.coder.add_token(actor.name)
            link = await self._find_link(actor)
            batch = LinkWrites(self.deployment.keys).set_shares(Batch(), link.id, [self._group])
            await Queues(store, self.deployment.keys, self.deployment.clock).write(batch)

    async def go(self, actor: Actor) -> None:
        """Write the job that Taskwire writes for a token that the next heir has pasted."""
        heir = UserId(self._heir(actor))
        self._heard[actor] = len(self._list_direct(actor))
        at = Ts(self.deployment.slack.backend.ids.ts())
        requester = Requester(person=heir, channel=ChannelId(actor.channel), at=at)
        work = ConnectAccount(requester=requester, sealed_token=seal_pasted(self._pasted[actor], heir))
        queues = Queues(self._open_store(), self.deployment.keys, self.deployment.clock)
        job = Job(id=f"dialog:{actor.number}:{actor.run_number}", work=work)
        await queues.write(Batch().append(account(heir), job))

    def is_over(self, actor: Actor) -> bool:
        """Return whether the card names the heir, who is told, and only the heir's new token is left."""
        is_told = len(self._list_direct(actor)) > self._heard[actor]
        is_named = f"Owner: {self._name(actor)}" in self._card(actor)
        return is_told and is_named and len(self._list_tokens(actor)) == 1

    def check(self, actor: Actor) -> None:
        """Check that the heir's token has few rights, that the heir was told once, and that nothing was said
        in the thread."""
        (told,) = self._list_direct(actor)[self._heard[actor] :]
        assert " is your task now. " in told
        (token,) = self._list_tokens(actor)
        assert "all" not in token.scopes
        assert self.said(actor) == []

    async def check_store(self, actor: Actor) -> None:
        """Check that the heir is the stored owner, and that the share has ended."""
        link = await self._find_link(actor)
        assert (link.record.owner_slack, link.shares) == (self._heir(actor), ())

    async def _find_link(self, actor: Actor) -> Link:
        links = Links(self._open_store(), self.deployment.keys, self.deployment.clock)
        link = await links.find_by_task(TaskId(task_of(actor).id))
        assert link is not None
        return link

    def _open_store(self) -> Connections:
        return Connections(self.deployment.store, self.deployment.store, "")

    def _heir(self, actor: Actor) -> str:
        return self._heirs[actor][actor.run_number % 2]

    def _name(self, actor: Actor) -> str:
        return f"{HEIRS[actor.run_number % 2]}{actor.number}"

    def _card(self, actor: Actor) -> str:
        return shown(self.deployment.slack.message(actor.channel, actor.thread_ts))

    def _list_direct(self, actor: Actor) -> list[str]:
        """Return what the bot has told the heir by direct message that they own a task."""
        slack = self.deployment.slack
        said = [shown(each) for each in slack.messages(slack.open_direct(self._heir(actor)).id)]
        return [each for each in said if "your task" in each]

    def _list_tokens(self, actor: Actor) -> list[Token]:
        tokens = self.deployment.coder.world.tokens.values()
        return [token for token in tokens if token.user.username == actor.name]


def _make_waiting(actor: Actor, requester: Requester) -> Job:
    """Return a job that holds back a person's question until the person has connected an account."""
    asked = AnswerQuestion(requester=requester, line="help pause")
    question = Job(id=f"question:{actor.run_number}", work=asked)
    work = WaitForAccount(
        person=requester.person,
        requester=requester,
        wish="`/task help pause`",
        queue=intake(requester.person),
        waiting_job=question.model_dump_json(),
    )
    return Job(id=f"waits:{question.id}", work=work)
