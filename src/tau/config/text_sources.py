"""Resources that are read from elsewhere: files, folders, strings in JSON documents, checked texts.

What is read is part of the configuration's meaning: a file that changes makes another run.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from tau.config import json_text
from tau.config.report import IssueReport, JsonPath, ParseError
from tau.config.sources import decode, read_bytes
from tau.config.values import describe
from tau.domain.json import Json
from tau.domain.json_pointer import strings_at
from tau.domain.text_source import CHECK_LIMIT_S, TextSource

MOST_TEXT_BYTES = 256 * 1024
MOST_JSON_BYTES = 4 * 1024 * 1024
_KINDS = {
    "file": frozenset({"file", "check", "check_limit_s"}),
    "folder": frozenset({"folder", "edit", "check", "check_limit_s"}),
    "json": frozenset({"json", "edit"}),
}
_TOO_LARGE = "name a smaller file: what is optimized is sent to a model as a whole"
_MOST_FILES = 200
_SKILL = "SKILL.md"


@dataclass(slots=True)
class SourcedResources:
    """The values of all resources, and the sources of those that were read from elsewhere."""

    values: dict[str, Json] = field(default_factory=dict)
    sources: dict[str, TextSource] = field(default_factory=dict)


def sourced(
    written: Mapping[str, Json], *, base_dir: Path, environ: Mapping[str, str], report: IssueReport
) -> SourcedResources:
    """`written` with what its sources hold; everything else in it stays as it is."""
    found = SourcedResources()
    for name, value in written.items():
        kind = _kind(name, value, report)
        if kind is None:
            _put(found, name, value, None, report, name)
            continue
        assert isinstance(value, Mapping)
        reader = _Source(name, value, base_dir, environ, report)
        try:
            for made, content, source in getattr(reader, kind)():
                _put(found, made, content, source, report, name)
        except _Refused as refused:
            report.error(("resources", name, *refused.steps), refused.message, fix=refused.fix)
    return found


def _put(
    found: SourcedResources,
    name: str,
    value: Json,
    source: TextSource | None,
    report: IssueReport,
    written: str,
) -> None:
    if name in found.values:
        report.error(("resources", written), f"there are two resources '{name}'", fix="rename one")
    found.values[name] = value
    if source is not None:
        found.sources[name] = source


def _kind(name: str, value: Json, report: IssueReport) -> str | None:
    """file, folder or json; None for a value that stands for itself."""
    if not isinstance(value, Mapping):
        return None
    for kind, known in _KINDS.items():
        if kind not in value:
            continue
        strange = sorted(set(value) - known)
        if not strange:
            return kind
        if isinstance(value[kind], str):
            report.warning(
                ("resources", name, strange[0]),
                f"resource '{name}' is taken as it stands and no {kind} is read: "
                f"'{strange[0]}' is no field of one",
                fix=f"leave it out; the fields are: {', '.join(sorted(known))}",
            )
    return None


class _Refused(Exception):
    """What is wrong at a field of a source."""

    def __init__(self, steps: JsonPath, message: str, fix: str | None = None) -> None:
        super().__init__(message)
        self.steps, self.message, self.fix = steps, message, fix


_Read = Iterator[tuple[str, Json, TextSource | None]]


class _Source:
    """One object in `resources` that names where texts are."""

    def __init__(
        self,
        name: str,
        value: Mapping[str, Any],
        base_dir: Path,
        environ: Mapping[str, str],
        report: IssueReport,
    ) -> None:
        self._name = name
        self._value = value
        self._base_dir = base_dir
        self._environ = environ
        self._report = report

    def file(self) -> _Read:
        """One text."""
        path = self._path("file")
        text = self._text(self._base_dir / path, ("file",))
        yield self._name, text, self._checked(TextSource(path=path))

    def folder(self) -> _Read:
        """The texts of a folder that `edit` names, each by the resource's name and its own."""
        path = self._path("folder")
        folder = self._base_dir / path
        if not folder.is_dir():
            raise _Refused(("folder",), f"'{folder}' is no folder", "name one that exists")
        for relative in self._named_files(folder):
            text = self._text(folder / relative, ("edit",), root=folder)
            source = TextSource(path=str(PurePosixPath(path) / relative), folder=path, filled=False)
            yield f"{self._name}/{relative}", text, self._checked(source)

    def json(self) -> _Read:
        """A document, of which the strings that `edit` names may be changed."""
        given = self._value["json"]
        path = ""
        document = given
        if isinstance(given, str):
            path = self._path("json")
            document = self._document(self._base_dir / path)
        if not isinstance(document, Mapping | list):
            raise _Refused(("json",), f"it must be an object or a file, not {describe(document)}")
        pointers = self._pointers(document)
        yield self._name, document, TextSource(path=path, pointers=pointers, filled=False)

    def _path(self, field_name: str) -> str:
        value = self._value[field_name]
        if not isinstance(value, str) or not value.strip() or "\0" in value:
            message = f"'{field_name}' must be a path, not {describe(value)}"
            raise _Refused((field_name,), message)
        return str(PurePosixPath(value))

    def _texts(self, field_name: str, default: Sequence[str] = ()) -> tuple[str, ...]:
        value = self._value.get(field_name)
        if value is None:
            return tuple(default)
        if not isinstance(value, list | tuple) or not all(
            isinstance(each, str) and each for each in value
        ):
            message = f"'{field_name}' must be a list of texts, not {describe(value)}"
            raise _Refused((field_name,), message)
        return tuple(value)

    def _named_files(self, folder: Path) -> list[str]:
        found: dict[str, None] = {}
        for pattern in self._texts("edit", (_SKILL,)):
            if pattern.startswith(("/", "~")) or ".." in PurePosixPath(pattern).parts:
                message = f"'{pattern}' leads out of the folder '{folder}'"
                raise _Refused(("edit",), message, "name files in it, such as SKILL.md or *.md")
            matching = sorted(one for one in folder.glob(pattern) if not one.is_dir())
            if not matching:
                message = f"there is no file '{pattern}' in '{folder}'"
                raise _Refused(("edit",), message, "name files in it, such as SKILL.md or *.md")
            found |= dict.fromkeys(str(one.relative_to(folder).as_posix()) for one in matching)
        if not found or len(found) > _MOST_FILES:
            message = f"'edit' names {len(found)} files, and 1 to {_MOST_FILES} can be optimized"
            raise _Refused(("edit",), message, "name those whose texts matter")
        return list(found)

    def _text(self, path: Path, steps: JsonPath, root: Path | None = None) -> str:
        data = self._bytes(path, steps, MOST_TEXT_BYTES, root)
        if b"\0" in data:
            raise _Refused(steps, f"'{path}' is no text: it holds zero bytes", "name text files")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            message = f"'{path}' is not UTF-8: invalid byte at {error.start}"
            raise _Refused(steps, message, "save it as UTF-8") from None
        if not text.strip():
            raise _Refused(steps, f"'{path}' is empty", "give it a text to begin with")
        return text

    def _bytes(self, path: Path, steps: JsonPath, limit: int, root: Path | None = None) -> bytes:
        try:
            whole = path.resolve()
            inside = (root or path.parent).resolve()
        except (OSError, RuntimeError) as error:
            raise _Refused(steps, f"'{path}' cannot be read: {error}") from None
        straight = inside / path.relative_to(root or path.parent)
        if path.is_symlink() or whole != straight.absolute():
            message = f"'{path}' is a symbolic link"
            if root is not None and not whole.is_relative_to(inside):
                message += f", which leads out of '{root}'"
            raise _Refused(steps, message, "name the file itself: it is to be written back")
        try:
            return read_bytes(path, limit=limit, fix=_TOO_LARGE)
        except ParseError as error:
            raise _Refused(steps, f"'{path}' {error.message}", error.fix) from None

    def _document(self, path: Path) -> Json:
        data = self._bytes(path, ("json",), MOST_JSON_BYTES)
        try:
            parsed = json_text.parse(decode(data))
        except ParseError as error:
            place = f":{error.line}" if error.line else ""
            message = f"'{path}{place}' is {error.message}"
            raise _Refused(("json",), message, error.fix) from None
        for issue in parsed.issues:
            raise _Refused(("json",), f"'{path}': {issue.message}", issue.fix)
        value: Json = parsed.value
        return value

    def _pointers(self, document: Json) -> tuple[str, ...]:
        patterns = self._texts("edit")
        if not patterns:
            message = "'edit' must name the strings that may be changed"
            raise _Refused(("edit",), message, 'write "edit": ["/tools/*/description"]')
        found: dict[str, None] = {}
        for pattern in patterns:
            here = strings_at(document, pattern) if pattern.startswith("/") else ()
            if not here:
                message = f"'{pattern}' names no string in the document"
                fix = "write a JSON pointer, with * for every element: /tools/*/description"
                raise _Refused(("edit",), message, fix)
            found |= dict.fromkeys(here)
        return tuple(found)

    def _checked(self, source: TextSource) -> TextSource:
        check = self._texts("check")
        limit = self._value.get("check_limit_s", CHECK_LIMIT_S)
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 < limit <= 60:
            message = f"'check_limit_s' must be above 0 and at most 60, not {describe(limit)}"
            raise _Refused(("check_limit_s",), message)
        if not check:
            return source
        name = check[0]
        where = self._base_dir / name if "/" in name else name
        if shutil.which(where, path=self._environ.get("PATH")) is None:
            message = f"the checker '{name}' was not found"
            raise _Refused(("check",), message, "give a program on PATH, or a path with a '/'")
        return replace(source, check=check, check_limit_s=float(limit), filled=False)
