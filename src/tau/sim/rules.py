"""What a rule is: a field of an order, and one of several forms its value must be written in."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

Value = tuple[int, ...]
Draw = Callable[[str, int], int]
"""`draw(purpose, limit)` is an integer in [0, limit)."""

_NEGATION = re.compile(
    r"\b(?:not|never|don't|avoid|without|no longer|stop)\b(?:[^\w,;]+\w+){0,6}[^\w,;]*$"
)
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|\n+")
_BULLET = re.compile(r"^\s*(?:[-*•#>]+|\(?\d{1,2}[.)])\s*")
_READ = 1000
"""Characters of a sentence that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One form a field may have to be written in.

    `action` is the regular expression of words that state it; `phrasings` are sentences that do.
    """

    name: str
    action: re.Pattern[str]
    apply: Callable[[Value], str]
    phrasings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderField:
    """A field of orders. `topic` matches sentences that are about it; `show` is the input's form.

    No variant writes a value as it is shown, and no two variants write it alike.
    """

    name: str
    topic: re.Pattern[str]
    values: Callable[[Draw], Value]
    show: Callable[[Value], str]
    variants: tuple[Variant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one sentence says of one field: this form, or (negated) not this form."""

    slot: int
    variant: int
    negated: bool = False


def words(pattern: str) -> re.Pattern[str]:
    """A pattern for whole words, whatever the case."""
    return re.compile(rf"\b(?:{pattern})(?!\w)", re.IGNORECASE)


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of `text` without their bullets, blank ones left out."""
    parts = (_BULLET.sub("", part).strip() for part in _SENTENCE_END.split(text))
    return tuple(part for part in parts if re.search(r"\w", part))


class Catalogue:
    """All fields there are, and the recognition of what a sentence says of them."""

    def __init__(self, slots: tuple[OrderField, ...]) -> None:
        """Remember recognised sentences: prompts share most of theirs."""
        self.slots = slots
        self._remembered = lru_cache(maxsize=1 << 16)(self._statements)

    def statements(self, sentence: str) -> tuple[Statement, ...]:
        """What `sentence` says in its first 1,000 characters; empty where it states no rule."""
        return self._remembered(sentence[:_READ])

    def _statements(self, sentence: str) -> tuple[Statement, ...]:
        found = []
        for index, slot in enumerate(self.slots):
            if not slot.topic.search(sentence):
                continue
            for number, variant in enumerate(slot.variants):
                match = variant.action.search(sentence)
                if match:
                    negated = bool(_NEGATION.search(sentence[: match.start()].lower()))
                    found.append(Statement(slot=index, variant=number, negated=negated))
        return tuple(found)
