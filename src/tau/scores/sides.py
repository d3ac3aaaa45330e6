"""Which columns and rows of which file are the baseline's and the candidate's."""

from collections.abc import Sequence
from dataclasses import dataclass

from tau.domain.visible import line
from tau.errors import InputError, UsageError
from tau.scores.sheet import Row, Sheet, listed, unusable
from tau.scores.values import AS_GIVEN, Scale

_TABLES = ("csv", "jsonl", "json")
"""Formats that do not say which of their columns are scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a person asked for. A name is of a column, or of a prompt where a file has several.

    `by` is a column that tells whose row it is; `metric` a column of scores. With `repeats` rows
    of one id are averaged; with `common` rows that only one side has count as missing.
    """

    baseline: str | None = None
    candidate: str | None = None
    ids: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    human: tuple[str, str] | None = None
    cost: tuple[str, str] | None = None
    metric: str | None = None
    by: str | None = None
    scale: Scale = AS_GIVEN
    repeats: bool = False
    common: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side: a sheet, its column of scores, and whose rows count (None: everybody's)."""

    sheet: Sheet
    score: str
    name: str
    variant: str | None = None
    variants: tuple[str, ...] = ()
    human: str | None = None
    cost: str | None = None

    def owns(self, row: Row) -> bool:
        """Whether a row is this side's."""
        return self.variant is None or str(row.get(self.variants[0])) == self.variant


def sides_of(sheets: Sequence[Sheet], request: Request) -> tuple[Side, Side]:
    """Baseline and candidate.

    Raises:
        InputError: a name that stands for nothing, or for several things.
        UsageError: a name is needed.
    """
    if len(sheets) == 1:
        baseline, candidate = _names(sheets[0], request)
        both = (
            _side(sheets[0], baseline, request, 0, "--baseline"),
            _side(sheets[0], candidate, request, 1, "--candidate"),
        )
    else:
        both = (
            _side(sheets[0], request.baseline, request, 0, "--baseline"),
            _side(sheets[1], request.candidate, request, 1, "--candidate"),
        )
    first, second = both
    same = first.sheet.where == second.sheet.where
    if same and (first.score, first.variant) == (second.score, second.variant):
        raise InputError(
            f"baseline and candidate are the same: {line(first.name)}",
            where=line(first.sheet.where),
            fix="name two different columns, prompts or files",
        )
    return both


def _names(sheet: Sheet, request: Request) -> tuple[str, str]:
    """The names of both in one file; where it has just two prompts, they need not be given."""
    if request.baseline is not None and request.candidate is not None:
        return request.baseline, request.candidate
    missing = "--baseline" if request.baseline is None else "--candidate"
    columns = _variant_columns(sheet, request)
    if not columns:
        raise _one_side(sheet, request, missing)
    found = _variants(sheet, columns)
    if request.baseline is None and request.candidate is None and len(found) == 2:
        return found[0], found[1]
    raise UsageError(
        f"which of the {len(found)} is meant: {missing} is needed"
        if len(found) > 1
        else "the file has the scores of one prompt only",
        fix=f"in '{line(sheet.where)}' are {listed(found)}"
        if len(found) > 1
        else "name a second file",
    )


def _one_side(sheet: Sheet, request: Request, missing: str) -> UsageError:
    """Why one file is not enough: it has the scores of one prompt, or whose are where is not said.

    A tool's log is one side's; in a table of anybody's own any two columns may be meant.
    """
    where = line(sheet.where)
    other = {*sheet.ids, *sheet.content, sheet.question, sheet.answer}
    known = [*sheet.scores] or [name for name in sheet.columns if name not in other]
    files = f"tau certify BASELINE {where}"
    if sheet.form in _TABLES or request.baseline is not None or request.candidate is not None:
        return UsageError(
            f"one file with two columns of scores needs {missing}",
            fix=f"name a column of '{where}': {listed(known)}, or give the baseline's file too: "
            f"{files}",
        )
    two = f"; or, to compare two columns of this one, name them by --baseline and --candidate: " \
        f"{listed(known)}" if len(sheet.scores) > 1 else ""  # fmt: skip
    said = f"its scores are {listed(sheet.scores)}" if sheet.scores else "it has no scores"
    return UsageError(
        f"'{where}' holds one side only, and a claim is about two",
        why=said,
        fix=f"give the baseline's file and the candidate's, in this order: {files}{two}",
    )


def _side(sheet: Sheet, name: str | None, request: Request, at: int, option: str) -> Side:
    human = request.human[at] if request.human else None
    cost = request.cost[at] if request.cost else None
    for column, of in ((human, "--human"), (cost, "--cost")):
        if column is not None and column not in sheet.columns:
            raise _no_column(sheet, column, of)
    if name is not None and request.by is None and name in sheet.columns:
        return Side(sheet=sheet, score=name, name=name, human=human, cost=cost)
    columns = _variant_columns(sheet, request)
    variant = None
    if columns:
        found = _variants(sheet, columns)
        variant = _variant(sheet, name, columns, found, option)
    elif name is not None:
        raise _no_column(sheet, name, option)
    score = _score(sheet, request)
    shown = variant if variant is not None else sheet.where
    return Side(
        sheet=sheet,
        score=score,
        name=" ".join(shown.split()),
        variant=variant,
        variants=columns,
        human=human,
        cost=cost,
    )


def _variant_columns(sheet: Sheet, request: Request) -> tuple[str, ...]:
    if request.by is None:
        return sheet.variants
    if request.by not in sheet.columns:
        raise _no_column(sheet, request.by, "--by")
    return (request.by,)


def _variants(sheet: Sheet, columns: Sequence[str]) -> list[str]:
    """Every name in the first of `columns`, in the order of the prompts, else of the rows."""
    places: dict[str, int] = {}
    for at, row in enumerate(sheet.rows()):
        own = row.get("prompt_index") if "prompt_index" in columns else None
        name = str(row.get(columns[0]))
        place = own if isinstance(own, int) else at
        places[name] = min(places.get(name, place), place)
    return sorted(places, key=lambda name: places[name])


def _variant(
    sheet: Sheet, name: str | None, columns: Sequence[str], found: Sequence[str], option: str
) -> str:
    if name is None:
        if len(found) == 1:
            return found[0]
        raise UsageError(
            f"'{line(sheet.where)}' has the scores of {len(found)} prompts: {option} is needed",
            fix=f"they are {listed(found)}",
        )
    if name in found:
        return name
    meant = dict.fromkeys(
        str(row.get(columns[0]))
        for row in sheet.rows()
        if any(str(row.get(column)) == name for column in columns[1:])
    ) or dict.fromkeys(one for one in found if one.startswith(name))
    if len(meant) == 1:
        return next(iter(meant))
    raise unusable(
        sheet,
        f"{option} '{line(name)}' is "
        + ("no column and no prompt of the file" if not meant else f"any of {len(meant)}"),
        fix=f"name one of {listed(list(meant) or found)}",
    )


def _score(sheet: Sheet, request: Request) -> str:
    """The column of scores: the one named, the one that the format knows, or `score`."""
    if request.metric is not None:
        return _metric(sheet, request.metric)
    if len(sheet.scores) == 1:
        return sheet.scores[0]
    if len(sheet.scores) > 1:
        raise UsageError(
            f"'{line(sheet.where)}' has {len(sheet.scores)} scores: --metric is needed",
            fix=f"they are {listed(sheet.scores)}",
        )
    if "score" in sheet.columns:
        return "score"
    raise UsageError(
        f"no column of '{line(sheet.where)}' is called 'score'",
        fix=f"name one by --metric: {listed(sheet.columns)}",
    )


def _metric(sheet: Sheet, name: str) -> str:
    if name in sheet.columns:
        return name
    longer = [one for one in sheet.scores if one.startswith((f"{name}/", f"{name},", f"{name}."))]
    if len(longer) == 1:
        return longer[0]
    if longer:
        raise UsageError(f"--metric '{line(name)}' is any of {listed(longer)}", fix="name one")
    raise _no_column(sheet, name, "--metric")


def _no_column(sheet: Sheet, name: str, option: str) -> InputError:
    return unusable(
        sheet,
        f"there is no column '{line(name)}' ({option})",
        fix=f"the columns are {listed(sheet.columns)}",
    )
