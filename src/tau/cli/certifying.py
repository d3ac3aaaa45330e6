"""`tau certify`: files or a run in, one decision out."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tau.cli import certified
from tau.cli.lifecycle_control import principal
from tau.cli.records.naming import resolve
from tau.cli.records.reading import print_json, print_lines, read
from tau.cli.surface import Exit
from tau.cli.text import line
from tau.config.paths import state_dir
from tau.domain.dataset import Split
from tau.domain.ids import RunId
from tau.errors import Conflict, InputError, NotFound, UsageError
from tau.ports.clock import SystemClock
from tau.ports.insights import Measurement
from tau.ports.store import Store
from tau.reports.account import gather
from tau.reports.rows import as_json, evaluation_rows
from tau.scores.certifying import CertifiedClaim, LedgerAccount, certify_pairs, claim_of
from tau.scores.exports import of_split, stored
from tau.scores.labels import ENDING, Key, Label, labels_file, read_labels, scores_of
from tau.scores.pairing import Labels, pair_sides
from tau.scores.reading import Format, read_scores
from tau.scores.sheet import Sheet, counted
from tau.scores.sides import Request, Side, sides_of
from tau.scoring.labels import FEWEST_LABELS
from tau.wiring.naming import run_named
from tau.wiring.outcome import judges_of

_FLATTERED = (
    "where the candidate was chosen by scores on these rows, the difference flatters it: "
    "certify on rows that had no part in finding it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where scores come from: one file, two files, or a run in a store."""

    files: tuple[str, ...] = ()
    form: Format | None = None
    run: str | None = None
    store: str = ""
    split: Split | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Both sides, and where people's labels of them are kept."""

    sides: tuple[Side, Side]
    labels: tuple[Path, Path]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifyTerms:
    """What is claimed, and how it is accounted for."""

    margin: float | None
    alpha: float
    judged: bool = False
    ledger: str | None = None
    labels: bool = True


def certify(sources: Sources, request: Request, terms: CertifyTerms, *, shape: str) -> int:
    """Decide the claim and print it; 3 where it is not met.

    Raises:
        InputError: something given cannot be used; nothing was written.
    """
    claim = claim_of(
        margin=terms.margin,
        cost=request.cost is not None,
        alpha=terms.alpha,
        judged=terms.judged,
    )
    opened = open_sources(sources, request)
    labels, notes = _labels(opened, request, wanted=terms.labels)
    paired = pair_sides(*opened.sides, request, labels)
    paired = replace(paired, notes=(*opened.notes, *paired.notes, *notes))
    account = (
        LedgerAccount(path=Path(terms.ledger), principal=principal(None), clock=SystemClock())
        if terms.ledger
        else None
    )
    names = _names(opened.sides)
    found = certify_pairs(paired, claim, names=names, account=account)
    _PRINTERS[shape](found)
    return Exit.OK if found.met else Exit.GATE


def _names(sides: tuple[Side, Side]) -> tuple[str, str]:
    """What both are called: files by their last names, where these differ."""
    ours, theirs = (side.name for side in sides)
    files = [side.sheet.where for side in sides]
    short = [Path(file).name for file in files]
    told = short if short[0] != short[1] else files
    if ours == theirs and files[0] != files[1] and ours not in files:
        return f"{ours} of {told[0]}", f"{theirs} of {told[1]}"
    if ours != files[0] or theirs != files[1]:
        return ours, theirs
    return told[0], told[1]


def open_sources(sources: Sources, request: Request, *, content: bool = False) -> Opened:
    """Both sides.

    Raises:
        InputError: there are neither files nor a run, or what is named cannot be used.
    """
    if sources.run is not None:
        if sources.files:
            raise UsageError("--run cannot be used with files", fix="choose one of them")
        return _of_run(sources, request, sources.run, content=content)
    if not 1 <= len(sources.files) <= 2:
        raise UsageError(
            "name one file with the scores of both, two files, or --run RUN",
            fix="such as: tau certify scores.csv --baseline old --candidate new",
        )
    sheets = [read_scores(path, sources.form) for path in sources.files]
    exported = all(sheet.form == Format.TAU for sheet in sheets)
    if sources.split is not None:
        if not exported:
            raise UsageError("--split is for runs and what `tau export` wrote", fix="leave it out")
        sheets = [of_split(sheet, sources.split) for sheet in sheets]
    ours, theirs = sides_of(sheets, request)
    return Opened(
        sides=(ours, theirs),
        notes=(_FLATTERED,) if exported and sources.split is not Split.TEST else (),
        labels=(labels_file(ours.sheet.where), labels_file(theirs.sheet.where)),
    )


def _of_run(sources: Sources, request: Request, run: str, *, content: bool) -> Opened:
    try:
        run = read(sources.store, lambda opened: run_named(opened, run))
        sheet, ours, theirs, notes = read(
            sources.store, lambda opened: _stored(opened, sources, request, run, content=content)
        )
    except (Conflict, NotFound) as error:
        raise InputError(error.what, where=error.where, why=error.why, fix=error.fix) from error
    both = sides_of([sheet], replace(request, baseline=ours, candidate=theirs))
    sides = (
        replace(both[0], name=request.baseline or f"baseline {ours[:12]}"),
        replace(both[1], name=request.candidate or f"candidate {theirs[:12]}"),
    )
    path = run_labels(sources.store, run)
    return Opened(sides=sides, labels=(path, path), notes=notes)


async def _stored(
    opened: Store, sources: Sources, request: Request, run: str, *, content: bool
) -> tuple[Sheet, str, str, tuple[str, ...]]:
    """The run's evaluations of both, their hashes, and what is to be known of them."""
    account = await gather(opened, (await opened.runs.get(RunId(run))).id)
    ours, theirs = account.baseline.hash, account.leader.hash
    if request.baseline is not None:
        ours = (await resolve(opened, request.baseline)).hash
    if request.candidate is not None:
        theirs = (await resolve(opened, request.candidate)).hash
    if ours == theirs:
        raise InputError(
            "baseline and candidate are the same resources", why=f"both are {ours[:12]}",
            fix="name them by --baseline and --candidate, such as --candidate resources-2",
        )  # fmt: skip
    both = {ours: "baseline", theirs: "candidate"}
    wanted = [one for one in account.measurements if one.resources in both]
    split = sources.split or _certified_split({s: _splits(wanted, s) for s in both})
    wanted = [one for one in wanted if split in (None, one.split)]
    asked = {s: {one.example for one in wanted if one.resources == s} for s in both}
    for resources, side in both.items():
        if not asked[resources]:
            raise InputError(
                f"the run has no scores of the {side}, {resources[:12]}"
                + (f", on '{split}'" if split else ""),
                fix="tau candidates lists what was tried",
            )
    common, alone = asked[ours] & asked[theirs], asked[ours] ^ asked[theirs]
    if not common:
        raise InputError("the run has measured no row with both", fix="run both on the same rows")
    wanted = [one for one in wanted if one.example in common]
    rows = await evaluation_rows(opened, account.run.id, wanted)
    notes = [] if split is Split.TEST else [_FLATTERED]
    if alone:
        notes.append(f"{counted(len(alone), 'row')} the run has asked of one only: left out")
    notes += judges_of(account.run, sources.store)
    sheet = stored(f"run {run}", [as_json(row, content=content) for row in rows])
    return sheet, ours, theirs, tuple(notes)


def run_labels(store: str, run: str) -> Path:
    """Where the labels of a run are kept: beside its store."""
    return state_dir(store).root / "labels" / f"{run}{ENDING}"


def _splits(measured: Sequence[Measurement], resources: str) -> set[Split]:
    return {one.split for one in measured if one.resources == resources}


def _certified_split(splits: Mapping[str, set[Split]]) -> Split | None:
    """The split that chooses nothing, where both were measured on it."""
    return Split.TEST if all(Split.TEST in found for found in splits.values()) else None


def _labels(
    opened: Opened, request: Request, *, wanted: bool
) -> tuple[tuple[Labels, Labels] | None, tuple[str, ...]]:
    """People's labels of both sides, where there are any and none are named in columns."""
    if not wanted or request.human is not None:
        return None, ()
    files: dict[Path, Mapping[Key, Label]] = {
        path: read_labels(path) for path in dict.fromkeys(opened.labels)
    }
    found, stale = [], 0
    for side, path in zip(opened.sides, opened.labels, strict=True):
        scores, changed = scores_of(side, request, files[path])
        found.append(scores)
        stale += changed
    ours, theirs = found
    notes = [f"labels of answers that have changed since are left out: {stale:,}"] if stale else []
    both = sum(row in theirs for row in ours)
    where = " and ".join(line(str(path)) for path in files)
    if both < FEWEST_LABELS:
        if both:
            notes.append(
                f"people's labels of {counted(both, 'row')} are too few to correct anything by, "
                f"and left out: {FEWEST_LABELS} are needed at least ({where})"
            )
        return None, tuple(notes)
    notes.append(f"people's labels of {counted(both, 'row')} are used, from {where}")
    return (ours, theirs), tuple(notes)


_PRINTERS: Mapping[str, Callable[[CertifiedClaim], object]] = {
    "text": lambda found: print_lines(certified.lines(found)),
    "json": lambda found: print_json(found.to_dict()),
    "markdown": lambda found: sys.stdout.write(certified.markdown(found)),
    "junit": lambda found: sys.stdout.write(certified.junit(found)),
}
