"""Parts that the demo's agents share: their repository, their pace, and their steps after an input."""

import textwrap

from taskwire_sandbox.coder.steps import BuildPlan, Complete, Say, Steps, Work

REPOSITORY = "https://github.com/acme/shop"
# The runner of a script replaces this address with that of the task's own pull request.
PULL_REQUEST = f"{REPOSITORY}/pull/NUMBER"
FIRST_PULL_REQUEST = 412
SHORT_PLAN = BuildPlan(queue=0.5, provision=2.0, connect=0.5, start=1.0, app=0.5, stop=1.5, delete=1.0)


REPORTS = 12


def resumed() -> Steps:
    """Return the steps of an agent after its task was resumed. It says nothing until it gets an input."""
    return (
        Work(1.5, "Picking up where I left off"),
        Say("⏺ Bash(git status --short)\n  ⎿  3 files changed"),
    )


def goes_on(text: str) -> Steps:
    """Return an agent's steps after an input: one more change in its pull request.

    If the input has the word *every*, the agent works for a minute. So a person has time to stop it.
    """
    lines = text.splitlines()
    # Words that the task's owner has passed on are quoted.
    said = [line.removeprefix("> ") for line in lines if line.startswith("> ")] or lines
    topic = textwrap.shorten(" ".join(said), 60, placeholder="…")
    is_long = "every" in text.lower().split()
    checks = [Work(5, f"Checking report {number} of {REPORTS}") for number in range(1, REPORTS + 1)]
    return (
        Work(2, "Reading the new instruction"),
        *(checks if is_long else (Work(4, "Making the change"),)),
        Say("⏺ Bash(pytest -q)\n  ⎿  128 passed in 6.41s"),
        Say(f"Done: “{topic}”. All 128 tests pass."),
        Complete("Pushed the change", PULL_REQUEST),
    )
