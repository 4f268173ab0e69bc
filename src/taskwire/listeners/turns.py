"""Decides whose work runs next, so that one person's questions delay nobody else's."""

import asyncio
from collections import Counter, deque


class Turns:
    """Gives a limited number of places to people, in turn.

    At most `most` places are taken, at most `most_of_one` of them by one person. A place that becomes free
    goes to the person who has waited longest since their last turn, however much others wait for.
    """

    def __init__(self, most: int, most_of_one: int) -> None:
        self._free = most
        self._most_of_one = most_of_one
        self._taken: Counter[str] = Counter()
        # The person whose turn is next comes first.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def take(self, person: str) -> None:
        """Wait until this person has a place."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(person, deque()).append(turn)
        self._give()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.leave(person)
            raise

    def leave(self, person: str) -> None:
        """Give this person's place back."""
        self._free += 1
        self._taken[person] -= 1
        if not self._taken[person]:
            del self._taken[person]
        self._give()

    def _give(self) -> None:
        while self._free and (person := self._find_next()) is not None:
            turns = self._waiting.pop(person)
            turn = turns.popleft()
            if turns:
                self._waiting[person] = turns
            if not turn.cancelled():
                self._free -= 1
                self._taken[person] += 1
                turn.set_result(None)

    def _find_next(self) -> str | None:
        return next((each for each in self._waiting if self._taken[each] < self._most_of_one), None)
