"""The steps of agents' scripts, and the plan for the builds of a workspace."""

from collections.abc import Callable
from dataclasses import dataclass

MESSAGE_LIMIT = 160  # bytes; Coder refuses a longer report with "Message is too long."


def check_report_text(message: str) -> str:
    """Return the message unchanged. Raise ValueError if the message is longer than a report may be.

    So the author of a script sees this mistake when the script is made.
    """
    if len(message.encode()) > MESSAGE_LIMIT:
        raise ValueError(
            f"Message is too long. {len(message.encode())} bytes of {MESSAGE_LIMIT}: {message!r}"
        )
    return message


@dataclass(frozen=True, slots=True)
class Work:
    """The agent works: the screen changes for `seconds`. A report, if there is one, is sent at the start."""

    seconds: float
    report: str = ""
    uri: str = ""

    def __post_init__(self) -> None:
        check_report_text(self.report)


@dataclass(frozen=True, slots=True)
class Say:
    """The agent prints a text line by line over `seconds`.

    With `raw`, the text has no terminal formatting.
    """

    text: str
    seconds: float = 0.0
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The terminal is redrawn: this text replaces the text that the agent has printed in this turn."""

    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """The agent reports its state. If the state is `idle`, it is stored as `working`, as in Coder."""

    state: str
    message: str
    uri: str = ""

    def __post_init__(self) -> None:
        check_report_text(self.message)


@dataclass(frozen=True, slots=True)
class Ask:
    """The agent asks and stops working. It continues with the steps that `then` returns for the answer."""

    text: str
    then: "Callable[[str], Steps]" = lambda _answer: ()
    report: str = ""

    def __post_init__(self) -> None:
        check_report_text(self.report)


@dataclass(frozen=True, slots=True)
class Complete:
    """The agent reports that it is done and stops working. Two seconds later the agent is idle."""

    message: str
    uri: str = ""

    def __post_init__(self) -> None:
        check_report_text(self.message)


@dataclass(frozen=True, slots=True)
class Fail:
    """The agent reports that it failed and stops working. Two seconds later the agent is idle."""

    message: str
    uri: str = ""

    def __post_init__(self) -> None:
        check_report_text(self.message)


@dataclass(frozen=True, slots=True)
class Crash:
    """The agent's program ends. The program's app becomes unhealthy."""


@dataclass(frozen=True, slots=True)
class Wait:
    """The screen does not change. After two seconds the screen watcher reports the agent as idle."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Idle:
    """The agent is idle at once. The screen does not have to be unchanged for two seconds first."""


@dataclass(frozen=True, slots=True)
class Busy:
    """The screen changes from now on, until a test stops it with a control."""


Step = Work | Say | Rewrite | Report | Ask | Complete | Fail | Crash | Wait | Idle | Busy
Steps = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """How long each part of a build takes, in seconds, and how the build fails."""

    queue: float = 0.0
    provision: float = 0.0
    connect: float = 0.0
    start: float = 0.0
    app: float = 0.0
    flicker: float = 0.0  # seconds for which the app is unhealthy before it is healthy
    stop: float = 0.0
    delete: float = 0.0
    error: str = ""  # the error of a failing start build; empty: it succeeds
    broken_builds: int = 1  # how many start builds fail before one succeeds
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
    """What an agent does: `steps` at first, `on_resume` after a resume, `on_input` after an input.

    An input that answers a step `Ask` does not reach `on_input`.
    """

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
    """Return a script for agents that tests control: it has no steps, and an input makes the agent busy."""
    return QUIET


def echo(_prompt: str) -> Script:
    """Return a script for agents that answer each input at once and then are idle again."""
    return ECHO
