"""What is shipped is whole: hashed requirements, the verbs, the wheel, one version everywhere."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml
from hatchling.build import build_wheel
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import BaseModel, Field

from taskwire.app.bot import STORE_SECONDS
from taskwire.app.process import LAST_RESORT_SECONDS
from taskwire.coder.client import LARGEST_LIST_BYTES

ROOT = Path(__file__).parents[2]


class Project(BaseModel):
    """The part of [project] that these tests compare with other files."""

    version: str
    dependencies: list[str]


class PyProject(BaseModel):
    """The part of pyproject.toml that these tests compare with other files."""

    project: Project
    groups: dict[str, list[str]] = Field(alias="dependency-groups")


def pyproject() -> PyProject:
    return PyProject.model_validate(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")))


def entries(name: str) -> list[str]:
    """List a requirements file's entries, each with its continued lines joined."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def pinned(name: str) -> dict[str, str]:
    """Map each project in a requirements file to the version that is pinned there."""
    found = (re.match(r"([A-Za-z0-9._-]+)==(\S+)", entry) for entry in entries(name))
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def is_met(wanted: Requirement, there: dict[str, str]) -> bool:
    version = there.get(canonicalize_name(wanted.name))
    return version is not None and version in wanted.specifier


every_file = pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-build.txt", "requirements-dev.txt"]
)


@every_file
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    """Nothing is installed that was not chosen, byte for byte."""
    well_formed = re.compile(r"[a-z0-9.-]+==\S+( ; [^#]+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*")

    loose = [entry for entry in entries(name) if not well_formed.fullmatch(entry)]

    assert entries(name)
    assert loose == []


@every_file
def test_requirements_name_no_place_to_fetch_from(name: str) -> None:
    """Where packages come from is the installing machine's business."""
    text = (ROOT / name).read_text(encoding="utf-8")

    places = re.findall(
        r"\S+://\S+|^\s*-{1,2}(?:index|extra|find|trusted)\S*.*|\S+\.(?:org|com|io|net)\b", text, re.MULTILINE
    )

    assert places == []


@pytest.mark.parametrize("group", ["runtime", "build", "dev"])
def test_requirements_hold_what_the_project_asks_for(group: str) -> None:
    """After a change in pyproject.toml somebody ran `make requirements`."""
    asked = {"runtime": pyproject().project.dependencies, **pyproject().groups}[group]
    there = pinned("requirements.txt" if group == "runtime" else f"requirements-{group}.txt")

    unmet = [text for text in asked if not is_met(Requirement(text), there)]

    assert unmet == []


def test_development_runs_on_what_is_shipped() -> None:
    """The tests see the very versions that users get."""
    dev = pinned("requirements-dev.txt")

    assert pinned("requirements.txt").items() <= dev.items()
    assert pinned("requirements-build.txt").items() <= dev.items()


def test_the_wheel_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel, built from what is here alone, has every file of the package, the licence and the command."""
    monkeypatch.chdir(ROOT)

    wheel = ZipFile(tmp_path / build_wheel(str(tmp_path)))

    metadata = f"taskwire-{pyproject().project.version}.dist-info"
    package = {str(path.relative_to("src")) for path in Path("src/taskwire").rglob("*.*")}
    kept = {name for name in package if "__pycache__" not in name}
    assert "taskwire/py.typed" in kept
    assert {*kept, f"{metadata}/licenses/LICENSE"} <= set(wheel.namelist())
    assert "taskwire = taskwire.__main__:main" in wheel.read(f"{metadata}/entry_points.txt").decode()


def test_what_is_shipped_has_no_stand_ins_and_says_how_to_get_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installed from the wheel, `taskwire demo` ends with a sentence and the code for what one can mend."""
    monkeypatch.chdir(ROOT)
    ZipFile(tmp_path / build_wheel(str(tmp_path))).extractall(tmp_path / "installed")

    # Without `site` nothing reads the file that leads an editable install to the source.
    path = os.pathsep.join([str(tmp_path / "installed"), sysconfig.get_path("purelib")])
    words = [sys.executable, "-S", "-m", "taskwire", "demo"]
    ran = subprocess.run(  # noqa: S603 - our own module
        words, env={"PYTHONPATH": path}, cwd=tmp_path, capture_output=True, check=False
    )

    assert (ran.returncode, ran.stdout, ran.stderr.decode()) == (
        2,
        b"",
        "The demo is not part of this installation: install Git and Python 3.11 or later, get Taskwire's "
        "source, and run `make demo` in it.\n",
    )


def test_the_chart_ships_this_version() -> None:
    """The chart's default image is the one that is built from here."""
    chart = yaml.safe_load((ROOT / "helm" / "Chart.yaml").read_text(encoding="utf-8"))

    assert chart["appVersion"] == pyproject().project.version


def test_the_charts_values_and_their_schema_name_the_same_things() -> None:
    """What has a default may be set, and what may be set has one."""
    values = yaml.safe_load((ROOT / "helm" / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((ROOT / "helm" / "values.schema.json").read_text(encoding="utf-8"))

    assert {*values, "global"} == set(schema["properties"])


def test_the_chart_lets_a_pod_end_and_answer_in_its_time() -> None:
    """What is killed on its way out hands nothing on; whether it is ready may take a while to know."""
    pod = _deployment()["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    *_, pause = container["lifecycle"]["preStop"]["exec"]["command"]
    (seconds,) = re.findall(r"sleep\((\d+)\)", pause)
    ready = container["readinessProbe"]

    assert pod["terminationGracePeriodSeconds"] > int(seconds) + LAST_RESORT_SECONDS + 1
    assert ready["httpGet"]["path"] == "/readyz"
    assert ready["timeoutSeconds"] > STORE_SECONDS


def test_the_chart_gives_room_for_the_longest_answer() -> None:
    """The last list is kept while the next one comes, piece by piece and then as a whole."""
    values = yaml.safe_load((ROOT / "helm" / "values.yaml").read_text(encoding="utf-8"))
    (gibibytes,) = re.findall(r"^(\d+)Gi$", values["resources"]["limits"]["memory"])

    assert int(gibibytes) * 1024**3 > 3 * LARGEST_LIST_BYTES + 150_000_000


def _deployment() -> Any:  # what YAML gives
    """The deployment as YAML without what the chart fills in; helm itself is not needed for that."""
    text = (ROOT / "helm" / "templates" / "deployment.yaml").read_text(encoding="utf-8")
    text = re.sub(r"{{-? */\*.*?\*/ *-?}}", "", text, flags=re.DOTALL)
    text = re.sub(r"^ *{{.*}} *$\n", "", text, flags=re.MULTILINE)
    return yaml.safe_load(re.sub(r"{{.*?}}", "filled-in", text))
