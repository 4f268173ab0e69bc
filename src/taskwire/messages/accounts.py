"""Messages to a person about their own Coder account: how to connect it, and the result."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from taskwire.domain.text.message import Block, Button, Dialog, Message, View
from taskwire.messages.blocks import bold_name, button, escape_line, plain_text
from taskwire.messages.dialog_fields import make_field, make_view, small_text
from taskwire.messages.refusals import Refusal
from taskwire.messages.shapes import question, statement

# The block id and the action id of the field for a token.
PASTE_FIELD = "account.token"
# In characters. Coder's tokens have 33; a much longer text cannot be a token.
TOKEN_LENGTH = 200
# A message names at most this many of the tasks that the bot cannot see any more.
MOST_NAMED = 3
# The block id and the action id of the field for the number that a browser shows.
NUMBER_FIELD = "account.number"
# Why something was not done, after `taskwire forget` has removed the person.
FORGOTTEN_ACCOUNT = (
    "It needs the Coder account of a person who was removed from Taskwire. Ask a Taskwire administrator."
)
REFUSED_PASTE = "Coder refuses this token. Copy a new one and paste it."
NO_NUMBER = "Enter the number that your browser shows."
NOTHING_PASTED = "Paste the token that Coder's page shows."
UNUSABLE_PASTE = "Not a token: it has spaces or odd characters. Copy the whole token from Coder's page again."


class ConnectWays(NamedTuple):
    """How this deployment connects accounts: with a token, and perhaps on a page of Coder."""

    coder_url: str
    has_page: bool = False

    @property
    def steps(self) -> str:
        """The steps by which a person connects an account, as a sentence; empty if the button says enough."""
        return "" if self.has_page else " Copy a token from Coder's page, then paste it."


class ShownAccount(NamedTuple):
    """A person's own account as their Home tab shows it. Without an account, `username` is empty."""

    username: str = ""
    until: datetime | None = None
    is_refused: bool = False
    # Whether the person may act without an account of their own.
    is_optional: bool = True
    # Whether accounts are connected on a page of Coder.
    has_page: bool = False


def describe_account(account: ShownAccount) -> str:
    """Return a line about a person's own account, as mrkdwn."""
    if not account.username:
        return (
            "I act for you with a shared Coder account. Connect your own to act in your own name."
            if account.is_optional
            else "You have connected no Coder account. Your requests wait."
        )
    name = escape_line(account.username, 60)
    if account.is_refused:
        return f"Coder refuses my token for your account *{name}*. Your requests wait."
    until = account.until
    ends = f" {_say_end(until)}" if until is not None else ""
    return f"You are *{name}* in Coder.{ends}"


def _connect_buttons(ways: ConnectWays, *, is_connected: bool = False) -> list[Block]:
    """Return the button for each step, in order. The first step is highlighted if nothing is connected."""
    if ways.has_page:
        page = button(Button.AUTHORIZE, "Connect with Coder", "connect", style="primary")
        return [page, _token_button()]
    page = button(
        Button.OPEN_CODER,
        "Get a token",
        "",
        url=f"{ways.coder_url}/cli-auth",
        style="" if is_connected else "primary",
    )
    label = "Paste another token" if is_connected else "Paste the token"
    return [page, button(Button.CONNECT, label, "connect")]


def disconnect_button() -> Block:
    """Make the button that disconnects the person's account."""
    return button(Button.DISCONNECT, "Disconnect", "disconnect")


def _token_button() -> Block:
    return button(Button.CONNECT, "Paste a token instead", "connect")


def offer_page(url: str, username: str = "") -> Message:
    """Offer a button to the page of Coder on which a person connects an account.

    `username` is the account that is connected now; empty if there is none.
    """
    known = f"You are *{escape_line(username, 60)}* in Coder. " if username else ""
    which, then = (
        ("another account", "") if username else ("your Coder account", " You then act in your own name.")
    )
    words = (
        f"{known}Connect {which}: allow Taskwire on Coder's page.{then} This link is for you alone, and "
        "works for 10 minutes."
    )
    page = button(Button.OPEN_CODER, "Open Coder", url=url, style="primary")
    return question(words, "", [page, _token_button()])


def ask_for_number(username: str) -> Message:
    """Ask a person to type the number that their browser shows, before the account is connected.

    The number is needed if the account's e-mail address is not the person's address in Slack.
    """
    words = (
        f"Is *{escape_line(username, 60)}* your Coder account? Then enter the number that your browser "
        "shows. If you did not ask for this, do nothing: the request ends after 10 minutes."
    )
    return question(
        words, "", [button(Button.CONFIRM_ACCOUNT, "Enter the number", "confirm", style="primary")]
    )


def confirm_dialog(private_metadata: str) -> View:
    """Make the dialog in which the person types the number that their browser shows."""
    element: Block = {
        "type": "plain_text_input",
        "action_id": NUMBER_FIELD,
        "max_length": 20,
        "focus_on_load": True,
    }
    layout = [make_field(NUMBER_FIELD, "Number in your browser", element)]
    return make_view(Dialog.CONFIRM_ACCOUNT, layout, private_metadata, "Connect")


def offer_to_connect(ways: ConnectWays) -> Message:
    """Say how to connect a Coder account. There is a button for Coder's page and one for a token."""
    words = f"Connect your Coder account to act in your own name.{ways.steps}"
    return question(words, "", _connect_buttons(ways))


def offer_another(username: str, ways: ConnectWays) -> Message:
    """Say which Coder account is connected, with the buttons to connect this account again or another one."""
    words = f"You are *{escape_line(username, 60)}* in Coder."
    return question(words, "", [disconnect_button(), *_connect_buttons(ways, is_connected=True)])


def pasted_token_refused(ways: ConnectWays) -> Message:
    """Say that Coder does not accept the token that the person has pasted, with the buttons to try again."""
    words = "Coder refuses this token. Press *Connect with Coder*, or paste another token."
    return question(words if ways.has_page else REFUSED_PASTE, "", _connect_buttons(ways))


def request_waits(wish: str, ways: ConnectWays) -> Message:
    """Say that a request waits until the person has connected an account. `wish` describes the request."""
    words = f"{_start_sentence(wish)} has to wait until you connect your Coder account.{ways.steps}"
    return question(words, "", _connect_buttons(ways))


def _say_end(until: datetime) -> str:
    return (
        f"My token for you ends on {until:%B} {until.day}, {until.year}; I renew it before that, or tell you "
        "if I can't."
    )


def _count_requests(number: int) -> str:
    return "1 request already waits" if number == 1 else f"{number} requests already wait"


def _start_sentence(wish: str) -> str:
    return wish[:1].upper() + wish[1:]


def request_waits_again(username: str, wish: str, ways: ConnectWays) -> Message:
    """Say that Coder no longer accepts the person's token, and that the person's last request waits."""
    words = (
        f"Coder refuses my token for your account *{escape_line(username, 60)}*. "
        f"{_start_sentence(wish)} has to wait until you connect again."
    )
    return question(words, "", _connect_buttons(ways))


def request_waits_for_renewal(wish: str) -> Message:
    """Say that a request waits until the token of the person's account is renewed, which takes seconds."""
    return statement(
        f"{_start_sentence(wish)} has to wait a moment: I'm renewing my access to your Coder account."
    )


def request_waits_for_owner(owner: str, wish: str) -> Message:
    """Say that a request waits until the task's owner, a person in Slack, has connected their account."""
    return statement(f"I can't use <@{owner}>'s Coder account now, so {wish} has to wait. I told them.")


def too_many_wait(most: int, ways: ConnectWays) -> Message:
    """Say that a request was not kept, because `most` requests already wait for the account."""
    words = (
        f"{_count_requests(most)} for your Coder account, so I did not keep this one. Connect and ask again."
    )
    return question(words, "", _connect_buttons(ways))


def too_many_wait_for_owner(owner: str, most: int) -> Message:
    """Say that a request was not kept, because `most` requests of others wait for the owner's account."""
    words = f"I can't use <@{owner}>'s Coder account now. {most} requests of other people wait for it, so I"
    return statement(f"{words} did not keep yours. Ask again later.")


def too_many_of_yours_wait(owner: str, most: int) -> Message:
    """Say that a request was not kept, because `most` requests of its author wait for the owner's account."""
    words = f"I can't use <@{owner}>'s Coder account now. {most} of your requests wait for it already, so I"
    return statement(f"{words} did not keep this one. Ask again later.")


def needs_forgotten_account(wish: str) -> Message:
    """Say that a request was not kept, because the person whose account it needs was forgotten."""
    return statement(f"{_start_sentence(wish)} failed. {FORGOTTEN_ACCOUNT}")


def request_given_up(wish: str, owner: str = "") -> Message:
    """Say that a request has waited a week for an account, and was given up.

    `owner` is the person in Slack whose account is missing; empty if it is the reader.
    """
    if owner:
        why, then = f"<@{owner}> connected no Coder account within a week", "Ask again when they have one."
    else:
        why, then = "You connected no Coder account within a week", "Connect your account, then ask again."
    return statement(f"{why}, so {wish} failed. {then}")


def account_needed(ways: ConnectWays) -> Message:
    """Say to a person without an account, in a direct message, that a request waits for the account."""
    words = f"A request of yours waits for your Coder account.{ways.steps}"
    return question(words, "", _connect_buttons(ways))


def account_ended(username: str, ways: ConnectWays) -> Message:
    """Say that Coder no longer accepts the person's token, and that the person's requests wait."""
    words = (
        f"Coder refuses my token for your account *{escape_line(username, 60)}*. Your requests have to "
        "wait until you connect again."
    )
    return question(words, "", _connect_buttons(ways))


def account_replaced(username: str, name: str) -> Message:
    """Say to a person whose token Coder refuses that another person has connected the same Coder account.

    `name` is that person's name in Slack; empty if it is not known.
    """
    return statement(
        f"Coder refused my token for you, and {escape_line(name, 80) or 'somebody else'} has since connected "
        f"the Coder account *{escape_line(username, 60)}*. You have no account connected now. `/task "
        "connect` connects one."
    )


def account_ends(username: str, until: datetime, ways: ConnectWays) -> Message:
    """Say that the person's token ends soon, and that Coder did not let the bot renew it."""
    words = (
        f"My token for your account *{escape_line(username, 60)}* ends on {until:%B} {until.day}, and I "
        "can't renew it. Connect again before that."
    )
    return question(words, "", _connect_buttons(ways))


def connected(
    username: str,
    until: datetime | None = None,
    *,
    is_kept: bool = False,
    is_other_address: bool = False,
) -> Message:
    """Say which account is connected.

    `is_kept` is true if the bot keeps the token that the person pasted, because Coder refused to make another
    token. If `is_other_address`, warn the person that the account may be somebody else's.
    """
    words = [f"Connected: you are *{escape_line(username, 60)}* in Coder."]
    if is_other_address:
        words.append(
            "This account's e-mail address is not the one that you use in Slack. If the account is somebody "
            "else's, disconnect."
        )
    if until is not None:
        words.append(_say_end(until))
    if is_kept:
        words.append("Coder did not let me make a token for Taskwire, so I keep the one that you pasted.")
    return question(" ".join(words), "", [disconnect_button()])


def disconnected(
    username: str,
    unwatched: Sequence[str],
    ways: ConnectWays,
    *,
    is_deleted: bool = True,
    is_suspended: bool = False,
) -> Message:
    """Say that the account is disconnected.

    `unwatched` are the titles of the person's tasks that the bot cannot see now. `is_deleted` is false if
    Coder did not confirm that it deleted the token. `is_suspended` is true if Coder has suspended
    the account.
    """
    words = f"Disconnected from *{escape_line(username, 60)}*. I deleted my "
    page: list[Block] = []
    if is_suspended:
        words += (
            "copy of the token. Coder has suspended this account, so you can't steer tasks until you connect "
            "an account that Coder accepts."
        )
    elif is_deleted:
        words += "token for you."
    else:
        words += "copy of the token, but Coder did not answer. "
        words += "The token `taskwire` may still be in Coder: delete it there."
        page = [button(Button.OPEN_CODER, "Coder's tokens", url=f"{ways.coder_url}/settings/tokens")]
    if not unwatched:
        return question(words, "", page)
    names = [bold_name(title) for title in unwatched[:MOST_NAMED]]
    if len(unwatched) > MOST_NAMED:
        names.append(f"{len(unwatched) - MOST_NAMED} more")
    shown = " and ".join([*([", ".join(names[:-1])] if names[1:] else []), names[-1]])
    words += f" I can't see {shown}: replies wait until you connect again."
    return question(words, "", [*page, *_connect_buttons(ways)])


def owner_not_connected(name: str) -> Refusal:
    """Say that the bot cannot see a task, because the task's owner has connected no account."""
    return (
        f"I can't see `{escape_line(name, 60)}` in Coder: its owner has connected no account.",
        "Ask its owner to connect one and attach the task.",
    )


def token_being_renewed() -> Refusal:
    """Say that a dialog cannot show anything until the person's token is renewed, which takes seconds."""
    return ("I'm renewing my access to your Coder account.", "Try again in a moment.")


def account_was_suspended(username: str) -> Refusal:
    """Say that Coder had suspended the person's account before they disconnected it."""
    return (
        f"Coder suspended your account ({escape_line(username, 60)}), and you have connected no other.",
        "Ask a Coder administrator, then connect your account with `/task connect`.",
    )


def had_no_account() -> Refusal:
    """Say that the person had no account in Coder before Coder stopped answering."""
    return (
        "Coder does not answer now. When it last did, it had no account for you.",
        "I can look again when it answers.",
    )


def nothing_connected() -> Message:
    """Say that there is no account to disconnect."""
    return statement("You have connected no Coder account.")


def found_by_email() -> Message:
    """Say that this deployment finds people's accounts by their e-mail addresses."""
    return statement("There is nothing to connect here: I find your Coder account by your e-mail address.")


def connect_dialog(coder_url: str, private_metadata: str) -> View:
    """Make the dialog that takes a token."""
    where = f"Copy a token from <{coder_url}/cli-auth|Coder's page>, then paste it here. "
    element: Block = {
        "type": "plain_text_input",
        "action_id": PASTE_FIELD,
        "max_length": TOKEN_LENGTH,
        "focus_on_load": True,
        "placeholder": plain_text("abcdefghij-…", 150),
    }
    layout = [
        make_field(PASTE_FIELD, "Token from Coder", element),
        small_text(
            "kept",
            f"{where}I'll replace it with one made for Taskwire if Coder allows that, and store it "
            "encrypted.",
        ),
    ]
    return make_view(Dialog.CONNECT, layout, private_metadata, "Connect")
