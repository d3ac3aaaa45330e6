"""Labels as patterns: where each of them stands in a text, and in which company."""

# ruff: noqa: RUF001  (punctuation of many scripts)

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from tau.graders import choice_words as words
from tau.graders.plain import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A label where it stands in the text."""

    label: str
    start: int
    end: int


LONG, LOWER, EXACT, MORE = "\ue000", "\ue001", "\ue002", "\ue003"
"""What labels are replaced by: its first character by its kind, the others by the last one."""
_OWN = rf"(?P<label>{LONG}{MORE}*)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """Sentences around labels, for texts whose labels are hidden: made once, whatever they are."""

    strong: re.Pattern[str]
    weak: re.Pattern[str]
    right: re.Pattern[str]
    leading: re.Pattern[str]
    item: re.Pattern[str]
    verdict: re.Pattern[str]


@lru_cache(maxsize=1)
def forms() -> Forms:
    """Made when first needed: it takes a while."""
    follows = rf"(?=[)\]}}>]*(?:{words.FOLLOWS.pattern}))"
    apart = follows.replace(r"[^\w\s]", rf"[^\w\s{LOWER}]", 1)
    target = rf"(?P<label>{LONG}{MORE}*|[{LOWER}{EXACT}]{MORE}*{apart})"
    flags = re.IGNORECASE | re.MULTILINE
    line = rf"^[^\S\n]*(?:(?:final|correct)\s+)?(?:{words.NOUN})\.?[^\S\n]+"
    return Forms(
        strong=re.compile(
            rf"(?:(?:{words.NOUN}){words.CONNECT}{words.FILL}|{line}){target}", flags
        ),
        weak=re.compile(rf"(?:(?i:{words.CHOOSE}))(?i:{words.FILL}){_OWN}{follows}"),
        right=re.compile(rf"{_OWN}(?i:{words.RIGHT})"),
        leading=re.compile(
            rf"[\s(\[{{<]*{_OWN}(?=[)\]}}>]*\s*(?:$|[.:;!,\n\u2013\u2014。：，；！(]|-\s|(?:because|since)\b))"
        ),
        item=re.compile(rf"^[^\S\n]*\(?{_OWN}[).:\]](?=\s+\S)", re.MULTILINE),
        verdict=re.compile(
            rf"^[^\w\n{LONG}✅✔✓☑❌✗✘✖]*{_OWN}[^\w\n✅✔✓☑❌✗✘✖]{{0,6}}"
            r"(?:(?:is|this\s+is)\s+)?(?:(?P<right>[✅✔✓☑]|(?:correct|right|true)\b)"
            r"|(?P<wrong>[❌✗✘✖]|(?:incorrect|wrong|false|not\s+(?:correct|right|true))\b))",
            re.MULTILINE | re.IGNORECASE,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """The labels as patterns: in any case after an answer mark, in their own in running text."""

    names: dict[str, str]
    own_case: re.Pattern[str]
    any_case: re.Pattern[str]

    @property
    def numeric(self) -> bool:
        """Whether the labels are numbers, such as those of a scale."""
        return all(each.strip().isdigit() for each in self.names.values())

    def hidden(self, text: str) -> str:
        """`text`, as long as it is, with its labels in their own case hidden."""
        return self.own_case.sub(lambda m: LONG + MORE * (len(m[0]) - 1), text)

    def all_hidden(self, text: str) -> str:
        """The same in any case, for what stands behind an answer mark."""

        def hide(match: re.Match[str]) -> str:
            exact = match[0] in self.names.values()
            kind = LONG if _long(match[0]) else EXACT if exact else LOWER
            return kind + MORE * (len(match[0]) - 1)

        return self.any_case.sub(hide, text)

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


_NO_ANSWER = re.compile(
    r"\s+(?:answer|reply|comment|response|given|by|with|over|through|to)\b", re.I
)


def _stands_alone(text: str, match: re.Match[str]) -> bool:
    if match[0].lower() == "no" and _NO_ANSWER.match(text, match.end()):
        return False
    if match[0] == "I" and re.compile(r"\s*,?\s*(?:for\s+one|think|personally|am|as)\b").match(
        text, match.end()
    ):
        return False
    return words.FOLLOWS.match(text, match.end()) is not None


def _key(text: str) -> str:
    return " ".join(re.sub(r"[\s_-]+", " ", text).split()).casefold() or text.casefold()


def _any_of(labels: Sequence[str], *, own_case: bool) -> str:
    """Labels, the first that matches, with their edges; those with the same ones share them."""
    found = []
    for (left, right), group in groupby(labels, key=_edges):
        bodies = "|".join(_body(label, own_case=own_case) for label in group)
        found.append(f"{left}(?:{bodies}){right}")
    return "|".join(found)


def _body(label: str, *, own_case: bool) -> str:
    body = r"[\s_-]+".join(re.escape(part) for part in re.split(r"[\s_-]+", label) if part)
    body = body or re.escape(label)
    return body if own_case and len(label) == 1 else f"(?i:{body})"


def _edges(label: str) -> tuple[str, str]:
    return _edge(label[0], label, left=True), _edge(label[-1], label, left=False)


_ALONE_LEFT = rf"(?:(?<![{words.SPACELESS}])|(?<=[是为為选選は]))"
_ALONE_RIGHT = rf"(?:(?![{words.SPACELESS}])|(?=です|でした))"
"""Around a label of one character in a script without blanks."""


def _edge(char: str, label: str, *, left: bool) -> str:
    """What may not touch the label on this side."""
    spaceless = re.match(f"[{words.SPACELESS}]", char) is not None
    if not (char.isalnum() or char == "_"):
        return ""
    if spaceless:
        inside = "" if len(label) > 1 else _ALONE_LEFT if left else _ALONE_RIGHT
        return r"(?<![\uac00-\ud7ff])" if left and "\uac00" <= char <= "\ud7ff" else inside
    word = rf"(?-i:[^\W{words.SPACELESS}])"
    if left:
        digits = r"(?<!\d[.,:/])(?<![-\u2212+\u20ac$£])" if char.isdigit() else ""
        return rf"(?<!{word})(?<!\w[-\u2010\u2011'])" + digits
    digits = r"(?![.,:]\d|\s*%|\s*\u00b0|/\d)" if char.isdigit() else ""
    return rf"(?!{word}|[-\u2010\u2011'\u2019](?:{word})|[+#]+(?!\w))" + digits


@lru_cache(maxsize=256)
def patterns_of(labels: tuple[str, ...]) -> Patterns:
    """The labels as patterns, made once."""
    cleaned = {plain(label, labels).strip() or label: label for label in labels}
    ordered = sorted(cleaned, key=len, reverse=True)
    return Patterns(
        names={_key(shown): label for shown, label in cleaned.items()},
        own_case=re.compile(_any_of(ordered, own_case=True)),
        any_case=re.compile(_any_of(ordered, own_case=False)),
    )


def _long(label: str) -> bool:
    return len(label) > 1 and label.lower() not in _SHORT_WORDS
