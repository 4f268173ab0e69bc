"""What can be clicked: the action ids of buttons and the callback ids of dialogs.

A button's value is the id of what it acts on (a link's, mostly), never what follows from it: that is
looked up, and checked, when it is clicked.
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
    # Links that only open a page; Slack sends a click for them all the same.
    OPEN_CODER = "open.coder"
    OPEN_LINK = "open.link"
    OPEN_THREAD = "open.thread"
    # A value of these is the id of the job that waits for a person's word, after its link's id and a blank.
    ARRIVED = "input.arrived"
    SEND_AGAIN = "input.again"
    DROP_INPUT = "input.drop"
    SEND_AS_IT_IS = "input.as_it_is"
    SEND_STILL = "input.still"
    RETRY_AND_SEND = "input.retry"
    RESUME_AND_SEND = "held.send"
    DROP_HELD = "held.drop"
    # A value of these names what was asked, kept for a while.
    CREATE_ANOTHER = "create.another"
    PAUSE_TO_EDIT = "edit.pause"
    LIST_PAGE = "list.page"
    NEW_TASK = "form.open"
    # After its link's id and a blank: under which note the answer is kept.
    SHOW_ANSWER = "answer.show"


class Dialog(StrEnum):
    """The callback id of each dialog."""

    CREATE = "create"
    EDIT = "edit"
    DELETE = "delete"
