"""What stands around digits and makes them something other than a plain number."""

import re

from tau.graders import number_company
from tau.graders.letters import LETTER, THIN
from tau.graders.notation import FORMULA
from tau.graders.number_syntax import Scan
from tau.graders.size_words import CJK_SIZES, words

SCATTERED = "is not separated like one number"

_BLANK = f"[ {THIN}]"
_VARIABLE = rf"(?:(?<![{LETTER}\d'’])[b-hj-zB-HJ-ZαβγδθλμφωΔΩ]|[π∞)\]{FORMULA}])"
_NAME = re.compile(rf"(?:[{LETTER}]\d*)\Z")
_BRACKET = re.compile(r"[)\]}]\Z")
_COMPARED = re.compile(
    r"(?:(?P<quote>(?:\A|\n)[ >]*>(?=\s))|(?P<arrow>[-=]>|<-)|(?P<sign>[<>]=?|[≤≥≠≮≯]|!=)"
    r"|(?P<words>\b(?:less|more|greater|fewer|higher|lower|smaller|larger)\s+than"
    r"|\b(?:over|under|above|below|exceeding|rather\s+than|instead\s+of|unlike)"
    r"|\bnot(?:\s+(?:equal\s+to|exactly|quite))?|isn['’]t|wasn['’]t|aren['’]t|cannot\s+be|can['’]t\s+be|不是|並非|并非))\s*\Z",
    re.IGNORECASE,
)
_PARTIAL = re.compile(
    r"\b(?:(?:square|cube|cubic|\dth)?\s*root|square|cube|factorial|logarithm|log|ln|reciprocal|half"
    r"|third|quarter|twice|double|triple)(?:\s+of)?\s+\Z"
    rf"|[√{FORMULA}]\s*\(?\Z|(?<=[{LETTER}])\(\Z|(?:\A|[^\w*])\*\*-\Z",
    re.IGNORECASE,
)
_OPERATED = re.compile(rf"{_VARIABLE}{_BLANK}?(?:[+*/×·÷^]|\*\*){_BLANK}?\(?\Z")
_TAKEN = re.compile(rf"{_VARIABLE}{_BLANK}\Z")
_RAISED = re.compile(
    rf"(?P<unit>[{LETTER}°]+|\))?\s?(?:\^|(?<=[{LETTER})])\*\*)\s?\(?[-+\u2212]?\Z"
)

_UNITS = (
    "mm|cm|dm|m|km|in|ft|yd|mi|inch|inches|feet|foot|yards?|miles?|met(?:er|re)s?|g|kg|mg|s|sec"
    "|seconds?|h|hr|hours?|min|minutes?|day|days|l|L|ml|mL|mol|K|N|J|W|V|A|Pa|Hz|C|F|T|rad|units?"
    "|ha|lb|lbs|oz|eV|µm|nm|pm|kJ|kW|MW|kPa|MPa|kN|mN|Ω|°C|°F|°|sq|cu|km/h|USD|EUR|bar|atm|cd"
)
_POWER_OF_UNIT = (
    rf"(?:{_BLANK}?\^{_BLANK}?\(?[-+\u2212\u2013]?\d{{1,2}}\)?\u200b?"
    r"|\*\*\(?[-+]?\d{1,2}\)?|[-\u2212\u2013]?\d(?!\d))"
)
_UNIT = rf"(?:(?:{_UNITS})(?:{_POWER_OF_UNIT})?)(?![{LETTER}\d])"
_TAIL = re.compile(
    rf"(?:{_BLANK}{{0,4}}-?(?:per{_BLANK}|sq\.?{_BLANK}|cu\.?{_BLANK})?{_UNIT}"
    rf"(?:{_BLANK}?[/·*×]{_BLANK}?\(?{_UNIT}(?:{_BLANK}?[·*]{_BLANK}?{_UNIT})?\)?"
    rf"|[ {THIN}.]{{1,2}}{_UNIT})*)"
    rf"|{_BLANK}?[{LETTER}]{{2,20}}(?:\^|\*\*)\(?[-+\u2212]?\d{{1,2}}\)?\u200b?(?![\d{LETTER}])"
)
_ORDINALS = re.compile(rf"(?:st|nd|rd|th){_BLANK}(?:(?:out{_BLANK})?of|in){_BLANK}(?:the{_BLANK})?")
_ORDINAL = re.compile(rf"(?:st|nd|rd|th|º|ª|er|ème)(?![{LETTER}\d])")
_FACTORIAL = re.compile(r"!(?!=)|\)!(?!=)")
_BRACKETED = re.compile(rf"\)?{_BLANK}?(?:\^|\*\*(?=[-+\d({FORMULA}]))")
_ALGEBRA = re.compile(
    rf"{_BLANK}?\*?{_BLANK}?(?:[√π∞{FORMULA}]|pi\b|\(?(?:sqrt|log|ln|sin|cos|tan)\b)"
    rf"|[b-fijknopqrtuvwxyzaHIOPQRSUXYZDEG](?:\^\d+|\d)?(?![{LETTER}\d'’])"
    rf"|{_BLANK}?[+*×·÷^/\u2212-]{_BLANK}?(?:[b-hj-zB-HJ-Z](?![{LETTER}\d'’.)])|[{FORMULA}π√∞])"
    rf"|\({_BLANK}?-?[\w]{_BLANK}?[-+*/^)]|\)\(?\d"
)
_MIXED_NAME = re.compile(rf"[{LETTER}]+\d|[-_]?[{LETTER}]+\d[{LETTER}\d]*-|_[\w]|-[{LETTER}]?\d+-")
_TRAILING_MINUS = re.compile(r"[-\u2212](?=\s|\Z|[.,;)](?:\s|\Z))")
_OPEN_ENDED = re.compile(r"\+(?=\s|\Z|[.,;)](?:\s|\Z))(?!\s+[\d(\\])")
_TOLERANCE = re.compile(rf"{_BLANK}?(?:±|\+/-|\+-)")
_GAP = re.compile(
    rf"[\s*_`]{{0,3}}?(?:(?<=\d)|(?:{_BLANK}?[{LETTER}]{{1,20}}){{0,2}})[)*_`]{{0,2}}{_BLANK}?"
    rf"(?P<sign>\+|×|÷|\*\*?|·|±|\+/-)[*_`(]{{0,3}}{_BLANK}?[$€£¥₹]?"
    rf"|[)*_`]{{0,2}}{_BLANK}?(?P<other>[-\u2212\u2013\u2014/~:^x…]|\.{{2,3}}"
    rf"|to|or|plus|minus|times|divided{_BLANK}by|over|by|vs\.?|in(?:{_BLANK}every)?|out{_BLANK}of(?:{_BLANK}(?:the|every|all|my|our|these|those))?|mod(?:ulo)?|choose|至|到"
    rf"|(?:of|from(?:{_BLANK}among)?)(?:{_BLANK}(?:the|my|our|these|those|all|every))?|von|sur|de|из|di|av|af|van|z|ze|w|για|από|dari|trong"
    rf"|bis(?:{_BLANK}zu[mr]?)?|à|thr(?:ough|u)|till?|until|tot|t/m|hasta|até|a|au|do|до|sampai|hingga|đến|ile"
    rf"|R|r\.?|rem\.?|remainder|with{_BLANK}remainder|remaining|Rest|reste|resto|%|から|부터|에서|ถึง|分之){_BLANK}?[*_`(]{{0,2}}[$€£¥₹]?[-+\u2212]?"
)
_SECOND_ROOT = re.compile(
    rf"[\s*$,;]{{0,4}}\b(?:or|oder|ou|o|或)\b\s*[*$(]{{0,3}}[{LETTER}](?:_?\d)?\s*=\s*[*$]{{0,3}}[-+\u2212]?"
)
"""Between two solutions of one equation."""
_AND = re.compile(
    rf"(?:{_BLANK}?[{LETTER}%$°]{{1,15}})?{_BLANK}(?:and|und|et|y|e|en|och|og|и|a|i|ja|och){_BLANK}[$€£¥₹]?"
)
_MONEY_AND = re.compile(rf"(?:,?{_BLANK}(?:and|und|et|y))?{_BLANK}")
_CENTS = re.compile(rf"\d{{1,2}}{_BLANK}?(?:cents?|pence|¢|c|p|centavos|centimes|paise)\b")
_BETWEEN = re.compile(
    r"\b(?:between|zwischen|entre|tra|fra|tussen|mellan|mellem|mellom|между|between)\s+[$€£¥₹*]*\Z",
    re.IGNORECASE,
)
CONTRAST = re.compile(
    rf"(?:{_BLANK}?[{LETTER}%°]{{1,15}})?[*_`)]{{0,3}}{_BLANK}?[,;(\u2014-]?{_BLANK}?(?:and{_BLANK})?"
    rf"(?:not|rather{_BLANK}than|instead{_BLANK}of){_BLANK}[$€£¥₹*]{{0,3}}"
)
"""Between a number and one that it is not: "8, not 7"."""
_MINUS_IN_WORDS = re.compile(
    r"(?:(?<!\w)(?:minus|negative|moins|menos|минус)\s+|[负負]|零下|マイナス|마이너스\s?)\Z",
    re.IGNORECASE,
)
_MINUS_OF_BRACKET = re.compile(rf"[-\u2212\u2013]{_BLANK}?\({_BLANK}?\Z")
_AND_A_PART = re.compile(r"\s+and\s+(?:a|an|one)\s+(?:half|third|quarter)", re.IGNORECASE)
BRACKETED_UNIT = re.compile(
    rf"(?<![/·*×])[(\[]{_BLANK}?{_UNIT}(?:{_BLANK}?[/·*]{_BLANK}?{_UNIT}){{0,4}}{_BLANK}?[)\]]"
)
"""A unit in brackets behind its number."""

_OPENED, _COMMA = re.compile(r"[(\[]\s*\Z"), re.compile(r"[,;]\s*")
_REST_OF_LIST = re.compile(r"[-\d.]+(?:[,;]\s*[-\d.]+)*+\s*[)\]]")
_RANGES = frozenset(
    words(
        "to or ~ … .. ... 至 到 \u2013 \u2014 vs vs. bis à through thru til till until tot hasta"
        " até do до sampai hingga đến から 부터 에서 ถึง"
    )
)


def negative(scan: Scan, left: "re.Match[str] | None", outside: str) -> tuple[bool, str]:
    """Whether the number is negative, and why that cannot be told."""
    if _MINUS_IN_WORDS.search(outside):
        return True, ""
    if left is None:
        return False, ""
    if left["currency"]:
        signs = [(left["outer"], left["outer_blank"]), (left["inner"], left["inner_blank"])]
        given = [(sign, blank) for sign, blank in signs if sign]
        if len(given) > 1:
            return False, "has two signs"
        sign, blank = given[0] if given else ("", "")
    else:
        sign, blank = left["alone"], left["alone_blank"]
    if not sign:
        return False, ""
    return _signed(scan, sign, bool(blank), outside)


def _signed(scan: Scan, sign: str, blank: bool, outside: str) -> tuple[bool, str]:
    last, near = outside.rstrip(f" {THIN}")[-1:], outside[-1:]
    if near and near in "-+\u2212±":
        return False, "has two signs"
    if sign == "±":
        return False, "has two signs"
    if near and (_NAME.search(outside) or near in ")]"):
        return False, "is part of a name or an expression"
    minus = sign in "-\u2212\u2013"
    if minus and near == "|":
        return False, "may be an absolute value"
    if sign == "\u2014":
        return False, "" if blank or last.isalnum() else "may or may not be negative"
    if not blank:
        return minus, ""
    if not minus:
        return False, ""
    return _apart(scan, sign, last, outside)


def _apart(scan: Scan, sign: str, last: str, outside: str) -> tuple[bool, str]:
    """A minus with a blank behind it: it may be a dash or the mark of a list."""
    if last and last in "=≈":
        return True, ""
    if sign == "\u2212":
        return (True, "") if not last or last in "\n:(" else (False, "may or may not be negative")
    if last and last in ":(":
        return False, "may or may not be negative"
    starts_line = not last or outside.rstrip(" ").endswith("\n")
    if starts_line and scan.done == 0 and "\n" not in scan.text.strip():
        return False, "may or may not be negative"
    return False, ""


def left_reason(scan: Scan, outside: str, first: int) -> str:
    """Why what stands in front makes it no plain number, or nothing."""
    compared = _COMPARED.search(outside)
    if compared and (compared["sign"] or compared["words"]):
        return "is only compared with"
    if _MINUS_OF_BRACKET.search(outside):
        return "may or may not be negative"
    if _RAISED.search(outside):
        return "is an exponent"
    if _PARTIAL.search(outside):
        return "is part of an expression"
    company = number_company.before(outside)
    if company:
        return company
    text = scan.text
    sign = text[first : first + 1] in "-+\u2212\u2013\u2014"
    if sign:
        symmetric = text[first + 1 : first + 2] in f" {THIN}"
        if symmetric and _TAKEN.search(outside):
            return "is part of an expression"
    elif _OPERATED.search(outside):
        return "is part of an expression"
    return ""


def right_reason(text: str, end: int) -> str:
    """Why what stands behind makes it no plain number, or nothing."""
    number = end
    if _TOLERANCE.match(text, end):
        return "has a tolerance"
    if _AND_A_PART.match(text, end):
        return "is only a part of the number"
    if _FACTORIAL.match(text, end):
        return "may be a factorial"
    if _ORDINAL.match(text, end):
        return number_company.behind(text, end, end)
    tail = _TAIL.match(text, end)
    if tail:
        end = tail.end()
    if _BRACKETED.match(text, end) or _ALGEBRA.match(text, end):
        return "is part of an expression"
    if _MIXED_NAME.match(text, end):
        return "is part of a name"
    if _OPEN_ENDED.match(text, end):
        return "is only compared with"
    if _TRAILING_MINUS.match(text, end):
        return "may or may not be negative"
    return number_company.behind(text, number, end)


def unit_end(text: str, end: int) -> int:
    """Where the unit behind a number ends, with its exponents."""
    tail = _TAIL.match(text, end)
    return tail.end() if tail else end


def enclosed(text: str, start: int, end: int) -> bool:
    """Whether nothing else stands in the brackets around it."""
    if text[start - 1 : start] != "(" or text[end : end + 1] != ")":
        return False
    return not (start > 1 and text[start - 2].isalnum())


def _paired(text: str, first: int, start: int, end: int) -> str:
    """Why words make one thing of two numbers: a ratio, two solutions, a range."""
    gap = text[start:end]
    if _MONEY_AND.fullmatch(gap) and _CENTS.match(text, end):
        return "is a quantity in two units"
    if _ORDINALS.fullmatch(gap):
        return "is a ratio"
    if gap == " " and text[max(0, start - 3) : start] == " in":
        return "is a ratio"  # and no inches: "1 in 6"
    if _SECOND_ROOT.fullmatch(gap):
        return "are several numbers"
    if _AND.fullmatch(gap) and _BETWEEN.search(text[max(0, first - 20) : first]):
        return "is a range"
    return ""


def chained(text: str, first: int, start: int, end: int) -> str:
    """Why two numbers, with `text[start:end]` between them, are one thing; else nothing."""
    gap = text[start:end]
    if len(gap) > 60 or "\n" in gap:
        return ""
    why = _paired(text, first, start, end)
    if why:
        return why
    found = _GAP.fullmatch(gap)
    if found:
        word = found["other"] or found["sign"]
        if word.startswith("of") and text[start - 1] == "%":
            return ""
        if word == ":" and gap.lstrip("*_`").startswith(":") and gap != ":":
            return ""  # a heading, as in "Step 3: 42"
        if word == "-":
            return "is a range or a difference"
        return "is a range" if word in _RANGES else "is an expression, not its value"
    if gap and not gap.strip() and (text[start - 1] == "%" or text[start - 1].isdigit()):
        return SCATTERED
    if gap == " " and text[start - 1 : start] in CJK_SIZES:
        return SCATTERED
    opened = _OPENED.search(text[max(0, first - 3) : first])
    if opened and _COMMA.fullmatch(gap) and _REST_OF_LIST.match(text[end : end + 80]):
        return "are several numbers"
    return ""
