"""Authorizations: what Redis keeps from the press on *Connect with Coder* until the account is connected.

Each part is a note, sealed for its key, and expires after ten minutes. If a note is lost, the person has to
enter `/task connect` again. Nobody can use these notes without the browser that has opened Coder's page.
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
# How often a person may enter a wrong number.
MOST_TRIES = 5


class StartedAuthorization(BaseModel):
    """Who has asked to connect an account, and the verifier that is needed to exchange Coder's code."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    requester: Requester
    verifier: str = Field(repr=False)


class Grant(BaseModel):
    """The code that a person's browser has brought from Coder's page, and what its exchange needs.

    `confirmation` is a number that only this browser shows.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    code: str = Field(repr=False)
    verifier: str = Field(repr=False)
    confirmation: str = Field(repr=False)

    def seal(self, person: UserId) -> str:
        """Return the grant as an encrypted text, for the job of this person."""
        return seal_pasted(self.model_dump_json(), person)

    @classmethod
    def open(cls, sealed: str, person: UserId) -> Self:
        """Decrypt a grant that was sealed for this person. Raise UserError if that fails."""
        return cls.model_validate_json(open_pasted(sealed, person))


class UnconfirmedAccount(BaseModel):
    """A Coder account that is connected once the person has entered the number that their browser shows.

    `confirmation` is this number.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    tokens: Tokens
    user_id: str
    username: str
    confirmation: str = Field(repr=False)
    tries_left: int = MOST_TRIES


class Authorizations:
    """The authorizations of one workspace that are under way."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    async def start(self, state: str, started: StartedAuthorization) -> None:
        """Store who has asked, under the state that Coder sends back with the person."""
        await self._notes.keep(
            started.model_dump_json(), "authorization", digest_state(state), ttl_ms=LIFETIME_MS
        )

    async def find_started(self, state: str) -> StartedAuthorization | None:
        """Return who has asked; None if the state is unknown, expired or used."""
        kept = await self._notes.find("authorization", digest_state(state))
        return read_if_possible(StartedAuthorization, kept)

    def end(self, batch: Batch, state: str) -> Batch:
        """Add to a batch the write that forgets a state, because it was used."""
        return self._notes.forget_in(batch, "authorization", digest_state(state))

    async def find_tokens(self, job_id: str) -> Tokens | None:
        """Return the tokens that an earlier try of this job has got; None if there are none."""
        return read_if_possible(Tokens, await self._notes.find("authorized", job_id))

    def keep_tokens(self, batch: Batch, job_id: str, tokens: Tokens) -> Batch:
        """Add to a batch the write that keeps the tokens of a job, because Coder gives them only once."""
        return self._notes.keep_in(batch, tokens.model_dump_json(), "authorized", job_id, ttl_ms=LIFETIME_MS)

    async def find_unconfirmed(self, person: UserId) -> UnconfirmedAccount | None:
        """Return the account that waits for the person's confirmation; None if none waits."""
        return read_if_possible(UnconfirmedAccount, await self._notes.find("unconfirmed", person))

    def keep_unconfirmed(self, batch: Batch, person: UserId, found: UnconfirmedAccount) -> Batch:
        """Add to a batch the write that stores an account until the person confirms it."""
        return self._notes.keep_in(batch, found.model_dump_json(), "unconfirmed", person, ttl_ms=LIFETIME_MS)

    def forget_unconfirmed(self, batch: Batch, person: UserId) -> Batch:
        """Add to a batch the write that removes the account that waits for the person's confirmation."""
        return self._notes.forget_in(batch, "unconfirmed", person)


def digest_state(state: str) -> str:
    """Return a hash of a state, as the name of its note. The names of keys are not encrypted."""
    return hashlib.sha256(state.encode()).hexdigest()
