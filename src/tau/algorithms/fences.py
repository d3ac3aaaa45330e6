"""Texts between fences: shown to a model, and read back strictly."""

import re

from tau.algorithms.prompts import Unusable

_OPENING = re.compile(r"[ \t]*(`{3,})[ \t]*[\w+-]*[ \t]*")


def fence(text: str, *also: str) -> str:
    """A fence that occurs in none of the texts."""
    runs = [len(run) for one in (text, *also) for run in re.findall(r"`{3,}", one)]
    return "`" * (max(runs) + 1 if runs else 3)


def fenced(text: str, marks: str) -> str:
    """`text` between fences on lines of their own."""
    return f"{marks}\n{text}\n{marks}"


def answer_in(said: str) -> str:
    """The one text between fences in what a model said.

    A fence closes at the next line that is the same run of backticks and nothing else.

    Raises:
        Unusable: no such text, more than one, or one that is not closed.
    """
    found: list[str] = []
    marks: str | None = None
    lines: list[str] = []
    for line in said.splitlines():
        if marks is None:
            opening = _OPENING.fullmatch(line)
            if opening is not None:
                marks, lines = opening[1], []
        elif line.strip() == marks:
            found.append("\n".join(lines))
            marks = None
        else:
            lines.append(line)
    if marks is not None:
        raise Unusable(f"the fence {marks} is not closed")
    if len(found) != 1:
        counted = "no text" if not found else f"{len(found)} texts"
        raise Unusable(f"there must be exactly one text between fences, and there is {counted}")
    return found[0].strip()
