"""Words around a number that make it a bound, a denial, a time or another thing than itself."""

# ruff: noqa: RUF001, E501  (words of many scripts, listed by language)

import re

from tau.graders.calendar_words import ERA, PERIOD
from tau.graders.letters import LETTER, THIN


def _words(*listed: str) -> str:
    return "|".join(each.replace(" ", r"\s+") for one in listed for each in one.split(" | "))


_B = f"[ {THIN}]"
_OPEN = rf"(?<![{LETTER}\d'’])"
_MARKUP = r"[\s*_`\"'“(]*\Z"

_BOUND_BEFORE = re.compile(
    rf"(?:{_OPEN}(?:"
    + _words(
        "at least | at most | at minimum | at maximum | at a minimum | at a maximum | up to | below",
        "upwards of | in excess of | as (?:many|much|few|little) as | no (?:more|less|fewer) than",
        "not (?:more|less|fewer) than | a?\\s*(?:minimum|maximum)(?: of)? | max\\.? | min\\.?",
        "beyond | nearly | almost | just (?:under|over|below|above) | close to | somewhere near",
        "mindestens | höchstens | maximal | minimal | bis zu | über | unter | mehr als | fast",
        "weniger als | wenigstens | au moins | au plus | jusqu['’]à | plus de | moins de | presque",
        "al menos | por lo menos | como (?:mucho|máximo|mínimo) | hasta | más de | menos de | casi",
        "pelo menos | no (?:máximo|mínimo) | até | mais de | almeno | al (?:massimo|minimo) | quasi",
        "fino a | più di | meno di | minstens | hoogstens | meer dan | minder dan | tot | bijna",
        "minst | högst | mer än | mindre än | mer enn | mindre enn | mere end | mindst | højst",
        "более | менее | больше | меньше | свыше | почти | до | не (?:более|менее|больше|меньше)",
        "co najmniej | najwyżej | ponad | minimálně | maximálně | nejméně | en az | en fazla",
        "legalább | legfeljebb | vähintään | enintään | setidaknya | paling banyak | tối đa",
        "ít nhất | cel puțin | cel mult | ít hơn | nhiều hơn | lebih dari | kurang dari",
    )
    + r")|至少|最多|至多|不到|不足|不超过|超过|超過|大于|小于|少なくとも|最大|最小|최소|최대|적어도|약간"
    rf"|อย่างน้อย|ไม่เกิน|มากกว่า|น้อยกว่า|कम से कम|अधिकतम|على الأقل|أكثر من|أقل من|לפחות|לכל היותר){_MARKUP}",
    re.IGNORECASE,
)
_DENIED_BEFORE = re.compile(
    rf"(?:{_OPEN}(?:"
    + _words(
        "never | neither | nor | nicht | kein(?:e|er|es|en)? | pas | jamais | no es | no son | não é",
        "não | non è | non | nunca | не | ні | nie | nie jest | není | niet | geen | inte | ikke",
        "ej | ei ole | bukan | tidak | không | không phải | nem | nu este | nu e | değil",
        "(?:is|was|are|does|do|did|would|could|should|must|wo|ca)n['’]?t(?: be| equal)? | cannot be",
        "anything but | other than | (?:is|was|are) not | not (?:the (?:answer|number))",
    )
    + r")|不是|并非|並非|不等于|아닌|ไม่ใช่|नहीं|ليس|ليست|לא|אינו)"
    + _MARKUP,
    re.IGNORECASE,
)
_CLOCK = re.compile(
    rf"{_OPEN}(?:(?:half|quarter|five|ten|twenty|twenty-five|minutes?|\d+)\s+(?:past|to|til|till|of)"
    r"|past|half|halb|viertel\s+(?:vor|nach)|kwart\s+(?:voor|over)|halv)\s+\Z",
    re.IGNORECASE,
)
_IN_WORDS = re.compile(
    rf"{_OPEN}(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty"
    r"|fifty|an?)\s+(?:hours?|minutes?|days?|weeks?|months?|years?|feet|foot|yards?|miles?|pounds?"
    r"|stones?|dollars?|euros?|met(?:er|re)s?|degrees?|hundred|thousand|million|billion),?"
    r"\s+(?:and\s+)?\Z",
    re.IGNORECASE,
)
"""The larger part of a quantity, in words: "three hours 5 minutes"."""

_SHARE_IN_WORDS = re.compile(
    rf"{_OPEN}(?:one|two|three|four|five|six|seven|eight|nine|ten)\s+"
    r"(?:out\s+of|of|in)(?:\s+(?:every|the))?\s+\Z",
    re.IGNORECASE,
)

_UNIT = rf"(?:[*_`)\"'”]{{0,3}}{_B}?[{LETTER}%°€$]{{1,20}})?"
_WRONG = (
    "(?:incorrect|wrong|false|mistaken|invalid|impossible|excluded|out"
    "|(?:not|never)\\s+(?:the|my|our|an?|correct|right|true|possible|it|what)"
    "|too\\s+(?:low|high|small|large|big|few|many|much|little))\\b"
)
_DENIED_AFTER = re.compile(
    rf"{_UNIT}[*_`)\"'”]{{0,3}}\s*(?:[,(\u2014-]\s*)?(?:"
    rf"(?:(?:which|that|it)\s+)?(?:is|was|are|were|would\s+be|seems|looks|must\s+be|will\s+be)\s+"
    rf"(?:(?:clearly|simply|obviously|also|definitely|just|the|an?)\s+)?{_WRONG}"
    rf"|(?:is|was|are|were)n['’]?t\b|(?:is|was)\s+not\b(?!\s+only)|(?:cannot|can['’]t)\s+be\b"
    rf"|(?:wrong|incorrect|false)\b|does\s*n(?:o|['’])t\b"
    r"|ist\s+(?:nicht|falsch|inkorrekt)\b|(?:n['’]est\s+pas|est\s+(?:faux|incorrect|fausse))\b"
    r"|(?:no\s+es|es\s+(?:incorrect|falso))|(?:non\s+è|è\s+(?:sbagliat|errat))"
    r"|(?:não\s+é|está\s+errad|é\s+errad)|is\s+(?:fout|niet)\b|är\s+(?:fel|inte)\b|değil"
    r"|(?:это\s+)?(?:не(?:верно|правильно|т)\b|не\s)|jest\s+(?:błędn|nie)|salah\b|là\s+sai"
    r")|[^\w\s]{0,3}\s?[\u3040-\u30ff\u4e00-\u9fff]{0,3}(?:では(?:ない|ありません|なく)|じゃない|[がは](?:違|間違|誤)|不是|不对|不對|是错|是錯|错|錯)"
    r"|[\uac00-\ud7ff]{0,2}\s?(?:[이가은는]\s)?(?:아니|아닙|틀[렸린립])|ไม่(?:ใช่|ถูก)|\s?(?:नहीं|गलत)|\s?(?:خطأ|ليس)",
    re.IGNORECASE,
)
_BOUND_AFTER = re.compile(
    rf"{_UNIT}[*_`)]{{0,3}}(?:\s*(?:,\s*)?(?:"
    + _words(
        "(?:or|and) (?:more|less|fewer|greater|above|below|up|upwards?|higher|lower|over|under|older)",
        "(?:or|and) (?:younger|better|beyond|so|something|larger|smaller|bigger|longer|shorter)",
        "ou (?:plus|moins|mais|menos) | oder (?:mehr|weniger) | o (?:más|menos|più|meno)",
        "of meer | of minder | eller (?:fler|mer|mindre|flere) | или (?:более|больше|менее|меньше)",
        "at (?:least|most) | minimum | maximum | max | tops | plus(?!\\s*\\d) | and counting",
        "lub więcej | veya daha | nebo (?:více|méně) | atau lebih",
    )
    + rf")(?![{LETTER}])|[\u4e00-\u9fff\uac00-\ud7ff]?\s?(?:以上|以下|以内|以內|未満|未满|多个|余|이상|이하|미만|초과)|\s?(?:से अधिक|से कम)|ขึ้นไป)",
    re.IGNORECASE,
)
_POWER = re.compile(
    rf"{_B}(?:squared|cubed|hoch|zum\s+Quadrat|au\s+(?:carré|cube)|al\s+(?:cuadrado|cubo|quadrato)"
    rf"|ao\s+(?:quadrado|cubo)|в\s+(?:квадрате|кубе|степени)|to\s+the\s+(?:power|\w+\s+power))(?![{LETTER}])"
    r"|[の的]?(?:平方(?!米|公|千|厘|尺|メ|英|毫)|立方(?!米|公|厘|尺|メ|英|毫)|[二三]乗|제곱(?!미|킬|센))",
    re.IGNORECASE,
)
_COMPASS = re.compile(
    rf"{_B}?(?:°|degrees?\b|deg\b){_B}?(?:[NSEW](?![{LETTER}])|(?:north|south|east|west)\b)", re.I
)
_UNKNOWN = re.compile(
    rf"{_B}\*?(?:[bcefijknopqrvwxyzHIOPQRSUXYZDEG]|a(?=\s*[.!]?\s*\Z)|[xyz]{{2,3}}|[abc][xyz])(?:\^?\d)?"
    rf"(?![{LETTER}\d'’]|\.[{LETTER}]|{_B}*\(?[-\d])"
)
"""A variable behind a blank; before a number it stands between the two."""
_BASE = re.compile(rf"[{LETTER}]{{1,8}}_[\w{{]|_[\w{{]")
_FLOOR = re.compile(r"\s*[⌋⌉]")
_FLOOR_BEFORE = re.compile(r"[⌊⌈]\s*[-\u2212]?\Z")


def before(outside: str) -> str:
    """Why the words in front of a number make it no plain number, or nothing."""
    if _BOUND_BEFORE.search(outside) or _DENIED_BEFORE.search(outside):
        return "is only compared with"
    if PERIOD.search(outside):
        return "is part of a date"
    if _CLOCK.search(outside):
        return "is part of a time"
    if _IN_WORDS.search(outside):
        return "is part of a quantity in two units"
    if _SHARE_IN_WORDS.search(outside):
        return "is part of a ratio"
    if _FLOOR_BEFORE.search(outside):
        return "is part of an expression"
    return ""


def behind(text: str, end: int, unit: int) -> str:
    """Why the words behind a number that ends at `end`, its unit at `unit`, make it no plain one."""
    if ERA.match(text, end):
        return "is a year before the common era"
    if _COMPASS.match(text, end):
        return "is a coordinate"
    if _POWER.match(text, end) or _FLOOR.match(text, end) or _UNKNOWN.match(text, unit):
        return "is part of an expression"
    if _BASE.match(text, end):
        return "is part of a name"
    if any(_BOUND_AFTER.match(text, at) or _DENIED_AFTER.match(text, at) for at in (end, unit)):
        return "is only compared with"
    return ""
