"""Finds the present master through the sentinels.

All sentinels are asked at once, and the answers of a majority are needed. Of these answers, the one with the
newest configuration counts. One sentinel alone is not enough: it may be cut off, together with a master that
was replaced. Later answers with an older configuration are ignored. Connections compare their server with the
last master that was found here. This module only returns an address. A failover may lose writes;
`recovery/data_loss.py` says what is done about the loss.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from taskwire.domain.addresses import HostPort, RedisAddress
from taskwire.redis.error_reasons import TRUST_HINT, is_distrust, reason
from taskwire.redis.passwords import Password

# How long one sentinel may take to answer, in seconds. When a majority has answered, the other sentinels are
# not awaited.
ANSWER_SECONDS = 1.0
CONNECTIONS = 8
NO_SUCH_MASTER = "No such master"


class NoMaster(RedisConnectionError):
    """The sentinels name no reachable master. Nothing was sent to any server.

    `sentence` and `hint` are for the operator.
    """

    def __init__(self, sentence: str, hint: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint


@dataclass(frozen=True)
class SentinelView:
    """One sentinel's answer about the master."""

    master: HostPort
    epoch: int
    is_down: bool


class Masters:
    """Finds the present master of one name, and remembers the last master that was found."""

    def __init__(
        self, address: RedisAddress, sentinels: Sequence[Redis], password: Password | None = None
    ) -> None:
        self.last: HostPort | None = None
        self.password = password or Password()
        self._epoch = -1
        self._address = address
        self._sentinels = sentinels

    async def find(self) -> HostPort:
        """Return the present master. Raises `NoMaster` if the sentinels do not know a master."""
        seen, errors = await self._ask(len(self._sentinels) // 2 + 1)
        if self._is_outdated(seen):
            # The sentinels that replaced a master are the first to know the new master. So an older answer is
            # out of date. If all sentinels give an older answer, they may have started again from zero.
            seen, errors = await self._ask(len(self._sentinels))
            if self._is_outdated(seen) and errors and self.last is not None:
                return self.last
        if not seen:
            raise self._no_master_error(errors)
        newest = max(one.epoch for one in seen)
        newest_seen = [one for one in seen if one.epoch == newest]
        if all(one.is_down for one in newest_seen):
            raise NoMaster(
                f"The sentinels see {self._address.master} down.",
                "If they do not choose another master within a minute, look into their logs.",
            )
        self._epoch, self.last = newest, newest_seen[0].master
        return self.last

    def _is_outdated(self, seen: Sequence[SentinelView]) -> bool:
        return bool(seen) and max(one.epoch for one in seen) < self._epoch

    async def ask_all(self) -> tuple[list[SentinelView], list[RedisError]]:
        """Return each sentinel's answer, and the errors of the sentinels that did not answer."""
        return await self._ask(len(self._sentinels))

    async def close(self) -> None:
        """Close the connections to the sentinels."""
        for sentinel in self._sentinels:
            await sentinel.aclose()

    async def _ask(self, enough: int) -> tuple[list[SentinelView], list[RedisError]]:
        asked = {asyncio.create_task(self._ask_one(each)) for each in self._sentinels}
        seen: list[SentinelView] = []
        errors: list[RedisError] = []
        try:
            for answer in asyncio.as_completed(asked, timeout=ANSWER_SECONDS):
                try:
                    seen.append(await answer)
                except RedisError as error:
                    errors.append(error)
                if len(seen) >= enough:
                    break
        except TimeoutError:
            late = sum(not task.done() for task in asked)
            errors += [RedisConnectionError("no answer in time") for _ in range(late)]
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        return seen, errors

    async def _ask_one(self, sentinel: Redis) -> SentinelView:
        told = cast("Mapping[str, str | int | bool]", await sentinel.sentinel_master(self._address.master))
        return SentinelView(
            master=(str(told["ip"]), int(told["port"])),
            epoch=int(told["config-epoch"]),
            is_down=bool(told["is_sdown"] or told["is_odown"]),
        )

    def _no_master_error(self, errors: Sequence[RedisError]) -> NoMaster:
        """Return the error for the case that no sentinel names a master.

        If a setting is wrong and a sentinel also has a temporary problem, the error names the setting.
        """
        where, name = self._address.display_url, self._address.master
        if any(isinstance(error, AuthenticationError | NoPermissionError) for error in errors):
            return NoMaster(
                "The sentinels in REDIS_URL refuse the user name or password.",
                "Set theirs as ?sentinel_username=…&sentinel_password=…; before the @ stand Redis's.",
            )
        if any(NO_SUCH_MASTER in str(error) for error in errors):
            return NoMaster(
                f"The sentinels in REDIS_URL watch no master called {name}.",
                "Its name stands in their configuration after `sentinel monitor`.",
            )
        if any(isinstance(error, ResponseError) for error in errors):
            return NoMaster(
                f"{where} names what is no sentinel.",
                "Name the sentinels with their own port, usually 26379, or Redis itself as redis://host:6379/0.",
            )
        why = reason(errors[0]) if errors else "no answer in time"
        is_distrusted = any(is_distrust(error) for error in errors)
        hint = TRUST_HINT if is_distrusted else "Check REDIS_URL, and that the sentinels run there."
        return NoMaster(f"No sentinel of {where} can be reached: {why}.", hint)
