"""`make audit` judges a report of known weaknesses."""

import json

import pytest

from tests.supply_chain import judge

GOOD = {"name": "yarl", "version": "1.25.1", "vulns": []}
SKIPPED = {"name": "tzlocal", "skip_reason": "Dependency not found"}
WEAK = {
    "name": "aiohttp",
    "version": "3.9.0",
    "vulns": [{"id": "CVE-2024-23334", "fix_versions": ["3.9.2"]}, {"id": "CVE-2024-1", "fix_versions": []}],
}


def report(*packages: object) -> str:
    """Return a report about these packages, in pip-audit's form."""
    return json.dumps({"dependencies": packages, "fixes": []})


@pytest.mark.parametrize("unreached", ["", "\n", report(), report(SKIPPED, SKIPPED)])
def test_data_that_cannot_be_reached_is_said_and_no_failure(unreached: str) -> None:
    """If pip-audit could not read its database, the audit says so and does not fail. The machine may have no
    network."""
    verdict = judge(unreached)

    assert verdict.says == "NOT LOOKED FOR KNOWN WEAKNESSES: their data cannot be reached from here."
    assert not verdict.is_failure


def test_a_known_weakness_is_a_failure() -> None:
    """If a shipped package has a known weakness, the audit fails. The output names the weakness and the
    versions without it, even if other packages were not examined."""
    verdict = judge(report(GOOD, WEAK, SKIPPED))

    assert verdict.says == (
        "KNOWN WEAKNESSES in what is shipped:\n"
        "  aiohttp 3.9.0: CVE-2024-23334 (mended in 3.9.2), CVE-2024-1 (mended in none)"
    )
    assert verdict.is_failure


def test_what_was_not_examined_is_named() -> None:
    """If pip-audit has not examined a package, the output names the package, so that nobody believes that the
    audit was complete."""
    assert judge(report(GOOD, SKIPPED)).says == (
        "NOT LOOKED FOR KNOWN WEAKNESSES of tzlocal; the others have none."
    )
    assert judge(report(GOOD, GOOD)).says == ("None of the 2 packages that are shipped has a known weakness.")
