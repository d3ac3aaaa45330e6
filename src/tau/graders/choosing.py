"""Which of a few labels a text settles on.

It is read in statements. "Answer: B" and its kind in many languages, a boxed label, an answer tag
and a last line that is a label are *strong*; "I choose B" and "B is correct" are *weak*. One counts
unless its own clause denies or doubts it or names a second label, and what comes after must neither
take it back nor offer another label. When in doubt nothing is chosen: a right answer that is not
found costs little, a wrong one taken for right spoils the score.
"""

# ruff: noqa: RUF001  (punctuation of many scripts)

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tau.graders import choice_words as words
from tau.graders.choice_contrast import corrected, without_rejected
from tau.graders.choice_json import stated
from tau.graders.choice_labels import Mention, Patterns, forms, patterns_of
from tau.graders.plain import plain

_CLAUSE = re.compile(
    r"[.!?;\n。！？；,，、()（）…]|\s[-\u2013\u2014]\s|\u2014"
    r"|\b(?:because|since|so|therefore|thus|hence|but|however|while|although|though|whereas|weil"
    r"|aber|mais|porque|pero|sondern|sino)\b|因为|所以|但是?|而",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.!?;\n。！？；]")
_HEAD, _TAIL = 2_000, 6_000
"""Characters that are read of a longer text: where answers stand."""
_MOST = 40
"""Statements of a kind that are looked at: the last ones count."""
_REACH = 240
"""How far, in characters, a clause is followed."""
_MASK = "\ue000"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statement:
    label: str
    start: int
    end: int
    strong: bool
    valid: bool


def chosen(text: str, labels: tuple[str, ...]) -> list[str]:
    """The label the text settles on; none, or the several that keep it from being settled."""
    patterns = patterns_of(labels)
    if text.rstrip()[-1:] in ("}", "]", "`", "~"):
        value = stated(text, lambda one: patterns.alone(one) is not None)
        if not isinstance(value, bool):
            return _of_value(value, patterns)
    whole = len(text) <= _HEAD + _TAIL
    said = plain(text if whole else f"{text[:_HEAD]}\n{text[-_TAIL:]}", labels)
    alone = patterns.alone(said)
    if alone is not None:
        return [alone]
    right = corrected(said, patterns)
    if right is not None:
        return [right]
    said = without_rejected(said, patterns)
    alone = patterns.alone(said)
    return [alone] if alone is not None else _Reader(said, patterns).read(whole=whole)


def _of_value(value: str | None, patterns: Patterns) -> list[str]:
    """The label that a value in JSON is, or begins with ("B. Mitochondria")."""
    if value is None:
        return []
    alone = patterns.alone(value)
    if alone is not None:
        return [alone]
    return _Reader(plain(value[:_HEAD]), patterns).read(whole=True)


class _Reader:
    """One text, cleaned of markup."""

    def __init__(self, text: str, patterns: Patterns) -> None:
        self._text = text
        self._patterns = patterns
        self._mentions = list(patterns.mentions(text))
        self._starts = [one.start for one in self._mentions]
        masked = []
        last = 0
        for one in self._mentions:
            masked += [text[last : one.start], _MASK * (one.end - one.start)]
            last = one.end
        self._masked = "".join((*masked, text[last:]))
        self._hidden = patterns.hidden(text)

    def read(self, *, whole: bool) -> list[str]:
        """See `chosen`; in a text that is not `whole` a lone mention says nothing."""
        distinct = list(dict.fromkeys(one.label for one in self._mentions))
        marked = self._marked()
        if marked is not None:
            return [marked]
        statements = sorted(self._statements(), key=lambda one: one.end)
        valid = [one for one in statements if one.valid]
        for strong in (True, False):
            found = [one for one in valid if one.strong is strong]
            if found:
                return self._settled(found[-1], found, valid) or _several(distinct)
        if not whole or any(one.strong for one in statements):
            return _several(distinct)
        return self._only_mention(distinct)

    def _statements(self) -> Iterator[_Statement]:
        known, hidden = forms(), self._patterns.all_hidden(self._text)
        yield from self._edges()
        for pattern, text, strong in (
            (known.strong, hidden, True),
            (known.weak, self._hidden, False),
        ):
            for match in deque(pattern.finditer(text), _MOST):
                yield self._statement(match.start(), *match.span("label"), strong=strong)
        for match in deque(known.right.finditer(self._hidden), _MOST):
            label = self._patterns.label(self._text[slice(*match.span("label"))])
            start = match.start("label")
            valid = (
                not self._denied(self._clause_start(start), match.end(), label)
                and not self._doubted(self._clause_start(start), self._clause_end(match.end()))
                and not self._listed_before(start)
                and not self._contradicted_at_once(match.end())
                and not self._conditional(start)
            )
            yield _Statement(label=label, start=start, end=match.end(), strong=False, valid=valid)

    def _edges(self) -> Iterator[_Statement]:
        """A text that begins with a label, or whose last line is one."""
        text = self._text
        first = forms().leading.match(self._hidden)
        if first is not None and not self._enumerated():
            yield self._statement(0, *first.span("label"), strong=False)
        line_start = text.rstrip().rfind("\n") + 1
        last = self._patterns.alone(text[line_start:])
        if line_start and last is not None:
            alone = [line for line in text.split("\n") if self._patterns.alone(line) is not None]
            yield _Statement(
                label=last,
                start=line_start,
                end=len(text.rstrip()),
                strong=True,
                valid=len({self._patterns.alone(line) for line in alone}) == 1,
            )

    def _marked(self) -> str | None:
        """The one of several listed labels that is marked as right, the others as wrong."""
        right: list[str] = []
        wrong: set[str] = set()
        for match in forms().verdict.finditer(self._hidden):
            label = self._patterns.label(self._text[slice(*match.span("label"))])
            if match["right"]:
                right.append(label)
            else:
                wrong.add(label)
        others = {one.label for one in self._mentions} - set(right)
        return right[0] if len(right) == 1 and wrong and wrong == others else None

    def _enumerated(self) -> bool:
        spans = (match.span("label") for match in forms().item.finditer(self._hidden))
        return len({self._patterns.label(self._text[slice(*span)]) for span in spans}) > 1

    def _statement(self, start: int, label_start: int, end: int, *, strong: bool) -> _Statement:
        label = self._patterns.label(self._text[label_start:end])
        before = self._clause_start(start)
        after = self._clause_end(end)
        valid = (
            not self._denied(before, label_start, label)
            and not self._denied(end, after, label)
            and not self._doubted(before, start)
            and not self._doubted(end, after)
            and self._text[after : after + 1] not in ("?", "？")
            and not self._listed_before(label_start)
            and not self._listed_after(end)
            and not self._contradicted_at_once(after)
            and not self._told_otherwise(end)
            and not self._conditional(start)
        )
        return _Statement(label=label, start=start, end=end, strong=strong, valid=valid)

    def _settled(
        self, last: _Statement, found: Sequence[_Statement], valid: Sequence[_Statement]
    ) -> list[str]:
        """What the last statement chooses, unless others or what follows speak against it."""
        others = {one.label for one in valid if one.label != last.label}
        if not last.strong and others:
            return []
        for one in found:
            between = self._text[one.end : last.start]
            if one.label != last.label and len(between) < _REACH and not _SEPARATE.search(between):
                return []
        if any(one.start > last.start and one.label != last.label for one in valid):
            return []
        return [] if self._taken_back(last) else [last.label]

    def _taken_back(self, statement: _Statement) -> bool:
        """Whether what follows denies the label, changes its mind or offers another label."""
        rest = statement.end
        if words.CORRECTION.search(self._masked, rest):
            return True
        for one in self._mentions[bisect_left(self._starts, rest) :]:
            start, end = self._clause_start(one.start), self._clause_end(one.end)
            start = max(start, rest)
            if one.label == statement.label:
                if self._denied(start, end, one.label) or self._text[end : end + 1] == "?":
                    return True
                continue
            if self._denied(start, end, one.label):
                continue
            clause = self._masked[start:end]
            if words.RIVAL.search(clause) or self._bare(start, end, one):
                return True
        return False

    def _bare(self, start: int, end: int, one: Mention) -> bool:
        """Whether a clause is nothing but a label, and no item of a list of options."""
        if _SUBJECT.match(self._text, one.end):
            return False
        around = self._text[start : one.start] + self._text[one.end : end]
        if re.search(r"[^\W_]", _EMPTY.sub("", around)):
            return False
        line = self._text.rfind("\n", 0, one.start) + 1
        return forms().item.match(self._hidden, line) is None

    def _only_mention(self, distinct: list[str]) -> list[str]:
        """The only label there is, where nothing in its sentences speaks against it."""
        if len(distinct) != 1 or distinct[0].strip().isdigit():
            return _several(distinct)
        read = -1
        for one in self._mentions:
            if self._told_otherwise(one.end):
                return []
            if one.end <= read:
                continue  # its sentence is read already, or will be with the next one
            start = self._edge_before(_SENTENCE, one.start)
            read = self._edge_after(_SENTENCE, one.end)
            sentence = self._masked[start : read + 1]
            if words.NEGATION.search(sentence) or words.DOUBT.search(_HARMLESS.sub("", sentence)):
                return []
        if words.CORRECTION.search(self._masked, self._mentions[0].end):
            return []
        return distinct

    # --- what surrounds a label

    def _denied(self, start: int, end: int, label: str) -> bool:
        """Whether the stretch denies `label`: a negation that is not of another label."""
        for match in words.NEGATION.finditer(self._masked, start, end):
            at = bisect_left(self._starts, match.end())
            after = self._mentions[at] if at < len(self._mentions) else None
            gap = "" if after is None else self._masked[match.end() : after.start]
            if after is None or after.label == label or not _NEAR.fullmatch(gap):
                return True
        return False

    def _doubted(self, start: int, end: int) -> bool:
        return words.DOUBT.search(self._masked, start, end) is not None

    def _listed_before(self, start: int) -> bool:
        at = bisect_left(self._starts, start) - 1
        if at < 0 or start - self._mentions[at].end > 30:
            return False
        before = self._mentions[at]
        return words.LISTED.match(self._masked[before.end : start]) is not None

    def _listed_after(self, end: int) -> bool:
        at = bisect_left(self._starts, end)
        if at == len(self._mentions) or self._mentions[at].start - end > 30:
            return False
        gap = self._masked[end : self._mentions[at].start]
        return _BLANKS.fullmatch(gap) is not None or words.LISTED.match(gap) is not None

    def _contradicted_at_once(self, end: int) -> bool:
        """Whether the next clause speaks of the same label again, to deny or doubt it."""
        opened = _OPENED.match(self._masked, end)
        if opened is not None and _WRONG.match(self._masked, opened.end()):
            return True
        return _AT_ONCE.match(self._masked, end) is not None

    def _told_otherwise(self, end: int) -> bool:
        """Whether the label is what a sentence speaks of ("B is out"), and not as the right one."""
        speaks = _SPEAKS.match(self._masked, end)
        return speaks is not None and _TOLD_RIGHT.match(self._masked, end) is None

    def _conditional(self, at: int) -> bool:
        start = self._edge_before(_SENTENCE, at)
        return _CONDITION.match(self._masked, start, at) is not None

    def _clause_start(self, at: int) -> int:
        return self._edge_before(_CLAUSE, at)

    def _clause_end(self, at: int) -> int:
        return self._edge_after(_CLAUSE, at)

    def _edge_before(self, pattern: re.Pattern[str], at: int) -> int:
        low = max(0, at - _REACH)
        edge = low
        for match in pattern.finditer(self._masked, low, at):
            edge = match.end()
        return edge

    def _edge_after(self, pattern: re.Pattern[str], at: int) -> int:
        high = min(len(self._masked), at + _REACH)
        match = pattern.search(self._masked, at, high)
        return high if match is None else match.start()


_TOLD_RIGHT = re.compile(words.RIGHT, re.IGNORECASE)
_SPEAKS = re.compile(r"[)\]}>]*\s+(?:is|was|are|seems|has|does|did|had)\b", re.IGNORECASE)
_CONDITION = re.compile(
    r"\W*(?:(?:but|and|so|then)\s+)?(?:if|unless|when|assuming|suppose|supposing|were|had|wenn|falls"
    r"|si|se|если|如果|假如|若|もし)(?![^\W\u4e00-\u9fff])",
    re.IGNORECASE,
)
_BLANKS = re.compile(r"[^\S\n]*")
_SEPARATE = re.compile(r"[^\W_]{4,}.*[^\W_]{4,}", re.DOTALL)
_SUBJECT = re.compile(r"[)\].:]{1,2}[^\S\n]+(?!(?:because|since|as|final)\b)[^\W\d_]{2,}")
"""Words behind a label in brackets or with a full stop: it is spoken of, "(A) holds for ..."."""
_EMPTY = re.compile(r"\b(?:and|but|or|so|then|the|answer|option|is|it|it's)\b", re.IGNORECASE)
_HARMLESS = re.compile(r"\b(?:I|we)\s+(?:would|guess)\b|\bonly\b|\bwould\s+be\b", re.IGNORECASE)
_NEAR = re.compile(
    r"(?:[\s(\"'是选選]|\b(?:option|choice|the|it|is|just|really|to|of|be|answer)\b){0,8}", re.I
)
_OPENED = re.compile(
    r"\s*[,(\[\u2014-]\s*(?:(?:this|that|it|which)?\s*(?:is|was|'s)\s+)?", re.IGNORECASE
)
_WRONG = re.compile(
    r"(?:wrong|incorrect|false|nope|not\s+(?:correct|right|true|sure|certain)|错|錯|오답|falsch|faux"
    r"|falso|неверно)",
    re.IGNORECASE,
)
_AT_ONCE = re.compile(
    r"\s*[,(\u2014-]?\s*(?:which|that|but\s+(?:that|this|it)|and\s+(?:that|this|it)|or|if|unless"
    r"|but\s+only|although\s+(?:that|it)|though\s+(?:that|it)|was\s+(?:aber|nicht)|ce\s+qui|lo\s+que)"
    r"\s*(?:is|was|'s|may|might|could|would|can|ist|est|es|not|maybe|perhaps|n't|\ue000|it|that|you|x)\b"
    r"|\s*[,(\u2014-]\s*(?:not|nicht|or\s+not|maybe|perhaps|possibly|isn't|n'est-ce)\s*(?:[?.!)]|$)"
    r"|\s*[,(\u2014-]?\s*(?:or|oder|ou|o)\s+(?:maybe|perhaps|possibly|even|\ue000)",
    re.IGNORECASE,
)


def _several(distinct: list[str]) -> list[str]:
    """Labels that were named without one of them being chosen."""
    return distinct if len(distinct) > 1 else []
