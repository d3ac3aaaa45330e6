"""A run as a JUnit report: one suite per split, one case per example of what it recommends."""

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from tau.domain.dataset import Split
from tau.domain.rollout import RolloutStatus
from tau.domain.visible import shown
from tau.reports.account import Account
from tau.reports.rows import EvaluationRow

_IMPOSSIBLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PASSING = 1.0


def junit(account: Account, rows: Sequence[EvaluationRow]) -> str:
    """The XML. A case fails where its primary score is below 1, is skipped where it has none."""
    wanted = [row for row in rows if row.measurement.resources == account.best.hash]
    suites = [
        _suite(account, split, of_split)
        for split in Split
        if (of_split := [row for row in wanted if row.measurement.split is split])
    ]
    body = "".join(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n{body}</testsuites>\n'


def _suite(account: Account, split: Split, rows: Sequence[EvaluationRow]) -> str:
    kinds = [_kind(row) for row in rows]
    seconds = sum(row.result.duration_ms for row in rows if row.result) / 1000
    head = (
        f'<testsuite name={_attribute(f"{account.run.id} {split}")} tests="{len(rows)}" '
        f'failures="{kinds.count("failure")}" errors="{kinds.count("error")}" '
        f'skipped="{kinds.count("skipped")}" time="{seconds:.3f}">\n'
    )
    return head + "".join(map(_case, rows)) + "</testsuite>\n"


def _case(row: EvaluationRow) -> str:
    one, result = row.measurement, row.result
    name = one.example + (f" replicate {one.replicate}" if one.replicate else "")
    seconds = (result.duration_ms if result else 0) / 1000
    head = (
        f"<testcase classname={_attribute(str(one.split))} name={_attribute(name)} "
        f'time="{seconds:.3f}"'
    )
    kind = _kind(row)
    if kind is None:
        return f"{head}/>\n"
    inner = f"<{kind} message={_attribute(_message(row))}>{_text(_detail(row))}</{kind}>"
    return f"{head}>{inner}</testcase>\n"


def _kind(row: EvaluationRow) -> str | None:
    one = row.measurement
    if one.status is RolloutStatus.FAILED:
        return "error"
    if one.score is None:
        return "skipped"
    return None if one.score >= _PASSING else "failure"


def _message(row: EvaluationRow) -> str:
    result, score = row.result, row.measurement.score
    if result is not None and result.failure is not None:
        return str(result.failure.kind)
    return "not scored" if score is None else f"score {score:.4g}"


def _detail(row: EvaluationRow) -> str:
    result = row.result
    if result is None:
        return ""
    if result.failure is not None:
        return result.failure.message
    return "\n".join(
        f"{reward.name}: {reward.error or reward.reason}"
        for reward in result.rewards
        if reward.error or reward.reason
    )


def _attribute(text: str) -> str:
    return quoteattr(_IMPOSSIBLE.sub("\ufffd", shown(text)))


def _text(text: str) -> str:
    return escape(_IMPOSSIBLE.sub("\ufffd", shown(text)))
