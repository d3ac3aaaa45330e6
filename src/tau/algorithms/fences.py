"""Texts between fences: shown to a model, and read back where there is one reading only."""

import re

from tau.algorithms.prompts import PromptParseError
from tau.domain.answers import CUT
from tau.domain.reasoning import without_reasoning
from tau.domain.rollout import Output

_OPENING = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*([\w+-]*)[ \t]*")
_TAGGED = re.compile(
    r"^[ \t]*<(prompt|new_prompt|improved_prompt|instruction|new_instruction)>[ \t]*\n?(.*?)\n?"
    r"[ \t]*</\1>[ \t]*$",
    re.S | re.M,
)
_ONE_LINE = re.compile(r"^[ \t]*(`{3,}|~{3,})(?![`~])(.+?)(?<![`~])\1[ \t]*$", re.M)


def fence(text: str, *also: str) -> str:
    """A fence that occurs in none of the texts."""
    runs = [len(run) for one in (text, *also) for run in re.findall(r"`{3,}", one)]
    return "`" * (max(runs) + 1 if runs else 3)


def fenced(text: str, marks: str) -> str:
    """`text` between fences on lines of their own."""
    return f"{marks}\n{text}\n{marks}"


def answer_in(said: str) -> str:
    """The one text between fences in what a model said, as it stands there.

    A text between tags (`<prompt>`) is taken too. Fences
    inside the text are part of it where only one reading is possible: a longer fence around it, or
    an opening one that says what is inside.

    Raises:
        PromptParseError: no such text, or one that is not closed, or several readings.
    """
    said = said.replace("\r\n", "\n")
    lines = said.split("\n")
    tagged = list(_TAGGED.finditer(said))
    found = _outermost(lines)
    if len(tagged) == 1 and not any(m in said[: tagged[0].start()] for m in ("```", "~~~")):
        return _sound(tagged[0][2])
    if not found:
        one_line = list(_ONE_LINE.finditer(said))
        if len(one_line) == 1:
            return _sound(one_line[0][2].strip())
    if len(found) != 1:
        counted = "no text" if not found else f"{len(found)} texts"
        raise PromptParseError(
            f"there must be exactly one text between fences, and there is {counted}"
        )
    return _sound(found[0])


def _outermost(lines: list[str]) -> list[str]:
    """The texts between fences that are in no other; with a word one opens, bare it closes."""
    found: list[str] = []
    opened: list[str] = []
    first = 0
    for number, line in enumerate(lines):
        mark = _OPENING.fullmatch(line)
        if mark is None:
            continue
        run, word = mark[1], mark[2]
        if not opened:
            opened, first = [run], number
        elif len(run) >= len(opened[0]) and run[0] == opened[0][0] and not word:
            opened.pop()
            if not opened:
                found.append("\n".join(lines[first + 1 : number]))
        elif word and run == opened[0]:
            opened.append(run)
    if opened:
        raise PromptParseError(f"the fence {opened[0]} is not closed")
    return found


def _sound(text: str) -> str:
    if not text.strip():
        raise PromptParseError("the text between the fences is empty")
    return text


def whole(output: Output) -> str:
    """What a model said, without its reasoning.

    Raises:
        PromptParseError: it was cut at the token limit, or nothing was said: what
            there is, is a draft.
    """
    if CUT in output.reason_codes or output.finish_reason in ("length", "max_tokens"):
        raise PromptParseError("it was cut at the token limit before its end; write a shorter one")
    said, reasoning = without_reasoning(output.text)
    if not said.strip():
        thought = reasoning or output.metadata.get("reasoning")
        raise PromptParseError("it is reasoning without an answer" if thought else "it is empty")
    return said


def unfenced(said: str) -> bool:
    """Whether nothing in what a model said marks a text as the answer."""
    return not _MARKED.search(said)


_MARKED = re.compile(
    r"`{3,}|~{3,}|</?(?:prompt|new_prompt|improved_prompt|instruction|new_instruction)>"
)
