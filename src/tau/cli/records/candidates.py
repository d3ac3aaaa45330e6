"""What a run tried: its candidates, their scores, and what one changed of another."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tau.cli import figures
from tau.cli.optimization import diff_lines, estimate_text
from tau.cli.records.naming import newest_run, resolve, run_or_resources
from tau.cli.records.reading import print_json, print_lines, print_table, read
from tau.cli.surface import Exit
from tau.cli.text import Column, line, shown
from tau.domain.dataset import Split
from tau.domain.ids import ResourcesHash, short_hash, short_run
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.ports.store import Store
from tau.reports.account import Account, gather, resource_text, resources_diff
from tau.reports.refused import refused_lines, unusable_by_parent
from tau.reports.wording import scored
from tau.trainer.status import split_json

_Refused = Mapping[str, Mapping[str, int]]
_SPLITS = (Split.OPTIMIZE, Split.VALIDATE, Split.TEST)


_COLUMNS = (
    Column(name="candidate"),
    Column(name="", least=4),
    *(Column(name=str(split)) for split in _SPLITS),
    Column(name="wave", drop=1),
    Column(name="from", drop=2),
)


def _score(account: Account, resources: ResourcesHash, split: Split) -> str:
    """`74 % of 61`: the mean on so many examples."""
    found = account.estimate(resources, split)
    return "-" if found is None else f"{scored(found.mean, account.binary)} of {found.n:,}"


def list_candidates(store: str, run: str | None, *, limit: int, offset: int, as_json: bool) -> int:
    """Print the candidates of a run with their scores, the baseline first."""

    async def query(opened: Store) -> tuple[Account, _Refused]:
        account = await _account(opened, run)
        return account, await unusable_by_parent(opened, account.run.id)

    account, refused = read(store, query)
    rows = [(account.baseline, 0, False), *_tried(account)][offset : offset + limit]
    if as_json:
        print_json([_fields(account, *row, refused) for row in rows])
        return Exit.OK
    cells = [
        (
            short_hash(resources.hash),
            _standing(account, resources, abandoned),
            *(_score(account, resources.hash, split) for split in _SPLITS),
            str(wave) if wave else "-",
            short_hash(resources.parent or "-"),
        )
        for resources, wave, abandoned in rows
    ]
    print_table(_COLUMNS, cells, "candidates")
    for told in refused_lines(_with_refused(account, refused)):
        sys.stdout.write(f"{line(told)}\n")
    sys.stderr.write(
        f"of run {short_run(account.run.id)}; tau candidates show CANDIDATE tells more\n"
    )
    return Exit.OK


def show_candidate(store: str, name: str, *, run: str | None, as_json: bool) -> int:
    """Print a candidate: texts, parent, scores by split in one run."""

    async def query(opened: Store) -> tuple[Account, Resources, _Refused]:
        account = await _account(opened, run)
        refused = await unusable_by_parent(opened, account.run.id)
        return account, await resolve(opened, name), refused

    account, resources, refused = read(store, query)
    estimates = {split: account.estimate(resources.hash, split) for split in _SPLITS}
    if as_json:
        wave, abandoned = next(
            ((one.wave, one.abandoned) for one in account.candidates
             if one.resources.hash == resources.hash), (0, False),
        )  # fmt: skip
        fields = _fields(account, resources, wave, abandoned, refused)
        print_json({**fields, "values": dict(resources.values)})
        return Exit.OK
    lines = [f"hash      {resources.hash}", f"parent    {resources.parent or '-'}"]
    lines += [
        f"{split:10}{estimate_text(found)}  {figures.count(found.n, 'example')}"
        for split, found in estimates.items()
        if found
    ]
    for key, value in resources.values.items():
        lines += ["", line(key)]
        lines += [f"  | {part}" for part in shown(resource_text(value)).split("\n")]
    print_lines(lines)
    return Exit.OK


def diff_candidates(
    store: str, first: str | None, second: str | None, *, run: str | None, as_json: bool
) -> int:
    """Print what changed from one candidate to another, word by word.

    Without names from the baseline to the best; `first` alone is compared with the baseline, or
    names the run.
    """

    async def query(opened: Store) -> tuple[Resources, Resources]:
        nonlocal run, first
        if first is not None and second is None and run is None:
            found, _ = await run_or_resources(opened, first)
            run, first = (found, None) if found else (None, first)
        account = await _account(opened, run)
        if first is None:
            return account.baseline, account.leader
        if second is None:
            return account.baseline, await resolve(opened, first)
        return await resolve(opened, first), await resolve(opened, second)

    old, new = read(store, query)
    found = resources_diff(old, new)
    if as_json:
        pieces = {name: [[str(p.change), p.text] for p in each] for name, each in found.items()}
        print_json({"from": old.hash, "to": new.hash, "diff": pieces})
        return Exit.OK
    lines = [f"from {short_hash(old.hash)} to {short_hash(new.hash)}"]
    for name, pieces_of in found.items():
        lines += ["", line(name), *diff_lines(pieces_of)]
    print_lines(lines if found else [*lines, "nothing changed"])
    return Exit.OK


async def _account(opened: Store, run: str | None) -> Account:
    return await gather(opened, await newest_run(opened, run))


def _tried(account: Account) -> Iterator[tuple[Resources, int, bool]]:
    for one in account.candidates:
        if one.resources.hash != account.baseline.hash:
            yield one.resources, one.wave, one.abandoned


def _standing(account: Account, resources: Resources, abandoned: bool) -> str:
    if resources.hash == account.baseline.hash:
        return "baseline"
    if abandoned:
        return "abandoned"
    if resources.hash == account.best.hash:
        return "best"
    return "best, unproved" if resources.hash == account.leader.hash else ""


def _with_refused(account: Account, refused: _Refused) -> Mapping[str, Json]:
    """The evidence, and before there is any what the newest checkpoint tells."""
    so_far: Counter[str] = Counter()
    for counts in refused.values():
        so_far.update(counts)
    return {"unusable_answers": dict(so_far.most_common()), **account.evidence}


def _fields(
    account: Account, resources: Resources, wave: int, abandoned: bool, refused: _Refused
) -> dict[str, Any]:
    estimates = {str(split): account.estimate(resources.hash, split) for split in _SPLITS}
    readings = [one.reading() for one in account.standings.of_resources(resources.hash)]
    return {
        "resources_hash": resources.hash,
        "parent": resources.parent,
        "wave": wave,
        "standing": _standing(account, resources, abandoned) or None,
        "scores": {
            split: None
            if found is None
            else {"n": found.n, "mean": found.mean, "low": found.low, "high": found.high}
            for split, found in estimates.items()
        },
        "rows": {one.split: split_json(one) for one in readings},
        "unusable_answers": dict(refused.get(resources.hash, {})),
    }
