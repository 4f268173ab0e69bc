"""Parses the addresses in settings: REDIS_URL, and addresses of web sites.

REDIS_URL names a Redis server, or the Sentinels that know which server is the master. This module opens no
connection. No error quotes REDIS_URL, because a wrong value may be a password without an address.
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, parse_qsl, unquote, urlencode, urlsplit

from taskwire.domain.errors import UserError

SENTINEL_PORT = 26379
PLAIN_SCHEMES = ("redis", "rediss", "unix")
SENTINEL_SCHEMES = {"redis+sentinel": "redis", "rediss+sentinel": "rediss"}
URL_OPTIONS = frozenset({"db", "username", "password"})
TLS_OPTIONS = frozenset(
    f"ssl_{name}"
    for name in ("ca_certs", "ca_path", "certfile", "keyfile", "password", "cert_reqs", "check_hostname")
)
# The user and password for the Sentinels. The user and password before the host of the URL are for Redis.
SENTINEL_OPTIONS = frozenset({"sentinel_username", "sentinel_password"})
URL_EXAMPLES = (
    "It looks like redis://host:6379/0, rediss://… for TLS, unix:///path/to/socket, or "
    "redis+sentinel://host:26379,host2:26379/mymaster/0."
)
ESCAPING_HINT = "In a password, write %2F for /, %40 for @, %3A for :, %23 for # and %3F for ?."

HostPort = tuple[str, int]


@dataclass(frozen=True)
class RedisAddress:
    """The address of the store. `url` is for redis-py. `display_url` has no secrets and is for people.

    If `sentinels` is not empty, the Sentinels are asked for the present server of `master`, and the host in
    `url` is not used.
    """

    url: str
    display_url: str
    sentinels: tuple[HostPort, ...] = ()
    master: str = ""
    sentinel_username: str | None = None
    sentinel_password: str | None = None

    @property
    def scheme(self) -> str:
        """The protocol of the Redis server, not of its Sentinels: redis, rediss or unix."""
        return urlsplit(self.url).scheme


def parse_redis_url(url: str) -> RedisAddress:
    """Parse and check a REDIS_URL. Raise UserError if it is not valid."""
    try:
        parts = _split(url)
        # A URL of sentinels has several hosts and ports, which `port` cannot parse.
        port = parts.port if parts.scheme in PLAIN_SCHEMES else None
    except ValueError:  # the error's own text quotes the URL
        raise UserError("REDIS_URL is not a URL.", f"{URL_EXAMPLES} {ESCAPING_HINT}") from None
    if parts.fragment:
        raise UserError("REDIS_URL has a # in it.", ESCAPING_HINT)
    if parts.scheme in SENTINEL_SCHEMES:
        return _parse_sentinel_url(parts)
    if "sentinel" in parts.scheme:
        raise UserError("REDIS_URL names sentinels in a way that Taskwire does not know.", URL_EXAMPLES)
    if parts.scheme not in PLAIN_SCHEMES:
        raise UserError(
            "REDIS_URL does not begin with redis://, rediss://, unix:// or redis+sentinel://.", URL_EXAMPLES
        )
    _check_options(parts, URL_OPTIONS)
    if parts.scheme == "unix":
        database = _parse_database(parts, "")
        return RedisAddress(url, f"unix://{parts.path}" + (f"?db={database}" if database else ""))
    database = _parse_database(parts, parts.path.strip("/"))
    return RedisAddress(
        url, f"{parts.scheme}://{parts.hostname or 'localhost'}:{port or 6379}{_format_database(database)}"
    )


def _split(url: str) -> SplitResult:
    """Split a URL with one host or several hosts, which may be IPv6 addresses.

    Newer versions of `urlsplit` refuse an IPv6 address among several hosts.
    """
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in SENTINEL_SCHEMES:
        return urlsplit(url)
    hosts = re.split("[/?#]", rest, maxsplit=1)[0]
    return urlsplit(f"{scheme}://{rest.removeprefix(hosts)}")._replace(netloc=hosts)


def _parse_sentinel_url(parts: SplitResult) -> RedisAddress:
    _check_options(parts, URL_OPTIONS | SENTINEL_OPTIONS)
    user, _, hosts = parts.netloc.rpartition("@")
    nodes = tuple(_parse_host_port(host) for host in hosts.split(","))
    master, _, database = parts.path.strip("/").partition("/")
    if not master:
        raise UserError("REDIS_URL names sentinels, but not the master that they watch.", URL_EXAMPLES)
    number = _parse_database(parts, database)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    kept = urlencode({name: value for name, value in options.items() if name not in SENTINEL_OPTIONS})
    places = ",".join(f"{f'[{host}]' if ':' in host else host}:{port}" for host, port in nodes)
    plain = f"{SENTINEL_SCHEMES[parts.scheme]}://{user}@master/{database}?{kept}"
    return RedisAddress(
        url=plain,
        display_url=f"{parts.scheme}://{places}/{unquote(master)}{_format_database(number)}",
        sentinels=nodes,
        master=unquote(master),
        sentinel_username=options.get("sentinel_username") or None,
        sentinel_password=options.get("sentinel_password") or None,
    )


def _parse_host_port(place: str) -> HostPort:
    try:
        parts = urlsplit(f"//{place.strip()}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None:
        raise UserError(
            "REDIS_URL names a sentinel that is not HOST:PORT.", f"{URL_EXAMPLES} {ESCAPING_HINT}"
        ) from None
    return host, port or SENTINEL_PORT


def _check_options(parts: SplitResult, known: frozenset[str]) -> None:
    """Raise UserError for options that redis-py does not know, or that override our timeouts or retries."""
    allowed = known | TLS_OPTIONS if parts.scheme.startswith("rediss") else known
    if not allowed.issuperset(parse_qs(parts.query, keep_blank_values=True)):
        raise UserError(
            f"REDIS_URL has an option after its ? that Taskwire does not take for {parts.scheme}://.",
            f"These can be set: {', '.join(sorted(allowed))}.",
        )


def _parse_database(parts: SplitResult, in_path: str) -> int:
    database = parse_qs(parts.query, keep_blank_values=True).get("db", [in_path])[0]
    if not re.fullmatch(r"\d*", database):  # redis-py would silently use 0
        raise UserError("REDIS_URL ends in something that is not the number of a database.", URL_EXAMPLES)
    return int(database or "0")


def _format_database(database: int) -> str:
    """Return the number of a database as the end of an address, such as `/2`; empty for database 0."""
    return f"/{database}" if database else ""


def check_web_url(value: str) -> None:
    """Raise ValueError if the value is not a plain web address. The error says what the value must be."""
    try:
        parts = urlsplit(value)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or re.search(r"\s", value):
        raise ValueError("must be an address that begins with https:// or http://")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must be an address without a user name, a ? or a #")
