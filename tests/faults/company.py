"""Everybody who goes through one flow in one life, again and again."""

import asyncio
from collections.abc import Callable, Sequence

from .flows.flow import Flow, give_tasks
from .life import Process
from .points import Aim
from .rounds import Round
from .seats import Seat, said_in
from .walks import Walk

QUIET_MS = 10_000


class Company:
    """Seats in one life, and the flow that they go through."""

    def __init__(self, life: Process, flow: Callable[[Process], Flow], size: int) -> None:
        self.life = life
        self.flow = flow(life)
        self._going: dict[Seat, asyncio.Task[None]] = {}
        self.seats = [self._seat(number, f"person-{number}") for number in range(size)]
        # Has a task and a thread and never goes, so that what is asked about all is told from what is asked
        # about one.
        self._bystander = self._seat(size, "bystander")
        self._prepared: set[Seat] = set()
        life.watch.seats = self.seats

    def _seat(self, number: int, name: str) -> Seat:
        life = self.life
        email = f"{name}@example.com"
        person = life.slack.add_user(name, email=email).id
        channel = life.slack.add_channel(f"channel-{number}", [name]).id
        account = life.coder.add_user(name, email=email)
        seat = Seat(number, name, person, channel, is_watched=self.flow.is_watched)
        life.watch.names.add(seat, name, person, channel, account.id)
        return seat

    async def _prepare(self, seats: Sequence[Seat]) -> None:
        """Let these have what the flow begins with, once."""
        if self._bystander not in self._prepared:
            await give_tasks(self.flow, [self._bystander])
        new = [seat for seat in seats if seat not in self._prepared]
        if new:
            await self.flow.prepare(new)
            await self.life.live_out()
        self._prepared |= {self._bystander, *new}

    async def rehearse(self, death: Aim | None = None) -> Walk:
        """Go through the flow; returns its points, or those of what recovers from a death."""
        seats = self.seats[:1]
        await self._prepare(seats)
        await self._send(seats, [death])
        if death is not None:
            await self._arrive(seats)
            await self._next_bot()
        await self._end(seats)
        (seat,) = seats
        assert death is None or seat.is_struck, f"{death}: there was no such call, but {seat}"
        walk = Walk(list(seat.points), set(seat.alone), set(seat.apart))
        await self._check(seats)
        return walk

    async def perform(self, planned: Round) -> list[Aim]:
        """Go through the flow once for each thing that is to go wrong; returns those that did not."""
        together, alone = self._parts(planned)
        try:
            await self._prepare([*together, *alone])
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
        """Let everybody come to their point, kill, and let a new bot bring it all to its end.

        Where it is to die too, it is the third that does.
        """
        await self._send(together, planned.together)
        await self._arrive(together)
        await self._send(alone, planned.alone)
        await self._arrive(alone)
        await self._next_bot()
        if any(aim.again is not None for aim in planned.aims):
            await self._arrive([*together, *alone])
            await self._next_bot()
        await self._end([*together, *alone])

    async def _suffer(self, planned: Round, together: Sequence[Seat], alone: Sequence[Seat]) -> None:
        """Let everybody come to their end in spite of it; a new bot then has nothing left to do."""
        await self._send(together, planned.together)
        await self._end(together)
        for seat, aim in zip(alone, planned.alone, strict=True):
            await self._send([seat], [aim])
            await self._end([seat])
        await self._next_bot()
        await self.life.live_out()

    async def _next_bot(self) -> None:
        await self.life.kill()
        await self.life.bear()

    async def _send(self, seats: Sequence[Seat], aims: Sequence[Aim | None]) -> None:
        await self.flow.set_out(seats)
        # So that everybody finds a card that may be drawn at once, whatever was before.
        await self.life.let_pass(QUIET_MS)
        await self.life.forget_people()
        self.life.watch.learn_tasks()
        for seat, aim in zip(seats, aims, strict=True):
            seat.before = {str(message["ts"]) for message in said_in(self.life.slack, seat)}
            seat.shown_before = len(self.life.slack.ephemerals(seat.person))
            seat.builds_before = len(seat.task.builds) if seat.task is not None else 0
            seat.begin(aim)
            self._going[seat] = asyncio.create_task(self.flow.go(seat))

    async def _arrive(self, seats: Sequence[Seat]) -> None:
        free = [seat for seat in seats if not seat.is_held]
        await self.life.live_until(
            lambda: self._are_over([seat for seat in free if not seat.is_held]), "everybody is at their point"
        )
        # What they wanted may have come about before their point.
        await self.life.live_out(unless=lambda: all(seat.is_held for seat in seats))

    async def _end(self, seats: Sequence[Seat]) -> None:
        await self.life.live_until(lambda: self._are_over(seats), "what everybody wanted")
        await self.life.live_out()
        for seat in seats:
            await self._going[seat]
            seat.is_going = False

    def _are_over(self, seats: Sequence[Seat]) -> bool:
        # Everybody is asked: some flows do what comes next when they are.
        over = [self._is_over(seat) for seat in seats]
        return all(over)

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
            self._prepared.clear()
