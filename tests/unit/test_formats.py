"""Jobs keep their shape within one format, and this version can read jobs of earlier formats."""

import json
from pathlib import Path

from pydantic import JsonValue

from taskwire.domain.queueing.jobs import Job
from taskwire.queue.fence import FORMAT

# For each format: the models, the fields of each with their fixed words, and the required fields.
RECORDED = Path(__file__).with_name("job_shapes.json")
Shapes = dict[str, dict[str, dict[str, list[str]]]]


def _words(schema: JsonValue) -> set[str]:
    """Return all fixed values that a JSON schema allows in `enum` and `const`, at any depth."""
    if isinstance(schema, list):
        return {word for each in schema for word in _words(each)}
    if not isinstance(schema, dict):
        return set()
    fixed, one = schema.get("enum", []), schema.get("const")
    found = {str(word) for word in fixed} if isinstance(fixed, list) else set()
    inner = {
        word for name, each in schema.items() if name not in ("default", "enum") for word in _words(each)
    }
    return found | inner | ({str(one)} if one is not None else set())


def _shapes() -> Shapes:
    """Return the shape of jobs in this version."""
    schema = Job.model_json_schema()
    found: Shapes = {}
    for name, each in {"Job": schema, **schema["$defs"]}.items():
        fields = {field: sorted(_words(told)) for field, told in each.get("properties", {}).items()}
        found[name] = {
            "fields": fields or {"": sorted(_words(each))},
            "required": {"": sorted(each.get("required", []))},
        }
    return found


def test_a_change_of_shape_raises_the_format() -> None:
    """If this test fails, raise the format and record the new shapes. By its format, an older version
    recognizes a job that it cannot read.

    `python -m tests.unit.test_formats` records the shapes of the present format.
    """
    recorded: dict[str, Shapes] = json.loads(RECORDED.read_text())

    assert recorded[str(FORMAT)] == _shapes(), "raise FORMAT in queue/fence.py, and record the new shapes"


def test_what_a_recorded_format_wrote_can_be_read() -> None:
    """This version knows every field, and every fixed value of a field, of each recorded format. It requires
    no field that this format did not require. A format whose jobs this version cannot open is not recorded.
    """
    recorded: dict[str, Shapes] = json.loads(RECORDED.read_text())
    now = _shapes()

    for name, was in (each for shapes in recorded.values() for each in shapes.items()):
        fields = now[name]["fields"]
        assert was["fields"].keys() <= fields.keys(), name
        assert set(now[name]["required"][""]) <= set(was["required"][""]), name
        for field, words in was["fields"].items():
            assert set(words) <= set(fields[field]), (name, field)


if __name__ == "__main__":
    kept = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    RECORDED.write_text(json.dumps(kept | {str(FORMAT): _shapes()}, indent=1, sort_keys=True) + "\n")
