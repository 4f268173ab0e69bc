"""Makes a certificate authority and certificates for servers on loopback, while a test runs."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from tests.programs import find_openssl

DAYS = "2"


@dataclass(frozen=True)
class Tls:
    """The certificate of the authority to trust, and a server's certificate and key."""

    authority: Path
    certificate: Path
    key: Path


async def make(directory: Path, host: str = "127.0.0.1") -> Tls:
    """Make an authority and a certificate for a server at this address. Skip the test if OpenSSL is
    missing."""
    program = find_openssl()
    directory.mkdir()  # noqa: ASYNC240 - once, while nothing else runs
    made = Tls(directory / "authority.pem", directory / "server.pem", directory / "server.key")
    own_key = directory / "authority.key"
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", DAYS)
    await _run(program, *new, "-subj", "/CN=authority", "-keyout", str(own_key), "-out", str(made.authority))
    of_authority = ("-CA", str(made.authority), "-CAkey", str(own_key))
    names = ("-subj", "/CN=server", "-addext", f"subjectAltName=IP:{host}")
    limits = ("-addext", "basicConstraints=critical,CA:FALSE")
    await _run(
        program,
        *(*new, *of_authority, *names, *limits),
        "-keyout",
        str(made.key),
        "-out",
        str(made.certificate),
    )
    return made


async def _run(*words: str) -> None:
    quiet = asyncio.subprocess.PIPE
    run = await asyncio.create_subprocess_exec(*words, stdout=quiet, stderr=quiet)
    _, said = await run.communicate()
    assert run.returncode == 0, said.decode()
