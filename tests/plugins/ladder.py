"""A small search of many waves, installed for tests as a third party's plug-in would be.

Each wave measures one new candidate, made from the best so far, on examples drawn by hashing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from annotated_types import Ge

from tau.domain.dataset import Split
from tau.domain.draws import uniform
from tau.domain.json import Json, content_hash
from tau.domain.resources import Resources
from tau.domain.rollout import RolloutKind, RolloutRequest, RolloutResult
from tau.ports.algorithm import Problem, Recommendation

QUESTION = "What else?"


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderSettings:
    """`waves` candidates, each on `width` examples.

    With `proposes`, each wave also asks the reflection model, whose answer is part of later ones.
    """

    waves: Annotated[int, Ge(1)] = 30
    width: Annotated[int, Ge(1)] = 4
    proposes: bool = False


class Ladder:
    """State: the scores and ideas of every wave that was told, and the last wave's keys."""

    Settings = LadderSettings

    def __init__(self, settings: LadderSettings, problem: Problem) -> None:
        self._settings = settings
        self._problem = problem
        self._told: list[list[float | None]] = []
        self._ideas: list[str] = []
        self._last: list[str] = []

    @classmethod
    def build(cls, settings: LadderSettings, problem: Problem) -> Self:
        return cls(settings, problem)

    def ask(self) -> Sequence[RolloutRequest]:
        wave = len(self._told)
        if wave == self._settings.waves:
            return ()
        seed = self._problem.seed
        examples = sorted(
            self._problem.examples[Split.OPTIMIZE],
            key=lambda example: uniform(seed, "example", wave, example.id),
        )
        candidate = self._candidate(wave)
        measured = [
            RolloutRequest(kind=RolloutKind.EVALUATE, resources=candidate, example=example)
            for example in examples[: self._settings.width]
        ]
        question = {"messages": [{"role": "user", "content": QUESTION}]}
        asked = RolloutRequest(kind=RolloutKind.PROPOSE, resources=candidate, proposal=question)
        return [*measured, asked] if self._settings.proposes else measured

    def tell(self, results: Sequence[RolloutResult]) -> None:
        keys = [content_hash(list(result.request.key)) for result in results]
        if keys == self._last:
            return
        if keys != [content_hash(list(request.key)) for request in self.ask()]:
            raise ValueError("these are not the results of the wave")
        width = self._settings.width
        self._told.append([result.score for result in results[:width]])
        self._ideas += [result.output.text for result in results[width:] if result.output]
        self._last = keys

    def best(self) -> Recommendation:
        best = self._best(len(self._told))
        resources = self._problem.seed_resources if best is None else self._candidate(best)
        return Recommendation(resources=resources)

    def state_dict(self) -> Mapping[str, Json]:
        told = [list(scores) for scores in self._told]
        return {"version": 1, "told": told, "ideas": list(self._ideas), "last": self._last}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if state.get("version") != 1:
            raise ValueError("this is no state of a ladder")
        self._told = [list(scores) for scores in state["told"]]
        self._ideas = list(state["ideas"])
        self._last = list(state["last"])

    def _candidate(self, wave: int) -> Resources:
        """The child of the best of the waves before; what it is follows from what was told."""
        parent = self._best(wave)
        scores: list[Json] = [list(some) for some in self._told[:wave]]
        ideas: list[Json] = list(self._ideas[:wave])
        told = content_hash([scores, ideas])
        return Resources(
            values={"system_prompt": f"candidate {wave} of {parent} after {told}"},
            parent=None if parent is None else self._candidate_hash(parent),
        )

    def _candidate_hash(self, wave: int) -> Any:  # noqa: ANN401
        return self._candidate(wave).hash

    def _best(self, waves: int) -> int | None:
        means = [sum(s or 0.0 for s in scores) / len(scores) for scores in self._told[:waves]]
        if not means:
            return None
        return max(range(waves), key=lambda wave: (means[wave], uniform(1, "tie", wave)))
