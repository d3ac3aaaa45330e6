"""How good candidates seem that were not all tried on the same examples: for choosing only."""

from collections.abc import Mapping, Sequence

from tau.algorithms.pool import CandidatePool
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import canonical
from tau.scoring.margin import cheapest_no_worse

_ROUNDS = 12
_ROW_WEIGHT = 0.5


def strengths(
    pool: CandidatePool,
    names: Sequence[ResourcesHash],
    priors: Mapping[ResourcesHash, float],
    *,
    weight: float,
) -> Mapping[ResourcesHash, float]:
    """Shrunk means with the examples' difficulty taken out.

    An additive model, candidate plus example, by alternating ridge steps (as in R. Bell and Y.
    Koren, ICDM 2007, section 3): a candidate is pulled towards its prior, its parent's strength,
    with the weight of so many examples. Examples it was made from do not count.
    """
    cells = [
        (name, row, score)
        for name in names
        for row, score in pool.table[name].by_example.items()
        if row not in pool[name].seen_examples
    ]
    if not cells:
        return {name: priors.get(name, 0.0) for name in names}
    level = sum(score for *_, score in cells) / len(cells)
    strength = {name: priors.get(name, level) for name in names}
    ease: dict[ExampleId, float] = {}
    by_row: dict[ExampleId, list[tuple[ResourcesHash, float]]] = {}
    by_name: dict[ResourcesHash, list[tuple[ExampleId, float]]] = {name: [] for name in names}
    for name, row, score in cells:
        by_row.setdefault(row, []).append((name, score))
        by_name[name].append((row, score))
    for _ in range(_ROUNDS):
        for row, found in by_row.items():
            left = sum(score - strength[name] for name, score in found)
            ease[row] = left / (len(found) + _ROW_WEIGHT)
        for name, rows in by_name.items():
            left = sum(score - ease[row] for row, score in rows)
            prior = priors.get(name, level)
            strength[name] = (weight * prior + left) / (weight + len(rows))
    return strength


def shorter(pool: CandidatePool, names: Sequence[ResourcesHash], *, margin: float) -> ResourcesHash:
    """The first of `names`, or a shorter one that is proved to be worse by less than `margin`.

    On the rows that none of them was made from. Length breaks ties only.
    """
    seen = pool.seen_by(names)
    rows = [row for row in pool.table[names[0]].by_example if row not in seen]
    lengths = {name: float(len(canonical(pool[name].resources.values))) for name in names}
    return cheapest_no_worse(pool.table, names, rows, lengths, margin).winner
