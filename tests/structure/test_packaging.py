"""Everything that is shipped is complete: hashed requirements, the wheel, the chart, and one version
everywhere."""

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

import jsonschema
import pytest
import yaml
from hatchling.build import build_wheel
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import BaseModel, Field

from taskwire import settings
from taskwire.app.bot import STORE_TIMEOUT_SECONDS
from taskwire.app.process import KILL_SECONDS
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
    """List the entries of a requirements file. Continued lines are joined."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def pinned(name: str) -> dict[str, str]:
    """Map each package of a requirements file to its pinned version."""
    found = (re.match(r"([A-Za-z0-9._-]+)==(\S+)", entry) for entry in entries(name))
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def is_met(wanted: Requirement, there: dict[str, str]) -> bool:
    version = there.get(canonicalize_name(wanted.name))
    return version is not None and version in wanted.specifier


every_file = pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-build.txt", "requirements-dev.txt", "requirements-audit.txt"]
)


@every_file
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    """Each package in a requirements file has a pinned version and hashes, so that nothing else can be
    installed."""
    well_formed = re.compile(r"[a-z0-9.-]+==\S+( ; [^#]+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*")

    loose = [entry for entry in entries(name) if not well_formed.fullmatch(entry)]

    assert entries(name)
    assert loose == []


@every_file
def test_requirements_name_no_place_to_fetch_from(name: str) -> None:
    """Requirements files name no package index. The machine that installs decides where packages come
    from."""
    text = (ROOT / name).read_text(encoding="utf-8")

    places = re.findall(
        r"\S+://\S+|^\s*-{1,2}(?:index|extra|find|trusted)\S*.*|\S+\.(?:org|com|io|net)\b", text, re.MULTILINE
    )

    assert places == []


@pytest.mark.parametrize("group", ["runtime", "build", "dev", "audit"])
def test_requirements_hold_what_the_project_asks_for(group: str) -> None:
    """The requirements files have every package that pyproject.toml asks for. A difference means that `make
    requirements` was not run after the last change."""
    asked = {"runtime": pyproject().project.dependencies, **pyproject().groups}[group]
    there = pinned("requirements.txt" if group == "runtime" else f"requirements-{group}.txt")

    unmet = [text for text in asked if not is_met(Requirement(text), there)]

    assert unmet == []


def test_development_runs_on_what_is_shipped() -> None:
    """The development requirements have the same versions as the shipped ones, so the tests run with what
    users get."""
    dev = pinned("requirements-dev.txt")

    assert pinned("requirements.txt").items() <= dev.items()
    assert pinned("requirements-build.txt").items() <= dev.items()


def test_the_wheel_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel built from the repository has every file of the package, the licence and the command."""
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
    """The wheel does not contain the stand-ins. If Taskwire was installed from the wheel, `taskwire demo`
    says what to install, and exits with the code for user errors."""
    monkeypatch.chdir(ROOT)
    ZipFile(tmp_path / build_wheel(str(tmp_path))).extractall(tmp_path / "installed")

    # Without the module `site`, Python does not read the file that leads from an editable install to the
    # source.
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
    """The default image of the chart has the version of the project."""
    chart = yaml.safe_load((ROOT / "helm" / "Chart.yaml").read_text(encoding="utf-8"))

    assert chart["appVersion"] == pyproject().project.version


def test_the_charts_values_and_their_schema_name_the_same_things() -> None:
    """Each default value of the chart is in its schema, and each value of the schema has a default."""
    values = yaml.safe_load((ROOT / "helm" / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((ROOT / "helm" / "values.schema.json").read_text(encoding="utf-8"))

    assert {*values, "global"} == set(schema["properties"])


def test_the_chart_takes_every_setting_and_no_slip() -> None:
    """The chart accepts every setting and secret. The chart refuses a secret with an unknown name, and a list
    as the value of a setting."""
    values = yaml.safe_load((ROOT / "helm" / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((ROOT / "helm" / "values.schema.json").read_text(encoding="utf-8"))
    given = {name: "given" for name in settings.list_names() if not name.endswith("_FILE")}
    secrets = {name: given.pop(name) for name in values["secrets"]}

    jsonschema.validate(values, schema)
    jsonschema.validate(values | {"settings": given, "secrets": secrets}, schema)

    assert set(schema["properties"]["secrets"]["properties"]) == set(values["secrets"])
    assert {f"{name}_FILE" for name in values["secrets"]} <= set(settings.list_names())
    for slip in (
        {"secrets": {"SLACK_TOKEN": "x"}},
        {"settings": {"TASKWIRE_ADMINS": ["U1"]}},
        {"replica": 2},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(values | slip, schema)


def test_the_chart_lets_a_pod_end_and_answer_in_its_time() -> None:
    """Kubernetes gives a pod of the chart enough time to hand over its work before the pod is killed. The
    readiness probe waits as long as the readiness check may take."""
    pod = _deployment()["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    *_, pause = container["lifecycle"]["preStop"]["exec"]["command"]
    (seconds,) = re.findall(r"sleep\((\d+)\)", pause)
    ready = container["readinessProbe"]

    assert pod["terminationGracePeriodSeconds"] > int(seconds) + KILL_SECONDS + 1
    assert ready["httpGet"]["path"] == "/readyz"
    assert ready["timeoutSeconds"] > STORE_TIMEOUT_SECONDS


def test_the_chart_gives_room_for_the_longest_answer() -> None:
    """The chart's memory limit is large enough for two of the longest lists of tasks. The list of the latest
    poll stays in memory while the bot reads the next one."""
    values = yaml.safe_load((ROOT / "helm" / "values.yaml").read_text(encoding="utf-8"))
    (gibibytes,) = re.findall(r"^(\d+)Gi$", values["resources"]["limits"]["memory"])

    assert int(gibibytes) * 1024**3 > 3 * LARGEST_LIST_BYTES + 150_000_000


def _deployment() -> Any:  # what YAML gives
    """Return the chart's deployment as parsed YAML. Its template expressions are removed, so that the test
    does not need helm."""
    text = (ROOT / "helm" / "templates" / "deployment.yaml").read_text(encoding="utf-8")
    text = re.sub(r"{{-? */\*.*?\*/ *-?}}", "", text, flags=re.DOTALL)
    text = re.sub(r"^ *{{.*}} *$\n", "", text, flags=re.MULTILINE)
    return yaml.safe_load(re.sub(r"{{.*?}}", "filled-in", text))
