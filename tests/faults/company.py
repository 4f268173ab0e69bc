"""Everybody who goes through one flow in one life, again and again."""

import asyncio
from collections.abc import Callable, Sequence

from .flows.flow import Flow
from .life import Life
from .points import Aim, Point
from .rounds import Round
from .seats import Seat, said_in


class Company:
    """Seats in one life, and the flow that they go through."""

    def __init__(self, life: Life, flow: Callable[[Life], Flow], size: int) -> None:
        self.life = life
        self.flow = flow(life)
        self._going: dict[Seat, asyncio.Task[None]] = {}
        self.seats = [self._seat(number) for number in range(size)]
        life.watch.seats = self.seats

    def _seat(self, number: int) -> Seat:
        life, name = self.life, f"person-{number}"
        email = f"{name}@example.com"
        person = life.slack.add_user(name, email=email).id
        channel = life.slack.add_channel(f"channel-{number}", [name]).id
        account = life.coder.add_user(name, email=email)
        seat = Seat(number, name, person, channel, is_watched=self.flow.is_watched)
        life.watch.names.add(seat, name, person, channel, account.id)
        return seat

    async def prepare(self) -> None:
        """Let everybody have what the flow begins with."""
        await self.flow.prepare(self.seats)
        await self.life.live_out()

    async def rehearse(self) -> tuple[list[Point], set[Point]]:
        """Go through the flow once; returns its points, and those that are known only of who goes alone."""
        await self._send(self.seats[:1], [None])
        await self._end(self.seats[:1])
        points = list(self.seats[0].points)
        await self._check(self.seats[:1])
        return points, set(self.seats[0].alone)

    async def perform(self, planned: Round) -> list[Aim]:
        """Go through the flow once for each thing that is to go wrong; returns those that did not."""
        together, alone = self._parts(planned)
        try:
            await (self._die if planned.is_kill else self._suffer)(planned, together, alone)
            await self._check([*together, *alone])
        except Exception as failed:
            for seat in (*together, *alone):
                failed.add_note(f"{seat.name}: {seat.aim}{'' if seat.is_struck else ' (not yet)'}")
            failed.add_note(await self.life.last_words())
            raise
        return [seat.aim for seat in (*together, *alone) if seat.aim is not None and not seat.is_struck]

    def _parts(self, planned: Round) -> tuple[Sequence[Seat], Sequence[Seat]]:
        count = len(planned.together)
        return self.seats[:count], self.seats[count : count + len(planned.alone)]

    async def _die(self, planned: Round, together: Sequence[Seat], alone: Sequence[Seat]) -> None:
        """Let everybody come to their point, kill, and let a new bot bring it all to its end."""
        await self._send(together, planned.together)
        await self._arrive(together)
        await self._send(alone, planned.alone)
        await self._arrive(alone)
        await self.life.kill()
        await self.life.bear()
        await self._end([*together, *alone])

    async def _suffer(self, planned: Round, together: Sequence[Seat], alone: Sequence[Seat]) -> None:
        """Let everybody come to their end in spite of it; a new bot then has nothing left to do."""
        await self._send(together, planned.together)
        await self._end(together)
        for seat, aim in zip(alone, planned.alone, strict=True):
            await self._send([seat], [aim])
            await self._end([seat])
        await self.life.kill()
        await self.life.bear()
        await self.life.live_out()

    async def _send(self, seats: Sequence[Seat], aims: Sequence[Aim | None]) -> None:
        await self.life.forget_people()
        await self.flow.set_out(seats)
        for seat, aim in zip(seats, aims, strict=True):
            seat.before = {str(message["ts"]) for message in said_in(self.life.slack, seat)}
            seat.shown_before = len(self.life.slack.ephemerals(seat.person))
            seat.begin(aim)
        self._going |= {seat: asyncio.create_task(self.flow.go(seat)) for seat in seats}

    async def _arrive(self, seats: Sequence[Seat]) -> None:
        await self.life.live_until(
            lambda: all(seat.is_held or self._is_over(seat) for seat in seats), "everybody is at their point"
        )

    async def _end(self, seats: Sequence[Seat]) -> None:
        await self.life.live_until(lambda: all(map(self._is_over, seats)), "what everybody wanted")
        await self.life.live_out()
        for seat in seats:
            await self._going[seat]
            seat.is_going = False

    def _is_over(self, seat: Seat) -> bool:
        return self._going[seat].done() and (seat.is_untaken or self.flow.is_over(seat))

    async def _check(self, seats: Sequence[Seat]) -> None:
        for seat in seats:
            try:
                (self.flow.check_untaken if seat.is_untaken else self.flow.check)(seat)
            except Exception as failed:
                failed.add_note(f"{seat.name} has had: {seat.aim}")
                raise
        await self.life.check()
        if not self.flow.is_lasting:
            for task in self.life.coder.tasks:
                task.deleted_elsewhere()
            await self.life.clear()
            await self.prepare()
