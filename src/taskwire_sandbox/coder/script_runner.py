"""Runs an agent's script: the steps run one after the other, at their times, on the agent's terminal."""

from collections import deque
from collections.abc import Callable

from taskwire_sandbox.coder.agentapi import AgentApi
from taskwire_sandbox.coder.clock import Schedule
from taskwire_sandbox.coder.script_parts import PULL_REQUEST, REPOSITORY
from taskwire_sandbox.coder.steps import (
    Ask,
    Busy,
    Complete,
    Crash,
    Fail,
    Idle,
    Report,
    Rewrite,
    Say,
    Script,
    Step,
    Steps,
    Wait,
    Work,
)
from taskwire_sandbox.coder.terminal import as_terminal_text


class ScriptRunner:
    """Runs one agent's script. `pull_request` is the number of the pull request that the agent opens."""

    def __init__(
        self,
        schedule: Schedule,
        terminal: AgentApi,
        script: Script,
        on_crash: Callable[[], None],
        pull_request: int,
    ) -> None:
        self._schedule = schedule
        self._terminal = terminal
        self._script = script
        self._on_crash = on_crash
        self._pull_request = f"{REPOSITORY}/pull/{pull_request}"
        self._steps: deque[Step] = deque()
        self._question: Ask | None = None
        self._is_waiting = False
        terminal.on_input = self.receive_input

    def run(self, steps: Steps) -> None:
        """Run these steps now, before the remaining steps of the script."""
        self._steps.extendleft(reversed(steps))
        if not self._is_waiting:
            self._continue()

    def receive_input(self, text: str) -> None:
        """Take an input as the answer to the agent's open question.

        If no question is open, start the script's steps for an input.
        """
        question, self._question = self._question, None
        self.run(question.then(text) if question else self._script.on_input(text))

    def _continue(self) -> None:
        self._is_waiting = False
        while self._steps and self._terminal.is_alive and not self._is_waiting and self._question is None:
            self._run_step(self._steps.popleft())

    def _run_step(self, step: Step) -> None:
        match step:
            case Work():
                self._work(step)
            case Say():
                self._say(step)
            case Ask():
                self._ask(step)
            case Complete(message, uri):
                self._end("complete", message, uri)
            case Fail(message, uri):
                self._end("failed", message, uri)
            case Crash():
                self._on_crash()
            case Wait(seconds):
                self._pause(seconds)
            case _:
                self._run_instant_step(step)

    def _run_instant_step(self, step: Rewrite | Report | Idle | Busy) -> None:
        terminal = self._terminal
        match step:
            case Rewrite(text):
                terminal.replace_text(text)
            case Report(state, message, uri):
                terminal.report(state, message, uri)
                terminal.screen_changed()
            case Idle():
                terminal.become_stable()
            case Busy():
                terminal.start_working()

    def _work(self, step: Work) -> None:
        self._terminal.start_working()
        if step.report:
            self._terminal.report("working", step.report, step.uri)
        self._pause(step.seconds, then=self._terminal.stop_working)

    def _say(self, step: Say) -> None:
        said = step.text.replace(PULL_REQUEST, self._pull_request)
        text = said if step.raw else as_terminal_text(said, self._terminal.columns)
        if not step.seconds:
            self._terminal.append_text(text)
            return
        self._terminal.start_working()
        lines = text.split("\n")
        for index in range(1, len(lines)):
            shown = "\n".join(lines[: index + 1])
            self._schedule.add(
                step.seconds * index / len(lines), self._show_more(shown, "\n".join(lines[:index]))
            )
        self._terminal.append_text(lines[0])
        self._pause(step.seconds, then=self._terminal.stop_working)

    def _show_more(self, shown: str, before: str) -> Callable[[], None]:
        def grow() -> None:
            content = self._terminal.messages[-1].content
            if self._terminal.is_alive and content.endswith(before):
                self._terminal.replace_text(content.removesuffix(before) + shown)

        return grow

    def _ask(self, step: Ask) -> None:
        if step.report:
            self._terminal.report("working", step.report, "")
        self._terminal.append_text(as_terminal_text(step.text, self._terminal.columns))
        self._terminal.stop_working()
        self._question = step

    def _end(self, state: str, message: str, uri: str) -> None:
        self._terminal.report(state, message, uri.replace(PULL_REQUEST, self._pull_request))
        self._terminal.stop_working()

    def _pause(self, seconds: float, then: Callable[[], None] | None = None) -> None:
        def go_on() -> None:
            if then is not None and self._terminal.is_alive:
                then()
            self._continue()

        self._is_waiting = True
        self._schedule.add(seconds, go_on)
