"""Programs that some tests start and that no Python package brings: where they are, or a loud skip.

Everything else is tested on a machine with nothing but Python, make and git.
"""

import os
import shutil
from typing import NoReturn

import pytest

from taskwire.redis import embedded

# How the reason of a skip begins that leaves something untested; the end of a run counts these.
NOT_TESTED = "NOT TESTED: "


def not_tested(why: str) -> NoReturn:
    """Skip, and have it said at the end of the run."""
    pytest.skip(NOT_TESTED + why)


def find_openssl() -> str:
    """The program that makes certificates."""
    return shutil.which("openssl") or not_tested("no openssl on the path. Debian: apt install openssl")


def find_tls_server() -> str:
    """A store that speaks TLS, which the embedded one does not."""
    return shutil.which("redis-server") or not_tested(
        "no redis-server on the path, and the embedded store speaks no TLS. Debian: apt install redis-server"
    )


def find_server() -> str:
    """A store to start: an operator's where one is installed, else the embedded one's program."""
    return shutil.which("redis-server") or str(embedded.find_program())


def find_chromium() -> str:
    """A browser for the demo's page."""
    found = os.environ.get("TASKWIRE_CHROMIUM", "chromium")
    return shutil.which(found) or not_tested(
        f"no browser: {found} is not there. Debian: apt install chromium; or name one in TASKWIRE_CHROMIUM"
    )
