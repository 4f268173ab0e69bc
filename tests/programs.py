"""Finds programs that some tests need and that no Python package contains. If a program is absent, these
tests are skipped.

All other tests need only Python, make and git.
"""

import os
import shutil
from typing import NoReturn

import pytest

from taskwire.redis import embedded

# If a skip leaves something untested, its reason begins with this text. The end of a run lists these reasons.
NOT_TESTED = "NOT TESTED: "


def not_tested(why: str) -> NoReturn:
    """Skip the test for the reason `why`. Pytest lists this reason when all tests have run."""
    pytest.skip(NOT_TESTED + why)


def find_openssl() -> str:
    """Return the path of OpenSSL, which makes the certificates of tests. If it is absent, skip the test."""
    return shutil.which("openssl") or not_tested("no openssl on the path. Debian: apt install openssl")


def find_tls_server() -> str:
    """Return the path of a Redis server that supports TLS. If there is none, skip the test.

    The embedded store's server does not support TLS.
    """
    return shutil.which("redis-server") or not_tested(
        "no redis-server on the path, and the embedded store speaks no TLS. Debian: apt install redis-server"
    )


def find_server() -> str:
    """Return the path of an installed Redis server, or else the path of the embedded store's server."""
    return shutil.which("redis-server") or str(embedded.find_program())


def find_chromium() -> str:
    """Return the path of a browser for the demo's page. If there is none, skip the test.

    The headless shell is preferred, because it needs half the processor time.
    """
    named = os.environ.get("TASKWIRE_CHROMIUM")
    names = [named] if named else ["chromium-headless-shell", "chromium"]
    return next(filter(None, map(shutil.which, names)), None) or not_tested(
        f"no browser: {names[-1]} is not there. Debian: apt install chromium-headless-shell; "
        "or name one in TASKWIRE_CHROMIUM"
    )
