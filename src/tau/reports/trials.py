"""The candidates of a search in the order in which they were first measured."""

from tau.charts.progress import Trial
from tau.domain.dataset import Split
from tau.reports.account import Account


def selecting_split(account: Account) -> Split:
    """The split on which most candidates were measured, validate where several are."""
    seen: dict[Split, set[str]] = {Split.VALIDATE: set(), Split.OPTIMIZE: set()}
    for one in account.measurements:
        if one.split in seen and one.resources != account.baseline.hash:
            seen[one.split].add(one.resources)
    return max(seen, key=lambda split: len(seen[split]))


def search_trials(account: Account) -> list[Trial]:
    """Every candidate with scores on the selecting split, by when it was first measured."""
    split = selecting_split(account)
    first: dict[str, int] = {}
    for one in account.standings.by_place.values():
        first[one.resources] = min(one.first, first.get(one.resources, one.first))
    tones = {str(account.leader.hash): "best", str(account.baseline.hash): "baseline"}
    return [
        Trial(
            label=one.resources[:12],
            rollouts=first[one.resources],
            mean=estimate.mean,
            rows=one.scored,
            tone=tones.get(one.resources, "other"),
        )
        for one in sorted(account.standings.by_split[split], key=lambda one: first[one.resources])
        if (estimate := one.estimate) is not None
    ]
