"""Means pulled towards what candidates have in common: for choosing parents, never for a claim."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tau.domain.ids import ResourcesHash
from tau.scoring.table import ScoreTable

_FEWEST, _MOST = 2.0, 200.0
"""How many imagined examples the prior may weigh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """A candidate's posterior `mean` and standard deviation `sd` given its `n` known examples."""

    mean: float
    sd: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """A beta distribution of candidates' true means, as `weight` examples of mean `mean`."""

    mean: float
    weight: float

    def shrink(self, mean: float, n: int) -> Shrunk:
        """The posterior after `n` examples of mean `mean` (in 0..1)."""
        weight = self.weight + n
        centre = (self.weight * self.mean + n * mean) / weight
        return Shrunk(mean=centre, sd=math.sqrt(centre * (1 - centre) / (weight + 1)), n=n)


def fit_prior(sums: Sequence[tuple[float, int]]) -> Prior:
    """The prior that (mean, number of examples) of several candidates suggest.

    Beta-binomial by moments (J. Kleinman, JASA 68, 1973, 46-54, with weights n): the spread of the
    means beyond what their examples explain says how different the candidates are. Graded scores
    spread less than right and wrong, so that they are shrunk too much rather than too little. With
    fewer than two candidates, or no spread beyond noise, the weight is the largest allowed.
    """
    known = [(min(1.0, max(0.0, mean)), n) for mean, n in sums if n > 0]
    total = sum(n for _, n in known)
    if not total:
        return Prior(mean=0.5, weight=_FEWEST)
    centre = math.fsum(mean * n for mean, n in known) / total
    rest = total - sum(n * n for _, n in known) / total
    variance = centre * (1 - centre)
    freedom = len(known) - 1
    # A score or two of each say nothing about how different they are.
    if not freedom or rest <= freedom + 1e-9 or variance <= 0:
        return Prior(mean=centre, weight=_MOST)
    spread = math.fsum(n * (mean - centre) ** 2 for mean, n in known)
    between = (spread - variance * freedom) / (rest - freedom)
    if between <= 0:
        return Prior(mean=centre, weight=_MOST)
    return Prior(mean=centre, weight=min(_MOST, max(_FEWEST, variance / between - 1)))


def shrunk_means(
    table: ScoreTable, candidates: Sequence[ResourcesHash]
) -> Mapping[ResourcesHash, Shrunk]:
    """The posterior of each candidate under the prior that all of them suggest."""
    known = {name: (table[name].mean or 0.0, table[name].n) for name in candidates}
    prior = fit_prior(list(known.values()))
    return {name: prior.shrink(min(1.0, max(0.0, mean)), n) for name, (mean, n) in known.items()}
