"""The candidates by quality and cost, as a part of the page of a run."""

from collections.abc import Iterator, Sequence

from tau.charts.curve import dot_key
from tau.charts.svg import clean
from tau.domain.dataset import Split
from tau.domain.ids import ResourcesHash, short_hash
from tau.reports.account import Account
from tau.reports.front import KnownCosts, Priced, QualityCost, quality_cost
from tau.reports.wording import counted


def front_section(account: Account) -> Iterator[str]:
    """Drawing, key and table; nothing where there is nothing to compare."""
    found = quality_cost(account.run, measured(account))
    if found is None:
        return
    key = " ".join(f"<span>{dot_key(tone)} {said}</span>" for tone, said in found.key)
    yield f'<h2>Quality and cost</h2><div class="scroll">{found.picture()}</div>'
    yield f'<p class="dim key">{key}</p>'
    yield (
        f'<p class="dim">Means on {found.split} with 95 % intervals, against {found.unit}; the '
        "line is the most that can be had for so much. These rows chose the prompt, and with few "
        "rows a candidate can stand there by luck.</p>"
    )
    yield _table(found, found.leading)
    if found.others:
        more = counted(len(found.others), "candidate")
        yield f"<details><summary>{more} more, off the front</summary>"
        yield _table(found, found.others) + "</details>"


def measured(account: Account) -> KnownCosts:
    """What the account knows of its candidates."""
    names: dict[Split, dict[str, None]] = {}
    for one in account.measurements:
        names.setdefault(one.split, {})[one.resources] = None
    texts = [account.baseline, *(one.resources for one in account.candidates)]
    return KnownCosts(
        estimates={
            split: {
                name: estimate
                for name in found
                if (estimate := account.estimate(ResourcesHash(name), split)) is not None
            }
            for split, found in names.items()
        },
        costs=account.costs,
        characters={one.hash: one.characters for one in texts},
        baseline=account.baseline.hash,
        best=account.leader.hash,
    )


def _table(found: QualityCost, points: Sequence[Priced]) -> str:
    head = (
        f"<tr><th>resources</th><th>mean on {found.split}</th><th>{clean(found.unit)}</th>"
        f"<th>rows</th>{'<th>characters</th>' if found.apart else ''}</tr>"
    )
    rows = "".join(
        f'<tr><td><span class="nowrap">{dot_key(one.tone)} '
        f"{clean(short_hash(one.resources))}</span>"
        f' <span class="dim">{one.said}</span></td>'
        f'<td class="nowrap">{one.score.mean:.3f} ({one.score.low:.3f} to {one.score.high:.3f})'
        f"</td><td>{clean(found.figure(one.cost))}</td><td>{one.score.n:,}</td>"
        f"{f'<td>{one.characters or 0:,}</td>' if found.apart else ''}</tr>"
        for one in points
    )
    return f'<div class="scroll"><table>{head}{rows}</table></div>'
