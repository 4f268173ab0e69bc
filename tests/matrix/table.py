"""Makes the tables of who may do what. Each mode has its own table.

In mode `service`, the actors of `CORE` try every act. If an act asks a question about rights (`trials.py`)
that no act before it in the table asked, it is a first act. So is an act that shows tasks without a request
(`Act.is_for_all`). All other actors try only first acts.

In the other modes, all actors try only first acts, because a mode only changes how `People` answers the
questions. There is one exception: a person without an account tries every act in these modes too, because
this person's requests wait for an account.

A section begins with the act and, in brackets, its questions about rights. Each line then has the mark of a
result (`HEAD`), the people with this result, and the text that they got.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

from .actors import CORE, WITHOUT_ACCOUNT, Cast, Mode, new_cast
from .acts import Act, list_acts
from .trials import BETWEEN_SECONDS, Mark, Result, Trials, watching_gates

HEAD = """# Who may do what, in mode `{mode}`. `python -m tests.matrix` writes this table.
#
#   +  it was done
#   r  it showed what the agent has reported or written
#   -  they were only told something: mostly why not
#   .  nothing came of it
"""
_FOLDER = Path(__file__).parent
_ORDER: tuple[Mark, ...] = ("+", "r", "-", ".")


def file_of(mode: Mode) -> Path:
    """Return the file with the table of a mode."""
    return _FOLDER / f"{mode}.txt"


async def make_table(directory: Path, store_url: str, mode: Mode) -> str:
    """Try all acts in this mode, and return the table."""
    with watching_gates() as gates:
        async with new_cast(directory, store_url, mode) as everybody:
            trials = Trials(everybody, gates)
            tried = _try_all(everybody, trials) if mode == "service" else _try_first(everybody, trials)
            return HEAD.format(mode=mode) + "".join([line async for line in tried])


async def _try_all(everybody: Cast, trials: Trials) -> AsyncIterator[str]:
    known: set[str] = set()
    for act in list_acts():
        results = await _attempt(everybody, trials, act, CORE)
        questions = {question for result in results.values() for question in result.asked}
        if act.is_for_all or questions - known:
            known |= questions
            others = [name for name in everybody.actors if name not in results]
            results |= await _attempt(everybody, trials, act, others)
        yield _section(act, results, asked=" ".join(sorted(questions)))


async def _try_first(everybody: Cast, trials: Trials) -> AsyncIterator[str]:
    first = set(list_first_acts(file_of("service").read_text()))
    for act in list_acts():
        names = everybody.actors if str(act) in first else WITHOUT_ACCOUNT
        yield _section(act, await _attempt(everybody, trials, act, names))


def list_first_acts(table: str) -> Iterator[str]:
    """Yield the names of the first acts in a table: the acts that all people have tried."""
    for section in table.split("\n\n")[1:]:
        name, _, rest = section.partition("\n")
        if "watcher" in rest:
            yield name.rpartition("  [")[0]


async def _attempt(everybody: Cast, trials: Trials, act: Act, names: Iterable[str]) -> dict[str, Result]:
    # Wait, so that late effects of the last act do not count as results of this act.
    await everybody.world.passes(BETWEEN_SECONDS)
    actors = [everybody.actors[name] for name in names]
    return {actor.name: await trials.attempt(act, actor) for actor in actors if act.can_be_done_by(actor)}


def _section(act: Act, results: dict[str, Result], asked: str | None = None) -> str:
    """Return the text of one act's section. `asked` are the act's questions about rights; with None, the
    section has no brackets."""
    groups: dict[tuple[Mark, str], list[str]] = defaultdict(list)
    for name, result in results.items():
        groups[result.mark, result.said].append(name)
    lines = [f"\n{act}" + (f"  [{asked}]\n" if asked is not None else "\n")]
    for (mark, said), names in sorted(groups.items(), key=lambda group: _ORDER.index(group[0][0])):
        lines.append(f"  {mark} {', '.join(names)}{': ' if said else ''}{said}\n")
    return "".join(lines)
