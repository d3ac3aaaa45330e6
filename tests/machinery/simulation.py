"""Seeded simulation: a store and its model do the same things under a virtual clock.

Every action and every weight is drawn from the seed, so a failure is repeated by its seed. An
action is a name with four numbers that choose among what there is when it is carried out; so any
sublist of a run's actions is a run of its own, and a failing one can be shortened.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from machinery.moves import MOVES, Action, begin
from machinery.world import Divergence, OpenStore, World
from tau.domain.draws import below, uniform

NewStore = Callable[[], OpenStore]
"""Names a new, empty store each time it is called."""

EPISODE = 800
_THOROUGH = 16
_REPLAYS = 80


@dataclass(slots=True)
class Report:
    """What a simulation has done."""

    steps: int = 0
    episodes: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)


async def simulate(
    new_store: NewStore, *, seed: int, steps: int, shorten: bool = True, shared: bool = False
) -> Report:
    """Go `steps` steps, in episodes with a new store each; `shared`: machines share such stores.

    Raises:
        Divergence: the store did or holds something else than the model; names the seed and a
            shortened list of actions that shows it.
    """
    report = Report()
    while report.steps < steps:
        actions = drawn(seed, report.episodes, min(EPISODE, steps - report.steps))
        world = await begin(new_store(), shared=shared)
        failure = await _play(world, actions)
        if failure is not None:
            done, divergence = failure
            actions = actions[:done]
            shortened = await _shorten(new_store, actions, shared=shared) if shorten else actions
            raise Divergence(
                f"seed {seed}, episode {report.episodes}, step {done}: {divergence}\n"
                + _listing(shortened)
            )
        report.steps += len(actions)
        report.episodes += 1
        report.actions.update(action.name for action in actions)
        report.refusals.update(world.refusals)
    return report


def drawn(seed: int, episode: int, length: int) -> list[Action]:
    """An episode's actions. Its weights are drawn too, so that episodes differ in kind."""
    bounds: list[tuple[float, str]] = []
    total = 0.0
    for name, (_, weight) in MOVES.items():
        total += weight * (0.1 + 1.9 * uniform(seed, "weight", episode, name) ** 2)
        bounds.append((total, name))
    actions = []
    for step in range(length):
        at = uniform(seed, "action", episode, step) * total
        name = next(name for bound, name in bounds if at < bound)
        number = below(1 << 48, seed, "picks", episode, step)
        a, b, c, d = (number >> shift & 0xFFF for shift in (0, 12, 24, 36))
        actions.append(Action(name, (a, b, c, d)))
    return actions


async def replay(
    new_store: NewStore, actions: Sequence[Action], *, shared: bool = False
) -> str | None:
    """Carry out `actions` on a new store; what differed, if anything."""
    failure = await _play(await begin(new_store(), shared=shared), actions)
    return None if failure is None else str(failure[1])


async def _play(world: World, actions: Sequence[Action]) -> tuple[int, Divergence] | None:
    try:
        for number, action in enumerate(actions, start=1):
            try:
                await action.carry_out(world)
                await world.compare(thorough=number % _THOROUGH == 0 or number == len(actions))
            except Divergence as divergence:
                return number, divergence
    finally:
        await world.close()
    return None


async def _shorten(new_store: NewStore, actions: list[Action], *, shared: bool) -> list[Action]:
    """Leave out halves, quarters, ... while what is left still fails; a bounded number of tries."""
    replays = 0
    size = len(actions) // 2
    while size and replays < _REPLAYS:
        start = 0
        while start < len(actions) and replays < _REPLAYS:
            candidate = actions[:start] + actions[start + size :]
            replays += 1
            if candidate and await replay(new_store, candidate, shared=shared) is not None:
                actions = candidate
            else:
                start += size
        size //= 2
    return actions


def _listing(actions: Sequence[Action]) -> str:
    lines = "\n".join(f"    Action({a.name!r}, {a.picks})," for a in actions)
    return f"shortened to {len(actions)} actions:\n[\n{lines}\n]"
