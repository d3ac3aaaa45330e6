"""Reasoning that a model wrote into its answer, told apart from the answer."""

import re

_NAMES = "think|thinking|thought|thoughts|reasoning|seed:think"
_OPENING = re.compile(
    rf"<(?:{_NAMES})(?:\s[^<>]{{0,200}})?>|\[THINK\]|<\|begin_of_thought\|>|<\|START_THINKING\|>"
    r"|\u25c1think\u25b7|<\|channel\|>(?:analysis|commentary)[^<]{0,80}<\|message\|>"
    r"|<\|channel>thought\b",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    rf"</(?:{_NAMES})\s*>|\[/THINK\]|<\|end_of_thought\|>|<\|END_THINKING\|>|\u25c1/think\u25b7"
    r"|<\|start\|>assistant(?=<\|channel\|>)|<\|channel\|>final[^<]{0,80}<\|message\|>|<channel\|>",
    re.IGNORECASE,
)
_MARKERS = re.compile(
    r"<\|(?:begin_of_solution|end_of_solution|START_RESPONSE|END_RESPONSE|return|end)\|>"
    r"|(?:<\|start\|>assistant)?<\|channel\|>final[^<]{0,80}<\|message\|>",
    re.IGNORECASE,
)
_CODE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n.*?^[ \t]*\1[`~]*[ \t]*$|`[^`\n]+`", re.M | re.S)
_HINT = re.compile(r"think|thought|reasoning|<\|channel", re.IGNORECASE)


def without_reasoning(text: str) -> tuple[str, str]:
    """The answer in `text`, and the reasoning around it; both as they were written.

    Blocks of well-known tags are reasoning, and what comes before a closing tag whose opening one
    a chat template has eaten. Where a block was cut before its end there is no answer: "". Tags in
    code and in JSON are part of the answer.
    """
    if _HINT.search(text) is None or text.lstrip()[:1] in ("{", '"'):
        return text, ""
    answer, reasoning = _parted(text)
    if not reasoning:
        return text, ""
    return _MARKERS.sub("", answer), reasoning


def _parted(text: str) -> tuple[str, str]:
    answer: list[str] = []
    reasoning: list[str] = []
    at = 0
    while True:
        opening, closing = _outside_code(_OPENING, text, at), _outside_code(_CLOSING, text, at)
        if closing is not None and (opening is None or closing.start() < opening.start()):
            reasoning += [*answer, text[at : closing.start()]]  # its opening tag is missing
            answer, at = [], _past_blanks(text, closing.end())
            continue
        if opening is None:
            return "".join((*answer, text[at:])), "".join(reasoning).strip()
        closed = _CLOSING.search(text, opening.end())
        answer.append(text[at : opening.start()])
        if closed is None:
            return _cut(text, opening, "".join(answer), reasoning)
        reasoning.append(text[opening.end() : closed.start()])
        at = closed.end()
        if not "".join(answer).strip():
            answer, at = [], _past_blanks(text, at)


def _cut(text: str, opening: re.Match[str], before: str, reasoning: list[str]) -> tuple[str, str]:
    """A block that is not closed; in the middle of a line it is only spoken of."""
    line = text[text.rfind("\n", 0, opening.start()) + 1 : opening.start()]
    if line.strip() and before.strip():
        return before + text[opening.start() :], "".join(reasoning).strip()
    return "", "".join((*reasoning, before, text[opening.end() :])).strip()


def _outside_code(pattern: re.Pattern[str], text: str, at: int) -> re.Match[str] | None:
    """The first match that does not stand in code which begins at `at` or later."""
    code = _CODE.search(text, at)
    found = pattern.search(text, at)
    while found is not None and code is not None and code.start() < found.start():
        if found.end() <= code.end():
            found = pattern.search(text, code.end())
        code = _CODE.search(text, code.end())
    return found


def _past_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
