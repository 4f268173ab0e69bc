"""`taskwire forget`: removes a person's data from the store, and says what was removed and what stays.

The command works beside a running bot. The running bot removes the person from links, with a job for each
link. Every step can be repeated. A second run removes the data that came in during the first run.
"""

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from collections.abc import Callable

from taskwire.app.audit_listing import open_trail
from taskwire.coder.client import CoderClient
from taskwire.coder.keys import delete_quietly
from taskwire.coder.oauth import OAuthClient
from taskwire.doctor.opening import find_person, open_workspace
from taskwire.domain.audit import OPERATOR, AuditEntry
from taskwire.domain.errors import OutcomeUnknown, TryLater, UserError
from taskwire.domain.ids import UserId
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.person_jobs import ConnectAccount, DeleteToken, ForgetInLink
from taskwire.domain.queueing.queues import account, to_coder
from taskwire.domain.queueing.work import Work
from taskwire.queue.batch import Batch
from taskwire.queue.dead_letters import DeadLetters
from taskwire.queue.leases import Queues
from taskwire.queue.scripts import ServerClock
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.settings import Settings
from taskwire.state.accounts import AccountStore, ConnectedAccount, open_pasted
from taskwire.state.links import Links
from taskwire.state.person_data import FoundData, PersonData
from taskwire.tasks.renew_account import delete_tokens, end_tokens

# In seconds. How long to wait for a bot that makes no progress with removing the person from links, and the
# interval between two looks at its progress.
PATIENCE_SECONDS, LOOK_SECONDS = 5.0, 0.1
# The most searches through the store. Between two searches, jobs of the bot may write something new about the
# person.
MOST_ROUNDS = 3
STAYS = (
    "What stays: messages in Slack; tasks and the user in Coder; in the audit trail, the id and the user "
    "name in Coder until its entries end (TASKWIRE_AUDIT_DAYS); the id of the person who last acted on "
    "another person's task."
)


class Forgetting:
    """Removes one person's data from one workspace's store."""

    def __init__(self, settings: Settings, connections: Connections, keys: Keys, person: UserId) -> None:
        self._settings = settings
        self._person = person
        self._request = secrets.token_hex(6)
        self._queues = Queues(connections, keys, ServerClock(), mask_stored=settings.masker.mask_own_in_json)
        self._data = PersonData(connections, keys)
        self._accounts = AccountStore(connections, keys)
        self._links = Links(connections, keys, ServerClock())
        self._dead_letters = DeadLetters(connections, keys, ServerClock())
        self._trail = open_trail(settings, connections, keys)
        self.removed: Counter[str] = Counter()
        # Sentences that say what could not be removed yet.
        self.left: list[str] = []

    async def run(self) -> None:
        """Remove the person's data until nothing more is found or can be removed."""
        has_account_left = not await self._remove_account()
        for number in range(MOST_ROUNDS):
            found = await self._data.find(self._person)
            self._note_channels(found)
            if has_account_left:
                found.account.clear()
                found.queues.discard(account(self._person))
            if found.is_empty:
                break
            await self._remove(found)
            if not await self._remove_from_links(found, f"{self._request}.{number}"):
                break
        if self.removed:
            entry = AuditEntry(
                person=OPERATOR, verb="forget", task=self._person, outcome="done", reference=self._request
            )
            await self._queues.write(self._trail.add_to(Batch(), entry))

    async def _remove_account(self) -> bool:
        """Delete the person's tokens in Coder, then the account in Redis. If Coder does not answer, keep the
        account, and the jobs that wait to delete tokens.

        Return whether nothing was kept.
        """
        known = await self._accounts.find(self._person)
        waiting = [job.work for job in await self._links.list_jobs(account(self._person))]
        if known is None and not waiting:
            return True
        settings = self._settings
        mask = settings.masker.mask
        opened = CoderClient.open(settings.coder_url, settings.service_token, mask=mask)
        async with opened as coder, OAuthClient.open(settings.coder_url, settings.oauth_app, mask) as oauth:
            try:
                for work in waiting:
                    await _delete_waiting(coder, oauth, work, known)
                if known is not None:
                    await end_tokens(oauth, coder.for_person(known.token, known.person), known.refresh_token)
            except (TryLater, OutcomeUnknown) as error:
                self.left.append(f"the Coder account and its token, because Coder does not answer: {error}.")
                return False
        if known is not None:
            await self._queues.write(self._accounts.remove(Batch(), known))
            self.removed["the Coder account and its token"] += 1
        return True

    async def _remove(self, found: FoundData) -> None:
        batch = Batch()
        for key in (*found.account, *found.settings, *found.notes):
            batch.write("DEL", key)
        waiting = [*await self._data.list_waiting(found.queues), *found.requests]
        for name, job_id in waiting:
            batch.drop(name, job_id)
        await self._queues.write(batch)
        for letter in found.dead_letters:
            await self._dead_letters.forget(letter)
        self.removed["the settings"] += len(found.settings)
        self.removed["what is remembered for a while"] += len(found.account) + len(found.notes)
        self.removed["waiting requests"] += len(waiting)
        self.removed["dead letters"] += len(found.dead_letters)
        self.removed = +self.removed

    async def _remove_from_links(self, found: FoundData, request: str) -> bool:
        """Let a running bot remove the person from links. Return False if it has not done so in time."""
        batch, count = Batch(), len(found.links)
        for link in found.links:
            work = ForgetInLink(person=self._person, request_id=request)
            batch.append(to_coder(link), Job(id=f"forget:{request}", work=work), score=0)
        await self._queues.write(batch)
        finished = await self._wait(request, count)
        if finished:
            self.removed["threads of tasks"] += finished
        if finished < count:
            self.left.append(
                f"{count - finished} threads of tasks. Taskwire removes the person from them while it runs; "
                "run this again then."
            )
        return finished == count

    async def _wait(self, request: str, count: int) -> int:
        """Wait until the bot has finished with `count` links. Return how many links it has finished.

        The result is less than `count` if the bot finishes no further link for PATIENCE_SECONDS.
        """
        finished, until = 0, time.monotonic() + PATIENCE_SECONDS
        while finished < count and time.monotonic() < until:
            await asyncio.sleep(LOOK_SECONDS)
            now_finished = await self._data.count_done(request)
            if now_finished > finished:
                finished, until = now_finished, time.monotonic() + PATIENCE_SECONDS
        return finished

    def _note_channels(self, found: FoundData) -> None:
        for channel in found.channels:
            said = (
                f"the settings of {channel}, which call the person. Change them there with `/task settings`."
            )
            if said not in self.left:
                self.left.append(said)


async def _delete_waiting(
    coder: CoderClient, oauth: OAuthClient | None, work: Work, known: ConnectedAccount | None
) -> None:
    """Delete in Coder the token of a job that waits, because the job will not run any more."""
    # A token that cannot be decrypted any more cannot be deleted.
    with contextlib.suppress(UserError):
        if isinstance(work, DeleteToken):
            await delete_tokens(coder, oauth, work, known)
        elif isinstance(work, ConnectAccount):
            person = work.requester.person
            client = coder.for_person(open_pasted(work.sealed_token, person), person)
            await delete_quietly(client, client.key_id)


async def forget(settings: Settings, who: str, show: Callable[[str], None]) -> int:
    """Forget the person with this Slack id or e-mail address. Return 1 if something is left to do."""
    person = await find_person(settings, who)
    async with open_workspace(settings) as (connections, keys):
        forgetting = Forgetting(settings, connections, keys, person)
        await forgetting.run()
    show(f"Removed of {person}:" if forgetting.removed else f"Nothing is stored about {person}.")
    for what, count in forgetting.removed.items():
        show(f"  {what}" if what.startswith("the ") else f"  {what}: {count}")
    for sentence in forgetting.left:
        show(f"Not removed: {sentence}")
    if forgetting.removed:
        show(STAYS)
    return 1 if forgetting.left else 0
