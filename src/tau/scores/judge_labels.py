"""People's labels of outputs, matched with the rows of a configuration, to test a judge with.

A label's row is found by the columns that the file shares with the configuration's rows, or by the
`example_id` that `tau export` writes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import multimode
from typing import Any

from tau.domain.dataset import Example
from tau.domain.json import Json
from tau.domain.visible import clipped, line
from tau.errors import InputError
from tau.scores.reading import read_scores
from tau.scores.sheet import Row, Sheet, counted, listed, unusable

OUTPUT_COLUMNS = ("output", "answer", "response")
LABEL_COLUMNS = ("label", "human", "human_label", "human_score")
EXAMPLE_COLUMN = "example_id"
_WORDS = {
    "yes": 1.0, "y": 1.0, "true": 1.0, "pass": 1.0, "passed": 1.0, "right": 1.0, "correct": 1.0,
    "no": 0.0, "n": 0.0, "false": 0.0, "fail": 0.0, "failed": 0.0, "wrong": 0.0, "incorrect": 0.0,
}  # fmt: skip
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelColumns:
    """The columns of the output, the label and the group; None: the usual names."""

    output: str | None = None
    label: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledOutput:
    """An output of a row with every person's score of it, in 0..1."""

    example: Example
    output: str
    scores: tuple[float, ...]
    group: str | None = None

    @property
    def human(self) -> float | None:
        """What most people say; None where there is no such score."""
        most = multimode(self.scores)
        return most[0] if len(most) == 1 else None


def read_labelled(
    path: str, rows: Sequence[Example], columns: LabelColumns, scale: Mapping[str, float]
) -> tuple[LabelledOutput, ...]:
    """Every labelled output of the file, in its order; lines without a label are left out.

    Raises:
        InputError: columns are missing, a label is no score, or a line belongs to none of `rows`.
    """
    sheet = read_scores(path)
    label = _column(sheet, columns.label, LABEL_COLUMNS, "people's labels", "--label")
    return _read(sheet, rows, columns, label, scale)


def read_outputs(
    path: str, rows: Sequence[Example], columns: LabelColumns
) -> tuple[LabelledOutput, ...]:
    """Every different output of the file, whether or not it has labels, which are not read.

    Raises:
        InputError: columns are missing, or a line belongs to none of `rows`.
    """
    return _read(read_scores(path), rows, columns, None, {})


def _read(
    sheet: Sheet,
    rows: Sequence[Example],
    columns: LabelColumns,
    label: str | None,
    scale: Mapping[str, float],
) -> tuple[LabelledOutput, ...]:
    output = _column(sheet, columns.output, OUTPUT_COLUMNS, "the outputs", "--output")
    if columns.group is not None:
        _column(sheet, columns.group, (), "groups", "--group")
    find = _finder(sheet, rows, {output, label or columns.label, columns.group, *LABEL_COLUMNS})
    found: dict[tuple[str, str], LabelledOutput] = {}
    strangers: list[str] = []
    for number, row in enumerate(sheet.rows(), 2 if sheet.form in ("csv", "tsv") else 1):
        said = _text(row.get(label)).strip() if label is not None else ""
        if label is not None and not said:
            continue
        scores = (_score(said, scale, f"{sheet.where}:{number}"),) if said else ()
        example = find(row)
        if example is None:
            strangers.append(str(number))
            continue
        key = example.content, _text(row.get(output))
        known = found.get(key)
        found[key] = LabelledOutput(
            example=example,
            output=key[1],
            scores=(*(known.scores if known else ()), *scores),
            group=_text(row.get(columns.group)) if columns.group else example.group,
        )
    if strangers:
        raise _unmatched(sheet, strangers, rows)
    return tuple(found.values())


def scale_of(options: Mapping[str, Json]) -> Mapping[str, float]:
    """The labels of a grader's own scale with their scores; empty where it has none."""
    scale = options.get("scale")
    if isinstance(scale, Mapping):
        return {
            str(name).casefold(): float(value)
            for name, value in scale.items()
            if isinstance(value, int | float)
        }
    ends = str(scale).split("-")
    if len(ends) == 2 and all(each.strip().isdigit() for each in ends):
        low, high = (int(each) for each in ends)
        if low < high:
            return {str(n): (n - low) / (high - low) for n in range(low, high + 1)}
    return {}


def _column(sheet: Sheet, named: str | None, usual: Sequence[str], what: str, option: str) -> str:
    if named is not None:
        if named in sheet.columns:
            return named
        raise unusable(
            sheet, f"there is no column '{line(named)}'",
            fix=f"the columns are {listed(sheet.columns)}",
        )  # fmt: skip
    for name in usual:
        if name in sheet.columns:
            return name
    raise unusable(
        sheet, f"no column is known to hold {what}",
        fix=f"name it with {option}; the columns are {listed(sheet.columns)}",
    )  # fmt: skip


def _finder(
    sheet: Sheet, rows: Sequence[Example], own: set[str | None]
) -> Callable[[Row], Example | None]:
    if EXAMPLE_COLUMN in sheet.columns:
        by_id = {str(row.id): row for row in rows}
        return lambda line_: by_id.get(_text(line_.get(EXAMPLE_COLUMN)))
    fields = {name for row in rows for name in row.fields}
    shared = [name for name in sheet.columns if name in fields and name not in own]
    if not shared:
        raise unusable(
            sheet,
            "no column says which row of the configuration a label belongs to",
            fix=f"give one of {listed(sorted(fields))}, or '{EXAMPLE_COLUMN}' as `tau export` does",
        )
    known: dict[tuple[str, ...], dict[str, Example]] = {}
    for row in rows:
        key = tuple(_text(row.fields.get(name)) for name in shared)
        known.setdefault(key, {}).setdefault(row.content, row)

    def find(line_: Row) -> Example | None:
        found = known.get(tuple(_text(line_.get(name)) for name in shared), {})
        if len(found) > 1:
            raise unusable(
                sheet,
                f"{listed(shared)} do not tell {counted(len(found), 'row')} apart",
                fix="add a column of the rows that does",
            )
        return next(iter(found.values()), None)

    return find


def _score(said: str, scale: Mapping[str, float], where: str) -> float:
    """A label as a number in 0..1: a name of the judge's scale, yes or no, or the number itself."""
    word = said.casefold()
    if word in scale:
        return scale[word]
    if word in _WORDS:
        return _WORDS[word]
    try:
        value = float(said)
    except ValueError:
        value = -1.0
    if 0 <= value <= 1:
        return value
    known = listed(list(scale)) if scale else "yes, no, or a number from 0 to 1"
    raise InputError(
        f"'{line(clipped(said, 40))}' is no label of this judge", where=line(where),
        fix=f"write one of {known}",
    )  # fmt: skip


def _unmatched(sheet: Sheet, strangers: Sequence[str], rows: Sequence[Example]) -> InputError:
    some = ", ".join(strangers[:_SHOWN]) + (" ..." if len(strangers) > _SHOWN else "")
    return unusable(
        sheet,
        f"{counted(len(strangers), 'line')} of no row of the configuration: {some}",
        fix=f"label outputs of its {counted(len(rows), 'row')}, or correct the columns that match",
    )


def _text(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
