"""What candidates cost and how they do by other graders, for claims of more than a better score."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tau.algorithms.pool import Pool
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

Cell = tuple[ExampleId, int]


class Economy:
    """Costs and guards of the candidates in a pool, by example; empty where no claim needs them."""

    def __init__(self, terms: ClaimTerms) -> None:
        self.terms = terms
        self.front: list[dict[str, Json]] = []
        self._known: dict[ResourcesHash, dict[Cell, list[float | None]]] = {}

    @property
    def why_none(self) -> str:
        """Why the baseline stays where candidates were tried."""
        if self.terms.aim is Aim.CHEAPER and self.terms.minimize is not None:
            less = MEASURED[self.terms.minimize]
            return f"no candidate took less {less} in the search and seemed not worse"
        if self.terms.aim is Aim.NOT_WORSE:
            return "every candidate seemed worse than the baseline in the search"
        return "no candidate did better than the baseline in the search"

    def record(self, results: Sequence[RolloutResult], pool: Pool) -> None:
        """Fold evaluations in."""
        if self.terms.minimize is None and not self.terms.guards:
            return
        for result in results:
            request = result.request
            name = request.resources.hash
            if request.kind is not RolloutKind.EVALUATE or name not in pool.members:
                continue
            if request.example is not None and result.score is not None:
                cell = (request.example.id, request.replicate)
                self._known.setdefault(name, {})[cell] = self._measured(result)

    def cost(self, name: ResourcesHash, rows: Sequence[ExampleId]) -> tuple[float | None, ...]:
        """Of a candidate on each of `rows`."""
        return self._column(name, rows, 0)

    def guarded(
        self, name: ResourcesHash, rows: Sequence[ExampleId], number: int
    ) -> tuple[float | None, ...]:
        """Scores by the grader of guard `number` on each of `rows`."""
        return self._column(name, rows, 1 + number)

    def choose(self, pool: Pool, leader: ResourcesHash) -> ResourcesHash:
        """The candidate to certify, where the claim is not only a better score.

        The cheapest of those that seem not worse; without a cost, the best beside the baseline. On
        the rows that bred none of them, as far as there are any.
        """
        self.front = self._front(pool)
        if self.terms.aim is Aim.BETTER:
            return leader if self._passes(pool, leader) else pool.baseline
        others = [name for name in pool.members if name != pool.baseline and name not in pool.gated]
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

    def keep(self, names: Iterable[ResourcesHash]) -> None:
        """Forget all others."""
        kept = set(names)
        self._known = {name: cells for name, cells in self._known.items() if name in kept}

    def report(self) -> Mapping[str, Json]:
        """For evidence: what is claimed, and the candidates that no other beats."""
        if self.terms.usual:
            return {}
        told = {**self.terms.to_json(), "words": self.terms.words()}
        return {"claim": told, "front": list(self.front)} if self.front else {"claim": told}

    def to_json(self) -> Json:
        """For a checkpoint."""
        known: dict[str, Json] = {
            name: [[row, replicate, *values] for (row, replicate), values in cells.items()]
            for name, cells in self._known.items()
        }
        return {"known": known, "front": list(self.front)}

    def load(self, state: Any) -> None:  # noqa: ANN401  (JSON)
        """What `to_json` made; TypeError, KeyError or ValueError for anything else."""
        self.front = [dict(one) for one in state["front"]]
        self._known = {
            ResourcesHash(name): {
                (ExampleId(row), int(replicate)): list(values) for row, replicate, *values in cells
            }
            for name, cells in state["known"].items()
        }

    def _measured(self, result: RolloutResult) -> list[float | None]:
        scores = {reward.name: reward.score for reward in result.rewards}
        guards = [scores.get(guard.grader) for guard in self.terms.guards]
        bounded = [None if one is None else min(1.0, max(0.0, one)) for one in guards]
        return [_cost(result, self.terms.minimize), *bounded]

    def _column(
        self, name: ResourcesHash, rows: Sequence[ExampleId], place: int
    ) -> tuple[float | None, ...]:
        values: dict[ExampleId, list[float]] = {}
        for (row, _), measured in self._known.get(name, {}).items():
            value = measured[place]
            if value is not None:
                values.setdefault(row, []).append(value)
        means = {row: math.fsum(known) / len(known) for row, known in values.items()}
        return tuple(means.get(row) for row in rows)

    def _passes(self, pool: Pool, name: ResourcesHash) -> bool:
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

    def _saving(self, pool: Pool, name: ResourcesHash) -> float:
        """What an evaluation costs less than with the baseline, on common rows."""
        rows = list(pool.table[name].by_example)
        saved = _differences(self.cost(name, rows), self.cost(pool.baseline, rows))
        return math.fsum(saved) / len(saved) if saved else 0.0

    def _front(self, pool: Pool) -> list[dict[str, Json]]:
        """Candidates that no other beats in score and in cost, the cheapest first."""
        if self.terms.minimize is None:
            return []
        points: dict[ResourcesHash, tuple[float, float]] = {}
        for name in pool.members:
            rows = list(pool.table[name].by_example)
            costs = [one for one in self.cost(name, rows) if one is not None]
            mean = pool.table[name].mean
            if costs and mean is not None and name not in pool.gated:
                points[name] = (mean, -math.fsum(costs) / len(costs))
        kept = sorted(front(points), key=lambda name: -points[name][1])
        if pool.baseline in points and pool.baseline not in kept:
            kept.append(pool.baseline)
        return [
            {
                "candidate": name,
                "origin": pool[name].origin,
                "score": points[name][0],
                "cost": -points[name][1],
                "rows": pool.table[name].n,
                "length": pool[name].resources.characters,
            }
            for name in kept[:_MOST_SHOWN]
        ]


def _rows(pool: Pool, name: ResourcesHash) -> list[ExampleId]:
    """Rows with scores of a candidate that did not breed it, or all where there are none."""
    known = list(pool.table[name].by_example)
    return [row for row in known if row not in pool[name].bred] or known


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
