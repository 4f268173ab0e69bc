"""A flow in which a person connects their own Coder account."""

from collections.abc import Sequence

from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.domain.jobs import Job
from taskwire.domain.person_jobs import ConnectAccount
from taskwire.domain.queues import account
from taskwire.domain.requester import Requester
from taskwire.queue.batch import Batch
from taskwire.queue.leases import Queues
from taskwire.redis.connection import Connections
from taskwire.state.accounts import seal_pasted
from taskwire_sandbox.coder.rows import Token
from tests.faults.actors import Actor
from tests.faults.deployment import Deployment
from tests.faults.points import Kind

from .flow import LEASE_KINDS, Flow


class Connecting(Flow):
    """A token is exchanged for one with few rights, which is stored, and is deleted. No call is an attempt.

    How a dialog is claimed is proved by other flows. Here the job is written as that claim writes it.
    """

    floor = 26
    meets = LEASE_KINDS - {Kind.BEGIN} | {Kind.OUTSIDE_WRITE}
    accounts = "both"

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._pasted: dict[Actor, str] = {}

    async def prepare_run(self, actors: Sequence[Actor]) -> None:
        """Give each actor a token from Coder's page."""
        for actor in actors:
            self._pasted[actor] = self.deployment.coder.add_token(actor.name)

    async def go(self, actor: Actor) -> None:
        """Paste the token."""
        person = UserId(actor.person)
        at = Ts(self.deployment.slack.backend.ids.ts())
        requester = Requester(person=person, channel=ChannelId(actor.channel), at=at)
        work = ConnectAccount(requester=requester, sealed_token=seal_pasted(self._pasted[actor], person))
        store = Connections(self.deployment.store, self.deployment.store, "")
        queues = Queues(store, self.deployment.keys, self.deployment.clock)
        job = Job(id=f"dialog:{actor.run_number}", work=work)
        await queues.write(Batch().append(account(person), job))

    def is_over(self, actor: Actor) -> bool:
        """Return whether the bot's token is the only one."""
        return [token.name for token in self._tokens(actor)] == ["taskwire"]

    def check(self, actor: Actor) -> None:
        """Check that the bot has one token with few rights, and that nothing else was said."""
        (token,) = self._tokens(actor)
        assert "all" not in token.scopes
        ends = token.expires_at
        self.told_at_most(
            actor,
            f"Connected: you are *{actor.name}* in Coder. "
            f"My token for you ends on {ends:%B} {ends.day}, {ends.year}.",
            wishes=["connecting your Coder account"],
        )
        assert self.said(actor) == []

    def _tokens(self, actor: Actor) -> list[Token]:
        tokens = self.deployment.coder.world.tokens.values()
        return [token for token in tokens if token.user.username == actor.name]
