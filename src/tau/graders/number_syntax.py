"""How single numbers are written: separators, exponents, fractions; and what only looks alike."""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from tau.graders.calendar_words import FOREIGN_MONTH
from tau.graders.letters import LETTER, THIN
from tau.graders.notation import FORMULA, SLASH
from tau.graders.size_words import CJK_SIZES, UNSURE_CJK_SIZES

_BLANK = f"[ {THIN}]"
_MINUS = "[-\u2212\u2013]"
_CODES = (
    r"(?:US|A|C|R|HK|NZ|S|MX|NT)\$|USD|EUR|GBP|CHF|JPY|CNY|RMB|INR|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK"
    r"|HUF|RUB|BRL|MXN|ZAR|KRW|SGD|HKD|TWD|THB|TRY|ILS|AED|SAR|Rs\.?|RM|kr\.?|Kč|zł|Ft|lei|Fr\.?"
)
CURRENCY = re.compile(
    rf"(?:(?P<outer>[-+\u2212\u2013\u2014])(?P<outer_blank>{_BLANK})?)?"
    rf"(?P<currency>(?:(?<![{LETTER}\d])(?:{_CODES})|[$€£¥₹₽₩₪₫฿₺₴₦₱₲₵¢৳﷼元]){_BLANK}?)"
    rf"(?P<inner>[-+\u2212\u2013])?(?P<inner_blank>)\Z"
    rf"|(?P<alone>[-+\u2212\u2013\u2014±])(?P<alone_blank>{_BLANK})?\Z"
)
"""A sign and a currency in front of a number."""

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_HOURS, _MINUTES = r"(?:hours?|hrs?\.?|h)", r"(?:minutes?|mins?\.?|m)"
_PAIRS = "|".join(
    rf"(?:{big})\b{_BLANK}?(?:,?{_BLANK}?and{_BLANK})?,?{_BLANK}?\d+(?:[.,]\d+)?{_BLANK}?(?:{small})\b"
    for big, small in (
        (_HOURS, _MINUTES),
        (_MINUTES, r"seconds?|secs?\.?|s"),
        (r"days?|d", _HOURS),
        (r"weeks?", r"days?"),
        (r"years?|yrs?", r"months?|weeks?|days?"),
        (r"months?", r"weeks?|days?"),
        (r"feet|foot|ft\.?", r"inch(?:es)?|in\.?"),
        (r"pounds?|lbs?\.?", r"ounces?|oz\.?"),
        (r"stones?|st", r"pounds?|lbs?\.?"),
        (r"dollars?|euros?|pounds?", r"cents?|pence"),
        (r"km|kilomet(?:er|re)s?", r"m|met(?:er|re)s?"),
        (r"m|met(?:er|re)s?", r"cm|centimet(?:er|re)s?"),
        (r"cm|centimet(?:er|re)s?", r"mm"),
        (r"kg|kilograms?|kilos?", r"g|grams?"),
        (r"l|L|lit(?:er|re)s?", r"ml|mL"),
        (r"hundred|thousand|million|billion|lakh|crore", r"hundred|thousand|lakh|million"),
    )
)
_END = rf"(?![\d{LETTER}%]|[.,]\d|{_BLANK}[{LETTER}])"
_BARE_PAIRS = (
    rf"(?:feet|foot|ft\.?|{_HOURS}|{_MINUTES}|pounds?|lbs?\.?|stones?|years?|dollars?|euros?|francs?"
    rf"|rupees?|Euro|kronor|kroner){_BLANK}"
    rf"(?:and{_BLANK})?\d+(?:[.,]\d+)?{_END}"
    rf"|(?:dozens?|hundred|thousand|million|billion|lakh|crore)(?:,?{_BLANK}and)?{_BLANK}\d+(?:[.,]\d+)?"
)
"""The second unit is left out, as in "5 foot 3" and "5 dozen and 3"."""
_OTHERS = rf"""
    (?P<formula>{FORMULA})
  | (?P<date>\d{{4}}-\d{{1,2}}-\d{{1,2}}(?:[T ]\d{{1,2}}:\d{{2}}(?::\d{{2}})?(?:\.\d+)?Z?)?(?!\d)
      | \d{{1,4}}/\d{{1,2}}/\d{{1,4}}(?!\d) | \d{{1,2}}-\d{{1,2}}-(?:19|20)\d{{2}}(?!\d)
      | (?:19|20)\d{{2}}\.\d{{1,2}}\.\d{{1,2}}(?!\d) | \d{{1,2}}\.\d{{1,2}}\.(?:19|20)\d{{2}}(?!\d)
      | \d{{1,4}}{_BLANK}?[年년]{_BLANK}?\d{{1,2}}{_BLANK}?[月월]
        (?:{_BLANK}?\d{{1,2}}{_BLANK}?[日일号號])?
      | \d{{1,2}}{_BLANK}?[月월]{_BLANK}?\d{{1,2}}{_BLANK}?[日일号號]
      | \d{{1,2}}(?:st|nd|rd|th)?{_BLANK}(?:of{_BLANK})?{_MONTH}(?![{LETTER}])
        (?:,?{_BLANK}\d{{4}})?(?!\d)
      | \d{{1,2}}(?:\.|st|nd|rd|th|er|º|°|-?го)?{_BLANK}?(?:(?:de|di|d['’]|of){_BLANK}?)?
        {FOREIGN_MONTH}
        (?:\.?,?{_BLANK}?(?:(?:de|del|di){_BLANK})?\d{{1,4}})?(?!\d)
      | \d{{1,2}}-{_MONTH}-\d{{2,4}}(?!\d))
  | (?P<time>\d{{1,2}}:\d{{2}}(?::\d{{2}})?(?:\.\d+)?(?:{_BLANK}?[AaPp]\.?[Mm]\b\.?)?(?![\d:])
      | \d{{1,2}}(?:\.\d{{2}})?{_BLANK}?(?:[AaPp]\.?[Mm]\b\.?|o'?clock)
      | \d{{1,2}}h\d{{2}}(?!\d) | \d{{1,2}}{_BLANK}?[時时点點시]{_BLANK}?\d{{1,2}}{_BLANK}?[分분])
  | (?P<quantity_in_two_units>\d+(?:[.,]\d+)?{_BLANK}?(?:{_PAIRS}|{_BARE_PAIRS})
      | \d+(?:[.,]\d+)?{_BLANK}?°{_BLANK}?\d+(?:[.,]\d+)?{_BLANK}?(?:['’′]|min)
      | \d+['′]{_BLANK}?\d+(?:["″]|''))
  | (?P<ratio>\d+(?:\.\d+)?(?::\d+(?:\.\d+)?)+)
  | (?P<hexadecimal_number>0[xX][\da-fA-F]+(?![{LETTER}\d]))
"""
_MONTH_FIRST = (
    rf"(?P<date_in_words>(?<![{LETTER}])(?:{_MONTH}|(?i:{FOREIGN_MONTH}))"
    rf"{_BLANK}(?:(?:of|de|del|di){_BLANK})?\d{{1,4}}(?:st|nd|rd|th)?"
    rf"(?:,?{_BLANK}\d{{4}})?(?!\d|[,.]\d))"
)


_SIGNED_POWER = r"(?P<power>[-+\u2212\u2013]?\d{1,4})"
_END_OF_POWER = rf"\u200b?(?![\d{LETTER}/]|[.,]\d)"
_EXPONENT = re.compile(
    rf"[eE]{_SIGNED_POWER}(?![\d_])(?:(?![{LETTER}])|(?=(?:[kcmµnMG]?[mgsJNWVAKLC]|Hz|Pa|eV|mol)(?![{LETTER}])))"
)
_RAISE = rf"{_BLANK}?(?:\^|\*\*){_BLANK}?"
_TEN = re.compile(rf"{_BLANK}?[xX×*·]{_BLANK}?10(?:{_RAISE}\(?{_SIGNED_POWER}\)?){_END_OF_POWER}")
_POWER = re.compile(rf"{_RAISE}\(?{_SIGNED_POWER}\)?{_END_OF_POWER}")
_MIXED = re.compile(
    rf"{_BLANK}(?P<above>[1-9]\d{{0,14}}){_BLANK}?[/{SLASH}]{_BLANK}?(?P<below>[1-9]\d{{0,14}})"
    rf"(?![\d/{SLASH}]|[.,]\d)"
)
_BELOW = re.compile(rf"{_BLANK}?[/{SLASH}]{_BLANK}?(?P<below>\d++(?:[.,]\d++)*+)")
_CJK_UNIT = re.compile("千[克米瓦卡公焦帕赫]|百分|百[帕]")
_AMBIGUOUS_CJK = tuple(UNSURE_CJK_SIZES)
LONGEST = 400
"""Longer numbers are no answer to anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A match in its text; `done` is where the one before ended."""

    text: str
    match: re.Match[str]
    done: int

    def before(self, count: int) -> str:
        """Up to `count` characters in front of the match, none that are used up."""
        start = self.match.start()
        return self.text[max(self.done, start - count) : start]


@lru_cache(maxsize=2)
def pattern(mark: str) -> re.Pattern[str]:
    """Everything that begins like a number; named groups are what is none."""
    return re.compile(rf"(?<!\d)(?:{_OTHERS}|{_MONTH_FIRST}|{_core(mark)})", re.VERBOSE)


def _core(mark: str) -> str:
    point = re.escape(mark)
    blanks = rf"[1-9]\d{{0,2}}(?:[ ]\d{{3}})+(?![ ]?\d)(?:[.,]\d++)*+(?![ ]?[/{SLASH}])"
    part = rf"[.,'’_]\d++|[{THIN}]\d++(?!{_BLANK}?[/{SLASH}])"
    return rf"(?:{blanks}|\d++(?:{part})*+|(?<![\d.,{LETTER}]){point}\d++)"


def value_of(scan: Scan, decimal: str) -> tuple[Fraction, int, str]:
    """The value of what begins at the match, where it ends, and why it has none."""
    text, end = scan.text, scan.match.end()
    value, why = read_digits(scan.match[0], decimal)
    if why:
        return value, end, why
    mixed = _MIXED.match(text, end)
    if mixed and scan.match[0].isdigit():
        above, below = int(mixed["above"]), int(mixed["below"])
        whole = value + Fraction(above, below) if 0 < above < below else value
        why = "" if 0 < above < below else "is no plain fraction"
        return whole, mixed.end(), why
    below_line = _BELOW.match(text, end)
    if below_line:
        return _divided(value, below_line, decimal)
    if text[end : end + 1] in _AMBIGUOUS_CJK:
        return value, end + 1, f'has a word of size, "{text[end]}", that means several things'
    if text[end : end + 1] in CJK_SIZES and not _CJK_UNIT.match(text, end):
        return _counted(text, end, value, decimal)
    return _raised(text, end, value)


def read_digits(written: str, decimal: str) -> tuple[Fraction, str]:
    """The value of digits with separators, and why it has none."""
    if len(written) > LONGEST:
        return Fraction(0), "is too long for a number"
    group = "," if decimal == "." else "."
    point = re.escape(decimal)
    if re.fullmatch(rf"\d+(?:{point}\d+)?|{point}\d+", written):
        return Fraction(written.replace(decimal, ".")), ""
    grouped = _grouped(group, point).fullmatch(written)
    if grouped:
        whole = re.sub(r"\D", "", grouped["whole"])
        return Fraction(f"{whole}.{grouped['rest'] or 0}"), ""
    points = re.fullmatch(rf"[1-9]\d{{0,2}}(?:{point}\d{{3}}){{2,}}", written)
    if points and not _address(written.split(decimal)):
        return Fraction(written.replace(decimal, "")), ""
    return Fraction(0), _misread(written, decimal)


def _address(groups: list[str]) -> bool:
    """Whether groups of digits may be the four bytes of an address."""
    return len(groups) == 4 and all(int(each) < 256 for each in groups)


@lru_cache(maxsize=2)
def _grouped(group: str, point: str) -> re.Pattern[str]:
    comma = re.escape(group)
    return re.compile(
        rf"(?P<whole>[1-9]\d{{0,2}}(?P<mark>['’_ {THIN}])\d{{3}}(?:(?P=mark)\d{{3}})*"
        rf"|[1-9]\d*{comma}\d{{3}}|[1-9]\d{{0,2}}(?:{comma}\d{{3}})+"
        rf"|[1-9]\d?(?:{comma}\d{{2}})+{comma}\d{{3}})(?:{point}(?P<rest>\d+))?"
    )


def _misread(written: str, decimal: str) -> str:
    if re.fullmatch(r"\d+(?:\.\d+){2,}", written):
        return "is a version, an address or a date, or its thousands are separated by points"
    other = "," if decimal == "." else "."
    if written.count(other) == 1 and re.fullmatch(r"[\d.,]+", written):
        return (
            f'is no number with the decimal mark "{decimal}"; \'decimal\' can be set to "{other}"'
        )
    return "is not separated like one number"


def _divided(above: Fraction, line: re.Match[str], decimal: str) -> tuple[Fraction, int, str]:
    below, why = read_digits(line["below"], decimal)
    if why or not below:
        return above, line.end(), why or "divides by zero"
    if re.match(
        rf"{_BLANK}?[/{SLASH}]{_BLANK}?\d|\^|\*\*?[\d(]|[eE][-+]?\d", line.string[line.end() :][:4]
    ):
        return above, line.end(), "is no plain fraction"
    return above / below, line.end(), ""


def _counted(text: str, end: int, value: Fraction, decimal: str) -> tuple[Fraction, int, str]:
    """A number with characters of size, such as 1億2000万 or 3万5千."""
    total, rank = Fraction(0), 10**20
    while True:
        factor = 1
        while text[end : end + 1] in CJK_SIZES and text[end : end + 1]:
            factor *= CJK_SIZES[text[end]]
            end += 1
        if factor >= rank:
            return value, end, "is no plain number"
        total, rank = total + value * factor, factor
        more = re.compile(r"\d+(?:[.,]\d+)*").match(text, end)
        if factor == 1 or not more:
            return total, end, ""
        value, why = read_digits(more[0], decimal)
        end = more.end()
        if why:
            return value, end, why


def _raised(text: str, end: int, value: Fraction) -> tuple[Fraction, int, str]:
    """With its exponent, a power of ten behind it, or as a base."""
    exponent = _EXPONENT.match(text, end) or _TEN.match(text, end)
    if exponent:
        return value * Fraction(10) ** _whole(exponent["power"]), exponent.end(), ""
    power = _POWER.match(text, end)
    if not power:
        return value, end, ""
    size = abs(_whole(power["power"])) * len(str(value))
    if size > LONGEST or (not value and power["power"][0] in "-\u2212\u2013"):
        return value, power.end(), "is a power that is too large"
    return value ** _whole(power["power"]), power.end(), ""


def _whole(written: str) -> int:
    return int(written.replace("\u2212", "-").replace("\u2013", "-"))
