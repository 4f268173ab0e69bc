"""The program in a workspace: the agent's terminal, its conversation, and the watcher of its screen.

The program imitates agentapi together with `coder exp mcp server`. It takes POST /message and GET /messages,
and it sends reports to coderd. It does not decide what the agent does; `script_runner` does that.
"""

from collections.abc import Callable, Sequence

from taskwire_sandbox.coder.clock import ScheduledAction
from taskwire_sandbox.coder.rows import Agent, Message, Task
from taskwire_sandbox.coder.terminal import banner, pad_lines, split_inputs
from taskwire_sandbox.coder.world import World

STABLE_SECONDS = 2.0  # agentapi calls a screen stable if it has not changed for this time

ReportSink = Callable[[str, str, str], object]


class MessageRejected(Exception):
    """The program does not accept a message, or does not answer."""


class AgentApi:
    """One run of the program, from its start until the program ends or the workspace stops."""

    def __init__(self, world: World, task: Task, agent: Agent, report: ReportSink) -> None:
        self._world = world
        self._task = task
        self._report = report
        self._stable_timer: ScheduledAction | None = None
        self._is_busy = False
        self._last: tuple[str, str, str] | None = None
        self.agent = agent
        self.columns = task.workspace.template.columns
        self.status = "running"
        self.is_alive = True
        self.is_silent = False
        self.pads_inputs = False
        self.messages: list[Message] = []
        self.failures_left: dict[str, int] = {}
        self.on_input: Callable[[str], None] = lambda _text: None

    def open(self, history: Sequence[Message]) -> None:
        """Show the messages of an earlier run of the program. If there are none, show the greeting."""
        self.messages = list(history) if history else []
        if not self.messages:
            self._append("agent", banner(self.columns))
        self.screen_changed()

    def type_prompt(self, prompt: str) -> None:
        """Type the task's prompt, as agentapi does when the agent has started.

        A prompt may contain the mark that ends a paste. The text after this mark becomes a further input.
        """
        self._append("user", prompt)
        self._append("agent", "")
        self._task.inputs += split_inputs(prompt)[1:]
        self.screen_changed()
        self._report_from_screen("working")

    def post_message(self, text: str) -> None:
        """Accept an input as POST /message does. Remove blanks at both ends of the input.

        Raise MessageRejected if the input is empty, the screen is not stable, or a test has planned a
        failure.
        """
        self.fail_if_planned("message")
        text = text.strip()
        if not text:
            raise MessageRejected("message must not be empty")
        if self.status != "stable":
            raise MessageRejected("message can only be sent when the agent is waiting for user input")
        is_logged = not self.failures_left.get("message_unlogged")
        if is_logged:
            self._append("user", pad_lines(text, self.columns) if self.pads_inputs else text)
            self._append("agent", "")
        typed = split_inputs(text)
        self._task.inputs += typed
        self.screen_changed()
        self._report_from_screen("working")
        if not is_logged:
            self.append_text("* Thinking...")
        for words in typed:
            self.on_input(words)
        self.fail_if_planned("message_after_typing")
        self.fail_if_planned("message_unlogged")

    def fail_if_planned(self, part: str) -> None:
        """Raise MessageRejected if a test has planned failures of this part and not all have happened yet."""
        left = self.failures_left.get(part, 0)
        if left:
            self.failures_left[part] = left - 1
            raise MessageRejected(f"agentapi: {part.replace('_', ' ')}: context deadline exceeded")

    def append_text(self, text: str) -> None:
        """Append text to the agent's message in the present turn."""
        last = self._current_message()
        last.content = f"{last.content}\n\n{text}" if last.content else text
        self._mark_redrawn(last)

    def replace_text(self, text: str) -> None:
        """Replace the agent's message in the present turn, as a redrawn terminal does."""
        last = self._current_message()
        last.content = text
        self._mark_redrawn(last)

    def start_working(self) -> None:
        """Keep the screen changing until `stop_working` or `become_stable`."""
        self._is_busy = True
        self.status = "running"
        self._cancel_stable_timer()

    def stop_working(self) -> None:
        """Stop changing the screen. The screen is stable after two seconds."""
        self._is_busy = False
        self.screen_changed()

    def screen_changed(self) -> None:
        """Record a change of the screen. Without another change, the screen is stable after two seconds."""
        self.status = "running"
        self._cancel_stable_timer()
        if not self._is_busy:
            self._stable_timer = self._world.schedule.add(STABLE_SECONDS, self.become_stable)

    def become_stable(self) -> None:
        """Make the screen stable now. The screen watcher then reports `idle`."""
        if not self.is_alive:
            return
        self._is_busy = False
        self._cancel_stable_timer()
        self.status = "stable"
        self._report_from_screen("idle")

    def report(self, state: str, message: str, uri: str) -> None:
        """Report a state in the way in which the agent does with its reporting tool.

        If the tool reports `idle`, Coder stores `working`.
        """
        said = "failure" if state == "failed" else state
        if said == "idle" or self._world.settings.reports_become_working:
            said = "working"
        self._send_report(said, message, uri)

    def force_report(self, state: str, message: str, uri: str) -> None:
        """Report exactly this state, although the agent has just reported it, or `report` would store
        `working` instead."""
        self._send_report("failure" if state == "failed" else state, message, uri, is_forced=True)

    def end(self) -> None:
        """End the program. The program reports nothing after that."""
        self.is_alive = False
        self._cancel_stable_timer()

    def _report_from_screen(self, state: str) -> None:
        _, message, uri = self._last or ("", "", "")
        self._send_report(state, message, uri)

    def _send_report(self, state: str, message: str, uri: str, *, is_forced: bool = False) -> None:
        report = (state, message, uri)
        if not self.is_alive or (not is_forced and (report == self._last or self.is_silent)):
            return
        self._last = report
        self._report(state, message, uri)
        if state in ("complete", "failure") and self._task.workspace.template.reports_work_after_the_end:
            self._world.schedule.add(STABLE_SECONDS / 2, lambda: self._report_working_again(report))

    def _report_working_again(self, end: tuple[str, str, str]) -> None:
        """Report `working` once more, if the report `end` is still the latest report.

        The real screen watcher sometimes takes the agent's last output for new work.
        """
        if self._last == end:
            self._report_from_screen("working")

    def _current_message(self) -> Message:
        if self.messages[-1].role != "agent" or len(self.messages) == 1:
            self._append("agent", "")
        return self.messages[-1]

    def _mark_redrawn(self, message: Message) -> None:
        message.time = self._world.schedule.next_timestamp()
        message.nanoseconds = self._world.ids.new_nanoseconds()
        self.screen_changed()

    def _append(self, role: str, content: str) -> None:
        world = self._world
        stamp, nanoseconds = world.schedule.next_timestamp(), world.ids.new_nanoseconds()
        self.messages.append(Message(len(self.messages), role, content, stamp, nanoseconds))

    def _cancel_stable_timer(self) -> None:
        if self._stable_timer is not None:
            self._stable_timer.cancel()
            self._stable_timer = None
