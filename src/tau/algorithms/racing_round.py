"""A contest among known candidates as part of a search: halving or racing, kept as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tau.algorithms.turn import Turn
from tau.domain.dataset import Example
from tau.domain.ids import ExampleId, ResourcesHash
from tau.scoring.contest import ContestStanding
from tau.scoring.halving import Halving, Stage, plan_halving
from tau.scoring.racing import Race


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceTerms:
    """How a race is run, see `scoring.racing`."""

    block: int
    tolerance: float
    alpha: float
    rollouts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RacingRound:
    """A contest and how it stands; by halving, unless it has the terms of a `race`.

    Its rows are known from elsewhere, and always the same.
    """

    candidates: tuple[ResourcesHash, ...]
    standing: ContestStanding
    stages: tuple[Stage, ...] = ()
    race: RaceTerms | None = None

    @classmethod
    def halving(
        cls, names: Sequence[ResourcesHash], rows: Sequence[ExampleId], evaluations: int
    ) -> "RacingRound | None":
        """As fine as `evaluations` allow; None where they do not allow one row each."""
        if len(names) < 2 or not rows or evaluations < len(names):
            return None
        stages = plan_halving(len(names), len(rows), evaluations)
        start = Halving(candidates=tuple(names), order=tuple(rows), stages=stages).start()
        return cls(candidates=tuple(names), stages=stages, standing=start)

    @classmethod
    def racing(
        cls, names: Sequence[ResourcesHash], rows: Sequence[ExampleId], terms: RaceTerms
    ) -> "RacingRound | None":
        """Until one is left or the rollouts are spent; None where they do not allow a row each."""
        if len(names) < 2 or not rows or terms.rollouts < len(names):
            return None
        start = _race(tuple(names), rows, terms).start()
        return cls(candidates=tuple(names), race=terms, standing=start)

    def contest(self, rows: Sequence[ExampleId]) -> Halving | Race:
        """The rules, on `rows`."""
        if self.race is not None:
            return _race(self.candidates, rows, self.race)
        return Halving(candidates=self.candidates, order=tuple(rows), stages=self.stages)

    def next(self, turn: Turn, rows: Sequence[ExampleId]) -> "RacingRound":
        """With every decision taken for which scores are in, and what is due put on the agenda.

        Where nothing is, or the budget ends, it is over, and those left are ranked.
        """
        contest, table = self.contest(rows), turn.pool.contest
        standing = contest.advance(self.standing, table)
        due: dict[ExampleId, list[ResourcesHash]] = {}
        for name, (row, _) in contest.wave(standing, table):
            due.setdefault(row, []).append(name)
        for row, names in due.items():
            if not turn.evaluate(names, [row]):
                break
        if turn.idle and standing.reason is None:
            standing = contest.stopped(standing, table, "budget")
        return replace(self, standing=standing)


def _race(names: tuple[ResourcesHash, ...], rows: Sequence[ExampleId], terms: RaceTerms) -> Race:
    return Race(
        candidates=names,
        order=tuple(rows),
        block=terms.block,
        tolerance=terms.tolerance,
        alpha=terms.alpha,
        rollouts=terms.rollouts,
    )


def ids(examples: Sequence[Example]) -> list[ExampleId]:
    """The ids, in order."""
    return [one.id for one in examples]
