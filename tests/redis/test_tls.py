"""TLS to Redis and to its sentinels, with real certificates. An untrusted server gets no data."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from taskwire.domain.errors import OutcomeUnknown, TryLater, UserError
from taskwire.domain.queueing.jobs import Job, PostText
from taskwire.domain.queueing.queues import to_thread
from taskwire.domain.text.message import Message
from taskwire.queue.batch import Batch
from taskwire.queue.inbox import Inbox
from taskwire.queue.scripts import ServerClock
from taskwire.redis import connection
from taskwire.redis.keys import Keys
from tests.faults import certificates, sentinels
from tests.faults.proxy import proxy
from tests.faults.sentinels import SentinelCluster
from tests.process.processes import until

KEYS = Keys("T1")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SentinelCluster]:
    """Run sentinels and servers that accept only TLS."""
    async with sentinels.cluster(tmp_path, await certificates.make(tmp_path / "tls")) as made:
        yield made


async def test_a_failover_is_followed_over_tls(cluster: SentinelCluster) -> None:
    """Taskwire follows a failover over TLS. All servers have certificates of one authority."""
    async with connection.open(cluster.url) as both:
        health = await connection.check(both)
        inbox = Inbox(both, KEYS, ServerClock())
        batch = Batch().append(to_thread("L1"), Job(id="one", work=PostText(message=Message(text="one"))))
        await until(lambda: _is_kept(inbox, batch), "a replica that has it")

        await cluster.kill_master()

        await until(lambda: _is_kept(inbox, batch), "the new master")
    assert both.where.startswith("rediss+sentinel://127.0.0.1:")
    assert (health.role, health.required_replicas) == ("master", 1)


async def _is_kept(inbox: Inbox, batch: Batch) -> bool:
    with contextlib.suppress(OutcomeUnknown, TryLater):
        return await inbox.claim("command", "one", batch) == "duplicate"
    return False


async def test_a_silent_store_behind_tls_may_have_written_it(cluster: SentinelCluster) -> None:
    """If a call over TLS gets no answer, its outcome is unknown, as without TLS."""
    master, trusted = await cluster.master(), _authority(cluster)
    async with proxy(f"redis://{sentinels.HOST}:{master.port}") as network:
        url = f"rediss://:{sentinels.PASSWORD}@{sentinels.HOST}:{network.port}?ssl_ca_certs={trusted}"
        async with connection.open(url) as through:
            inbox = Inbox(through, KEYS, ServerClock())
            await inbox.claim("event", "Ev0", Batch())
            network.freeze()

            with pytest.raises(OutcomeUnknown):
                await inbox.claim("event", "Ev1", Batch())


async def test_a_server_that_is_not_trusted_is_named(cluster: SentinelCluster, tmp_path: Path) -> None:
    """If a server's certificate is of another authority, the error says that TLS failed. If the URL does not
    ask for TLS, the error says that the server reset the connection."""
    other, trusted = (await certificates.make(tmp_path / "other")).authority, _authority(cluster)
    server = f"{sentinels.HOST}:{(await cluster.master()).port}"
    places, secret = (
        cluster.url.partition("@")[2].partition("?")[0],
        f"rediss://:{sentinels.PASSWORD}@{server}",
    )

    said = [
        await _check(cluster.url.replace(trusted, str(other))),
        await _check(cluster.url.partition("&ssl_")[0].replace("rediss+", "redis+")),
        await _check(f"{secret}?ssl_ca_certs={other}"),
        await _check(f"{secret}?ssl_ca_certs={trusted}"),
        await _check(secret.replace("rediss", "redis")),
    ]

    where = places.removesuffix("/0")
    assert said == [
        f"No sentinel of rediss+sentinel://{where} can be reached: TLS failed (CERTIFICATE_VERIFY_FAILED).",
        f"No sentinel of redis+sentinel://{where} can be reached: Connection reset by peer.",
        f"rediss://{server} cannot be reached: TLS failed (CERTIFICATE_VERIFY_FAILED).",
        "",
        f"redis://{server} cannot be reached: Connection reset by peer.",
    ]


async def test_how_to_trust_somebody_is_said(cluster: SentinelCluster, tmp_path: Path) -> None:
    """If a server's certificate is of an unknown authority, the hint says how to add the authority.

    A company's own authority is known on its machines, but not in a container.
    """
    other, trusted = (await certificates.make(tmp_path / "other")).authority, _authority(cluster)
    server = f"{sentinels.HOST}:{(await cluster.master()).port}"

    for url in (cluster.url.replace(trusted, str(other)), f"rediss://:{sentinels.PASSWORD}@{server}"):
        async with connection.open(url) as both:
            with pytest.raises(UserError) as told:
                await connection.check(both)

        assert told.value.hint == (
            "Name the authority of its certificate as ?ssl_ca_certs=/path/to/file in REDIS_URL."
        )


def _authority(cluster: SentinelCluster) -> str:
    return cluster.url.partition("ssl_ca_certs=")[2]


async def _check(url: str) -> str:
    """Connect to Redis at this URL. Return what is wrong, or an empty text."""
    async with connection.open(url) as both:
        try:
            await connection.check(both)
        except UserError as error:
            return error.sentence
    return ""
