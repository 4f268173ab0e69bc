"""`make audit`: lists the packages that are shipped, and looks for their known weaknesses.

The list is `build/sbom.json`, in the CycloneDX format, made from the hashed requirements. The audit tools
have their own environment, so they are neither shipped nor used in tests. Without a network, the audit prints
what it could not check, and succeeds. If a package has a known weakness, the audit fails.
"""

import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "requirements.txt"
TOOLS = ROOT / "requirements-audit.txt"
BUILD = ROOT / "build"
INSTALL_SECONDS, TOOL_SECONDS, ANSWER_SECONDS = 120, 60, 5


class Weakness(BaseModel):
    """A known weakness of a package, and the versions that do not have it."""

    id: str
    fix_versions: list[str] = []


class Package(BaseModel):
    """One shipped package, as pip-audit reports it. A package with a `skip_reason` was not examined."""

    name: str
    version: str = ""
    vulns: list[Weakness] = []
    skip_reason: str = ""


class Report(BaseModel):
    """The report of pip-audit."""

    dependencies: list[Package]


@dataclass(frozen=True)
class Verdict:
    """The text that the audit prints, and whether the audit fails."""

    says: str
    is_failure: bool = False


def judge(report: str) -> Verdict:
    """Judge the JSON of pip-audit's report. An empty report means that pip-audit could not read its
    database."""
    packages = Report.model_validate_json(report).dependencies if report.strip() else []
    weak = [package for package in packages if package.vulns]
    if weak:
        lines = [f"  {package.name} {package.version}: {_describe(package.vulns)}" for package in weak]
        return Verdict("\n".join(["KNOWN WEAKNESSES in what is shipped:", *lines]), is_failure=True)
    skipped = [package.name for package in packages if package.skip_reason]
    if not packages or len(skipped) == len(packages):
        return Verdict("NOT LOOKED FOR KNOWN WEAKNESSES: their data cannot be reached from here.")
    if skipped:
        return Verdict(f"NOT LOOKED FOR KNOWN WEAKNESSES of {', '.join(skipped)}; the others have none.")
    return Verdict(f"None of the {len(packages)} packages that are shipped has a known weakness.")


def _describe(weaknesses: Sequence[Weakness]) -> str:
    return ", ".join(
        f"{each.id} (mended in {' or '.join(each.fix_versions) or 'none'})" for each in weaknesses
    )


def main() -> int:
    """Write the list of packages, look for known weaknesses, and return the exit code."""
    tools = BUILD / "audit"
    if not _install(tools):
        sys.stderr.write("NO LIST OF WHAT IS SHIPPED: its tools cannot be installed from here.\n")
        return 0
    listing = BUILD / "sbom.json"
    _run(
        tools,
        "cyclonedx-py",
        "requirements",
        "--output-reproducible",
        "--output-file",
        str(listing),
        str(SHIPPED),
    )
    count = len(json.loads(listing.read_text(encoding="utf-8"))["components"])
    sys.stdout.write(f"{listing.relative_to(ROOT)} lists the {count} packages that are shipped.\n")
    verdict = judge(_audit(tools))
    (sys.stderr if verdict.is_failure else sys.stdout).write(f"{verdict.says}\n")
    return int(verdict.is_failure)


def _install(tools: Path) -> bool:
    venv.create(tools, clear=True)
    pip = (sys.executable, "-m", "pip", "--python", str(tools / "bin/python"), "--disable-pip-version-check")
    options = ("--quiet", "--require-hashes", "--only-binary", ":all:", "--requirement", str(TOOLS))
    command = [*pip, "install", *options]
    try:
        return subprocess.run(command, check=False, timeout=INSTALL_SECONDS).returncode == 0  # noqa: S603 - ours
    except subprocess.TimeoutExpired:
        return False


def _run(tools: Path, name: str, *arguments: str) -> None:
    command = [str(tools / "bin" / name), *arguments]
    subprocess.run(command, check=True, timeout=TOOL_SECONDS)  # noqa: S603 - a tool with hashes


def _audit(tools: Path) -> str:
    """Return the JSON of pip-audit's report, or an empty text if pip-audit could not make a report."""
    options = ("--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off")
    command = [str(tools / "bin/pip-audit"), *options, "--timeout", str(ANSWER_SECONDS), "-r", str(SHIPPED)]
    try:
        done = subprocess.run(  # noqa: S603 - a tool with hashes
            command, check=False, timeout=TOOL_SECONDS, capture_output=True, text=True
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main())
