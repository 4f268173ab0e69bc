"""What people read: the bot's messages as Slack shows them, and which messages nobody has read yet."""

from collections.abc import Iterable, Mapping
from typing import cast

from taskwire_sandbox.coder import CoderSandbox
from taskwire_sandbox.slack import SlackSandbox

Raw = Mapping[str, object]


class Reader:
    """Remembers which of the bot's messages a story has read."""

    def __init__(self, slack: SlackSandbox, coder: CoderSandbox) -> None:
        self._slack = slack
        self._coder = coder
        self._read: set[tuple[str, str]] = set()

    def new_in(self, channel: str, thread_ts: str) -> list[str]:
        """Return the bot's unread messages in a thread, without the card. Count them as read from now on."""
        found = []
        thread = self._slack.thread(channel, thread_ts)
        for message in thread:
            place = (channel, str(message["ts"]))
            if message["ts"] == thread_ts or not message.get("bot_id") or place in self._read:
                continue
            self._read.add(place)
            if is_notice(message):
                check_page(message, self._page_of(message, thread[0]))
            found.append(shown(message))
        return found

    def _page_of(self, message: Raw, card: Raw) -> str:
        """Return the address of the page of a thread's task, or an empty text if the task is gone.

        The id of the task is in the card. A new card has no task id yet, and then the id in the notice is
        used.
        """
        task_id = _about(card).get("task_id") or _about(message)["task_id"]
        task = self._coder.world.tasks.get(task_id)
        return f"{self._coder.url}/tasks/{task.owner.username}/{task.id}" if task else ""

    def is_unread(self, channel: str, message: Raw) -> bool:
        """Return whether a message of the bot is unread."""
        return bool(message.get("bot_id")) and (channel, str(message["ts"])) not in self._read

    def read_root(self, channel: str, ts: str) -> None:
        """Count a card as read, because a person opened its thread."""
        self._read.add((channel, ts))

    def read_all(self) -> None:
        """Count every message up to now as read."""
        for channel in self._slack.workspace.channels.values():
            self._read |= {(channel.id, str(message["ts"])) for message in self._every(channel.id)}
        for user in self._slack.workspace.users:
            self._read |= {(user, str(told.ts)) for told in self._slack.ephemerals(user)}

    def new_roots(self) -> list[str]:
        """Return the bot's unread messages outside threads. Count them as read from now on."""
        found = []
        for channel in self._slack.workspace.channels.values():
            for message in self._slack.messages(channel.id):
                place = (channel.id, str(message["ts"]))
                if message.get("bot_id") and place not in self._read:
                    self._read.add(place)
                    found.append(shown(message))
        return found

    def new_directly(self, channel: str) -> list[str]:
        """Return the bot's unread messages in a direct conversation. Count them as read from now on."""
        found = []
        for message in self._slack.messages(channel):
            if self.is_unread(channel, message):
                self._read.add((channel, str(message["ts"])))
                found.append(shown(message))
        return found

    def has_news(self, user: str) -> bool:
        """Return whether this person has an unread message that only they see."""
        return any((user, str(told.ts)) not in self._read for told in self._slack.ephemerals(user))

    def new_privately(self, user: str) -> list[str]:
        """Return the unread messages that only this person sees. Count them as read from now on."""
        found = []
        for ephemeral in self._slack.ephemerals(user):
            place = (user, str(ephemeral.ts))
            if place not in self._read:
                self._read.add(place)
                found.append(shown(ephemeral.body))
        return found

    def unread(self) -> list[str]:
        """Return every message of the bot that nobody has read."""
        left = [
            shown(message)
            for channel in self._slack.workspace.channels.values()
            for message in self._every(channel.id)
            if message.get("bot_id") and (channel.id, str(message["ts"])) not in self._read
        ]
        for user in self._slack.workspace.users:
            left += self.new_privately(user)
        return left

    def _every(self, channel: str) -> Iterable[Raw]:
        for message in self._slack.messages(channel):
            yield message
            if message.get("reply_count"):
                yield from self._slack.thread(channel, str(message["ts"]))[1:]


def shown(message: Raw) -> str:
    """Return a message as a person reads it: text, quotations, buttons and files.

    Check the button that opens the task's page, which every notice has, and leave it out of the text.
    """
    parts = [str(message.get("text", ""))]
    labels = []
    for block in _rows(message.get("blocks")):
        if "accessory" in block:
            words = cast("Raw", block["text"])["text"]
            parts.append(f"{words} [{_label(cast('Raw', block['accessory']))}]")
        if block["type"] == "actions":
            labels += [f"[{_label(element)}]" for element in _rows(block["elements"])]
        if block.get("block_id") in ("prose", "files"):
            parts += answer_lines(block)
        elif block.get("block_id") == "unread":
            pieces = _rows(_rows(block["elements"])[0]["elements"])
            parts.append("".join(str(piece["text"]) for piece in pieces))
        elif block["type"] == "rich_text":
            parts += [_written(part) for part in _rows(block["elements"]) if part["type"] in _QUOTED]
    if is_notice(message):
        check_page(message)
    if is_notice(message) and not _has_lost_its_task(message):
        labels.remove(f"[{OPEN_PAGE}]")
    parts.append(" ".join(labels))
    parts.append(" ".join(f"(file {file['name']})" for file in _rows(message.get("files"))))
    return "\n".join(part for part in parts if part)


# Every notice about an existing task has a button with this label.
OPEN_PAGE = "Open in Coder"
_NOTICES = {"needs_input", "completed", "failed", "error", "paused", "resumed", "stuck", "reminder"}


def is_notice(message: Raw) -> bool:
    """Return whether a message is a notice about a task that existed when the message was posted.

    The line that says that a person paused or resumed a task is not a notice, because it has no headline.
    """
    is_line = all(block.get("block_id") != "headline" for block in _rows(message.get("blocks")))
    return _about(message).get("kind") in _NOTICES and not is_line


def _has_lost_its_task(message: Raw) -> bool:
    """Return whether a notice says that its thread has no task any more."""
    return str(message["text"]).endswith(" Closed: this thread has no task any more.")


def check_page(notice: Raw, page: str = "") -> None:
    """Check that a notice has exactly one button that opens a task's page, and that the notice names this
    task.

    If `page` is given, also check that the button opens this address. A notice whose task has ended must have
    no such button.
    """
    pages = [
        str(element.get("url"))
        for block in _rows(notice.get("blocks"))
        if block["type"] == "actions"
        for element in _rows(block["elements"])
        if _label(element) == OPEN_PAGE
    ]
    says = f"[{OPEN_PAGE}] leads to {pages} in {notice.get('text')}"
    if _has_lost_its_task(notice):
        assert pages == [], says
        return
    assert len(pages) == 1, says
    assert pages[0].endswith(f"/{_about(notice)['task_id']}"), says
    assert page in ("", pages[0]), says


def _about(message: Raw) -> Mapping[str, str]:
    """Return the payload in the metadata of one of the bot's messages."""
    metadata = cast("Mapping[str, Mapping[str, str]]", message.get("metadata") or {})
    return metadata.get("event_payload", {})


def shown_dialog(view: Raw) -> str:
    """Return a dialog as a person reads it: its title, its text, and each field with its value."""
    title, submit = (cast("Raw", view[key] or {}).get("text", "") for key in ("title", "submit"))
    values = cast("Raw", cast("Raw", view["state"])["values"])
    lines = [f"[{title}]"]
    for block in _rows(view["blocks"]):
        if block["type"] == "input":
            entered = _entered(values.get(str(block["block_id"])))
            lines.append(f"{_label_of(block)}: {entered or _buttons_of(block)}")
        elif block["type"] == "section":
            lines.append(str(cast("Raw", block["text"])["text"]))
        elif block["type"] == "context":
            lines.append(" · ".join(str(piece["text"]) for piece in _rows(block["elements"])))
        elif block["type"] == "rich_text":
            parts = [_rows(part["elements"]) for part in _rows(block["elements"])]
            lines.append("".join(str(piece.get("text", "")) for part in parts for piece in part))
    return "\n".join([*lines, *([f"[{submit}]"] if submit else [])])


def shown_home(view: Raw) -> str:
    """Return a Home tab as a person reads it. Each age becomes `…`, because Slack computes the ages."""
    lines = []
    for block in _rows(view["blocks"]):
        if block["type"] == "section":
            accessory = f" [{_label(cast('Raw', block['accessory']))}]" if "accessory" in block else ""
            lines.append(str(cast("Raw", block["text"])["text"]) + accessory)
        elif block["type"] == "context":
            lines.append(" · ".join(str(piece["text"]) for piece in _rows(block["elements"])))
        elif block["type"] == "actions":
            lines.append(" ".join(f"[{_label(element)}]" for element in _rows(block["elements"])))
        elif block["type"] == "rich_text":
            pieces = [piece for part in _rows(block["elements"]) for piece in _rows(part["elements"])]
            lines.append("".join(_shown_piece(piece) for piece in pieces))
        else:
            lines.append("---")
    return "\n".join(lines)


def _shown_piece(piece: Raw) -> str:
    if piece["type"] == "emoji":
        return f":{piece['name']}:"
    return "…" if piece["type"] == "date" else str(piece.get("text", ""))


def _buttons_of(field: Raw) -> str:
    """Return the labels of a field's radio buttons; empty if the field has none."""
    element = cast("Raw", field["element"])
    options = _rows(element["options"]) if element["type"] == "radio_buttons" else []
    return " ".join(f"( ) {_label(option)}" for option in options)


def _label_of(block: Raw) -> str:
    return str(cast("Raw", block["label"])["text"])


def _entered(values: object) -> str:
    """Return the value of a dialog's field: the text that was typed, or the labels of the chosen options."""
    entered = next(iter(cast("Mapping[str, Raw]", values or {}).values()), {})
    option = cast("Raw | None", entered.get("selected_option"))
    if option:
        return str(cast("Raw", option["text"])["text"])
    several = [
        str(cast("Raw", each["text"])["text"]) for each in _rows(entered.get("selected_options") or [])
    ]
    several += cast("list[str]", entered.get("selected_users") or [])
    if several:
        return ", ".join(several)
    return str(entered.get("value") or entered.get("selected_conversation") or "")


_QUOTED = {"rich_text_preformatted": "| ", "rich_text_quote": "> "}


def answer_lines(block: Raw) -> list[str]:
    """Return an agent's answer line by line. Lists, code and quotations keep their marks."""
    lines = []
    for part in _rows(block["elements"]):
        if part["type"] == "rich_text_list":
            number = int(str(part.get("offset", 0)))
            for item in _rows(part["elements"]):
                number += 1
                mark = f"{number}. " if part["style"] == "ordered" else "• "
                lines.append("  " * int(str(part.get("indent", 0))) + mark + _line_of(item))
        else:
            mark = _QUOTED.get(str(part["type"]), "")
            lines += [mark + line for line in _line_of(part).split("\n")]
    return lines


def _line_of(part: Raw) -> str:
    return "".join(str(piece.get("text") or piece.get("url")) for piece in _rows(part["elements"]))


def _written(part: Raw) -> str:
    text = "".join(str(piece.get("text", "")) for piece in _rows(part["elements"]))
    return "\n".join(_QUOTED[str(part["type"])] + line for line in text.split("\n"))


def _label(element: Raw) -> str:
    if "options" in element:
        return f"⋯ {', '.join(_label(option) for option in _rows(element['options']))}"
    return str(cast("Raw", element["text"])["text"]) if "text" in element else str(element["type"])


def _rows(found: object) -> list[Raw]:
    return cast("list[Raw]", found or [])
