"""Score rows: what each candidate scored on each example, known, missing or not asked yet."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tau.domain.dataset import twins_of
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json

Cell = tuple[ExampleId, int]
"""An example and the number of an independent try at it, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """One evaluation. `score` None is missing: asked for, and no score will come."""

    candidate: ResourcesHash
    example: ExampleId
    replicate: int = 0
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateScores:
    """All cells of one candidate, in the order they came.

    `by_example` holds the mean over the known replicates of each example that has one: the example
    is the unit of inference. Treat both mappings as read-only.
    """

    cells: Mapping[Cell, float | None]
    by_example: Mapping[ExampleId, float] = field(init=False)
    mean: float | None = field(init=False)

    def __post_init__(self) -> None:
        """Average once."""
        known: dict[ExampleId, list[float]] = {}
        for (example, _), score in self.cells.items():
            if score is not None:
                known.setdefault(example, []).append(score)
        means = {example: math.fsum(scores) / len(scores) for example, scores in known.items()}
        object.__setattr__(self, "by_example", means)
        mean = math.fsum(means.values()) / len(means) if means else None
        object.__setattr__(self, "mean", mean)

    @property
    def n(self) -> int:
        """How many examples have a known score."""
        return len(self.by_example)

    @property
    def missing(self) -> int:
        """How many cells were asked for and have no score."""
        return sum(score is None for score in self.cells.values())


NO_SCORES = CandidateScores(cells={})


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Score rows by candidate; adding makes a new table that shares what did not change."""

    candidates: Mapping[ResourcesHash, CandidateScores] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[ScoreRow]) -> "ScoreTable":
        """The table of these rows."""
        return cls().adding(rows)

    def adding(self, rows: Iterable[ScoreRow]) -> "ScoreTable":
        """This table and `rows`; a known score never changes, a missing one may become known.

        Raises:
            ValueError: a score that is not finite or above 1, or that contradicts a known one.
        """
        fresh: dict[ResourcesHash, dict[Cell, float | None]] = {}
        for row in rows:
            if row.score is not None and not (math.isfinite(row.score) and row.score <= 1):
                raise ValueError(f"a score must be finite and at most 1, got {row.score}")
            cells = fresh.get(row.candidate)
            if cells is None:
                cells = fresh[row.candidate] = dict(self[row.candidate].cells)
            cell = (row.example, row.replicate)
            known = cells.get(cell)
            if known is not None and row.score is not None and known != row.score:
                raise ValueError(
                    f"{cell} of {row.candidate} is {known} and cannot become {row.score}"
                )
            cells[cell] = row.score if known is None else known
        changed = {candidate: CandidateScores(cells=cells) for candidate, cells in fresh.items()}
        return ScoreTable({**self.candidates, **changed})

    def __getitem__(self, candidate: ResourcesHash) -> CandidateScores:
        """The scores of `candidate`, empty where it has none."""
        return self.candidates.get(candidate, NO_SCORES)

    def unasked(
        self, candidate: ResourcesHash, examples: Iterable[ExampleId], replicates: int = 1
    ) -> tuple[Cell, ...]:
        """The cells of `examples` that are neither known nor missing, example by example."""
        cells = self[candidate].cells
        return tuple(
            (example, replicate)
            for example in examples
            for replicate in range(replicates)
            if (example, replicate) not in cells
        )

    def rows(self) -> Iterator[ScoreRow]:
        """Every row, candidate by candidate in the order they came."""
        for candidate, scores in self.candidates.items():
            for (example, replicate), score in scores.cells.items():
                yield ScoreRow(
                    candidate=candidate, example=example, replicate=replicate, score=score
                )

    def to_json(self) -> Json:
        """For a checkpoint: candidate -> list of [example, replicate, score or null]."""
        return {
            candidate: [[example, replicate, score] for (example, replicate), score in cells]
            for candidate, cells in (
                (candidate, scores.cells.items()) for candidate, scores in self.candidates.items()
            )
        }

    @classmethod
    def from_json(cls, state: Json) -> "ScoreTable":
        """What `to_json` made.

        Raises:
            ValueError: anything else.
        """
        if not isinstance(state, Mapping):
            raise ValueError("a score table must be an object")
        return cls.of(
            _row(candidate, row) for candidate, rows in state.items() for row in _list(rows)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Two candidates on common ground: per example, the mean difference over common replicates.

    `differences` are candidate minus baseline in [-1, 1], in the order of `examples`. `missing`
    counts the examples that were to be compared and have no common known replicate; of some of
    those one side is known: `baseline_only` are scores of the baseline where the candidate has
    none, `candidate_only` the other way round. Rows of one of `groups` belong together; without
    groups each row stands for itself.
    """

    examples: tuple[ExampleId, ...]
    differences: tuple[float, ...]
    missing: int
    baseline_only: tuple[float, ...] = ()
    candidate_only: tuple[float, ...] = ()
    groups: tuple[str, ...] | None = None

    @property
    def missing_share(self) -> float:
        """Of the examples that were to be compared."""
        wanted = len(self.differences) + self.missing
        return self.missing / wanted if wanted else 0.0

    def filled(self, *differences: float) -> "Pairing":
        """With so many of the missing as further differences, for what might have been."""
        names = tuple(ExampleId(f"missing-{number}") for number in range(len(differences)))
        return Pairing(
            examples=self.examples + names,
            differences=self.differences + differences,
            missing=self.missing - len(differences),
            groups=None if self.groups is None else self.groups + names,
        )

    @property
    def mean(self) -> float | None:
        """The mean paired difference, None where nothing is paired."""
        if not self.differences:
            return None
        return math.fsum(self.differences) / len(self.differences)

    @property
    def fixed(self) -> tuple[ExampleId, ...]:
        """Examples on which the candidate scored higher."""
        return tuple(e for e, d in zip(self.examples, self.differences, strict=True) if d > 0)

    @property
    def broken(self) -> tuple[ExampleId, ...]:
        """Examples on which the candidate scored lower."""
        return tuple(e for e, d in zip(self.examples, self.differences, strict=True) if d < 0)


def pair(
    table: ScoreTable,
    candidate: ResourcesHash,
    baseline: ResourcesHash,
    examples: Sequence[ExampleId] | None = None,
    *,
    groups: Mapping[ExampleId, str] | None = None,
) -> Pairing:
    """Pair two candidates on `examples` in that order, or on all that either was asked.

    Examples of one group belong together; equal rows do in any case.

    Scores below 0, which only a safety ceiling makes, count as 0: the tests need bounded
    differences, and a candidate that trips a safety gate cannot win anyway.
    """
    ours, theirs = table[candidate].cells, table[baseline].cells
    common: dict[ExampleId, list[float]] = {}
    for cell, score in ours.items():
        other = theirs.get(cell)
        if score is not None and other is not None:
            common.setdefault(cell[0], []).append(max(0.0, score) - max(0.0, other))
    named = groups or {}
    wanted = examples
    if wanted is None:
        wanted = list(dict.fromkeys(example for cells in (ours, theirs) for example, _ in cells))
    found = [example for example in wanted if example in common]
    lost = [example for example in wanted if example not in common]
    return Pairing(
        examples=tuple(found),
        differences=tuple(math.fsum(common[e]) / len(common[e]) for e in found),
        missing=len(lost),
        baseline_only=_alone(table[baseline], table[candidate], lost),
        candidate_only=_alone(table[candidate], table[baseline], lost),
        groups=tuple(named.get(example) or twins_of(example) for example in found),
    )


def _alone(
    one: CandidateScores, other: CandidateScores, examples: Sequence[ExampleId]
) -> tuple[float, ...]:
    """The scores of `one` on those of `examples` that have none of `other`."""
    known = one.by_example
    return tuple(
        max(0.0, known[example])
        for example in examples
        if example in known and example not in other.by_example
    )


def _list(value: Json) -> Sequence[Json]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError("the scores of a candidate must be a list")
    return value


def _row(candidate: str, row: Json) -> ScoreRow:
    match row:
        case [str(example), int(replicate), int() | float() | None as score]:
            return ScoreRow(
                candidate=ResourcesHash(candidate),
                example=ExampleId(example),
                replicate=replicate,
                score=None if score is None else float(score),
            )
    raise ValueError(f"a score must be [example, replicate, score or null], got {row!r}")
