"""`tau label`: one answer after the other in the terminal, and a score for each."""

import sys
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from tau.cli import figures
from tau.cli.certifying import Opened, Sources, open_sources
from tau.cli.lifecycle_control import principal
from tau.cli.surface import Exit
from tau.cli.text import line
from tau.domain.visible import clipped, shown
from tau.errors import InputError
from tau.ports.clock import SystemClock
from tau.scores.labels import Item, Key, Label, in_random_order, items_of, keep, read_labels
from tau.scores.sides import Request

_SHOWN_CHARS = 4_000
_HELP = "y right, n wrong, a number from 0 to 1, s skip, u undo, q stop"
_WORDS = {"y": 1.0, "yes": 1.0, "n": 0.0, "no": 0.0}


class _Sitting:
    """One person at the terminal: what is asked, and what was answered."""

    def __init__(self, opened: Opened, who: str) -> None:
        self._who = who
        self._clock = SystemClock()
        self.done: dict[Path, dict[Key, Label]] = {
            path: dict(read_labels(path)) for path in dict.fromkeys(opened.labels)
        }
        self.labelled = 0

    def known(self, answer: "Answer") -> bool:
        """Whether this very answer has been labelled, of everybody who gave it."""
        labels = [(self.done[path].get((item.row, item.of)), item) for path, item in answer]
        return all(one is not None and one.answer in (None, item.digest) for one, item in labels)

    def keep(self, answer: "Answer", score: float | None) -> None:
        """Write a label down, or take it back, for everybody who gave the answer."""
        for path, item in answer:
            label = Label(
                row=item.row,
                of=item.of,
                score=score,
                answer=item.digest,
                principal=self._who,
                labelled_unix_ms=self._clock.unix_ms(),
                column=item.column,
            )
            keep(path, label)
            if score is None:
                self.done[path].pop((item.row, item.of), None)
            else:
                self.done[path][item.row, item.of] = label
            self.labelled += 1 if score is not None else -1


Answer = list[tuple[Path, Item]]
"""One text to be scored once: as one side's item, or both's, each with where its label goes."""


def label(
    sources: Sources,
    request: Request,
    *,
    question: str | None,
    answers: tuple[str, str] | None,
    count: int | None,
    who: str | None,
) -> int:
    """Ask for a score of each answer that has none, until somebody has had enough.

    Raises:
        InputError: there are no answers to show.
    """
    opened = open_sources(sources, request, content=True)
    sitting = _Sitting(opened, principal(who))
    rows = list(_rows(opened, request, question, answers))
    if not rows:
        raise InputError("there are no answers to label", fix="name the columns by --output A B")
    left = [row for row in rows if not all(map(sitting.known, row))]
    sys.stdout.write(
        f"{len(rows) - len(left):,} of {figures.count(len(rows), 'row')} labelled; {_HELP}\n"
    )
    asked = list(islice(left, count))
    try:
        ended = _ask(sitting, asked)
    except KeyboardInterrupt:
        sys.stdout.write("\n")
        ended = False
    kept = " and ".join(line(str(path)) for path in sitting.done)
    sys.stdout.write(f"{figures.count(sitting.labelled, 'label')} kept in {kept}\n")
    if ended and len(asked) == len(left):
        sys.stdout.write("every answer was shown\n")
    return Exit.OK


def _rows(
    opened: Opened, request: Request, question: str | None, answers: tuple[str, str] | None
) -> Iterator[list[Answer]]:
    """Rows in a hashed order, each with its different answers in a hashed order."""
    named = answers or (None, None)
    both = [
        list(items_of(side, request, question=question, answer=answer))
        for side, answer in zip(opened.sides, named, strict=True)
    ]
    places = {
        id(item): path for items, path in zip(both, opened.labels, strict=True) for item in items
    }
    for row in in_random_order(chain(*both)):
        different: dict[str, Answer] = {}
        for item in row:
            different.setdefault(item.answer, []).append((places[id(item)], item))
        yield list(different.values())


def _ask(sitting: _Sitting, rows: list[list[Answer]]) -> bool:
    """Go through the rows; False where somebody stopped before the end."""
    queue = [(number, answer) for number, row in enumerate(rows, 1) for answer in row]
    at, before = 0, list[int]()
    while at < len(queue):
        number, answer = queue[at]
        if sitting.known(answer):
            at += 1
            continue
        _show(answer[0][1], number, len(rows))
        said = _said()
        if said == "q":
            return False
        if said == "u":
            at = _undone(sitting, queue, before, at)
            continue
        if said != "s":
            sitting.keep(answer, float(said))
            before.append(at)
        at += 1
    return True


def _undone(sitting: _Sitting, queue: list[tuple[int, Answer]], before: list[int], at: int) -> int:
    """Where to go on once the last label has been taken back."""
    if not before:
        sys.stdout.write("nothing to undo\n")
        return at
    place = before.pop()
    sitting.keep(queue[place][1], None)
    return place


def _show(item: Item, number: int, of: int) -> None:
    rule = "-" * 72
    sys.stdout.write(f"\n{rule}\nrow {number:,} of {of:,}\n")
    for title, text in (("question", item.question), ("answer", item.answer)):
        if text:
            sys.stdout.write(f"{title}:\n{shown(clipped(text, _SHOWN_CHARS))}\n\n")


def _said() -> str:
    """The next answer of the person: a score as a number, or s, u, q; q at the end of input."""
    while True:
        sys.stdout.write("score [y/n/0-1/s/u/q]: ")
        sys.stdout.flush()
        data = sys.stdin.readline()
        if not data:
            sys.stdout.write("\n")
            return "q"
        text = data.strip().casefold()
        if text in ("s", "u", "q"):
            return text
        score = _WORDS.get(text)
        if score is None:
            try:
                score = float(text)
            except ValueError:
                score = -1.0
        if 0 <= score <= 1:
            return repr(score)
        sys.stdout.write(f"not understood: {_HELP}\n")
