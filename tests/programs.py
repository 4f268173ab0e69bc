"""Finds programs that some tests start and no Python package contains. Without one, its tests are skipped.

Everything else is tested on a machine with nothing but Python, make and git.
"""

import os
import shutil
from typing import NoReturn

import pytest

from taskwire.redis import embedded

# The reason of a skip begins with this if something is not tested. The end of a run lists these reasons.
NOT_TESTED = "NOT TESTED: "


def not_tested(why: str) -> NoReturn:
    """Skip the test, and list the reason at the end of the run."""
    pytest.skip(NOT_TESTED + why)


def find_openssl() -> str:
    """Find the program that makes certificates."""
    return shutil.which("openssl") or not_tested("no openssl on the path. Debian: apt install openssl")


def find_tls_server() -> str:
    """Find a Redis server with TLS, which the embedded store lacks."""
    return shutil.which("redis-server") or not_tested(
        "no redis-server on the path, and the embedded store speaks no TLS. Debian: apt install redis-server"
    )


def find_server() -> str:
    """Find a server to start: an installed one, else the program of the embedded store."""
    return shutil.which("redis-server") or str(embedded.find_program())


def find_chromium() -> str:
    """Find a browser for the demo's page. The one without windows takes half the work."""
    named = os.environ.get("TASKWIRE_CHROMIUM")
    names = [named] if named else ["chromium-headless-shell", "chromium"]
    return next(filter(None, map(shutil.which, names)), None) or not_tested(
        f"no browser: {names[-1]} is not there. Debian: apt install chromium-headless-shell; "
        "or name one in TASKWIRE_CHROMIUM"
    )
