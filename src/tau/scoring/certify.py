"""The claim: the one winner meets the baseline once, on examples that chose nothing.

Only a gain is claimed, so the level is that of one direction: a candidate that is no better is
promoted with probability at most alpha. Each bound of the reported interval holds with probability
1 - alpha, both together with 1 - 2 alpha.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from tau.domain.json import Json
from tau.scoring.compare import Comparison, Method, compare
from tau.scoring.missing import NOTED_SHARE, TRUSTED_SHARE, against, as_zeros, in_favour
from tau.scoring.power import rows_to_settle
from tau.scoring.sign_flips import DRAWS
from tau.scoring.table import Pairing
from tau.scoring.units import FEW_GROUPS
from tau.scoring.worst_case import p_unseen, rows_unseen


class ClaimDecision(StrEnum):
    """What a run concludes."""

    PROMOTE = "promote"
    KEEP_BASELINE = "keep_baseline"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """A decision on part of the rows, and what it would be had the missing ones gone one way.

    Each of `against` and `in_favour` of the candidate is the decision with its comparison.
    """

    compared: int
    missing: int
    against: "tuple[ClaimDecision, Comparison]"
    in_favour: "tuple[ClaimDecision, Comparison]"

    def to_json(self) -> Json:
        """For evidence and reports."""
        return {
            "compared": self.compared,
            "missing": self.missing,
            "against": _bound(*self.against),
            "in_favour": _bound(*self.in_favour),
        }

    def text(self) -> str:
        """One sentence for people."""
        worst, best = self.against, self.in_favour
        return (
            f"only {self.compared} of {self.compared + self.missing} rows were compared: had the "
            f"missing ones all gone against the candidate, it would be {_spoken(*worst)}; all in "
            f"its favour, {_spoken(*best)}"
        )


def _bound(decision: ClaimDecision, found: Comparison) -> Json:
    return {
        "decision": decision.value,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
    }


def _spoken(decision: ClaimDecision, found: Comparison) -> str:
    return f"{decision.value} ({found.low:+.3f} to {found.high:+.3f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A decision with its evidence and its reason in one sentence.

    `comparison` is None where nothing was compared. `rows_to_settle` is only for an inconclusive
    one, and None where that can't be told. `partial` is there where more than a tenth of the rows
    could not be compared.
    """

    decision: ClaimDecision
    reason: str
    comparison: Comparison | None = None
    rows_to_settle: int | None = None
    partial: Partial | None = None
    caveats: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """For evidence and reports; examples by id."""
        found = self.comparison
        return {
            "decision": self.decision.value,
            "reason": self.reason,
            "comparison": found.to_json() if found else None,
            "rows_to_settle": self.rows_to_settle,
            "partial": self.partial.to_json() if self.partial else None,
            "caveats": list(self.caveats),
        }


def no_candidate(reason: str, *, searched: bool = True) -> Certificate:
    """The decision where no candidate survived the search, or none could be tried at all."""
    decision = ClaimDecision.KEEP_BASELINE if searched else ClaimDecision.INCONCLUSIVE
    return Certificate(decision=decision, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """What the difference is held against.

    Promoted is what is proved to be above -`margin`; the baseline is kept where the difference is
    proved to be below `effect`.
    """

    effect: float
    margin: float = 0.0

    @property
    def floor(self) -> str:
        """The value to be above, as text."""
        return f"-{self.margin:g}" if self.margin else "0"

    @property
    def ceiling(self) -> str:
        """The value below which the baseline is kept, as text."""
        return f"the {self.effect:.3f} that matters" if self.effect > 0 else self.floor


def certify(
    pairing: Pairing,
    *,
    effect: float,
    alpha: float = 0.05,
    planned: int | None = None,
    gated: bool = False,
    draws: int = DRAWS,
) -> Certificate:
    """Decide on the paired differences of the whole certification set, at once and in full.

    `promote` if and only if the interval's lower bound is above 0, which is when its `p_greater`
    is at most alpha; `keep_baseline` if its upper
    bound is below `effect`, the smallest gain that matters; else `inconclusive`. A `gated`
    candidate tripped a safety gate and can't win. With rows of the `planned` size still to come
    the decision stands on those that are there, and a caveat says so.

    Rows without a score of both are left out, but a promotion must stand with those that only the
    candidate lacks as zeros; and where more than a third is missing, no decision stands that the
    missing rows could change.

    Raises:
        ValueError: an effect that is not positive.
    """
    if not effect > 0:
        raise ValueError(f"the effect that matters must be positive, got {effect}")
    return settle(
        pairing, Threshold(effect=effect), alpha=alpha, planned=planned, gated=gated, draws=draws
    )


def settle(
    pairing: Pairing,
    bar: Threshold,
    *,
    alpha: float,
    planned: int | None = None,
    gated: bool = False,
    draws: int = DRAWS,
) -> Certificate:
    """Decide as `certify` does, against any bar."""
    if not pairing.differences:
        return Certificate(
            decision=ClaimDecision.INCONCLUSIVE,
            reason="no example has known scores of both prompts",
            caveats=_caveats(pairing, planned),
        )

    def decided(rows: Pairing) -> _Decided:
        compared = compare(rows, alpha=2 * alpha, margin=bar.margin, draws=draws)
        return (*_decided(compared, bar, gated), compared)

    decision, reason, found = decided(pairing)
    partial = None
    if pairing.missing_share > NOTED_SHARE:
        worst, best = decided(against(pairing)), decided(in_favour(pairing))
        partial = Partial(
            compared=len(pairing.differences),
            missing=pairing.missing,
            against=(worst[0], worst[2]),
            in_favour=(best[0], best[2]),
        )
    if decision is ClaimDecision.PROMOTE and pairing.baseline_only:
        decision, reason = _with_zeros(pairing, decided(as_zeros(pairing)), reason)
    if pairing.missing_share > TRUSTED_SHARE and partial is not None and not gated:
        decision, reason = _in_any_case(decision, reason, partial)
    return Certificate(
        decision=decision,
        reason=reason,
        comparison=found,
        rows_to_settle=(
            _rows_wanted(pairing, found, bar, alpha)
            if decision is ClaimDecision.INCONCLUSIVE
            else None
        ),
        partial=partial,
        caveats=(
            *_caveats(pairing, planned, partial),
            *(_unseen_caveats(found, bar, alpha) if decision is ClaimDecision.INCONCLUSIVE else ()),
        ),
    )


_Decided = tuple[ClaimDecision, str, Comparison]


def _with_zeros(pairing: Pairing, zeros: _Decided, reason: str) -> tuple[ClaimDecision, str]:
    """A promotion, if it stands where the candidate's missing rows count as zeros."""
    lost, found = len(pairing.baseline_only), zeros[2]
    if zeros[0] is ClaimDecision.PROMOTE:
        return ClaimDecision.PROMOTE, reason
    return (
        ClaimDecision.INCONCLUSIVE,
        f"only the candidate has no score on {lost} rows; with zeros there, the difference is "
        f"{found.low:+.3f} to {found.high:+.3f}, which is open",
    )


def _in_any_case(
    decision: ClaimDecision, reason: str, partial: Partial
) -> tuple[ClaimDecision, str]:
    """A decision that the missing rows could not change; else it is not settled."""
    if {partial.against[0], partial.in_favour[0]} == {decision}:
        return decision, reason
    wanted = partial.compared + partial.missing
    return (
        ClaimDecision.INCONCLUSIVE,
        f"{partial.missing} of {wanted} rows could not be compared, more than a third, and they "
        "could change the decision",
    )


def _decided(found: Comparison, bar: Threshold, gated: bool) -> tuple[ClaimDecision, str]:
    interval = f"{found.low:+.3f} to {found.high:+.3f}"
    what = "difference" if bar.margin or not bar.effect else "gain"
    if gated:
        return ClaimDecision.KEEP_BASELINE, "the candidate tripped a safety gate"
    if found.low > -bar.margin:
        return (
            ClaimDecision.PROMOTE,
            f"the interval of the {what}, {interval}, lies above {bar.floor}",
        )
    if found.high < bar.effect:
        return (
            ClaimDecision.KEEP_BASELINE,
            f"the interval of the {what}, {interval}, lies below {bar.ceiling}",
        )
    if bar.effect > 0:
        return (
            ClaimDecision.INCONCLUSIVE,
            f"the interval of the gain, {interval}, holds both 0 and gains that matter"
            f" (from {bar.effect:.3f})",
        )
    return ClaimDecision.INCONCLUSIVE, f"the interval of the {what}, {interval}, holds {bar.floor}"


def _rows_wanted(pairing: Pairing, found: Comparison, bar: Threshold, alpha: float) -> int | None:
    """None where no number can be told.

    The difference is just the one that decides, or so many rows are there already, and groups,
    missing scores or chance kept them from deciding.
    """
    gain, least = found.difference + bar.margin, bar.effect + bar.margin
    if max(gain, least - gain) <= 0:
        return None
    exact = found.method is Method.EXACT
    spread = _spread(pairing, imagined=1 if exact else 0)
    effect = max(1.0, found.design_effect or 1.0)
    wanted = math.ceil(rows_to_settle(gain, spread, least, alpha=alpha) * effect)
    wanted = wanted if exact else max(wanted, rows_unseen(max(gain, least - gain), alpha))
    return wanted if wanted > len(pairing.differences) else None


def _spread(pairing: Pairing, *, imagined: int) -> float:
    """Standard deviation of single differences, as if one more example were fixed or broken.

    Without that a few right and wrong answers that all agree would seem to settle anything.
    """
    n = len(pairing.differences)
    squares = math.fsum(difference**2 for difference in pairing.differences)
    mean = math.fsum(pairing.differences) / n
    whole = n + imagined
    return math.sqrt(max(0.0, (squares + imagined) / whole - mean**2 * (n / whole) ** 2))


def _unseen_caveats(found: Comparison, bar: Threshold, alpha: float) -> tuple[str, ...]:
    """Where the gain is too small for so few rows to rule out losses that none of them showed."""
    gain = found.difference + bar.margin
    if found.method is Method.EXACT or gain <= 0 or p_unseen(found.n, gain, 1.0) <= alpha:
        return ()
    return (
        f"losses too rare to show among {found.n} rows could undo a difference of "
        f"{found.difference:+.3f}: about {rows_unseen(gain, alpha)} rows would rule them out",
    )


def _caveats(
    pairing: Pairing, planned: int | None, partial: Partial | None = None
) -> tuple[str, ...]:
    found = []
    n = len(pairing.differences)
    if partial is not None:
        found.append(partial.text())
    elif pairing.missing:
        found.append(
            f"{pairing.missing} of {n + pairing.missing} examples have no score of both prompts "
            "and are left out"
        )
    found += group_caveats(pairing)
    if planned is not None and n + pairing.missing < planned:
        found.append(f"{planned} examples were planned, {n + pairing.missing} were evaluated")
    return tuple(found)


def group_caveats(pairing: Pairing) -> tuple[str, ...]:
    """What is to be said where few rows are independent."""
    if pairing.groups is None:
        return ()
    groups, n = len(set(pairing.groups)), len(pairing.groups)
    if groups == n:
        return ()
    few = (
        f": fewer than {FEW_GROUPS} groups say little, however many rows they have"
        if groups < FEW_GROUPS
        else ""
    )
    return (
        f"{n} rows are {groups} groups of rows that belong together, the unit of the test{few}",
    )
