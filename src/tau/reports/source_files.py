"""What a run's prompts would change in the files that they came from."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tau.domain.json import Json
from tau.domain.json_pointer import string_at
from tau.domain.resources import Resources
from tau.domain.text_source import TextSource
from tau.errors import InputError
from tau.files.documents import read_bytes

_MOST_BYTES = 16 * 1024 * 1024
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_AGAIN = "run again with the file as it is now, or bring back what the run read"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A file, by its path from the configuration's folder, as it is and as it is to be."""

    path: str
    before: str
    after: str


def file_changes(
    sources: Mapping[str, TextSource], baseline: Resources, chosen: Resources, root: Path
) -> tuple[FileChange, ...]:
    """What `chosen` changes in the files below `root`; what is there already is left out.

    Raises:
        InputError: a file is missing, a link, or not what the run has read.
    """
    found: dict[str, FileChange] = {}
    for name, source in sources.items():
        old, new = baseline.values.get(name), chosen.values.get(name)
        if not source.path or old == new or new is None:
            continue
        before = _current(root, source.path)
        after = _after(before, old, new, source, root)
        if source.path in found and found[source.path].after != after:
            raise InputError(
                f"two resources change '{source.path}'", fix="write one of them back by hand"
            )
        if after != before:
            found[source.path] = FileChange(path=source.path, before=before, after=after)
    return tuple(found.values())


def patch(changes: tuple[FileChange, ...]) -> str:
    """The changes as one unified diff that `git apply` and `patch -p1` take.

    Raises:
        InputError: a file outside of the configuration's folder, which no patch may name.
    """
    return "".join(line for change in changes for line in _hunks(change))


def _after(before: str, old: Json, new: Json, source: TextSource, root: Path) -> str:
    changed = InputError(
        f"'{root / source.path}' has changed since the run read it",
        why="what was found out is about another text",
        fix=_AGAIN,
    )
    if not source.pointers:
        assert isinstance(new, str)
        if before not in (old, new):
            raise changed
        return new
    try:
        there = json.loads(before.removeprefix("\ufeff"))
    except ValueError:
        raise changed from None
    if there == new:
        return before
    if there != old:
        raise changed
    return _with_strings(before, {at: string_at(new, at) for at in source.pointers})


def _current(root: Path, path: str) -> str:
    file = root / path
    straight = Path(root.resolve(), path)
    if file.is_symlink() or (".." not in PurePosixPath(path).parts and file.resolve() != straight):
        raise InputError(
            f"'{file}' is a symbolic link",
            why="it would lead what is written to another file",
            fix="replace the link by the file",
        )
    data = read_bytes(file, limit=_MOST_BYTES)
    if data is None:
        raise InputError(
            f"'{file}' does not exist", fix="name the folder of the configuration: --root FOLDER"
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"'{file}' is not UTF-8", fix="save it as UTF-8") from None


def _with_strings(text: str, values: Mapping[str, str]) -> str:
    """The JSON `text` with other strings; nothing else of it changes, blanks included."""
    plain = text.isascii()
    parts, last = [], 0
    for pointer, start, end in _strings(text):
        if pointer in values and json.loads(text[start:end]) != values[pointer]:
            parts += [text[last:start], json.dumps(values[pointer], ensure_ascii=plain)]
            last = end
    return "".join((*parts, text[last:]))


def _strings(text: str) -> Iterator[tuple[str, int, int]]:
    """Every string value of a JSON text: its pointer, and where it stands."""
    path: list[str] = []
    lists: list[bool] = []
    key = False
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in "{[":
            lists.append(token == "[")
            path.append("0")
            key = token == "{"
        elif token in "}]":
            lists.pop()
            path.pop()
        elif token == ",":
            key = not lists[-1]
            if lists[-1]:
                path[-1] = str(int(path[-1]) + 1)
        elif key and token != ":":
            path[-1] = json.loads(token).replace("~", "~0").replace("/", "~1")
            key = False
        elif token.startswith('"'):
            yield "".join(f"/{step}" for step in path), match.start(), match.end()


def _hunks(change: FileChange) -> Iterator[str]:
    parts = PurePosixPath(change.path).parts
    if change.path.startswith("/") or ".." in parts:
        raise InputError(
            f"'{change.path}' is outside of the configuration's folder",
            why="a patch may not name it",
            fix="use --to files",
        )
    end = "\t" if " " in change.path else ""  # where the name ends
    lines = difflib.unified_diff(
        _lines(change.before),
        _lines(change.after),
        f"a/{change.path}{end}",
        f"b/{change.path}{end}",
    )
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(text: str) -> list[str]:
    """Lines by line feeds alone, as patches know them."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)
