"""Which tool wrote a file, by its content, and its rows."""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from itertools import islice
from typing import Any

from tau.domain.visible import clipped, line
from tau.errors import InputError
from tau.scores import exports, inspect_logs, lm_eval, mlflow, promptfoo
from tau.scores.json_lines import lines_of, loads, read_lines, records
from tau.scores.sheet import Sheet, listed, unusable
from tau.scores.source import document_bytes, opened, opened_text
from tau.scores.tables import read_table

_ZIP = b"PK\x03\x04"


class Format(StrEnum):
    """What a file can be said to be."""

    CSV = "csv"
    JSONL = "jsonl"
    JSON = "json"
    PROMPTFOO = "promptfoo"
    INSPECT = "inspect"
    MLFLOW = "mlflow"
    LM_EVAL = "lm-eval"
    TAU = "tau"


def read_scores(path: str, form: Format | None = None) -> Sheet:
    """The sheet of a file; `form` says what it is, else its content tells.

    Raises:
        InputError: it cannot be read, or is nothing that holds scores of single rows.
    """
    with opened(path) as stream:
        head = stream.read(4)
    if not head:
        raise unusable(path, "the file is empty")
    if form in _PLAIN:
        return _PLAIN[form](path)
    sheet = inspect_logs.read_archive(path) if head == _ZIP else _text(path)
    if form is not None and sheet.form != form:
        raise unusable(path, f"the file is not {form.value}: it looks like {sheet.form}")
    return sheet


def _text(path: str) -> Sheet:
    """The sheet of a text file: JSON by line, one JSON document, or a table."""
    with opened_text(path) as text:
        some = [data.strip() for data in islice((each for each in text if each.strip()), 2)]
    if not some:
        raise unusable(path, "the file is empty")
    if some[0][0] not in "{[":
        return _table(path)
    if len(some) == 1:
        return _one_line(path)
    if all(data[0] == "{" and _is_json(data) for data in some):
        return _lines(path)
    return _document(path, _parsed(path))


def _table(path: str) -> Sheet:
    sheet = read_table(path)
    if exports.is_export(sheet):
        return exports.described(sheet)
    return mlflow.described(sheet) if mlflow.is_table(sheet) else sheet


def _one_line(path: str) -> Sheet:
    """A file of one line is a document where it is one that holds rows, else a single row."""
    document = _parsed(path)
    if isinstance(document, Mapping) and not any(
        isinstance(value, list | Mapping) for value in document.values()
    ):
        return read_lines(path)
    return _document(path, document)


def _lines(path: str) -> Sheet:
    first = next(lines_of(path))
    return _rows(path, first, lambda: lines_of(path), lambda: read_lines(path))


def _rows(
    path: str,
    first: object,
    rows: Callable[[], Iterator[Any]],
    plain: Callable[[], Sheet],
) -> Sheet:
    """Rows by what the first one looks like."""
    if promptfoo.is_result(first):
        return promptfoo.sheet_of(path, rows)
    if lm_eval.is_sample(first):
        return lm_eval.read_samples(path, rows)
    sheet = plain()
    if exports.is_export(sheet):
        return exports.described(sheet)
    return mlflow.described(sheet) if mlflow.is_table(sheet) else sheet


def _document(path: str, document: Any) -> Sheet:  # noqa: ANN401
    if inspect_logs.is_log(document):
        return inspect_logs.read_document(path, document)
    if lm_eval.is_aggregate(document):
        raise unusable(
            path,
            "these are lm-eval's results of whole tasks, without the scores of single rows",
            fix="evaluate with --log_samples and name the samples_*.jsonl files",
        )
    results = promptfoo.results_of(document)
    if results is not None:
        return promptfoo.read_results(path, document, results)
    table = mlflow.table_of(path, document)
    if table is not None:
        return mlflow.read_table(path, table)
    rows = _list(document)
    if not rows:
        raise unusable(path, _unknown(document), fix=f"known are: {', '.join(Format)}")
    return _rows(path, rows[0], lambda: iter(rows), lambda: records(path, rows))


def _list(document: Any) -> list[Any] | None:  # noqa: ANN401
    """The only list of objects there is: the document itself, or one of its values."""
    if isinstance(document, list):
        return document
    if not isinstance(document, Mapping):
        return None
    lists = [
        value
        for value in document.values()
        if isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value)
    ]
    return lists[0] if len(lists) == 1 else None


def _unknown(document: Any) -> str:  # noqa: ANN401
    if isinstance(document, list):
        return "the file has no rows"
    keys = listed(list(document), 6) if isinstance(document, Mapping) else "none"
    return f"nothing here is known to hold scores of single rows (keys: {keys})"


def _parsed(path: str) -> Any:  # noqa: ANN401
    try:
        return loads(document_bytes(path))
    except ValueError as error:
        why = clipped(line(str(error)), 200)
        raise InputError("the file is not JSON", where=line(path), why=why) from None


def _is_json(text: str) -> bool:
    try:
        loads(text)
    except ValueError:
        return False
    return True


def _read_list(path: str) -> Sheet:
    rows = _list(_parsed(path))
    if not rows:
        raise unusable(path, "the file holds no list of objects")
    return records(path, rows)


_PLAIN: Mapping[Format | None, Callable[[str], Sheet]] = {
    Format.CSV: read_table,
    Format.JSONL: read_lines,
    Format.JSON: _read_list,
}
