"""The Coder accounts that people have connected.

Each person's record is encrypted and signed for that person. So a record cannot be opened for another person.
It also cannot be opened if it was written without the keys. Only the encrypted part contains the account's
token.

A token that Taskwire has made for its own service account is stored in the same way.
"""

from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import NamedTuple, cast

from pydantic import BaseModel, ConfigDict, Field

from taskwire.domain.durations import DAY_MS
from taskwire.domain.errors import UserError
from taskwire.domain.ids import UserId, from_ms
from taskwire.messages import refusals
from taskwire.queue.batch import Batch
from taskwire.redis.connection import Connections
from taskwire.redis.decoding import read
from taskwire.redis.keys import Keys
from taskwire.sealing import CannotOpen, key_ring
from taskwire.telemetry import logger

# After this time, a refused token is tried once more.
REFUSED_TTL_MS = 30 * DAY_MS
# For this long, the cards of a person's tasks say since when the person has no account that Coder accepts.
AWAY_TTL_MS = 30 * DAY_MS

# Where the record of a suspension is whose Coder user is not known.
_UNKNOWN_USER = "unknown"

_log = logger("taskwire.state.accounts")


class SuspendedUser(NamedTuple):
    """A Coder user whose suspension is recorded. `name` is the user's name or e-mail address.

    `user_id` is empty if it is not known.
    """

    name: str
    user_id: str


class ConnectedAccount(BaseModel):
    """A person's own account in Coder. `user_id` and `username` are the user's id and name in Coder.

    `job` is the id of the job that connected the account. `refresh_token` is set if the token came from
    Coder's OAuth2 provider. `has_other_address` means that the user's e-mail address was not the confirmed
    one of the person when they connected it. `is_refused` means that Coder no longer accepts the token.
    `is_refused` is not stored with the account.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    person: UserId
    user_id: str
    username: str
    token: str = Field(repr=False)
    job: str
    expires_at_ms: int = 0
    refresh_token: str = Field(default="", repr=False)
    has_other_address: bool = False
    is_refused: bool = Field(default=False, exclude=True)

    @property
    def ends_at(self) -> datetime | None:
        """When the token expires; None if the token never expires.

        Also None if Taskwire refreshes the token without the person.
        """
        return from_ms(self.expires_at_ms) if self.expires_at_ms and not self.refresh_token else None

    def find_near_end(self, now: datetime) -> datetime | None:
        """Return when the token expires; None if it never does, or only in more than a year."""
        ends = self.ends_at
        return ends if ends is not None and ends - now < timedelta(days=366) else None

    @property
    def key_id(self) -> str:
        """The public part of the token."""
        return self.token.partition("-")[0]


class OwnServiceToken(BaseModel):
    """A token that Taskwire has made for its service account.

    `replaces` is the public part of the operator's token that this token replaces.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    replaces: str
    name: str
    token: str = Field(repr=False)
    expires_at_ms: int


class AccountStore:
    """The connected accounts of one workspace."""

    def __init__(self, connections: Connections, keys: Keys) -> None:
        self._redis = connections.commands
        self._keys = keys

    async def find(self, person: UserId) -> ConnectedAccount | None:
        """Return a person's account; None if this deployment has not stored an account for the person."""
        key = self._keys.named("account", person)
        both = await self._redis.mget(key, self._keys.named("account_refused", person))
        kept, refused = cast("list[str | None]", both)
        if kept is None:
            return None
        try:
            opened = key_ring().open(kept, key)
        except CannotOpen as error:
            _log.error(
                "stored account cannot be decrypted, treated as not connected", person=person, why=str(error)
            )
            return None
        account = read(ConnectedAccount.model_validate_json, opened)
        return account.model_copy(update={"is_refused": account.key_id == refused})

    async def list_all(self) -> list[ConnectedAccount]:
        """List all connected accounts.

        Call this only in a command, because it reads the names of all keys.
        """
        prefix = self._keys.named("account", "")
        names = [str(key) async for key in self._redis.scan_iter(f"{prefix}*", count=1_000)]
        found = [await self.find(UserId(name.removeprefix(prefix))) for name in sorted(names)]
        return [account for account in found if account is not None]

    async def find_person(self, user_id: str) -> UserId | None:
        """Return the person who has connected this Coder user; None if nobody has."""
        kept = cast("str | None", await self._redis.get(self._keys.named("account_of", user_id)))
        person = UserId(kept) if kept else None
        account = await self.find(person) if person else None
        return person if account is not None and account.user_id == user_id else None

    async def read_records(self, user_id: str, *people: UserId) -> dict[str, str]:
        """Return what Redis has at the keys of a Coder user's person and of these people's accounts.

        A write that depends on them can then say so (`JobContext.write`). A key without a value is empty.
        """
        keys = [self._keys.named("account_of", user_id)]
        keys += [self._keys.named("account", person) for person in people]
        kept = cast("list[str | None]", await self._redis.mget(keys))
        return {key: value or "" for key, value in zip(keys, kept, strict=True)}

    def write(self, batch: Batch, account: ConnectedAccount) -> Batch:
        """Store an account."""
        key = self._keys.named("account", account.person)
        batch.write("SET", key, key_ring().seal(account.model_dump_json(), key))
        self.forget_away(batch, account.person)
        return batch.write("SET", self._keys.named("account_of", account.user_id), account.person)

    def replace_tokens(self, batch: Batch, account: ConnectedAccount) -> Batch:
        """Store new tokens of an account that is stored already.

        This does not end a suspension, because Coder gives new tokens to suspended users too. If the account
        counts as refused (`is_refused`), the new token counts as refused too.
        """
        key = self._keys.named("account", account.person)
        batch.write("SET", key, key_ring().seal(account.model_dump_json(), key))
        if account.is_refused:
            return self.mark_refused(batch, account.person, account.key_id)
        return self.forget_away(batch, account.person)

    async def find_service_token(self) -> OwnServiceToken | None:
        """Return the token that Taskwire has made for its service account; None if there is none."""
        key = self._keys.named("service_token")
        kept = cast("str | None", await self._redis.get(key))
        try:
            opened = key_ring().open(kept, key) if kept is not None else None
        except CannotOpen as error:
            _log.error("own service token cannot be decrypted, treated as missing", why=str(error))
            return None
        return read(OwnServiceToken.model_validate_json, opened) if opened is not None else None

    def write_service_token(self, batch: Batch, own: OwnServiceToken, ttl_ms: int) -> Batch:
        """Store the token that Taskwire has made for its service account, until the token expires."""
        key = self._keys.named("service_token")
        return batch.write_expiring(ttl_ms, "SET", key, key_ring().seal(own.model_dump_json(), key))

    def mark_refused(self, batch: Batch, person: UserId, key_id: str) -> Batch:
        """Record that Coder no longer accepts this token.

        If another token was stored in the meantime, that other token does not count as refused.
        """
        return batch.write_expiring(
            REFUSED_TTL_MS, "SET", self._keys.named("account_refused", person), key_id
        )

    def forget_refused(self, batch: Batch, person: UserId) -> Batch:
        """Record that Coder accepts the person's token again."""
        return batch.write("DEL", self._keys.named("account_refused", person))

    def note_away(self, batch: Batch, person: UserId, now_ms: int) -> Batch:
        """Record that since `now_ms` the person has no account that Coder accepts.

        The record ends when an account is stored, or when Coder accepts the stored account again.
        """
        return batch.write_expiring(AWAY_TTL_MS, "SET", self._keys.named("account_away", person), now_ms)

    def forget_away(self, batch: Batch, person: UserId) -> Batch:
        """Record that the person has an account that Coder accepts."""
        return batch.write("DEL", self._keys.named("account_away", person))

    async def find_away_since(self, person: UserId) -> int:
        """Return since when the person has no account that Coder accepts, in ms since 1970.

        Return 0 if that is not known.
        """
        return int(cast("str | None", await self._redis.get(self._keys.named("account_away", person))) or 0)

    def note_suspended(self, batch: Batch, person: UserId, name: str, user_id: str) -> Batch:
        """Record that Coder has suspended a user of the person. `name` is the user's name or e-mail address.

        `user_id` is empty if it is not known. The record ends when Coder says that this user is active. It
        stays when the person's account is removed, and when the person connects another account.
        """
        key = self._keys.named("account_suspensions", person)
        return batch.write("HSET", key, user_id or _UNKNOWN_USER, key_ring().seal(f"{name}\n{user_id}", key))

    def end_suspension(self, batch: Batch, person: UserId, user_id: str) -> Batch:
        """Record that this Coder user of the person is active. A record without the user's id ends too."""
        key = self._keys.named("account_suspensions", person)
        return batch.write("HDEL", key, user_id or _UNKNOWN_USER, _UNKNOWN_USER)

    async def is_suspended(self, account: ConnectedAccount) -> bool:
        """Return whether a suspension of this account's user is recorded. See `end_suspension`."""
        noted = await self.list_suspended(account.person)
        return any(each.user_id in ("", account.user_id) for each in noted)

    async def list_suspended(self, person: UserId) -> list[SuspendedUser]:
        """List the Coder users of the person whose suspension is recorded."""
        key, found = self._keys.named("account_suspensions", person), list[SuspendedUser]()
        kept = await cast("Awaitable[dict[str, str]]", self._redis.hgetall(key))
        for each in kept.values():
            try:
                name, _, user_id = key_ring().open(each, key).partition("\n")
            except CannotOpen as error:
                _log.error(
                    "record of a suspension cannot be decrypted, not used", person=person, why=str(error)
                )
            else:
                found.append(SuspendedUser(name, user_id))
        return found

    def remove(self, batch: Batch, account: ConnectedAccount) -> Batch:
        """Delete an account and its token."""
        batch.write("DEL", self._keys.named("account", account.person))
        return batch.write("DEL", self._keys.named("account_of", account.user_id))


def seal_pasted(token: str, person: UserId) -> str:
    """Encrypt a token that a person has just entered, for the job that connects the person's account."""
    return key_ring().seal(token.strip(), f"pasted token {person}")


def open_pasted(sealed: str, person: UserId) -> str:
    """Return the decrypted token that the person has entered.

    Raise UserError if the token cannot be decrypted.
    """
    try:
        return key_ring().open(sealed, f"pasted token {person}")
    except CannotOpen as error:
        _log.warning(
            "pasted token cannot be decrypted, person must paste it again", person=person, why=str(error)
        )
        raise UserError(*refusals.pasted_token_lost()) from None
