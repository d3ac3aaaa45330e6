"""Datasets: rows written inline, or read from JSONL, CSV, JSON and YAML files."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from tau.config import json_text, yaml_text
from tau.config.fields import DatasetFields, given
from tau.config.json_text import JsonReader
from tau.config.report import (
    Document,
    Locate,
    Report,
    Steps,
    Unusable,
    nearest,
    pointer,
    suggestion,
)
from tau.config.sources import MIB, decode, is_wide, open_file, read_bytes, read_line, read_some
from tau.config.values import describe
from tau.config.wording import validated
from tau.domain.json import Json
from tau.errors import Problem

SHOWN = 20
"""Problems of one file that are listed; the others are counted."""

_ENDINGS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".yaml": "yaml",
    ".yml": "yaml",
}


def rows(value: Json, *, base_dir: Path, steps: Steps, report: Report) -> tuple[Json, ...]:
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

    def __init__(self, path: Path, fields: DatasetFields, report: Report, steps: Steps) -> None:
        self._path = path
        self._fields = fields
        self._report = report
        self._steps = steps
        self._limit = fields.max_mb * MIB
        self._wrong = 0
        self._locate: Locate | None = None

    def read(self) -> tuple[Json, ...]:
        """All rows wanted, renamed."""
        form = self._fields.format or _format(self._path)
        if form is None:
            self._report.error(
                (*self._steps, "file"),
                f"dataset '{self._path}' has a name that tells no format",
                fix="set 'format' to jsonl, csv, tsv, json or yaml",
            )
            return ()
        found: list[Json] = []
        try:
            for position, (line, at, row) in enumerate(self._rows(form)):
                if position >= self._fields.offset:
                    found.append(self._renamed(row, line, at))
                if len(found) == self._fields.limit:
                    break
        except Unusable as error:
            self._unusable(error)
            return ()
        self._count_the_rest()
        if not found and not self._wrong:
            self._problem(f"dataset '{self._path}' has no rows{self._beyond()}")
        return tuple(found)

    def _rows(self, form: str) -> Iterator[tuple[int | None, Steps, Json]]:
        """(line where known, steps within a document, row), as far as they are asked for."""
        if form == "jsonl":
            yield from self._jsonl()
        elif form == "json":
            yield from self._document(json_text.parse)
        elif form == "yaml":
            yield from self._document(yaml_text.parse)
        else:
            yield from self._csv("\t" if form == "tsv" else ",")

    def _jsonl(self) -> Iterator[tuple[int, Steps, Json]]:
        reader = JsonReader()
        with open_file(self._path) as stream:
            for number, data in self._lines(stream):
                try:
                    text = decode(data, first_line=number).strip(" \t\r\n")
                    if not text:
                        continue
                    row, flaws = reader.parse(text, first_line=number)
                except Unusable as error:
                    self._problem(error.message, line=number, fix=error.fix)
                    continue
                for flaw in flaws:
                    self._problem(flaw.message, line=number, at=flaw.steps, fix=flaw.fix)
                if not flaws:
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

    def _document(self, parse: Callable[[str], Document]) -> Iterator[tuple[None, Steps, Json]]:
        document = parse(self._text())
        self._locate = document.locate
        where = nearest([flaw.steps for flaw in document.flaws], document.locate)
        for flaw in document.flaws:
            line = flaw.line or where.get(flaw.steps)
            self._problem(flaw.message, line=line, at=flaw.steps, fix=flaw.fix)
        if not document.flaws:
            way, rows = self._list(document.value)
            yield from ((None, (*way, index), row) for index, row in enumerate(rows))

    def _list(self, value: Any) -> tuple[Steps, list[Json]]:  # noqa: ANN401
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
                raise Unusable(f"has nothing at '{asked}'", fix=fix)
        if not isinstance(item, list):
            raise Unusable(
                f"must hold a list of rows, not {describe(item)}",
                fix="set 'pointer' to where the list of rows is",
            )
        return tuple(way), item

    def _csv(self, delimiter: str) -> Iterator[tuple[int, Steps, Json]]:
        text = self._text()
        before = csv.field_size_limit(max(len(text), 1))
        try:
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
            try:
                self._check_separator(text, delimiter)
                header = [name.strip() for name in next(reader, [])]
                self._check_header(header)
                for cells in reader:
                    if not cells:
                        continue
                    if len(cells) != len(header):
                        message = f"row has {len(cells)} cells, the header {len(header)}"
                        self._problem(message, line=reader.line_num)
                        continue
                    yield reader.line_num, (), dict(zip(header, cells, strict=True))
            except csv.Error as error:
                raise Unusable(f"not CSV: {error}", line=max(reader.line_num, 1)) from None
        finally:
            csv.field_size_limit(before)

    def _check_separator(self, text: str, delimiter: str) -> None:
        first = text.partition("\n")[0]
        other = next((each for each in ";\t," if each in first), None)
        if delimiter in first or other is None:
            return
        named = {";": "';'", "\t": "tabs", ",": "','"}
        raise Unusable(
            f"the columns are separated by {named[other]}, not by {named[delimiter]}",
            line=1,
            fix="set 'format' to tsv" if other == "\t" else f"save it with {named[delimiter]}",
        )

    def _check_header(self, header: list[str]) -> None:
        if not header:
            raise Unusable("is empty", fix="the first line must name the columns")
        twice = sorted({name for name in header if header.count(name) > 1})
        if "" in header or twice:
            what = (
                f"names '{twice[0]}' twice" if twice and twice[0] else "has a column without name"
            )
            raise Unusable(f"the header {what}", line=1)

    def _renamed(self, row: Json, line: int | None, at: Steps) -> Json:
        mapping = self._fields.map
        if not mapping:
            return row
        if not isinstance(row, Mapping):
            message = f"row is {describe(row)}, which has no columns to map"
            self._problem(message, line=line, at=at)
            return row
        missing = [source for source in mapping.values() if source not in row]
        if missing:
            fix = suggestion(missing[0], row)
            self._problem(f"row has no column '{missing[0]}'", line=line, at=at, fix=fix)
        sources = set(mapping.values())
        kept = {name: value for name, value in row.items() if name not in sources}
        return kept | {new: row[old] for new, old in mapping.items() if old in row}

    def _text(self) -> str:
        fix = f"raise 'max_mb' (now {self._fields.max_mb}), or use JSONL with 'limit'"
        return decode(read_bytes(self._path, limit=self._limit, fix=fix))

    def _too_large(self) -> Unusable:
        return Unusable(
            f"is larger than {self._fields.max_mb} MiB",
            fix=f"raise 'max_mb' (now {self._fields.max_mb}) or set 'limit'",
        )

    def _beyond(self) -> str:
        return f" after the first {self._fields.offset}" if self._fields.offset else ""

    def _unusable(self, error: Unusable) -> None:
        """The file itself cannot be used: said where the configuration names it."""
        if error.line is not None:
            self._wrong = 0
            self._problem(error.message, line=error.line, fix=error.fix)
            return
        message = f"dataset '{self._path}' {error.message}"
        self._report.error((*self._steps, "file"), message, fix=error.fix)

    def _problem(
        self, message: str, *, line: int | None = None, at: Steps = (), fix: str | None = None
    ) -> None:
        self._wrong += 1
        if self._wrong <= SHOWN:
            if line is None and at and self._locate is not None:
                line = nearest([at], self._locate).get(at)
            self._report.add(
                Problem(
                    message=message, file=str(self._path), pointer=pointer(at), line=line, fix=fix
                )
            )

    def _count_the_rest(self) -> None:
        if self._wrong > SHOWN:
            more = f"and {self._wrong - SHOWN} more problems"
            self._report.add(Problem(message=more, file=str(self._path)))


def _format(path: Path) -> str | None:
    name = path.name.casefold().removesuffix(".gz")
    return _ENDINGS.get(Path(name).suffix)
