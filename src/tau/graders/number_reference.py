"""A reference is one number, with a label in front or a unit behind and nothing else."""

# ruff: noqa: RUF001, E501  (words of many scripts, listed by language)

import re

from tau.graders.letters import LETTER, THIN

_B = f"[ {THIN}]"
_LABEL = re.compile(
    r"(?:\A|.*(?:[:：=≈~]|(?<![^\W_])(?:is|are|was|were|be|equals?|equal\s+to|makes?|gives?|has|about"
    r"|approximately|approx\.?|roughly|circa|ca\.?|around|exactly|only|precisely|total(?:\s+of)?|sum"
    r"|of|answer|result|value|number|count|ist|sind|est|es|é|è|son|sont|environ|etwa|ungefähr|около"
    r"|minus|negative)|[是为為はが공은는약約约共]|답은|คือ|จำนวน))"
    r"[\s*_`\"'“”(\[<>|#$-]*\Z",
    re.IGNORECASE | re.DOTALL,
)
_LONGEST_LABEL = 200
_WORD = rf"[{LETTER}][{LETTER}'’-]{{0,29}}"
_SINGLE = "[mshgGlLKNJWVAtCFTBbpc]"
_CJK_UNITS = (
    "元|円|圆|圓|块|個|个|人|名|只|本|枚|台|米|公里|千米|厘米|毫米|千克|公斤|克|吨|升|毫升|度|歳|岁|才"
    "|小时|分钟|秒|天|倍|次|平方米|立方米|美元|欧元|日元|원|명|개|권|대|번|점|살|세|미터|시간|시간이|킬로그램"
    "|달러|人民币|บาท|คน|ตัว|บาท|रुपये|₹|руб"
)
_ENDING = "です|である|だ|入니다|입니다|이다|이에요|예요|ครับ|ค่ะ|है|。|．"
_UNIT = re.compile(
    rf"(?:st|nd|rd|th|er|ème)?"
    rf"(?:{_B}?[$€£¥₹₽₩₪₫฿₺₴₦₱%°′″Ω]|{_B}?(?:{_CJK_UNITS})"
    rf"|{_B}{{0,2}}[-*]?(?:(?:square|cubic|sq\.?|cu\.?|US|percentage|light|nautical|metric|fluid)[ -])?"
    rf"(?:{_SINGLE}(?![{LETTER}])|{_WORD}(?<=..)\.?)(?:\^?[23](?!\d))?"
    rf"(?:{_B}?(?:/|per{_B}){_B}?{_WORD}(?:\^?[23](?!\d))?"
    rf"|{_B}(?:old|long|tall|wide|deep|high|each|total|left|altogether|away|Celsius|Fahrenheit"
    rf"|remaining|in{_B}total|in{_B}all)(?![{LETTER}]))?)?"
    rf"(?:{_ENDING})?",
)
_NOT_UNITS = re.compile(
    r"(?:N|S|E|W|north|south|east|west|BCE?|AD|CE|mod|modulo|and|or|to|of|in|out|plus|minus|times|und"
    r"|et|y|oder|ou|o|squared|cubed|remainder|or|percent\s+of|am|pm|not|at|by|from|than|more|less|fewer"
    r"|bi|mil|mille|gross|score)",
    re.IGNORECASE,
)
_END = re.compile(r"[\s*_`\"'”“$)\]}>|.,;!。！\u200b]*")


def one_quantity(text: str, start: int, unit: int, end: int) -> bool:
    """Whether `text` is one number that starts at `start`, with a label or a unit at most.

    Its digits end at `unit`, a known unit behind them at `end`.
    """
    label = text[:start]
    if len(label) > _LONGEST_LABEL or not _LABEL.match(label.strip(" \t\r\n*_`\"'“”([<>|#$-")):
        return False
    return _ends(text, end) or _ends(text, unit)


def _ends(text: str, end: int) -> bool:
    match = _UNIT.match(text, end)
    after = end if match is None else match.end()
    unit = text[end:after].strip(f" {THIN}-*.")
    if _NOT_UNITS.fullmatch(unit):
        return False
    return _END.fullmatch(text, after) is not None
