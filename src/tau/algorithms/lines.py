"""Prompts as lines that can be put together without asking a model.

A model that rewrites a prompt also loses lines it was never told about. What a rewrite dropped
without putting anything in its place can be put back, and what two rewrites learnt can be joined,
as a version-control system merges texts.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from difflib import SequenceMatcher

_WORD = re.compile(r"[^\W\d_]{3,}")
_STEM = 4
_COMMON = frozenset(
    {
        "all", "also", "alwa", "and", "answ", "any", "are", "each", "ever", "exam", "for", "form",
        "from", "give", "have", "inpu", "into", "line", "make", "must", "neve", "not", "only",
        "outp", "prom", "same", "shou", "sure", "text", "than", "that", "the", "them", "then",
        "they", "this", "use", "when", "with", "writ", "you", "your",
    }
)  # fmt: skip
_FEWEST_LINES = 3
_MUCH = 0.25
_ALIKE = 0.86
"""From this similarity on, two lines say the same."""


def restored(before: str, after: str) -> str:
    """`after` with the lines of `before` put back that it lost without a successor.

    A line that only moved is not lost, and little is left out on purpose: where less than a quarter
    of the text is gone, `after` stays as it is.
    """
    old, new = before.splitlines(), after.splitlines()
    added = [line for line in new if line not in set(old)]
    standing = {line.strip() for line in new}
    gone = sum(len(line) for line in old if line.strip() and line.strip() not in standing)
    if gone < _MUCH * len(before):
        return after
    rare = _rare([*old, *added])
    result: list[str] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag in ("delete", "replace"):
            lost = old[i1:i2]
            successors = min(len(lost), j2 - j1)
            result += [
                line
                for line in lost[successors:]
                if line.strip()
                and line.strip() not in standing
                and not any(_related(line, one, rare) for one in added)
            ]
        if tag != "delete":
            result += new[j1:j2]
    return "\n".join(result)


def without_copied(before: str, after: str, answers: Collection[str]) -> str:
    """`after` without lines that are new in it and hold one of `answers`: learnt by heart.

    As it is where nothing would be left.
    """
    known = set(before.splitlines())
    kept = [
        line
        for line in after.splitlines()
        if line in known or not any(answer in line for answer in answers)
    ]
    return "\n".join(kept) if any(line.strip() for line in kept) else after


def joined(first: str, second: str) -> str:
    """The lines of `first`, and those of `second` that say something `first` does not.

    A line of `second` about what a line of `first` is about is left out: `first` is preferred.
    """
    mine, theirs = first.splitlines(), second.splitlines()
    rare = _rare([*mine, *theirs])
    new = [
        line
        for line in theirs
        if line.strip() and not any(_alike(line, one) or _related(line, one, rare) for one in mine)
    ]
    return "\n".join([*mine, *new])


def is_prose(text: str) -> bool:
    """Whether it has too few lines to be merged by them."""
    return len(text.splitlines()) < _FEWEST_LINES


def without(text: str, line: str) -> str:
    """`text` without the first line equal to `line`."""
    lines = text.splitlines()
    lines.remove(line)
    return "\n".join(lines)


def rivals(text: str) -> tuple[tuple[str, str], ...]:
    """Pairs of lines that seem to be about the same thing: redundant, or contradicting."""
    lines = [line for line in dict.fromkeys(text.splitlines()) if line.strip()]
    rare = _rare(lines)
    return tuple(
        (first, second)
        for at, first in enumerate(lines)
        for second in lines[at + 1 :]
        if _related(first, second, rare)
    )


def topic(text: str) -> frozenset[str]:
    """The stems of what `text` is about."""
    return frozenset(_stems(text))


def _rare(lines: Sequence[str]) -> frozenset[str]:
    """Stems that few lines share."""
    counts = Counter(stem for line in lines for stem in set(_stems(line)))
    most = max(2, len(lines) // 4)
    return frozenset(stem for stem, count in counts.items() if count <= most)


def _related(first: str, second: str, rare: frozenset[str]) -> bool:
    return bool(set(_stems(first)) & set(_stems(second)) & rare)


def _alike(first: str, second: str) -> bool:
    return first == second or SequenceMatcher(None, first, second).ratio() >= _ALIKE


def _stems(line: str) -> list[str]:
    stems = (word[:_STEM].lower() for word in _WORD.findall(line))
    return [stem for stem in stems if stem not in _COMMON]
