"""A text without the markup that chat models put around their answers."""

import re
import unicodedata
from collections.abc import Sequence

_STRUCK = re.compile(r"~~[^~\n]{1,200}~~|<(?:s|del|strike)>[^<\n]{0,200}</(?:s|del|strike)>", re.I)
_LATEX_TEXT = re.compile(
    r"\\(?:text|textbf|textit|texttt|textrm|textsf|mathrm|mathbf|mathit|mathsf|mathtt|mbox|bf|rm"
    r"|operatorname|emph|underline)\s*\{([^{}]*)\}"
)
_LATEX_SPACE = re.compile(r"\\[,;:!\s]|\\q?quad\b|\\[()\[\]]")
_BOXED = re.compile(r"\\f?boxed\s*\{([^{}]*)\}|\\boxed\s+(\w+)")
_TAGGED = re.compile(
    r"<(final_?answer|answer|ans|choice|label|option|result|output|category|sentiment|response)>",
    re.I,
)
_PAIRED = re.compile(r"<(b|i|u)>([^<>\n]{0,200})</\1>", re.I)
_TAG = re.compile(
    r"</?(?:strong|em|p|br|span|div|code|mark|center|li|ul|ol|h[1-6]|small|font|pre|td|tr"
    r"|final_?answer|answer|ans|choice|label|option|result|output|category|sentiment|response)"
    r"(?:\s[^<>]{0,200})?/?>",
    re.I,
)
_FENCE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[^\n`]*$", re.M)
_GSM = re.compile(r"^[ \t]*####[ \t]+", re.M)
_LINE_HEAD = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>+[ \t]?|[-*+•·][ \t]+)+", re.M)
_RULE = re.compile(r"^[ \t]*(?:[-*_=][ \t]*){3,}$", re.M)
_ROW = re.compile(r"^[ \t]*\|(.*)\|[ \t]*$", re.M)
_EDGE_UNDERSCORES = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")
_DROPPED = '*`$"\u201c\u201d\u201e\u00ab\u00bb\u300c\u300d\u300e\u300f\u3010\u3011'


def plain(text: str, kept: Sequence[str] = ()) -> str:
    """`text` without Markdown, LaTeX, tags and invisible characters; full width made narrow.

    What is boxed or tagged as the answer is led in by "Answer:". Struck text goes. Characters
    that occur in one of `kept` stay, whatever they are.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = "".join(one for one in text if unicodedata.category(one) != "Cf")
        text = text.replace("\u2019", "'").replace("\u2018", "'")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    needed = "".join(kept)
    text = _FENCE.sub("", _STRUCK.sub(" ", text))
    if "\\" in text:
        text = _LATEX_TEXT.sub(r"\1", _LATEX_TEXT.sub(r"\1", text))
        text = _BOXED.sub(r" Answer: \1\2 ", _LATEX_SPACE.sub(" ", text))
    if "<" in text:
        text = _TAG.sub(" ", _TAGGED.sub(" Answer: ", _PAIRED.sub(r"\2", text)))
    if "|" in text:
        text = _ROW.sub(lambda row: ": ".join(each.strip() for each in row[1].split("|")), text)
    text = _RULE.sub("", _LINE_HEAD.sub("", _GSM.sub("Answer: ", text)))
    dropped = {ord(one): None for one in _DROPPED if one not in needed}
    text = text.translate(dropped)
    return text if "_" in needed else _EDGE_UNDERSCORES.sub("", text)
