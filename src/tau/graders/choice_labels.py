"""Labels as patterns: where each of them stands in a text, and in which company."""

# ruff: noqa: RUF001  (punctuation of many scripts)

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from tau.graders import choice_words as words
from tau.graders.plain import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A label where it stands in the text."""

    label: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """The labels as patterns: in any case after an answer mark, in their own in running text."""

    names: dict[str, str]
    own_case: re.Pattern[str]
    strong: re.Pattern[str]
    weak: re.Pattern[str]
    right: re.Pattern[str]
    leading: re.Pattern[str]
    item: re.Pattern[str]

    def label(self, text: str) -> str:
        """The label as it was given."""
        return self.names[_key(text)]

    def alone(self, text: str) -> str | None:
        """The label, where the text is nothing else."""
        bare = text.strip().strip("*_`\"'()[]{}<>.:,;!。：，！ \n\t")
        for each in (text.strip(), bare):
            if (found := self.names.get(_key(each))) is not None:
                return found
        return None

    def mentions(self, text: str) -> Iterator[Mention]:
        """Labels in running text, from left to right."""
        for match in self.own_case.finditer(text):
            if match[0].lower() in _SHORT_WORDS and not _stands_alone(text, match):
                continue
            yield Mention(label=self.label(match[0]), start=match.start(), end=match.end())


_SHORT_WORDS = frozenset({"a", "i", "no", "o", "e", "y"})
"""Labels that are words of the languages they may stand in."""


def _stands_alone(text: str, match: re.Match[str]) -> bool:
    if match[0] == "I" and re.compile(r"\s*,?\s*(?:for\s+one|think|personally|am|as)\b").match(
        text, match.end()
    ):
        return False
    return words.FOLLOWS.match(text, match.end()) is not None


def _key(text: str) -> str:
    return " ".join(re.sub(r"[\s_-]+", " ", text).split()).casefold() or text.casefold()


def _one(label: str, *, own_case: bool) -> str:
    """One label as a pattern with its edges."""
    body = r"[\s_-]+".join(re.escape(part) for part in re.split(r"[\s_-]+", label) if part)
    body = body or re.escape(label)
    body = body if own_case and len(label) == 1 else f"(?i:{body})"
    return _edge(label[0], label, left=True) + body + _edge(label[-1], label, left=False)


def _edge(char: str, label: str, *, left: bool) -> str:
    """What may not touch the label on this side."""
    spaceless = re.match(f"[{words.SPACELESS}]", char) is not None
    if not (char.isalnum() or char == "_"):
        return ""
    if spaceless:
        inside = "" if len(label) > 1 else rf"(?{'<' if left else ''}![{words.SPACELESS}])"
        return r"(?<![\uac00-\ud7ff])" if left and "\uac00" <= char <= "\ud7ff" else inside
    word = rf"(?-i:[^\W{words.SPACELESS}])"
    if left:
        digits = r"(?<!\d[.,:/])(?<![-\u2212+\u20ac$£])" if char.isdigit() else ""
        return rf"(?<!{word})(?<!\w[-\u2010\u2011'])" + digits
    digits = r"(?![.,:]\d|\s*%|\s*\u00b0|/\d)" if char.isdigit() else ""
    return rf"(?!{word}|[-\u2010\u2011'\u2019](?:{word})|[+#]+(?!\w))" + digits


@lru_cache(maxsize=64)
def patterns_of(labels: tuple[str, ...]) -> Patterns:
    """The labels as patterns, made once."""
    cleaned = {plain(label, labels).strip() or label: label for label in labels}
    ordered = sorted(cleaned, key=len, reverse=True)
    strict = "|".join(_one(label, own_case=True) for label in ordered)
    follows = rf"(?=[)\]}}>]*(?:{words.FOLLOWS.pattern}))"
    long = "|".join(_one(one, own_case=False) for one in ordered if _long(one)) or r"(?!)"
    short = "|".join(_one(one, own_case=False) for one in ordered if not _long(one)) or r"(?!)"
    target = rf"(?P<label>(?:{long})|(?:{short}){follows})"
    own = rf"(?P<label>(?:{strict})){follows}"
    flags = re.IGNORECASE | re.MULTILINE
    line = rf"^[^\S\n]*(?:(?:final|correct)\s+)?(?:{words.NOUN})\.?[^\S\n]+"
    return Patterns(
        names={_key(shown): label for shown, label in cleaned.items()},
        own_case=re.compile(strict),
        strong=re.compile(
            rf"(?:(?:{words.NOUN}){words.CONNECT}{words.FILL}|{line}){target}", flags
        ),
        weak=re.compile(rf"(?:(?i:{words.CHOOSE}))(?i:{words.FILL}){own}"),
        right=re.compile(rf"(?P<label>{strict})(?i:{words.RIGHT})"),
        leading=re.compile(
            rf"[\s(\[{{<]*(?P<label>{strict})(?=[)\]}}>]*\s*(?:$|[.:;!,\n\u2013\u2014。：，；！(]|-\s))"
        ),
        item=re.compile(rf"^[^\S\n]*\(?(?P<label>{strict})[).:\]](?=\s+\S)", re.MULTILINE),
    )


def _long(label: str) -> bool:
    return len(label) > 1 and label.lower() not in _SHORT_WORDS
