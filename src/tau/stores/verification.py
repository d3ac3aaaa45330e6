"""What a check of a whole store finds, and how the contents of rows are checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tau.errors import StoreDamaged
from tau.stores import codec, naming, rows
from tau.stores.rows import Row

MOST_PER_CHECK = 20
"""Of one kind of problem so many are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found in a store; `checked` counts rows whose digest was computed anew."""

    location: str
    schema_version: int
    checked: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.problems


def problem(about: str, row: Row, check: Callable[[Row], Any]) -> str | None:
    """What is wrong with a row, None where nothing is."""
    try:
        check(row)
    except StoreDamaged as error:
        return str(error)
    except (ValueError, TypeError, KeyError) as error:
        return f"{about} {error}"
    return None


def _resources(row: Row) -> None:
    rows.resources(row)
    if codec.digest(row["hash"], row["parent"], row["content"]) != row["digest"]:
        raise codec.damaged(f"resources {row['hash'][:12]}")


def _proposal(row: Row) -> None:
    rows.proposal(row, f"rollout {row['key']}")


def _result(row: Row) -> None:
    rows.check_result(row["rollout"], row)


def _spans(row: Row) -> None:
    if len(rows.spans([row])) != row["count"]:
        raise codec.damaged(f"a block of spans of rollout {row['rollout']}", "spans are missing")


CONTENTS: Mapping[str, Callable[[Row], Any]] = {
    "all_runs": rows.run,
    "all_resources": _resources,
    "all_examples": rows.example,
    "all_proposals": _proposal,
    "all_results": _result,
    "all_failures": lambda row: rows.failure(row["failure"]),
    "all_spans": _spans,
    "all_checkpoints": rows.checkpoint,
    "all_aliases": naming.alias,
    "all_verdicts": naming.read_verdict,
    "all_policies": naming.policy,
}
"""How the rows of each statement are checked: digests are computed anew."""
