"""Small checks from which the rules of Block Kit are made. Each check reports what is wrong, and where."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Report:
    """A list of problems in Slack's format. Each problem has a text and a JSON pointer."""

    messages: list[str] = field(default_factory=list)

    def add(self, trouble: str, at: str) -> None:
        """Add one problem."""
        self.messages.append(f"[ERROR] {trouble} [json-pointer:{at}]")


Check = Callable[[object, str, Report], None]


def anything(_value: object, _at: str, _report: Report) -> None:
    """Accept any value."""


def string(most: int, least: int = 1) -> Check:
    """Make a check for a string with `least` to `most` characters."""

    def check(value: object, at: str, report: Report) -> None:
        if not isinstance(value, str):
            report.add("must be a string", at)
        elif len(value) < least:
            report.add(f"must be more than {least - 1} characters", at)
        elif len(value) > most:
            report.add(f"must be less than {most + 1} characters", at)

    return check


def boolean(value: object, at: str, report: Report) -> None:
    """Accept true and false."""
    if not isinstance(value, bool):
        report.add("must be a boolean", at)


def number(least: int, most: int) -> Check:
    """Make a check for an integer from `least` to `most`."""

    def check(value: object, at: str, report: Report) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            report.add(f"must be an integer from {least} to {most}", at)

    return check


def one_of(*words: str) -> Check:
    """Make a check that accepts only these words."""

    def check(value: object, at: str, report: Report) -> None:
        if value not in words:
            report.add(f"must be one of {', '.join(words)}", at)

    return check


def items(each: Check, least: int, most: int) -> Check:
    """Make a check for a list of `least` to `most` items. Each item must pass the check `each`."""

    def check(value: object, at: str, report: Report) -> None:
        if not isinstance(value, list):
            report.add("must be an array", at)
            return
        if len(value) < least:
            report.add(f"must have at least {least} items", at)
        if len(value) > most:
            report.add(f"no more than {most} items allowed", at)
        for position, item in enumerate(value):
            each(item, f"{at}/{position}", report)

    return check


def shape(required: dict[str, Check], optional: dict[str, Check]) -> Check:
    """Make a check for an object that has all required keys and no unknown keys."""
    known = required | optional

    def check(value: object, at: str, report: Report) -> None:
        if not isinstance(value, dict):
            report.add("must be an object", at)
            return
        for key in required.keys() - value.keys():
            report.add(f"missing required field: {key}", at)
        for key, part in value.items():
            if key in known:
                known[key](part, f"{at}/{key}", report)
            else:
                report.add(f"unexpected field: {key}", f"{at}/{key}")

    return check


def typed(kinds: dict[str, Check]) -> Check:
    """Make a check that depends on the `type` of the object."""

    def check(value: object, at: str, report: Report) -> None:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in kinds:
            report.add(f"unsupported type: {kind}", f"{at}/type")
        else:
            kinds[kind](value, at, report)

    return check
