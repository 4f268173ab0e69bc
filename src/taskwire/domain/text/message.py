"""A message for Slack, and the ids of buttons and dialogs.

A message has a text that is complete by itself, and blocks that show the same content in a better form. The
value of a button is the id of the object on which the button acts, usually a link. A click is not trusted:
its handler looks up the object and checks what the person may do.
"""

import re
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, JsonValue

from taskwire.domain.sealed_model import SealedModel

Block = dict[str, JsonValue]

# JSON writes these characters as two.
_ESCAPED = re.compile(r'[\n\t"\\]')


def json_length(text: str) -> int:
    """Return how many characters of a message's JSON a text takes, without the blanks at its ends."""
    return len(text.strip()) + len(_ESCAPED.findall(text.strip()))


class Message(SealedModel):
    """A message to post. Slack's notifications show only `text`, which is never empty."""

    model_config = ConfigDict(frozen=True)

    text: str
    blocks: tuple[Block, ...] = ()


class AgentOutput(SealedModel):
    """The agent's output for a notice. It is read once, so every try of the notice posts the same output.

    `answer` is the agent's answer as Markdown. If no answer was recognised, `text` is the end of the agent's
    output. If `answer` or `text` was cut, `full_text` is the whole text. `steps_text` is what the agent wrote
    and did before its answer.
    """

    model_config = ConfigDict(frozen=True)

    answer: str = ""
    text: str = ""
    full_text: str = ""
    steps_text: str = ""
    step_count: int = 0
    tests_passed: int = 0
    tests_failed: int = 0
    cursor: str = ""


class View(BaseModel):
    """A dialog or a Home page, in Slack's format."""

    model_config = ConfigDict(frozen=True)

    content: Block


class Button(StrEnum):
    """The action id of each button."""

    # The menu of a card. The value of each option is the id of a button, a blank, and that button's value.
    MENU = "task.menu"
    # This entry of the menu opens a dialog with the link to the task's page.
    PAGE = "task.page"
    ANSWER = "task.answer"
    LOGS = "task.logs"
    # The value is the link's id, a blank, the key of the notice, a colon, and the number of the choice. The
    # number also ends the action id, because the action ids in one row must differ.
    CHOOSE = "choice.press"
    # The value is the link's id, a blank, and the key of the note that keeps the steps.
    STEPS = "steps.show"
    PAUSE = "task.pause"
    RESUME = "task.resume"
    RETRY = "task.retry"
    EDIT = "task.edit"
    DELETE = "task.delete"
    DETACH = "task.detach"
    MUTE = "task.mute"
    UNMUTE = "task.unmute"
    FOLLOW = "task.follow"
    UNFOLLOW = "task.unfollow"
    # The value is the id of a task in Coder.
    ATTACH = "task.attach"
    WATCH = "task.watch"
    UNWATCH = "task.unwatch"
    SHARE = "task.share"
    # Opens the form for a new task, filled in with the values of this task.
    NEW_LIKE = "task.new_like"
    GIVE_THREAD = "task.give_thread"
    READ_REPLIES = "task.read_replies"
    READ_MENTIONS = "task.read_mentions"
    # Opens the address that the agent reported. The value is the link's id. A press by the task's owner is
    # recorded.
    OPEN_RESULT = "open.result"
    # A click means that the task's owner has seen what the agent reported. The value is the link's id.
    SEEN = "home.seen"
    # These buttons only open a page. Slack sends a click for them too.
    OPEN_CODER = "open.coder"
    OPEN_LINK = "open.link"
    OPEN_THREAD = "open.thread"
    # The value is the link's id, a blank, and the id of the job that waits for a person's decision.
    ARRIVED = "input.arrived"
    SEND_AGAIN = "input.again"
    DROP_INPUT = "input.drop"
    SEND_AS_IT_IS = "input.as_it_is"
    SEND_STILL = "input.still"
    # The value is the link's id, a blank, the verb, a colon, and the id of the reply's job. A number ends the
    # action id, as in `CHOOSE`.
    DO_VERB = "verb.do"
    # The value is the key of the note that keeps the offered commands. The number at the end of the action id
    # says which command the button runs.
    RUN_OFFERED = "command.run"
    ASK_OWNER = "teammate.ask"
    SEND_THEIRS = "teammate.send"
    ALWAYS_LET = "teammate.always"
    NOT_NOW = "teammate.not_now"
    RETRY_AND_SEND = "input.retry"
    RESUME_AND_SEND = "held.send"
    DROP_HELD = "held.drop"
    # The value is the key of a note that holds the request for a while.
    CREATE_ANOTHER = "create.another"
    CREATE = "create.offered"
    CHANGE_REQUEST = "create.change"
    PAUSE_TO_EDIT = "edit.pause"
    # The value is the number of the page, a blank, and the filter. A number may end the action's id.
    LIST_PAGE = "list.page"
    OWN_TASKS = "list.own"
    # The value is the number of the page of the audit trail, a blank, and the filter.
    AUDIT_PAGE = "audit.page"
    HELP = "help.show"
    # The value is the template's id in Coder.
    USE_TEMPLATE = "template.use"
    NEW_TASK = "form.open"
    SETTINGS = "settings.open"
    SNOOZE_HOUR = "reminder.hour"
    SNOOZE_TOMORROW = "reminder.tomorrow"
    PREFERENCES = "preferences.open"
    CONNECT = "account.connect"
    DISCONNECT = "account.disconnect"
    # Leads to the page of Coder on which a person connects an account.
    AUTHORIZE = "account.authorize"
    CONFIRM_ACCOUNT = "account.confirm"
    # The value is the link's id, a blank, and the key of the note that holds the answer.
    SHOW_ANSWER = "answer.show"

    @classmethod
    def from_action_id(cls, action_id: str) -> "Button | None":
        """Return the button of an action id; None if unknown. A number at the end of the id is ignored."""
        name, _, number = action_id.rpartition(".")
        name = name if number.isdecimal() else action_id
        return cls(name) if name in list(cls) else None


# In the value of *Retry and send* in a notice, this text precedes the id of the reply's job.
FROM_NOTICE = "notice:"


class Dialog(StrEnum):
    """The callback id of each dialog."""

    CREATE = "create"
    EDIT = "edit"
    DELETE = "delete"
    ANSWER = "answer"
    # This dialog only shows the link to the task's page.
    PAGE = "page"
    # This dialog only shows what the agent wrote last.
    LOGS = "logs"
    SHARE = "share"
    SETTINGS = "settings"
    PREFERENCES = "preferences"
    CONNECT = "connect"
    CONFIRM_ACCOUNT = "confirm_account"
