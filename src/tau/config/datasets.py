"""Datasets: rows written inline, or read from JSONL, CSV, JSON and YAML files."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from tau.config import json_text, yaml_text
from tau.config.fields import DatasetFields, given
from tau.config.json_text import JsonReader
from tau.config.report import (
    IssueReport,
    JsonPath,
    Locate,
    ParsedText,
    ParseError,
    nearest,
    pointer,
    suggestion,
)
from tau.config.sources import MIB, decode, is_wide, open_file, read_bytes, read_line, read_some
from tau.config.tables import table
from tau.config.values import describe
from tau.config.wording import validated
from tau.domain.json import Json
from tau.errors import ConfigIssue

SHOWN = 20
"""Problems of one file that are listed; the others are counted."""

_STRUCTURED = ("choices", "messages")
"""Columns that hold a list or an object; in a cell they are written as JSON."""
_ARRAY = "not JSONL: the rows are one JSON list"
_AS_JSON = "set 'format' to json"

_ENDINGS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".yaml": "yaml",
    ".yml": "yaml",
}


def rows(value: Json, *, base_dir: Path, steps: JsonPath, report: IssueReport) -> tuple[Json, ...]:
    """The rows that `value` stands for: a list, or an object that names a file.

    Whatever is wrong is reported; the rows are then not complete.
    """
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, Mapping):
        report.error(
            steps,
            f"training config field '{steps[-1]}' must be a list of rows or an object that names "
            f"a file, not {describe(value)}",
            fix='write [...] or {"file": "rows.jsonl"}',
        )
        return ()
    fields = validated(DatasetFields, given(value), steps=steps, report=report)
    if fields is None:
        return ()
    return _FileRows(base_dir / fields.file, fields, report, steps).read()


class _FileRows:
    """Reads one file and reports what is wrong with it."""

    def __init__(
        self, path: Path, fields: DatasetFields, report: IssueReport, steps: JsonPath
    ) -> None:
        self._path = path
        self._fields = fields
        self._report = report
        self._steps = steps
        self._limit = fields.max_mb * MIB
        self._wrong = 0
        self._locate: Locate | None = None
        self._form = fields.format or _format(path)
        self._checked = False
        self._missing: dict[str, list[tuple[int | None, JsonPath, tuple[str, ...]]]] = {}

    def read(self) -> tuple[Json, ...]:
        """All rows wanted, renamed."""
        found: list[Json] = []
        try:
            for position, (line, at, row) in enumerate(self._rows()):
                if position >= self._fields.offset:
                    found.append(self._renamed(row, line, at))
                if len(found) == self._fields.limit:
                    break
        except _TurnedRound as error:
            self._report.error((*self._steps, "map"), error.message, fix=error.fix)
            return ()
        except ParseError as error:
            self._unusable(error)
            return ()
        self._report_missing()
        self._count_the_rest()
        if not found and not self._wrong:
            self._problem(f"dataset '{self._path}' has no rows{self._beyond()}")
        return tuple(found)

    def _rows(self) -> Iterator[tuple[int | None, JsonPath, Json]]:
        """(line where known, steps within a document, row), as far as they are asked for."""
        form = self._form
        if form is None:
            open_file(self._path).close()  # what is not there, or no text, is told as such
            raise ParseError(
                "has a name that tells no format",
                fix="set 'format' to jsonl, csv, tsv, json or yaml",
            )
        if form == "jsonl":
            yield from self._jsonl()
        elif form == "json":
            yield from self._document(json_text.parse)
        elif form == "yaml":
            yield from self._document(yaml_text.parse)
        else:
            yield from self._csv("\t" if form == "tsv" else ",")

    def _jsonl(self) -> Iterator[tuple[int, JsonPath, Json]]:
        reader = JsonReader()
        first = True
        with open_file(self._path) as stream:
            for number, data in self._lines(stream):
                text = ""
                try:
                    text = decode(data, first_line=number).strip(" \t\r\n")
                    if not text:
                        continue
                    row, issues = reader.parse(text, first_line=number)
                except ParseError as error:
                    if first:
                        _check_lines(text, number)
                    self._problem(error.message, line=number, fix=error.fix)
                    continue
                finally:
                    first = first and not text
                if isinstance(row, list) and any(isinstance(each, Mapping) for each in row):
                    raise ParseError(_ARRAY, line=number, fix=_AS_JSON)
                for issue in issues:
                    self._problem(issue.message, line=number, at=issue.steps, fix=issue.fix)
                if not issues:
                    yield number, (), row

    def _lines(self, stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
        """Numbered lines; never more of the file than the limit, nor than is asked for."""
        left = self._limit
        first = read_line(stream, left + 1)
        if is_wide(first):
            data = first + read_some(stream, left + 1 - len(first))
            if len(data) > left:
                raise self._too_large()
            text = decode(data)
            yield from enumerate((line.encode() for line in text.split("\n")), start=1)
            return
        number, data = 1, first
        while data:
            left -= len(data)
            if left < 0:
                raise self._too_large()
            yield number, data
            number, data = number + 1, read_line(stream, left + 1)

    def _document(
        self, parse: Callable[[str], ParsedText]
    ) -> Iterator[tuple[None, JsonPath, Json]]:
        document = parse(self._text())
        self._locate = document.locate
        where = nearest([issue.steps for issue in document.issues], document.locate)
        for issue in document.issues:
            line = issue.line or where.get(issue.steps)
            self._problem(issue.message, line=line, at=issue.steps, fix=issue.fix)
        if not document.issues:
            way, rows = self._list(document.value)
            yield from ((None, (*way, index), row) for index, row in enumerate(rows))

    def _list(self, value: Any) -> tuple[JsonPath, list[Json]]:  # noqa: ANN401
        asked = self._fields.pointer
        if asked is None:
            asked = "/rows" if isinstance(value, dict) else ""
        item, way = value, list[str | int]()
        for step in asked.split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(item, dict) and key in item:
                item = item[key]
                way.append(key)
            elif (
                isinstance(item, list) and key.isascii() and key.isdigit() and int(key) < len(item)
            ):
                item = item[int(key)]
                way.append(int(key))
            else:
                keys = suggestion(key, item) if isinstance(item, dict) else None
                fix = keys or "set 'pointer' to where the list of rows is"
                raise ParseError(f"has nothing at '{asked}'", fix=fix)
        if not isinstance(item, list):
            raise ParseError(
                f"must hold a list of rows, not {describe(item)}",
                fix="set 'pointer' to where the list of rows is",
            )
        return tuple(way), item

    def _csv(self, delimiter: str) -> Iterator[tuple[int, JsonPath, Json]]:
        for line, cells in table(self._text(), delimiter):
            if isinstance(cells, str):
                self._problem(cells, line=line)
            else:
                yield line, (), dict(cells)

    def _renamed(self, row: Json, line: int | None, at: JsonPath) -> Json:
        mapping = self._fields.map
        if isinstance(row, Mapping):
            self._check_direction(row)
            for source in mapping.values():
                if source not in row:
                    self._missing.setdefault(source, []).append((line, at, tuple(row)))
            row = {**row, **{new: row[old] for new, old in mapping.items() if old in row}}
            return self._with_lists(row, line) if self._form in ("csv", "tsv") else row
        if mapping:
            message = f"row is {describe(row)}, which has no columns to map"
            self._problem(message, line=line, at=at)
        return row

    def _check_direction(self, row: Mapping[str, Json]) -> None:
        """Refuse a map that names columns by their new names, seen by the first row."""
        mapping = self._fields.map
        turned = {old: new for new, old in mapping.items()}
        if self._checked or not mapping:
            return
        self._checked = True
        if all(new in row for new in mapping) and not any(old in row for old in turned):
            written = ", ".join(f"{new}: {old}" for new, old in turned.items())
            raise _TurnedRound(
                "'map' is turned round: it gives new names, and after each the column it is for",
                fix=f"write map: {{{written}}}",
            )

    def _with_lists(self, row: dict[str, Json], line: int | None) -> Json:
        """Cells of columns that only lists and objects make sense in, read as JSON."""
        for name in _STRUCTURED:
            cell = row.get(name)
            if isinstance(cell, str) and cell.strip()[:1] in ("[", "{"):
                try:
                    row[name], issues = JsonReader().parse(cell)
                except ParseError as error:
                    self._problem(f"the cell '{name}' is {error.message}", line=line)
                    continue
                for issue in issues:
                    self._problem(f"the cell '{name}': {issue.message}", line=line, fix=issue.fix)
        return row

    def _report_missing(self) -> None:
        for source, found in self._missing.items():
            line, at, names = found[0]
            others = f", nor have {len(found) - 1} others" if len(found) > 1 else ""
            fix = suggestion(source, names)
            self._problem(f"row has no column '{source}'{others}", line=line, at=at, fix=fix)

    def _text(self) -> str:
        fix = f"raise 'max_mb' (now {self._fields.max_mb}), or use JSONL with 'limit'"
        return decode(read_bytes(self._path, limit=self._limit, fix=fix))

    def _too_large(self) -> ParseError:
        return ParseError(
            f"is larger than {self._fields.max_mb} MiB",
            fix=f"raise 'max_mb' (now {self._fields.max_mb}) or set 'limit'",
        )

    def _beyond(self) -> str:
        return f" after the first {self._fields.offset}" if self._fields.offset else ""

    def _unusable(self, error: ParseError) -> None:
        """The file itself cannot be used: said where the configuration names it."""
        if error.line is not None:
            self._wrong = 0
            self._problem(error.message, line=error.line, fix=error.fix)
            return
        message = f"dataset '{self._path}' {error.message}"
        self._report.error((*self._steps, "file"), message, fix=error.fix)

    def _problem(
        self, message: str, *, line: int | None = None, at: JsonPath = (), fix: str | None = None
    ) -> None:
        self._wrong += 1
        if self._wrong <= SHOWN:
            if line is None and at and self._locate is not None:
                line = nearest([at], self._locate).get(at)
            self._report.add(
                ConfigIssue(
                    message=message, file=str(self._path), pointer=pointer(at), line=line, fix=fix
                )
            )

    def _count_the_rest(self) -> None:
        if self._wrong > SHOWN:
            more = f"and {self._wrong - SHOWN} more problems"
            self._report.add(ConfigIssue(message=more, file=str(self._path)))


class _TurnedRound(ParseError):
    """A map from columns to new names, where new names come first."""


def _check_lines(text: str, number: int) -> None:
    """Say of a first line that is no JSON what the whole file seems to be, where that is plain.

    Raises:
        Unusable: one hint for the file, instead of a problem for each line.
    """
    if text.startswith("["):
        raise ParseError(_ARRAY, line=number, fix=_AS_JSON)
    if text.endswith("},"):
        raise ParseError(
            "not JSONL: the rows are separated by commas",
            line=number,
            fix="leave out the comma at the end of each line",
        )
    if text.startswith("{") and not text.endswith("}"):
        raise ParseError(
            "not JSONL: a row goes on over several lines",
            line=number,
            fix="write each row on one line, or all as one list with 'format' set to json",
        )


def _format(path: Path) -> str | None:
    name = path.name.casefold().removesuffix(".gz")
    return _ENDINGS.get(Path(name).suffix)
