"""What people do with messages: write, edit, delete, react, share files and links, join and leave.

`app_actions` has the acts that the app must answer: commands, clicks and dialogs.
"""

import uuid
from collections.abc import Sequence

from taskwire_sandbox.slack import messages
from taskwire_sandbox.slack import text as words
from taskwire_sandbox.slack.backend import Backend, Ephemeral
from taskwire_sandbox.slack.errors import ImpossibleAction, Json
from taskwire_sandbox.slack.events import emit
from taskwire_sandbox.slack.file_store import Attachment
from taskwire_sandbox.slack.sessions import SESSION_SECONDS, STOPPED_EVENT
from taskwire_sandbox.slack.workspace import IM, PUBLIC, Channel, User


class MessageActions:
    """A person's acts on messages, and what the person sees.

    People and channels are given by id or by name.
    """

    backend: Backend

    def _here(self, user: str, channel: str) -> tuple[User, Channel]:
        """Return the person and the conversation of an act.

        Raise ImpossibleAction if the person is not in the conversation.
        """
        workspace = self.backend.workspace
        person, place = workspace.user(user), workspace.channel(channel)
        if person.id not in place.members:
            raise ImpossibleAction(f"{person.name} is not in {place.name or place.id}")
        return person, place

    def _message(self, channel: Channel, ts: str) -> Json:
        if ts not in channel.messages:
            raise ImpossibleAction(f"there is no message {ts} in {channel.name or channel.id}")
        return channel.messages[ts].body

    async def post(
        self,
        user: str,
        channel: str,
        text: str,
        thread_ts: str | None = None,
        *,
        files: Sequence[Attachment] = (),
        broadcast: bool = False,
        blocks: list[Json] | None = None,
    ) -> str:
        """Write a message or a reply, and return its ts.

        `@handle` and `#channel` in the text become mentions.
        """
        person, place = self._here(user, channel)
        self._check_open(place)
        stored = words.typed(text, self.backend.workspace)
        body: Json = {"client_msg_id": str(uuid.uuid4())} | self._author(person)
        body |= {"text": stored, "blocks": blocks or words.rich_text(stored)}
        if thread_ts is not None:
            parent = self._message(place, thread_ts)
            body["thread_ts"] = parent.get("thread_ts", thread_ts)
        if broadcast:
            body["subtype"] = "thread_broadcast"
        if files:
            body |= {"subtype": "file_share", "upload": False}
            body["files"] = [self._attach(person, attachment) for attachment in files]
        message = messages.write(self.backend, place, body)
        self._note_shares(place, message)
        return str(message["ts"])

    def _check_open(self, place: Channel) -> None:
        app = self.backend.app
        if place.is_archived:
            raise ImpossibleAction(f"{place.name} is archived")
        if place.kind == IM and app.bot_user_id in place.members and not app.manifest.messages_enabled:
            raise ImpossibleAction("sending messages to this app has been turned off")

    def _author(self, person: User) -> Json:
        author: Json = {"user": person.id, "team": person.team_id}
        if person.team_id != self.backend.workspace.team_id:
            author |= {"user_team": person.team_id, "source_team": person.team_id}
        return author

    def _attach(self, person: User, attachment: Attachment) -> Json:
        slack = self.backend
        size = len(attachment.content)
        uploader = attachment.user or person.id
        made = slack.files.add(slack.ids.unique("F"), attachment.name, uploader, size, slack.ids.clock())
        made.content, made.is_uploaded, made.is_complete = attachment.content, True, True
        made.mimetype = attachment.mimetype or made.mimetype
        made.filetype = attachment.filetype or made.filetype
        return made.payload(slack.base_url, slack.workspace.domain)

    def _note_shares(self, place: Channel, message: Json) -> None:
        for item in message.get("files", []):
            share = (place.id, place.kind == PUBLIC, message["ts"], message.get("thread_ts"))
            self.backend.files.files[item["id"]].shares.append(share)

    async def mention(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> str:
        """Write a message that mentions the bot. The app gets two events: `message` and `app_mention`."""
        return await self.post(user, channel, f"<@{self.backend.app.bot_user_id}> {text}", thread_ts)

    async def post_as_bot(self, channel: str, text: str, thread_ts: str | None = None) -> str:
        """Let another app's bot write a message (subtype bot_message)."""
        place = self.backend.workspace.channel(channel)
        body: Json = {"subtype": "bot_message", "bot_id": "B0OTHERBOT", "username": "otherbot"}
        body |= {"text": words.posted(text)} | ({"thread_ts": thread_ts} if thread_ts else {})
        return str(messages.write(self.backend, place, body)["ts"])

    async def edit(self, user: str, channel: str, ts: str, text: str) -> None:
        """Change the person's own message."""
        person, place = self._here(user, channel)
        if self._message(place, ts).get("user") != person.id:
            raise ImpossibleAction("only one's own messages can be edited")
        stored = words.typed(text, self.backend.workspace)
        changes: Json = {"text": stored, "blocks": words.rich_text(stored)}
        messages.rewrite(self.backend, place, ts, changes, editor=person.id)

    async def delete(self, user: str, channel: str, ts: str) -> None:
        """Delete the person's own message."""
        person, place = self._here(user, channel)
        if self._message(place, ts).get("user") != person.id:
            raise ImpossibleAction("only one's own messages can be deleted")
        messages.remove(self.backend, place, ts)

    async def unfurl(self, channel: str, ts: str, url: str, title: str = "A page") -> None:
        """Let Slack itself unfurl a link. The message changes, but Slack does not mark it as edited."""
        place = self.backend.workspace.channel(channel)
        kept = self._message(place, ts).get("attachments", [])
        shown: Json = {
            "from_url": url,
            "original_url": url,
            "title": title,
            "fallback": title,
            "id": len(kept) + 1,
        }
        messages.rewrite(self.backend, place, ts, {"attachments": [*kept, shown]}, editor=None)

    async def react(self, user: str, channel: str, ts: str, name: str) -> None:
        """Add the person's reaction to a message."""
        person, place = self._here(user, channel)
        self._message(place, ts)
        if not messages.react(self.backend, place, ts, name.strip(":"), person.id):
            raise ImpossibleAction(f"{person.name} has reacted with {name} already")

    async def unreact(self, user: str, channel: str, ts: str, name: str) -> None:
        """Remove the person's own reaction from a message."""
        person, place = self._here(user, channel)
        self._message(place, ts)
        if not messages.unreact(self.backend, place, ts, name.strip(":"), person.id):
            raise ImpossibleAction(f"{person.name} has not reacted with {name}")

    async def stop_session(self, user: str, channel: str, thread_ts: str) -> None:
        """Press Slack's own button that stops the agent of a thread.

        The app must then set the status itself.
        """
        person, place = self._here(user, channel)
        is_subscribed = self.backend.app.manifest.wants(STOPPED_EVENT)
        if self.session_status(channel, thread_ts) != "processing" or not is_subscribed:
            raise ImpossibleAction("Slack shows no button that stops an agent here")
        event: Json = {"type": STOPPED_EVENT, "channel": place.id, "thread_ts": thread_ts}
        event |= {"user": person.id, "streaming_message_ts": [], "event_ts": self.backend.ids.ts()}
        emit(self.backend, event, place)

    def session_status(self, channel: str, thread_ts: str) -> str:
        """Return the status that Slack shows for the agent of a thread; empty if Slack shows none."""
        session = self.backend.sessions.get((self.backend.workspace.channel(channel).id, thread_ts))
        if session is None:
            return ""
        is_forgotten = self.backend.ids.clock() - session.set_at > SESSION_SECONDS
        return "active" if is_forgotten and session.status == "processing" else session.status

    async def join(self, user: str, channel: str) -> None:
        """Let a user join a conversation. `user` may be the bot."""
        person, place = self.backend.workspace.user(user), self.backend.workspace.channel(channel)
        if person.id not in place.members:
            messages.join(self.backend, place, person.id)

    async def leave(self, user: str, channel: str) -> None:
        """Let a user leave a conversation. `user` may be the bot."""
        person, place = self._here(user, channel)
        messages.leave(self.backend, place, person.id)

    async def archive(self, user: str, channel: str) -> None:
        """Archive a conversation."""
        person, place = self._here(user, channel)
        place.is_archived = True
        self.backend.ledger.change("archived", channel=place.id, user=person.id)
        event: Json = {"type": "channel_archive", "channel": place.id, "user": person.id}
        emit(self.backend, event | {"event_ts": self.backend.ids.ts()}, place)

    async def unarchive(self, user: str, channel: str) -> None:
        """Unarchive a conversation."""
        person, place = self._here(user, channel)
        place.is_archived = False
        self.backend.ledger.change("unarchived", channel=place.id, user=person.id)
        kind = "channel_unarchive" if place.type == "channel" else "group_unarchive"
        event: Json = {"type": kind, "channel": place.id, "user": person.id}
        emit(self.backend, event | {"event_ts": self.backend.ids.ts()}, place)

    def messages(self, channel: str) -> list[Json]:
        """List the messages of a conversation with their metadata, the oldest first.

        Replies in threads are left out.
        """
        place = self.backend.workspace.channel(channel)
        return [
            messages.show(place, ts, with_metadata=True)
            for ts, stored in place.messages.items()
            if stored.body.get("thread_ts", ts) == ts or stored.body.get("subtype") == "thread_broadcast"
        ]

    def thread(self, channel: str, ts: str) -> list[Json]:
        """List a thread: its parent message, then the replies."""
        place = self.backend.workspace.channel(channel)
        self._message(place, ts)
        return [messages.show(place, at, with_metadata=True) for at in (ts, *place.messages[ts].replies)]

    def message(self, channel: str, ts: str) -> Json:
        """Return one message."""
        place = self.backend.workspace.channel(channel)
        self._message(place, ts)
        return messages.show(place, ts, with_metadata=True)

    def ephemerals(self, user: str) -> list[Ephemeral]:
        """List the messages that only this person sees, the oldest first."""
        person = self.backend.workspace.user(user)
        return [said for said in self.backend.ephemerals if said.user == person.id]

    def reactions(self, channel: str, ts: str) -> dict[str, list[str]]:
        """Return the users of each reaction on a message."""
        place = self.backend.workspace.channel(channel)
        self._message(place, ts)
        return {name: list(users) for name, users in place.messages[ts].reactions.items()}
