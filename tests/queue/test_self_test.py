"""The self-test tries each Redis command that Taskwire uses, and leaves no key behind."""

import re
from pathlib import Path
from typing import get_args

import taskwire
from taskwire.queue import self_test
from taskwire.queue.batch import Command
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# These modules do not work on the store of a running process, so the self-test need not try their commands.
OTHERS = ("transfer", "side", "embedded", "sentinels")
NAMES = {"del": "delete"}
# Methods of redis-py itself, commands that another part of the self-test tries, and commands that Redis may
# refuse.
NO_RIGHTS = {"pipeline", "execute", "aclose", "close", "execute_command"}
NO_RIGHTS |= {"evalsha", "script_load", "config_get", "info", "type", "scan", "scan_iter"}
STORE = ("queue", "state", "redis")
FOLDERS = [Path(taskwire.__file__).parent / folder for folder in STORE]
MODULES = sorted(path for folder in FOLDERS for path in folder.glob("*.py"))
SCRIPTS = sorted(path for folder in FOLDERS for path in folder.glob("lua/*.lua"))


def test_each_command_of_each_script_is_tried() -> None:
    """The self-test tries each command of each script, so that a missing right is found at the start."""
    used = {
        name
        for path in SCRIPTS
        for name in re.findall(r"redis\.call\('([A-Z]+)'", path.read_text(encoding="utf-8"))
    }

    tried = {command.partition(" ")[0] for command in self_test.SCRIPT_COMMANDS}

    assert len(used) > 20
    assert used | set(get_args(Command)) <= tried


def test_each_call_of_its_own_is_tried() -> None:
    """The self-test also tries commands that Python calls outside scripts. It does not try the commands that
    move a store to another server."""
    text = "".join(path.read_text(encoding="utf-8") for path in MODULES if path.stem not in OTHERS)

    used = set(re.findall(r"(?:_redis|\.commands|\.blocking|\bpipe|\bclient)\.([a-z_]+)\(", text))

    tried = {
        NAMES.get(name, name)
        for command in self_test.DIRECT_COMMANDS
        for name in [command.split()[0].lower()]
    }
    assert len(used) > 15
    assert used - NO_RIGHTS <= tried
    assert not re.search(r"pipeline\((?!transaction=False)", text)


async def test_a_user_with_all_rights_passes_and_no_key_is_left(connections: Connections) -> None:
    """If the Redis user has all rights, the self-test passes. Afterwards, all keys that it has written are
    gone."""
    await self_test.check_rights(connections, Keys("T1"))

    assert await connections.commands.keys("*") == []
