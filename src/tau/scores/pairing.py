"""Two sides, row by row: what belongs together, what is missing, what cannot be paired."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tau.domain.visible import clipped, line
from tau.errors import InputError
from tau.scores.sheet import Row, Sheet, counted, digest_of, listed, unusable
from tau.scores.sides import Request, Side
from tau.scores.values import amounts, column
from tau.scoring.claims import PairedScores

Values = list[float | None]
Labels = Mapping[str, float]
"""People's scores of one side's answers, by row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Both sides in one order, and what people should know of how that came about.

    `contents` are what each row is known again by; None where only its place names it.
    """

    scores: PairedScores
    contents: tuple[str, ...] | None
    by: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """One side's rows: columns of one length."""

    ids: list[str]
    scores: Values
    groups: list[str] | None
    human: Values | None
    cost: Values | None
    contents: list[str] | None


def pair_sides(
    baseline: Side, candidate: Side, request: Request, labels: tuple[Labels, Labels] | None = None
) -> Paired:
    """Pair two sides by the ids of their rows, else by their order.

    Raises:
        InputError: rows that cannot be paired, values that are no scores, a side without any.
    """
    _check_groups(baseline.sheet, candidate.sheet, request)
    ids = [_id_columns(side.sheet, request) for side in (baseline, candidate)]
    if bool(ids[0]) != bool(ids[1]):
        without = candidate if ids[0] else baseline
        raise unusable(
            without.sheet, f"there is no id, but {listed(ids[0] or ids[1])} in the other file",
            fix="give both a column of ids, and name it by --id",
        )  # fmt: skip
    sides = (baseline, candidate)
    read = zip(sides, _columns(sides, request), strict=True)
    taken = [_taken(side, columns, request) for side, columns in read]
    notes = [*dict.fromkeys((*baseline.sheet.notes, *candidate.sheet.notes))]
    merged = []
    for side, one in zip((baseline, candidate), taken, strict=True):
        whole, note = _merged(side, one, repeats=request.repeats or side.sheet.repeats)
        merged.append(whole)
        notes += [note] if note and note not in notes else []
    joined = _joined(merged[0], merged[1], baseline, candidate, request, ordered=not ids[0])
    by = " and ".join(ids[0]) if ids[0] else "order"
    return _finished(joined, labels, by=by, notes=notes)


def _check_groups(ours: Sheet, theirs: Sheet, request: Request) -> None:
    for name in request.groups:
        if name not in ours.columns and name not in theirs.columns:
            raise unusable(
                ours, f"there is no column '{name}' (--group)",
                fix=f"the columns are {listed(ours.columns)}",
            )  # fmt: skip


def _id_columns(sheet: Sheet, request: Request) -> tuple[str, ...]:
    for name in request.ids:
        if name not in sheet.columns:
            raise unusable(
                sheet, f"there is no column '{name}' (--id)",
                fix=f"the columns are {listed(sheet.columns)}",
            )  # fmt: skip
    if request.ids or sheet.ids:
        return request.ids or sheet.ids
    return tuple(name for name in sheet.columns if name.casefold() == "id")[:1]


def whole_rows(side: Side, request: Request) -> Iterator[tuple[str, Row]]:
    """A side's rows with their texts, each with its id, or else its number.

    Raises:
        InputError: a row without an id.
    """
    ids = _id_columns(side.sheet, request)
    for number, row in enumerate(_owned(side, side.sheet.whole or side.sheet.rows), 1):
        key = _key([row.get(name) for name in ids], ids, number, side.sheet) if ids else ""
        yield key or str(number), row


def _owned(side: Side, rows: Callable[[], Iterator[Row]]) -> Iterator[Row]:
    return rows() if side.variant is None else filter(side.owns, rows())


_Columns = Mapping[str, Sequence[object]]


def _columns(sides: Sequence[Side], request: Request) -> list[_Columns]:
    """The columns that each side needs; a sheet that is both sides' is read once."""
    wanted = [
        tuple(
            dict.fromkeys(
                [
                    *filter(None, (side.score, side.human, side.cost)),
                    *_id_columns(side.sheet, request),
                    *request.groups,
                    *side.sheet.content,
                ]
            )
        )
        for side in sides
    ]
    shared = sides[0].sheet is sides[1].sheet and sides[0].variant is sides[1].variant is None
    if shared:
        both = tuple(dict.fromkeys((*wanted[0], *wanted[1])))
        return [_read(sides[0], both)] * 2
    return [_read(side, names) for side, names in zip(sides, wanted, strict=True)]


def _read(side: Side, names: Sequence[str]) -> _Columns:
    cells = side.sheet.cells
    if cells is not None and side.variant is None and set(names) <= set(side.sheet.columns):
        picked = list(cells(names))
    else:
        picked = [list(map(row.get, names)) for row in _owned(side, side.sheet.rows)]
    if not picked:
        raise unusable(side.sheet, f"there is no row of '{_short(side.name)}'")
    return dict(zip(names, zip(*picked, strict=True), strict=True))


def _taken(side: Side, columns: _Columns, request: Request) -> _Taken:
    sheet, where = side.sheet, side.sheet.where
    groups = request.groups if set(request.groups) <= set(sheet.columns) else ()
    ids = _id_columns(sheet, request)
    length = len(columns[side.score])
    names = _keys(columns, ids, sheet) if ids else list(map(str, range(1, length + 1)))
    cost = None
    if side.cost is not None:
        cost = amounts(columns[side.cost], names, name=side.cost, where=where)
    return _Taken(
        ids=names,
        scores=column(
            columns[side.score], names, name=side.score, where=where, scale=request.scale
        ),
        groups=_keys(columns, groups, sheet) if groups else None,
        human=None if side.human is None else _people(columns[side.human], names, side, request),
        cost=cost,
        contents=_digests(columns, sheet.content),
    )


def _digests(columns: _Columns, names: Sequence[str]) -> list[str] | None:
    if not names:
        return None
    rows = zip(*(columns[name] for name in names), strict=True)
    return [digest_of(dict(zip(names, values, strict=True))) for values in rows]


def _keys(columns: _Columns, names: Sequence[str], sheet: Sheet) -> list[str]:
    """The values of the named columns as one text a row."""
    if len(names) == 1:
        values = columns[names[0]]
        if None not in values and "" not in values:
            return [value if isinstance(value, str) else str(value) for value in values]
    rows = zip(*(columns[name] for name in names), strict=True)
    return [_key(values, names, number, sheet) for number, values in enumerate(rows, 1)]


def _people(values: Sequence[object], ids: Sequence[str], side: Side, request: Request) -> Values:
    return column(values, ids, name=side.human or "", where=side.sheet.where, scale=request.scale)


def _key(values: Sequence[object], names: Sequence[str], number: int, sheet: Sheet) -> str:
    """Values as one text."""
    for name, value in zip(names, values, strict=True):
        if value is None or value == "":
            raise unusable(sheet, f"row {number} has nothing in '{line(name)}'")
    return " / ".join(map(str, values))


def _merged(side: Side, taken: _Taken, *, repeats: bool) -> tuple[_Taken, str | None]:
    """Rows of one id as one row, where they are repeats."""
    if len(set(taken.ids)) == len(taken.ids):
        return taken, None
    times = Counter(taken.ids)
    twice = [row for row, number in times.items() if number > 1]
    if not repeats:
        raise unusable(
            side.sheet,
            f"{len(twice):,} of {len(times):,} ids are there more than once, such as "
            f"{listed(twice, 3)}",
            fix="name columns that tell the rows apart by --id; where they are repeated tries "
            "at the same row, --repeats takes their mean",
        )
    places: dict[str, list[int]] = {}
    for at, row in enumerate(taken.ids):
        places.setdefault(row, []).append(at)
    order = list(places.values())
    if taken.groups is not None:
        _check_whole(side, taken.groups, places)

    def means(values: Values | None) -> Values | None:
        return None if values is None else [_mean([values[at] for at in some]) for some in order]

    def firsts(values: list[str] | None) -> list[str] | None:
        return None if values is None else [values[some[0]] for some in order]

    whole = _Taken(
        ids=list(places),
        scores=means(taken.scores) or [],
        groups=firsts(taken.groups),
        human=means(taken.human),
        cost=means(taken.cost),
        contents=firsts(taken.contents),
    )
    return whole, (
        f"{len(twice):,} of {len(times):,} rows of '{_short(side.name)}' were tried more than "
        "once: their mean counts"
    )


def _check_whole(side: Side, groups: Sequence[str], places: Mapping[str, Sequence[int]]) -> None:
    """Tries at one row belong to one group, or the id does not name a row."""
    torn = {row: {groups[at] for at in some} for row, some in places.items()}
    torn = {row: found for row, found in torn.items() if len(found) > 1}
    if torn:
        what, fix = _in_two_groups(torn)
        raise unusable(side.sheet, what, fix=fix)


def _in_two_groups(torn: Mapping[str, Collection[str]]) -> tuple[str, str]:
    """What is wrong with ids that stand in several groups, and what to do about it."""
    row, found = next(iter(torn.items()))
    ids = f"{len(torn):,} ids stand" if len(torn) > 1 else "an id stands"
    return (
        f"{ids} in more than one group: {listed(list(torn), 5)}",
        f"'{_short(row)}' is in {listed(sorted(found), 3)}: name columns that tell rows apart by "
        "--id (the group's among them), or another column by --group",
    )


def _short(name: str) -> str:
    return line(clipped(name, 60))


def _mean(values: Values) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Joined:
    """Places on both sides, row by row; None where one side lacks it."""

    ids: list[str]
    sides: tuple[_Taken, _Taken]
    places: tuple[list[int | None], list[int | None]]

    def column(self, side: int, of: Callable[[_Taken], Values | None]) -> Values | None:
        """One side's column in the order of the pairs."""
        values = of(self.sides[side])
        if values is None:
            return None
        return [None if at is None else values[at] for at in self.places[side]]


def _joined(
    ours: _Taken,
    theirs: _Taken,
    baseline: Side,
    candidate: Side,
    request: Request,
    *,
    ordered: bool,
) -> _Joined:
    if ours.ids == theirs.ids:
        same: list[int | None] = list(range(len(ours.ids)))
        return _Joined(ids=ours.ids, sides=(ours, theirs), places=(same, same))
    if ordered:
        raise InputError(
            f"rows without ids are paired by their order, but there are {len(ours.ids):,} of "
            f"'{_short(baseline.name)}' and {len(theirs.ids):,} of '{_short(candidate.name)}'",
            fix="give the rows ids, and name the column by --id",
        )
    at = [{row: place for place, row in enumerate(one.ids)} for one in (ours, theirs)]
    alone = [[row for row in a if row not in b] for a, b in (at, at[::-1])]
    if len(alone[0]) == len(at[0]):
        raise InputError(
            f"no id of '{_short(baseline.name)}' is one of '{_short(candidate.name)}'",
            why=f"{listed(ours.ids, 3)} against {listed(theirs.ids, 3)}",
            fix="name the column by which the rows can be paired by --id",
        )
    if any(alone) and not request.common:
        raise InputError(
            f"{counted(len(alone[0]) + len(alone[1]), 'row')} cannot be paired: "
            f"{len(alone[0]):,} of {len(at[0]):,} are only in '{_short(baseline.name)}', "
            f"{len(alone[1]):,} of {len(at[1]):,} only in '{_short(candidate.name)}'",
            why=f"such as {listed([*alone[0][:3], *alone[1][:3]])}",
            fix="score all rows with both; --common counts these as missing",
        )
    ids = [*ours.ids, *alone[1]]
    return _Joined(
        ids=ids,
        sides=(ours, theirs),
        places=([at[0].get(row) for row in ids], [at[1].get(row) for row in ids]),
    )


def _finished(
    joined: _Joined, labels: tuple[Labels, Labels] | None, *, by: str, notes: list[str]
) -> Paired:
    scores = [joined.column(side, lambda one: one.scores) or [] for side in (0, 1)]
    costs = [joined.column(side, lambda one: one.cost) for side in (0, 1)]
    people = [joined.column(side, lambda one: one.human) for side in (0, 1)]
    if labels is not None and people == [None, None]:
        people = [[of.get(row) for row in joined.ids] for of in labels]
    contents, changed = _contents(joined)
    if changed:
        notes.append(f"in {changed:,} rows of one id the two files hold different content")
    if by == "order":
        notes.append("the rows have no ids: they are paired by their order")
    return Paired(
        scores=PairedScores(
            ids=tuple(joined.ids),
            baseline=tuple(scores[0]),
            candidate=tuple(scores[1]),
            groups=_groups(joined),
            human=_both(people),
            cost=_both(costs),
        ),
        contents=contents if contents or by == "order" else tuple(joined.ids),
        by=by,
        notes=tuple(notes),
    )


def _both(
    columns: Sequence[Values | None],
) -> tuple[tuple[float | None, ...], tuple[float | None, ...]] | None:
    first, second = columns
    return None if first is None or second is None else (tuple(first), tuple(second))


def _groups(joined: _Joined) -> tuple[str, ...] | None:
    ours, theirs = joined.sides
    if ours.groups is None and theirs.groups is None:
        return None
    torn = {
        row: (ours.groups[first], theirs.groups[second])
        for row, first, second in zip(joined.ids, *joined.places, strict=True)
        if ours.groups is not None and theirs.groups is not None
        and first is not None and second is not None
        and ours.groups[first] != theirs.groups[second]
    }  # fmt: skip
    if torn:
        what, fix = _in_two_groups(torn)
        raise InputError(what, why="the two files differ in it", fix=fix)
    found = []
    for first, second in zip(*joined.places, strict=True):
        if first is not None and ours.groups is not None:
            found.append(ours.groups[first])
        elif second is not None and theirs.groups is not None:
            found.append(theirs.groups[second])
        else:
            row = joined.ids[len(found)]
            raise InputError(f"row {listed([row])} has no group", fix="give both files the column")
    return tuple(found)


def _contents(joined: _Joined) -> tuple[tuple[str, ...] | None, int]:
    """What each row is known again by, and in how many rows both sides differ in it."""
    ours, theirs = (one.contents for one in joined.sides)
    if ours is None or theirs is None:
        return None, 0
    found, changed = [], 0
    for first, second in zip(*joined.places, strict=True):
        changed += first is not None and second is not None and ours[first] != theirs[second]
        found.append(ours[first] if first is not None else theirs[second or 0])
    return tuple(found), changed
