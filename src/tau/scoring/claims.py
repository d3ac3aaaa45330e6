"""One claim about two columns of scores, decided once.

What is claimed is fixed before the rows are scored. Whatever the kind, a false claim is promoted
with probability at most alpha: a claim of several parts holds only where each part holds at the
full level (intersection-union; R. L. Berger, Technometrics 24, 1982, 295-300).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tau.domain.ids import ExampleId
from tau.domain.json import Json
from tau.scoring.certify import Decision
from tau.scoring.compare import compare
from tau.scoring.margin import no_worse
from tau.scoring.table import Pairing

Column = Sequence[float | None]
"""Scores in 0..1 by row; None is missing."""


class ClaimKind(StrEnum):
    """What is claimed of the candidate."""

    BETTER = "better"
    NOT_WORSE = "not_worse"
    CHEAPER = "cheaper_and_not_worse"
    GUARDED = "guarded"


class Estimate(StrEnum):
    """Where the difference comes from."""

    PLAIN = "plain"
    AS_JUDGED = "as_judged"
    CORRECTED = "corrected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim: alpha is the chance to promote where it is false.

    `margin` is the loss from which a candidate counts as worse (for a guarded claim: on any guard).
    `effect` is the smallest gain that matters: where a gain that large is ruled out, the baseline
    is kept. `judged` says that the scores are a judge's verdicts.
    """

    kind: ClaimKind = ClaimKind.BETTER
    margin: float | None = None
    alpha: float = 0.05
    effect: float = 0.0
    judged: bool = False

    def __post_init__(self) -> None:
        """Refuse what claims nothing.

        Raises:
            ValueError: a margin missing, needless or out of range; alpha or effect out of range.
        """
        if not 0 < self.alpha < 0.5:
            raise ValueError(f"alpha must be above 0 and below 0.5, got {self.alpha}")
        if not 0 <= self.effect < 1:
            raise ValueError(f"the effect that matters must be in 0..1, got {self.effect}")
        if self.kind is ClaimKind.BETTER:
            if self.margin is not None:
                raise ValueError(
                    "a claim of 'better' takes no margin: with one the claim is 'not_worse'"
                )
            return
        if self.margin is None:
            raise ValueError(
                f"a claim of {self.kind.value!r} needs a margin, the loss from which the candidate "
                "counts as worse: no rows can prove that there is no loss at all. "
                "For example 0.02 for two points"
            )
        if not 0 < self.margin < 1:
            raise ValueError(f"a margin must be above 0 and below 1, got {self.margin}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedScores:
    """Both columns by row, and what is known beside them; all columns have one length.

    Rows with one of `groups` belong together (a document, a conversation): the group is then the
    unit. `human` are people's scores of both outputs, None where a row is not labelled; rows were
    chosen for labelling with the probabilities `label_shares`, or all with the same. `cost` is per
    row, in any unit. `guards` are other graders' scores by name.
    """

    ids: tuple[str, ...]
    baseline: tuple[float | None, ...]
    candidate: tuple[float | None, ...]
    groups: tuple[str, ...] | None = None
    human: tuple[tuple[float | None, ...], tuple[float | None, ...]] | None = None
    label_shares: tuple[float, ...] | None = None
    cost: tuple[tuple[float | None, ...], tuple[float | None, ...]] | None = None
    guards: Mapping[str, tuple[tuple[float | None, ...], tuple[float | None, ...]]] | None = None

    def __post_init__(self) -> None:
        """Refuse columns that don't fit together.

        Raises:
            ValueError: lengths that differ, repeated ids, a score outside 0..1, a cost below 0.
        """
        if len(set(self.ids)) != len(self.ids):
            raise ValueError("ids repeat: each row needs its own")
        scores = {"baseline": self.baseline, "candidate": self.candidate}
        for name, pair in {"human": self.human, **(self.guards or {})}.items():
            if pair is not None:
                scores |= {f"{name} baseline": pair[0], f"{name} candidate": pair[1]}
        for name, column in scores.items():
            self._check(name, column, most=1.0)
        for name, costs in zip(("baseline", "candidate"), self.cost or (), strict=False):
            self._check(f"cost of the {name}", costs, most=math.inf)
        for name, other in (("groups", self.groups), ("label shares", self.label_shares)):
            if other is not None and len(other) != len(self.ids):
                raise ValueError(f"{len(other)} {name} for {len(self.ids)} rows")

    def _check(self, name: str, column: Column, *, most: float) -> None:
        if len(column) != len(self.ids):
            raise ValueError(f"{name} has {len(column)} values for {len(self.ids)} rows")
        for row, value in zip(self.ids, column, strict=True):
            if value is not None and not (0 <= value <= most and math.isfinite(value)):
                wanted = "between 0 and 1" if most == 1 else "finite and at least 0"
                raise ValueError(f"{name} of row {row!r} must be {wanted}, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimResult:
    """The decision, its figures and its reason in one sentence.

    `low`..`high` holds the true difference (candidate minus baseline) at `level`, each bound alone
    with 1 - alpha. `p_value` is that of the claim as a whole; it is at most alpha exactly where the
    claim is promoted. `rows_to_settle` and `labels_to_settle` are only for an inconclusive one.
    """

    decision: Decision
    claim: ClaimKind
    margin: float | None
    difference: float | None
    low: float | None
    high: float | None
    level: float
    p_value: float | None
    pairs: int
    groups: int | None
    fixed: tuple[str, ...]
    broken: tuple[str, ...]
    missing: int
    design_effect: float | None
    reason: str
    caveats: tuple[str, ...] = ()
    rows_to_settle: int | None = None
    labels_to_settle: int | None = None
    labels: int | None = None
    cost: Mapping[str, Json] | None = None
    guards: Mapping[str, Json] | None = None
    estimate: Estimate = Estimate.PLAIN
    shrunk: float | None = None

    def to_json(self) -> dict[str, Json]:
        """By the names of its fields."""
        return {
            "decision": self.decision.value,
            "claim": self.claim.value,
            "margin": self.margin,
            "difference": self.difference,
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "p_value": self.p_value,
            "pairs": self.pairs,
            "groups": self.groups,
            "fixed": list(self.fixed),
            "broken": list(self.broken),
            "missing": self.missing,
            "design_effect": self.design_effect,
            "reason": self.reason,
            "caveats": list(self.caveats),
            "rows_to_settle": self.rows_to_settle,
            "labels_to_settle": self.labels_to_settle,
            "labels": self.labels,
            "cost": dict(self.cost) if self.cost is not None else None,
            "guards": dict(self.guards) if self.guards is not None else None,
            "estimate": self.estimate.value,
            "shrunk": self.shrunk,
        }

    def words(self) -> str:
        """The finding in plain words, the sure part first."""
        return self.reason


def decide(claim: Claim, scores: PairedScores) -> ClaimResult:
    """Decide on all rows at once; not to be repeated while they come in.

    Raises:
        ValueError: a claim that needs a column that `scores` lacks.
    """
    kept = [
        (ExampleId(row), ours - theirs)
        for row, theirs, ours in zip(scores.ids, scores.baseline, scores.candidate, strict=True)
        if ours is not None and theirs is not None
    ]
    pairing = Pairing(
        examples=tuple(row for row, _ in kept),
        differences=tuple(difference for _, difference in kept),
        missing=len(scores.ids) - len(kept),
    )
    if not kept:
        return _nothing(claim, pairing)
    found = compare(pairing, alpha=2 * claim.alpha)
    margin = claim.margin or 0.0
    won = found.low > 0 if claim.margin is None else no_worse(pairing, margin, alpha=claim.alpha)
    lost = found.high < (claim.effect or -margin)
    decision = (
        Decision.PROMOTE if won else Decision.KEEP_BASELINE if lost else Decision.INCONCLUSIVE
    )
    return ClaimResult(
        decision=decision,
        claim=claim.kind,
        margin=claim.margin,
        difference=found.difference,
        low=found.low,
        high=found.high,
        level=round(1 - 2 * claim.alpha, 6),
        p_value=found.p_greater,
        pairs=found.n,
        groups=None,
        fixed=found.fixed,
        broken=found.broken,
        missing=found.missing,
        design_effect=None,
        reason=f"the interval of the difference is {found.low:+.3f} to {found.high:+.3f}",
    )


def _nothing(claim: Claim, pairing: Pairing) -> ClaimResult:
    return ClaimResult(
        decision=Decision.INCONCLUSIVE,
        claim=claim.kind,
        margin=claim.margin,
        difference=None,
        low=None,
        high=None,
        level=round(1 - 2 * claim.alpha, 6),
        p_value=None,
        pairs=0,
        groups=None,
        fixed=(),
        broken=(),
        missing=pairing.missing,
        design_effect=None,
        reason="no row has known scores of both",
    )
