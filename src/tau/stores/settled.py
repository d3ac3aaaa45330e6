"""Settled rollouts as small rows: many at a time, so nothing is made that is not kept."""

from collections.abc import Sequence
from sys import intern
from typing import Any

from tau.domain.dataset import Split
from tau.domain.rollout import RolloutKind, RolloutStatus
from tau.ports.insights import SettledRow
from tau.stores.rows import decoding

_KINDS = {str(kind): kind for kind in RolloutKind}
_STATUSES = {str(status): status for status in RolloutStatus}
_SPLITS: dict[str | None, Split | None] = {None: None} | {str(split): split for split in Split}
_CALLS = 12


@decoding
def settled(lines: Sequence[tuple[Any, ...]]) -> list[SettledRow]:
    """One row per rollout from one line per attempt; the lines of a rollout stand together."""
    found: list[SettledRow] = []
    for line in lines:
        if found and found[-1].number == line[0]:
            found[-1] = _with_another_attempt(found[-1], line)
            continue
        found.append(
            SettledRow(
                line[0],
                line[1],
                _KINDS[line[2]],
                _STATUSES[line[3]],
                _SPLITS[line[4]],
                intern(line[5]),
                intern(line[6]) if line[6] is not None else None,
                *line[7:_CALLS],
                *(amount or 0 for amount in line[_CALLS:]),
            )
        )
    return found


def _with_another_attempt(row: SettledRow, line: tuple[Any, ...]) -> SettledRow:
    calls, tokens, cost = line[_CALLS:]
    return row._replace(
        calls=row.calls + calls,
        tokens=row.tokens + tokens,
        cost_nano_usd=row.cost_nano_usd + cost,
    )
