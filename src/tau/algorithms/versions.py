"""Other versions of a prompt that were tried: what they say differently, and how they fared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from tau.algorithms.evidence import excerpt
from tau.algorithms.pool import CandidatePool
from tau.algorithms.prompts import PromptTarget, shown
from tau.domain.ids import ResourcesHash
from tau.domain.json import Json

MOST_VERSIONS = 3
_FEWEST_ROWS = 4
_CHARS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedVersion:
    """A version beside the prompt in question, on the `rows` examples that both were tried on.

    `mean` and `present` are the mean scores of the two, 0..1. `added` and `removed` are the lines
    by which it differs from the prompt in question.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    mean: float
    present: float
    rows: int


def tried_versions(
    pool: CandidatePool, name: ResourcesHash, target: PromptTarget, *, worse: bool
) -> tuple[TriedVersion, ...]:
    """Up to three, the best first, of those that differ in `target` alone.

    Those that fared worse are among them only with `worse`: a model takes over what it reads, so
    they help where there is hardly anything else to learn from, and harm elsewhere.
    """
    current = pool[name].resources
    mine = pool.table[name].by_example
    found = []
    for other in pool.candidates:
        if _elsewhere(other.resources.values, current.values, target.name):
            continue
        theirs = pool.table[other.hash].by_example
        rows = [row for row in theirs if row in mine]
        if other.hash == name or other.hash in pool.gated or len(rows) < _FEWEST_ROWS:
            continue
        before = shown(current, target).splitlines()
        after = shown(other.resources, target).splitlines()
        found.append(
            TriedVersion(
                added=_lacking(after, before),
                removed=_lacking(before, after),
                mean=fmean(theirs[row] for row in rows),
                present=fmean(mine[row] for row in rows),
                rows=len(rows),
            )
        )
    if not worse:
        found = [one for one in found if one.mean > one.present]
    found.sort(key=lambda one: one.present - one.mean)
    return tuple(found[: MOST_VERSIONS if worse else 1])


def described_versions(versions: Sequence[TriedVersion]) -> str:
    """One after the other, with how it fared beside the prompt as it stands; '' without any."""
    return "\n\n".join(_described(number, one) for number, one in enumerate(versions, start=1))


def _described(number: int, version: TriedVersion) -> str:
    parts = [
        f"### Version {number}: mean score {version.mean:.2f}, and {version.present:.2f} of the "
        f"prompt as it stands, on the same {version.rows} examples"
    ]
    if version.added:
        parts.append("It says besides:\n" + excerpt("\n".join(version.added), _CHARS))
    if version.removed:
        parts.append("It does not say:\n" + excerpt("\n".join(version.removed), _CHARS))
    return "\n".join(parts)


def _lacking(lines: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    known = {line.strip() for line in others}
    return tuple(line for line in lines if line.strip() and line.strip() not in known)


def _elsewhere(first: Mapping[str, Json], second: Mapping[str, Json], name: str) -> bool:
    """Whether two sets of resources differ in another prompt than `name`."""
    names = (first.keys() | second.keys()) - {name}
    return any(first.get(one) != second.get(one) for one in names)
