"""How far a judge agrees with people, with intervals: over all, by class, by length, by threshold.

Scores are numbers in 0..1; each that people or the judge used is a class of its own. The interval
of a share is Wilson's at the effective number of rows, those of coefficients are resampled by
whole groups.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tau.domain.draws import uniform
from tau.scoring.agreement import alpha_of_table, bootstrap, cohen_kappa, confusion, wilson
from tau.scoring.student import t_quantile
from tau.scoring.units import units_of

FEWEST_RATED = 10
"""Below so many rows with a person's label and a verdict nothing is told."""
FEW_RATED = 30
"""Below so many the figures are told with a caveat."""
PASS_MARK = 0.5
"""The score from which on people's label counts as a pass, where it is no yes or no."""
_MOST_CLASSES = 12
_LENGTHS = ("shortest third", "middle third", "longest third")


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedOutput:
    """One output: people's score, the judge's, its characters, the group its row belongs to."""

    human: float
    judge: float
    length: int = 0
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalEstimate:
    """A figure and its 95 % interval, which is None where it cannot be told."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassAgreement:
    """One of people's scores, or outputs of like length: on how many of its rows the judge agrees.

    `bias` is the judge's mean score less people's.
    """

    name: str
    rows: int
    agreement: IntervalEstimate
    bias: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BestThreshold:
    """The judge's score from which on an output passes as people see it.

    It maximizes kappa on `chosen_on` rows; what it reaches is told by the other `told_on`.
    """

    threshold: float
    chosen_on: int
    told_on: int
    accuracy: IntervalEstimate
    kappa: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """See the module. `classes` are the scores in order, `table` has a row for each of people's.

    `ordered` is kappa with quadratic weights, None with two classes. Where there
    are too many different scores for classes, they are read as passes and failures.
    """

    rows: int
    groups: int
    accuracy: IntervalEstimate
    kappa: IntervalEstimate
    ordered: IntervalEstimate | None
    alpha: IntervalEstimate
    bias: IntervalEstimate
    classes: tuple[float, ...]
    table: tuple[tuple[int, ...], ...]
    by_class: tuple[ClassAgreement, ...]
    by_length: tuple[ClassAgreement, ...]
    threshold: BestThreshold | None


def agreement_of(rated: Sequence[RatedOutput], *, seed: int = 0) -> Agreement:
    """Measure a judge against people.

    Raises:
        ValueError: fewer than two rows.
    """
    if len(rated) < 2:
        raise ValueError("agreement needs at least two rows")
    classes = tuple(sorted({score for one in rated for score in (one.human, one.judge)}))
    agrees = _same if len(classes) <= _MOST_CLASSES else _same_pass
    used = classes if agrees is _same else (0.0, 1.0)
    accuracy = share_of(rated, agrees)

    kappa, alpha, ordered = _coefficients(rated, used, accuracy, seed)
    return Agreement(
        rows=len(rated),
        groups=len(_grouped(rated)),
        accuracy=accuracy,
        kappa=kappa,
        ordered=ordered if len(used) > 2 else None,
        alpha=alpha,
        bias=mean_of([one.judge - one.human for one in rated], group_names(rated)),
        classes=used,
        table=_table(rated, used),
        by_class=tuple(
            _part(f"{score:g}", [one for one in rated if _class(one.human, used) == score], agrees)
            for score in used
            if any(_class(one.human, used) == score for one in rated)
        ),
        by_length=_by_length(rated, agrees),
        threshold=best_threshold(rated, seed=seed),
    )


def share_of(
    rated: Sequence[RatedOutput], agrees: Callable[[RatedOutput], bool]
) -> IntervalEstimate:
    """The share of rows that agree; rows of a group count for what they are worth together."""
    hits = [float(agrees(one)) for one in rated]
    share = sum(hits) / len(hits)
    low, high = wilson(share, units_of(hits, group_names(rated)).effective_rows)
    return IntervalEstimate(value=share, low=low, high=high)


def best_threshold(rated: Sequence[RatedOutput], *, seed: int = 0) -> BestThreshold | None:
    """Chosen on one half of the groups, told on the other; None where either half has one class."""
    halves: tuple[list[RatedOutput], list[RatedOutput]] = ([], [])
    for name, rows in _grouped(rated).items():
        halves[uniform(seed, "half", name) < 0.5].extend(rows)
    one, other = halves
    if any(len({row.human >= PASS_MARK for row in half}) < 2 for half in halves):
        return None
    scores = sorted({row.judge for row in one})
    cuts = [(low + high) / 2 for low, high in pairwise(scores)]
    if not cuts:
        return None
    best = max(cuts, key=lambda cut: (_kappa_at(one, cut) or 0.0, -abs(cut - PASS_MARK)))
    return BestThreshold(
        threshold=best,
        chosen_on=len(one),
        told_on=len(other),
        accuracy=share_of(other, lambda row: (row.judge >= best) == (row.human >= PASS_MARK)),
        kappa=_kappa_at(other, best),
    )


def _kappa_at(rated: Sequence[RatedOutput], cut: float) -> float | None:
    human = [row.human >= PASS_MARK for row in rated]
    return cohen_kappa(confusion(human, [row.judge >= cut for row in rated], (False, True)))


def _coefficients(
    rated: Sequence[RatedOutput], used: Sequence[float], accuracy: IntervalEstimate, seed: int
) -> list[IntervalEstimate]:
    """Kappa, alpha and the weighted kappa."""

    def alpha(table: Sequence[Sequence[int]]) -> float | None:
        return alpha_of_table(table, "nominal" if len(used) <= 2 else "ordinal")

    def ordered(table: Sequence[Sequence[int]]) -> float | None:
        return cohen_kappa(table, "quadratic")

    place = {score: index for index, score in enumerate(used)}
    cells = [
        [(place[_class(row.human, used)], place[_class(row.judge, used)]) for row in rows]
        for rows in _grouped(rated).values()
    ]
    statistics = (cohen_kappa, alpha, ordered)
    whole, found = _table(rated, used), bootstrap(cells, len(used), statistics, seed=seed)
    return [
        _estimate(statistic(whole), interval, accuracy, _chance(rated))
        for statistic, interval in zip(statistics, found, strict=True)
    ]


def _estimate(
    value: float | None,
    interval: tuple[float, float] | None,
    accuracy: IntervalEstimate,
    chance: float,
) -> IntervalEstimate:
    if value is None or interval is None:
        return IntervalEstimate(value=value)
    low, high = min(interval[0], value), max(interval[1], value)
    if low == high and accuracy.low is not None and chance < 1:
        # All agree in every resample: what more rows may show is what their share may be.
        low = value - (1 - accuracy.low) / (1 - chance)
    return IntervalEstimate(value=value, low=low, high=high)


def mean_of(values: Sequence[float], groups: Sequence[str]) -> IntervalEstimate:
    """A mean over rows with Student's interval over groups."""
    units = units_of(values, groups)
    mean, count = units.mean, len(units.sizes)
    if count < 2:
        return IntervalEstimate(value=mean)
    squares = math.fsum(total * total for total in units.shifted(mean))
    error = math.sqrt(count / (count - 1) * squares) / units.rows
    reach = error * t_quantile(0.025, count - 1)
    return IntervalEstimate(value=mean, low=mean - reach, high=mean + reach)


def group_names(rated: Sequence[RatedOutput]) -> list[str]:
    """What belongs together by name; a row without a group is one of its own."""
    return [
        f"\0{number}" if one.group is None else f"={one.group}" for number, one in enumerate(rated)
    ]


def _chance(rated: Sequence[RatedOutput]) -> float:
    """How often two raters with people's habits would agree by chance."""
    counts: dict[float, int] = {}
    for one in rated:
        counts[one.human] = counts.get(one.human, 0) + 1
    return sum((count / len(rated)) ** 2 for count in counts.values())


def _grouped(rated: Sequence[RatedOutput]) -> dict[str, list[RatedOutput]]:
    found: dict[str, list[RatedOutput]] = {}
    for name, one in zip(group_names(rated), rated, strict=True):
        found.setdefault(name, []).append(one)
    return found


def _class(score: float, used: Sequence[float]) -> float:
    return score if score in used else float(score >= PASS_MARK)


def _table(rated: Sequence[RatedOutput], used: Sequence[float]) -> tuple[tuple[int, ...], ...]:
    return confusion(
        [_class(one.human, used) for one in rated],
        [_class(one.judge, used) for one in rated],
        used,
    )


def _by_length(
    rated: Sequence[RatedOutput], agrees: Callable[[RatedOutput], bool]
) -> tuple[ClassAgreement, ...]:
    """Thirds by length; nothing where there are too few rows or all are of one length."""
    ordered = sorted(rated, key=lambda one: one.length)
    if len(ordered) < 3 * FEWEST_RATED // 2 or ordered[0].length == ordered[-1].length:
        return ()
    cuts = [0, len(ordered) // 3, 2 * len(ordered) // 3, len(ordered)]
    return tuple(
        _part(name, ordered[low:high], agrees)
        for name, (low, high) in zip(_LENGTHS, pairwise(cuts), strict=True)
    )


def _part(
    name: str, rated: Sequence[RatedOutput], agrees: Callable[[RatedOutput], bool]
) -> ClassAgreement:
    return ClassAgreement(
        name=name, rows=len(rated), agreement=share_of(rated, agrees), bias=_bias(rated)
    )


def _bias(rated: Sequence[RatedOutput]) -> float:
    return sum(one.judge - one.human for one in rated) / len(rated)


def _same(one: RatedOutput) -> bool:
    return one.judge == one.human


def _same_pass(one: RatedOutput) -> bool:
    return (one.judge >= PASS_MARK) == (one.human >= PASS_MARK)
