"""Ready-made agents for the demo.

Each agent shows a different course of a task: success, failure, a question.

`pick` chooses an agent by words in the prompt. So a person who tries the demo can choose the agent.
"""

import re

from taskwire_sandbox.coder.long_scripts import EXPLAINS, READS_EVERYTHING, UPGRADES
from taskwire_sandbox.coder.script_parts import PULL_REQUEST, SHORT_PLAN, goes_on, resumed
from taskwire_sandbox.coder.steps import (
    Ask,
    BuildPlan,
    Complete,
    Fail,
    Rewrite,
    Say,
    Script,
    Steps,
    Work,
)

DISK_IS_FULL = "creating container: write /var/lib/docker/tmp/overlay2: no space left on device"
BROKEN_BUILD = BuildPlan(
    queue=0.5,
    provision=2.0,
    connect=0.5,
    start=1.0,
    app=0.5,
    stop=1.5,
    delete=1.0,
    error=DISK_IS_FULL,
    build_log=(
        "docker_volume.home: Creating...",
        "docker_volume.home: Creation complete after 1s",
        "docker_image.workspace: Still creating... [10s elapsed]",
        "docker_container.workspace[0]: Creating...",
    ),
)
YES = frozenset(("yes", "yep", "yeah", "ok", "okay", "sure", "go", "drop", "1"))
DO_IT = re.compile(r"\bdo (it|so|that)\b|\bplease do\b")
NO = frozenset(("no", "nope", "don't", "not", "keep", "leave", "skip", "wait", "2"))
# If an answer contains a question, the answer is no decision.
ASKS_BACK = frozenset(
    ("what", "which", "why", "how", "recommend", "suggest", "advise", "think", "would", "should")
)


FIXES_IT = Script(
    steps=(
        Work(2, "Looking for the cause"),
        Say("I'll look at how the login handler remembers where the person came from.", seconds=1),
        Say("⏺ Read(src/auth/login.py)\n  ⎿  Read 184 lines"),
        Work(3, "Writing a test that fails"),
        Say(
            "The redirect is taken from the session, but the session is renewed one line before. "
            "A test first, so that it stays mended.",
            seconds=2,
        ),
        Say("⏺ Write(tests/auth/test_redirect.py)\n  ⎿  Wrote 41 lines"),
        Say("⏺ Bash(pytest -q tests/auth)\n  ⎿  1 failed, 17 passed in 2.08s"),
        Work(4, "Mending the redirect"),
        Say(
            "⏺ Update(src/auth/login.py)\n"
            "  ⎿  Updated with 3 additions and 1 removal\n"
            "       61 -    session.renew()\n"
            '       61 +    target = session.pop("next", "/")\n'
            "       62 +    session.renew()\n"
            "       63 +    return redirect(target)"
        ),
        Say("⏺ Bash(pytest -q)\n  ⎿  127 passed in 6.38s"),
        Work(2, "Opening a pull request"),
        Say(
            f"Done. People land on the page they came from, also when their session had run out. I opened "
            f"{PULL_REQUEST} with the fix and its test."
        ),
        Complete("Opened a pull request with the fix and a test", PULL_REQUEST),
    ),
    on_input=goes_on,
    on_resume=resumed(),
    plan=SHORT_PLAN,
)


# The texts are general, so that they fit any prompt.
DOES_IT = Script(
    steps=(
        Work(2, "Reading the code"),
        Say("I'll look at the code around this first, and at how its tests are written.", seconds=1),
        Say("⏺ Bash(git ls-files | wc -l)\n  ⎿  412"),
        Work(3, "Making the change"),
        Say(
            "There is a natural place for it. I make the change there, and test what it should do.", seconds=2
        ),
        Say("⏺ Bash(git diff --stat)\n  ⎿  3 files changed, 58 insertions(+), 9 deletions(-)"),
        Work(3, "Running the tests"),
        Say("⏺ Bash(pytest -q)\n  ⎿  131 passed in 6.52s"),
        Work(2, "Opening a pull request"),
        Say(f"Done. The change is small and all tests pass. I opened {PULL_REQUEST} for you to review."),
        Complete("Opened a pull request with the change", PULL_REQUEST),
    ),
    on_input=goes_on,
    on_resume=resumed(),
    plan=SHORT_PLAN,
)


def _after_the_question(answer: str) -> Steps:
    typed = answer.lower().replace("\u2019", "'")
    words = set(re.findall(r"[a-z0-9']+", typed))
    if words & ASKS_BACK:
        return _asks_again(
            "I would keep it until the two reports read the new columns: writing to both costs little, and "
            "nothing breaks meanwhile."
        )
    if words & NO:
        return _keeps_the_old_column()
    if words & YES or DO_IT.search(typed):
        return _drops_the_old_column()
    return _asks_again(f"I am not sure what to make of “{' '.join(answer.split())[:80]}”.")


def _asks_again(first: str) -> Steps:
    again = "Shall I drop the old column now? Yes or no is enough."
    return (Ask(f"{first}\n\n{again}", _after_the_question, "Asking again"),)


def _drops_the_old_column() -> Steps:
    return (
        Work(3, "Writing the migration that drops the column"),
        Say("⏺ Write(migrations/0042_drop_customer_name.py)\n  ⎿  Wrote 23 lines"),
        Say("⏺ Bash(make migrate-check)\n  ⎿  forwards ok, backwards ok"),
        Say(
            "Both migrations are in. The second one can be rolled back; "
            "it restores the names from the new columns."
        ),
        Complete("Split the name and dropped the old column", PULL_REQUEST),
    )


def _keeps_the_old_column() -> Steps:
    return (
        Work(2, "Keeping the old column, and writing to both"),
        Say("⏺ Update(src/customers/models.py)\n  ⎿  Updated with 9 additions and 2 removals"),
        Say(
            "I left the old column in place and write to both for now. "
            "A note in docs/migrations.md says when it can go."
        ),
        Complete("Split the name; the old column stays for now", PULL_REQUEST),
    )


ASKS_FIRST = Script(
    steps=(
        # Long enough for the tour to show the agent at work.
        Work(6, "Reading the customer model"),
        Say('⏺ Search(pattern: "customer_name")\n  ⎿  Found 14 files'),
        Work(6, "Planning the migration"),
        Say(
            "The name can be split into two columns without losing anything: 48,210 of 48,216 rows are plain."
        ),
        Ask(
            "One thing is yours to decide. Two reports outside this repository still read the old column:\n"
            "  1. I drop it now, and the reports have to change this week.\n"
            "  2. I keep it, and write to both until you tell me otherwise.\n\n"
            "Shall I drop the old column now?",
            _after_the_question,
            "Needs a decision about the old column",
        ),
    ),
    on_input=goes_on,
    on_resume=resumed(),
    plan=SHORT_PLAN,
)


def _tries_again(_text: str) -> Steps:
    return (
        Work(3, "Trying again"),
        Say("I record the provider's answers in its public sandbox, which needs no account.", seconds=1),
        Say("⏺ Write(tests/fixtures/payments.json)\n  ⎿  Wrote 212 lines"),
        Work(4, "Running the test two hundred times"),
        Say("⏺ Bash(pytest -q tests/checkout/test_stock.py --count 200)\n  ⎿  200 passed in 38.74s"),
        Say(
            "Found it: the test read the stock before the payment had answered. It waits for the answer now, "
            f"and 200 runs passed. I opened {PULL_REQUEST}."
        ),
        Complete("The test is steady: 200 runs passed", PULL_REQUEST),
    )


FAILS = Script(
    steps=(
        Work(3, "Reproducing the flaky test"),
        Say(
            "⏺ Bash(pytest -q tests/checkout/test_stock.py --count 200)\n  ⎿  3 failed, 197 passed in 41.20s"
        ),
        Work(4, "Comparing the three failures"),
        Say(
            "All three wait for the payment provider's test account, which answers 403 from here. "
            "I cannot tell their flakiness from ours without it."
        ),
        Say(
            "What I tried: the recorded answers in tests/fixtures (from before their API changed), "
            "and the sandbox key from the vault (revoked on Monday)."
        ),
        Fail("No access to the payment provider's test account"),
    ),
    on_input=_tries_again,
    on_resume=resumed(),
    plan=SHORT_PLAN,
)

BREAKS_AT_FIRST = Script(steps=DOES_IT.steps, on_input=goes_on, on_resume=DOES_IT.steps, plan=BROKEN_BUILD)


REDRAWS_ITS_SCREEN = Script(
    steps=(
        Work(2, "Tidying the configuration"),
        Say("I'll go through the settings one by one."),
        Say("⏺ Read(config/defaults.toml)\n  ⎿  Read 96 lines"),
        Work(3, "Compacting the conversation"),
        Rewrite("⏺ Conversation compacted. Seven settings were read by nobody; I removed them."),
        Complete("Removed seven settings that nobody reads", PULL_REQUEST),
    ),
    on_input=goes_on,
    on_resume=resumed(),
    plan=SHORT_PLAN,
)

BY_WORD: tuple[tuple[tuple[str, ...], Script], ...] = (
    (("explain", "describe"), EXPLAINS),
    (("upgrade",), UPGRADES),
    (("flaky", "fail", "payment"), FAILS),
    (("migrat", "split", "column", "rename", "schema"), ASKS_FIRST),
    (("gpu", "image", "disk", "docker"), BREAKS_AT_FIRST),
    (("audit", "review", "every", "whole", "all files"), READS_EVERYTHING),
    (("tidy", "clean", "config"), REDRAWS_ITS_SCREEN),
    (("login", "redirect"), FIXES_IT),
)


def pick(prompt: str) -> Script:
    """Choose the agent for the first known word in the prompt. If there is none, choose `DOES_IT`."""
    words = prompt.lower()
    for known, script in BY_WORD:
        if any(word in words for word in known):
            return script
    return DOES_IT
