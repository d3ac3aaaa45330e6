"""Numbers as people and models write them, found in running text."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from tau.graders import amounts
from tau.graders.closeness import Quantity
from tau.graders.letters import LETTER
from tau.graders.notation import FORMULA, SLASH, plain
from tau.graders.number_context import (
    BRACKETED_UNIT,
    CONTRAST,
    SCATTERED,
    chained,
    enclosed,
    left_reason,
    negative,
    right_reason,
    unit_end,
)
from tau.graders.number_syntax import CURRENCY, Scan, pattern, value_of
from tau.graders.size_words import LETTERS, SIZES, UNSURE_SIZES, foreign_size

DecimalMark = Literal[".", ","]

_LONGEST = 400
"""Longer runs of digits are no answer to anything."""

_LEAD = re.compile(
    r"(?:(?:answer|result|total|sum|value|it|that|number|equals?|makes?|gives?)\b"
    r"(?:\s+(?:is|was|are|would\s+be|comes\s+to|equals?|of|to|makes?|has|exactly|about))*"
    r"|[=:：]|是|为|為|は|공|답은)[\s*_`\"'(]*\Z",
    re.IGNORECASE,
)
_VAGUE = re.compile(
    r"\b(?:half|few|several|many|some|couple|quarter|of|tens)(?:\s+of)?(?:\s+an?)?\s+\Z",
    re.IGNORECASE,
)
_AROUND = " \t\r\n*_`\"'()[].,!。！#:$"
_SIZE = re.compile(
    rf"(?P<space>[ \u00a0\u2009-]?)(?P<word>[{LETTER}]{{1,{max(map(len, SIZES))}}}\.?)"
    rf"(?![{LETTER}\d_])",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"[ \u00a0\u2009]?(?P<mark>[%‰]|per\s?cent\b|pct\b)", re.IGNORECASE)
_REMARK = re.compile(
    r"\((?:see|cf|from|by|using|per|as\s+in|as\s+of|step|steps|eq|equation|line|section|page|table|fig"
    r"|figure|note|rounded\s+to|to|mod|modulo)\b[^()\n]{0,80}\)|(?<=[\w.!?,)*\s\]])\[(?:see\s)?\d{1,3}\]",
    re.IGNORECASE,
)
_PART_OF_NAME = re.compile(rf"(?:[{LETTER}]\d*|_\s?)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeral:
    """A number and how it was written; without a value, something that cannot be read as one.

    `why` then says what it is instead, as the end of a sentence. `places` are those it is written
    out to, None where it is not; `divided`: it is written as a fraction.
    """

    value: Fraction | None
    text: str
    why: str = ""
    places: int | None = None
    divided: bool = False

    @property
    def quantity(self) -> Quantity:
        """The value and how it was written; of one that has a value."""
        return Quantity(value=self.value or Fraction(0), places=self.places, divided=self.divided)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where a number stands: `core` is where its digits begin, `start` where its sign does.

    Its digits and words of size end at `digits`, with a known unit at `end`.
    """

    numeral: Numeral
    start: int
    core: int
    digits: int
    end: int


def numerals(
    text: str, *, decimal: DecimalMark = ".", divide_percent: bool = False
) -> Iterator[Numeral]:
    r"""Every number in `text`, in order, and in its place whatever could be taken for one.

    Thousands separators of all kinds, currencies, words of size, exponents and powers, fractions
    and percents are understood, in digits of every script. Dates, times, ranges, products, roots,
    multiples of π and the like are no numbers: they come without a value. Numbers in words count
    where they are all there is, or follow words such as "the answer is". Time is linear in the
    text.
    """
    shown, found = reading(text, decimal=decimal, divide_percent=divide_percent)
    for each in _without_remarks(shown, found):
        yield each.numeral


def reading(
    text: str, *, decimal: DecimalMark = ".", divide_percent: bool = False
) -> tuple[str, list[Found]]:
    """The text made plain, and all that `numerals` finds in it with its place there."""
    shown = BRACKETED_UNIT.sub(" ", plain(text, decimal))
    found = _joined(shown, list(_digits(shown, decimal, divide_percent)))
    part = None if found else amounts.fraction(shown.strip(_AROUND))
    if part is not None:
        whole = Numeral(value=part, text=shown.strip(), divided=True)
        return shown, [Found(numeral=whole, start=0, core=0, digits=len(shown), end=len(shown))]
    words = _in_words(shown, found)
    return shown, sorted([*found, *words], key=lambda one: one.start)


def _digits(text: str, decimal: DecimalMark, divide: bool) -> Iterator[Found]:
    done = 0
    for match in pattern(decimal).finditer(text):
        if match.start() < done:
            continue
        scan = Scan(text=text, match=match, done=done)
        found = _other(scan) if match.lastgroup else _number(scan, decimal, divide)
        if found is not None:
            done = found.end
            yield found


def _other(scan: Scan) -> Found | None:
    """A date, a time and the like."""
    match = scan.match
    kind = str(match.lastgroup).replace("_", " ")
    if kind != "formula" and _PART_OF_NAME.search(scan.before(1)):
        return None
    return _unread(scan.text, (match.start(), match.start(), match.end()), f"is a {kind}")


def _number(scan: Scan, decimal: DecimalMark, divide: bool) -> Found | None:
    start, text = scan.match.start(), scan.text
    before = scan.before(80)
    left = CURRENCY.search(before)
    sign_and_all = left[0] if left else ""
    outside = before[: len(before) - len(sign_and_all)]
    if not sign_and_all and _PART_OF_NAME.search(outside):
        return None
    first = start - len(sign_and_all)
    value, end, why = value_of(scan, decimal)
    why = why or ("is too long" if end - start > _LONGEST else "")
    minus, odd = negative(scan, left, outside)
    why = why or odd or left_reason(scan, outside, first)
    if why:
        return _unread(text, (first, start, end), why)
    money = bool(left and left["currency"])
    written = end
    value, end, why = _scaled(text, end, value, (left["currency"] or "") if left else "")
    percent = _PERCENT.match(text, end)
    if percent:
        end = percent.end()
        value = value / (1000 if percent["mark"] == "‰" else 100) if divide else value
        written = written if not divide else -1
    why = why or right_reason(text, end)
    if enclosed(text, first, end) and not minus and (money or not text[start:end].isdigit()):
        minus = _accounting(text, start, end, money)
    if why:
        return _unread(text, (first, start, end), why)
    plainly = end if not percent else percent.start()
    numeral = Numeral(
        value=-value if minus else value,
        text=text[first:end].strip(),
        places=_places(scan.match, decimal) if written == plainly == scan.match.end() else None,
        divided=written == plainly and any(line in text[start:written] for line in ("/", SLASH)),
    )
    return Found(numeral=numeral, start=first, core=start, digits=end, end=unit_end(text, end))


def _accounting(text: str, start: int, end: int, money: bool) -> bool:
    """Whether brackets mean a minus, as in `(1,234)` and `($5)`, and not only `(42)`."""
    return "%" not in text[start:end] and (money or "," in text[start:end])


def _places(match: re.Match[str], decimal: str) -> int:
    """How many decimal places digits have."""
    return len(match[0].rpartition(decimal)[2]) if match[0].count(decimal) == 1 else 0


def _scaled(text: str, end: int, value: Fraction, currency: str) -> tuple[Fraction, int, str]:
    """The value with the words of size behind it, where they end, and why it cannot be read."""
    money = currency.strip()
    while True:
        foreign = foreign_size(text, end)
        if foreign is not None:
            factor, after = foreign
            if factor is None:
                said = text[end:after].strip()
                return value, after, f'has a word of size, "{said}", that means several things'
            value, end = value * factor, after
            continue
        size = _SIZE.match(text, end)
        if size is None:
            return value, end, ""
        word = size["word"].rstrip(".")
        following = text[size.end() : size.end() + 1]
        money = money or (following if following in tuple("€$£¥₹") else "")
        factor = _factor(word, glued=not size["space"], money=money)
        if factor == 0:
            return value, size.end(), f'has a word of size, "{word}", that means several things'
        if factor is None:
            return value, end, ""
        value, end = value * factor, size.end() - (size["word"].endswith("."))


def _factor(word: str, *, glued: bool, money: str) -> int | None:
    """What a word multiplies by; 0: that cannot be told; None: it is none of size."""
    lower = word.lower()
    factor = SIZES.get(lower)
    if money and factor is None:
        rupees = money.rstrip(".") in {"₹", "Rs", "INR"}
        letters = {"m": 10**6, "b": 10**9, "mi": 10**6, "bi": 10**9, "l": 10**5 if rupees else 0}
        factor = LETTERS.get(word) or letters.get(lower)
    elif glued and factor is None and word in {"k", "M"}:
        factor = LETTERS[word]
    unsure = word in ({"K", "B", "T", "mn"} if glued else {"k", "M", "B", "mn"})
    if factor is None and (unsure or lower in UNSURE_SIZES or (money and lower in {"mm", "mn"})):
        return 0
    return factor


def _joined(text: str, found: list[Found]) -> list[Found]:
    """Numbers that are parts of one thing, such as a range or a sum, become that thing."""
    joined: list[Found] = []
    for each in found:
        why = ""
        if joined:
            last = joined[-1]
            why = chained(text, last.start, last.end, each.core)
            if last.numeral.value is not None and _contrasted(text, last, each):
                continue
            if last.numeral.why == SCATTERED and text[last.end : each.core] in {" ", "-"}:
                why = SCATTERED
        if why:
            last = joined.pop()
            joined.append(_unread(text, (last.start, last.core, each.end), why))
        else:
            joined.append(each)
    return joined


def _contrasted(text: str, last: Found, each: Found) -> bool:
    """Whether a number only says what the one before it is not."""
    gap = text[last.end : each.start]
    return len(gap) < 60 and CONTRAST.fullmatch(gap) is not None


def _without_remarks(text: str, found: list[Found]) -> list[Found]:
    """Without the numbers of steps and the like that brackets refer to."""
    spans = [match.span() for match in _REMARK.finditer(text)] if len(found) > 1 else []
    if not spans:
        return found
    outside = [each for each in found if not any(a <= each.core < b for a, b in spans)]
    return outside or found


def _in_words(text: str, found: list[Found]) -> Iterator[Found]:
    starts = [each.start for each in found]
    for matcher, reader in (
        (amounts.WORDS, amounts.english),
        (amounts.CHARACTERS, amounts.chinese),
    ):
        matches = list(matcher.finditer(text))
        for match in matches:
            at = bisect_right(starts, match.start())
            if at and found[at - 1].end > match.start():
                continue
            led = _LEAD.search(text[max(0, match.start() - 60) : match.start()])
            if not led and (found or not _stands_for_all(text, match, len(matches))):
                continue
            vague = match["part"] or _VAGUE.search(text[max(0, match.start() - 20) : match.start()])
            value = None if vague else reader(match["words"])
            if value is None:
                span = (match.start(), match.start(), match.end())
                yield _unread(text, span, "is no number on its own")
                continue
            value = -value if match["sign"] else value
            numeral = Numeral(value=value, text=match[0].strip())
            start, end = match.span()
            yield Found(numeral=numeral, start=start, core=start, digits=end, end=end)


def _stands_for_all(text: str, match: re.Match[str], count: int) -> bool:
    """Whether a number in words can only be the answer: it is all there is, or the only one."""
    if text.strip(_AROUND) == match[0].strip(_AROUND):
        return True
    rest = text[match.end() :].strip(_AROUND)
    if match.re is amounts.CHARACTERS:
        return not text[: match.start()].strip(_AROUND) and len(rest) <= 1
    return count == 1 and match["words"].lower() not in {"one", "zero"}


def _unread(text: str, span: tuple[int, int, int], why: str) -> Found:
    """`span`: where it starts, where its digits do, and its end."""
    start, core, end = span
    said = text[start : min(end, start + _LONGEST)].strip().replace(FORMULA, "(formula)")
    numeral = Numeral(value=None, text=said, why=why)
    return Found(numeral=numeral, start=start, core=core, digits=end, end=unit_end(text, end))
