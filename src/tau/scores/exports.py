"""Tau's own exports, a line an evaluation, and evaluations straight from a store."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from tau.scores.sheet import Row, Sheet

_COLUMNS = ("rollout_id", "example_id", "resources_hash", "replicate", "score")


def is_export(sheet: Sheet) -> bool:
    """Whether the columns are those of an export."""
    return set(_COLUMNS) <= set(sheet.columns)


def described(sheet: Sheet) -> Sheet:
    """The sheet with what an export's columns mean."""

    def rows() -> Iterator[Row]:
        for row in sheet.rows():
            scores = _rewards(row)
            yield {**row, **scores, "score": _bounded(row.get("score"))}

    first = next(iter(sheet.rows()), {})
    rewards = tuple(name for name in sheet.columns if name.startswith("reward."))
    return replace(
        sheet,
        form="tau",
        rows=rows,
        cells=None,
        columns=tuple(dict.fromkeys((*sheet.columns, *rewards, *_rewards(first)))),
        ids=("example_id",),
        scores=("score",),
        variants=("resources_hash",),
        repeats=True,
        content=("example_id",),
        question="example" if "example" in sheet.columns else None,
        answer="output" if "output" in sheet.columns else None,
    )


def of_split(sheet: Sheet, split: str) -> Sheet:
    """The sheet with the rows of one split only."""
    return replace(
        sheet,
        rows=lambda: (row for row in sheet.rows() if row.get("split") == split),
        cells=None,
    )


def stored(where: str, rows: Sequence[Row]) -> Sheet:
    """The sheet of evaluations read from a store, with an export's columns."""
    columns = tuple(rows[0]) if rows else _COLUMNS
    return described(Sheet(where=where, form="tau", rows=lambda: iter(rows), columns=columns))


def _rewards(row: Row) -> dict[str, Any]:
    rewards = row.get("rewards")
    return {f"reward.{name}": v for name, v in rewards.items()} if isinstance(rewards, dict) else {}


def _bounded(score: Any) -> Any:  # noqa: ANN401
    """Scores below 0, which only a safety ceiling makes, count as 0."""
    return max(0.0, score) if isinstance(score, int | float) else score
