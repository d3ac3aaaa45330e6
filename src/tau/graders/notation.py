r"""Text made plain before numbers are looked for: digits of all scripts, LaTeX, HTML, Markdown.

What can be written plainly is (`\frac{3}{4}` as `3⁄4`, `cm²` as `cm^{2}`); a formula that stands
for no plain number becomes `FORMULA`, so that nothing inside it is taken for one.
"""

import re
import unicodedata

import regex

FORMULA = "\ufffc"
"""Stands for a formula that is no plain number, such as a root or a fraction of variables."""

SLASH = "\u2044"
"""The line of a fraction that was written as one, unlike a slash."""

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-", strict=True))
_SUPERSCRIPT = re.compile(rf"[{''.join(_SUPERSCRIPTS)}]+")
_SUBSCRIPT = re.compile("[₀-₉]+")
_WIDE_COMMA = re.compile("(?<![\uff10-\uff19])\uff0c|\uff0c(?![\uff10-\uff19])")
_INVISIBLE = regex.compile(r"[\p{Cf}\ufe00-\ufe0f\u034f]")
_CHARACTERS = str.maketrans(
    {
        "\u2212": "\u2212", "\ufe63": "-", "\u2010": "-", "\u2011": "-", "\uff0d": "\u2212",
        "\u00d7": "×", "\u2217": "*", "\u22c5": "·", "\u2219": "·", "\u2022": "•",
        "\u2215": "/", "\u3000": " ", "\u066c": "\u2009", "\u066a": "%",
        "\ufe6a": "%", "\u00b4": "'", "\u2103": "°C", "\u2109": "°F", "\u02da": "°", "\u00ba": "°",
        "、": ", ", "\u060c": ", ", "\u2236": ":", "\u301c": "~", "\uff5e": "~", "\u223c": "~",
        "\u2007": "\u2009", "\u2008": "\u2009",
    }
)  # fmt: skip

_LONE_FRACTION = re.compile(rf"(?<!\d)\u2009(?=\d+{SLASH})")
_WORD = r"[A-Za-z]{1,20}"
_TAG = re.compile(r"</?[A-Za-z][\w-]{0,30}(?:\s+[\w-]{1,30}\s*=[^<>\n]{0,300})?\s*/?>")
_RAISED = re.compile(r"<(su[pb])>\s*([-+\u2212]?\w{1,12})\s*</\1>", re.IGNORECASE)
_ADDRESS = re.compile(r"\b(?:https?|ftp)://[^\s<>\")\]]{1,2000}")
_ITALIC = re.compile(r"(?<![^\W_])(?<!\})_{1,3}(?=[^\s_{])|(?<=[^\s_])_{1,3}(?![\w{])")
_TEXT = re.compile(
    r"\\(?:text|textrm|textbf|textit|mathrm|mathbf|mathit|mathsf|operatorname|boxed|fbox|mbox"
    r"|unit|si|SI|num|textnormal|emph|underline|bm|boldsymbol)\s*\{([^{}]{0,200})\}"
)
_SCRIPT_TEXT = re.compile(r"\^\{?\s*\\(?:circ|degree)\s*\}?|\\(?:degree|textdegree|ang)\b")
_ARGUMENT = r"\s*(?:\{([^{}]{0,80})\}|(\d))"
_FRACTION = re.compile(rf"\\[dtc]?frac(?![a-zA-Z]){_ARGUMENT}{_ARGUMENT}")
_ROOT = re.compile(r"\\sqrt\s*(?:\[[^\[\]]{0,20}\])?\s*(?:\{[^{}]{0,200}\}|\w)?|[√∛∜]\s*\(?\w*\)?")
_FUNCTION = re.compile(
    r"\\(?:log|ln|lg|exp|sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|sinh|cosh|tanh|binom|sum"
    r"|prod|int|lim|max|min|gcd|lcm)(?![a-zA-Z])(?:_\{?\w{1,9}\}?)?\s*[({]?\s*[-\w]*[)}]?"
    r"|(?<![\w\\])(?:sqrt|log|ln|lg|exp|sin|cos|tan|cbrt|factorial|abs|fact)"
    r"(?:_?\{?\d{0,3}\}?)?\s?\(\s*[^()\n]{0,40}\)"
    r"|(?<![\w\\])(?:sqrt|log|ln|lg|sin|cos|tan)\s+\d+"
    r"|(?<![\w\\])(?:arc)?(?:log|sin|cos|tan|cot|sec|csc)\s?\^\s?\{?[-\u2212\d]{1,3}\}?\s{0,3}\(?[\d.]{1,20}\)?"
    r"|(?<![\w\\])log_?\{?\d{1,3}[\u200b}\s]\s?\(?\d+\)?",
)
_REPEATED = re.compile(
    r"(?:(?<![\d.,])[\d.,]{1,40}+)?\\(?:overline|bar|dot|overbracket|underline)\s*\{?\s*\d+\s*\}?|(?<![\d.,])\d[\d.,]{0,40}+[\u0304\u0305\u0307]+\d*"
)
"""Digits that repeat without end."""
_FOOTNOTE = re.compile(r"\[\^\w{1,10}\]")
_UNIT = (
    r"\s*(?:\\(?:text|mathrm|textrm|,|;|!|\s)\s*)?\{?\s*(?:m|s|h|g|L|l|N|J|W|V|A|K|Pa|Hz|mol|min|hr|kg|mg|km|cm|mm"
    r"|ft|mi|in|lb|lbs|rad|kJ|kN|kW|mL|ml|day|year|hour|second|meters?|miles?)\s*\}?"
    r"(?:\^\{?-?\d\}?)?\s*"
)
_FRACTION_OF_UNITS = re.compile(
    rf"(?<=\d)((?:\\[,;:!\s]|[\s~])*)\\[dtc]?frac\s*\{{({_UNIT})\}}\s*\{{({_UNIT})\}}"
)
_SIGNED = re.compile(r"\s*([-+\u2212\u2013]?)\s*(\d[\d,.\u2009\u00a0]{0,40}|\.\d{1,40})\s*\Z")
_COMMANDS = {
    "times": "×", "cdot": "·", "ast": "*", "div": "÷", "pm": "±", "mp": "±", "pi": "π",
    "approx": "≈", "sim": "≈", "simeq": "≈", "cong": "≈", "le": "≤", "leq": "≤", "leqslant": "≤",
    "ge": "≥", "geq": "≥", "geqslant": "≥", "lt": "<", "gt": ">", "ne": "≠", "neq": "≠",
    "to": "→", "rightarrow": "→", "Rightarrow": "→", "implies": "→", "over": "/",
    "infty": "∞", "ldots": "…",
    "dots": "…", "cdots": "…", "mu": "µ", "Omega": "Ω", "euro": "€", "pounds": "£", "yen": "¥",
    "textdollar": "$", "left": "", "right": "", "displaystyle": "", "textstyle": "", "big": "",
    "Big": "", "bigl": "", "bigr": "", "quad": " ", "qquad": " ", "text": "", "boxed": "",
    "thinspace": "\u2009", "$": "$", "%": "%", "#": "#", "&": "&", "_": "_", "{": " ", "}": " ",
    ",": "\u2009", ";": "\u2009", ":": "\u2009", "!": "", " ": " ", "(": " ", ")": " ",
    "[": " ", "]": " ", "\\": " ", "/": "", "-": "", "@": "",
}  # fmt: skip
_COMMAND = re.compile(rf"\\({_WORD}|[^\sA-Za-z\d])|\\ ")
_MINUS = "[-\u2212\u2013]"
_NUMBER = r"\d[\d,]{0,40}(?:\.\d{1,40})?"
_SIGNED_BRACKET = re.compile(
    rf"{_MINUS}\s?\(\s*(?P<inner>{_NUMBER}(?:\s?[/{SLASH}]\s?{_NUMBER})?)\s*\)"
    rf"|\(\s*{_MINUS}\s?(?P<base>\d{{1,9}})\s*\)\s?(?:\^|\*\*)\s?\{{?(?P<power>\d{{1,3}})\}}?(?!\d)"
    rf"|\(\s*{_MINUS}\s?(?P<above>{_NUMBER})\s*\)(?=\s?[/{SLASH}]\s?\d)"
    rf"|(?P<sign>{_MINUS})?(?P<over>(?<![\d.,)\]]){_NUMBER})\s?[/{SLASH}]\s?"
    rf"(?:{_MINUS}(?P<below>{_NUMBER})|\(\s*{_MINUS}(?P<below_too>{_NUMBER})\s*\))(?!\s?[/{SLASH}])"
)
"""One number whose minus stands apart from it."""
_BEFORE_SIGNED = re.compile(r"(?:\A|[=:≈\n$]|[^\W\d_]{2,})[\s*_`$]{0,8}\Z")
_AFTER_SIGNED = re.compile(rf"\s?(?:[*×·^(!/{SLASH}\d\\]|[-+\u2212]\s?\d)")
_APART = re.compile(rf"\A(?P<open>[\s$\\(\[]*){_MINUS}\s+(?=\\[dtc]?frac)")
_MARKS = regex.compile(r"(\p{M}{4})\p{M}+")
_COMMANDS |= {"lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉"}
_BRACES = str.maketrans({"{": " ", "}": " "})


def plain(text: str, decimal: str = ".") -> str:
    """`text` with its numbers in plain characters; about as long, in linear time."""
    if not text.isascii():
        text = _plain_characters(text.replace("\u066b", decimal))
    if "<" in text:
        text = _TAG.sub(" ", _RAISED.sub(lambda m: f"{_raise(m[1])}{{{m[2]}}}", text))
    if "://" in text:
        text = _ADDRESS.sub(" ", text)
    if "_" in text:
        text = _ITALIC.sub(" ", text)
    text = text.replace("{,}", ",").replace("{.}", ".").replace("$$", " ")
    if "\n" not in text.strip():
        text = _APART.sub(r"\g<open>-", text)
    if "[^" in text:
        text = _FOOTNOTE.sub(" ", text)
    if "\\" in text or "√" in text:
        text = _without_latex(text)
    text = _FUNCTION.sub(FORMULA, text)
    return _unbraced(_SIGNED_BRACKET.sub(_signed, text))


def _signed(match: re.Match[str]) -> str:
    """One number with its minus in front of it, where nothing else belongs to it."""
    text = match.string
    outside = text[max(0, match.start() - 60) : match.start()]
    power = match["power"]
    if not _BEFORE_SIGNED.search(outside) or (
        not match["above"] and _AFTER_SIGNED.match(text, match.end())
    ):
        return match[0]
    if power:
        return f"{'-' if int(power) % 2 else ''}{match['base']}^{power}\u200b"
    if match["over"]:
        minus = "" if match["sign"] else "-"
        return f"{minus}{match['over']}/{match['below'] or match['below_too']}"
    return f"-{match['inner'] or match['above']}"


def _plain_characters(text: str) -> str:
    text = unicodedata.normalize("NFC", _MARKS.sub(r"\1", _REPEATED.sub(FORMULA, text)))
    text = _WIDE_COMMA.sub(", ", text)
    text = _SUPERSCRIPT.sub(
        lambda m: "^{" + "".join(_SUPERSCRIPTS[c] for c in m[0]) + "}", _INVISIBLE.sub("", text)
    )
    text = _SUBSCRIPT.sub(lambda m: f"_{unicodedata.normalize('NFKC', m[0])}\u200b", text)
    text = "".join(map(_plain_character, text.translate(_CHARACTERS)))
    return _LONE_FRACTION.sub("", text)


def _plain_character(c: str) -> str:
    if c.isascii():
        return c
    if c.isdecimal():
        return str(unicodedata.decimal(c))
    if "\uff01" <= c <= "\uff5e" or "\uffe0" <= c <= "\uffe6":
        return unicodedata.normalize("NFKC", c)
    if SLASH in (whole := unicodedata.normalize("NFKC", c)) and c != SLASH:
        return f"\u2009{whole}"  # a fraction as one character: 1½ is a mixed number
    return c


def _raise(tag: str) -> str:
    return "^" if tag.lower() == "sup" else "_"


def _without_latex(text: str) -> str:
    text = _SCRIPT_TEXT.sub("°", _REPEATED.sub(FORMULA, text)).replace("~", " ")
    text = _FRACTION_OF_UNITS.sub(r"\1 \2/\3", text)
    for _ in range(3):  # \boxed{\text{...}}: the innermost first
        text = _ROOT.sub(FORMULA, text)
        text = _TEXT.sub(r"\1", _FRACTION.sub(_fraction, text))
    if "\\frac" in text or "\\dfrac" in text:
        text = re.sub(r"\\[dtc]?frac", FORMULA, text)
    text = _FUNCTION.sub(FORMULA, text)
    return _COMMAND.sub(lambda m: _COMMANDS.get(m[1] or " ", " "), text)


def _fraction(match: re.Match[str]) -> str:
    above, below = (_SIGNED.match(match[i] or match[i + 1]) for i in (1, 3))
    if above is None or below is None:
        return FORMULA
    negative = _is_minus(above[1]) != _is_minus(below[1])
    before = match.string[match.start() - 1 : match.start()]
    space = "\u2009" if before.isdigit() else ""
    return f"{space}{'-' if negative else ''}{above[2]}{SLASH}{below[2]}"


def _is_minus(sign: str) -> bool:
    return sign not in {"", "+"}


def _unbraced(text: str) -> str:
    """Without braces, but those of exponents."""
    if "{" not in text and "}" not in text:
        return text
    kept = re.sub(r"\^\s*\{\s*([-+\u2212\u2013]?)\s*(\d{1,9})\s*\}", "^\\1\\2\u200b", text)
    kept = re.sub(r"\^\s*\{[^{}]{0,80}\}", f"^{FORMULA}", kept)
    return kept.translate(_BRACES)
