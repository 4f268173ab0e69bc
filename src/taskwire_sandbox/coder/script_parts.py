"""Parts that the demo's agents share: their repository, their pace, and their steps after an input."""

from collections.abc import Callable

from taskwire_sandbox.coder.steps import BuildPlan, Complete, Say, Steps, Work

REPOSITORY = "https://github.com/acme/shop"
SHORT_PLAN = BuildPlan(queue=0.5, provision=2.0, connect=0.5, start=1.0, app=0.5, stop=1.5, delete=1.0)


def resumed() -> Steps:
    """Return the steps of an agent after its task was resumed."""
    return (
        Work(1.5, "Picking up where I left off"),
        Say("I am back. My changes are still in the working tree; tell me what comes next."),
    )


def goes_on(pull_request: int) -> Callable[[str], Steps]:
    """Return a function that makes an agent's steps after an input: one more change in its pull request."""
    return lambda text: _follow_up(text, pull_request)


def _follow_up(text: str, pull_request: int) -> Steps:
    topic = " ".join(text.split())[:60]
    return (
        Work(2, "Reading the new instruction"),
        Say(f"Understood: {topic}"),
        Work(4, "Making the change"),
        Say("⏺ Bash(pytest -q)\n  ⎿  128 passed in 6.41s"),
        Complete("Pushed the change", f"{REPOSITORY}/pull/{pull_request}"),
    )
