"""The parts of a claim, each decided alone at the full level, and what they come to together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import sub

from tau.domain.ids import ExampleId
from tau.domain.json import Json
from tau.scoring.certify import ClaimDecision, Threshold, settle
from tau.scoring.costs import Saving
from tau.scoring.labels import FEW_LABELS, FEWEST_LABELS, Corrected, Judged, corrected
from tau.scoring.missing import TRUSTED_SHARE
from tau.scoring.table import Pairing

Column = Sequence[float | None]
MAIN = "the difference"
"""The part that every claim has."""
_UNSEEN_TOLD = 0.01
"""Of rows that may be dearer than any seen: from here on a claim about costs says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part with its decision and figures; `p_value` is None where nothing was tested."""

    decision: ClaimDecision
    reason: str
    margin: float = 0.0
    p_value: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    pairs: int = 0
    groups: int | None = None
    fixed: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    missing: int = 0
    design_effect: float | None = None
    caveats: tuple[str, ...] = ()
    rows_to_settle: int | None = None
    labels: int | None = None
    labels_to_settle: int | None = None
    corrected: bool = False

    def to_json(self) -> dict[str, Json]:
        """The figures of a guard."""
        return {
            "decision": self.decision.value,
            "difference": self.difference,
            "low": self.low,
            "high": self.high,
            "p_value": self.p_value,
            "pairs": self.pairs,
            "fixed": list(self.fixed),
            "broken": list(self.broken),
            "missing": self.missing,
            "reason": self.reason,
        }


def paired(
    ids: Sequence[str], baseline: Column, candidate: Column, groups: Sequence[str] | None
) -> Pairing:
    """Two columns as a pairing."""
    if None not in baseline and None not in candidate:
        return Pairing(
            examples=tuple(map(ExampleId, ids)),
            differences=tuple(map(sub, candidate, baseline)),
            missing=0,
            baseline_only=(),
            candidate_only=(),
            groups=tuple(groups) if groups is not None else None,
        )
    rows = list(zip(ids, baseline, candidate, groups or ids, strict=True))
    known = [
        (row, ours - theirs, group)
        for row, theirs, ours, group in rows
        if theirs is not None and ours is not None
    ]
    return Pairing(
        examples=tuple(ExampleId(row) for row, _, _ in known),
        differences=tuple(difference for _, difference, _ in known),
        missing=len(rows) - len(known),
        baseline_only=tuple(b for _, b, c, _ in rows if b is not None and c is None),
        candidate_only=tuple(c for _, b, c, _ in rows if c is not None and b is None),
        groups=tuple(group for _, _, group in known) if groups is not None else None,
    )


def plain_part(name: str, pairing: Pairing, bar: Threshold, alpha: float) -> Part:
    """The scores as they are."""
    found = settle(pairing, bar, alpha=alpha)
    compared = found.comparison
    if compared is None:
        return Part(
            decision=found.decision,
            reason=f"{name}: no row has known scores of both",
            margin=bar.margin,
            missing=pairing.missing,
            caveats=found.caveats,
        )
    return Part(
        decision=found.decision,
        reason=_named(name, found.reason),
        margin=bar.margin,
        p_value=compared.p_greater,
        difference=compared.difference,
        low=compared.low,
        high=compared.high,
        pairs=compared.n,
        groups=compared.groups,
        fixed=tuple(compared.fixed),
        broken=tuple(compared.broken),
        missing=compared.missing,
        design_effect=compared.design_effect,
        caveats=found.caveats,
        rows_to_settle=found.rows_to_settle,
    )


def judged_rows(
    ids: Sequence[str],
    baseline: Column,
    candidate: Column,
    human: tuple[Column, Column],
    shares: Sequence[float] | None,
    groups: Sequence[str] | None,
) -> tuple[Judged, ...]:
    """Rows with the judge's scores of both; those on which only the candidate lacks one as zeros.

    A candidate gains nothing by silence.
    """
    made = []
    columns = (baseline, candidate, *human, shares or [1.0] * len(ids), groups or ids)
    for theirs, ours, before, after, share, group in zip(*columns, strict=True):
        if theirs is None:
            continue
        labelled = before is not None and after is not None
        made.append(
            Judged(
                judge=(ours or 0.0) - theirs,
                human=after - before if labelled else None,
                share=share,
                group=group,
            )
        )
    return tuple(made)


def labelled_part(
    name: str, pairing: Pairing, rows: Sequence[Judged], bar: Threshold, alpha: float
) -> Part:
    """The judge's scores, corrected by people's."""
    plain = plain_part(name, pairing, bar, alpha)
    found = corrected(rows)
    labels = sum(row.human is not None for row in rows)
    if found is None or pairing.missing_share > TRUSTED_SHARE:
        why = (
            f"people scored {labels} rows, and below {FEWEST_LABELS} (or as many groups) nothing "
            "is decided; the figures are the judge's alone"
            if found is None
            else f"{pairing.missing} rows have no score of both, more than a third"
        )
        return replace(
            plain,
            decision=ClaimDecision.INCONCLUSIVE,
            reason=_named(name, why),
            p_value=None,
            labels=labels,
            labels_to_settle=FEW_LABELS if found is None else None,
        )
    low, high = found.interval(2 * alpha)
    decision, reason = _corrected_decision(found, bar, alpha, low, high)
    caveats = tuple(
        caveat for caveat in (
            f"{labels} labelled rows are few: the interval is rough"
            if labels < FEW_LABELS else "",
            f"{len(pairing.baseline_only)} rows without a score of the candidate count as zeros"
            if pairing.baseline_only else "",
        ) if caveat
    )  # fmt: skip
    distance = max(found.difference + bar.margin, bar.effect - found.difference)
    return replace(
        plain,
        decision=decision,
        reason=_named(name, reason),
        p_value=found.p_greater(-bar.margin),
        difference=found.difference,
        low=low,
        high=high,
        caveats=plain.caveats + caveats,
        labels=labels,
        labels_to_settle=found.labels_to_settle(distance, alpha=alpha),
        rows_to_settle=None,
        corrected=True,
    )


def _corrected_decision(
    found: Corrected, bar: Threshold, alpha: float, low: float, high: float
) -> tuple[ClaimDecision, str]:
    interval = f"the interval corrected by {found.labels} labelled rows, {low:+.3f} to {high:+.3f},"
    if found.p_greater(-bar.margin) <= alpha:
        return ClaimDecision.PROMOTE, f"{interval} lies above {bar.floor}"
    if high < bar.effect:
        return ClaimDecision.KEEP_BASELINE, f"{interval} lies below {bar.ceiling}"
    return ClaimDecision.INCONCLUSIVE, f"{interval} holds {bar.floor}"


def cost_part(spent: Saving | None, alpha: float) -> Part:
    """Whether the candidate is cheaper."""
    if spent is None:
        return Part(
            decision=ClaimDecision.INCONCLUSIVE, reason="the cost: no row has known costs of both"
        )
    interval = (
        f"the cost: the interval of the saving per row, {spent.low:+.4g} to {spent.high:+.4g}"
    )
    caveats = tuple(_cost_caveats(spent, alpha))
    if spent.missing > TRUSTED_SHARE * (spent.rows + spent.missing):
        decision = ClaimDecision.INCONCLUSIVE
        reason = f"the cost: {spent.missing} rows have no known cost of both, more than a third"
    elif spent.p_value <= alpha:
        decision, reason = ClaimDecision.PROMOTE, f"{interval}, lies above 0"
    elif spent.p_dearer <= alpha:
        decision, reason = ClaimDecision.KEEP_BASELINE, f"{interval}, lies below 0"
    else:
        decision, reason = ClaimDecision.INCONCLUSIVE, f"{interval}, holds 0"
    return Part(decision=decision, reason=reason, p_value=spent.p_value, caveats=caveats)


def _cost_caveats(spent: Saving, alpha: float) -> Iterator[str]:
    if spent.missing:
        yield f"{spent.missing} rows have no known cost of both and are left out of the cost"
    unseen = 1 - alpha ** (1 / spent.rows)
    if spent.p_value <= alpha and unseen > _UNSEEN_TOLD:
        yield (
            "the cost holds if no row costs more than the dearest of these: up to "
            f"{100 * unseen:.2g} % of all rows can be dearer and not be among them"
        )


def joined(parts: Sequence[Part]) -> tuple[ClaimDecision, str]:
    """Promoted is what every part promotes; one refuted part refutes the whole."""
    decisions = {part.decision for part in parts}
    if ClaimDecision.KEEP_BASELINE in decisions:
        decision = ClaimDecision.KEEP_BASELINE
    elif decisions == {ClaimDecision.PROMOTE}:
        decision = ClaimDecision.PROMOTE
    else:
        decision = ClaimDecision.INCONCLUSIVE
    return decision, "; ".join(part.reason for part in parts if part.decision is decision)


def most(numbers: Sequence[int | None]) -> int | None:
    """The largest of those that are known."""
    return max((number for number in numbers if number is not None), default=None)


def _named(name: str, reason: str) -> str:
    return reason if name == MAIN else f"{name}: {reason}"
