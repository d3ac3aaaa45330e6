"""How the simulated model does the task: what it knows decides, then chance by hash."""

from tau.domain.draws import below, uniform
from tau.sim.calls import SimulatedCall
from tau.sim.reading import chances, demonstrated, read
from tau.sim.world import Case, World


def answer(world: World, call: SimulatedCall, case: Case, *, seed: int, draw: str) -> str:
    """The answer line; `draw` names this one drawing (request and number of its repetition)."""
    applied = chances(world, read(call.instructions), demonstrated(call.demonstrations))
    parts = [
        f.right if uniform(seed, "apply", draw, f.rule) < applied[f.rule] else f.shown
        for f in case.fields
    ]
    if uniform(seed, "slip", draw) < case.slip:
        return _slipped(case, parts, below(3, seed, "kind of slip", draw))
    return case.line(parts)


def _slipped(case: Case, parts: list[str], kind: int) -> str:
    """A wrong answer as careless people give it; never the right one."""
    if kind == 0 and parts:
        return case.line(parts[:-1])
    if kind == 1:
        return f"The booking line is {case.line(parts)}"
    return case.line([*parts, "?"])
