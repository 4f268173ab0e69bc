"""The action ids of buttons and the callback ids of dialogs.

A button's value is the id of the object that it acts on, usually a link. The value does not say what the
button does to it: the click's handler looks that up and checks it.
"""

from enum import StrEnum


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
