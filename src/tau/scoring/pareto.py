"""Candidates that nothing else beats: per example, and over several aims at once."""

from collections.abc import Mapping, Sequence

from tau.domain.draws import uniform
from tau.domain.ids import ExampleId, ResourcesHash
from tau.scoring.table import ScoreTable

_CLOSE = 1e-12


def leaders(
    table: ScoreTable, candidates: Sequence[ResourcesHash], examples: Sequence[ExampleId]
) -> Mapping[ExampleId, tuple[ResourcesHash, ...]]:
    """Per example, the candidates with the highest known score on it, in the order given.

    Examples that none of them has a score for are left out.
    """
    found = {}
    for example in examples:
        known = {
            name: score
            for name in candidates
            if (score := table[name].by_example.get(example)) is not None
        }
        if known:
            top = max(known.values()) - _CLOSE
            found[example] = tuple(name for name, score in known.items() if score >= top)
    return found


def instance_front(
    table: ScoreTable, candidates: Sequence[ResourcesHash], examples: Sequence[ExampleId]
) -> Mapping[ResourcesHash, int]:
    """The per-instance front of GEPA, and how many examples each of its members leads.

    L. Agrawal et al. (GEPA, arXiv 2507.19457, 2025, algorithm 2): of the candidates that lead
    somewhere, those are dropped, worst mean first, that lead nowhere without company from the rest.
    A parent is drawn with a chance in proportion to the count (`draw`).
    """
    leading = leaders(table, candidates, examples)
    led: dict[ResourcesHash, list[ExampleId]] = {}
    for example, names in leading.items():
        for name in names:
            led.setdefault(name, []).append(example)
    company = {example: len(names) for example, names in leading.items()}
    place = {name: index for index, name in enumerate(candidates)}
    # Of equal means the newest goes first.
    for name in sorted(led, key=lambda name: (_mean(table, name), -place[name])):
        if all(company[example] > 1 for example in led[name]):
            for example in led.pop(name):
                company[example] -= 1
    return {name: len(led[name]) for name in candidates if name in led}


def draw(
    weights: Mapping[ResourcesHash, float], seed: int, purpose: str, *counters: int | str
) -> ResourcesHash:
    """One candidate with a chance in proportion to its weight, fixed by the other arguments.

    Raises:
        ValueError: no positive weight.
    """
    positive = {name: weight for name, weight in weights.items() if weight > 0}
    if not positive:
        raise ValueError("nothing to draw from: no weight is positive")
    left = uniform(seed, purpose, *counters) * sum(positive.values())
    for name, weight in positive.items():
        left -= weight
        if left < 0:
            return name
    return next(reversed(positive))


def front(points: Mapping[ResourcesHash, Sequence[float]]) -> tuple[ResourcesHash, ...]:
    """The candidates that no other dominates, in the order given; every aim is to be maximised.

    One dominates another if it is nowhere worse and somewhere better, so equal points stay
    together. To minimise a length or a cost, give it with a minus sign.

    Raises:
        ValueError: points with different numbers of aims.
    """
    if len({len(point) for point in points.values()}) > 1:
        raise ValueError("all points must have the same aims")
    return tuple(
        name
        for name, point in points.items()
        if not any(_dominates(other, point) for other in points.values())
    )


def _dominates(first: Sequence[float], second: Sequence[float]) -> bool:
    pairs = list(zip(first, second, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


def _mean(table: ScoreTable, name: ResourcesHash) -> float:
    mean = table[name].mean
    return mean if mean is not None else 0.0
