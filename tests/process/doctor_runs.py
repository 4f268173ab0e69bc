"""Runs `taskwire doctor` in a place and reads its output."""

from taskwire.redis import data_directory

from .processes import Place

# Doctor asks many systems one after the other and has no time limit. On a busy machine, a run takes long.
LOOK_SECONDS = 60.0


async def doctor(place: Place, *arguments: str, **settings: str) -> tuple[int, str]:
    """Run doctor. Return its exit code and its output."""
    looking = await place.run("doctor", *arguments, **settings)
    return await looking.wait_for_exit(LOOK_SECONDS), looking.output


def select_findings(output: str, *names: str) -> str:
    """Return these findings from doctor's output, each with its hint on the next line. `names` are the names
    of the checks."""
    kept, keeps = [], False
    for line in output.splitlines():
        keeps = line[7:].startswith(names) if line[:1].strip() else keeps
        if keeps:
            kept.append(" ".join(line.split()))
    return "\n".join(kept)


def socket_of(place: Place) -> str:
    """Return the URL of an embedded store's socket. The socket is in a temporary directory if the path of the
    data directory is too long."""
    return f"unix://{data_directory.find_recorded_socket(place.data_dir)}"
