"""Measure the given resources on every example, as they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Self

from annotated_types import Ge

from tau.domain.dataset import Split
from tau.domain.json import Json, content_hash
from tau.domain.rollout import RolloutKind, RolloutRequest, RolloutResult
from tau.ports.algorithm import Plan, Problem, Recommendation

_STATE_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateSettings:
    """`replicates` is how often each example is run."""

    replicates: Annotated[int, Ge(1)] = 1


class Evaluate:
    """One wave: optimize, validate and test rows in dataset order, replicate by replicate."""

    Settings = EvaluateSettings

    def __init__(self, settings: EvaluateSettings, problem: Problem) -> None:
        self._problem = problem
        self._wave = tuple(
            RolloutRequest(
                kind=RolloutKind.EVALUATE,
                resources=problem.seed_resources,
                example=example,
                replicate=replicate,
                reusable=True,
            )
            for split in Split
            for replicate in range(settings.replicates)
            for example in problem.examples.get(split, ())
        )
        self._sums: dict[str, dict[str, Json]] | None = None

    @classmethod
    def build(cls, settings: EvaluateSettings, problem: Problem) -> Self:
        return cls(settings, problem)

    @classmethod
    def plan(cls, settings: EvaluateSettings, problem: Problem) -> Plan:
        count = settings.replicates * sum(map(len, problem.examples.values()))
        calls = count * problem.calls_per_evaluation
        return Plan(evaluations=count, proposals=0, rollouts=count, calls=calls)

    def ask(self) -> Sequence[RolloutRequest]:
        return self._wave if self._sums is None else ()

    def tell(self, results: Sequence[RolloutResult]) -> None:
        if [result.request.key for result in results] != [one.key for one in self._wave]:
            raise ValueError(
                "these are not the results of the wave: tell what ask() returned, in order"
            )
        self._sums = _sums(results)

    def best(self) -> Recommendation:
        caveats = (
            ()
            if self._sums is not None
            else ("the run has not ended: scores are of what was measured so far",)
        )
        return Recommendation(
            resources=self._problem.seed_resources,
            evidence={"splits": dict(self._sums or {})},
            caveats=caveats,
        )

    def state_dict(self) -> Mapping[str, Json]:
        sums = None if self._sums is None else {split: dict(of) for split, of in self._sums.items()}
        return {"version": _STATE_VERSION, "problem": self._fingerprint(), "splits": sums}

    def load_state_dict(self, state: Mapping[str, Json]) -> None:
        if state.get("version") != _STATE_VERSION:
            raise ValueError(f"this state is of another version: {state.get('version')!r}")
        if state.get("problem") != self._fingerprint():
            raise ValueError("this state belongs to other examples or resources")
        splits = state.get("splits")
        if splits is not None and not isinstance(splits, Mapping):
            raise ValueError("this state is not one of 'evaluate': its splits are no object")
        self._sums = (
            None
            if splits is None
            else {str(k): dict(v) for k, v in splits.items() if isinstance(v, Mapping)}
        )

    def _fingerprint(self) -> str:
        return content_hash([list(request.key) for request in self._wave])


def _sums(results: Sequence[RolloutResult]) -> dict[str, dict[str, Json]]:
    """Per split: how many rows, how many of them scored, and the mean of those."""
    scores: dict[str, list[float]] = {}
    rows: dict[str, int] = {}
    for result in results:
        if result.request.example is None:
            continue
        split = str(result.request.example.split)
        rows[split] = rows.get(split, 0) + 1
        if result.score is not None:
            scores.setdefault(split, []).append(result.score)
    return {
        split: {
            "rows": count,
            "scored": len(scores.get(split, ())),
            "mean": sum(scores[split]) / len(scores[split]) if split in scores else None,
        }
        for split, count in rows.items()
    }
