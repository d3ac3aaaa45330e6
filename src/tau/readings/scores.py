"""How a candidate does on a split: the one place where stored evaluations become a mean."""

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from tau.domain.dataset import Split
from tau.domain.rollout import RolloutStatus
from tau.ports.insights import Measurement, ScoreSummary, SettledRow
from tau.scoring.aggregate import Estimate, RunningMean


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitScore:
    """Scores of one split with one candidate: `low` to `high` is the 95 % interval of the mean.

    `mean`, `low` and `high` are None where nothing is scored. `rows` are those that settled;
    `unscored` ran but could not be graded; neither they nor `failed` enter the mean.
    """

    split: str
    rows: int
    scored: int
    unscored: int
    failed: int
    cancelled: int
    mean: float | None
    low: float | None
    high: float | None


@dataclass(slots=True, kw_only=True)
class CandidateScore:
    """One candidate on one split, first measured after `first` rollouts of the run.

    The unit of the mean is the example: replicates of one are averaged first. `numbers` are how
    many of the run had settled when each of its scores came, where that is followed.
    """

    resources: str
    split: Split
    first: int = 0
    known: RunningMean = field(default_factory=RunningMean)
    unscored: int = 0
    failed: int = 0
    cancelled: int = 0
    gated: bool = False
    numbers: "array[int]" = field(default_factory=lambda: array("L"))

    def add(self, status: RolloutStatus, example: str | None, score: float | None) -> bool:
        """One more that settled; True where it has a score. What has not settled is left out."""
        if status is RolloutStatus.FAILED:
            self.failed += 1
        elif status is RolloutStatus.CANCELLED:
            self.cancelled += 1
        elif status is not RolloutStatus.SUCCEEDED:
            return False
        elif score is None or example is None or not math.isfinite(score):
            self.unscored += 1
        else:
            self.known.add(example, min(1.0, score))
            return True
        return False

    @property
    def scored(self) -> int:
        """How many scores are known."""
        return self.known.rows

    @property
    def rows(self) -> int:
        """All that settled."""
        return self.scored + self.unscored + self.failed + self.cancelled

    @property
    def estimate(self) -> Estimate | None:
        """Mean and interval, None where nothing is scored."""
        return self.known.estimate()

    def reading(self) -> SplitScore:
        """As it is now, for displays and documents."""
        found = self.estimate
        return SplitScore(
            split=str(self.split),
            rows=self.rows,
            scored=self.scored,
            unscored=self.unscored,
            failed=self.failed,
            cancelled=self.cancelled,
            mean=found.mean if found else None,
            low=found.low if found else None,
            high=found.high if found else None,
        )


@dataclass(slots=True)
class Standings:
    """Every candidate on every split, in the order in which they were first met."""

    by_place: dict[tuple[str, Split], CandidateScore] = field(default_factory=dict)
    by_split: dict[Split, list[CandidateScore]] = field(
        default_factory=lambda: {split: [] for split in Split}
    )

    @classmethod
    def of(cls, measurements: Iterable[Measurement]) -> Self:
        """Of evaluations as they are stored; `first` counts those that came before."""
        made = cls()
        for before, one in enumerate(measurements, start=1):
            place = made.at(one.resources, one.split, first=before)
            place.add(one.status, one.example, one.score)
        return made

    def at(self, resources: str, split: Split, *, first: int = 0) -> CandidateScore:
        """A candidate on a split; `first` is kept where it is met for the first time."""
        found = self.by_place.get((resources, split))
        if found is None:
            found = CandidateScore(resources=resources, split=split, first=first)
            self.by_place[resources, split] = found
            self.by_split[split].append(found)
        return found

    def follow(self, row: SettledRow, split: Split, *, settled: int) -> None:
        """Take in a row that settled as the `settled`-th of its run."""
        place = self.at(row.resources, split, first=settled)
        place.gated = place.gated or row.gated
        if place.add(row.status, row.example, row.score):
            place.numbers.append(settled)

    def find(self, resources: str | None, split: Split | None) -> CandidateScore | None:
        """The same as `at`, None where nothing of it was ever met."""
        if resources is None or split is None:
            return None
        return self.by_place.get((resources, split))

    def of_resources(self, resources: str) -> list[CandidateScore]:
        """One candidate on every split on which it was met."""
        return [one for (name, _), one in self.by_place.items() if name == resources]


def across_splits(scores: Iterable[CandidateScore]) -> float | None:
    """The mean over all examples of one candidate's splits; None where nothing is scored."""
    known = [found for one in scores if (found := one.estimate) is not None]
    total = sum(one.n for one in known)
    return math.fsum(one.n * one.mean for one in known) / total if total else None


def pooled(measurements: Iterable[Measurement]) -> Estimate | None:
    """Of one candidate's evaluations in any runs, on whatever split; None without a score."""
    made = RunningMean()
    for one in measurements:
        if one.score is not None:
            made.add(one.example, min(1.0, one.score))
    return made.estimate()


def summarized(summaries: Sequence[ScoreSummary]) -> tuple[SplitScore, ...]:
    """Of summaries as the store makes them, in the order given."""
    return tuple(_summarized(one).reading() for one in summaries)


def _summarized(summary: ScoreSummary) -> CandidateScore:
    made = CandidateScore(
        resources=summary.resources,
        split=summary.split,
        unscored=summary.unscored,
        failed=summary.failed,
        cancelled=summary.cancelled,
    )
    for example, score in zip(summary.examples, summary.scores, strict=True):
        made.add(RolloutStatus.SUCCEEDED, example, score)
    return made
