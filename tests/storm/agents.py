"""The agents of a storm follow short scripts: they finish, ask a question, fail or chat.

Each report has a text that no other report has, so each completed or failed turn can be recognized.
"""

import re

from taskwire_sandbox.coder.steps import Ask, BuildPlan, Complete, Fail, Idle, Say, Script, Steps, Work

KINDS = ("finish", "ask", "fail", "chat", "pick")
PROMPT = re.compile(rf"(?:{'|'.join(KINDS)}) number \d+ try \d+", re.IGNORECASE)
BRIEF_PLAN = BuildPlan(queue=0.1, provision=0.3, connect=0.1, start=0.2, app=0.2, flicker=0.2, stop=0.4)


def script(prompt: str) -> Script:
    """Choose the agent's script by the first word of the prompt."""
    kind = prompt.partition(" ")[0]
    on_input = {"finish": _finishes, "ask": _asks, "fail": _fails, "pick": _picks}.get(kind, _chats)
    return Script(on_input(prompt), on_input=on_input, on_resume=(Say("I am back."),), plan=BRIEF_PLAN)


def _finishes(text: str) -> Steps:
    return (Work(0.4, f"At {text}"), Say(f"What I did about {text} is done."), Complete(f"Did {text}"))


def _asks(text: str) -> Steps:
    return (Work(0.3), Ask(f"Which way shall I go with {text}?", _goes, f"Has a question: {text}"))


def _goes(answer: str) -> Steps:
    return (Work(0.4, f"Going by {answer}"), Complete(f"Went by {answer}"))


def _picks(text: str) -> Steps:
    """Offer two choices. After the next input, report what was chosen."""
    if not text.startswith("pick"):
        return _goes(text)
    number = text.split()[2]
    question = f"Which one for number {number}?\n\n1. left {number}\n2. right {number}"
    return (Work(0.3), Ask(question, _goes, f"Offers choices for number {number}"))


def _fails(text: str) -> Steps:
    return (Work(0.4, f"Trying {text}"), Fail(f"Could not do {text}"))


def _chats(text: str) -> Steps:
    return (Say(f"You said: {text}"), Idle())
