"""Labels that a text names without choosing them: echoed questions, contrasts, corrections."""

# ruff: noqa: RUF001  (punctuation of many scripts)

import re
from functools import lru_cache

from tau.graders.choice_labels import EXACT, LONG, LOWER, MORE, Patterns

_L = rf"[{LONG}{LOWER}{EXACT}]{MORE}*"
_FILL = r"(?:(?:the|a|an|option|choice|answer|letter|really|at\s+all|it\s+is|it's)\s+){0,6}+"
_NOT = (
    r"(?:not|never|rather\s+than|instead\s+of|as\s+opposed\s+to|and\s+not|but\s+not|nicht|und\s+nicht"
    r"|statt|anstatt|pas|et\s+non|plutôt\s+que|en\s+lugar\s+de|y\s+no|e\s+não|e\s+non|а\s+не|而不是|不是"
    r"|ではなく|이?\s*아니라)"
)
_OR = r"\s*+(?:[,、，|/](?:\s*+(?:or|nor|and|oder|ou|o)\b)?|(?:or|nor|and|oder|ou|o)\b|或|还是)\s*+"
_LIST = rf"{_L}(?:{_OR}{_FILL}{_L}){{0,8}}+"
_END = r"(?=[)\]}]*\s*(?:[.!;\n。！；)\]]|\Z|because\b|since\b|as\b))"


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[re.Pattern[str], bool], ...]:
    """What is left out, and whether the label in front must be another than those."""
    flags = re.IGNORECASE
    return (
        # an echoed question: "Yes or No? Yes"
        (
            re.compile(
                rf"(?<![{LONG}{LOWER}{EXACT}{MORE}])[(\[]?(?P<out>{_L}(?:{_OR}{_L}){{1,30}}+)[)\]]?"
                rf"(?=\s*[?:：？]{{1,2}}[\s)*]*{_L})(?P<mark>\s*[?？])?",
                flags,
            ),
            False,
        ),
        # "positive? No, negative"
        (
            re.compile(
                rf"(?P<out>{_L}\s*[?？]\s*(?:no|nope|nein|non|不|нет)\s*[,.:;\u2014，-]+)(?=\s*{_FILL}{_L})",
                flags,
            ),
            False,
        ),
        # what is denied before the choice: "not A but B"
        (
            re.compile(
                rf"(?P<out>(?:\bnot\s+{_FILL}|不是|并非|並非|nicht\s+){_L}\s*"
                r"(?:[,;]?\s*(?:but(?:\s+rather)?|sondern)\s|[,，;.。]?\s*而是|[,，;。]\s*是"
                rf"|[,;.\u2014-]\s*(?:it's|it\s+is|rather|instead)\s))(?=\s*{_FILL}{_L})",
                flags,
            ),
            False,
        ),
        # what is denied behind it, such as "A rather than B"
        (
            re.compile(
                rf"(?<=[{LONG}{LOWER}{EXACT}{MORE}])(?P<out>[)\]]?\s*[,，;(\[\u2014\u2013-]?\s*{_NOT}\s*{_FILL}{_LIST}"
                rf"[)\]]?){_END}",
                flags,
            ),
            True,
        ),
        # "It is A. It is not B."
        (
            re.compile(
                rf"(?<=[.!;。])(?P<out>\s*(?:(?:it|this|that)\s+(?:is\s+not|isn't|is\s+definitely\s+not)|not)"
                rf"\s+{_FILL}{_LIST}\s*[.!]?)(?=\s*\Z)",
                flags,
            ),
            True,
        ),
    )


_COURTESY = re.compile(
    r"\A\s*(?:no\s+(?:problem|worries|doubt)|not\s+a\s+problem)\s*[:,.!\u2014-]+", re.I
)
_RATED = re.compile(
    r"(?<=\d)[\s-]*(?:stars?|points?|sterne?n?|estrellas?|étoiles?|stelle|[⭐★]+|颗?星)(?:\s+rating)?(?![^\W_])",
    re.IGNORECASE,
)
_CORRECTED = re.compile(
    r"(?:\A|[.,;:!…\n\u2014\u2013-])\s*(?:(?:no|nope|wait|oh|oops|sorry|correction|actually|scratch\s+that"
    r"|hold\s+on|my\s+(?:mistake|bad)|i\s+mean|apologies|edit|rather|nein|non|pardon|perdón|нет|更正|抱歉)"
    r"[\s,.:!…\u2014\u2013-]*){1,3}(?:(?:but|and|then|that)\s+)?"
    r"(?:i\s+(?:meant?|should\s+have\s+said)\s+|(?:it|that|this|the\s+(?:(?:correct|right|final)\s+)?answer)"
    r"\s*(?:'s|is|should\s+be|must\s+be|was\s+meant\s+to\s+be)\s+|(?:it's|should\s+be|make\s+(?:that|it))\s+)?"
    rf"{_FILL}[(\[]?(?P<label>{_L})[)\]]?[\s.!]*\Z",
    re.IGNORECASE,
)


def without_rejected(text: str, patterns: Patterns) -> str:
    """`text`, as long as it is, with blanks for the labels it only sets against the chosen one."""
    text = _COURTESY.sub(lambda match: " " * len(match[0]), text)
    if patterns.numeric:
        text = _RATED.sub(lambda match: " " * len(match[0]), text)
    for pattern, other in _patterns():
        hidden = patterns.all_hidden(text)
        for match in pattern.finditer(hidden):
            start, end = match.span("out")
            if other and not _differs(text, hidden, start, end, patterns):
                continue
            end = match.end("mark") if match.groupdict().get("mark") else end
            text = text[:start] + " " * (end - start) + text[end:]
    return text


def corrected(text: str, patterns: Patterns) -> str | None:
    """The label that the end of the text puts right what came before with."""
    match = _CORRECTED.search(patterns.all_hidden(text[-400:]))
    return None if match is None else patterns.label(text[-400:][slice(*match.span("label"))])


def _differs(text: str, hidden: str, start: int, end: int, patterns: Patterns) -> bool:
    """Whether the last label before `start` is none of those in `text[start:end]`."""
    before = list(re.finditer(_L, hidden[max(0, start - 200) : start]))
    if not before:
        return False
    low = max(0, start - 200)
    chosen = patterns.label(text[low + before[-1].start() : low + before[-1].end()])
    return all(
        patterns.label(text[start + one.start() : start + one.end()]) != chosen
        for one in re.finditer(_L, hidden[start:end])
    )
