"""Decides which Coder account a call to Coder uses.

An act of a person uses that person's account. What the bot does for a link, such as a notice, uses the
account of the link's owner. Everything else uses the service account. So far, every person acts through the
service account too.
"""

from taskwire.coder.client import CoderClient
from taskwire.domain.ids import UserId
from taskwire.domain.jobs import Reply
from taskwire.domain.links import Link
from taskwire.domain.person_jobs import PublishHome, SavePersonSettings
from taskwire.domain.requester import Requester
from taskwire.domain.work import Work


class Accounts:
    """The clients for the accounts of one deployment. `service` is the client for the service account."""

    def __init__(self, service: CoderClient) -> None:
        self.service = service

    async def get_client(self, person: UserId | None) -> CoderClient:
        """Return the client for an act of this person; the service account's client if there is no person."""
        del person
        return self.service

    async def get_client_for_job(self, work: Work, link: Link | None) -> CoderClient:
        """Return the client of the person whose act the job is, else of the link's owner."""
        owner = link.record.owner_slack if link is not None else None
        return await self.get_client(find_actor(work) or owner)


def find_actor(work: Work) -> UserId | None:
    """Return the person whose act the work is; None if no person has asked for it."""
    requester = getattr(work, "requester", None)
    if isinstance(requester, Requester):
        return requester.person
    return work.person if isinstance(work, Reply | PublishHome | SavePersonSettings) else None
