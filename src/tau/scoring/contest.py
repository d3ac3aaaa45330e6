"""What halving and racing share: who is left, what to ask next, who leads."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json
from tau.scoring.table import Cell, ScoreTable


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestStanding:
    """Who is left, best first at the last decision; JSON makes a contest resumable.

    All `alive` are being evaluated on the first `examples` of the order. `spent` counts the
    evaluations up to there, whether they had to be asked for or were known already. `reason` is
    None while the contest goes on, and says why it ended after that.
    """

    alive: tuple[ResourcesHash, ...]
    examples: int
    spent: int
    looks: int = 0
    reason: str | None = None

    @property
    def leader(self) -> ResourcesHash:
        """The one to take now."""
        return self.alive[0]

    def to_json(self) -> Json:
        """For a checkpoint."""
        return {
            "alive": list(self.alive),
            "examples": self.examples,
            "spent": self.spent,
            "looks": self.looks,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, state: Json) -> "ContestStanding":
        """What `to_json` made.

        Raises:
            ValueError: anything else.
        """
        match state:
            case {
                "alive": [str(), *_] as alive,
                "examples": int(examples),
                "spent": int(spent),
                "looks": int(looks),
                "reason": str() | None as reason,
            }:
                return cls(
                    alive=tuple(ResourcesHash(str(name)) for name in alive),
                    examples=examples,
                    spent=spent,
                    looks=looks,
                    reason=reason,
                )
        raise ValueError(f"not the standing of a contest: {state!r}")


def unasked(
    table: ScoreTable,
    candidates: Sequence[ResourcesHash],
    examples: Sequence[ExampleId],
    replicates: int,
) -> tuple[tuple[ResourcesHash, Cell], ...]:
    """The cells still to ask for, example by example: a dropped tail leaves equal prefixes."""
    known = [(candidate, table[candidate].cells) for candidate in candidates]
    return tuple(
        (candidate, (example, replicate))
        for example in examples
        for replicate in range(replicates)
        for candidate, cells in known
        if (example, replicate) not in cells
    )


def ranked(
    table: ScoreTable, candidates: Sequence[ResourcesHash], examples: Sequence[ExampleId]
) -> tuple[ResourcesHash, ...]:
    """`candidates` by their mean over `examples`, best first; earlier ones first where equal.

    A missing score is neither 0 nor an advantage: means are taken of what is left after each
    example's own mean over the candidates that have it is subtracted. Without missing scores that
    is the order of the plain means. A candidate without any score comes last.
    """
    level = {example: _mean_of(table, candidates, example) for example in examples}
    standing = {name: _advantage(table, name, level) for name in candidates}
    return tuple(sorted(candidates, key=lambda name: -standing[name]))


def _mean_of(table: ScoreTable, candidates: Sequence[ResourcesHash], example: ExampleId) -> float:
    known = [
        score for name in candidates if (score := table[name].by_example.get(example)) is not None
    ]
    return math.fsum(known) / len(known) if known else 0.0


def _advantage(table: ScoreTable, candidate: ResourcesHash, level: dict[ExampleId, float]) -> float:
    known = table[candidate].by_example
    left = [known[example] - mean for example, mean in level.items() if example in known]
    # Rounding must not order what is equal.
    return round(math.fsum(left) / len(left), 12) if left else -math.inf
