"""Example links and reports for tests of the bot's messages."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import strategies as st

from taskwire.domain.ids import ChannelId, LinkId, TaskId, Ts, UserId
from taskwire.domain.lifecycle.link_state import LinkState
from taskwire.domain.lifecycle.links import Link, LinkRecord
from taskwire.domain.lifecycle.phases import Phase, Report
from taskwire.domain.text.agent_text import AgentText
from taskwire.domain.text.message import AgentOutput
from taskwire.messages.doctor import ShownFinding
from taskwire.messages.teammates import AskedFile, AskedLine

CODER = "https://coder.example.com"
FORGES = ("github.com", "git.example.com", "gitlab.example.com")
NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
NOON_MS = 1_777_636_800_000
SINCE = "<!date^1777636800^{date_short_pretty} at {time}|2026-05-01 at 12:00 UTC>"
AGO = "<!date^1777636800^{ago}|on 2026-05-01 at 12:00 UTC>"
ALICE = UserId("U1")
CHOICE = AgentOutput(
    answer="Two tests fail on main too. What shall I do?\n\n1. Mend them here\n2. Leave them alone",
    step_count=4,
)
ANSWER = AgentOutput(
    answer="The redirect is fixed. I changed two files:\n\n- `login.py`\n- `routes.py`",
    steps_text="▸ Edit(login.py)\n▸ Bash(pytest)",
    step_count=9,
    tests_passed=127,
)
OPENED = Report(
    id="r1",
    at=NOON,
    state="working",
    message="Opened PR #12",
    uri="https://git.example.com/acme/site/pull/12",
)

# Coder's status of a task, for each phase in which the task is not active.
STATUS_OF_PHASE = {
    Phase.STARTING: "pending",
    Phase.PAUSING: "unknown",
    Phase.UNCLEAR: "unknown",
    Phase.PAUSED: "paused",
    Phase.OTHER: "something_new",
}
FINDINGS = (
    (
        ShownFinding("Slack bot token", "ok", "Slack knows it, in the workspace Acme."),
        ShownFinding("Coder token", "wrong", "It ends in an hour.", "Make a new one."),
        ShownFinding("Administrators", "note", "Nobody gets warnings.", "Set TASKWIRE_ADMINS."),
    ),
    (ShownFinding("Store", "ok", "It is Valkey 8."),),
)
BOND = LinkRecord(
    id=LinkId("L1"),
    channel=ChannelId("C1"),
    made_at=Ts("1777636800.000100"),
    requested_by=ALICE,
    owner_name="alice",
    owner_slack_name="Alice Adams",
    prompt=AgentText("After signing in, people land on /404."),
    name="fix-login-1a2b",
    title="Fix the login",
    template="docker",
    preset="Large",
    thread_ts=Ts("1777636800.000200"),
    created_at=NOON,
    task_id=TaskId("t-1"),
)


def link(phase: Phase = Phase.WORKING, report: Report | None = OPENED, status: str = "active") -> Link:
    """Make a link whose task is in this phase."""
    state = LinkState(phase=phase, status=status, build=1, last_report=report, report_build=1)
    return Link(record=BOND, state=state)


IN_THREAD = link().model_copy(update={"record": BOND.model_copy(update={"owner_slack": ALICE})})
MENTION_ONLY = link().model_copy(update={"is_mention_only": True})
ASKED = AskedLine(
    link(), "reply:1", "Bob Berg", "please add a test", (), (), "https://acme.slack.com/archives/C1/p1"
)
_MASKED = replace(ASKED, text="the key is ghp_•••", is_hidden=True)
# The owner can read all of these replies but the fourth, whose file they cannot open, and the last, whose
# masked part they cannot read.
ASKED_REPLIES = (
    ASKED,
    replace(ASKED, text="stop", is_stop=True),
    replace(ASKED, files=("plan.txt",)),
    replace(
        ASKED,
        files=("trace.log", "long.txt"),
        contents=(
            AskedFile("trace.log", 14, "boom in line 7"),
            AskedFile("long.txt", 36_000, "", "https://acme.slack.com/files/U2/F1/long.txt"),
        ),
    ),
    replace(ASKED, files=("long.txt",), contents=(AskedFile("long.txt", 36_000),)),
    replace(_MASKED, message_url="https://acme.slack.com/archives/C1/p2"),
    _MASKED,
)

_NASTY = st.sampled_from(
    [
        "<!channel> <@U0000001> @here",
        "*bold* _it_ ~no~ `tick` ```fence```",
        "שלום עולם \u202egnol yrev",
        "👩‍👩‍👧‍👦" * 40,
        "&" * 3_000,
        "x" * 100_000,
        "line\nline\r\n\n\tline",
        " \u200b\n",
        "<https://evil.example|click> & <b>",
        "\x00\x1b[31mred",
    ]
)
anything = st.one_of(
    st.text(max_size=200), _NASTY, st.builds(lambda a, b: a + b, _NASTY, st.text(max_size=20))
)
