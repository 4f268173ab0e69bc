"""Begins and ends the shares of a task. A share lets another person or a user group steer the owner's task.

`permissions.py` decides who may begin and end shares, and what a share allows.
"""

import contextlib
import json
from collections.abc import Collection
from functools import partial
from typing import Literal

from taskwire.coder.errors import PersonTokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.ids import Ts, UserId, microseconds
from taskwire.domain.lifecycle.links import Link, is_group
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.domain.text.mrkdwn import fold_words, split_names
from taskwire.messages import missing_rights, refusals, share_form, teammates
from taskwire.messages.shapes import typed_verb
from taskwire.people.account_errors import AccountNeeded, NoAccount, Suspended
from taskwire.people.directory import NAMES_OF_NAMED, SHARE_POSSIBLE
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.queue.user_limits import STEERER, STEERER_TTL_MS
from taskwire.state.links import get_owner

# With how many people and groups a task can be shared. If the actor is not one of these people, each group
# costs a call to Slack. One request may name as many: each of them may cost a call too, and a note.
MOST_SHARES = 20
# How long the time of a share's end is kept. A share that somebody asked for before that time has no effect.
# It may have waited for an account for a week.
ENDED_TTL_MS = 10 * DAY_MS
# For each task, the times of this many typed names are kept, and of this many people and groups: the newest.
MOST_ENDED_NAMES = 50
# For how long it is known what a request found out about a person whom it names, since a request last needed
# it. So a request that names many people goes on where Slack's limits made it wait, however long it waits. No
# right depends on it: each act checks again.
NAMED_TTL_MS = 600_000


async def list_still_let_in(people: People, link: Link, ended: Collection[str]) -> tuple[str, ...]:
    """Return the people of `ended` who may steer the task although their share has ended.

    `link` has the present shares. A person counts as not let in if Slack does not answer.
    """
    found = []
    for person in (UserId(each) for each in ended if not is_group(each)):
        with contextlib.suppress(OutsideError, UserError):
            if await people.is_let_in(person, link) or await people.is_admin(person):
                found.append(person)
    return tuple(found)


async def is_shared_now(people: People, person: UserId, link: Link) -> bool:
    """Like `People.is_shared_with`, for what is only shown. Return False if nothing is known."""
    with contextlib.suppress(OutsideError):
        return await people.is_shared_with(person, link, is_for_act=False)
    return False


class Shares:
    """Begins and ends shares."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    async def describe_in_force(self, link: Link, *, is_for_all: bool = False) -> str:
        """Like `describe`, but empty while no share counts (`People.lets_in_now`)."""
        counts = bool(link.shares) and await self._people.lets_in_now(get_owner(link.record))
        return await self.describe(link, is_for_all=is_for_all) if counts else ""

    async def describe(self, link: Link, *, is_for_all: bool = False) -> str:
        """Return the people and groups with whom the owner shares the task, as mrkdwn; empty for none.

        If everybody sees the message (`is_for_all`), leave the groups out: a group's token in the message
        would notify all members.
        """
        people = [await self._people.find_name(UserId(each)) for each in link.shares if not is_group(each)]
        groups = [each for each in link.shares if is_group(each)]
        return teammates.list_people(people, groups, is_for_all=is_for_all)

    async def answer(
        self, requester: Requester, link: Link, shares: Collection[str], named: Collection[str]
    ) -> Message:
        """Return the answer to a request that changes or lists the task's shares.

        `shares` are the people and groups with whom the task is shared from now on; `link` has the earlier
        ones. `named` are the people and groups that the request names. The answer's example names one of
        them, if the task is shared with them.
        """
        now = link.model_copy(update={"shares": tuple(shares)})
        examples = [each for each in named if each in shares] or shares
        whom = next((UserId(each) for each in examples if not is_group(each)), None)
        answer = partial(
            teammates.who_may_steer,
            link,
            await self.describe(now),
            whom=await self._people.find_name(whom),
            is_own=link.record.is_owned_by(requester.person),
            is_open=await self._people.is_open_to_channel(link),
            is_in_thread=requester.is_in(link.record.thread),
        )
        ended = [each for each in link.shares if each not in shares]
        if not ended or set(shares) - set(link.shares):
            return answer()
        kept = await list_still_let_in(self._people, now, ended)
        lost = tuple(each for each in ended if each not in kept)
        return answer(
            ended=await self.describe(link.model_copy(update={"shares": lost})),
            kept=await self.describe(link.model_copy(update={"shares": kept})),
        )

    async def begin(
        self, requester: Requester, link: Link, who: Collection[str], batch: Batch
    ) -> tuple[str, ...]:
        """Share the task with these people and groups, as `requester` asked.

        Return all people and groups with whom the task is shared now. Do not begin a share that was ended
        after this request: a request may wait for days, and the later end counts.

        Raise UserError if one of these people may never use the bot, if one of the groups does not exist, or
        if there are too many shares. Raise it too if the share would not count now, because of the owner: the
        owner could not be told of it. The task is then shared with none of them.
        """
        owner = get_owner(link.record)
        if who and not await self._people.can_owner_let_in(owner):
            raise UserError(*missing_rights.owner_cannot_let_in(link), reason="not_allowed")
        who = [each for each in who if not await self._has_ended_since(requester, link, each)]
        # Whoever may share a task needs no share. Theirs would outlast the right.
        without = (link.record.owner_slack, requester.person)
        shares = tuple(dict.fromkeys((*link.shares, *(each for each in who if each not in without))))
        if len(shares) > MOST_SHARES:
            is_in_thread = requester.is_in(link.record.thread)
            unshare = typed_verb("unshare", link, "@who", is_in_thread=is_in_thread)
            raise UserError(*refusals.too_many_shares(link, MOST_SHARES, unshare))
        for each in who:
            if not is_group(each):
                await self._require_possible(UserId(each), requester.person)
            elif not await self._people.directory.has_group(each, requester.person):
                raise UserError(*refusals.NO_SUCH_GROUP)
        self._deps.writes.set_shares(batch, link.id, shares)
        for each in who:
            if not is_group(each):
                self._deps.notes.keep_in(batch, "1", STEERER, link.id, each, ttl_ms=STEERER_TTL_MS)
        return shares

    async def find_refusal(self, asker: UserId, link: Link, who: Collection[str]) -> str:
        """Return why `asker` cannot share the task of this link with these people; empty if they can."""
        for each in who:
            if is_group(each):
                continue
            if link.record.is_owned_by(UserId(each)):
                return share_form.owner_needs_no_share(await self._people.find_name(UserId(each)))
            try:
                await self._require_possible(UserId(each), asker)
            except UserError as error:
                return error.sentence
        return ""

    async def end(
        self, requester: Requester, link: Link, who: Collection[str], batch: Batch
    ) -> tuple[str, ...]:
        """End the shares of these people and groups. Return those with whom the task is still shared."""
        shares = tuple(each for each in link.shares if each not in who)
        if link.end_reason is None:
            self._deps.writes.set_shares(batch, link.id, shares)
        else:
            # The task is missing in Coder. If it comes back, these shares are in force.
            self._deps.writes.set_people(batch, link.id, "shares", shares)
        await self._note_ended(requester, link, who, batch)
        return shares

    async def _note_ended(self, requester: Requester, link: Link, who: Collection[str], batch: Batch) -> None:
        """Record when the shares of these people and groups have ended, also if nothing was shared with them.

        A share that was asked for before may wait. Forget the oldest ones beyond `MOST_ENDED_NAMES`.
        """
        notes, ended = self._deps.notes, ("shares_ended", link.id)
        at_ms = microseconds(requester.at) // 1000
        earlier = [each for each in await notes.list_counted(*ended) if each not in who]
        for each in earlier[: max(0, len(earlier) + len(who) - MOST_ENDED_NAMES)]:
            notes.forget_in(batch, "share_ended", link.id, each)
            notes.uncount_in(batch, each, *ended)
        for each in who:
            notes.count_in(batch, each, at_ms, MOST_ENDED_NAMES, *ended, ttl_ms=ENDED_TTL_MS)
            notes.keep_in(batch, requester.at, "share_ended", link.id, each, ttl_ms=ENDED_TTL_MS)

    async def end_named(self, requester: Requester, link: Link, text: str, batch: Batch) -> None:
        """Record that shares with the people whose names were typed in `text` have ended.

        It may not be known yet who has such a name. A share that was asked for before, and that waits, does
        not begin for a person with this name.
        """
        names = {fold_words(name): requester.at for name in split_names(text)}
        if names:
            newest = sorted((await self._list_ended_names(link) | names).items(), key=lambda ended: ended[1])
            kept = json.dumps(dict(newest[-MOST_ENDED_NAMES:]))
            self._deps.notes.keep_in(batch, kept, "share_names_ended", link.id, ttl_ms=ENDED_TTL_MS)

    async def _list_ended_names(self, link: Link) -> dict[str, Ts]:
        kept = await self._deps.notes.find("share_names_ended", link.id)
        return {name: Ts(at) for name, at in json.loads(kept).items()} if kept is not None else {}

    async def _has_ended_since(self, requester: Requester, link: Link, who: str) -> bool:
        ended_at = await self._deps.notes.find("share_ended", link.id, who)
        times = [] if ended_at is None else [ended_at]
        names = await self._list_ended_names(link)
        if names and not is_group(who):
            known = await self._list_names_of(UserId(who), requester.person)
            times += [at for name, at in names.items() if name in known]
        return any(microseconds(at) > microseconds(requester.at) for at in times)

    async def _list_names_of(self, person: UserId, asker: UserId) -> list[str]:
        """Return the names of a person whom `asker` names, folded.

        Return none if Slack does not show the person. Then `begin` says so.
        """
        known, names = await self._deps.notes.find(NAMES_OF_NAMED, person), list[str]()
        if known is None:
            await self._people.directory.look_up_named(person, asker)
            with contextlib.suppress(UserError):
                profile = await self._people.directory.get_profile(person)
                names = [fold_words(profile.real_name), fold_words(profile.name)]
            known = json.dumps(names)
        await self._deps.notes.keep(known, NAMES_OF_NAMED, person, ttl_ms=NAMED_TTL_MS)
        return [str(name) for name in json.loads(known)]

    def require_few(self, verb: Literal["share", "unshare"], who: Collection[str], text: str) -> None:
        """Raise UserError if a request names too many people and groups: those of `who`, and names in `text`.

        Check this before anything else of the request is done or looked up.
        """
        if len({*who, *split_names(text)}) > MOST_SHARES:
            raise UserError(*share_form.too_many_named(verb, MOST_SHARES))

    async def find_people(
        self, requester: Requester, link: Link, verb: Literal["share", "unshare"], text: str
    ) -> tuple[UserId, ...]:
        """Return the people whose names a person typed in `text` as plain text, without mentions.

        For `share`, look among the people of the workspace; for `unshare`, first among the people with whom
        the task is shared. Raise UserError unless each name fits exactly one person.
        """
        names = split_names(text)
        if not names:
            return ()
        known: dict[str, list[UserId]] = {}
        if verb == "unshare":
            for person in (UserId(each) for each in link.shares if not is_group(each)):
                known.setdefault(fold_words(await self._people.find_name(person)), []).append(person)
        unknown = {fold_words(name) for name in names} - known.keys()
        if unknown:
            known |= await self._people.directory.list_named(unknown)
        found: list[UserId] = []
        for name in names:
            fitting = known.get(fold_words(name), [])
            if len(fitting) != 1:
                is_in_thread = requester.is_in(link.record.thread)
                command = typed_verb(verb, link, "@", is_in_thread=is_in_thread)
                raise UserError(*refusals.not_mentioned(name, command, is_known=bool(fitting)))
            found += fitting
        return tuple(found)

    async def _require_possible(self, person: UserId, asker: UserId) -> None:
        """Raise UserError if `person`, whom `asker` names, may never use the bot.

        The task cannot be shared with such a person. The error's text is for `asker`.
        """
        if await self._deps.notes.find(SHARE_POSSIBLE, person) is None:
            await self._people.directory.look_up_named(person, asker)
            await self._check_possible(person)
        await self._deps.notes.keep("1", SHARE_POSSIBLE, person, ttl_ms=NAMED_TTL_MS)

    async def _check_possible(self, person: UserId) -> None:
        people = self._people
        try:
            await (people.get_account(person) if people.accounts.has_service else people.get_profile(person))
        except PersonTokenRefused:
            # The share gives no right until Coder accepts a token of the person.
            return
        except (NoAccount, AccountNeeded):
            raise UserError(*refusals.cannot_share_with(await people.find_name(person))) from None
        except UserError as error:
            # The text about a suspended account names it. It is for the suspended person alone.
            why = share_form.ACCOUNT_UNUSABLE if isinstance(error, Suspended) else error.sentence
            raise UserError(*refusals.cannot_share_with(await people.find_name(person), why)) from None
