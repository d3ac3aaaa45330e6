"""Numbers in words: "forty-two", "四十二", "two thirds"."""

import re
from fractions import Fraction

from tau.graders.size_words import CJK_SIZES

_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SMALL = {word: i for i, word in enumerate(_UNITS)}
_SMALL |= {word: 20 + 10 * i for i, word in enumerate(_TENS)} | {"fourty": 40}
_LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ANY = "|".join(sorted([*_SMALL, *_LARGE, "hundred", "dozen"], key=len, reverse=True))
_PHRASE = rf"(?:{_ANY})(?:(?:\s*-\s*|,?\s+(?:and\s+)?)(?:{_ANY}))*+(?:\s+point(?:\s+(?:{_ANY}))+)?"
_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")}
_DIGITS |= {"〇": 0, "两": 2, "兩": 2, "壹": 1, "贰": 2, "叁": 3, "肆": 4, "伍": 5, "陆": 6}
_DIGITS |= {"柒": 7, "捌": 8, "玖": 9}
_CHARACTERS = "".join(_DIGITS) + "十百千拾佰仟万萬億亿"

WORDS = re.compile(
    rf"(?<![\w\\])(?:(?P<sign>minus|negative)\s+)?(?:(?:a|an)\s+(?=hundred|thousand|dozen|mill|bil|tri))?"
    rf"(?P<words>{_PHRASE})(?![\w])"
    rf"(?P<part>[\s-]+(?:half|halves|thirds?|quarters?|fourths?|fifths?|sixths?|sevenths?|eighths?"
    rf"|ninths?|tenths?|hundredths?|thousandths?|percent|per\s+cent|and\s+a\s+half|or\s|to\s+\w)"
    r"|-[a-z])?",
    re.IGNORECASE,
)
"""An English number in words; `part` is there where it is only a part of one."""

_PARTS = {"half": 2, "halves": 2, "quarter": 4, "fourth": 4, "third": 3, "fifth": 5, "sixth": 6}
_PARTS |= {"seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10}
_FRACTION = re.compile(
    rf"(?:(?P<above>an?|{_ANY})[\s-]+)?(?P<below>{'|'.join(_PARTS)})s?", re.IGNORECASE
)

CHARACTERS = re.compile(
    rf"(?P<sign>[负負])?(?P<words>[{_CHARACTERS}]+)(?P<part>[点點分成个]?[{_CHARACTERS}])?"
)
"""A Chinese or Japanese number in characters."""


def fraction(words: str) -> Fraction | None:
    """The value of "half", "two thirds" and the like, where `words` are nothing else."""
    match = _FRACTION.fullmatch(words)
    if match is None:
        return None
    above = (
        1 if match["above"] in (None, "a", "an", "A", "An") else _SMALL.get(match["above"].lower())
    )
    below = _PARTS[match["below"].lower()]
    return Fraction(above, below) if above and above < below else None


def english(words: str) -> Fraction | None:
    """The number, or None where the words do not make one."""
    whole, _, digits = words.lower().partition(" point ")
    total = current = 0
    last = 10**18
    room = 10**9  # what the next small word has to be below
    for word in re.findall(r"[a-z]+", whole):
        if word == "and":
            continue
        if word in _SMALL:
            value = _SMALL[word]
            if value >= room or (value == 0 and (current or total or room < 10**9)):
                return None
            current += value
            room = 10 if value >= 20 else 1
        elif word in {"hundred", "dozen"}:
            if current >= 100 or (current == 0 and room < 10**9):
                return None
            current = (current or 1) * (100 if word == "hundred" else 12)
            room = 100 if word == "hundred" else 0
        elif _LARGE[word] >= last:
            return None
        else:
            last = _LARGE[word]
            total += (current or 1) * last
            current, room = 0, 1000
    return Fraction(total + current) if not digits else _with_digits(total + current, digits)


def _with_digits(whole: int, digits: str) -> Fraction | None:
    places = [_SMALL.get(word, 10) for word in digits.split()]
    if any(place > 9 for place in places):
        return None
    return Fraction(f"{whole}.{''.join(map(str, places))}")


def chinese(text: str) -> Fraction | None:
    """The number, or None where the characters do not make one."""
    text = text.translate(str.maketrans("拾佰仟", "十百千"))
    if all(c in _DIGITS for c in text):
        one_by_one = len(text) == 1 or (len(text) > 2 and len(text) < 30)
        return Fraction(int("".join(str(_DIGITS[c]) for c in text))) if one_by_one else None
    total = part = digit = 0
    rank, large = 10**5, 10**9
    for c in text:
        size = CJK_SIZES.get(c)
        if size is None:
            if digit:
                return None
            digit = _DIGITS[c]
        elif size < 10**4:
            if size >= rank:
                return None
            part += (digit or 1) * size
            digit, rank = 0, size
        else:
            if size >= large or not part + digit:
                return None
            total += (part + digit) * size
            part = digit = 0
            rank, large = 10**5, size
    return Fraction(total + part + digit)
