"""Identifiers: opaque strings with one place each where they are made and taken apart."""

import re
from typing import NewType

RunId = NewType("RunId", str)
RolloutId = NewType("RolloutId", str)
AttemptId = NewType("AttemptId", str)
ExampleId = NewType("ExampleId", str)
ResourcesHash = NewType("ResourcesHash", str)
WorkerId = NewType("WorkerId", str)

_ATTEMPT = ":attempt-"
_ATTEMPT_DIGITS = 9
_ROLLOUT = "-r"
_ROLLOUT_DIGITS = 18
_SHORT_HASH = 8
_RUN = re.compile(r"run-[0-9]{8}-[0-9]{6}-(?P<token>[0-9a-f]{6})\Z")
_VERSION = re.compile(r"resources-(?P<n>[1-9][0-9]{0,17})\Z")


def rollout_id(run: RunId, key: int) -> RolloutId:
    """The name of the rollout with integer `key` (>= 1, unique in its store)."""
    return RolloutId(f"{run}-r{key}")


def rollout_key(rollout: str) -> tuple[RunId, int] | None:
    """Run and integer key of a rollout's name, or None where it is no such name."""
    run, _, digits = rollout.rpartition(_ROLLOUT)
    key = _counted(digits, _ROLLOUT_DIGITS)
    return (RunId(run), key) if run and key is not None else None


def short_run(run: str) -> str:
    """`8c955d`: what is a run's own in its name; other names stay whole."""
    match = _RUN.match(run)
    return match["token"] if match else run


def short_rollout(rollout: str) -> str:
    """`r304`: enough of a rollout's name, its key is unique in its store."""
    found = rollout_key(rollout)
    return f"r{found[1]}" if found else rollout


def short_hash(resources: str) -> str:
    """`cb9f04ed`: the first digits of a hash."""
    return resources[:_SHORT_HASH]


def stands_for(name: str, run: str) -> bool:
    """Whether `name` can mean the run: it begins its name, or what is its own in it."""
    return bool(name) and (run.startswith(name) or short_run(run).startswith(name))


def attempt_id(rollout: RolloutId, n: int) -> AttemptId:
    """The name of try `n` (from 1) at a rollout; also its fencing token."""
    return AttemptId(f"{rollout}:attempt-{n}")


def attempt_parts(attempt: str) -> tuple[RolloutId, int] | None:
    """Rollout and number of an attempt's name, or None where it is no such name."""
    rollout, _, digits = attempt.rpartition(_ATTEMPT)
    n = _counted(digits, _ATTEMPT_DIGITS)
    return (RolloutId(rollout), n) if rollout and n is not None else None


def version_id(n: int) -> str:
    """The name of published resources version `n` (from 1)."""
    return f"resources-{n}"


def version_number(version: str) -> int | None:
    """The number in a version's name, or None where it is no such name."""
    match = _VERSION.match(version)
    return int(match["n"]) if match else None


def _counted(digits: str, most: int) -> int | None:
    """A number from 1 of at most `most` digits as we write it, or None."""
    if len(digits) <= most and digits.isascii() and digits.isdigit() and digits[0] != "0":
        return int(digits)
    return None
