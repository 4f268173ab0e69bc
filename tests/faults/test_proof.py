"""Tests of the proof itself: it fails if it would miss calls, and it does not depend on the names of
scripts."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from . import heads
from .deployment import new_deployment
from .environment import Environment
from .flow_run import FlowRun
from .flows import FLOWS
from .flows.flow import Flow
from .flows.steering import Editing, Muting
from .flows.telling import Vanishing
from .heads import Head, NoHead
from .naming import ITS_OWN, Namer
from .points import Call, Kind, Point
from .proof import Proof, Tally, shortfalls
from .wire import Words

BEGIN = """
-- script: queue.begin (begins)
-- ARGV: prefix, time, queue, token, id,
--   attempt, is_again?
return 'begun'
"""
TAKE = """
-- script: queue.acquire (takes)
-- ARGV: prefix, time, token, ignores_priority
-- answer: time, queue, id, job, ...
return {}
"""
TAKEN = [b"1", b"to_coder:0123456789ab", b"act:1", b'{"work": {"kind": "act", "verb": "pause"}}', b"more"]


def test_a_head_names_the_words_of_a_call() -> None:
    """A head names the words of a call in any order. Optional words may be missing."""
    head = heads.read(BEGIN)

    named = head.read(["tw:", "17", "to_coder:1", "abc", "act:1", "{}"])

    assert (head.name, set(head.roles)) == ("queue.begin", {"begins"})
    assert (named["token"], named["attempt"], "is_again" in named) == ("abc", "{}", False)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return 1", "0 heads; it ends with: return 1"),
        (BEGIN + BEGIN, "2 heads"),
        (BEGIN.replace("-- ARGV", "-- KEYS"), "0 heads"),
        (BEGIN.replace("begins", "starts"), "queue.begin has roles that nobody knows: ['starts']"),
        (BEGIN.replace("token", "whose"), "queue.begin is one that begins, and does not name ['token']"),
        (TAKE.replace("id, job", "id, body"), "queue.acquire is one that takes, and does not name ['job']"),
    ],
)
def test_a_script_that_does_not_say_what_it_is_is_refused(body: str, told: str) -> None:
    """A script without a valid head is refused. The proof does not guess anything from the script's name."""
    with pytest.raises(NoHead, match=re.escape(told)):
        heads.read(body)


@pytest.mark.parametrize("count", [5, 8])
def test_a_head_that_does_not_fit_its_call_is_refused(count: int) -> None:
    """If a call has more or fewer words than its script's head names, it is refused. Its words would get
    wrong names."""
    with pytest.raises(NoHead, match=f"was called with {count} words"):
        heads.read(BEGIN).read(["word"] * count)


def _loaded(namer: Namer, *bodies: str) -> list[bytes]:
    """Load scripts into the namer. Return the names under which Redis calls them."""
    shas = []
    for body in bodies:
        namer.name((b"SCRIPT", b"LOAD", body.encode()))
        shas.append(heads.sha_of(body.encode()))
    return shas


def _call(sha: bytes, *words: str) -> Words:
    return (b"EVALSHA", sha, b"1", b"tw:{T}:ready", b"tw:{T}:", b"17", *(word.encode() for word in words))


def test_what_a_turn_is_about_is_known_from_its_take_whatever_scripts_are_called() -> None:
    """The proof knows the queue and the work of a lease from the take, which is the call that acquired it. If
    scripts and their words are renamed or reordered, the points stay the same."""
    renamed = BEGIN.replace("queue.begin", "leases.start").replace("queue, token", "token, queue")
    found = []
    for body, words in ((BEGIN, ("to_coder:1", "abc")), (renamed, ("abc", "to_coder:1"))):
        namer = Namer()
        take, begin = _loaded(namer, TAKE, body)
        taken = namer.taken(_call(take, "abc", "0"), TAKEN)
        assert taken is not None
        found.append([taken.call, namer.name(_call(begin, *words, "act:1", "{}")).call, namer.problems])

    lease = "to_coder:act:pause"
    assert found[0] == [
        Call(f"take {lease}", Kind.TAKE, lease),
        Call(f"begin {lease}", Kind.BEGIN, lease),
        [],
    ]
    assert found[1] == found[0]


def test_what_cannot_be_told_is_a_complaint() -> None:
    """If a call cannot be named, the namer reports a problem. Otherwise the call would count under a
    meaningless name, or not at all."""
    namer = Namer()
    take, begin = _loaded(namer, TAKE, BEGIN)

    namer.name(_call(begin, "to_coder:1", "abc", "act:1", "{}"))
    namer.taken(_call(take, "abc", "0"), [*TAKEN[:3], b'{"job": {}}'])
    namer.name(_call(b"0123456789", "word"))
    namer.name((b"EVAL", b"return 1", b"1", b"tw:{T}:a"))

    assert namer.problems == [
        "a lease begins that was never taken: its token is 'abc'",
        'a job does not say of which kind it is: {"job": {}}',
        "script 01234567 was called, and its text was not seen",
        "a script was loaded with 0 heads; it ends with: return 1",
    ]


class Proved(Flow):
    """A flow that must have at least two points, and in which the bot is killed a second time after a kill at
    `coder tasks.send`."""

    floor = 2
    meets = frozenset({Kind.TAKE, Kind.OUTSIDE_WRITE})
    dies_twice = ("coder tasks.send",)


class Undeclared(Proved):
    """The same flow as `Proved`, but without a floor of its own."""


def _tally(**other: object) -> Tally:
    points = [
        Point(Call("take steer", Kind.TAKE, "steer"), 1),
        Point(Call("coder tasks.send", Kind.OUTSIDE_WRITE), 1),
    ]
    tally = Tally("proved", points, tried=7, again=Counter({"coder tasks.send": 3}))
    for name, value in other.items():
        setattr(tally, name, value)
    return tally


SECOND = "proved: no second death was tried after coder tasks.send"


@pytest.mark.parametrize(
    ("flow", "tally", "short"),
    [
        (Proved, _tally(), []),
        (Proved, _tally(again=Counter()), [SECOND]),
        (Proved, _tally(again=Counter({"coder tasks.pause": 3})), [SECOND]),
        (Proved, _tally(tried=0), ["proved: nothing was tried, here or in another flow"]),
        (Proved, _tally(tried=0, elsewhere=7), []),
        (
            Proved,
            _tally(points=_tally().points[1:]),
            ["proved: a take was not met", "proved: 1 points were found, and there were 2"],
        ),
        (Undeclared, _tally(), ["proved: it says no floor"]),
    ],
)
def test_a_proof_that_found_too_little_fails(flow: type[Flow], tally: Tally, short: list[str]) -> None:
    """The proof fails if it finds too few points, misses a kind of call, or does not try a second kill."""
    assert shortfalls(flow, tally) == short


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__name__.lower())
def test_each_flow_says_what_it_must_find(flow: type[Flow]) -> None:
    """Each flow sets its own floor, the least number of its points. Each flow must meet the take and the end
    of a lease, except a flow that proves only a claim."""
    assert vars(flow)["floor"] > 0
    assert {Kind.TAKE, Kind.END} < flow.meets or flow.last.startswith("inbox.claim")


# Changes to the heads of real scripts. For each, the error with which the proof of a real flow must fail.
BLINDNESS: dict[str, tuple[Callable[[str], str], str]] = {
    "a begin that is none": (lambda body: body.replace(" (begins)", ""), "a begin was not met"),
    "an end that is none": (lambda body: body.replace(" (ends)", ""), "not ended|an end was not met"),
    "a claim that is none": (lambda body: body.replace(" (claims)", ""), "a claim was not met"),
    "a take without a head": (
        lambda body: body.replace("-- script: queue.acquire", "--"),
        "0 heads; it ends",
    ),
    "words that have moved": (
        lambda body: body.replace("queue, token, id", "token, queue, id"),
        "never taken",
    ),
    "a word too many": (lambda body: body.replace("kind, delay", "kind, why, delay"), "its head names"),
}


@pytest.mark.parametrize("change", BLINDNESS)
async def test_the_proof_of_a_flow_fails_where_it_is_blind(
    change: str, environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a script has no head, a head without its role, or a wrong head, the proof of a flow that calls the
    script fails."""
    changed, told = BLINDNESS[change]
    read = heads.read
    monkeypatch.setattr(heads, "read", lambda body: read(changed(body)))

    with pytest.raises(AssertionError, match=told):
        await Proof(Editing, environment, tmp_path).find()


def _renamed(body: str) -> str:
    """Return a script that is named after its role, such as "a.takes". If the script does not take, begin,
    end or claim, return it unchanged."""
    return re.sub(r"-- script: \S+ \(((takes|begins|ends|claims).*)\)", r"-- script: a.\2 (\1)", body)


async def test_the_proof_of_a_flow_does_not_know_what_scripts_are_called(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If all scripts are renamed, the proof still finds enough points and second kills."""
    read = heads.read
    renamed: set[str] = set()

    def read_renamed(body: str) -> Head:
        head = read(_renamed(body))
        renamed.add(head.name)
        return head

    monkeypatch.setattr(heads, "read", read_renamed)

    tally = await Proof(Editing, environment, tmp_path).find()

    assert {"a.takes", "a.begins", "a.ends", "a.claims"} < renamed
    assert len(tally.points) >= Editing.floor
    assert tally.again.total() > 0


class TooFew(Muting):
    """A flow whose floor is higher than its number of points."""

    floor = 1_000


class WithoutUnknownOutcome(Muting):
    """A flow whose `dies_twice` names a call that the flow never makes."""

    floor = 1
    dies_twice = ("coder tasks.pause",)


@pytest.mark.parametrize(
    ("flow", "told"),
    [
        (TooFew, "points were found, and there were 1000"),
        (WithoutUnknownOutcome, "no second death was tried after"),
    ],
)
async def test_a_flow_that_falls_short_is_not_tried(
    flow: type[Flow], told: str, environment: Environment, tmp_path: Path
) -> None:
    """If the rehearsals of a flow find too few points, or no call of unknown outcome at which to kill the bot
    twice, the proof fails before it tries a fault."""
    with pytest.raises(AssertionError, match=told):
        await Proof(flow, environment, tmp_path).run()


async def test_what_belongs_to_no_flow_is_still_done(environment: Environment, tmp_path: Path) -> None:
    """In a real flow, each entry of `ITS_OWN` matches a call. An entry that matches no call could hide that a
    call has a new name."""
    async with new_deployment(
        environment, tmp_path / "deployment", 15.0, Vanishing.settle_seconds
    ) as deployment:
        flow_run = FlowRun(deployment, Vanishing, 1)
        await flow_run.rehearse()

        await deployment.until(
            lambda: ITS_OWN.keys() <= deployment.watch.namer.met,
            f"all that belongs to no flow: {sorted(ITS_OWN)}",
        )


async def test_each_round_begins_with_nothing_known_of_people(
    environment: Environment, tmp_path: Path
) -> None:
    """`forget_people`, which runs before each round, deletes everything that the bot has cached about people.
    So in each round the bot looks people up again."""
    async with new_deployment(
        environment, tmp_path / "deployment", 15.0, Muting.settle_seconds
    ) as deployment:
        trace = await FlowRun(deployment, Muting, 1).rehearse()
        written = {point.call.name.partition("notes.write ")[2] for point in trace.points}
        about_people = {"cached:profile:*", "cached:accounts:*", "notes:name:*"}
        names = [*about_people, "cached:channel:*", "notes:polled:*"]
        keys = [deployment.keys.named(*name.replace("*", "kept").split(":")) for name in names]
        await deployment.store.mset(dict.fromkeys(keys, "known"))

        await deployment.forget_people()

        assert about_people <= written
        left = [name for name, key in zip(names, keys, strict=True) if await deployment.store.exists(key)]
        assert left == ["notes:polled:*"]
