"""Receives the browser's request after a sign-in to Coder, and writes the job that connects the account.

A sign-in's `state` works once, because the inbox claims it once. The page in the browser shows nothing about
the person or the account, because anybody may open its address.
"""

import re
import secrets
from collections.abc import Mapping
from typing import NamedTuple

from redis.exceptions import RedisError

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutcomeUnknown, TryLater
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.person_jobs import AuthorizeAccount
from taskwire.domain.queueing.queues import account, account_score
from taskwire.listeners.ingress import Ingress
from taskwire.messages import callback_pages
from taskwire.messages.callback_pages import Page
from taskwire.queue.batch import Batch
from taskwire.queue.inbox import Inbox
from taskwire.state.authorizations import Grant, StartedAuthorization, digest_state
from taskwire.telemetry import logger

# The values that Coder sends: an authorization code or an error code, and our `state`.
_STATE = re.compile(r"[A-Za-z0-9_-]{43,128}")
_CODE = re.compile(r"[\x21-\x7e]{1,512}")
NUMBER_DIGITS = 8

_log = logger("taskwire.listeners.authorizations")


class BrowserAnswer(NamedTuple):
    """What the browser is to show: a page, and the number that the person then enters in Slack.

    `number` is empty if the page shows no number.
    """

    page: Page
    number: str = ""


class AuthorizationReceiver:
    """Claims the authorization codes that Coder sends through a person's browser after the sign-in."""

    def __init__(self, deps: Dependencies, ingress: Ingress, inbox: Inbox) -> None:
        self._deps = deps
        self._ingress = ingress
        self._inbox = inbox

    async def receive(self, query: Mapping[str, str]) -> BrowserAnswer:
        """Claim the authorization code of this query, and return the page for the browser."""
        state, code = query.get("state", ""), query.get("code", "")
        if "error" in query and not code:
            await self._end(state)
            return BrowserAnswer(callback_pages.DENIED)
        if not _STATE.fullmatch(state) or not _CODE.fullmatch(code):
            return BrowserAnswer(callback_pages.NOT_VALID)
        try:
            started = await self._deps.authorizations.find_started(state)
            if started is None:
                return BrowserAnswer(callback_pages.NOT_VALID)
            return await self._claim(started, state, code)
        except (RedisError, TryLater, OutcomeUnknown) as error:
            _log.warning(
                "sign-in at Coder not recorded, person asked to load the page again", error=str(error)
            )
            return BrowserAnswer(callback_pages.TRY_AGAIN)

    async def _claim(self, started: StartedAuthorization, state: str, code: str) -> BrowserAnswer:
        person, name = started.requester.person, digest_state(state)
        number = f"{secrets.randbelow(10**NUMBER_DIGITS):0{NUMBER_DIGITS}}"
        grant = Grant(code=code, verifier=started.verifier, confirmation=number)
        work = AuthorizeAccount(requester=started.requester, sealed_grant=grant.seal(person))
        job = Job(id=f"authorize:{name[:32]}", work=work)
        batch = Batch().append(account(person), job, score=account_score(self._ingress.now()))
        self._deps.authorizations.end(batch, state)
        claiming = self._inbox.claim("authorization", name, batch)
        if await self._ingress.count_claim("authorization", claiming) != "claimed":
            return BrowserAnswer(callback_pages.NOT_VALID)
        return BrowserAnswer(callback_pages.ALLOWED, number)

    async def _end(self, state: str) -> None:
        """End the authorization, because Coder's page has sent back that the person denied it."""
        if not _STATE.fullmatch(state):
            return
        try:
            await self._deps.queues.write(self._deps.authorizations.end(Batch(), state))
        except (RedisError, TryLater, OutcomeUnknown) as error:
            # The authorization expires after ten minutes.
            _log.info("record of a denied sign-in not deleted, expires by itself", error=str(error))
