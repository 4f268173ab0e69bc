"""A flow leaves out a fault only if another flow of the run tries the same fault in the same situation."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from .points import Aim, Call, Fault, Kind, Point
from .situations import Tried, situations_of
from .traces import Rehearsals, Trace

SOURCES = Path(__file__).parents[2] / "src" / "taskwire"
# Folders whose code runs inside handlers.
OF_HANDLERS = ("actions", "coder", "home", "notices", "people", "replies", "state", "tasks")
DRAW = "card:draw_card"
PAUSE = "to_coder:act:pause"


def _run(*calls: Call) -> list[Point]:
    return [Point(call, calls[: at + 1].count(call)) for at, call in enumerate(calls)]


def _take(lease: str) -> Call:
    return Call(f"take {lease}", Kind.TAKE, lease)


def _end(lease: str) -> Call:
    return Call(f"end {lease} done", Kind.END, lease)


LINK = Call("HGETALL link:*", Kind.READ)
SETTINGS = Call("GET channel_settings:*", Kind.READ)
UPDATE = Call("slack chat.update", Kind.OUTSIDE_LIGHT)
POST = Call("slack chat.postMessage", Kind.OUTSIDE_WRITE)
WRITE = Call("queue.write_under_lease", Kind.SCRIPT)
PROFILE = Call("notes.write cached:profile:*", Kind.CACHE)
PACE = Call("rate_limiter.take_place chat.update", Kind.PACE)


def _last(*calls: Call) -> str:
    points = _run(*calls)
    return situations_of(points)[points[-1]]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ([_take(DRAW), LINK, UPDATE], [_take(PAUSE), _end(PAUSE), _take(DRAW), LINK, UPDATE], True),
        ([_take(DRAW), LINK, UPDATE], [_take(DRAW), UPDATE], True),
        ([_take(DRAW), UPDATE], [_take(PAUSE), UPDATE], False),
        ([_take(DRAW), WRITE, UPDATE], [_take(DRAW), UPDATE], False),
        ([_take(DRAW), UPDATE, UPDATE], [_take(DRAW), UPDATE], False),
        ([_take(PAUSE), _take(DRAW), _end(DRAW), WRITE], [_take(PAUSE), WRITE], True),
        ([_take(DRAW), _end(DRAW), UPDATE], [_take(DRAW), UPDATE], False),
        ([_take(DRAW), PACE], [_take(PAUSE), WRITE, PACE], True),
    ],
)
def test_a_situation_is_a_call_of_a_kind_of_job_after_its_writes(
    one: list[Call], other: list[Call], *, is_same: bool
) -> None:
    """Two calls are in the same situation if the same kind of job makes them after the same writes of this
    job. Other jobs, and reads of this job, make no difference."""
    assert (_last(*one) == _last(*other)) is is_same


def test_the_first_flow_of_a_run_tries_a_fault(tmp_path: Path) -> None:
    """If two flows have a fault in the same situation, the first flow tries it and the second leaves it out.
    The second still tries other faults, and this fault in other situations."""
    (point,) = _run(UPDATE)
    first, second = Tried(tmp_path / "run"), Tried(tmp_path / "run")
    lost, killed = Aim(point, Fault.ANSWER_LOST), Aim(point, Fault.KILLED_AFTER)

    assert first.is_left("drawing", lost, "a")
    assert not second.is_left("pausing", lost, "a")
    assert second.is_left("pausing", killed, "a")
    assert second.is_left("pausing", lost, "b")
    assert Tried(tmp_path / "another run").is_left("pausing", lost, "a")
    assert Tried(tmp_path / "run", is_shared=False).is_left("pausing", lost, "a")


@pytest.mark.parametrize("kind", [Kind.CLAIM, Kind.BEGIN, Kind.OUTSIDE_WRITE])
def test_a_flow_always_tries_its_own_effects(tmp_path: Path, kind: Kind) -> None:
    """Every flow tries the faults of its claims, of its intent records, and of its writes to Slack and
    Coder."""
    aim = Aim(Point(Call("any", kind), 1), Fault.ANSWER_LOST)
    tried = Tried(tmp_path)

    assert [tried.is_left(flow, aim, "a") for flow in ("drawing", "pausing")] == [True, True]


def test_a_flow_tries_what_may_not_come_again(tmp_path: Path) -> None:
    """Every flow tries its own second kills. Every flow also tries a point that did not come in all its
    rehearsals."""
    (point,) = _run(UPDATE)
    unsure = Aim(point, Fault.ANSWER_LOST, is_sure=False)
    again = Aim(point, Fault.ANSWER_LOST, again=Aim(point, Fault.KILLED_AFTER))
    tried = Tried(tmp_path)

    for aim in (unsure, again):
        assert [tried.is_left(flow, aim, "a") for flow in ("drawing", "pausing")] == [True, True]


def _failures(*calls: Call) -> list[str]:
    """Return the names of those calls for which the proof tries a lost answer."""
    trace = Trace(_run(*calls), set(), set())
    return [str(aim.point) for aim in Rehearsals([trace]).aims() if aim.fault is Fault.ANSWER_LOST]


def test_of_failed_reads_with_no_write_between_one_is_tried() -> None:
    """If several reads have no write between them, the proof tries a failure of only one of them. The handler
    gets the same error from each."""
    reads = [_take(DRAW), LINK, SETTINGS, PROFILE, WRITE, LINK, SETTINGS]

    assert _failures(*reads) == [f"take {DRAW} #1", f"{LINK.name} #1", f"{WRITE.name} #1", f"{LINK.name} #2"]


def _catches(tree: ast.AST) -> Iterator[str]:
    """Yield the names of the errors that a module catches or suppresses."""
    for node in ast.walk(tree):
        caught: list[ast.expr | None] = []
        if isinstance(node, ast.ExceptHandler):
            caught = [node.type]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            caught = list(node.args)
        for error in caught:
            named = error.elts if isinstance(error, ast.Tuple) else [error]
            yield from (ast.unparse(each) if each is not None else "everything" for each in named)


def test_no_handler_catches_an_error_of_redis() -> None:
    """No handler catches an error of Redis. If a read fails, the handler therefore ends, and the worker tries
    the job again."""
    paths = [path for folder in OF_HANDLERS for path in (SOURCES / folder).rglob("*.py")]
    caught = {path: set(_catches(ast.parse(path.read_text()))) for path in paths}
    broad = {"everything", "Exception", "BaseException", "RedisError", "ConnectionError", "OSError"}

    assert sum(map(len, caught.values())) > 10
    assert {path.name: names & broad for path, names in caught.items() if names & broad} == {}
