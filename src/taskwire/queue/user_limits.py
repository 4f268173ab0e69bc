"""Limits how many requests one person may make in a minute, and says what is written above the limit.

The script that claims a delivery applies the limit (`queue/inbox.py`). So the limit counts a delivery once,
even if Slack delivers it several times.

Pauses, other actions on a task, and questions are counted separately, so that questions never prevent a
person from acting. Decisions about waiting replies have a higher limit, because the bot asks for each
decision. Presses that open a dialog or choose from a card's menu are counted for all tasks together. A
request above the limit is not carried out. The person is told this once a minute.

Replies are not counted by the minute. While Coder is away, Taskwire cannot check whether the authors of new
replies may steer the task. Such replies wait, but at most `MAX_UNCHECKED_REPLIES` of each person. Otherwise a
person without rights could fill the queue of somebody's agent. All strangers together may have at most
`MAX_UNCHECKED_OF_STRANGERS` waiting replies. A stranger is a person who is not known to steer the task. The
replies of the task's owner have no such limits.

Edits and deletions of messages need no check, but each is a job in the queue of the agent. So at most
`MAX_WAITING_CHANGES` messages of each person, and `MAX_UNCHECKED_OF_STRANGERS` messages of all strangers
together, may have a change that waits. A newer change of a message replaces the change that waits.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import Ts, UserId, microseconds
from taskwire.domain.text.message import Button
from taskwire.queue.batch import Batch

# Each limit applies to every span of time of this length.
REQUEST_WINDOW_MS = 60_000
# How long a request is remembered. Slack retries a delivery for six minutes, so a request may arrive that
# long after it was written.
REQUEST_TTL_MS = 600_000
# How many requests of a person are remembered. Backfill may bring many at once.
MAX_REMEMBERED_REQUESTS = 200

# How many replies of a person may wait to be checked for one agent, and the kind of this limit.
MAX_UNCHECKED_REPLIES, UNCHECKED = 30, "unchecked"
# How many messages of a person may have a waiting edit or deletion for one agent, and the kind of this limit.
MAX_WAITING_CHANGES, CHANGES = 30, "changes"
# How many messages of a thread that one person has picked for its agent may wait, the kind of this limit, and
# how the ids of their jobs begin.
MAX_WAITING_PICKED, PICKED, PICKED_ID_PREFIX = 30, "picked", "send_to_task:"
# At most this many replies of strangers may wait to be checked, and as many messages of strangers may have a
# waiting edit or deletion. A stranger is a person without the note below. The other places of the queue are
# for the task's owner and for people with that note.
MAX_UNCHECKED_OF_STRANGERS = 100
# The note that says that a person may steer a task: the owner has shared the task with the person, or a reply
# of the person was accepted. The note gives no right, only a place in the queue.
STEERER, STEERER_TTL_MS = "steerer", 30 * DAY_MS

# The constants of `lua/user_limits.lua`.
CONSTANTS: dict[str, str | int] = {
    "REQUEST_WINDOW_MS": REQUEST_WINDOW_MS,
    "REQUEST_TTL_MS": REQUEST_TTL_MS,
    "MAX_REMEMBERED_REQUESTS": MAX_REMEMBERED_REQUESTS,
    "UNCHECKED": UNCHECKED,
    "CHANGES": CHANGES,
    "PICKED": PICKED,
    "PICKED_KIND": PICKED_ID_PREFIX.removesuffix(":"),
    "MAX_UNCHECKED_OF_STRANGERS": MAX_UNCHECKED_OF_STRANGERS,
    "STEERER": STEERER,
}


@dataclass(frozen=True)
class UserLimit:
    """How many requests of one kind a person may make in a minute in one thread.

    `link` is the id of the link that a button names. `link` is empty for a message: the script finds the link
    of the message's thread. `when_told` and `when_limited` are written in place of a request above the limit.
    `when_told` tells the person about the limit. It is written at most once a minute, and `when_limited` is
    written at all other times. `job` is the id of the job of an edit or a deletion. If a job with this id
    waits, the new job only replaces it, so it is not above the limit.
    """

    person: UserId
    kind: str
    at: Ts
    most: int
    link: str = ""
    when_told: Batch = field(default_factory=Batch)
    when_limited: Batch = field(default_factory=Batch)
    job: str = ""

    def encoded(self, mask: Callable[[str], str] = str) -> str:
        """Return the limit as JSON for the script. `mask` hides our own tokens in the JSON text."""
        return json.dumps(
            {
                "person": self.person,
                "kind": self.kind,
                "at_ms": microseconds(self.at) // 1000,
                "most": self.most,
                "link": self.link,
                "when_told": self.when_told.encoded(mask),
                "when_limited": self.when_limited.encoded(mask),
                "job": self.job,
            }
        )


# The kind of the limit on previews of links.
PREVIEW = "preview"
# The kind of the limit on submitted dialogs that are checked at once.
CHECKED_DIALOG = "checked_dialog"
# The kind of the limit on templates that a person chooses in open dialogs, and the limit. A person who looks
# for a template in a long menu may choose a dozen in a minute.
TEMPLATE_CHOICE, MAX_TEMPLATE_CHOICES = "template", 20

# The kind of the limit on the commands `send` and `create`, and the limit.
TEXT_COMMAND, MAX_TEXT_COMMANDS = "text_command", 30

RequestKind = Literal["ask", "pause", "steer", "decide", "press"]
# The most requests of each kind in a window. Slack lets the bot open 100 dialogs and edit 50 messages a
# minute, for all people together. So one person's presses that open a dialog or edit a card are counted
# together for all cards (`press`).
MAX_PER_MINUTE: dict[RequestKind, int] = {"ask": 10, "pause": 10, "steer": 10, "decide": 30, "press": 20}

_KINDS: dict[Button, RequestKind] = {
    Button.PAUSE: "pause",
    Button.RESUME: "steer",
    Button.RETRY: "steer",
    Button.DELETE: "press",
    Button.DETACH: "steer",
    Button.ARRIVED: "decide",
    Button.SEND_AGAIN: "decide",
    Button.DROP_INPUT: "decide",
    Button.SEND_AS_IT_IS: "decide",
    Button.SEND_STILL: "decide",
    Button.DO_VERB: "press",
    Button.RETRY_AND_SEND: "decide",
    Button.ASK_OWNER: "decide",
    Button.SEND_THEIRS: "decide",
    Button.ALWAYS_LET: "decide",
    Button.NOT_NOW: "decide",
    Button.RESUME_AND_SEND: "decide",
    Button.DROP_HELD: "decide",
    Button.PAUSE_TO_EDIT: "decide",
    Button.CHOOSE: "decide",
    Button.OPEN_RESULT: "decide",
    Button.SEEN: "decide",
    Button.LOGS: "press",
    Button.STEPS: "ask",
    Button.EDIT: "press",
    Button.ANSWER: "press",
    Button.PAGE: "press",
    Button.SNOOZE_HOUR: "ask",
    Button.SNOOZE_TOMORROW: "ask",
    Button.ATTACH: "steer",
    Button.FOLLOW: "press",
    Button.UNFOLLOW: "press",
    Button.MUTE: "press",
    Button.UNMUTE: "press",
    Button.WATCH: "press",
    Button.UNWATCH: "press",
    Button.SHARE: "press",
    Button.NEW_LIKE: "press",
    Button.SHOW_ANSWER: "ask",
    Button.CREATE_ANOTHER: "ask",
    Button.CREATE: "ask",
    Button.CHANGE_REQUEST: "ask",
    Button.GIVE_THREAD: "steer",
    Button.READ_REPLIES: "press",
    Button.READ_MENTIONS: "press",
    Button.DISCONNECT: "ask",
}
# A button that is not in `_KINDS` asks something that is about no task (`Ingress.count_question`), has the
# limit of its `/task` command, or is a link that Slack opens by itself.
_VERBS: dict[str, RequestKind] = {"pause": "pause", "resume": "steer", "delete": "steer", "detach": "steer"}


def limit_of_press(button: Button | None, link: str, person: UserId, at: Ts) -> UserLimit | None:
    """Return the limit on a press of a button; None if the button has no limit."""
    kind = _KINDS.get(button) if button is not None else None
    if kind is None:
        return None
    return UserLimit(person, kind, at, MAX_PER_MINUTE[kind], "" if kind == "press" else link)


def limit_of_checked_dialogs(person: UserId, at: Ts) -> UserLimit:
    """Return the limit on submitted dialogs about which the bot asks Slack or Coder before it answers Slack.

    Such a dialog stays open if something is wrong with it, so it can be submitted again and again.
    """
    return UserLimit(person, CHECKED_DIALOG, at, MAX_PER_MINUTE["ask"])


def limit_of_command(verb: str, person: UserId, at: Ts) -> UserLimit:
    """Return the limit on a command. Commands about different tasks are counted together.

    Replies and new tasks have limits of their own. But each `send` and each `create` asks Coder, also if it
    is refused.
    """
    if verb in ("create", "send"):
        return UserLimit(person, TEXT_COMMAND, at, MAX_TEXT_COMMANDS)
    kind = _VERBS.get(verb, "ask")
    return UserLimit(person, kind, at, MAX_PER_MINUTE[kind])


def limit_of_verb(name: str, person: UserId, at: Ts, when_told: Batch, when_limited: Batch) -> UserLimit:
    """Return the limit on a verb in a thread. If `name` is no verb, it counts as a question."""
    kind = _VERBS.get(name, "ask")
    return UserLimit(person, kind, at, MAX_PER_MINUTE[kind], when_told=when_told, when_limited=when_limited)


def limit_of_previews(person: UserId, at: Ts) -> UserLimit:
    """Return the limit on messages whose links to tasks get a preview.

    They are counted apart from questions, because the person has not asked the bot anything.
    """
    return UserLimit(person, PREVIEW, at, MAX_PER_MINUTE["ask"])


def limit_of_template_choices(person: UserId, at: Ts) -> UserLimit:
    """Return the limit on templates that a person chooses in open dialogs. They are counted apart from
    questions, because each follows a dialog that was counted."""
    return UserLimit(person, TEMPLATE_CHOICE, at, MAX_TEMPLATE_CHOICES)


def limit_of_reply(person: UserId, at: Ts, when_told: Batch, when_limited: Batch) -> UserLimit:
    """Return the limit on a person's replies that wait until Taskwire can check the person's rights.

    The limit is a number of waiting replies, not a number in a minute.
    """
    return UserLimit(
        person, UNCHECKED, at, MAX_UNCHECKED_REPLIES, when_told=when_told, when_limited=when_limited
    )


def limit_of_change(person: UserId, at: Ts, when_told: Batch, job: str) -> UserLimit:
    """Return the limit on edits and deletions that wait. `job` is the id of the job of this change."""
    return UserLimit(person, CHANGES, at, MAX_WAITING_CHANGES, when_told=when_told, job=job)


def limit_of_picked(person: UserId, at: Ts) -> UserLimit:
    """Return the limit on messages that a person picks for an agent by *Send to its task*, and that wait.

    The limit is a number of waiting messages, not a number in a minute. The task's owner has no such limit.
    """
    return UserLimit(person, PICKED, at, MAX_WAITING_PICKED)
