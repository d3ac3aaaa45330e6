"""Measure the given resources on every example, as they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Self

from annotated_types import Ge

from tau.algorithms.frozen_json import from_json, to_json
from tau.domain.dataset import Split
from tau.domain.json import Json, content_hash
from tau.domain.rollout import RolloutKind, RolloutRequest, RolloutResult
from tau.ports.algorithm import Plan, Problem, Recommendation

_STATE_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateSettings:
    """`replicates` is how often each example is run."""

    replicates: Annotated[int, Ge(1)] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitScores:
    """Of one split: how many rows, how many of them scored, and the mean of those."""

    rows: int
    scored: int
    mean: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateState:
    """What was measured by split; None until the wave is in."""

    splits: Mapping[str, SplitScores] | None = None


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
        self._state = EvaluateState()

    @classmethod
    def build(cls, settings: EvaluateSettings, problem: Problem) -> Self:
        return cls(settings, problem)

    @classmethod
    def plan(cls, settings: EvaluateSettings, problem: Problem) -> Plan:
        count = settings.replicates * sum(map(len, problem.examples.values()))
        calls = count * problem.calls_per_evaluation
        return Plan(evaluations=count, proposals=0, rollouts=count, calls=calls)

    def ask(self) -> Sequence[RolloutRequest]:
        return self._wave if self._state.splits is None else ()

    def tell(self, results: Sequence[RolloutResult]) -> None:
        if [result.request.key for result in results] != [one.key for one in self._wave]:
            raise ValueError(
                "these are not the results of the wave: tell what ask() returned, in order"
            )
        self._state = EvaluateState(splits=_by_split(results))

    def best(self) -> Recommendation:
        splits = self._state.splits
        open_ = "the run has not ended: scores are of what was measured so far"
        return Recommendation(
            resources=self._problem.seed_resources,
            evidence={"splits": to_json(splits or {})},
            caveats=() if splits is not None else (open_,),
        )

    def state_dict(self) -> Mapping[str, Json]:
        head = {"version": _STATE_VERSION, "problem": self._fingerprint()}
        return {**head, **to_json(self._state)}

    def load_state_dict(self, state: Mapping[str, Json]) -> None:
        if state.get("version") != _STATE_VERSION:
            raise ValueError(f"this state is of another version: {state.get('version')!r}")
        if state.get("problem") != self._fingerprint():
            raise ValueError("this state belongs to other examples or resources")
        self._state = from_json(EvaluateState, {"splits": state.get("splits")})

    def _fingerprint(self) -> str:
        return content_hash([list(request.key) for request in self._wave])


def _by_split(results: Sequence[RolloutResult]) -> dict[str, SplitScores]:
    scores: dict[str, list[float | None]] = {}
    for result in results:
        if result.request.example is not None:
            scores.setdefault(str(result.request.example.split), []).append(result.score)
    return {split: _of(found) for split, found in scores.items()}


def _of(scores: Sequence[float | None]) -> SplitScores:
    known = [score for score in scores if score is not None]
    mean = sum(known) / len(known) if known else None
    return SplitScores(rows=len(scores), scored=len(known), mean=mean)
