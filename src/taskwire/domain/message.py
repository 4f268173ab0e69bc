"""A message for Slack, with the ids of its buttons and dialogs.

A message is a text that is complete by itself, and blocks that show the same in a better form. A button's
value is the id of the object that it acts on, usually a link. The value does not say what the button does to
it: the click's handler looks that up and checks it.
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, JsonValue

Block = dict[str, JsonValue]


class Message(BaseModel):
    """A message to post. `text` is what a notification shows, and is never empty."""

    model_config = ConfigDict(frozen=True)

    text: str
    blocks: tuple[Block, ...] = ()


class AgentOutput(BaseModel):
    """The agent's output for a notice. It is read once, so that every try of the notice posts the same."""

    model_config = ConfigDict(frozen=True)

    text: str = ""
    whole: str = ""
    cursor: str = ""


class View(BaseModel):
    """A dialog or a Home page, in Slack's format."""

    model_config = ConfigDict(frozen=True)

    content: Block


class Button(StrEnum):
    """The action id of each button."""

    LOGS = "task.logs"
    PAUSE = "task.pause"
    RESUME = "task.resume"
    RETRY = "task.retry"
    EDIT = "task.edit"
    DELETE = "task.delete"
    DETACH = "task.detach"
    MUTE = "task.mute"
    UNMUTE = "task.unmute"
    # These only open a page. Slack sends a click for them all the same.
    OPEN_CODER = "open.coder"
    OPEN_LINK = "open.link"
    OPEN_THREAD = "open.thread"
    # The value of these is the link's id, a blank, and the id of the job that waits for a person's decision.
    ARRIVED = "input.arrived"
    SEND_AGAIN = "input.again"
    DROP_INPUT = "input.drop"
    SEND_AS_IT_IS = "input.as_it_is"
    SEND_STILL = "input.still"
    RETRY_AND_SEND = "input.retry"
    RESUME_AND_SEND = "held.send"
    DROP_HELD = "held.drop"
    # The value of these names a note that keeps the request for a while.
    CREATE_ANOTHER = "create.another"
    PAUSE_TO_EDIT = "edit.pause"
    LIST_PAGE = "list.page"
    NEW_TASK = "form.open"
    # The value is the link's id, a blank, and the key of the note that keeps the answer.
    SHOW_ANSWER = "answer.show"


class Dialog(StrEnum):
    """The callback id of each dialog."""

    CREATE = "create"
    EDIT = "edit"
    DELETE = "delete"
