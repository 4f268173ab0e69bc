"""The language of an agent's behaviour: a few typed steps, and how its workspace is built."""

from collections.abc import Callable
from dataclasses import dataclass

MESSAGE_LIMIT = 160  # bytes; Coder refuses a longer report with "Message is too long."


def fitting(message: str) -> str:
    """Return the message if Coder takes a report that long; an author's mistake is told at once."""
    if len(message.encode()) > MESSAGE_LIMIT:
        raise ValueError(
            f"Message is too long. {len(message.encode())} bytes of {MESSAGE_LIMIT}: {message!r}"
        )
    return message


@dataclass(frozen=True, slots=True)
class Work:
    """The screen moves for so long; a report, if there is one, comes at the beginning."""

    seconds: float
    report: str = ""
    uri: str = ""

    def __post_init__(self) -> None:
        fitting(self.report)


@dataclass(frozen=True, slots=True)
class Say:
    """The agent prints something, line by line over so many seconds; `raw` has no terminal's dress."""

    text: str
    seconds: float = 0.0
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The terminal is drawn anew: what the agent has said in this turn is replaced."""

    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """The agent reports about itself; one that says idle is taken for working, as Coder does."""

    state: str
    message: str
    uri: str = ""

    def __post_init__(self) -> None:
        fitting(self.message)


@dataclass(frozen=True, slots=True)
class Ask:
    """The agent says something, falls still, and goes on with what the answer leads to."""

    text: str
    then: "Callable[[str], Steps]" = lambda _answer: ()
    report: str = ""

    def __post_init__(self) -> None:
        fitting(self.report)


@dataclass(frozen=True, slots=True)
class Complete:
    """The agent reports that it is done and falls still; two seconds later it is idle."""

    message: str
    uri: str = ""

    def __post_init__(self) -> None:
        fitting(self.message)


@dataclass(frozen=True, slots=True)
class Fail:
    """The agent reports that it failed and falls still; two seconds later it is idle."""

    message: str
    uri: str = ""

    def __post_init__(self) -> None:
        fitting(self.message)


@dataclass(frozen=True, slots=True)
class Crash:
    """The agent's program ends; its app becomes unhealthy."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing moves on the screen; after two seconds of it the watcher takes the agent for idle."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Idle:
    """The screen is stable at once, without the two seconds that it takes to be believed."""


@dataclass(frozen=True, slots=True)
class Busy:
    """The screen moves from now on, until somebody pulls the strings."""


Step = Work | Say | Rewrite | Report | Ask | Complete | Fail | Crash | Wait | Idle | Busy
Steps = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """How long each part of a build takes, in seconds, and what goes wrong in it."""

    queue: float = 0.0
    provision: float = 0.0
    connect: float = 0.0
    start: float = 0.0
    app: float = 0.0
    flicker: float = 0.0  # the app is unhealthy for so long before it is up
    stop: float = 0.0
    delete: float = 0.0
    error: str = ""  # why a start build fails; empty: it does not
    broken_builds: int = 1  # how many start builds fail so, before one succeeds
    build_log: tuple[str, ...] = ()
    stop_error: str = ""
    delete_error: str = ""
    start_script_fails: bool = False
    has_health_check: bool = True
    recreates_app: bool = False


INSTANT = BuildPlan()


def _nothing(_text: str) -> Steps:
    return ()


@dataclass(frozen=True, slots=True)
class Script:
    """What an agent does: at first, after a resume, and on input that no step waits for."""

    steps: Steps
    on_input: Callable[[str], Steps] = _nothing
    on_resume: Steps = ()
    plan: BuildPlan | None = None


def _busy(_text: str) -> Steps:
    return (Busy(),)


def _echo(text: str) -> Steps:
    return (Say(f"You said: {text}", raw=True), Idle())


QUIET = Script(steps=(Idle(),), on_input=_busy, on_resume=(Idle(),))
ECHO = Script(steps=(Idle(),), on_input=_echo, on_resume=(Idle(),))


def quiet(_prompt: str) -> Script:
    """Choose the agent that does nothing by itself and is busy after an input: the tests' puppet."""
    return QUIET


def echo(_prompt: str) -> Script:
    """Choose the agent that answers each input at once and is idle again."""
    return ECHO
