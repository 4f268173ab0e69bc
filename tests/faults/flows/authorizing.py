"""Flows in which Taskwire gets tokens for a person's account from Coder's OAuth2 provider, and later renews
them.

Coder accepts a code or a refresh token only once. If Coder's answer is lost, the tokens in it are lost too.
The bot then asks the person to connect the account again.
"""

import base64
import hashlib
from collections.abc import Sequence
from datetime import timedelta

from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.person_jobs import AuthorizeAccount, RenewToken
from taskwire.domain.queueing.queues import account
from taskwire.domain.requester import Requester
from taskwire.queue.batch import Batch
from taskwire.queue.leases import Queues
from taskwire.redis.connection import Connections
from taskwire.state.accounts import AccountStore
from taskwire.state.authorizations import Grant
from taskwire_sandbox.coder.oauth_rows import OAuthCode
from taskwire_sandbox.coder.rows import Token
from tests.faults.actors import Actor
from tests.faults.deployment import Deployment
from tests.faults.points import Kind
from tests.scenarios.reading import shown

from .flow import LEASE_KINDS, Flow

ADDRESS = "http://127.0.0.1:1"
VERIFIER = "v" * 64
# Tokens live so long that Taskwire does not renew them by itself during a run. Otherwise new renewals would
# come without end.
LIFETIME = timedelta(days=400)
CONNECT_AGAIN = (
    "Coder refuses my token for your account *{name}*. Your requests have to wait until you connect again.\n"
    "[Connect with Coder] [Paste a token instead]"
)
BEGIN_AGAIN = "Coder did not let me connect your account. `/task connect` begins again."


class Authorizing(Flow):
    """A person comes back from Coder's page. Taskwire exchanges the code for tokens, and deletes the tokens
    of the earlier connection.

    Taskwire writes no intent record before these calls. It may repeat them after a kill, because Coder
    refuses a code that was already used.
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
            await self.connect(actor)
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
        """Let the actor's browser bring the code back from Coder's page."""
        await self.connect(actor)

    async def connect(self, actor: Actor) -> None:
        """Write the job that Taskwire writes in production when the person's browser brings the code."""
        person = UserId(actor.person)
        at = Ts(self.deployment.slack.backend.ids.ts())
        requester = Requester(person=person, channel=ChannelId(actor.channel), at=at)
        grant = Grant(code=code_of(actor), verifier=VERIFIER, confirmation="12345678")
        work = AuthorizeAccount(requester=requester, sealed_grant=grant.seal(person))
        # In production a job's id has the digest of the person's own state.
        await self.write_job(actor, Job(id=f"authorize:{actor.name}:{actor.run_number}", work=work))

    async def write_job(self, actor: Actor, job: Job) -> None:
        """Append a job to the queue of the actor's account."""
        store = Connections(self.deployment.store, self.deployment.store, "")
        queues = Queues(store, self.deployment.keys, self.deployment.clock)
        await queues.write(Batch().append(account(UserId(actor.person)), job))

    def is_over(self, actor: Actor) -> bool:
        """Return whether Taskwire has exchanged the actor's code for tokens."""
        return code_of(actor) not in self.deployment.coder.world.oauth.codes

    def check(self, actor: Actor) -> None:
        """Check that the person has one token, and that the bot either confirmed the connection or asked the
        person to begin again, but not both. Both private answers may be missing."""
        assert len(self.tokens(actor)) == 1
        connected = f"Connected: you are *{actor.name}* in Coder.\n[Disconnect]"
        self.told_at_most(actor, connected, BEGIN_AGAIN, wishes=["connecting your Coder account"])
        assert not {connected, BEGIN_AGAIN} <= set(self.told(actor))
        assert self.said(actor) == []

    def tokens(self, actor: Actor) -> list[Token]:
        """Return the actor's tokens in Coder."""
        tokens = self.deployment.coder.world.tokens.values()
        return [token for token in tokens if token.user.username == actor.name]


class Refreshing(Authorizing):
    """Taskwire renews the tokens of a person's account before they expire.

    If Coder's answer is lost, the new tokens in it are lost too. The bot then asks the person once to connect
    the account again.
    """

    floor = 8
    meets = LEASE_KINDS | {Kind.OUTSIDE_WRITE}
    dies_twice = ("coder oauth.tokens",)

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._former: dict[Actor, str] = {}
        self._sent_before: dict[Actor, int] = {}

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Note which token each actor has, and how many direct messages each actor has got."""
        for actor in actors:
            (token,) = self.tokens(actor)
            self._former[actor] = token.id
            self.deployment.watch.names.add(actor, self.deployment.slack.open_direct(actor.person).id)
            self._sent_before[actor] = len(self._list_direct(actor))

    async def go(self, actor: Actor) -> None:
        """Write the job that renews the token."""
        key_id = self._former[actor]
        work = RenewToken(person=UserId(actor.person), key_id=key_id)
        await self.write_job(actor, Job(id=f"renew:{key_id}", work=work))

    def is_over(self, actor: Actor) -> bool:
        """Return whether Coder has replaced the token."""
        return self._former[actor] not in {token.id for token in self.tokens(actor)}

    def check(self, actor: Actor) -> None:
        """Check that one token is left, and that the person was asked at most once to connect again."""
        assert len(self.tokens(actor)) == 1
        assert self._list_new(actor) in ([], [CONNECT_AGAIN.format(name=actor.name)])
        assert (self.told(actor), self.said(actor)) == ([], [])

    async def check_store(self, actor: Actor) -> None:
        """Check that the bot has the new token, or else has asked the person to connect again."""
        store = Connections(self.deployment.store, self.deployment.store, "")
        found = await AccountStore(store, self.deployment.keys).find(UserId(actor.person))
        (token,) = self.tokens(actor)
        assert found is not None
        assert found.is_refused == bool(self._list_new(actor))
        assert found.is_refused or found.token == token.key

    def _list_direct(self, actor: Actor) -> list[str]:
        slack = self.deployment.slack
        return [shown(message) for message in slack.messages(slack.open_direct(actor.person).id)]

    def _list_new(self, actor: Actor) -> list[str]:
        return self._list_direct(actor)[self._sent_before[actor] :]


def code_of(actor: Actor) -> str:
    """Return the code that the actor's browser brings back from Coder's page."""
    return f"code-of-{actor.name}"
