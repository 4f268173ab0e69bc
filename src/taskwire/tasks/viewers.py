"""Which tasks a person sees, when the person names or lists tasks."""

from dataclasses import dataclass

from taskwire.coder.client import CoderClient
from taskwire.coder.models import Task
from taskwire.domain.ids import ChannelId, LinkId, UserId
from taskwire.domain.lifecycle.links import Link
from taskwire.people.accounts import Account
from taskwire.tasks.catalogue import Catalogue, CatalogueEntry


@dataclass(frozen=True)
class Viewer:
    """The person who asks for a task, and the conversation where the person asks."""

    person: UserId
    channel: ChannelId
    account: Account | None
    # Whether the person sees all tasks that Coder shows to `coder`: as an administrator, or with their own
    # account.
    sees_all: bool
    coder: CoderClient
    # The links of other people's tasks that this person may steer.
    shared: frozenset[LinkId]

    @property
    def username(self) -> str:
        """The person's name in Coder; empty if the person has no account."""
        return self.account.username if self.account else ""

    def can_see(self, task: Task, link: Link | None) -> bool:
        """Return whether the person may see the task.

        A person may see a task if the person owns it, if its thread is in this conversation, or if its owner
        shares it with the person. Administrators may see all tasks, unless Coder decides what they see.
        """
        if self.has_right(task, link):
            return True
        return link is not None and link.record.channel == self.channel

    def has_right(self, task: Task, link: Link | None) -> bool:
        """Return whether the person may see the task from anywhere."""
        return self.sees_all or self.owns(task) or (link is not None and link.id in self.shared)

    def owns(self, task: Task) -> bool:
        """Return whether the task is the person's own."""
        return self.account is not None and task.owner_id == self.account.id

    def split_own(self, listed: list[CatalogueEntry]) -> tuple[list[CatalogueEntry], list[CatalogueEntry]]:
        """Return the person's own tasks among these tasks, and the tasks of other people."""
        owner_id = self.account.id if self.account else ""
        own = [each for each in listed if each.entry.owner_id == owner_id]
        return own, [each for each in listed if each.entry.owner_id != owner_id]

    def list_visible(self, catalogue: Catalogue) -> list[CatalogueEntry]:
        """List the tasks that the person may see."""
        owner_id = self.account.id if self.account else None
        return catalogue.entries if self.sees_all else catalogue.list_of(owner_id, self.channel, self.shared)

    def list_links_of_channel(self, seen: list[CatalogueEntry]) -> list[LinkId]:
        """List the links of those tasks that the person sees only because they ask in the task's channel."""
        if self.sees_all:
            return []
        others = self.split_own(seen)[1]
        return [each.link for each in others if each.link is not None and each.link not in self.shared]
