"""Decides with which Coder account Coder is asked.

What a person does is done with that person's account. What the bot does for a link, such as its notices, is
done with the account of the link's owner. Everything else is done with the service account. So far every
person acts through the service account too.
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
        """Return the client for what a person does; the service account's if there is no person."""
        del person
        return self.service

    async def get_client_for_job(self, work: Work, link: Link | None) -> CoderClient:
        """Return the client for a job: for the person whose act it is, or else for the link's owner."""
        owner = link.record.owner_slack if link is not None else None
        return await self.get_client(find_actor(work) or owner)


def find_actor(work: Work) -> UserId | None:
    """Return the person whose act the work is; None if the bot does it by itself."""
    requester = getattr(work, "requester", None)
    if isinstance(requester, Requester):
        return requester.person
    return work.person if isinstance(work, Reply | PublishHome | SavePersonSettings) else None
