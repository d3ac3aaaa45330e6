"""The evaluations of a run, one by one, for programs and spreadsheets."""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tau.domain.ids import RolloutId, RunId
from tau.domain.rollout import REUSED_FROM, RolloutResult
from tau.ports.insights import Measurement
from tau.ports.store import Store
from tau.reports.shortfalls import why_missing

_CHUNK = 500
_NUMBER = re.compile(r"-[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?%?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRow:
    """One evaluation with its result; None while it is not settled."""

    measurement: Measurement
    result: RolloutResult | None


async def evaluation_rows(
    store: Store, run_id: RunId, measurements: Sequence[Measurement]
) -> list[EvaluationRow]:
    """The measurements with what is stored of them, in their order."""
    rows: list[EvaluationRow] = []
    for start in range(0, len(measurements), _CHUNK):
        some = measurements[start : start + _CHUNK]
        ids = [RolloutId(one.rollout_id) for one in some]
        found = await store.queue.collect(run_id, ids)
        rows += [
            EvaluationRow(measurement=one, result=result)
            for one, result in zip(some, found, strict=True)
        ]
    return rows


def as_json(row: EvaluationRow, *, content: bool) -> dict[str, Any]:
    """One evaluation; the texts of rows and answers only with `content`."""
    one, result = row.measurement, row.result
    fields: dict[str, Any] = {
        "rollout_id": one.rollout_id,
        "split": str(one.split),
        "example_id": one.example,
        "resources_hash": one.resources,
        "replicate": one.replicate,
        "status": str(one.status),
        "score": one.score,
        "rewards": {} if result is None else {each.name: each.score for each in result.rewards},
        "reason": why_missing(result),
        "failure": str(result.failure.kind) if result and result.failure else None,
        "reason_codes": list(result.output.reason_codes) if result and result.output else [],
        "reused_from": _source(result),
        "attempts": 0 if result is None else result.attempts,
        "calls": 0 if result is None else result.spent.calls,
        "tokens": 0 if result is None else result.spent.tokens,
        "cost_usd": 0.0 if result is None else result.spent.cost_usd,
        "duration_ms": 0 if result is None else result.duration_ms,
    }
    if content:
        example = result.request.example if result else None
        fields["example"] = example.value if example else None
        fields["output"] = result.output.text if result and result.output else None
    return fields


def _source(result: RolloutResult | None) -> Any:  # noqa: ANN401  (JSON)
    """The rollout of another run that it was taken over from."""
    return result.output.metadata.get(REUSED_FROM) if result and result.output else None


def jsonl(rows: Sequence[EvaluationRow], *, content: bool) -> str:
    """One JSON object a line; anything but ASCII is escaped."""
    return "".join(json.dumps(as_json(row, content=content)) + "\n" for row in rows)


def as_csv(rows: Sequence[EvaluationRow], *, content: bool) -> str:
    """A table with a column per reward; texts that a spreadsheet would calculate are quoted."""
    flat = [dict(_flat(as_json(row, content=content))) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="")
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue()


def _flat(fields: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if name == "rewards":
            yield from ((f"reward.{reward}", score) for reward, score in value.items())
        elif isinstance(value, dict | list):
            yield name, _inert(json.dumps(value))
        else:
            yield name, _inert(value) if isinstance(value, str) else value


def _inert(text: str) -> str:
    """`text` as text: a leading quote keeps spreadsheets from taking it for a formula.

    A plain negative number is none and stays as it was said.
    """
    if _NUMBER.fullmatch(text):
        return text
    return f"'{text}" if text.startswith(_FORMULA) else text
