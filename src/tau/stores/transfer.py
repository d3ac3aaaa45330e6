"""Moving a whole store from one database to another: what is moved, and how it is checked.

Keys are kept, so that names of rollouts and the digests over them stay true. What only means
something where it was written is not moved: leases, times of a monotonic clock, slots of counters.
"""

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Protocol

import orjson

Line = tuple[Any, ...]

_AMOUNTS = ("rollouts", "calls", "tokens", "cost")


def _amounts(*prefixes: str) -> tuple[str, ...]:
    return tuple(f"{prefix}_{name}" for prefix in prefixes for name in _AMOUNTS)


TABLES: Mapping[str, tuple[str, ...]] = {
    "worker": (
        "key", "name", "role", "host", "boot_id", "pid_namespace", "pid", "started_ticks",
        "lease_ms", "registered_unix_ms", "heartbeat_unix_ms", "offers",
    ),
    "run": (
        "key", "id", "config_hash", "model_ref", "seed", "algorithm", "config", "limit_rollouts",
        "limit_calls", "limit_tokens", "limit_cost", "limit_seconds", "max_attempts", "status",
        "stop_reason", "stop_detail", "created_unix_ms", "updated_unix_ms", "active_s", "trainer",
        "digest", "reported",
    ),
    "tally": (
        "run", "queuing", "preparing", "running", "succeeded", "failed", "cancelled", "requeuing",
        *_amounts("spent", "brought"), "assumed_tokens", "assumed_cost",
    ),
    "resources": ("key", "hash", "parent", "content", "digest"),
    "resources_version": ("number", "resources", "run", "published_unix_ms"),
    "example": ("key", "id", "split", "content", "digest"),
    "rollout": (
        "key", "run", "kind", "resources", "example", "subject", "ordinal", "proposal",
        *_amounts("reserve"), "status", "attempts", "counted", "charged", "score", "failure",
        "duration_ms", "created_unix_ms", "updated_unix_ms",
    ),
    "attempt": (
        "rollout", "n", "worker", "status", "counted", "started_unix_ms", "ended_unix_ms",
        "failure", *_amounts("reserved", "spent"), "assumed", "taken", "late_calls",
        "late_tokens", "late_cost",
    ),
    "result": ("rollout", "output", "rewards", "digest"),
    "span_block": ("rollout", "n", "first", "count", "data", "digest"),
    "checkpoint": (
        "key", "run", "algorithm", "waves", "rollouts", "state", "best", "saved_unix_ms", "hash",
    ),
    "candidate": ("run", "resources", "wave", "abandoned"),
    "alias": (
        "key", "name", "version", "principal", "reason", "evidence", "set_unix_ms", "digest",
    ),
    "verdict": (
        "run", "resources", "decision", "evidence", "caveats", "reached_unix_ms", "digest",
    ),
    "policy": ("number", "content", "principal", "reason", "installed_unix_ms", "digest"),
    "desired_state": (
        "run", "sequence", "lifecycle_state", "last_action", "principal", "reason",
        "updated_unix_ms", "rollback_checkpoint", "rollback_hash", "checkpoint",
    ),
}  # fmt: skip
"""Columns by table, in an order in which every row finds what it refers to."""

ORDER: Mapping[str, tuple[str, ...]] = {
    "tally": ("run",),
    "resources_version": ("number",),
    "attempt": ("rollout", "n"),
    "result": ("rollout",),
    "span_block": ("rollout", "n", "first"),
    "candidate": ("run", "resources"),
    "verdict": ("run",),
    "policy": ("number",),
    "desired_state": ("run",),
}
"""By what a table's rows are put in order where it has no `key`."""

FLAGS = frozenset({"charged", "assumed", "taken", "abandoned", "attempt.counted"})
"""Columns that are true or false; `counted` is a number in rollouts."""


class TransferSource(Protocol):
    """A store as it is read: one snapshot."""

    async def in_use(self) -> int:
        """How many rollouts workers hold."""
        ...

    def lines(self, table: str) -> AsyncIterator[Sequence[Line]]:
        """All rows of a table in its order, a page at a time."""
        ...


class TransferTarget(TransferSource, Protocol):
    """A new store, filled in one transaction."""

    async def put(self, table: str, lines: Sequence[Line]) -> None:
        """Add rows."""
        ...

    async def commit(self) -> None:
        """Keep it; without this nothing is."""
        ...


def is_flag(table: str, column: str) -> bool:
    """Whether a column is true or false."""
    return column in FLAGS or f"{table}.{column}" in FLAGS


def order_of(table: str) -> str:
    """The columns that put a table's rows in order."""
    return ", ".join(ORDER.get(table, ("key",)))


def digest(pages: Iterable[Sequence[Line]], known: "hashlib._Hash | None" = None) -> Any:  # noqa: ANN401
    """A running hash over rows, the same for every database."""
    made = known or hashlib.sha256()
    for page in pages:
        for line in page:
            made.update(orjson.dumps([_plain(value) for value in line]))
            made.update(b"\n")
    return made


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, bool):
        return int(value)
    return value
