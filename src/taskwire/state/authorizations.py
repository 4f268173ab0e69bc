"""Authorizations: what Redis stores from the press of *Connect with Coder* until the account is connected.

Each part is a note, is sealed for its key, and expires after ten minutes. If a note is lost, the person has
to enter `/task connect` again. Only the browser that has opened Coder's page can use these notes.
"""

import hashlib
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from taskwire.coder.oauth import Tokens
from taskwire.domain.ids import UserId
from taskwire.domain.requester import Requester
from taskwire.queue.batch import Batch
from taskwire.redis.decoding import read_if_possible
from taskwire.state.accounts import open_pasted, seal_pasted
from taskwire.state.notes import Notes

# Coder's code is also valid for ten minutes.
LIFETIME_MS = 600_000
# How many times a person may enter a wrong number.
MOST_TRIES = 5


class StartedAuthorization(BaseModel):
    """Who has asked to connect an account, and the PKCE verifier with which Coder's code is exchanged."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    requester: Requester
    verifier: str = Field(repr=False)


class Grant(BaseModel):
    """The authorization code that Coder has sent through a person's browser.

    The grant also has what the exchange of the code needs. `confirmation` is a number that only this browser
    shows.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    code: str = Field(repr=False)
    verifier: str = Field(repr=False)
    confirmation: str = Field(repr=False)

    def seal(self, person: UserId) -> str:
        """Return the grant as an encrypted text, for a job of this person."""
        return seal_pasted(self.model_dump_json(), person)

    @classmethod
    def open(cls, sealed: str, person: UserId) -> Self:
        """Decrypt a grant that was sealed for this person. Raise UserError if that fails."""
        return cls.model_validate_json(open_pasted(sealed, person))


class UnconfirmedAccount(BaseModel):
    """A Coder account that waits until the person enters the number that their browser shows.

    `confirmation` is this number.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    tokens: Tokens
    user_id: str
    username: str
    confirmation: str = Field(repr=False)
    tries_left: int = MOST_TRIES


class Authorizations:
    """The authorizations of one workspace that have begun and not ended."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    async def start(self, state: str, started: StartedAuthorization) -> None:
        """Store under the `state` who has asked to connect an account.

        Coder later sends the `state` back through the person's browser.
        """
        await self._notes.keep(
            started.model_dump_json(), "authorization", digest_state(state), ttl_ms=LIFETIME_MS
        )

    async def find_started(self, state: str) -> StartedAuthorization | None:
        """Return who has asked to connect an account with this `state`.

        Return None if the `state` is unknown, expired or used.
        """
        kept = await self._notes.find("authorization", digest_state(state))
        return read_if_possible(StartedAuthorization, kept)

    def end(self, batch: Batch, state: str) -> Batch:
        """Add to a batch the write that deletes a `state`, because it was used."""
        return self._notes.forget_in(batch, "authorization", digest_state(state))

    async def find_tokens(self, job_id: str) -> Tokens | None:
        """Return the tokens that an earlier try of this job has received; None if there are none."""
        return read_if_possible(Tokens, await self._notes.find("authorized", job_id))

    def keep_tokens(self, batch: Batch, job_id: str, tokens: Tokens) -> Batch:
        """Add to a batch the write that stores a job's tokens, because Coder gives these tokens only once."""
        return self._notes.keep_in(batch, tokens.model_dump_json(), "authorized", job_id, ttl_ms=LIFETIME_MS)

    async def find_unconfirmed(self, person: UserId) -> UnconfirmedAccount | None:
        """Return the account that waits for the person's confirmation; None if none waits."""
        return read_if_possible(UnconfirmedAccount, await self._notes.find("unconfirmed", person))

    def keep_unconfirmed(self, batch: Batch, person: UserId, found: UnconfirmedAccount) -> Batch:
        """Add to a batch the write that stores an account until the person confirms the account."""
        return self._notes.keep_in(batch, found.model_dump_json(), "unconfirmed", person, ttl_ms=LIFETIME_MS)

    def forget_unconfirmed(self, batch: Batch, person: UserId) -> Batch:
        """Add to a batch the write that removes the account that waits for the person's confirmation."""
        return self._notes.forget_in(batch, "unconfirmed", person)


def digest_state(state: str) -> str:
    """Return a hash of a `state`, for the key name of its note. Key names are not encrypted."""
    return hashlib.sha256(state.encode()).hexdigest()
