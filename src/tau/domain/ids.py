"""Identifiers: opaque strings with one place each where they are made and taken apart."""

import re
from typing import NewType

RunId = NewType("RunId", str)
RolloutId = NewType("RolloutId", str)
AttemptId = NewType("AttemptId", str)
ExampleId = NewType("ExampleId", str)
ResourcesHash = NewType("ResourcesHash", str)
WorkerId = NewType("WorkerId", str)

_ATTEMPT = re.compile(r"(?P<rollout>.+):attempt-(?P<n>[1-9][0-9]{0,8})\Z")
_ROLLOUT = re.compile(r"(?P<run>.+)-r(?P<key>[1-9][0-9]{0,17})\Z")
_VERSION = re.compile(r"resources-(?P<n>[1-9][0-9]{0,17})\Z")


def rollout_id(run: RunId, key: int) -> RolloutId:
    """The name of the rollout with integer `key` (>= 1, unique in its store)."""
    return RolloutId(f"{run}-r{key}")


def rollout_key(rollout: str) -> tuple[RunId, int] | None:
    """Run and integer key of a rollout's name, or None where it is no such name."""
    match = _ROLLOUT.match(rollout)
    return (RunId(match["run"]), int(match["key"])) if match else None


def attempt_id(rollout: RolloutId, n: int) -> AttemptId:
    """The name of try `n` (from 1) at a rollout; also its fencing token."""
    return AttemptId(f"{rollout}:attempt-{n}")


def attempt_parts(attempt: str) -> tuple[RolloutId, int] | None:
    """Rollout and number of an attempt's name, or None where it is no such name."""
    match = _ATTEMPT.match(attempt)
    return (RolloutId(match["rollout"]), int(match["n"])) if match else None


def version_id(n: int) -> str:
    """The name of published resources version `n` (from 1)."""
    return f"resources-{n}"


def version_number(version: str) -> int | None:
    """The number in a version's name, or None where it is no such name."""
    match = _VERSION.match(version)
    return int(match["n"]) if match else None
