"""The card: what it shows in each phase. A card never mentions anybody."""

import json
from datetime import timedelta

import pytest

from taskwire.domain.ids import TaskId, Ts
from taskwire.domain.lifecycle.events import Observed
from taskwire.domain.lifecycle.link_state import LinkState, ReducerSettings
from taskwire.domain.lifecycle.links import Hold, Link, LinkEnd
from taskwire.domain.lifecycle.phases import Observation, Phase, Report
from taskwire.domain.lifecycle.transitions import initial_state
from taskwire.domain.masking.secrets import Masker
from taskwire.domain.text.message import Message
from taskwire.messages import cards
from taskwire.messages.blocks import cut, format_duration, one_line, report_button
from tests.unit.message_examples import (
    ALICE,
    BOND,
    CODER,
    FORGES,
    NOON,
    NOON_MS,
    OPENED,
    SINCE,
    link,
)
from tests.unit.message_view import buttons, shown

ACTING = ("task.logs", "task.pause", "task.resume", "task.retry", "task.edit", "task.delete", "task.mute")


def card(drawn: Link) -> Message:
    return cards.card(drawn, coder_url=CODER, forges=FORGES)


@pytest.mark.parametrize("limit", [60, 120, 300])
def test_a_text_is_cut_where_no_secret_is_cut_in_two(limit: int) -> None:
    """If a text is cut within a secret, masking still recognizes the secret. A text is cut after a whole word
    or, in scripts without spaces, at any character."""
    secret = "ghp_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gH6"

    for at in range(limit + 1):
        shown = Masker().mask(cut(f"{('use it now ' * 40)[:at]} {secret} and go on {'x' * 300}", limit))
        assert secret[4:10] not in shown
        assert len(shown) <= limit

    assert cut("直す" * 300, limit) == ("直す" * 300)[: limit - 1] + "…"
    assert cut("Größenänderung prüfen " * 40, limit).removesuffix("…").split()[-1] in (
        "Größenänderung",
        "prüfen",
    )
    assert cut("Проверить перенаправление " * 40, limit).removesuffix("…").split()[-1] in (
        "Проверить",
        "перенаправление",
    )


def test_of_a_long_link_whole_parts_are_kept() -> None:
    """A long link is cut after a whole part of its path. A user, query or key is never shown in part."""
    link, token = "https://git.example.com:8443/acme/app/", "0123456789abcdef0123456789"

    assert one_line(f"Fix {link}{token}{token}", 60) == f"Fix {link}…"
    assert one_line(f"Fix https://{token}{token}{token}@host/a", 60) == "Fix…"
    assert one_line(f"Fix https://host/a?key={token}{token}", 60) == "Fix https://host/…"


def test_a_working_task() -> None:
    """A working task's card has title, phase with report, one line of facts, prompt and buttons."""
    message = card(link())

    assert shown(message) == [
        "Fix the login",
        ":gear: Working · “Opened PR #12” · started {ago}",
        "~ Alice Adams · docker (Large) · <https://git.example.com/acme/site/pull/12|PR #12> · "
        "`fix-login-1a2b`",
        "> After signing in, people land on /404.",
        "[View pull request] [Stop] [⋯ Open in Coder, Follow, Logs, Watch, Mute, New like this, Share, "
        "Detach, Delete]",
    ]
    assert message.text == (
        "Working: Fix the login. Opened PR #12. Owner: Alice Adams. Template: docker. "
        "https://git.example.com/acme/site/pull/12 https://coder.example.com/tasks/alice/t-1"
    )


def test_a_task_that_is_being_created_shows_what_was_asked() -> None:
    """Before the task exists in Coder, the card has no buttons and shows the prompt."""
    asked = BOND.model_copy(update={"task_id": None, "title": "", "name": ""})

    message = card(Link(record=asked))

    assert shown(message) == [
        "After signing in, people land on /404.",
        ":hourglass_flowing_sand: Creating… · requested {ago}",
        "~ Alice Adams · docker (Large)",
    ]


@pytest.mark.parametrize("prompt", ["fix the login", "Fix the  login.", "FIX THE LOGIN\n"])
@pytest.mark.parametrize("task_id", ["t-1", None])
def test_a_prompt_that_the_title_says_already_is_not_shown_again(prompt: str, task_id: str | None) -> None:
    """The title is the prompt with a capital first letter, so the card does not show the prompt."""
    record = BOND.model_copy(update={"prompt": prompt, "task_id": task_id})

    message = card(Link(record=record))

    assert not [line for line in shown(message) if line.startswith(">")]
    assert "Asked for" not in message.text


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        (Phase.STARTING, "requested {ago}"),
        (Phase.WORKING, "started {ago}"),
        (Phase.NEEDS_YOU, "{ago}"),
        (Phase.DONE, "took 12\u00a0min"),
        (Phase.FAILED, "took 12\u00a0min"),
        (Phase.PAUSED, "{ago}"),
        (Phase.UNCLEAR, "Coder does not say what the workspace is doing"),
    ],
)
def test_the_card_says_how_long_an_agent_works_or_took(phase: Phase, words: str) -> None:
    """While an agent works, the card has the start time, which Slack shows as an age. When the agent has
    ended, the card says how long it took. A task that waits for a person has the time since when it waits."""
    drawn = link(phase, None)
    state = drawn.state.model_copy(update={"started_ms": NOON_MS, "since_ms": NOON_MS + 740_000})

    message = card(drawn.model_copy(update={"state": state}))

    assert shown(message)[1].split(" · ")[1:] == [words]


def test_a_turn_is_counted_from_the_moment_when_the_agent_got_its_input() -> None:
    """A reply waited for an hour until the owner passed it on. The hour is no part of the time that the agent
    took."""
    drawn = link(Phase.DONE, None)
    times = {"delivered_ms": NOON_MS, "since_ms": NOON_MS + 14_000}
    state = drawn.state.model_copy(update=times)
    told = Ts(f"{NOON_MS // 1000 - 3600}.000100")

    message = card(drawn.model_copy(update={"state": state, "last_input_ts": told}))

    assert shown(message)[1].endswith(" · took 14\u00a0s")


@pytest.mark.parametrize(
    ("seconds", "shown_as"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_600, "1 h"),
        (7_500, "2 h 5 min"),
        (86_400, "1 d"),
        (100_000, "1 d 3 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: int, shown_as: str) -> None:
    """A duration of hours shows hours and minutes, and no seconds."""
    assert format_duration(seconds * 1000) == shown_as


@pytest.mark.parametrize(
    ("title", "prompt", "is_repeated"),
    [
        ("Fix the login", "Fix the login. After signing in, people land on /404.", False),
        ("Fix the login…", "Fix the login redirect", False),
        ("Login redirect", "Fix the login redirect", True),
        ("", "Fix it", False),
    ],
)
def test_the_prompt_is_shown_only_where_the_title_does_not_say_it(
    title: str, prompt: str, is_repeated: bool
) -> None:
    """If the title is the beginning of the prompt, the card does not show the prompt."""
    drawn = link().model_copy(
        update={"record": BOND.model_copy(update={"title": title, "prompt": prompt, "name": ""})}
    )

    assert any(each.startswith(">") for each in shown(card(drawn))) == is_repeated


def test_the_result_of_a_finished_task_stands_out() -> None:
    """On the card of a finished task, the pull request is the first control."""
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
            "https://github.com.acme.site.pull.request.with.so.many.parts.evil.example/a/b/pull/1",
            "View pull request (….site.pull.request.with.so.many.parts.evil.example)",
        ),
        (f"{CODER}/tasks/alice/fix-login", "Open link"),
        (f"{CODER}/@alice/site/apps/preview", "Open link (coder.example.com)"),
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
    """The link of an agent's report becomes a button only if it is safe. The button names the host of the
    link, unless the link leads to a task's page in Coder or to a known forge."""
    reported = OPENED.model_copy(update={"uri": uri})
    labels = list(buttons(card(link(Phase.WORKING, reported))))

    assert labels[: labels.index("Stop")] == ([label] if label else [])


def noted(state: LinkState, **more: object) -> str:
    drawn = Link.model_validate({"record": BOND, "state": state} | more)
    return shown(card(drawn))[3]


def test_what_is_not_plain_is_explained() -> None:
    """An error that may pass, an unreachable agent, a hold and an unknown status each get a sentence."""
    paused = LinkState(phase=Phase.PAUSED, status="paused")
    hold = Hold(person=ALICE, at=Ts("1.1"))
    early = LinkState(phase=Phase.STARTING, started_ms=NOON_MS - 60_000, error_since_ms=NOON_MS)
    late = LinkState(phase=Phase.WORKING, started_ms=NOON_MS - 900_000, error_since_ms=NOON_MS)

    assert (
        noted(early) == "Coder reports an error. If this lasts, I'll post in the thread at "
        "<!date^1777637040^{time}|12:04 UTC>."
    )
    assert noted(late) == f"Agent not reachable since {SINCE}. Replies wait."
    assert (
        noted(LinkState(phase=Phase.DONE, unreachable_since_ms=NOON_MS))
        == f"Agent not reachable since {SINCE}. Replies wait."
    )
    assert shown(card(Link(record=BOND, state=paused, hold=hold))) == shown(
        card(Link(record=BOND, state=paused))
    )
    running = LinkState(phase=Phase.WORKING, status="active")
    assert shown(card(Link(record=BOND, state=running, hold=hold))) == shown(
        card(Link(record=BOND, state=running))
    )
    assert noted(running, hold=hold, held_count=2) == (
        "Replies from before the stop wait. The next reply sends them too."
    )
    assert noted(running, hold=hold, pending="pause act:1") == "A reply in its thread resumes it."


def test_a_broken_task_says_why() -> None:
    """The card of a broken task shows Coder's reason beside the phase, and *Retry* as the first control."""
    broken = link(Phase.BROKEN, None, "error")
    known = broken.model_copy(update={"build_failure": "1 no space left on device"})

    assert shown(card(broken))[1] == ":warning: Broken · The agent can't work"
    assert shown(card(known))[1] == ":warning: Broken · Workspace: no space left on device"
    assert next(iter(buttons(card(known)))) == "Retry"


@pytest.mark.parametrize(
    ("error", "shown_cause"),
    [
        (
            "terraform apply of the containers' module in the workspace's own template: "
            "exit status 1: creating container: write /var/lib/docker/tmp: no space left",
            "exit status 1: creating container: write /var/lib/docker/tmp: no space left",
        ),
        (
            "The quota is used up. " + "Ask an administrator, or delete a workspace first. " * 3,
            "The quota is used up.",
        ),
        ("apply: " + "word " * 60, ("word " * 28).strip() + "…"),
    ],
)
def test_a_long_reason_is_not_cut_in_mid_sentence(error: str, shown_cause: str) -> None:
    """If the reason of a failed build is too long, the card shows only its first sentence. If that is too
    long, parts before a colon are left out. Only the last part may be cut."""
    broken = link(Phase.BROKEN, None, "error").model_copy(update={"build_failure": f"1 {error}"})

    assert shown(card(broken))[1] == f":warning: Broken · Workspace: {shown_cause}"


def test_a_word_that_nobody_knows_is_shown() -> None:
    """A newer Coder sends an unknown status, and the card shows that word."""
    drawn = Link(record=BOND, state=LinkState(phase=Phase.OTHER, unknown_status="*hiber* <!here>"))

    message = card(drawn)

    assert shown(message)[1].startswith(":grey_question: Coder calls it “*hiber* <")
    assert "<!here" not in message.text + json.dumps(message.blocks)


def test_the_card_says_since_when_coder_cannot_be_reached() -> None:
    """Coder cannot be reached. The card says since when, and that the card may be out of date."""
    message = cards.card(link(), coder_url=CODER, unreachable_since_ms=NOON_MS)

    assert f":warning: Coder has not answered since {SINCE}. This may be old. Replies wait." in shown(message)


def test_the_card_says_since_when_coder_refuses_us() -> None:
    """Coder answers, but refuses the bot's token. The card says since when Coder has refused the token."""
    message = cards.card(link(), coder_url=CODER, unreachable_since_ms=NOON_MS, silence="refused")

    words = f":warning: Coder has refused my token since {SINCE}. This may be old. Replies wait."
    assert words in shown(message)


@pytest.mark.parametrize(
    ("ending", "phase", "says", "labels"),
    [
        (
            "gone",
            ":wastebasket: Gone",
            "This task is no longer in Coder, so no agent gets replies here. `/task create` creates a new "
            "task.",
            ["View pull request"],
        ),
        (
            "detached",
            ":link: Detached",
            ":link: Detached",
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
    """The card of a link that has ended says what happened, and keeps only the buttons that open pages."""
    message = card(link().model_copy(update={"end_reason": ending}))

    assert shown(message)[1] == phase
    assert says in shown(message)
    assert list(buttons(message)) == labels
    assert not any(action in json.dumps(message.blocks) for action in ACTING)


def test_a_task_that_was_never_made_says_why() -> None:
    """If Coder has not created the task, the card shows Coder's reason and how to create another task."""
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
        "Coder did not create this task. Coder said: Out of licences. `/task create` creates another."
        in shown(message)
    )


def test_a_muted_task_says_so_and_can_be_unmuted() -> None:
    """The card of a muted task says so, so that people know why nobody is mentioned."""
    message = card(link().model_copy(update={"is_muted": True}))

    assert shown(message)[2].endswith(" · `fix-login-1a2b` · muted")
    assert "Unmute" in buttons(message)


def test_status_leads_to_the_thread() -> None:
    """The private answer to `/task status` shows what the card shows, and has a button to the thread."""
    message = cards.status_card(
        link(), coder_url=CODER, forges=FORGES, permalink="https://acme.slack.com/archives/C1/p1"
    )

    assert next(iter(buttons(message))) == "Open thread"
    assert shown(message)[:3] == shown(card(link()))[:3]


def test_status_of_a_task_without_a_thread_says_how_it_gets_one() -> None:
    """The status of a task without a thread names `/task attach`. It has no buttons that act on the task."""
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
        ":raising_hand: Needs you · “Which branch?” · {ago}",
        "~ bob · docker · `other-task`",
        "[Open in Coder]",
        "~ It has no thread. `/task attach other-task` gives it one in the channel where you type it.",
    ]


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
    """A button names a host with letters of other scripts in the ASCII form that browsers use. Such a host
    does not count as a known forge, even if it looks like one."""
    forges = ("strasse.example.com", "github.com", "example.com")
    button = report_button(f"https://{host}/a/b/pull/1", CODER, forges, is_result=False)

    assert button["text"] == {
        "type": "plain_text",
        "text": f"View pull request ({host_shown})",
        "emoji": False,
    }
