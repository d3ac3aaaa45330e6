"""What a certification found: the claim and its guards, decided together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from tau.domain.claim import ClaimTerms
from tau.domain.decision import Decision
from tau.domain.json import Json
from tau.scoring.claims import Claim, ClaimKind, ClaimResult, Column, PairedScores, decide
from tau.scoring.compare import Method

Guards = Mapping[str, tuple[Column, Column]]
"""Scores of the baseline and of the candidate, by grader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A decision with its evidence and its reason in one sentence; no `result`: nothing to compare.

    `guards` are what each guard came to, by grader.
    """

    decision: Decision
    reason: str
    result: ClaimResult | None = None
    guards: Mapping[str, ClaimResult] = field(default_factory=dict)
    method: str = ""
    caveats: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """For evidence and reports; examples by id."""
        found = self.result
        compared = found is not None and found.pairs > 0
        return {
            "decision": self.decision.value,
            "reason": self.reason,
            "comparison": _comparison(found, self.method) if found and compared else None,
            "rows_to_settle": found.rows_to_settle if found else None,
            "caveats": list(self.caveats),
            **({"claim": _claimed(found, self.guards)} if found else {}),
        }


def nothing_chosen(reason: str) -> Finding:
    """The decision where no candidate survived the search."""
    return Finding(decision=Decision.KEEP_BASELINE, reason=reason)


def found_by(
    claim: Claim, scores: PairedScores, *, guards: Guards, terms: ClaimTerms, gated: bool
) -> Finding:
    """The claim on all rows, and each guard on the same rows.

    All must hold, each at the full level: so a false claim passes with no more than that
    probability (intersection-union). A `gated` candidate tripped a safety gate and can't win.
    """
    result = decide(claim, scores)
    margins = {guard.grader: guard.margin for guard in terms.guards}
    found = {name: _guarded(claim, scores, pair, margins[name]) for name, pair in guards.items()}
    decision, reason = Decision(str(result.decision)), result.reason
    for name, guard in found.items():
        decision, reason = _with(decision, reason, name, guard)
    if gated:
        decision, reason = Decision.KEEP_BASELINE, "the candidate tripped a safety gate"
    if decision is not Decision.INCONCLUSIVE:
        result = replace(result, rows_to_settle=None)
    return Finding(
        decision=decision,
        reason=reason,
        result=result,
        guards=found,
        method=_method(scores),
        caveats=tuple(dict.fromkeys(_caveats(result))),
    )


def _method(scores: PairedScores) -> str:
    pairs = zip(scores.baseline, scores.candidate, strict=True)
    whole = all(
        our - their in (-1.0, 0.0, 1.0)
        for their, our in pairs
        if their is not None and our is not None
    )
    return str(Method.EXACT if whole and scores.groups is None else Method.SIGN_FLIPS)


def _guarded(
    claim: Claim, scores: PairedScores, pair: tuple[Column, Column], margin: float
) -> ClaimResult:
    return decide(
        Claim(kind=ClaimKind.NOT_WORSE, margin=margin, alpha=claim.alpha),
        PairedScores(
            ids=scores.ids,
            baseline=tuple(pair[0]),
            candidate=tuple(pair[1]),
            groups=scores.groups,
        ),
    )


def _with(decision: Decision, reason: str, name: str, guard: ClaimResult) -> tuple[Decision, str]:
    """The decision so far, with one guard more."""
    if decision is Decision.KEEP_BASELINE or guard.decision == "promote":
        return decision, reason
    if guard.decision == "keep_baseline":
        return Decision.KEEP_BASELINE, f"'{name}' is worse: {guard.reason}"
    if decision is Decision.PROMOTE:
        return Decision.INCONCLUSIVE, f"'{name}' may be worse: {guard.reason}"
    return decision, reason


def _comparison(found: ClaimResult, method: str) -> Json:
    """As reports know it; `alpha` is that of the interval, which has two sides."""
    p_greater = found.p_value if found.p_value is not None else 1.0
    return {
        "n": found.pairs,
        "missing": found.missing,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "alpha": round(1 - found.level, 6),
        "p_value": min(1.0, 2 * p_greater),
        "p_greater": p_greater,
        "method": method,
        "fixed": list(found.fixed),
        "broken": list(found.broken),
        "groups": found.groups,
        "design_effect": found.design_effect,
        "shrunk": found.shrunk,
    }


def _claimed(found: ClaimResult, guards: Mapping[str, ClaimResult]) -> Json:
    """What was claimed, beside the figures of the comparison."""
    return {
        "kind": found.claim.value,
        "margin": found.margin,
        "cost": dict(found.cost) if found.cost is not None else None,
        "guards": {
            name: {
                "decision": guard.decision.value,
                "margin": guard.margin,
                "difference": guard.difference,
                "low": guard.low,
                "high": guard.high,
                "pairs": guard.pairs,
                "reason": guard.reason,
            }
            for name, guard in guards.items()
        },
    }


def _caveats(result: ClaimResult) -> Iterator[str]:
    yield from result.caveats
    if result.missing:
        yield (
            f"{result.missing} of {result.pairs + result.missing} examples have no score of both "
            "prompts and are left out: the claim is about the others"
        )
