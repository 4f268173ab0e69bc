"""What `taskwire doctor` says in a place."""

from taskwire.redis import data_directory

from .processes import Place

# It asks many, one after the other, and promises no time; on a busy machine it takes long.
LOOK_SECONDS = 60.0


async def doctor(place: Place, *arguments: str, **settings: str) -> tuple[int, str]:
    """Run it; its exit code and all that it has said."""
    looking = await place.runs("doctor", *arguments, **settings)
    return await looking.ends(LOOK_SECONDS), looking.output


def lines(output: str, *names: str) -> str:
    """What is said of these things, with what to do."""
    kept, keeps = [], False
    for line in output.splitlines():
        keeps = line[7:].startswith(names) if line[:1].strip() else keeps
        if keeps:
            kept.append(" ".join(line.split()))
    return "\n".join(kept)


def socket_of(place: Place) -> str:
    """Where a bot's own store listens: in its directory, or a temporary one where that path is too long."""
    return f"unix://{data_directory.recorded_socket(place.data_dir)}"
