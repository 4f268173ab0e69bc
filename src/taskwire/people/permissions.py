"""Decides which Coder user a person is, and what the person may do.

A person is the Coder user whose account the person has connected. If no account is connected, a person is the
Coder user with the same e-mail address as the person's Slack profile. The address must be confirmed, and only
a service account can look for it. A job's handler checks rights when it acts, with the answers of `directory`
at that time. A listener only checks whether the person may use the bot at all, as far as Redis knows this
(`find_known_bar`).
"""

import contextlib
from datetime import timedelta
from typing import Literal

from taskwire.coder.errors import CoderError, PersonTokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.allowed import Barred
from taskwire.domain.errors import OutcomeUnknown, OutsideError, TryLater, UserError
from taskwire.domain.ids import ChannelId, LinkId, UserId, moment_of
from taskwire.domain.lifecycle.links import Link, Rights, is_group
from taskwire.domain.requester import Requester
from taskwire.messages import missing_rights, refusals
from taskwire.messages.missing_rights import RefusedAct
from taskwire.people.account_errors import AccountNeeded, NoAccount, Suspended
from taskwire.people.accounts import Account, Accounts, require_rights
from taskwire.people.allowed import require_allowed, require_not_barred
from taskwire.people.directory import Directory, KnownDirectory
from taskwire.slack.models import Profile
from taskwire.state.accounts import ConnectedAccount
from taskwire.state.links import LinkOwner, get_owner
from taskwire.telemetry import logger

# Slack has shown that the person was in a conversation when they acted there. After this time, the person may
# have left the conversation.
PRESENCE_WINDOW = timedelta(seconds=10)
# The verbs that only the owner of a task and administrators may use.
OWNERS_VERBS = frozenset[RefusedAct]({"attach", "delete", "detach", "share", "unshare", "read_mentions"})
# The verbs that everybody who may see the task may use. All other verbs, such as pause, resume and send, are
# for people who may steer the task (`can_steer`).
VIEWERS_VERBS = frozenset[RefusedAct]({"watch", "unwatch"})

_log = logger("taskwire.people.permissions")


class People:
    """Decides what the people of one workspace may do."""

    def __init__(
        self, deps: Dependencies, admins: tuple[str, ...], shared_channels: tuple[str, ...] = ()
    ) -> None:
        self._deps = deps
        self._admins = admins
        self._shared_channels = shared_channels
        self._groups = tuple(name for name in admins if name.startswith("S"))
        self.directory = Directory(deps, len({*self._groups, *deps.allowed.groups}))
        self.accounts = Accounts(deps, self.directory, self.is_shared_with)
        self._known = KnownDirectory(deps)

    async def get_profile(self, person: UserId) -> Profile:
        """Return the profile of a person who may use the bot.

        Raise UserError if the person may not use it.
        """
        profile = await self.directory.get_profile(person)
        require_not_barred(await self._find_bar(person, profile, self.directory))
        return profile

    async def _find_bar(self, person: UserId, profile: Profile, directory: Directory) -> Barred:
        if profile.is_bot or profile.is_deleted:
            return "bot"
        # A person from another workspace of this organization does not belong to our workspace.
        own_teams = self._deps.allowed.keep_workspaces(await directory.list_own_teams())
        if profile.is_stranger or not profile.teams & own_teams:
            return "stranger"
        if profile.is_guest:
            return "guest"
        groups = self._deps.allowed.groups
        if not groups or await self._is_admin(person, directory):
            return ""
        is_in_group = any([person in await directory.list_group(group) for group in groups])
        return "" if is_in_group else "group"

    async def find_known_bar(self, person: UserId) -> Barred:
        """Return why the person may not use the bot, as far as this is known without a call to Slack.

        Return an empty text if it is not known, or if the settings restrict the bot to no people. This is for
        what arrives. `get_profile` decides when the request is carried out. Raises RedisError.
        """
        if not self._deps.allowed.is_about_people:
            return ""
        try:
            profile = await self._known.get_profile(person)
            return await self._find_bar(person, profile, self._known)
        except TryLater:
            return ""
        except UserError:
            return "stranger"

    async def get_account(self, person: UserId) -> Account:
        """Return the person's Coder account. If there is none, raise UserError, which says what is missing.

        If the person can connect an account, raise AccountNeeded instead. The request then waits for the
        account.
        """
        profile = await self.get_profile(person)
        own = await self.accounts.find(person)
        try:
            account = await self._ask_for_account(person, profile, own)
        except Suspended as error:
            name = own.username if own is not None else profile.email or ""
            await self.accounts.suspensions.note_suspended(person, name, error.user_id)
            raise
        except (NoAccount, AccountNeeded):
            await self.accounts.suspensions.note_missing(person)
            raise
        self.accounts.note_name(person, account.username)
        if own is None or not own.is_refused:
            await self.accounts.suspensions.forget_suspended(person, account.id)
        return account

    async def _ask_for_account(
        self, person: UserId, profile: Profile, own: ConnectedAccount | None
    ) -> Account:
        if own is not None:
            user = await self.accounts.get_user(own)
            return Account(id=own.user_id, username=user.username)
        if not self.accounts.has_service:
            await self.accounts.suspensions.require_not_suspended(person)
            raise AccountNeeded(person)
        if not profile.email or not profile.is_email_confirmed:
            self._require_account_from(person)
            raise NoAccount(*refusals.no_email(), reason="no_account")
        found = await self.directory.list_accounts(profile.email)
        if not found:
            await require_rights(self._deps)
        if len(found) != 1:
            self._require_account_from(person)
            raise NoAccount(*refusals.no_account(profile.email, len(found)), reason="no_account")
        if found[0].is_suspended:
            raise Suspended(*refusals.account_suspended(profile.email), found[0].id)
        return Account(id=found[0].id, username=found[0].username)

    def _require_account_from(self, person: UserId) -> None:
        """Raise AccountNeeded if the person can connect an account of their own."""
        if self.accounts.can_connect:
            raise AccountNeeded(person)

    async def require_account(self, person: UserId, *, needs_coder: bool = True) -> None:
        """Raise UserError if the person has no Coder account. An administrator needs no account.

        If `needs_coder` is False, an administrator passes even while Coder does not answer, unless Coder had
        suspended their account before.
        """
        try:
            await self.find_usable_account(person)
        except (CoderError, TryLater, OutcomeUnknown):
            if needs_coder or not await self.is_admin(person):
                raise
            await self.accounts.suspensions.require_not_suspended_before(person)

    async def find_account(self, person: UserId) -> Account | None:
        """Return the person's Coder account; None for an administrator without an account.

        Raise UserError or AccountNeeded for any other person without an account, and PersonTokenRefused for a
        person whose token Coder refuses.
        """
        try:
            return await self.get_account(person)
        except (UserError, AccountNeeded) as error:
            if isinstance(error, Suspended) or not await self.is_admin(person):
                raise
            await self._require_not_suspended(person)
            return None

    async def _require_not_suspended(self, administrator: UserId) -> None:
        """Raise Suspended if Coder has suspended an account of this administrator."""
        profile = await self.get_profile(administrator)
        email = profile.email if profile.is_email_confirmed else None
        await self.accounts.suspensions.require_not_suspended_still(administrator, email)

    async def find_usable_account(self, person: UserId) -> Account | None:
        """Return what `find_account` returns; None too for an administrator whose token Coder refuses."""
        try:
            return await self.find_account(person)
        except PersonTokenRefused:
            # With a service account, administrators need no account. So they need no valid token either.
            if not self.accounts.has_service or not await self.is_admin(person):
                raise
            await self._require_not_suspended(person)
            return None

    async def is_admin(self, person: UserId) -> bool:
        """Return whether the settings list the person as an administrator, by id or by user group."""
        return await self._is_admin(person, self.directory)

    async def _is_admin(self, person: UserId, directory: Directory) -> bool:
        if person in self._admins:
            return True
        return any([person in await directory.list_group(group) for group in self._groups])

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

    async def is_shared_with(self, person: UserId, link: Link) -> bool:
        """Return whether the owner shares the task with the person, directly or by a user group, and whether
        this counts (`can_owner_let_in`)."""
        is_named = person in link.shares or await self._is_in_groups(person, link.shares)
        return is_named and await self.can_owner_let_in(get_owner(link.record))

    async def can_owner_let_in(self, owner: LinkOwner) -> bool:
        """Return whether the task's owner may let others steer it: may use the bot, and has its Coder user.

        If Coder does not say now which user the owner has, nobody else may have the task's. If Slack does not
        show the owner, the service account must see now that its user is active: raise OutsideError if it
        cannot, so that an act waits.
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
            is_refused = isinstance(error, PersonTokenRefused)
        return await self.accounts.owns_still(owner.person, owner.user_id, is_refused=is_refused)

    async def lets_in_now(self, owner: LinkOwner) -> bool:
        """Like `can_owner_let_in`, but False if this is not known now. For what is only shown."""
        with contextlib.suppress(OutsideError):
            return await self.can_owner_let_in(owner)
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
        if owner is None or not await self.is_open_to_channel(link):
            return False
        return all([await self.directory.is_member(each, channel) for each in (person, owner)])

    async def is_open_to_channel(self, link: Link) -> bool:
        """Return whether the channel's settings let everybody in the channel steer this task.

        They count only for a thread that the task's owner has asked for, and while the owner may let others
        in.
        """
        record = link.record
        is_open = (await self._deps.channel_settings.get(record.channel)).lets_everybody_steer(record)
        return is_open and record.thread_ts is not None and await self.can_owner_let_in(get_owner(record))

    async def list_shared_links(self, person: UserId) -> frozenset[LinkId]:
        """List the links of the tasks that are shared with this person or their groups, if this counts."""
        shared = await self._deps.links.list_shares()
        wanted = {each for shares in shared.values() for each in shares if is_group(each)}
        own = await self.directory.list_groups_of(person, wanted) | {str(person)}
        found = [link for link, shares in shared.items() if own & set(shares)]
        owners = await self._deps.links.list_owners(found) if found else {}
        active = {each for each in set(owners.values()) if await self.lets_in_now(each)}
        return frozenset(link for link in found if owners.get(link) in active)

    async def require_right_to(
        self, verb: RefusedAct, requester: Requester, link: Link, *, needs_coder: bool = True
    ) -> None:
        """Raise UserError unless the person may do `verb` to the task. The error names the verb."""
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

        The channel of a link without a thread is only the place of somebody's command.
        """
        if link.record.thread_ts is not None:
            return await self._can_see(requester, link.record.channel)
        return not self.accounts.has_service and await self.accounts.sees(requester.person, link)

    async def find_conversation(self, requester: Requester) -> ChannelId:
        """Return the channel in which the person made the request, or which the person named in the request.

        Return an empty id if the person cannot read the named channel.
        """
        is_there = await self._can_see(requester, requester.channel)
        return requester.channel if is_there else ChannelId("")

    async def _can_see(self, requester: Requester, channel: ChannelId) -> bool:
        """Return whether the person can read the channel. If the request was just made there, return True."""
        if requester.channel == channel and self._was_just_there(requester):
            return True
        return bool(channel) and await self.directory.can_see(requester.person, channel)

    def _was_just_there(self, requester: Requester) -> bool:
        age = self._deps.slack.now() - moment_of(requester.at)
        return age < PRESENCE_WINDOW and not requester.is_elsewhere

    async def require_place(self, requester: Requester, what: Literal["created", "attached"]) -> None:
        """Raise UserError unless a card may be posted in the requester's channel.

        The requester must be in the channel or must have just acted there. No other company may read the
        channel, unless the settings allow that. `what` is a word for the error's text: the task was not
        `created` or not `attached`.
        """
        channel = requester.channel
        require_allowed(self._deps, channel)
        if not self._was_just_there(requester) and not await self.directory.is_member(
            requester.person, channel
        ):
            raise UserError(*refusals.not_in_channel(channel, what), reason="place")
        if channel in self._shared_channels:
            return
        place = await self.directory.find_channel(channel)
        if place is not None and place.is_shared:
            raise UserError(*refusals.shared_channel(channel, what), reason="place")

    async def find_name(self, person: UserId | None) -> str:
        """Return a person's name; empty if Slack does not give the name now."""
        if person is None:
            return ""
        try:
            return await self.directory.get_name(person)
        except (UserError, OutsideError) as error:
            _log.info("person's name not available, left out", person=person, error=str(error))
            return ""
