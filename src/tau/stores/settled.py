"""Settled rollouts as small rows: many at a time, so nothing is made that is not kept."""

from collections.abc import Sequence
from sys import intern
from typing import Any

import orjson

from tau.domain.dataset import Split
from tau.domain.ids import RunId, rollout_id
from tau.domain.rollout import AttemptStatus, RolloutKind, RolloutStatus
from tau.ports.insights import SettledRow, Stint
from tau.stores.rows import decoding

_KINDS = {str(kind): kind for kind in RolloutKind}
_STATUSES = {str(status): status for status in RolloutStatus}
_SPLITS: dict[str | None, Split | None] = {None: None} | {str(split): split for split in Split}
_CALLS = 12
_GATED, _CODES, _WHY = 15, 16, 17
_WHY_CHARS = 300


@decoding
def settled(lines: Sequence[tuple[Any, ...]]) -> list[SettledRow]:
    """One row per rollout from one line per attempt; the lines of a rollout stand together."""
    found: list[SettledRow] = []
    for line in lines:
        if found and found[-1].number == line[0]:
            found[-1] = _with_another_attempt(found[-1], line)
            continue
        parts = (
            line[0],
            line[1],
            _KINDS[line[2]],
            _STATUSES[line[3]],
            _SPLITS[line[4]],
            intern(line[5]),
            intern(line[6]) if line[6] is not None else None,
            *line[7:_CALLS],
            *(amount or 0 for amount in line[_CALLS:_GATED]),
            bool(line[_GATED]),
            _codes(line[_CODES]),
            _why(line[_WHY]),
        )
        found.append(SettledRow._make(parts))
    return found


def _with_another_attempt(row: SettledRow, line: tuple[Any, ...]) -> SettledRow:
    calls, tokens, cost = line[_CALLS:_GATED]
    return row._replace(
        calls=row.calls + calls,
        tokens=row.tokens + tokens,
        cost_nano_usd=row.cost_nano_usd + cost,
    )


def _codes(text: str | None) -> tuple[str, ...]:
    return tuple(map(intern, orjson.loads(text))) if text else ()


def _why(text: str | None) -> str | None:
    """A reason as JSON, or null where it has no words; most are alike, so each is kept once."""
    return None if text is None else intern(plain_reason(text)[:_WHY_CHARS])


def plain_reason(text: str | None) -> str:
    """A reason that came as JSON, '' for null; with a mark for what one database cannot read."""
    found = orjson.loads(text) if text else None
    return str(found or "").replace("\0", "\ufffd")


@decoding
def stints(run_id: RunId, lines: Sequence[tuple[Any, ...]]) -> list[Stint]:
    """Attempts as who worked when."""
    return [
        Stint(
            rollout_id=rollout_id(run_id, number),
            n=n,
            worker_name=name,
            status=AttemptStatus(status),
            started_unix_ms=started,
            ended_unix_ms=ended,
        )
        for number, n, name, status, started, ended in lines
    ]
