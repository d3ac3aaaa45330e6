"""People's scores of single answers: a line each, with who and when, beside what was labelled."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tau.domain.draws import uniform
from tau.domain.visible import line
from tau.errors import InputError
from tau.files.atomic import append_line
from tau.scores.pairing import whole_rows
from tau.scores.sheet import digest_of
from tau.scores.sides import Request, Side

ENDING = ".labels.jsonl"
_MOST_BYTES = 256 << 20

Key = tuple[str, str]
"""A row and whose answer: a column of scores or a prompt, nothing where a file has only one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One person's score of one answer, in 0..1; None takes back what was said before.

    `answer` stands for the text that was seen, None where none was known; `column` is where it
    stood, None where the format says it.
    """

    row: str
    of: str
    score: float | None
    answer: str | None
    principal: str
    labelled_unix_ms: int
    column: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One answer to be labelled."""

    row: str
    of: str
    question: str
    answer: str
    column: str | None = None

    @property
    def digest(self) -> str:
        """What stands for the answer."""
        return digest_of(self.answer)


def labels_file(path: str) -> Path:
    """Where the labels of a file are kept: beside it."""
    return Path(path + ENDING)


def whose(side: Side) -> str:
    """What tells a side's answers from others in the same file; nothing where none are."""
    if side.variant is not None:
        return side.variant
    return side.score if side.name == side.score else ""


def read_labels(path: Path) -> Mapping[Key, Label]:
    """The last label of each answer; none where there is no file.

    Raises:
        InputError: the file is no file of labels.
    """
    if path.is_symlink():
        raise InputError(f"'{line(str(path))}' is a symbolic link", fix="name the file itself")
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"cannot read '{line(str(path))}'", why=error.strerror) from None
    found: dict[Key, Label] = {}
    for number, row in enumerate(data.split(b"\n"), 1):
        if row.strip():
            label = _label(path, number, row)
            found[label.row, label.of] = label
    return {key: label for key, label in found.items() if label.score is not None}


def keep(path: Path, label: Label) -> None:
    """Write a label down, durably.

    Raises:
        FileError: it cannot be written.
    """
    written = {
        "schema_version": 1,
        "row": label.row,
        "of": label.of,
        "score": label.score,
        "answer": label.answer,
        "principal": label.principal,
        "labelled_unix_ms": label.labelled_unix_ms,
        **({"column": label.column} if label.column is not None else {}),
    }
    append_line(path, orjson.dumps(written))


def scores_of(
    side: Side, request: Request, labels: Mapping[Key, Label]
) -> tuple[Mapping[str, float], int]:
    """A side's labels by row, and how many are left out since the answer is another one now."""
    of, found, stale = whose(side), dict[str, float](), 0
    mine = {row: label for (row, whom), label in labels.items() if whom == of}
    if not mine:
        return {}, 0
    for row, values in whole_rows(side, request):
        label = mine.get(row)
        if label is None or label.score is None or row in found:
            continue
        column = label.column or side.sheet.answer
        answer = values.get(column) if column else None
        changed = label.answer is not None and label.answer != digest_of(_text(answer))
        if changed and (answer is not None or label.column is not None):
            stale += 1
        else:
            found[row] = label.score
    return found, stale


def items_of(
    side: Side, request: Request, *, question: str | None, answer: str | None
) -> Iterator[Item]:
    """A side's answers, the first one of a row that was tried more than once.

    Raises:
        InputError: there is no column of answers.
    """
    answer = answer or side.sheet.answer
    question = question or side.sheet.question
    if answer is None:
        raise InputError(
            f"nothing tells which column of '{line(side.sheet.where)}' holds the answers",
            fix="name one for the baseline and one for the candidate: --output A B",
        )
    for name in filter(None, (answer, question)):
        if name not in (*side.sheet.columns, side.sheet.question, side.sheet.answer):
            raise InputError(
                f"there is no column '{line(name)}'", where=line(side.sheet.where),
                fix="the columns are " + ", ".join(map(line, side.sheet.columns)),
            )  # fmt: skip
    seen: set[str] = set()
    for row, values in whole_rows(side, request):
        text = _text(values.get(answer))
        if row not in seen and text:
            seen.add(row)
            yield Item(
                row=row,
                of=whose(side),
                question=_text(values.get(question) if question else None),
                answer=text,
                column=None if answer == side.sheet.answer else answer,
            )


def in_random_order(items: Iterable[Item]) -> list[list[Item]]:
    """Rows in an order that is hashed from their ids, the answers of each in a hashed order too."""
    rows: dict[str, list[Item]] = {}
    for item in items:
        rows.setdefault(item.row, []).append(item)
    names = sorted(rows, key=lambda row: (uniform(0, "label", row), row))
    return [
        sorted(rows[row], key=lambda item: uniform(0, "label", row, item.of, item.answer))
        for row in names
    ]


def _text(value: Any) -> str:  # noqa: ANN401
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return "\n".join(f"{key}: {_text(each)}" for key, each in value.items())
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def _label(path: Path, number: int, data: bytes) -> Label:
    try:
        found = orjson.loads(data)
        label = Label(
            row=str(found["row"]),
            of=str(found["of"]),
            score=None if found["score"] is None else float(found["score"]),
            answer=found.get("answer"),
            principal=str(found["principal"]),
            labelled_unix_ms=int(found["labelled_unix_ms"]),
            column=None if found.get("column") is None else str(found["column"]),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"line {number} is no label", where=line(str(path)), why=line(repr(error)),
            fix="correct the line, or take it out",
        ) from None  # fmt: skip
    if label.score is not None and not 0 <= label.score <= 1:
        raise InputError(f"line {number}: a label must be in 0..1", where=line(str(path)))
    return label
