"""Proposals that came to nothing: what algorithms say of a reflection model's answers."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tau.domain.ids import RunId, rollout_id
from tau.domain.json import Json
from tau.domain.rollout import RolloutKind, RolloutResult, RolloutStatus
from tau.ports.insights import RolloutRow
from tau.ports.store import Store

UNUSABLE = "unusable"
"""How the status of an answered proposal is shown that could not be used."""
_SHOWN = 5


async def unusable(store: Store, run_id: RunId) -> Mapping[str, str]:
    """Why answers to proposals could not be used, by rollout, as the newest checkpoint has it."""
    checkpoint = await store.checkpoints.latest(run_id)
    found = checkpoint.state.get("proposals") if checkpoint else None
    return reasons(found.get("unusable")) if isinstance(found, Mapping) else {}


async def unusable_of(store: Store, rows: Iterable[RolloutRow]) -> Mapping[str, str]:
    """The same for those of `rows` that are answered proposals; nothing is read without any."""
    answered = {
        row.run_id: None
        for row in rows
        if row.kind is RolloutKind.PROPOSE and row.status is RolloutStatus.SUCCEEDED
    }
    found: dict[str, str] = {}
    for run_id in answered:
        found |= await unusable(store, run_id)
    return found


async def why_unusable(store: Store, run_id: RunId, result: RolloutResult) -> str | None:
    """Why one answer could not be used; None where it could, or is to no proposal."""
    if result.request.kind is not RolloutKind.PROPOSE or result.failure is not None:
        return None
    return (await unusable(store, run_id)).get(result.rollout_id or "")


async def unusable_counts(store: Store, run_id: RunId) -> Mapping[str, int]:
    """How many answers could not be used so far, by reason, the most frequent first."""
    return dict(Counter((await unusable(store, run_id)).values()).most_common())


async def unusable_by_parent(store: Store, run_id: RunId) -> Mapping[str, Mapping[str, int]]:
    """The same by the resources that better ones were asked for, by hash."""
    refused = await unusable(store, run_id)
    found: dict[str, Counter[str]] = {}
    after, since = 0, 0
    while refused and (
        page := await store.insights.settled(run_id, since_unix_ms=since, after=after)
    ):
        for row in page:
            why = refused.get(rollout_id(run_id, row.number))
            if why is not None:
                found.setdefault(row.resources, Counter())[why] += 1
        since, after = page[-1].updated_unix_ms, page[-1].number
    return {parent: dict(counts.most_common()) for parent, counts in found.items()}


def reasons(found: Json) -> dict[str, str]:
    """Texts by name, as an algorithm reports them; anything else is left out."""
    if not isinstance(found, Mapping):
        return {}
    return {name: why for name, why in found.items() if isinstance(why, str)}


def counted(evidence: Mapping[str, Json], key: str) -> Sequence[tuple[str, int]]:
    """Reasons with their counts, the most frequent first, from an algorithm's evidence."""
    found = evidence.get(key)
    if not isinstance(found, Mapping):
        return ()
    return [(why, number) for why, number in found.items() if isinstance(number, int)]


def refused_lines(evidence: Mapping[str, Json]) -> list[str]:
    """A line for each reason why answers could not be used, or were taken with a note."""
    told: list[str] = []
    for key, word in (("unusable_answers", "unusable"), ("noted_answers", "used with a note")):
        found = counted(evidence, key)
        told += [f"{number:,} x {word}: {why}" for why, number in found[:_SHOWN]]
        if len(found) > _SHOWN:
            rest = sum(number for _, number in found[_SHOWN:])
            told.append(f"{rest:,} x {word} for other reasons")
    return told
