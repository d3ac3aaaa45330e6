"""What can happen to a store: each move is done to the store and to its model, and compared.

A move takes a world and four numbers below 4096 that choose among what there is at that moment.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from machinery.drawn import OUTPUT, RESOURCES, SUCCESS, budget, failure, spend, submission
from machinery.units import Hand, Try
from machinery.workload import span
from machinery.world import Divergence, OpenStore, World, answered
from tau.domain.checkpoint import Checkpoint
from tau.domain.ids import RunId
from tau.domain.rollout import (
    AttemptStatus,
    ClaimedRollout,
    Outcome,
)
from tau.domain.run import Run, RunStatus
from tau.domain.worker import WorkerRole
from tau.errors import StoreError

Move: TypeAlias = Callable[[World, int, int, int, int], Awaitable[None]]

_ENDS = (RunStatus.PAUSED, RunStatus.RUNNING, RunStatus.FAILED, RunStatus.RUNNING,
         RunStatus.RUNNING, RunStatus.COMPLETED, RunStatus.CANCELLED)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Action:
    """A move by name, and its four numbers."""

    name: str
    picks: tuple[int, int, int, int]

    async def carry_out(self, world: World) -> None:
        """Make the move; raises Divergence where the answers differ."""
        await MOVES[self.name][0](world, *self.picks)


async def begin(open_store: OpenStore, *, shared: bool = False) -> World:
    """A world with one run, its trainer and two workers."""
    world = await World.begin(open_store, shared=shared)
    await create(world, 0, 0, 0, 0)
    for number in range(3):
        await register(world, number, number, 0, 0)
    return world


# --- runs


async def create(world: World, a: int, b: int, c: int, d: int) -> None:
    """A new run, or one that exists."""
    new = len(world.runs) < 3 and a % 4 != 1
    run_id = RunId(f"run-{len(world.runs)}") if new or not world.runs else world.run(b)
    run = Run(
        id=run_id,
        config_hash=f"config {b % 2}",
        model_ref="sim/none",
        seed=d,
        algorithm="evaluate",
        config={"a": a},
        budget=budget(c),
        max_attempts=1 + d % 3,
    )
    await world.same(world.store.runs.create(run), lambda: world.model.create(run))
    if run_id not in world.runs:
        world.runs.append(run_id)


async def adopt(world: World, a: int, b: int, c: int, d: int) -> None:
    """Drive a run by some trainer, new limits included."""
    trainer = world.hand(b, WorkerRole.TRAINER)
    run_id = world.run(a)
    limits, most = budget(c), 1 + d % 4
    asked = world.store.runs.adopt(run_id, trainer, budget=limits, max_attempts=most)
    await world.same(asked, lambda: world.model.adopt(run_id, trainer, world.now, limits, most))


async def set_status(world: World, a: int, b: int, c: int, d: int) -> None:
    """Pause, go on, or end."""
    run_id, status = world.run(a), _ENDS[b % len(_ENDS)]
    if status in (RunStatus.COMPLETED, RunStatus.CANCELLED) and c % 8:
        return  # final: keep most runs going
    trainer = world.hand(c, WorkerRole.TRAINER) if d % 3 == 0 else None
    await world.same(
        world.store.runs.set_status(run_id, status, trainer=trainer),
        lambda: world.model.set_status(run_id, status, trainer),
    )


async def book_time(world: World, a: int, b: int, c: int, d: int) -> None:
    """Time spent running, told by the driver or by another trainer."""
    run_id = world.run(a)
    driver = world.model.runs[run_id].trainer
    trainer = driver if driver and b % 3 else world.hand(b, WorkerRole.TRAINER)
    seconds = c / 8  # exact in binary, so that sums are too
    await world.same(
        world.store.runs.book_time(run_id, trainer=trainer, active_s=seconds),
        lambda: world.model.book_time(run_id, trainer, seconds),
    )


async def submit(world: World, a: int, b: int, c: int, d: int) -> None:
    """A few rollouts out of a small universe, so that many are there already."""
    run_id = world.run(a)
    submissions = [submission(b + 7 * i, c, d) for i in range(1 + c % 5)]
    expected = [world.model.known(run_id, one) for one in submissions]
    got = await world.answer(world.store.queue.submit(run_id, submissions))
    if not isinstance(got, Sequence) or len(got) != len(submissions):
        raise Divergence(f"submit answered {got!r}")
    for asked, name, known in zip(submissions, got, expected, strict=True):
        known = known or world.model.known(run_id, asked)  # twice in one call
        if known is None and name not in world.model.units:
            world.model.add(run_id, asked, name)
        elif name != known:
            raise Divergence(f"{asked.request.key} is {known}, submit says {name}")


async def cancel(world: World, a: int, b: int, c: int, d: int) -> None:
    """Cancel what waits, or everything."""
    run_id, in_flight = world.run(a), b % 2 == 1
    await world.same(
        world.store.queue.cancel(run_id, in_flight=in_flight),
        lambda: world.model.cancel(run_id, in_flight=in_flight),
    )


async def requeue(world: World, a: int, b: int, c: int, d: int) -> None:
    """Try failed rollouts anew, and others that are not failed."""
    run_id = world.run(a)
    names = [unit.id for unit in world.model.of_run(run_id)][b % 3 :: 1 + c % 3]
    await world.same(
        world.store.queue.requeue_failed(run_id, names),
        lambda: world.model.requeue_failed(run_id, names),
    )


async def save(world: World, a: int, b: int, c: int, d: int) -> None:
    """A checkpoint by the driver or by another trainer, dropping some of what waits."""
    run_id = world.run(a)
    drive = world.model.runs[run_id]
    trainer = drive.trainer if drive.trainer and b % 4 else world.hand(b, WorkerRole.TRAINER)
    drop = [unit.id for unit in world.model.of_run(run_id)][d % 5 :: 5] if c % 5 == 0 else []
    waves = len(drive.waves) + 1
    checkpoint = Checkpoint(
        run_id=run_id,
        algorithm="evaluate",
        waves=waves,
        rollouts=waves * 3,
        state={"a": a, "b": [b, 0.1]},
        best=RESOURCES[c % 3],
    )
    publish = RESOURCES[d % 3] if d % 4 == 0 else None
    saved = await world.same(
        world.store.checkpoints.save(checkpoint, trainer=trainer, publish=publish, drop=drop),
        lambda: world.model.save(run_id, trainer, waves, drop),
    )
    if not isinstance(saved, type) and publish is not None:
        world.model.publish(publish.hash)


async def publish(world: World, a: int, b: int, c: int, d: int) -> None:
    """The next version."""
    resources = RESOURCES[a % 3]
    run_id = world.run(b) if c % 2 else None
    version = await world.store.resources.publish(resources, run_id=run_id)
    number = world.model.publish(resources.hash)
    latest = number == len(world.model.publications)
    if (version.number, version.latest) != (number, latest):
        raise Divergence(f"publication {number} is {version}")


async def register(world: World, a: int, b: int, c: int, d: int) -> None:
    """A worker or a trainer in this process, in one that lives, or in a new one."""
    if b % 5 == 3:
        world.process = world.processes.start()
    role = WorkerRole.TRAINER if a % 2 else WorkerRole.WORKER
    lease_ms = (1000, 3000, 3000, 10_000)[c % 4]
    worker = await world.store.work.register(
        name=f"{role}-{b % 3}", role=role, process=world.process, lease_ms=lease_ms
    )
    if worker.id in world.model.hands:
        raise Divergence(f"{worker.id} was given to another worker before")
    world.model.register(Hand(worker.id, role, world.process, lease_ms, world.now))


async def claim(world: World, a: int, b: int, c: int, d: int) -> None:
    """Some of what is ready, of one run or of all."""
    worker, limit = world.hand(a, WorkerRole.WORKER), 1 + b % 4
    run_id = world.run(c) if d % 4 == 0 else None
    got = await world.answer(world.store.work.claim(worker, limit=limit, run_id=run_id))
    expected = answered(lambda: world.model.claim(worker, limit, run_id, world.now))
    world.equal("claim", _all_claimed(got), _all_tried(expected))


async def succeed(world: World, a: int, b: int, c: int, d: int) -> None:
    """Complete something in flight, scored or not."""
    score = None if c % 7 == 0 else b / 4096
    outcome = Outcome(
        status=AttemptStatus.SUCCEEDED,
        output=OUTPUT,
        score=score,
        spent=spend(c),
        spans=tuple(span(i + 1) for i in range(d % 3)),
    )
    await world.complete(world.attempt(a, live=True), outcome)


async def fail(world: World, a: int, b: int, c: int, d: int) -> None:
    """Fail something in flight: for good, to be retried at once, or later."""
    await world.complete(world.attempt(a, live=True), failure(b, c))


async def late(world: World, a: int, b: int, c: int, d: int) -> None:
    """Complete something that is over already."""
    outcome = Outcome(status=AttemptStatus.SUCCEEDED, output=OUTPUT, spent=spend(c))
    await world.complete(world.attempt(a, live=False), outcome if b % 3 else failure(c, d))


async def rush(world: World, a: int, b: int, c: int, d: int) -> None:
    """Several workers claim at once, and several attempts end at once, some of them twice."""
    workers = [world.hand(a + 9 * i, WorkerRole.WORKER) for i in range(1 + b % 3)]
    limit = 1 + c % 3
    claimed = await world.answers([world.store.work.claim(who, limit=limit) for who in workers])
    for worker, got in zip(workers, claimed, strict=True):
        made = answered(partial(world.model.claim, worker, limit, None, world.now))
        world.equal("rush", _all_claimed(got), _all_tried(made))
    names = [world.attempt(b + i, live=(c + i) % 5 > 0) for i in range(1 + d % 5)]
    ends = [
        (name, failure(c + i, d) if i % 2 else SUCCESS)
        for i, name in enumerate(names)
        if name is not None
    ]
    told = await world.answers([world.store.work.complete(name, end) for name, end in ends])
    for (name, end), answer in zip(ends, told, strict=True):
        over = answered(partial(world.model.complete, name, end, world.now))
        world.equal(f"{name}, ended with others", answer, over)


async def spans(world: World, a: int, b: int, c: int, d: int) -> None:
    """Spans for an attempt, live or not."""
    attempt = world.attempt(a, live=b % 3 > 0)
    if attempt is None:
        return
    some = [span(i + 1) for i in range(1 + c % 2)]
    await world.same(
        world.store.work.append_spans(attempt, some),
        lambda: world.model.append_spans(attempt, len(some)),
    )


async def release(world: World, a: int, b: int, c: int, d: int) -> None:
    """Give attempts back, among them some that are over."""
    attempts = [world.attempt(a + i, live=(b + i) % 4 > 0) for i in range(1 + c % 3)]
    names = list(dict.fromkeys(name for name in attempts if name is not None))
    spent = spend(d) if d % 2 else None
    await world.same(
        world.store.work.release(names, spent=spent),
        lambda: world.model.release(names, spent),
    )


async def beat(world: World, a: int, b: int, c: int, d: int) -> None:
    """Renew the leases of all workers, or of some."""
    workers = sorted(world.model.hands)
    if a % 4 == 0:
        workers = workers[a % 3 :: 1 + b % 3]
    got = await world.store.work.beat(workers)
    world.equal("beat", set(got), world.model.beat(workers, world.now))


async def reap(world: World, a: int, b: int, c: int, d: int) -> None:
    """Give up who was silent for too long."""
    await world.same(world.store.work.reap(), lambda: world.model.reap(world.now))


async def retire(world: World, a: int, b: int, c: int, d: int) -> None:
    """Take a worker off the list."""
    workers = [world.hand(a, WorkerRole.WORKER if b % 4 else WorkerRole.TRAINER)]
    await world.same(world.store.work.retire(workers), lambda: world.model.retire(workers))


async def wait(world: World, a: int, b: int, c: int, d: int) -> None:
    """Time passes, mostly a little."""
    world.clock.advance((1, 10, 50, 300)[a % 4] + b % 50)


async def reach_deadline(world: World, a: int, b: int, c: int, d: int) -> None:
    """Go to the last instant of a lease or of a wait, or one millisecond past it."""
    live = [hand for hand in world.model.hands.values() if not hand.given_up]
    deadlines = {world.model.watch.deadline(hand) for hand in live}
    deadlines |= {unit.ready_ms for unit in world.model.units.values()}
    ahead = sorted(deadline for deadline in deadlines if deadline >= world.now)
    if ahead:
        world.clock.advance(ahead[min(a % 3, len(ahead) - 1)] - world.now + b % 2)
        if d % 3:
            await beat(world, 1, 0, 0, 0)  # most of the time the heartbeats go on
        else:
            await reap(world, 0, 0, 0, 0)


async def jump_wall_clock(world: World, a: int, b: int, c: int, d: int) -> None:
    """The wall clock is set; nothing may follow from it."""
    world.clock.jump_wall((a - 2048) * 60_000)


async def die(world: World, a: int, b: int, c: int, d: int) -> None:
    """A process with workers dies."""
    lives = {hand.process for hand in world.model.hands.values()} - world.model.dead
    if lives:
        process = sorted(lives, key=lambda life: life.pid)[a % len(lives)]
        world.processes.kill(process)
        world.model.dead.add(process)
    await _start_anew(world, b, c)


async def reopen(world: World, a: int, b: int, c: int, d: int) -> None:
    """The store is closed and opened again, by a machine started anew half of the times."""
    if a % 2 == 0:
        world.processes.reboot(f"boot-{world.now}")
    await world.reopen()
    await _start_anew(world, b, c)


async def _start_anew(world: World, a: int, b: int) -> None:
    """Another process with a trainer, which mostly takes the run over, and a worker."""
    world.process = world.processes.start()
    await register(world, 1, 0, a, 0)
    await register(world, 0, 0, b, 0)
    if a % 4:
        await adopt(world, b, 1, a, b)


def _all_claimed(got: Sequence[ClaimedRollout] | type[StoreError]) -> object:
    return got if isinstance(got, type) else [_claimed(claim) for claim in got]


def _all_tried(made: Sequence[Try] | type[StoreError]) -> object:
    return made if isinstance(made, type) else [_tried(one) for one in made]


def _claimed(claim: ClaimedRollout) -> tuple[object, ...]:
    request = (claim.kind, claim.resources, claim.example, claim.replicate, claim.proposal)
    return (claim.attempt_id, claim.rollout_id, claim.reserved, claim.counted, *request, claim.slot)


def _tried(made: Try) -> tuple[object, ...]:
    asked = made.rollout.submission.request
    request = (asked.kind, asked.resources.hash, asked.example, asked.replicate, asked.proposal)
    unit = made.rollout
    return (made.id, unit.id, made.reserved, unit.counted, *request, asked.slot)


MOVES: Mapping[str, tuple[Move, float]] = {
    move.__name__: (move, weight)
    for move, weight in (
        (create, 0.5),
        (register, 6),
        (submit, 6),
        (claim, 10),
        (succeed, 8),
        (fail, 6),
        (late, 4),
        (rush, 4),
        (spans, 3),
        (beat, 10),
        (wait, 5),
        (reach_deadline, 4),
        (jump_wall_clock, 2),
        (die, 0.6),
        (reap, 5),
        (release, 3),
        (retire, 0.7),
        (cancel, 0.5),
        (requeue, 2),
        (adopt, 5),
        (set_status, 2),
        (book_time, 1),
        (save, 3),
        (publish, 1.5),
        (reopen, 0.5),
    )
}
"""Every move by name, with its usual weight."""
