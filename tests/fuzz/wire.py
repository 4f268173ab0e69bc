"""A stranger who sends bytes to the HTTP server: requests that are changed, cut, too long or incomplete.

Each function of `WAYS` returns the bytes of one request that the server must refuse.
"""

import asyncio
import re
from collections.abc import Callable

from tests.web.site import HINT_TOKEN, PATIENCE_SECONDS, Site, command, request

from .mutations import MARKED, PIECES, Mutator

# The server may answer a refused request only with these statuses.
REFUSED = {400, 401, 403, 404, 405, 408, 411, 413, 417, 431, 501, 503, 505}
HONEST = "fix the login"
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_WEBHOOK = "/coder/webhook"


def change_bytes(mutator: Mutator) -> bytes:
    """Return a signed request with changed bytes at any place."""
    return mutator.change_bytes(request(command(HONEST)))


def forge_body(mutator: Mutator) -> bytes:
    """Return a request with a changed body and the signature of another body."""
    made = request(command(HONEST))
    other = command(f"{MARKED} {mutator.choose(PIECES)}".encode("utf-8", "replace").decode())
    head = made.partition(b"\r\n\r\n")[0]
    return re.sub(rb"Length: \d+", b"Length: %d" % len(other), head) + b"\r\n\r\n" + other


def flood_headers(mutator: Mutator) -> bytes:
    """Return a request with many headers, or with long headers."""
    count, length = mutator.choose([(30, 20), (150, 5), (3_000, 3), (3, 30_000)])
    headers = "".join(f"X-{number}: {MARKED[:length] * (length // 8 + 1)}\r\n" for number in range(count))
    return request(command(MARKED), headers=headers, secret="another")


def send_chunks(mutator: Mutator) -> bytes:
    """Return a request whose body comes in chunks of one byte or more."""
    size, body = mutator.choose([1, 7, 900]), command(MARKED)
    parts = (body[at : at + size] for at in range(0, len(body), size))
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    head = request(b"", headers="Transfer-Encoding: chunked\r\n")
    return head.replace(b"Content-Length: 0\r\n", b"") + chunks


def lie_about_length(mutator: Mutator) -> bytes:
    """Return a request whose Content-Length header differs from the body's length."""
    length = mutator.choose([b"-1", b"+5", b"0x5", b"1e3", b"5, 5", b"", b"9" * 30, b"2097153", b"3"])
    return re.sub(rb"Length: \d+", b"Length: " + length, request(command(MARKED), signed="v0=00"))


def guess_hint(mutator: Mutator) -> bytes:
    """Return a call of Coder's webhook with a wrong token, which is in the URL and in the header."""
    guessed = mutator.change_text(HINT_TOKEN).encode("utf-8", "replace").decode()
    guessed = re.sub(r"[\s\0]", "", guessed).replace(HINT_TOKEN, "")
    where = mutator.choose(
        [f"{_WEBHOOK}/{guessed}", f"{_WEBHOOK}?token={guessed}", f"{_WEBHOOK}/{guessed}/."]
    )
    head = f"POST {where} HTTP/1.1\r\nHost: taskwire\r\nAuthorization: {guessed}\r\nContent-Length: 2"
    return f"{head}\r\n\r\n{{}}".encode("utf-8", "replace")


def send_noise(mutator: Mutator) -> bytes:
    """Return bytes that are not HTTP."""
    return b"".join(mutator.choose(PIECES).encode("utf-8", "replace") for _ in range(40)) + b"\r\n\r\n"


WAYS: tuple[Callable[[Mutator], bytes], ...] = (
    change_bytes,
    forge_body,
    flood_headers,
    send_chunks,
    lie_about_length,
    guess_hint,
    send_noise,
)


async def try_wire(site: Site, seed: int, rounds: int) -> dict[int, int]:
    """Send `rounds` requests of each of `WAYS` to the server. Check that it refuses them. Return how often
    the server answered each status.

    If a check fails, the error names the way and the round.
    """
    statuses: dict[int, int] = {}
    for way in WAYS:
        mutator = Mutator(seed)
        for number in range(rounds):
            try:
                for status in await _send(site, way(mutator), mutator):
                    statuses[status] = statuses.get(status, 0) + 1
                _check(site)
            except BaseException as error:
                error.add_note(f"{way.__name__}, round {number} of seed {seed}")
                raise
    assert statuses.keys() <= REFUSED | {200}, statuses
    assert await site.ask_once(request(command(HONEST))) == (200, site.reply)
    return statuses


async def _send(site: Site, data: bytes, mutator: Mutator) -> list[int]:
    """Send bytes, at once or in pieces, and sometimes without the end. Return the statuses of the answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    size = mutator.choose([len(data), len(data), 1_000, 40])
    end = len(data) if mutator.random.randrange(4) else mutator.random.randrange(len(data))
    said = b""
    try:
        for at in range(0, min(end, 40 * size), size):
            writer.write(data[at : min(at + size, end)])
            await writer.drain()
        writer.write_eof()
        async with asyncio.timeout(PATIENCE_SECONDS):
            said = await reader.read()
    except ConnectionError:
        pass
    finally:
        writer.close()
    assert MARKED.encode() not in said
    return [int(status) for status in _STATUS.findall(said)]


def _check(site: Site) -> None:
    assert {str(each.get("text")) for each in site.accepted} <= {HONEST}, site.accepted
    assert site.hints == []
    written = site.log.getvalue()
    assert MARKED not in written
    assert "Traceback" not in written
