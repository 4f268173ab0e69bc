"""Runs one flow repeatedly in one deployment, with several actors. `points.py` defines points and aims."""

import asyncio
from collections.abc import Callable, Sequence

from taskwire.sealing import KeyRing
from tests.keys import KEY

from .actors import Actor, said_in
from .deployment import Deployment
from .flows.flow import Flow, give_tasks
from .points import Aim
from .rounds import Round
from .traces import Trace

QUIET_MS = 10_000


class FlowRun:
    """One flow and its actors in one deployment."""

    def __init__(self, deployment: Deployment, flow: Callable[[Deployment], Flow], size: int) -> None:
        self.deployment = deployment
        self.flow = flow(deployment)
        self._runs: dict[Actor, asyncio.Task[None]] = {}
        self.actors = [self._new_actor(number, f"person-{number}") for number in range(size)]
        # The bystander has a task and a thread but never runs the flow. Because of the bystander, a call
        # about all tasks always names several actors, and is never taken for a call about a single actor.
        self._bystander = self._new_actor(size, "bystander")
        self._is_prepared = False
        deployment.watch.actors = self.actors

    def _new_actor(self, number: int, name: str) -> Actor:
        deployment = self.deployment
        email = f"{name}@example.com"
        person = deployment.slack.add_user(name, email=email).id
        channel = deployment.slack.add_channel(f"channel-{number}", [name]).id
        account = deployment.coder.add_user(name, email=email)
        actor = Actor(number, name, person, channel, is_watched=self.flow.is_watched)
        # The store keeps what the bot knows of an account under this digest of the person's email address.
        digest = KeyRing([KEY]).digest(email)
        deployment.watch.names.add(actor, name, person, channel, account.id, digest)
        return actor

    async def _begin(self) -> None:
        """Bring all actors to the start of the flow. The first call prepares this state and keeps it; each
        later call restores it."""
        deployment = self.deployment
        if not self._is_prepared:
            await give_tasks(self.flow, [self._bystander])
            await self.flow.prepare(self.actors)
            await deployment.run_to_end()
            await self.flow.reach_start(self.actors)
            # After this time, the rate limit allows an edit of every card, whatever happened before.
            await deployment.advance(QUIET_MS)
            await deployment.keep(self.flow, *self.actors)
            self._is_prepared = True
        await deployment.restore()

    async def rehearse(self, death: Aim | None = None) -> Trace:
        """Run the flow with one actor, and return all points of the run. If `death` is given, kill the bot at
        its point, and return only the points of the next bot."""
        actors = self.actors[:1]
        await self._begin()
        await self._start_runs(actors, [death])
        if death is not None:
            await self._wait_for_points(actors)
            await self._next_bot()
        await self._finish_runs(actors)
        (actor,) = actors
        assert death is None or actor.is_struck, f"{death}: there was no such call, but {actor}"
        trace = Trace(list(actor.points), set(actor.alone), set(actor.apart))
        await self._check(actors)
        return trace

    async def run_round(self, planned: Round) -> list[Aim]:
        """Run the flow once for each aim of a round, and check the results. Return the aims whose fault never
        happened, because the bot never made the call."""
        together, alone = self._parts(planned)
        try:
            await self._begin()
            await (self._run_with_kills if planned.is_kill else self._run_with_faults)(
                planned, together, alone
            )
            await self._check([*together, *alone])
        except Exception as failed:
            for actor in (*together, *alone):
                failed.add_note(f"{actor.name}: {actor.aim}{'' if actor.is_struck else ' (not yet)'}")
            failed.add_note(await self.deployment.describe_state())
            raise
        return [actor.aim for actor in (*together, *alone) if actor.aim is not None and not actor.is_struck]

    def _parts(self, planned: Round) -> tuple[Sequence[Actor], Sequence[Actor]]:
        count = len(planned.together)
        return self.actors[:count], self.actors[count : count + len(planned.alone)]

    async def _run_with_kills(
        self, planned: Round, together: Sequence[Actor], alone: Sequence[Actor]
    ) -> None:
        """Stop all actors at their points, kill the bot, and let a new bot finish all runs. `alone` has at
        most one actor, whose point can be recognized only while no other actor runs.

        If an aim has a second kill, the second bot is killed too, and a third bot finishes.
        """
        await self._start_runs(together, planned.together)
        await self._wait_for_points(together)
        for actor in together:
            # An actor that never came to its point has finished. If such an actor still counted as running,
            # calls without a name would belong to nobody, although only one other actor runs.
            actor.is_going = actor.is_held
        await self._start_runs(alone, planned.alone)
        await self._wait_for_points(alone)
        await self._next_bot()
        if any(aim.again is not None for aim in planned.aims):
            await self._wait_for_points([*together, *alone])
            await self._next_bot()
        await self._finish_runs([*together, *alone])

    async def _run_with_faults(
        self, planned: Round, together: Sequence[Actor], alone: Sequence[Actor]
    ) -> None:
        """Let all actors finish despite their faults: `together` at the same time, `alone` one by one. Then
        start a new bot, which must find no work left."""
        await self._start_runs(together, planned.together)
        await self._finish_runs(together)
        for actor, aim in zip(alone, planned.alone, strict=True):
            await self._start_runs([actor], [aim])
            await self._finish_runs([actor])
        await self._next_bot()
        await self.deployment.run_to_end()

    async def _next_bot(self) -> None:
        await self.deployment.kill()
        await self.deployment.start_bot()

    async def _start_runs(self, actors: Sequence[Actor], aims: Sequence[Aim | None]) -> None:
        await self.deployment.forget_people()
        self.deployment.watch.learn_tasks()
        for actor, aim in zip(actors, aims, strict=True):
            actor.before = {str(message["ts"]) for message in said_in(self.deployment.slack, actor)}
            actor.shown_before = len(self.deployment.slack.ephemerals(actor.person))
            actor.builds_before = len(actor.task.builds) if actor.task is not None else 0
            actor.begin(aim)
            self._runs[actor] = asyncio.create_task(self.flow.go(actor))

    async def _wait_for_points(self, actors: Sequence[Actor]) -> None:
        free = [actor for actor in actors if not actor.is_held]
        await self.deployment.run_until(
            lambda: self._are_over([actor for actor in free if not actor.is_held]),
            "everybody is at their point",
        )
        # The flow of an actor may have ended before the actor reached its point.
        await self.deployment.run_to_end(unless=lambda: all(actor.is_held for actor in actors))

    async def _finish_runs(self, actors: Sequence[Actor]) -> None:
        await self.deployment.run_until(lambda: self._are_over(actors), "what everybody wanted")
        await self.deployment.run_to_end()
        for actor in actors:
            await self._runs[actor]
            actor.is_going = False

    def _are_over(self, actors: Sequence[Actor]) -> bool:
        # Ask every actor: some flows take their next step in `is_over`.
        over = [self._is_over(actor) for actor in actors]
        return all(over)

    def _is_over(self, actor: Actor) -> bool:
        return self._runs[actor].done() and (actor.is_untaken or self.flow.is_over(actor))

    async def _check(self, actors: Sequence[Actor]) -> None:
        for actor in actors:
            try:
                (self.flow.check_untaken if actor.is_untaken else self.flow.check)(actor)
                await self.flow.check_store(actor)
            except Exception as failed:
                failed.add_note(f"{actor.name} has had: {actor.aim}")
                raise
        await self.deployment.check()
