"""A contest among known candidates as part of a search: halving or racing, kept as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tau.domain.dataset import Example
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json
from tau.scoring.contest import Standing
from tau.scoring.halving import Halving, Stage, plan_halving
from tau.scoring.racing import Race
from tau.scoring.table import ScoreTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """A contest and how it stands."""

    contest: Halving | Race
    standing: Standing

    @classmethod
    def halving(
        cls, names: Sequence[ResourcesHash], rows: Sequence[ExampleId], evaluations: int
    ) -> "Heat | None":
        """As fine as `evaluations` allow; None where they do not allow one row each."""
        if len(names) < 2 or not rows or evaluations < len(names):
            return None
        stages = plan_halving(len(names), len(rows), evaluations)
        contest = Halving(candidates=tuple(names), order=tuple(rows), stages=stages)
        return cls(contest=contest, standing=contest.start())

    @classmethod
    def race(
        cls,
        names: Sequence[ResourcesHash],
        rows: Sequence[ExampleId],
        evaluations: int,
        *,
        block: int,
        tolerance: float,
        alpha: float,
    ) -> "Heat | None":
        """Until one is left or `evaluations` are spent; None where they do not allow a row each."""
        if len(names) < 2 or not rows or evaluations < len(names):
            return None
        contest = Race(
            candidates=tuple(names),
            order=tuple(rows),
            block=block,
            tolerance=tolerance,
            alpha=alpha,
            rollouts=evaluations,
        )
        return cls(contest=contest, standing=contest.start())

    def advanced(self, table: ScoreTable) -> "Heat":
        """With every decision taken for which the scores are in."""
        standing = self.contest.advance(self.standing, table)
        return Heat(contest=self.contest, standing=standing)

    def due(self, table: ScoreTable) -> list[tuple[ResourcesHash, ExampleId]]:
        """What to evaluate next; nothing once it is over."""
        return [(name, row) for name, (row, _) in self.contest.wave(self.standing, table)]

    def stopped(self, table: ScoreTable) -> "Heat":
        """Ended where the budget did: those left, ranked on what is known."""
        if self.standing.reason is not None:
            return self
        standing = self.contest.stopped(self.standing, table, "budget")
        return Heat(contest=self.contest, standing=standing)

    def to_json(self) -> Json:
        """For a checkpoint; the rows are known from elsewhere."""
        contest = self.contest
        told: dict[str, Json] = {
            "candidates": list(contest.candidates),
            "standing": self.standing.to_json(),
        }
        if isinstance(contest, Halving):
            told["stages"] = [[stage.candidates, stage.examples] for stage in contest.stages]
        else:
            told["race"] = [contest.block, contest.tolerance, contest.alpha, contest.rollouts]
        return told

    @classmethod
    def from_json(cls, state: Any, rows: Sequence[ExampleId]) -> "Heat | None":  # noqa: ANN401
        """What `to_json` made of a heat on `rows`; TypeError or KeyError for anything else."""
        if state is None:
            return None
        names = tuple(state["candidates"])
        contest: Halving | Race
        if "stages" in state:
            stages = tuple(Stage(candidates=c, examples=e) for c, e in state["stages"])
            contest = Halving(candidates=names, order=tuple(rows), stages=stages)
        else:
            block, tolerance, alpha, rollouts = state["race"]
            contest = Race(
                candidates=names,
                order=tuple(rows),
                block=block,
                tolerance=tolerance,
                alpha=alpha,
                rollouts=rollouts,
            )
        return cls(contest=contest, standing=Standing.from_json(state["standing"]))


def ids(examples: Sequence[Example]) -> list[ExampleId]:
    """The ids, in order."""
    return [one.id for one in examples]
