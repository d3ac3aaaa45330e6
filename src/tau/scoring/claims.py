"""One claim about two columns of scores, decided once.

What is claimed is fixed before the rows are scored. Whatever the kind, a false claim is promoted
with probability at most alpha: a claim of several parts holds only where each part holds at the
full level (intersection-union; R. L. Berger, Technometrics 24, 1982, 295-300).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tau.domain.json import Json
from tau.scoring.certify import ClaimDecision, Threshold
from tau.scoring.claim_parts import (
    MAIN,
    Part,
    cost_part,
    joined,
    judged_rows,
    labelled_part,
    most,
    paired,
    plain_part,
)
from tau.scoring.costs import Saving, saving
from tau.scoring.wording import (
    allowing_for_selection,
    at_least_text,
    at_most_text,
    estimate_text,
    groups_wanted,
    proved_text,
    settling_text,
)

Column = Sequence[float | None]
"""Scores in 0..1 by row; None is missing."""


class ClaimKind(StrEnum):
    """What is claimed of the candidate."""

    BETTER = "better"
    NOT_WORSE = "not_worse"
    CHEAPER = "cheaper_and_not_worse"
    GUARDED = "guarded"


class EstimateKind(StrEnum):
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
        known = [value for value in column if value is not None]
        if not known or (math.isfinite(sum(known)) and min(known) >= 0 and max(known) <= most):
            return
        for row, value in zip(self.ids, column, strict=True):
            if value is not None and not (0 <= value <= most and math.isfinite(value)):
                wanted = "between 0 and 1" if most == 1 else "finite and at least 0"
                raise ValueError(f"{name} of row {row!r} must be {wanted}, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimResult:
    """The decision, its figures and its reason in one sentence.

    `low`..`high` holds the true difference (candidate minus baseline) at `level`, each bound alone
    with 1 - alpha. `p_value` is that of the claim as a whole: at most alpha where it is promoted,
    and only there unless missing rows forbid it. `rows_to_settle` and `labels_to_settle` are only
    for an inconclusive one; `shrunk` is the difference allowing for promoted ones being lucky.
    """

    decision: ClaimDecision
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
    estimate: EstimateKind = EstimateKind.PLAIN
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
            "groups_to_settle": self.groups_to_settle,
            "labels_to_settle": self.labels_to_settle,
            "labels": self.labels,
            "cost": dict(self.cost) if self.cost is not None else None,
            "guards": dict(self.guards) if self.guards is not None else None,
            "estimate": self.estimate.value,
            "shrunk": self.shrunk,
        }

    def words(self) -> str:
        """The finding in plain words, what is sure first."""
        if self.difference is None or self.low is None or self.high is None:
            return self.reason
        measured = estimate_text(self.difference, self.shrunk)
        if self.decision is ClaimDecision.PROMOTE:
            return f"{proved_text(self.low)} ({measured})"
        proved = self.low > -self._bar
        if (
            proved and self.decision is ClaimDecision.INCONCLUSIVE
        ):  # nothing open is said to be sure
            least = f"{at_least_text(self.low)} or more by these scores"
            return f"not settled: {self.reason} ({least}, {measured})"
        if proved:
            return f"{proved_text(self.low)} ({measured}), but {self.reason}"
        if self.decision is ClaimDecision.KEEP_BASELINE:
            return f"surely at most {at_most_text(self.high)} ({measured})"
        between = f"between {at_least_text(self.low)} and {at_most_text(self.high)}: not settled"
        if self.labels_to_settle is not None:
            return f"{between}; about {self.labels_to_settle} labelled rows would settle it"
        if self.rows_to_settle is not None:
            wanted = settling_text(self.rows_to_settle, self.groups_to_settle)
            return f"{between}; {wanted} would settle it"
        return between

    @property
    def groups_to_settle(self) -> int | None:
        """The rows to settle it as groups, where rows belong together."""
        return groups_wanted(self.rows_to_settle, self.pairs, self.groups)

    @property
    def _bar(self) -> float:
        """The margin of the difference itself."""
        worse = self.claim in (ClaimKind.NOT_WORSE, ClaimKind.CHEAPER)
        return self.margin if worse and self.margin is not None else 0.0


def decide(claim: Claim, scores: PairedScores) -> ClaimResult:
    """Decide on all rows at once; not to be repeated while they come in.

    Raises:
        ValueError: a claim that needs a column that `scores` lacks.
    """
    main = _main(claim, scores)
    parts = [main]
    spent = _spent(claim, scores)
    if claim.kind is ClaimKind.CHEAPER:
        if scores.cost is None:
            raise ValueError("a claim of 'cheaper_and_not_worse' needs the costs of both")
        parts.append(cost_part(spent, claim.alpha))
    guards = _guards(claim, scores) if claim.kind is ClaimKind.GUARDED else {}
    parts += guards.values()
    decision, reason = joined(parts)
    inconclusive = decision is ClaimDecision.INCONCLUSIVE
    known = [part.p_value for part in parts]
    return ClaimResult(
        decision=decision,
        claim=claim.kind,
        margin=claim.margin,
        difference=main.difference,
        low=main.low,
        high=main.high,
        level=round(1 - 2 * claim.alpha, 6),
        p_value=None if None in known else max(p for p in known if p is not None),
        pairs=main.pairs,
        groups=main.groups,
        fixed=main.fixed,
        broken=main.broken,
        missing=main.missing,
        design_effect=main.design_effect,
        reason=reason,
        caveats=_caveats(claim, parts),
        rows_to_settle=most([part.rows_to_settle for part in parts]) if inconclusive else None,
        labels_to_settle=main.labels_to_settle if inconclusive else None,
        labels=main.labels,
        cost=spent.to_json() if spent is not None else None,
        guards={name: part.to_json() for name, part in guards.items()} or None,
        estimate=_estimate(claim, main),
        shrunk=_shrunk(claim, main) if decision is ClaimDecision.PROMOTE else None,
    )


def _main(claim: Claim, scores: PairedScores) -> Part:
    pairing = paired(scores.ids, scores.baseline, scores.candidate, scores.groups)
    worse = claim.kind in (ClaimKind.NOT_WORSE, ClaimKind.CHEAPER)
    margin = claim.margin if worse and claim.margin is not None else 0.0
    bar = Threshold(effect=-margin if worse else claim.effect, margin=margin)
    if scores.human is None:
        return plain_part(MAIN, pairing, bar, claim.alpha)
    rows = judged_rows(scores.ids, scores.baseline, scores.candidate, scores.human,
                       scores.label_shares, scores.groups)  # fmt: skip
    return labelled_part(MAIN, pairing, rows, bar, claim.alpha)


def _guards(claim: Claim, scores: PairedScores) -> dict[str, Part]:
    if not scores.guards:
        raise ValueError("a claim of 'guarded' needs the scores of at least one guard")
    margin = claim.margin or 0.0
    return {
        name: plain_part(
            name,
            paired(scores.ids, *columns, scores.groups),
            Threshold(effect=-margin, margin=margin),
            claim.alpha,
        )
        for name, columns in scores.guards.items()
    }


def _spent(claim: Claim, scores: PairedScores) -> Saving | None:
    if scores.cost is None:
        return None
    return saving(*scores.cost, scores.groups, alpha=claim.alpha)


def _estimate(claim: Claim, main: Part) -> EstimateKind:
    if main.corrected:
        return EstimateKind.CORRECTED
    return EstimateKind.AS_JUDGED if claim.judged or main.labels is not None else EstimateKind.PLAIN


def _shrunk(claim: Claim, main: Part) -> float | None:
    if main.difference is None or main.low is None or main.margin:
        return None
    return allowing_for_selection(main.difference, main.low, 0.0, claim.alpha)


def _caveats(claim: Claim, parts: Sequence[Part]) -> tuple[str, ...]:
    found = [caveat for part in parts for caveat in part.caveats]
    if claim.judged and not parts[0].corrected:
        found.append("the scores are a judge's, taken as they are: nothing corrects its errors")
    return tuple(dict.fromkeys(found))
