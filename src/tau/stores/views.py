"""What insights show, put together from rows."""

import re
from collections.abc import Sequence
from typing import Any

from tau.domain.dataset import Split
from tau.domain.failure import FailureClass
from tau.domain.ids import ExampleId, ResourcesHash, RunId, attempt_id, rollout_id
from tau.domain.resources import Resources
from tau.domain.rollout import RolloutKind, RolloutStatus
from tau.errors import Conflict, NotFound
from tau.ports.insights import (
    FailedWhy,
    MeanCost,
    Measurement,
    RolloutView,
    ScoreSummary,
    Shortfalls,
)
from tau.stores import rows
from tau.stores.rows import Row
from tau.stores.settled import plain_reason

_PREFIX = re.compile(r"[0-9a-f]{1,64}\Z")


def is_prefix(text: str) -> bool:
    """Whether `text` can stand for resources: the first digits of a hash."""
    return _PREFIX.match(text) is not None


def the_one(found: Sequence[Row], prefix: str) -> Resources:
    """The resources that `prefix` stands for; NotFound, or Conflict where it is not unique."""
    if not found:
        raise NotFound(
            f"there are no resources '{prefix:.80}'",
            fix="give the first digits of their hash, which are hexadecimal",
        )
    if len(found) > 1:
        raise Conflict(f"several resources start with '{prefix}'", fix="give more digits")
    return rows.resources(found[0])


def view(row: Row, run_id: RunId, tries: Sequence[Row], spans: Sequence[Row]) -> RolloutView:
    """A rollout with its tries and the blocks of spans of all of them."""
    blocks: dict[int, list[Row]] = {}
    for block in spans:
        blocks.setdefault(block["n"], []).append(block)
    attempts = tuple(
        rows.attempt_view(
            each,
            attempt_id(rollout_id(run_id, row["key"]), each["n"]),
            rows.spans(blocks.get(each["n"], ())),
        )
        for each in tries
    )
    return RolloutView(
        result=rows.result(row, run_id),
        run_id=run_id,
        created_unix_ms=row["created_unix_ms"],
        updated_unix_ms=row["updated_unix_ms"],
        attempts=attempts,
    )


@rows.decoding
def measurement(row: Row) -> Measurement:
    """One evaluation as a point."""
    run = RunId(row["run_id"])
    return Measurement(
        rollout_id=rollout_id(run, row["key"]),
        run_id=run,
        resources=ResourcesHash(row["hash"]),
        example=ExampleId(row["example_id"]),
        split=Split(row["split"]),
        replicate=row["ordinal"],
        status=RolloutStatus(row["status"]),
        score=row["score"],
        failure=FailureClass(row["failure_kind"]) if row["failure_kind"] else None,
        reused=bool(row["reused"]),
    )


@rows.decoding
def mean_costs(lines: Sequence[tuple[Any, ...]]) -> list[MeanCost]:
    """From lines as they stand in the class."""
    return [
        MeanCost(
            resources=digest,
            split=Split(split),
            rows=count,
            duration_ms=float(ms),
            nano_usd=float(nano_usd or 0),
            output_tokens=None if tokens is None else float(tokens),
            gated=bool(gated),
        )
        for digest, split, count, ms, nano_usd, tokens, gated in lines
    ]


@rows.decoding
def shortfalls(
    unscored: Sequence[Row], failed: Sequence[Row], answers: Sequence[Row]
) -> Shortfalls:
    """From rows of a reason and a number; reasons are JSON strings, or null."""
    return Shortfalls(
        unscored=_counted(unscored),
        failed=tuple(
            FailedWhy(
                kind=RolloutKind(row["kind"]),
                failure=row["failure_kind"] or "",
                message=plain_reason(row["why"]),
                number=row["number"],
            )
            for row in failed
        ),
        answers=_counted(answers),
    )


def _counted(found: Sequence[Row]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in found:
        why = plain_reason(row["why"])
        counts[why] = counts.get(why, 0) + row["number"]
    return counts


def summaries(scored: Sequence[Row]) -> list[ScoreSummary]:
    """Scores by split and resources, in the order of the rows."""
    scores: dict[tuple[str, str], list[tuple[float, str]]] = {}
    others: dict[tuple[str, str], dict[str, int]] = {}
    for row in scored:
        place = (row["split"], row["hash"])
        found = scores.setdefault(place, [])
        other = others.setdefault(place, {"unscored": 0, "failed": 0, "cancelled": 0})
        if row["status"] == "succeeded" and row["score"] is not None:
            found.append((row["score"], row["example_id"]))
        elif row["status"] == "succeeded":
            other["unscored"] += 1
        elif row["status"] in other:
            other[row["status"]] += 1
    return [
        ScoreSummary(
            split=Split(split),
            resources=digest,
            scores=tuple(score for score, _ in found),
            examples=tuple(example for _, example in found),
            **others[split, digest],
        )
        for (split, digest), found in scores.items()
    ]
