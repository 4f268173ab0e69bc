"""A flow in which a person's account gets tokens of Coder's OAuth2 provider.

Coder accepts a code only once. If Coder's answer to the code is lost, nobody can know the tokens. The bot
then asks the person to begin again.
"""

import base64
import hashlib
from collections.abc import Sequence
from datetime import timedelta

from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.person_jobs import AuthorizeAccount
from taskwire.domain.queueing.queues import account
from taskwire.domain.requester import Requester
from taskwire.queue.batch import Batch
from taskwire.queue.leases import Queues
from taskwire.redis.connection import Connections
from taskwire.state.authorizations import Grant
from taskwire_sandbox.coder.oauth_rows import OAuthCode
from taskwire_sandbox.coder.rows import Token
from tests.faults.actors import Actor
from tests.faults.points import Kind

from .flow import LEASE_KINDS, Flow

ADDRESS = "http://127.0.0.1:1"
VERIFIER = "v" * 64
# Tokens live so long that Taskwire does not renew them by itself during a run. Otherwise new renewals would
# come without end.
LIFETIME = timedelta(days=400)
BEGIN_AGAIN = "Coder did not let me connect your account. `/task connect` begins again."


class Authorizing(Flow):
    """A person comes back from Coder's page. Taskwire exchanges the code for tokens, and deletes the tokens
    of the earlier connection.

    None of the calls is an attempt (a call with a record in Redis), because Coder refuses a code that was
    already used.
    """

    floor = 24
    meets = LEASE_KINDS - {Kind.BEGIN} | {Kind.OUTSIDE_WRITE}
    accounts = "both"

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Register the OAuth app in Coder, and let each actor connect once, so that a run replaces tokens."""
        coder = self.deployment.coder
        coder.world.oauth.token_lifetime = LIFETIME
        app = coder.add_oauth_app("Taskwire", f"{ADDRESS}/coder/callback")
        self.deployment.flow_settings |= {
            "TASKWIRE_CODER_OAUTH_CLIENT_ID": app.id,
            "TASKWIRE_CODER_OAUTH_SECRET": app.secret,
            "TASKWIRE_PUBLIC_URL": ADDRESS,
        }
        await self.deployment.kill()
        await self.deployment.start_bot()
        self._give_codes(actors)
        for actor in actors:
            await self.go(actor)
        await self.deployment.run_until(
            lambda: all(len(self.tokens(actor)) == 1 for actor in actors), "everybody is connected"
        )

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Give each actor a new code, as Coder's page does."""
        self._give_codes(actors)

    def _give_codes(self, actors: Sequence[Actor]) -> None:
        world = self.deployment.coder.world
        (app,) = world.oauth.apps.values()
        digest = hashlib.sha256(VERIFIER.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        ends = world.schedule.now() + timedelta(days=1)
        for actor in actors:
            user = world.find_user(actor.name)
            assert user is not None
            code = code_of(actor)
            world.oauth.codes[code] = OAuthCode(code, app, user, challenge, ends)

    async def go(self, actor: Actor) -> None:
        """Write the job that Taskwire writes when it claims the code."""
        person = UserId(actor.person)
        at = Ts(self.deployment.slack.backend.ids.ts())
        requester = Requester(person=person, channel=ChannelId(actor.channel), at=at)
        grant = Grant(code=code_of(actor), verifier=VERIFIER, confirmation="12345678")
        work = AuthorizeAccount(requester=requester, sealed_grant=grant.seal(person))
        store = Connections(self.deployment.store, self.deployment.store, "")
        queues = Queues(store, self.deployment.keys, self.deployment.clock)
        # In production a job's id has the digest of the person's own state.
        job = Job(id=f"authorize:{actor.name}:{actor.run_number}", work=work)
        await queues.write(Batch().append(account(person), job))

    def is_over(self, actor: Actor) -> bool:
        """Return whether the actor's code has been used."""
        return code_of(actor) not in self.deployment.coder.world.oauth.codes

    def check(self, actor: Actor) -> None:
        """Check that the bot has one token for the person, and that the person got at most one of the
        possible answers."""
        assert len(self.tokens(actor)) == 1
        connected = f"Connected: you are *{actor.name}* in Coder."
        self.told_at_most(actor, connected, BEGIN_AGAIN, wishes=["connecting your Coder account"])
        assert not {connected, BEGIN_AGAIN} <= set(self.told(actor))
        assert self.said(actor) == []

    def tokens(self, actor: Actor) -> list[Token]:
        """Return the actor's tokens in Coder."""
        tokens = self.deployment.coder.world.tokens.values()
        return [token for token in tokens if token.user.username == actor.name]


def code_of(actor: Actor) -> str:
    """Return the code that the actor's browser brings back from Coder's page."""
    return f"code-of-{actor.name}"
