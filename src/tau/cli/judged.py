"""What a test of a judge found, and how it is told."""

from collections.abc import Iterator
from dataclasses import dataclass

from tau.cli import figures
from tau.cli.text import Column, columns, facts, line, table, wrapped
from tau.domain.json import Json
from tau.scoring.calibration import (
    FEW_RATED,
    Agreement,
    BestThreshold,
    ClassAgreement,
    IntervalEstimate,
)

_BETTER_BY = 0.05
"""Of accuracy, for another threshold to be recommended."""
_WORDS = ((0.8, "well"), (0.6, "fairly well"), (0.4, "moderately"), (0.2, "poorly"))


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOnLabels:
    """A judge's agreement with people.

    `unread` outputs have no verdict, on `undecided` ones people do not agree; both are left out.
    `people` is Krippendorff's alpha of the people among themselves, None where too few outputs
    have more than one label.
    """

    grader: str
    judge: str
    model: str | None
    agreement: Agreement
    unread: int
    undecided: int
    people: float | None
    run_id: str

    @property
    def verdict(self) -> str:
        """One sentence."""
        kappa = self.agreement.kappa
        if kappa.value is None or kappa.low is None:
            return "whether it agrees with people beyond chance cannot be told"
        if kappa.low <= 0:
            return "its agreement with people may be chance"
        word = next((word for least, word in _WORDS if kappa.value >= least), "barely")
        return f"it agrees {word} with people: kappa {estimate(kappa)}"


def estimate(one: IntervalEstimate) -> str:
    """`0.712 (0.581 to 0.803)`."""
    if one.value is None:
        return "not defined"
    if one.low is None or one.high is None:
        return f"{one.value:.3f}"
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"


def agreement_lines(found: JudgeOnLabels) -> Iterator[str]:
    """For a terminal: the verdict first."""
    yield from wrapped(line(f"{found.grader}: {found.verdict}"), columns())
    yield ""
    yield from facts(_said(found))
    yield ""
    yield from _confusion(found.agreement)
    parts = (*found.agreement.by_class, *found.agreement.by_length)
    yield ""
    yield from table(
        ["", Column(name="rows", right=True), Column(name="agrees"), Column(name="bias")],
        [_part(one, people=one in found.agreement.by_class) for one in parts],
    )
    if found.agreement.rows < FEW_RATED:
        yield ""
        yield f"note: on {found.agreement.rows:,} outputs the intervals are wide; label 60 or more"


def _said(found: JudgeOnLabels) -> Iterator[tuple[str, str]]:
    one = found.agreement
    groups = f" of {figures.count(one.groups, 'group')}" if one.groups < one.rows else ""
    yield "outputs", f"{one.rows:,} with a label and a verdict{groups}"
    yield "accuracy", estimate(one.accuracy)
    yield "kappa", estimate(one.kappa)
    if one.ordered is not None:
        yield "weighted", f"{estimate(one.ordered)}, kappa with quadratic weights"
    yield "alpha", f"{estimate(one.alpha)}, Krippendorff's"
    yield "bias", f"{estimate(one.bias)}, the judge's mean score less people's"
    if found.people is not None:
        yield "people", f"agree among themselves with an alpha of {found.people:.3f}"
    if found.unread:
        yield "no verdict", f"on {figures.count(found.unread, 'output')}, left out"
    if found.undecided:
        yield "undecided", f"{figures.count(found.undecided, 'output')} that people are divided on"
    if one.threshold is not None:
        yield "threshold", _threshold(one.threshold, one.accuracy)
    yield "judge", f"{found.judge[:16]}{f' asks {found.model}' if found.model else ''}"


def _threshold(one: BestThreshold, now: IntervalEstimate) -> str:
    said = (
        f"passing from {one.threshold:.3g} on is right on {estimate(one.accuracy)} of "
        f"{one.told_on:,} outputs it was not chosen on"
    )
    if (one.accuracy.low or 0) > (now.value or 0) + _BETTER_BY:
        return f"{said}: better than the verdicts as they are"
    return said


def _confusion(one: Agreement) -> Iterator[str]:
    names = [f"{score:g}" for score in one.classes]
    header: list[str | Column] = [
        "people \\ judge",
        *(Column(name=name, right=True) for name in names),
    ]
    rows = [
        [name, *(f"{count:,}" for count in row)] for name, row in zip(names, one.table, strict=True)
    ]
    yield from table(header, rows)


def _part(one: ClassAgreement, *, people: bool) -> list[str]:
    name = f"people say {one.name}" if people else one.name
    return [name, f"{one.rows:,}", estimate(one.agreement), f"{one.bias:+.3f}"]


def agreement_fields(found: JudgeOnLabels) -> dict[str, Json]:
    """The result as JSON."""
    one = found.agreement
    return {
        "verdict": found.verdict,
        "grader": found.grader,
        "judge": found.judge,
        "model": found.model,
        "run_id": found.run_id,
        "rows": one.rows,
        "groups": one.groups,
        "no_verdict": found.unread,
        "undecided": found.undecided,
        "accuracy": estimate_fields(one.accuracy),
        "kappa": estimate_fields(one.kappa),
        "weighted_kappa": estimate_fields(one.ordered) if one.ordered else None,
        "alpha": estimate_fields(one.alpha),
        "bias": estimate_fields(one.bias),
        "alpha_of_people": found.people,
        "classes": list(one.classes),
        "confusion": [list(row) for row in one.table],
        "by_class": [_part_fields(part) for part in one.by_class],
        "by_length": [_part_fields(part) for part in one.by_length],
        "threshold": None if one.threshold is None else {
            "threshold": one.threshold.threshold,
            "chosen_on": one.threshold.chosen_on,
            "told_on": one.threshold.told_on,
            "accuracy": estimate_fields(one.threshold.accuracy),
            "kappa": one.threshold.kappa,
        },
    }  # fmt: skip


def estimate_fields(one: IntervalEstimate) -> dict[str, Json]:
    """A figure with its interval as JSON."""
    return {"value": one.value, "low": one.low, "high": one.high}


def _part_fields(one: ClassAgreement) -> dict[str, Json]:
    return {
        "name": one.name,
        "rows": one.rows,
        "agreement": estimate_fields(one.agreement),
        "bias": one.bias,
    }
