"""A run as a JUnit report: one suite per split, one case per example of what it recommends."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from tau.domain.dataset import Split
from tau.domain.rollout import RolloutStatus
from tau.domain.visible import shown
from tau.reports.account import Account
from tau.reports.rows import EvaluationRow
from tau.reports.shortfalls import why_missing

_IMPOSSIBLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """What is a case: it passes from a score of `pass_at` on.

    It is named by the row's `column`, else by its `id`, else by its example's id. `thresholds` are
    mean scores that each split must reach: a case each.
    """

    pass_at: float = 1.0
    column: str | None = None
    thresholds: tuple[float, ...] = ()


def junit(account: Account, rows: Sequence[EvaluationRow], cases: Cases | None = None) -> str:
    """The XML. A case fails where its primary score is too low, is skipped where it has none."""
    cases = cases or Cases()
    wanted = [row for row in rows if row.measurement.resources == account.best.hash]
    suites = [
        _suite(account, split, of_split, cases)
        for split in Split
        if (of_split := [row for row in wanted if row.measurement.split is split])
    ]
    body = "".join(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n{body}</testsuites>\n'


def _suite(account: Account, split: Split, rows: Sequence[EvaluationRow], cases: Cases) -> str:
    estimate = account.estimate(account.best.hash, split)
    mean = None if estimate is None else estimate.mean
    missed = ["failure" for one in cases.thresholds if mean is None or mean < one]
    met = [None] * (len(cases.thresholds) - len(missed))
    kinds = [*(_kind(row, cases) for row in rows), *missed, *met]
    seconds = sum(row.result.duration_ms for row in rows if row.result) / 1000
    head = (
        f'<testsuite name={_attribute(f"{account.run.id} {split}")} tests="{len(kinds)}" '
        f'failures="{kinds.count("failure")}" errors="{kinds.count("error")}" '
        f'skipped="{kinds.count("skipped")}" time="{seconds:.3f}">\n'
    )
    body = [_case(row, cases) for row in rows]
    body += [_threshold(split, one, mean) for one in cases.thresholds]
    return head + "".join(body) + "</testsuite>\n"


def _threshold(split: Split, wanted: float, mean: float | None) -> str:
    """A case for the mean of a split."""
    head = f'<testcase classname={_attribute(str(split))} name="mean score at least {wanted:g}"'
    if mean is not None and mean >= wanted:
        return f"{head}/>\n"
    said = "no score" if mean is None else f"{mean:.4g}"
    return f'{head}><failure message="the mean is {said}"/></testcase>\n'


def _name(row: EvaluationRow, column: str | None) -> str:
    example = row.result.request.example if row.result else None
    fields = {} if example is None else example.fields
    found = fields.get(column or "id", fields.get("id"))
    if isinstance(found, str | int | float) and str(found).strip():
        return str(found)
    return row.measurement.example


def _case(row: EvaluationRow, cases: Cases) -> str:
    one, result = row.measurement, row.result
    name = _name(row, cases.column) + (f" replicate {one.replicate}" if one.replicate else "")
    seconds = (result.duration_ms if result else 0) / 1000
    head = (
        f"<testcase classname={_attribute(str(one.split))} name={_attribute(name)} "
        f'time="{seconds:.3f}"'
    )
    kind = _kind(row, cases)
    if kind is None:
        return f"{head}/>\n"
    inner = f"<{kind} message={_attribute(_message(row))}>{_text(_detail(row))}</{kind}>"
    return f"{head}>{inner}</testcase>\n"


def _kind(row: EvaluationRow, cases: Cases) -> str | None:
    one = row.measurement
    if one.status is RolloutStatus.FAILED:
        return "error"
    if one.score is None:
        return "skipped"
    return None if one.score >= cases.pass_at else "failure"


def _message(row: EvaluationRow) -> str:
    result, score = row.result, row.measurement.score
    if result is not None and result.failure is not None:
        return str(result.failure.kind)
    return "not scored" if score is None else f"score {score:.4g}"


def _detail(row: EvaluationRow) -> str:
    result = row.result
    if result is None:
        return ""
    if row.measurement.score is None:
        return why_missing(result) or ""
    return "\n".join(
        f"{reward.name}: {reward.error or reward.reason}"
        for reward in result.rewards
        if reward.error or reward.reason
    )


def _attribute(text: str) -> str:
    return quoteattr(_IMPOSSIBLE.sub("\ufffd", shown(text)))


def _text(text: str) -> str:
    return escape(_IMPOSSIBLE.sub("\ufffd", shown(text)))
