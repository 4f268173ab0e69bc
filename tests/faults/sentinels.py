"""A Redis as in production: a master, two replicas and three sentinels, all real, on loopback.

Tests kill the servers, stop them and cut their connections. Timeouts are short, so that a master is replaced
within about two seconds.
"""

import asyncio
import contextlib
import secrets
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tests.ports import free_port
from tests.process.processes import until
from tests.programs import find_server, find_tls_server

from .certificates import Tls

NAME = "mymaster"
PASSWORD = "hunter2-and-more"
SENTINEL_PASSWORD = "hunter3-and-more"
DOWN_MS = 500
HOST = "127.0.0.1"


@dataclass
class Server:
    """One Redis server or one sentinel."""

    port: int
    command: tuple[str, ...]
    password: str
    tls: Tls | None = None
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the server, and wait until it answers."""
        self.process = await asyncio.create_subprocess_exec(*self.command, stdout=asyncio.subprocess.DEVNULL)
        await until(self._answers, f"{self.command[0]} to answer on {self.port}")

    def tell(self, number: signal.Signals) -> None:
        """Send the server the signal `number`."""
        assert self.process is not None
        self.process.send_signal(number)

    async def end(self) -> None:
        """Kill the server, as a power cut would."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
            self.process = None

    def client(self) -> Redis:
        """Return a client of this one server, whatever its role."""
        return Redis(
            host=HOST,
            port=self.port,
            password=self.password,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            ssl=self.tls is not None,
            ssl_ca_certs=str(self.tls.authority) if self.tls else None,
        )

    async def role(self) -> str:
        """Return the server's role, or an empty text if the server does not answer."""
        try:
            async with self.client() as client, asyncio.timeout(1):
                return str((await client.role())[0])
        except (RedisError, TimeoutError):
            return ""

    async def _answers(self) -> bool:
        return bool(await self.role())


@dataclass
class SentinelCluster:
    """Three Redis servers, one of them the master, and three sentinels."""

    servers: list[Server]
    sentinels: list[Server]

    @property
    def url(self) -> str:
        """Return the URL that an operator would set."""
        places = ",".join(f"{HOST}:{each.port}" for each in self.sentinels)
        url = f"redis+sentinel://:{PASSWORD}@{places}/{NAME}/0?sentinel_password={SENTINEL_PASSWORD}"
        tls = self.sentinels[0].tls
        return url if tls is None else f"{url}&ssl_ca_certs={tls.authority}".replace("redis+", "rediss+", 1)

    async def master(self) -> Server:
        """Return the server that most sentinels call the master."""
        named = []
        for sentinel in self.sentinels:
            with contextlib.suppress(RedisError, TimeoutError):
                async with sentinel.client() as client, asyncio.timeout(1):
                    address = cast("tuple[str, int]", await client.sentinel_get_master_addr_by_name(NAME))
                    named.append(int(address[1]))
        port = max(named, key=named.count)
        return next(server for server in self.servers if server.port == port)

    async def replicas(self) -> list[Server]:
        """Return the servers that are not the master now."""
        master = await self.master()
        return [server for server in self.servers if server is not master]

    async def is_whole(self) -> bool:
        """Return whether the master has both replicas, and each sentinel knows all servers and sentinels."""
        master = await self.master()
        async with master.client() as client:
            told = await client.info("replication")
        online = [told.get(f"slave{number}", {}).get("state") == "online" for number in range(2)]
        return told["role"] == "master" and all(online) and all([await _knows_all(s) for s in self.sentinels])

    async def has_other_master(self, old: Server) -> bool:
        """Return whether a server other than `old` is the master and accepts writes."""
        master = await self.master()
        if master is old or await master.role() != "master":
            return False
        async with master.client() as client:
            return int((await client.info("replication")).get("min_slaves_good_slaves", 0)) >= 1

    async def kill_master(self) -> Server:
        """Kill the master, wait until there is another master, and return the killed server."""
        old = await self.master()
        await old.end()
        await until(lambda: self.has_other_master(old), "another master")
        return old


async def _knows_all(sentinel: Server) -> bool:
    async with sentinel.client() as client:
        told = cast("dict[str, object]", await client.sentinel_master(NAME))
    return (told["num-other-sentinels"], told["num-slaves"], told["flags"]) == (2, 2, "master")


@contextlib.asynccontextmanager
async def cluster(directory: Path, tls: Tls | None = None) -> AsyncIterator[SentinelCluster]:
    """Inside the block, run three Redis servers and three sentinels. With `tls`, all of them accept only
    TLS."""
    program = find_server() if tls is None else find_tls_server()
    ports = [free_port() for _ in range(6)]
    servers = [_server(program, directory, port, ports[0], tls) for port in ports[:3]]
    ids = {port: secrets.token_hex(20) for port in ports[3:]}
    sentinels = [_sentinel(program, directory, port, ports[:3], ids, tls) for port in ids]
    made = SentinelCluster(servers, sentinels)
    try:
        await servers[0].start()
        await asyncio.gather(*(server.start() for server in servers[1:]))
        await asyncio.gather(*(sentinel.start() for sentinel in sentinels))
        await until(made.is_whole, "a master with two replicas and three sentinels")
        yield made
    finally:
        for each in (*sentinels, *servers):
            await each.end()


def _listens(port: int, place: Path, tls: Tls | None) -> list[str]:
    lines = [f"bind {HOST}", f"dir {place}"]
    if tls is None:
        return [f"port {port}", *lines]
    return [
        *("port 0", f"tls-port {port}", *lines, "tls-replication yes", "tls-auth-clients no"),
        f"tls-cert-file {tls.certificate}",
        f"tls-key-file {tls.key}",
        f"tls-ca-cert-file {tls.authority}",
    ]


def _server(program: str, directory: Path, port: int, master: int, tls: Tls | None) -> Server:
    place = directory / f"redis-{port}"
    place.mkdir()
    lines = [
        *(*_listens(port, place, tls), "appendonly yes", 'save ""'),
        *(f"requirepass {PASSWORD}", f"masterauth {PASSWORD}"),
        *("min-replicas-to-write 1", "min-replicas-max-lag 2", "repl-ping-replica-period 1"),
        *("repl-diskless-sync yes", "repl-diskless-sync-delay 0"),
    ]
    lines += [f"replicaof {HOST} {master}"] if port != master else []
    (place / "redis.conf").write_text("\n".join(lines) + "\n")
    return Server(port, (program, str(place / "redis.conf")), PASSWORD, tls)


def _sentinel(
    program: str,
    directory: Path,
    port: int,
    servers: list[int],
    ids: dict[int, str],
    tls: Tls | None = None,
) -> Server:
    """Return a sentinel that is not started. It already knows the other sentinels, as after a restart: `ids`
    has the id of each sentinel by its port."""
    place = directory / f"sentinel-{port}"
    place.mkdir()
    lines = [
        *(*_listens(port, place, tls), f"requirepass {SENTINEL_PASSWORD}"),
        f"sentinel myid {ids[port]}",
        f"sentinel monitor {NAME} {HOST} {servers[0]} 2",
        f"sentinel auth-pass {NAME} {PASSWORD}",
        f"sentinel down-after-milliseconds {NAME} {DOWN_MS}",
        f"sentinel failover-timeout {NAME} 3000",
    ]
    lines += [f"sentinel known-replica {NAME} {HOST} {each}" for each in servers[1:]]
    lines += [f"sentinel known-sentinel {NAME} {HOST} {o} {own}" for o, own in ids.items() if o != port]
    (place / "sentinel.conf").write_text("\n".join(lines) + "\n")
    return Server(port, (program, str(place / "sentinel.conf"), "--sentinel"), SENTINEL_PASSWORD, tls)


def lone_sentinel(directory: Path, master: int) -> Server:
    """Return a sentinel, not started, that knows only this master and no other sentinel."""
    program = find_server()
    port = free_port()
    return _sentinel(program, directory, port, [master], {port: secrets.token_hex(20)})
