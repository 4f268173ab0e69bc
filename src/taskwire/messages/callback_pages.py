"""The pages that a browser shows after a sign-in at Coder. `app/coder_callback.py` makes their HTML."""

from typing import NamedTuple


class Page(NamedTuple):
    """A page: its HTTP status, its title, and its text."""

    status: int
    title: str
    text: str


ALLOWED = Page(
    200,
    "Go back to Slack",
    "Taskwire tells you there what became of it. If it asks for the number in your browser, it is this one. "
    "If you did not ask Taskwire in Slack to connect your account, close this page and tell the number to "
    "nobody: then nothing is connected.",
)
DENIED = Page(200, "Nothing was connected", "In Slack, /task connect begins again.")
NOT_VALID = Page(
    400, "This link is used or too old", "Nothing was connected. In Slack, /task connect begins again."
)
TRY_AGAIN = Page(503, "Taskwire cannot store anything now", "Load this page again in a minute.")
STARTING = Page(503, "Taskwire is starting", "Load this page again in a minute.")
