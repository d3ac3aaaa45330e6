"""What candidates cost and how they do by other graders, for claims of more than a better score."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tau.algorithms.pool import CandidatePool
from tau.domain.claim import MEASURED, Aim, ClaimTerms, CostMeasure
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json
from tau.domain.rollout import RolloutKind, RolloutResult
from tau.scoring.pareto import front
from tau.scoring.table import Pairing, pair

OUTPUT_TOKENS = "output_tokens"
"""Where an executor that knows them puts the tokens of the answer in its output's metadata."""
_ENOUGH = 0.5
"""Of the rows of the best known candidate, for another one to be chosen by its price."""
_PRUDENCE = 0.5
"""Of the margin: what a candidate may seem to lose in the search and still be worth certifying."""
_MOST_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Cost and guards' scores by candidate and example, and the `front` when the search ended."""

    known: Mapping[ResourcesHash, Mapping[ExampleId, tuple[float | None, ...]]] = field(
        default_factory=dict
    )
    front: tuple[Mapping[str, Json], ...] = ()

    def keeping(self, names: Collection[ResourcesHash]) -> "Measured":
        """Without all others."""
        return replace(self, known={k: rows for k, rows in self.known.items() if k in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class Economy:
    """Costs and guards of the candidates in a pool, by example; empty where no claim needs them."""

    terms: ClaimTerms
    measured: Measured = Measured()

    @property
    def why_none(self) -> str:
        """Why the baseline stays where candidates were tried."""
        if self.terms.aim is Aim.CHEAPER and self.terms.minimize is not None:
            less = MEASURED[self.terms.minimize]
            return f"no candidate took less {less} in the search and seemed not worse"
        if self.terms.aim is Aim.NOT_WORSE:
            return "every candidate seemed worse than the baseline in the search"
        return "no candidate did better than the baseline in the search"

    def recording(self, results: Sequence[RolloutResult], pool: CandidatePool) -> Measured:
        """What is known with evaluations folded in."""
        if self.terms.minimize is None and not self.terms.guards:
            return self.measured
        known = dict(self.measured.known)
        for result in results:
            request = result.request
            name = request.resources.hash
            if request.kind is not RolloutKind.EVALUATE or name not in pool.members:
                continue
            if request.example is not None and result.score is not None:
                row = {request.example.id: self._of(result)}
                known[name] = {**known.get(name, {}), **row}
        return replace(self.measured, known=known)

    def cost(self, name: ResourcesHash, rows: Sequence[ExampleId]) -> tuple[float | None, ...]:
        """Of a candidate on each of `rows`."""
        return self._column(name, rows, 0)

    def guarded(
        self, name: ResourcesHash, rows: Sequence[ExampleId], number: int
    ) -> tuple[float | None, ...]:
        """Scores by the grader of guard `number` on each of `rows`."""
        return self._column(name, rows, 1 + number)

    def choose(
        self, pool: CandidatePool, safe: Sequence[ResourcesHash], leader: ResourcesHash
    ) -> ResourcesHash:
        """The candidate of `safe` to certify, where the claim is not only a better score.

        The cheapest of those that seem not worse; without a cost, the best beside the baseline. On
        the rows that none of them was made from, as far as there are any.
        """
        if self.terms.aim is Aim.BETTER:
            return leader if self._passes(pool, leader) else pool.baseline
        others = [name for name in safe if name != pool.baseline]
        pairs = {name: pair(pool.table, name, pool.baseline, _rows(pool, name)) for name in others}
        most = max((len(one.differences) for one in pairs.values()), default=0)
        margin = self.terms.margin or 0.0
        fit = [
            name
            for name, found in pairs.items()
            if len(found.differences) >= max(1.0, _ENOUGH * most)
            and _mean(found) >= -_PRUDENCE * margin
            and self._passes(pool, name)
        ]
        if self.terms.aim is Aim.NOT_WORSE:
            best = max(fit, key=lambda name: (_mean(pairs[name]), name == leader), default=None)
            return best or pool.baseline
        cheaper = [name for name in fit if self._saving(pool, name) > 0]
        best = max(
            cheaper, key=lambda name: (self._saving(pool, name), _mean(pairs[name])), default=None
        )
        return best or pool.baseline

    def report(self) -> Mapping[str, Json]:
        """For evidence: what is claimed, and the candidates that no other beats."""
        if self.terms.usual:
            return {}
        told = {**self.terms.to_json(), "words": self.terms.words()}
        front = [dict(one) for one in self.measured.front]
        return {"claim": told, "front": front} if front else {"claim": told}

    def _of(self, result: RolloutResult) -> tuple[float | None, ...]:
        scores = {reward.name: reward.score for reward in result.rewards}
        guards = [scores.get(guard.grader) for guard in self.terms.guards]
        bounded = [None if one is None else min(1.0, max(0.0, one)) for one in guards]
        return (_cost(result, self.terms.minimize), *bounded)

    def _column(
        self, name: ResourcesHash, rows: Sequence[ExampleId], place: int
    ) -> tuple[float | None, ...]:
        known = self.measured.known.get(name, {})
        return tuple(known[row][place] if row in known else None for row in rows)

    def _passes(self, pool: CandidatePool, name: ResourcesHash) -> bool:
        """Whether no guard speaks against a candidate already."""
        if name == pool.baseline:
            return True
        rows = _rows(pool, name)
        for number, guard in enumerate(self.terms.guards):
            found = _differences(
                self.guarded(pool.baseline, rows, number), self.guarded(name, rows, number)
            )
            if found and math.fsum(found) / len(found) <= -guard.margin:
                return False
        return True

    def _saving(self, pool: CandidatePool, name: ResourcesHash) -> float:
        """What an evaluation costs less than with the baseline, on common rows."""
        rows = list(pool.table[name].by_example)
        saved = _differences(self.cost(name, rows), self.cost(pool.baseline, rows))
        return math.fsum(saved) / len(saved) if saved else 0.0

    def front(
        self, pool: CandidatePool, safe: Collection[ResourcesHash]
    ) -> tuple[Mapping[str, Json], ...]:
        """Those of `safe` that no other beats in score and in cost, the cheapest first."""
        if self.terms.minimize is None:
            return ()
        points: dict[ResourcesHash, tuple[float, float]] = {}
        for name in safe:
            rows = list(pool.table[name].by_example)
            costs = [one for one in self.cost(name, rows) if one is not None]
            mean = pool.table[name].mean
            if costs and mean is not None:
                points[name] = (mean, -math.fsum(costs) / len(costs))
        kept = sorted(front(points), key=lambda name: -points[name][1])
        if pool.baseline in points and pool.baseline not in kept:
            kept.append(pool.baseline)
        return tuple(
            {
                "candidate": name,
                "origin": pool[name].origin,
                "score": points[name][0],
                "cost": -points[name][1],
                "rows": pool.table[name].n,
                "length": pool[name].resources.characters,
            }
            for name in kept[:_MOST_SHOWN]
        )


def _rows(pool: CandidatePool, name: ResourcesHash) -> list[ExampleId]:
    """Rows with scores of a candidate that it was not made from, or all where there are none."""
    known = list(pool.table[name].by_example)
    return [row for row in known if row not in pool[name].seen_examples] or known


def _differences(theirs: Sequence[float | None], ours: Sequence[float | None]) -> list[float]:
    pairs = zip(theirs, ours, strict=True)
    return [our - their for their, our in pairs if their is not None and our is not None]


def _mean(pairing: Pairing) -> float:
    return pairing.mean if pairing.mean is not None else -1.0


def _cost(result: RolloutResult, measure: CostMeasure | None) -> float | None:
    """In dollars, seconds, tokens or characters; None where it is not known."""
    if measure is CostMeasure.USD:
        return result.cost_usd
    if measure is CostMeasure.LATENCY:
        return result.duration_ms / 1000
    if measure is CostMeasure.OUTPUT_TOKENS:
        found = result.output.metadata.get(OUTPUT_TOKENS) if result.output else None
        return float(found) if isinstance(found, int | float) else None
    return float(result.request.resources.characters) if measure else None
