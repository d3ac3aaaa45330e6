"""Evaluation tables of MLflow: pandas' JSON shapes, and the columns that scorers write."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tau.scores.json_lines import records
from tau.scores.sheet import Row, Sheet, id_of_content, unusable

_INPUTS = ("inputs", "request", "question", "input")
_EXPECTED = ("targets", "expectations", "expected_response/value", "ground_truth", "expected")
_OUTPUTS = ("outputs", "response", "predictions", "prediction", "output")
_ENDINGS = ("/score", "/value")
_NO_SCORES = ("expected_response/value", "expected_facts/value", "guidelines/value")


def table_of(path: str, document: Any) -> list[Row] | None:  # noqa: ANN401
    """The rows of a data frame in one of pandas' shapes (split, columns), else None.

    Raises:
        InputError: a row with more or fewer values than there are columns.
    """
    if not isinstance(document, Mapping) or not document:
        return None
    names, data = document.get("columns"), document.get("data")
    if isinstance(names, list) and isinstance(data, list):
        wrong = [n for n, row in enumerate(data) if not _fits(row, names)]
        if wrong:
            raise unusable(f"{path} /data/{wrong[0]}", f"a row must have {len(names)} values")
        return [dict(zip(map(str, names), row, strict=True)) for row in data]
    columns = list(document.values())
    if not all(isinstance(each, Mapping) and each for each in columns):
        return None
    keys = list(columns[0])
    if any(list(each) != keys for each in columns) or keys[0] != "0":
        return None
    return [{name: column[key] for name, column in document.items()} for key in keys]


def is_table(sheet: Sheet) -> bool:
    """Whether the columns are such as MLflow's scorers write."""
    names = set(sheet.columns)
    return bool(_scores(sheet.columns)) or {"trace_id", "assessments"} <= names


def read_table(path: str, rows: Sequence[Any]) -> Sheet:
    """The sheet of a table that is in memory."""
    return described(records(path, rows, "mlflow"))


def described(sheet: Sheet) -> Sheet:
    """The sheet with what is known of MLflow's columns; a trace's id is another in each run."""
    assessed = "assessments" in sheet.columns
    scores = list(_scores(sheet.columns))
    if assessed:
        scores += dict.fromkeys(name for row in sheet.rows() for name in _assessments(row))
    inputs = tuple(name for name in _INPUTS if name in sheet.columns)[:1]
    content = (*inputs, *(name for name in _EXPECTED if name in sheet.columns))
    own = "id" in sheet.columns
    answer = next((name for name in _OUTPUTS if name in sheet.columns), None)

    def rows() -> Iterator[Row]:
        for row in sheet.rows():
            extra = _assessments(row) if assessed else {}
            if inputs and not own:
                extra["id"] = id_of_content([row.get(name) for name in content])
            yield {**row, **extra}

    return replace(
        sheet,
        form="mlflow",
        rows=rows,
        cells=None,
        columns=tuple(dict.fromkeys((*sheet.columns, *scores))),
        ids=("id",) if own or inputs else (),
        scores=tuple(dict.fromkeys(scores)),
        repeats=bool(inputs) and not own,
        content=content,
        question=inputs[0] if inputs else None,
        answer=answer,
    )


def _fits(row: object, names: Sequence[str]) -> bool:
    return isinstance(row, list) and len(row) == len(names)


def _scores(columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in columns if name.endswith(_ENDINGS) and name not in _NO_SCORES)


def _assessments(row: Row) -> dict[str, Any]:
    """Feedback of scorers and people by name; people's marked as theirs."""
    found: dict[str, Any] = {}
    for one in row.get("assessments") or ():
        if not isinstance(one, Mapping) or not isinstance(one.get("feedback"), Mapping):
            continue
        name = str(one.get("assessment_name") or one.get("name"))
        source = one.get("source")
        kind = source.get("source_type") if isinstance(source, Mapping) else None
        found[f"{name} (human)" if kind == "HUMAN" else name] = one["feedback"].get("value")
    return found
