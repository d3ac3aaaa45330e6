"""A Rasch model of candidates and examples: steers allocation and ranking, never a claim."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tau.domain.ids import ExampleId, ResourcesHash
from tau.scoring.table import ScoreTable

_ROUNDS = 100
_SETTLED = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class Rasch:
    """Abilities of candidates with standard errors, difficulties of examples; all on one scale.

    `level` is what an average candidate scores on an average example, as a logit.
    """

    level: float
    ability: Mapping[ResourcesHash, float]
    error: Mapping[ResourcesHash, float]
    difficulty: Mapping[ExampleId, float]

    def expected(self, candidate: ResourcesHash, example: ExampleId) -> float:
        """The score to expect; unknown names count as average."""
        return _logistic(
            self.level + self.ability.get(candidate, 0.0) - self.difficulty.get(example, 0.0)
        )

    def information(self, candidate: ResourcesHash, example: ExampleId) -> float:
        """How much one more evaluation tells about the ability: most where it may go either way."""
        expected = self.expected(candidate, example)
        return expected * (1 - expected)


def fit_rasch(
    table: ScoreTable,
    candidates: Sequence[ResourcesHash],
    examples: Sequence[ExampleId],
    *,
    ability_sd: float = 1.0,
    difficulty_sd: float = 2.0,
) -> Rasch:
    """Fit P(right) = logistic(level + ability - difficulty) by penalized likelihood.

    G. Rasch, Probabilistic Models for Some Intelligence and Attainment Tests, 1960; normal
    penalties on both sides as in R. Mislevy, Psychometrika 51, 1986, 177-195, so that all-right and
    all-wrong rows have finite estimates. Graded scores count as fractions of a success. Newton
    steps, one parameter at a time, from 0 in a fixed order: the same table gives the same fit, and
    the concave likelihood has one maximum.
    """
    cells = [
        (i, j, min(1.0, max(0.0, score)))
        for i, name in enumerate(candidates)
        for j, example in enumerate(examples)
        if (score := table[name].by_example.get(example)) is not None
    ]
    right = math.fsum(score for _, _, score in cells)
    level = math.log((right + 0.5) / (len(cells) - right + 0.5))
    ability, difficulty = [0.0] * len(candidates), [0.0] * len(examples)
    rows: list[list[tuple[int, float]]] = [[] for _ in candidates]
    columns: list[list[tuple[int, float]]] = [[] for _ in examples]
    for i, j, score in cells:
        rows[i].append((j, score))
        columns[j].append((i, score))
    for _ in range(_ROUNDS):
        moved = 0.0
        for i, row in enumerate(rows):
            offsets = [(level - difficulty[j], score) for j, score in row]
            moved = max(moved, abs(step := _newton(ability[i], offsets, ability_sd)))
            ability[i] += step
        for j, column in enumerate(columns):
            offsets = [(-level - ability[i], 1 - score) for i, score in column]
            moved = max(moved, abs(step := _newton(difficulty[j], offsets, difficulty_sd)))
            difficulty[j] += step
        if moved < _SETTLED:
            break
    errors = [
        1
        / math.sqrt(
            1 / ability_sd**2
            + math.fsum(_weight(level + ability[i] - difficulty[j]) for j, _ in row)
        )
        for i, row in enumerate(rows)
    ]
    return Rasch(
        level=level,
        ability=dict(zip(candidates, ability, strict=True)),
        error=dict(zip(candidates, errors, strict=True)),
        difficulty=dict(zip(examples, difficulty, strict=True)),
    )


def _newton(value: float, offsets: Sequence[tuple[float, float]], sd: float) -> float:
    """One step, at most 1 long, towards the best value given (offset, share of successes) pairs."""
    slope = -value / sd**2
    curve = 1 / sd**2
    for offset, score in offsets:
        expected = _logistic(offset + value)
        slope += score - expected
        curve += expected * (1 - expected)
    return max(-1.0, min(1.0, slope / curve))


def _weight(logit: float) -> float:
    expected = _logistic(logit)
    return expected * (1 - expected)


def _logistic(logit: float) -> float:
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    power = math.exp(logit)
    return power / (1 + power)
