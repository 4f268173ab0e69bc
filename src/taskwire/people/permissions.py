"""Decides what a person may do. `identities.py` decides who the person is.

A job's handler checks rights when it acts, with the answers of `directory` at that time. A listener only
checks whether the person may use the bot at all, as far as Redis knows this (`find_known_bar`).
"""

import contextlib
from collections.abc import Collection

from taskwire.coder.errors import PersonTokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import AccountRefused, OutsideError, TryLater, UserError
from taskwire.domain.ids import LinkId, UserId
from taskwire.domain.lifecycle.links import Link, Rights, is_group
from taskwire.domain.requester import Requester
from taskwire.messages import missing_rights, refusals
from taskwire.messages.missing_rights import RefusedAct
from taskwire.people.account_errors import AccountNeeded, Suspended
from taskwire.people.accounts import Accounts
from taskwire.people.identities import Identities
from taskwire.people.places import Places
from taskwire.state.links import LinkOwner, get_owner

# The verbs that only the owner of a task and administrators may use.
OWNERS_VERBS = frozenset[RefusedAct]({"attach", "delete", "detach", "share", "unshare", "read_mentions"})
# The verbs that everybody who may see the task may use. All other verbs, such as pause, resume and send, are
# for people who may steer the task (`can_steer`).
VIEWERS_VERBS = frozenset[RefusedAct]({"watch", "unwatch"})


class People(Identities):
    """Decides what the people of one workspace may do."""

    def __init__(
        self, deps: Dependencies, admins: tuple[str, ...], shared_channels: tuple[str, ...] = ()
    ) -> None:
        super().__init__(deps, admins)
        self.accounts = Accounts(deps, self.directory, self.is_shared_with)
        self.places = Places(deps, self.directory, shared_channels)

    async def can_manage(self, person: UserId, link: Link, *, needs_coder: bool = True) -> bool:
        """Return whether the person is the owner of this link's task or an administrator.

        Raise UserError for a person who must not use the bot at all. Raise the errors of the clients for
        Slack and Coder. If `needs_coder` is False, an administrator passes even while Coder does not answer.
        Without a service account, Coder must show the task to an administrator too.
        """
        await self.get_profile(person)
        is_admin = await self.is_admin(person)
        if is_admin and self.accounts.has_service:
            await self.require_account(person, needs_coder=needs_coder)
            return True
        if not link.record.owner_id:
            await self.accounts.suspensions.require_not_suspended(person)
            return is_admin or link.record.is_owned_by(person)
        if await self._has_no_claim(person, link):
            return False
        is_own = link.record.is_owned_by(person, (await self.get_account(person)).id)
        await self.accounts.check_owner_unless_stored(person, link, is_own=is_own)
        return is_own or (is_admin and await self.accounts.sees(person, link))

    async def _has_no_claim(self, person: UserId, link: Link) -> bool:
        """Return whether it is certain, without asking Coder, that the person may not steer the task.

        Without a service account, Coder is asked about a person with the person's own account. The person can
        make these answers fail or come late. So whoever has no right to the task is refused before Coder is
        asked, and other people's acts do not have to wait. With a service account this always returns False.
        """
        if self.accounts.has_service or await self.is_admin(person):
            return False
        own = await self.accounts.find(person)
        if own is None or link.record.is_owned_by(person, own.user_id):
            return False
        return not await self.is_let_in(person, link)

    async def _can_end_shares(self, person: UserId, link: Link) -> bool:
        """Return whether the person may end the task's shares: the owner and administrators may.

        If Coder does not answer, trust the stored owner of the task. Ending a share only takes rights away,
        so it must not wait for Coder.
        """
        await self.get_profile(person)
        try:
            return await self.can_manage(person, link, needs_coder=False)
        except OutsideError:
            if not link.record.is_owned_by(person):
                raise
            return True

    async def can_steer(self, person: UserId, link: Link, *, needs_coder: bool = True) -> bool:
        """Return whether the person may steer this link's task: act on the task, and write to its agent.

        The owner, administrators, and everybody with whom the owner shares the task may steer it. Everybody
        in the channel may steer it too, if the channel's settings allowed this when the owner asked for the
        thread. Both hold only while the owner may use the bot (`can_owner_act`).
        In a deployment without a service account, Coder must also show the task to the person's account. Only
        the people with whom the owner shares the task need no account. Raises what `can_manage` raises.
        """
        return await self.get_rights(person, link, needs_coder=needs_coder) > Rights.SEE

    async def is_let_in(self, person: UserId, link: Link) -> bool:
        """Return whether a share, or the channel's settings, let the person steer."""
        return await self.is_shared_with(person, link) or await self._may_steer_by_channel(person, link)

    async def may_steer_besides(self, person: UserId, link: Link) -> bool:
        """Return whether the owner shares the task with the person, or the channel lets everybody steer."""
        if await self.is_shared_with(person, link):
            return True
        is_let_in = await self._may_steer_by_channel(person, link)
        return is_let_in and (self.accounts.has_service or await self.accounts.sees(person, link))

    async def is_shared_with(self, person: UserId, link: Link, *, is_for_act: bool = True) -> bool:
        """Return whether the owner shares the task with the person, directly or by a user group, and whether
        this counts (`can_owner_let_in`)."""
        if person not in link.shares and not await self._is_in_groups(person, link.shares):
            return False
        if await self.can_owner_let_in(get_owner(link.record), is_for_act=is_for_act):
            return True
        await self.accounts.check_owner_again(link.id)
        return False

    async def can_owner_let_in(self, owner: LinkOwner, *, is_for_act: bool = True) -> bool:
        """Return whether the task's owner may let others steer it: may use the bot, and has its Coder user.

        If Slack does not show the owner, the service account must see now that its user is active. If Coder
        does not tell now, raise OutsideError, so that an act waits. Do the same if Coder does not tell a
        service account which user the owner has. What is only shown (`is_for_act` is False) then counts as it
        was last known, see `Accounts.owns_still`.
        """
        if owner.person is None and owner.user_id:
            return await self.accounts.is_active(owner.user_id)
        if owner.person is None or not owner.user_id:
            return await self.can_owner_act(owner.person)
        try:
            return (await self.get_account(owner.person)).id == owner.user_id
        except Suspended:
            return False
        except (UserError, OutsideError) as error:
            is_out = await self.accounts.suspensions.is_without_account(owner.person, error)
            if is_out or not await self.can_owner_act(owner.person):
                return False
            is_silent = isinstance(error, OutsideError) and not isinstance(error, AccountRefused)
            if is_for_act and is_silent and self.accounts.has_service:
                raise
            is_refused = isinstance(error, PersonTokenRefused)
        return await self.accounts.owns_still(
            owner.person, owner.user_id, is_refused=is_refused, is_for_act=is_for_act
        )

    async def lets_in_now(self, owner: LinkOwner) -> bool:
        """Like `can_owner_let_in`, for what is only shown. Return False if nothing is known."""
        with contextlib.suppress(OutsideError):
            return await self.can_owner_let_in(owner, is_for_act=False)
        return False

    async def can_owner_act(self, owner: UserId | None) -> bool:
        """Return whether a task's owner may use the bot now: is an active full member, and not barred.

        Return True if it is not known who the owner is in Slack.
        """
        try:
            return owner is None or bool(await self.get_profile(owner))
        except UserError:
            return False

    async def get_rights(self, person: UserId, link: Link, *, needs_coder: bool = True) -> Rights:
        """Return what the person may do with the task. Raises what `can_manage` raises."""
        try:
            if await self.can_manage(person, link, needs_coder=needs_coder):
                return Rights.MANAGE
        except AccountNeeded:
            is_own = await self.accounts.counts_as_owner(person, link)
            if self.accounts.has_service or is_own or not await self.is_shared_with(person, link):
                raise
            return Rights.STEER
        return Rights.STEER if await self.may_steer_besides(person, link) else Rights.SEE

    async def can_read_prompt(self, person: UserId, link: Link) -> bool:
        """Return whether the person may read the prompt of this link's task without masks.

        Only the owner and administrators may. Raises what `can_manage` raises.
        """
        return await self.get_rights(person, link) is Rights.MANAGE

    async def _is_in_groups(self, person: UserId, shares: tuple[str, ...]) -> bool:
        return bool(await self.directory.list_groups_of(person, [each for each in shares if is_group(each)]))

    async def _may_steer_by_channel(self, person: UserId, link: Link) -> bool:
        """Return whether the person and the owner are in the channel, and it lets everybody there steer."""
        owner, channel = link.record.owner_slack, link.record.channel
        if owner is None or not await self._has_open_channel(link):
            return False
        if not await self.can_owner_let_in(get_owner(link.record)):
            return False
        return all([await self.directory.is_member(each, channel) for each in (person, owner)])

    async def is_open_to_channel(self, link: Link) -> bool:
        """Return whether the channel's settings let everybody in the channel steer this task.

        They count only for a thread that the task's owner has asked for, and while the owner may let others
        in. This is for what is only shown.
        """
        return await self._has_open_channel(link) and await self.lets_in_now(get_owner(link.record))

    async def _has_open_channel(self, link: Link) -> bool:
        record = link.record
        settings = await self._deps.channel_settings.get(record.channel)
        return settings.lets_everybody_steer(record) and record.thread_ts is not None

    async def list_shared_links(self, person: UserId) -> frozenset[LinkId]:
        """List the links of the tasks that are shared with this person or their groups, if this counts."""
        shared = await self._deps.links.list_shares()
        wanted = {each for shares in shared.values() for each in shares if is_group(each)}
        own = await self.directory.list_groups_of(person, wanted) | {str(person)}
        found = [link for link, shares in shared.items() if own & set(shares)]
        owners = await self._deps.links.list_owners(found) if found else {}
        active = {each for each in set(owners.values()) if await self.lets_in_now(each)}
        for link in (each for each in found if owners.get(each) not in active):
            # The owner may not be the owner any more.
            await self.accounts.check_owner_again(link)
        return frozenset(link for link in found if owners.get(link) in active)

    async def require_right_to(
        self, verb: RefusedAct, requester: Requester, link: Link, *, needs_coder: bool = True
    ) -> None:
        """Raise UserError unless the person may do `verb` to the task. The error names the verb.

        Raise TryLater while the task's thread is about to end: the act is then done without it.
        """
        await self.require_in_reach(link)
        if verb in VIEWERS_VERBS:
            await self.require_account(requester.person)
            is_allowed = await self.find_visible(requester, link) is not None
        elif verb == "unshare":
            is_allowed = await self._can_end_shares(requester.person, link)
        elif verb in OWNERS_VERBS:
            is_allowed = await self.can_manage(requester.person, link, needs_coder=needs_coder)
        else:
            is_allowed = await self.can_steer(requester.person, link, needs_coder=needs_coder)
        if not is_allowed:
            await self._refuse(verb, requester, link)

    async def _refuse(self, verb: RefusedAct, requester: Requester, link: Link) -> None:
        """Raise UserError.

        If the person may not see the task, the error does not reveal that the task exists.
        """
        person = requester.person
        await self.require_visible(requester, link)
        if link.record.is_owned_by(person):
            raise await self.accounts.refuse_former_owner(person, link)
        if not await self.can_owner_act(link.record.owner_slack):
            raise UserError(*missing_rights.owner_cannot_act(link, verb), reason="not_allowed")
        refusal = missing_rights.not_owner(link, verb, await self.find_name(person))
        raise UserError(*refusal, reason="not_allowed")

    async def require_visible(self, requester: Requester, link: Link) -> None:
        """Raise UserError unless the person may see the task.

        The error does not reveal that the task exists.
        """
        if await self.find_visible(requester, link) is None:
            raise UserError(*refusals.no_such_id(), reason="not_visible")

    async def find_visible(self, requester: Requester, link: Link | None) -> Link | None:
        """Return the link if the person may see it; None otherwise.

        Check every link id that comes from a button. A sender can put any link id into a button's value.
        """
        if link is None or await self._can_see_task(requester, link):
            return link
        return link if await self.can_steer(requester.person, link) else None

    async def _can_see_task(self, requester: Requester, link: Link) -> bool:
        """Return whether the person can read the task's thread, or Coder shows them a task without a thread.

        The channel of a link without a thread is only the place of somebody's command. A thread that is about
        to end shows nothing.
        """
        if link.record.thread_ts is not None:
            is_there = await self.places.can_see(requester, link.record.channel)
            return is_there and not await self.is_out_of_reach(link)
        return not self.accounts.has_service and await self.accounts.sees(requester.person, link)

    async def can_read_thread(self, person: UserId, link: Link) -> bool:
        """Return whether the person can read the task's thread."""
        thread = link.record.thread
        return thread is not None and await self.directory.can_see(person, thread.channel)

    async def is_out_of_reach(self, link: Link) -> bool:
        """Return whether the task's owner cannot read the thread, and somebody without a right asked for it.

        Such a thread ends: a check of the owner is queued. Otherwise, a former owner would read on there. The
        owner and administrators have the right to ask for a thread. So has a former owner who still has the
        e-mail address of the task's Coder user: the present owner may have connected this user with a stolen
        token. A thread that the owner has asked for goes on, also if they have left its channel since. But if
        Coder refuses the owner's token, and the user has another person's address, the owner is checked.
        """
        record = link.record
        owner, requested_by = record.owner_slack, record.requested_by
        is_thread = record.thread is not None and record.task_id is not None and link.end_reason is None
        if not is_thread or owner is None:
            return False
        if await self.accounts.is_lost_to_another(owner, record.owner_id):
            await self.accounts.check_owner(link.id)
            return True
        if record.is_requested_by_owner:
            return False
        if await self.can_read_thread(owner, link) or await self._is_active_admin(requested_by):
            return False
        if await self.accounts.has_address(requested_by, record.owner_id):
            return False
        await self.accounts.check_owner(link.id)
        return True

    async def may_be_out_of_reach(self, link: Link) -> bool:
        """Like `is_out_of_reach`, but True if this is not known now. This is for lists of tasks."""
        with contextlib.suppress(OutsideError):
            return await self.is_out_of_reach(link)
        return True

    async def require_in_reach(self, link: Link) -> None:
        """Raise TryLater while nothing may be shown in the thread, because it is about to end."""
        if await self.is_out_of_reach(link):
            raise TryLater("the task's thread is about to end")

    async def require_thread_of(self, person: UserId, link: Link) -> None:
        """Raise UserError if Coder shows the task as the person's, and they cannot read a thread of another.

        A former owner, or somebody with a stolen token, would read there what the person writes. Then the
        owner is checked too.
        """
        record = link.record
        if record.is_owned_by(person) or not record.owner_id or await self.can_read_thread(person, link):
            return
        try:
            account = await self.get_account(person)
        except (UserError, OutsideError):
            return
        if account.id == record.owner_id:
            await self.accounts.check_owner(link.id)
            raise UserError(*missing_rights.thread_of_another(link), reason="place")

    async def _is_active_admin(self, person: UserId) -> bool:
        """Return whether an administrator may use the bot now, as far as Slack and Coder say."""
        if not await self.is_admin(person):
            return False
        try:
            with contextlib.suppress(OutsideError):
                await self.find_usable_account(person)
            await self.accounts.suspensions.require_not_suspended_before(person)
        except UserError:
            return False
        return True

    async def list_out_of_reach(self, links: Collection[LinkId]) -> frozenset[LinkId]:
        """List those of the links whose threads may be out of their owners' reach (`is_out_of_reach`)."""
        records = await self._deps.links.list_records(links)
        owners = {record.owner_slack for record in records.values() if record.owner_slack is not None}
        doubtful = {owner for owner in owners if await self.accounts.is_doubtful(owner)}
        asked = [
            link
            for link, record in records.items()
            if not record.is_requested_by_owner or record.owner_slack in doubtful
        ]
        found = await self._deps.links.list_links(asked)
        return frozenset([each for each, link in found.items() if await self.may_be_out_of_reach(link)])
