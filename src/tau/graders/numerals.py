"""Numbers as people and models write them, found in running text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal, DivisionByZero, InvalidOperation
from typing import Literal

DecimalMark = Literal[".", ","]

ARITHMETIC = Context(prec=60, traps=[InvalidOperation, DivisionByZero])
"""Overflow gives infinity instead of an error."""

_LONGEST = 400
"""Longer runs of digits are no answer to anything."""

_SIGN = "[-+\u2212\u2013]"
_CURRENCY = r"(?:US\$|USD|EUR|GBP|CHF|Rs\.?|[$€£¥₹₽₩₪₫฿])[ \u00a0]?"
_THIN = "\u00a0\u2009\u202f'\u2019_"
_FRACTION = re.compile(r"\\[dt]?frac\{([^{}]{1,40})\}\{([^{}]{1,40})\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeral:
    """A number and how it was written."""

    value: Decimal
    text: str


def _pattern(mark: DecimalMark) -> re.Pattern[str]:
    group = "," if mark == "." else "."
    point = re.escape(mark)
    whole = rf"\d++(?:[{re.escape(group)}{_THIN}]\d{{3}}(?!\d))*+"
    plain = rf"(?:{whole}(?:{point}\d++)?+|{point}\d++)"
    return re.compile(
        rf"""
        (?P<sign>(?<![\w)\]]){_SIGN})?
        (?: (?<!\w)\\?{_CURRENCY}(?P<inner>{_SIGN})? | (?<!\w) )
        (?:
            (?<!\d/)(?:(?P<units>\d{{1,15}})[ ])?
            (?P<above>\d{{1,15}})[ ]?/[ ]?(?P<below>\d{{1,15}})(?!\d|[/.,]\d)
          | (?P<number>{plain})
            (?: [eE](?P<e>[-+\u2212]?\d{{1,4}})(?!\w)
              | [ ]?(?:[x×*·]|\\times)[ ]?10\^\{{?(?P<ten>[-+\u2212]?\d{{1,4}})\}}? )?
        )
        (?P<percent>[ ]?\\?%)?
        """,
        re.VERBOSE,
    )


_PATTERNS: dict[DecimalMark, re.Pattern[str]] = {".": _pattern("."), ",": _pattern(",")}


def numerals(
    text: str, *, decimal: DecimalMark = ".", divide_percent: bool = False
) -> Iterator[Numeral]:
    r"""Every number in `text`, in order.

    Thousands separators, currencies, the Unicode minus, exponents (`1.5e3`, `1.5 × 10^3`),
    fractions (`3/4`, `1 1/2`, `\frac{3}{4}`) and percents are understood. A hyphen is a minus
    only where no word, number or bracket stands right before it. Time is linear in the text.
    """
    text = _FRACTION.sub(r" \1/\2 ", text).replace("{,}", ",")
    for match in _PATTERNS[decimal].finditer(text):
        if match.end() - match.start() > _LONGEST:
            continue
        for value in _values(match, decimal):
            if divide_percent and match["percent"]:
                value = ARITHMETIC.divide(value, Decimal(100))
            yield Numeral(value=value, text=match[0].strip())


def _values(match: re.Match[str], decimal: DecimalMark) -> Iterator[Decimal]:
    negative = _minus(match["sign"]) != _minus(match["inner"])
    if match["number"] is None:
        above, below = Decimal(match["above"]), Decimal(match["below"])
        units = Decimal(match["units"] or 0)
        if not below:  # no fraction after all
            yield from ([units] if match["units"] else [])
            yield from (above, below)
            return
        value = ARITHMETIC.add(units, ARITHMETIC.divide(above, below))
    else:
        value = Decimal(_digits(match["number"], decimal))
        exponent = match["e"] or match["ten"]
        if exponent:
            value = value.scaleb(int(exponent.replace("\u2212", "-")), ARITHMETIC)
    yield value.copy_negate() if negative else value


def _digits(text: str, decimal: DecimalMark) -> str:
    kept = "".join(c for c in text if c.isdigit() or c == decimal)
    return kept.replace(",", ".")


def _minus(sign: str | None) -> bool:
    return sign is not None and sign != "+"
