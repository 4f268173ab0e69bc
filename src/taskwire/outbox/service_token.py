"""Renews the service account's token before it expires, if Coder lets the token make tokens.

Taskwire cannot change CODER_SESSION_TOKEN. So Taskwire makes a new token and stores it, encrypted. All
processes of the deployment use the stored token in place of CODER_SESSION_TOKEN, also after a restart. When
the operator sets another CODER_SESSION_TOKEN, Taskwire uses that token. Taskwire never deletes the operator's
token.
"""

from collections.abc import Callable
from datetime import timedelta

from taskwire.coder.client import CoderClient
from taskwire.coder.keys import get_longest_lifetime, get_own_key, make_token
from taskwire.coder.scopes import UNLIMITED_SCOPES
from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.errors import OutsideError, Refused
from taskwire.domain.ids import to_ms
from taskwire.outbox.tell_once import claim_telling
from taskwire.queue.batch import Batch
from taskwire.state.accounts import OwnServiceToken
from taskwire.telemetry import logger

# A new token must have another name than the token that it replaces.
NAMES = ("taskwire-service", "taskwire-service-2")
# A token is renewed when this much of its life is left. A day later, administrators are told that the token
# ends.
RENEWED_BEFORE_END = timedelta(days=3)
# A token is renewed only if the new token lives longer than the present token by this much.
LEAST_GAIN = timedelta(days=1)
# Coder is asked again after this time, or earlier if the token must be renewed or Coder did not answer.
CHECK_INTERVAL_MS = DAY_MS // 2

# A token with one of these scopes, or with all scopes, may make tokens.
MAKING_SCOPES = frozenset({"api_key:create", "api_key:*", "coder:apikeys.manage_self"})

_log = logger("taskwire.outbox.service_token")


async def can_renew(coder: CoderClient) -> bool:
    """Return whether Coder lets this token make a new token that lives at least four days."""
    try:
        key, longest = await get_own_key(coder), await get_longest_lifetime(coder)
    except Refused:
        return False
    scopes = set(key.scopes)
    may_make = not scopes or bool(scopes & (UNLIMITED_SCOPES | MAKING_SCOPES))
    return may_make and longest >= RENEWED_BEFORE_END + LEAST_GAIN


class ServiceTokenRenewal:
    """Renews the token of `deps.service_coder`.

    `learn` is called with each new token, so that the token is masked everywhere. `on_change` is called after
    a change of the token.
    """

    def __init__(
        self, deps: Dependencies, learn: Callable[[str], object], on_change: Callable[[], None]
    ) -> None:
        self._deps = deps
        self._coder: CoderClient = deps.service_coder
        self._learn = learn
        self._on_change = on_change
        # The public part of the operator's token, and of our own token if it is in use.
        self._given, self._own = self._coder.key_id, ""
        self._next_check_ms = 0

    async def look(self) -> None:
        """Renew the service token if it expires soon.

        If another process has already made a new token, use that token instead.
        """
        if self._coder.key_id not in (self._given, self._own):
            # The operator has replaced the token.
            self._given, self._own = self._coder.key_id, ""
        kept = await self._deps.accounts.find_service_token()
        if kept is not None and kept.replaces == self._given:
            self._use(kept.token)
        now_ms = to_ms(self._deps.slack.now())
        if not self._given or now_ms < self._next_check_ms:
            return
        self._next_check_ms = now_ms + CHECK_INTERVAL_MS
        try:
            await self._renew(now_ms, kept.name if kept is not None else "")
        except Refused as refused:
            _log.info(
                "Coder refuses to make a new service token, the present one stays in use", error=str(refused)
            )
        except OutsideError as error:
            self._next_check_ms = 0
            _log.info("service token not renewed yet, will try again", error=str(error))

    async def _renew(self, now_ms: int, present_name: str) -> None:
        key = await get_own_key(self._coder)
        left_ms = to_ms(key.expires_at) - now_ms
        due_in_ms = left_ms - RENEWED_BEFORE_END // timedelta(milliseconds=1)
        if due_in_ms > 0:
            self._next_check_ms = now_ms + min(due_in_ms, CHECK_INTERVAL_MS)
            return
        longest_ms = await get_longest_lifetime(self._coder) / timedelta(milliseconds=1)
        if longest_ms < left_ms + LEAST_GAIN / timedelta(milliseconds=1):
            return
        if not await claim_telling(self._deps, "service token"):
            # Another process renews the token now.
            self._next_check_ms = 0
            return
        name = NAMES[1] if present_name == NAMES[0] else NAMES[0]
        scopes = () if UNLIMITED_SCOPES.intersection(key.scopes) else key.scopes
        token = await make_token(self._coder, name, scopes)
        # Mask the token before its first use, because an error of that request could quote it.
        self._learn(token)
        made = await get_own_key(self._coder.for_person(token, ""))
        own = OwnServiceToken(
            replaces=self._given, name=name, token=token, expires_at_ms=to_ms(made.expires_at)
        )
        batch = self._deps.accounts.write_service_token(Batch(), own, own.expires_at_ms - now_ms)
        await self._deps.queues.write(batch)
        self._use(token)
        _log.info("service token renewed", ends=made.expires_at.isoformat())

    def _use(self, token: str) -> None:
        key_id = token.partition("-")[0]
        if key_id == self._coder.key_id:
            return
        self._learn(token)
        self._coder.use_token(token)
        self._own = key_id
        self._on_change()
