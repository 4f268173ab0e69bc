"""Decides what a person may read in messages that the bot sends by itself: the Home tab and direct messages.
It also decides whether a person may still be shown the answer to what they asked a while ago.

The person may read what `/task list` and `/task status` would show them at this moment. So the check asks
Slack and Coder, as those commands do. An answer that `people/directory.py` has stored is at most ten seconds
old. While Coder does not answer, the stored owners of tasks count, also as for those commands. A person whose
account Coder had suspended before may read nothing then.
"""

from dataclasses import dataclass

from taskwire.coder.errors import PersonTokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import AccountRefused, OutsideError, UserError
from taskwire.domain.ids import UserId
from taskwire.domain.lifecycle.links import Link, Rights
from taskwire.domain.requester import Requester
from taskwire.outbox.coder_health import is_coder_away
from taskwire.outbox.waiting_requests import is_renewed
from taskwire.people.account_errors import AccountNeeded
from taskwire.people.accounts import Account
from taskwire.people.permissions import People
from taskwire.people.shares import is_shared_now


@dataclass(frozen=True, slots=True)
class Reader:
    """A person who may list tasks now.

    `account` is None for an administrator without an account, and for everybody while Coder does not answer
    (`is_coder_away`). Then `connected_id` is the id of the Coder user that the person has connected, if any.
    """

    person: UserId
    account: Account | None
    is_coder_away: bool = False
    connected_id: str | None = None

    @property
    def account_id(self) -> str | None:
        """The id of the person's account, empty if they have none; None while Coder does not answer."""
        if self.is_coder_away:
            return None
        return self.account.id if self.account else ""

    def owns(self, link: Link) -> bool:
        """Return whether the task is the person's own."""
        if self.is_coder_away:
            return link.record.is_stored_owner(self.person, self.connected_id)
        return link.record.is_owned_by(self.person, self.account_id)


async def find_reader(people: People, person: UserId) -> Reader:
    """Return the reader. Raise UserError with what `/task list` says if the person may not list tasks.

    Raise AccountNeeded or PersonTokenRefused if the person has to connect an account first.
    """
    try:
        account = await people.find_account(person)
    except OutsideError as error:
        if not is_coder_away(error):
            raise
        await people.get_profile(person)
        is_admin = people.accounts.has_service and await people.is_admin(person)
        await people.accounts.suspensions.require_account_before(person, is_admin=is_admin)
        connected_id = await people.accounts.find_known_id(person)
        return Reader(person, None, is_coder_away=True, connected_id=connected_id)
    if account is None and not people.accounts.has_service:
        # An administrator. Without a service account, Coder decides what administrators see too.
        raise AccountNeeded(person)
    return Reader(person, account)


async def may_read(deps: Dependencies, people: People, person: UserId, link: Link) -> bool:
    """Return whether the person may read what the agent of this link's task says.

    The person must own the task, be able to steer it, or be able to read its thread. Raise PersonTokenRefused
    if the person's token is about to be renewed, so that the caller's job runs again.
    """
    try:
        reader = await find_reader(people, person)
        if reader.owns(link):
            return True
        # The channel of a link without a thread is only the place of somebody's command.
        is_there = link.record.thread_ts is not None and await people.can_read_thread(person, link)
        if is_there and not await people.is_out_of_reach(link):
            return True
        if not reader.is_coder_away:
            return await people.can_manage(person, link) or await is_shared_now(people, person, link)
        return await is_shared_now(people, person, link) or (
            people.accounts.has_service and await people.is_admin(person)
        )
    except UserError:
        return False
    except (AccountNeeded, PersonTokenRefused) as error:
        if await is_renewed(deps, error):
            raise
        if people.accounts.has_service:
            # Administrators need no valid token.
            is_suspended = bool(await deps.accounts.list_suspended(person))
            return not is_suspended and await people.is_admin(person)
        # Without a service account, a person who has connected no account acts through the owner's account.
        return isinstance(error, AccountNeeded) and await people.is_shared_with(person, link)


async def may_answer(people: People, person: UserId, link: Link) -> bool:
    """Return whether the dialog for a reply to the task's agent may be offered. Opening it checks again.

    While Coder does not answer, return False.
    """
    if link.end_reason is not None:
        return False
    try:
        return await people.get_rights(person, link, needs_coder=False) >= Rights.STEER
    except (AccountRefused, OutsideError, UserError):
        return False


async def may_be_answered(deps: Dependencies, people: People, requester: Requester) -> bool:
    """Return whether the requester may still be shown the answer to what they asked a while ago.

    They must be a full member who may use the bot, must have an account in Coder that is not suspended, and
    must be able to read the conversation in which they asked. The settings must allow this conversation. A
    person who has yet to connect an account is answered too: the answer asks them to.
    """
    person = requester.person
    if not deps.allowed.has_channel(requester.channel):
        return False
    try:
        await find_reader(people, person)
    except UserError:
        return False
    except PersonTokenRefused:
        if await deps.accounts.list_suspended(person):
            return False
    except AccountNeeded:
        pass
    # A request from the Home tab has no channel.
    return not requester.channel or await people.directory.can_see(person, requester.channel)
