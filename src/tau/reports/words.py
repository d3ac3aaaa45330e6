"""What changed from one text to another, word by word."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

# The mark of a list belongs to the word after it: by itself it would be a minus nobody can place.
_WORDS = re.compile(r"(?:(?<=\n)|\A)[ \t]*[-*+\u2022][ \t]+\w+|\s+|\w+|[^\w\s]")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_RULES = re.compile(r"\n+|(?<=[.!?])\s+(?=[A-Z])")
_MOST_WORDS = 4_000
"""Beyond so many words in a changed passage it is shown as replaced whole."""


class Change(StrEnum):
    """What became of a piece of text."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A run of characters with one fate. Pieces but the added make the old text."""

    change: Change
    text: str


def word_diff(old: str, new: str) -> tuple[Piece, ...]:
    """The way from `old` to `new`: lines are matched first, then words inside changed passages.

    Neighbouring pieces have different fates; where both are changed, what was removed comes first.
    """
    pieces: list[Piece] = []
    for piece in _steps(_LINES.findall(old), _LINES.findall(new), _inside):
        if piece.text and pieces and pieces[-1].change is piece.change:
            pieces[-1] = Piece(change=piece.change, text=pieces[-1].text + piece.text)
        elif piece.text:
            pieces.append(piece)
    return tuple(pieces)


def rules_changed(old: str, new: str) -> tuple[int, int]:
    """How many rules `new` has that `old` has not, and the other way round.

    A rule is a line, or one of several sentences on a line.
    """
    before, after = Counter(_rules(old)), Counter(_rules(new))
    return (after - before).total(), (before - after).total()


def _rules(text: str) -> list[str]:
    """Each rule with its blanks evened out, so that only words make a difference."""
    return [" ".join(rule.split()) for rule in _RULES.split(text) if rule.strip()]


def _inside(old: Sequence[str], new: Sequence[str]) -> Iterator[Piece]:
    """A changed passage, word by word."""
    before, after = _WORDS.findall("".join(old)), _WORDS.findall("".join(new))
    if len(before) + len(after) > _MOST_WORDS:
        yield from _whole(before, after)
    else:
        yield from _steps(before, after, _whole)


def _whole(old: Sequence[str], new: Sequence[str]) -> Iterator[Piece]:
    yield Piece(change=Change.REMOVED, text="".join(old))
    yield Piece(change=Change.ADDED, text="".join(new))


def _steps(
    old: Sequence[str],
    new: Sequence[str],
    replaced: Callable[[Sequence[str], Sequence[str]], Iterator[Piece]],
) -> Iterator[Piece]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if kind == "equal":
            yield Piece(change=Change.SAME, text="".join(old[old_from:old_to]))
        else:
            yield from replaced(old[old_from:old_to], new[new_from:new_to])
