"""The card: what it shows in each phase. It never mentions anybody."""

import json
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.events import Observed
from taskwire.domain.ids import TaskId, Ts
from taskwire.domain.links import Hold, Link, LinkEnd
from taskwire.domain.message import Message
from taskwire.domain.phases import Observation, Phase, Report
from taskwire.domain.secrets import Masker
from taskwire.domain.transitions import LinkState, ReducerSettings, initial_state
from taskwire.messages import cards
from taskwire.messages.blocks import cut, one_line, report_button
from tests.unit.message_examples import (
    AGO,
    ALICE,
    BOND,
    CODER,
    FORGES,
    NOON,
    NOON_MS,
    OPENED,
    SINCE,
    anything,
    link,
)
from tests.unit.message_view import buttons, faults, shown

ACTING = ("task.logs", "task.pause", "task.resume", "task.retry", "task.edit", "task.delete", "task.mute")


def card(drawn: Link) -> Message:
    return cards.card(drawn, coder_url=CODER, forges=FORGES)


@pytest.mark.parametrize("limit", [60, 120, 300])
def test_a_text_is_cut_where_no_secret_is_cut_in_two(limit: int) -> None:
    """The rest of a cut secret could not be recognized. In scripts without spaces, the text is filled up to
    the limit."""
    secret = "ghp_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gH6"

    for at in range(limit + 1):
        shown = Masker().mask(cut(f"{('use it now ' * 40)[:at]} {secret} and go on {'x' * 300}", limit))
        assert secret[4:10] not in shown
        assert len(shown) <= limit

    assert cut("直す" * 300, limit) == ("直す" * 300)[: limit - 1] + "…"


def test_of_a_long_link_whole_parts_are_kept() -> None:
    """A long link is cut after a whole part, so that its text says something. A user, a query or a key in it
    is never shown in part."""
    link, token = "https://git.example.com:8443/acme/app/", "0123456789abcdef0123456789"

    assert one_line(f"Fix {link}{token}{token}", 60) == f"Fix {link}…"
    assert one_line(f"Fix https://{token}{token}{token}@host/a", 60) == "Fix…"
    assert one_line(f"Fix https://host/a?key={token}{token}", 60) == "Fix https://host/…"


def test_a_working_task() -> None:
    """The title comes first, then phase and report, one line of facts, the prompt and the buttons."""
    message = card(link())

    assert shown(message) == [
        "Fix the login",
        ":gear: Working · Opened PR #12",
        f"~ alice · docker (Large) · started {AGO} · last report {AGO}",
        "> After signing in, people land on /404.",
        "[View pull request] [Open in Coder] [Logs] [Pause]",
        "[Mute] [Delete]",
        "~ Reply in this thread to talk to the agent.",
    ]
    assert message.text == (
        "Working: Fix the login. Opened PR #12. Owner: alice. Template: docker. Reply in this thread to talk "
        "to the agent. https://git.example.com/acme/site/pull/12 https://coder.example.com/tasks/alice/t-1"
    )


def test_a_task_that_is_being_created_shows_what_was_asked() -> None:
    """Before Coder has the task, the card has no buttons and says what was asked for."""
    asked = BOND.model_copy(update={"task_id": None, "title": "", "name": ""})

    message = card(Link(record=asked))

    assert shown(message) == [
        "After signing in, people land on /404.",
        ":hourglass_flowing_sand: Creating…",
        f"~ alice · docker (Large) · asked for {AGO}",
        "> After signing in, people land on /404.",
        "~ You can reply in this thread already; the agent gets your words as soon as it is up.",
    ]


@pytest.mark.parametrize("prompt", ["fix the login", "Fix the  login.", "FIX THE LOGIN\n"])
@pytest.mark.parametrize("task_id", ["t-1", None])
def test_a_prompt_that_the_title_says_already_is_not_shown_again(prompt: str, task_id: str | None) -> None:
    """The title differs from the prompt only in its first letter, which Coder makes a capital."""
    record = BOND.model_copy(update={"prompt": prompt, "task_id": task_id})

    message = card(Link(record=record))

    assert not [line for line in shown(message) if line.startswith(">")]
    assert "Asked for" not in message.text


@pytest.mark.parametrize(
    ("phase", "status", "labels"),
    [
        (Phase.STARTING, "initializing", ["Open in Coder", "Mute", "Delete"]),
        (Phase.WORKING, "active", ["Open in Coder", "Logs", "Pause", "Mute", "Delete"]),
        (Phase.NEEDS_YOU, "active", ["Open in Coder", "Logs", "Pause", "Mute", "Delete"]),
        (Phase.DONE, "active", ["Open in Coder", "Logs", "Pause", "Mute", "Delete"]),
        (Phase.FAILED, "active", ["Open in Coder", "Logs", "Pause", "Mute", "Delete"]),
        (Phase.PAUSING, "unknown", ["Open in Coder", "Logs", "Mute", "Delete"]),
        (Phase.UNCLEAR, "unknown", ["Open in Coder", "Mute", "Delete"]),
        (Phase.PAUSED, "paused", ["Open in Coder", "Logs", "Resume", "Edit prompt", "Mute", "Delete"]),
        (Phase.BROKEN, "error", ["Open in Coder", "Retry", "Mute", "Delete"]),
        (Phase.GONE, "paused", []),
        (Phase.OTHER, "hibernating", ["Open in Coder", "Mute", "Delete"]),
    ],
)
def test_each_phase_has_the_buttons_that_make_sense(phase: Phase, status: str, labels: list[str]) -> None:
    """There are few buttons, the dangerous one is last, and each one knows its link."""
    message = card(link(phase, None, status))
    found = buttons(message)

    assert list(found) == labels
    assert all(found[label]["value"] == "L1" for label in labels if label != "Open in Coder")
    assert [label for label in labels if found[label].get("style") == "danger"] == labels[-1:]
    assert faults(message) == []


def test_the_result_of_a_finished_task_stands_out() -> None:
    """The pull request is what people want from a finished task."""
    found = buttons(card(link(Phase.DONE)))

    assert found["View pull request"]["style"] == "primary"
    assert found["View pull request"]["url"] == OPENED.uri


@pytest.mark.parametrize(
    ("uri", "label"),
    [
        ("https://github.com/acme/site/pull/12", "View pull request"),
        ("https://gitlab.example.com/acme/site/-/merge_requests/3#note_1", "View merge request"),
        ("https://github.com/acme/site/issues/9", "View issue"),
        ("http://docs.example.com/pull", "Open link (docs.example.com)"),
        ("http://github.com/acme/site/pull/12", "View pull request (github.com)"),
        ("https://github.com:8443/acme/site/pull/12", "View pull request (github.com:8443)"),
        ("https://github.com.evil.example/acme/site/pull/12", "View pull request (github.com.evil.example)"),
        ("https://g\u0456thub.com/acme/site/pull/12", "View pull request (xn--gthub-n2e.com)"),
        (
            "https://github.com.acme.site.pull.request.with.so.many.parts.evil.example/pull/1",
            "View pull request (…acme.site.pull.request.with.so.many.parts.evil.example)",
        ),
        (f"{CODER}/@alice/site/apps/preview", "Open link"),
        ("https://coder.example.com:8443/x", "Open link (coder.example.com:8443)"),
        ("https://github.com@evil.example/acme/site/pull/12", None),
        ("https://github.com:x@evil.example/", None),
        ("https://evil.example\\@github.com/", None),
        ("https://x.example/\u202egpj.exe", None),
        ("https://x.example/\u2066a\u2069", None),
        ("https://github.com\u200b.evil.example/", None),
        ("file:///home/coder/plan.md", None),
        ("javascript:alert(1)", None),
        ("https://", None),
        ("https://a b", None),
        ("https://[broken", None),
        ("https://x.example/" + "y" * 3_000, None),
    ],
)
def test_a_link_becomes_a_button_only_if_a_browser_may_open_it(uri: str, label: str | None) -> None:
    """Agents also report files and worse links. A button says where it leads, unless that is known."""
    reported = OPENED.model_copy(update={"uri": uri})
    labels = list(buttons(card(link(Phase.WORKING, reported))))

    assert labels[:-5] == ([label] if label else [])


def noted(state: LinkState, **more: object) -> str:
    drawn = Link.model_validate({"record": BOND, "state": state} | more)
    return shown(card(drawn))[3]


def test_what_is_not_plain_is_explained() -> None:
    """An error that is waited out, a lost agent, a hold and an unknown word each get a sentence."""
    paused = LinkState(phase=Phase.PAUSED, status="paused")
    hold = Hold(person=ALICE, at=Ts("1.1"))
    early = LinkState(phase=Phase.STARTING, started_ms=NOON_MS - 60_000, error_since_ms=NOON_MS)
    late = LinkState(phase=Phase.WORKING, started_ms=NOON_MS - 900_000, error_since_ms=NOON_MS)

    assert noted(early) == (
        "Coder reports an error. While a workspace starts that may pass, so I wait until "
        "<!date^1777637040^{time}|12:04 UTC> before I call it broken."
    )
    assert noted(late) == (
        f"Agent not reachable since {SINCE}. That may pass by itself; "
        "if it is not back in a moment, I say so in the thread. *Retry* stops its workspace and "
        "starts it again."
    )
    assert noted(LinkState(phase=Phase.DONE, unreachable_since_ms=NOON_MS)) == (
        f"Agent not reachable since {SINCE}. Often that passes by "
        "itself. *Retry* stops its workspace and starts it again."
    )
    assert shown(card(Link(record=BOND, state=paused, hold=hold))) == shown(
        card(Link(record=BOND, state=paused))
    )
    assert noted(LinkState(phase=Phase.WORKING, status="active"), hold=hold) == (
        "A pause was asked for here. Replies from before it wait; a new reply resumes the task and takes "
        "them along."
    )
    assert noted(LinkState(phase=Phase.BROKEN, error_since_ms=NOON_MS)) == (
        "Coder reports an error with its workspace. *Retry* starts it again."
    )


def test_a_word_that_nobody_knows_is_shown() -> None:
    """A newer Coder may send new words."""
    drawn = Link(record=BOND, state=LinkState(phase=Phase.OTHER, unknown_status="*hiber* <!here>"))

    message = card(drawn)

    assert shown(message)[1].startswith(":grey_question: Coder calls it “*hiber* <")
    assert "<!here" not in message.text + json.dumps(message.blocks)


def test_the_card_says_since_when_coder_cannot_be_reached() -> None:
    """The card may be out of date, and says so."""
    message = cards.card(link(), coder_url=CODER, unreachable_since_ms=NOON_MS)

    assert (
        f":warning: Coder does not answer me (first noticed: {SINCE}). What you see here is from before."
        in shown(message)
    )


def test_the_card_says_since_when_coder_refuses_us() -> None:
    """Coder answers, but refuses our token."""
    message = cards.card(link(), coder_url=CODER, unreachable_since_ms=NOON_MS, silence="refused")

    assert (
        f":warning: Coder refuses my token (first noticed: {SINCE}). What you see here is from before."
        in shown(message)
    )


@pytest.mark.parametrize(
    ("ending", "phase", "says", "labels"),
    [
        (
            "gone",
            ":wastebasket: Gone",
            "This task is no longer in Coder: replies here reach nobody. `/task create` starts a new one.",
            ["View pull request"],
        ),
        (
            "detached",
            ":link: Detached",
            (
                "This thread is no longer the task's; the task itself was left alone. "
                "`/task attach fix-login-1a2b` gives it one again."
            ),
            ["View pull request", "Open in Coder"],
        ),
        (
            "failed",
            ":warning: Not attached",
            "This task got no thread here.",
            ["View pull request", "Open in Coder"],
        ),
    ],
)
def test_a_link_that_has_ended_offers_nothing_to_do(
    ending: LinkEnd, phase: str, says: str, labels: list[str]
) -> None:
    """Buttons that open pages stay. Others are removed, and there is no hint to reply."""
    message = card(link().model_copy(update={"end_reason": ending}))

    assert shown(message)[1] == phase
    assert says in shown(message)
    assert list(buttons(message)) == labels
    assert not any(action in json.dumps(message.blocks) for action in ACTING)


def test_a_task_that_was_never_made_says_why() -> None:
    """The card has only the reason and the next step."""
    made = link()
    failed = made.model_copy(
        update={
            "end_reason": "failed",
            "failure": "Coder said: Out of licences.",
            "record": made.record.model_copy(update={"task_id": None}),
        }
    )

    message = card(failed)

    assert shown(message)[1] == ":warning: Not created"
    assert (
        "Coder did not make this task. Coder said: Out of licences. `/task create` starts another."
        in shown(message)
    )


def test_a_muted_task_says_so_and_can_be_unmuted() -> None:
    """The card tells why nobody is mentioned."""
    message = card(link().model_copy(update={"is_muted": True}))

    assert shown(message)[2].endswith("muted: calls nobody")
    assert "Unmute" in buttons(message)


def test_status_leads_to_the_thread() -> None:
    """The private answer has the card's content and a link to the thread."""
    message = cards.status_card(link(), coder_url=CODER, permalink="https://acme.slack.com/archives/C1/p1")

    assert next(iter(buttons(message))) == "Open thread"
    assert shown(message)[:3] == shown(card(link()))[:3]


def test_status_of_a_task_without_a_thread_says_how_it_gets_one() -> None:
    """It has no buttons that act, because there is no link."""
    seen = Observation(
        task_id=TaskId("t-2"),
        name="other-task",
        title="Other task",
        owner_id="o",
        owner_name="bob",
        template="docker",
        status="active",
        build=1,
        created_at=NOON,
        report=Report(id="x", at=NOON, state="idle", message="Which branch?"),
    )
    now_ms = NOON_MS + int(timedelta(minutes=5).total_seconds() * 1000)
    state = initial_state(Observed(observation=seen), ReducerSettings(settle_ms=20_000), now_ms)

    message = cards.status_card(cards.make_unlinked(seen, state), coder_url=CODER)

    assert shown(message) == [
        "Other task",
        ":raising_hand: Needs you · Which branch?",
        f"~ bob · docker · started {AGO} · last report {AGO}",
        "[Open in Coder]",
        "~ It has no thread. `/task attach other-task` gives it one in the channel where you type it.",
    ]


@settings(deadline=None)
@given(anything, anything, anything, anything, st.sampled_from(Phase), st.booleans())
def test_whatever_people_and_agents_write_slack_takes_the_card(
    title: str, prompt: str, message: str, preset: str, phase: Phase, is_made: bool
) -> None:
    """Any text fits Slack's limits and mentions nobody."""
    report = OPENED.model_copy(update={"message": message, "uri": message})
    update = {"title": title, "prompt": prompt, "preset": preset, "task_id": "t-1" if is_made else None}
    drawn = link(phase, report).model_copy(update={"record": BOND.model_copy(update=update)})

    made = card(drawn)

    assert faults(made) == []
    assert not any(call in made.text + json.dumps(made.blocks) for call in ("<!channel", "<!here", "<@U"))


@pytest.mark.parametrize(
    ("host", "host_shown"),
    [
        ("stra\u00dfe.example.com", "xn--strae-oqa.example.com"),
        ("STRA\u1e9eE.example.com", "xn--strae-oqa.example.com"),
        ("\u03b5\u03c2.example.com", "xn--qxa0a.example.com"),
        ("gith\u0443b.com", "xn--githb-hze.com"),
        ("\uff47ithub.com", "github.com"),
        ("github.com\u3002evil.example", "github.com.evil.example"),
    ],
)
def test_a_host_in_letters_of_other_scripts_is_shown_as_browsers_ask_for_it(
    host: str, host_shown: str
) -> None:
    """An encoded host is not taken for a known forge, even where an older IDNA rule would map it to one."""
    forges = ("strasse.example.com", "github.com", "example.com")
    button = report_button(f"https://{host}/a/pull/1", CODER, forges, is_result=False)

    assert button["text"] == {
        "type": "plain_text",
        "text": f"View pull request ({host_shown})",
        "emoji": False,
    }
