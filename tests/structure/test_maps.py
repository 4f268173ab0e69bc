"""The maps that lead from a task or a thread to a link are not signed. Only one module reads them, and checks
that the signed record of the link confirms the entry."""

import re
from pathlib import Path

import taskwire

SOURCE = Path(taskwire.__file__).parent
# Each map, and the modules that name its key. Only `links.py` reads it. `inbox.py` gives the key to the
# script of a claim. The jobs of a claim name the thread, so the worker checks it. The others write, count or
# shorten. `audit.py` only asks whether there are links.
MAPS = {
    "links": {"state/links.py", "state/link_writes.py", "migration/side.py", "state/audit.py"},
    "thread": {"state/links.py", "state/link_writes.py", "queue/inbox.py", "state/retention.py"},
    "gone_task": {"state/links.py", "state/link_writes.py", "state/retention.py"},
}
SCRIPTS = {"polls.observe.lua", "polls.count_missing.lua"}


def test_only_one_module_reads_the_maps_to_links() -> None:
    """No other module names the key of such a map, so no other module can forget the check."""
    found = {
        name: {
            str(path.relative_to(SOURCE))
            for path in SOURCE.rglob("*.py")
            if re.search(rf'named\(\s*"{name}"', path.read_text())
        }
        for name in MAPS
    }

    assert found == MAPS


def test_the_scripts_that_read_the_map_of_tasks_compare_it() -> None:
    """A script that reads the map of tasks gets the checked link from its caller, and acts on no other."""
    reading = {
        path.name: path.read_text()
        for path in SOURCE.rglob("*.lua")
        if re.search(r"'(HGET|HGETALL|HMGET)', (links|prefix \.\. 'links')", path.read_text())
    }

    assert reading.keys() == SCRIPTS
    for name, text in reading.items():
        assert re.search(r"link == (confirmed|ARGV\[i \+ 1\])", text), name
