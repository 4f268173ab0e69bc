"""The demo's agents that work for minutes or write long texts.

`scripts` chooses one of these agents or one of its own agents.
"""

from taskwire_sandbox.coder.script_parts import PULL_REQUEST, SHORT_PLAN, goes_on, resumed
from taskwire_sandbox.coder.steps import Complete, Say, Script, Step, Steps, Work

WARNINGS = 24


def _audited(number: int) -> Step:
    area = ("checkout", "catalog", "customers", "shipping", "search", "reports")[number % 6]
    findings = ("no finding", "no finding", "one unused import", "no finding", "a query in a loop, line 88")
    path = f"src/{area}/module_{number:03d}.py"
    return Say(f"⏺ Read({path})\n  ⎿  Read {60 + number * 7 % 340} lines: {findings[number % 5]}")


def _table() -> Steps:
    rows = [
        "    ┌────────────┬───────┬──────────┐",
        "    │ area       │ files │ findings │",
        "    ├────────────┼───────┼──────────┤",
    ]
    rows += [f"    │ {area:<10} │ {files:>5} │ {found:>8} │" for area, files, found in AUDIT_RESULTS]
    return (Say("\n".join([*rows, "    └────────────┴───────┴──────────┘"])),)


AUDIT_RESULTS = (
    ("checkout", 20, 4),
    ("catalog", 20, 4),
    ("customers", 20, 4),
    ("shipping", 20, 4),
    ("search", 20, 4),
    ("reports", 20, 4),
)

READS_EVERYTHING = Script(
    steps=(
        Work(2, "Listing what there is to read"),
        Say("I'll read every module once and write down what should not be there.", seconds=1),
        *(step for number in range(120) for step in (Work(0.2), _audited(number))),
        Work(2, "Writing the summary"),
        *_table(),
        Say(
            "The one that matters is the query in a loop: it runs once for each line of an order. "
            "The others are unused imports, which I removed."
        ),
        Complete("Read 120 modules: 24 findings, one of them slow", PULL_REQUEST),
    ),
    on_input=goes_on,
    on_resume=resumed(),
    plan=SHORT_PLAN,
)


def _mended(number: int) -> Steps:
    area = ("checkout", "catalog", "customers", "shipping", "search", "reports")[number % 6]
    changed = f"⏺ Update(src/{area}/module_{number * 5:03d}.py)\n  ⎿  Updated with 2 additions and 2 removals"
    return (
        Work(4 + number % 3, f"Mending warning {number + 1} of {WARNINGS}"),
        Say(changed),
        *_tested(number),
    )


def _tested(number: int) -> Steps:
    if number % 4 != 3:
        return ()
    failing = WARNINGS - number - 1
    result = f"{failing} failed, {131 - failing} passed" if failing else "131 passed"
    return (Say(f"⏺ Bash(pytest -q -W error)\n  ⎿  {result} in 9.{number}0s"),)


# About two and a half minutes. A person has time to follow the agent, to pause it, or to write to it.
UPGRADES = Script(
    steps=(
        Work(3, "Running the tests on the new version"),
        Say(
            "I'll run everything on the new version first, then mend one warning after the other.", seconds=1
        ),
        Say(f"⏺ Bash(pytest -q -W error)\n  ⎿  {WARNINGS} failed, {131 - WARNINGS} passed in 9.80s"),
        *(step for number in range(WARNINGS) for step in _mended(number)),
        Work(2, "Opening a pull request"),
        Say(
            "Done. All 131 tests pass on the new version, with warnings as errors. "
            f"Each of the {WARNINGS} changes is a commit of its own in {PULL_REQUEST}."
        ),
        Complete("All 131 tests pass on the new version", PULL_REQUEST),
    ),
    on_input=goes_on,
    on_resume=resumed(),
    plan=SHORT_PLAN,
)

_EXPLANATION = """A cart lives in two places, and they expire on different terms.

In Redis it lives for 30 minutes after the last change. Each write sets the time anew:

```
def save(cart: Cart) -> None:
    key = f"cart:{cart.id}"
    redis.set(key, cart.to_json(), ex=CART_SECONDS)
    events.publish("cart.saved", cart.id)
```

In the database it stays until a job at night removes what is older than 14 days. \
So three things can happen when somebody comes back:

- Within 30 minutes: from Redis, with the prices of then.
- Within 14 days: from the database, with the prices of today.
- Later: it is empty, and nobody is told why.

The second case has a defect. The prices are read again, but the discount is not:

```
cart = db.load(cart_id)
cart.reprice(catalog)
return cart
```

A discount that has ended is therefore still granted. One line mends it, \
`cart.check_discounts(today)` before the return. I changed nothing. Tell me if I should."""

EXPLAINS = Script(
    steps=(
        Work(3, "Reading the cart"),
        Say("⏺ Read(src/cart/cache.py)\n  ⎿  Read 96 lines"),
        Say("⏺ Read(src/cart/store.py)\n  ⎿  Read 141 lines"),
        Work(3, "Writing it down"),
        Say(_EXPLANATION, seconds=1),
        Complete("Explained how a cart expires; found one defect"),
    ),
    on_input=goes_on,
    on_resume=resumed(),
    plan=SHORT_PLAN,
)
