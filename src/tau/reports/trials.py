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
    scores: dict[str, list[float]] = {}
    for position, one in enumerate(account.measurements, start=1):
        first.setdefault(one.resources, position)
        if one.split is split and one.score is not None:
            scores.setdefault(one.resources, []).append(one.score)
    tones = {str(account.leader.hash): "best", str(account.baseline.hash): "baseline"}
    return [
        Trial(
            label=name[:12],
            rollouts=first[name],
            mean=sum(found) / len(found),
            rows=len(found),
            tone=tones.get(name, "other"),
        )
        for name, found in sorted(scores.items(), key=lambda item: first[item[0]])
    ]
