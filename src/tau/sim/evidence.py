"""What a reflection request shows: the instructions it is about, and what can be learnt from it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import zip_longest

from tau.sim.calls import objective
from tau.sim.catalogue import CATALOGUE
from tau.sim.constants import WORLD_CONSTANTS, WorldConstants
from tau.sim.rules import sentences
from tau.sim.world import CASE_ID, Case, case_of, world

_FENCE = re.compile(r"```(?:\w+\n)?(.*?)```", re.S)
_SECTION = re.compile(r"\[\[ ## (\w+) ## \]\]\n(.*?)(?=\n\[\[ ## |\Z)", re.S)
_LABELLED = re.compile(
    r"^[^\n:]{0,200}\b(?:instructions?|(?:system )?prompts?)\b[^\n:]{0,200}:[ \t]*\n?"
    r"(.+?)(?:\n\s*\n|\Z)",
    re.I | re.M | re.S,
)
_QUOTED = re.compile(r'"(.+?)"\s*(?:\n|\Z)', re.S)
_EVIDENCE_LABEL = re.compile(
    r"\b(?:feedback|expected|output|outputs|input|inputs|examples?|failures?|answer|response|"
    r"case|cases|results?)\b",
    re.IGNORECASE,
)
_INSTRUCTION_NAME = re.compile(r"instruction|prompt")
_FAILED = re.compile(
    r"\b(?:wrong|incorrect|fail(?:ed|ure)?|mistakes?|not (?:right|correct)|score:? ?0)", re.I
)

_MOST_CASES = 500
"""Cases of one request that are looked at."""


class EvidenceClarity(IntEnum):
    """How plainly the evidence shows a rule."""

    SCORE = 0
    EXPECTED = 1
    HINT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A form (slot, variant) that could be learnt."""

    slot: int
    variant: int
    source: EvidenceClarity


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A request taken apart. `cases` are those with their right answer shown."""

    instructions: tuple[str, ...]
    lessons: tuple[Lesson, ...]
    cases: tuple[Case, ...]


def gather(text: str, constants: WorldConstants = WORLD_CONSTANTS) -> Evidence:
    """Take a reflection or critique request apart."""
    instructions = tuple(_instructions(text))
    rest = text
    for shown in instructions:
        rest = rest.replace(shown, "\n", 1)
    lessons: dict[tuple[int, int], Lesson] = {}
    cases = []
    for lesson in _hints(rest):
        lessons.setdefault((lesson.slot, lesson.variant), lesson)
    for case, segment in _segments(rest, constants):
        revealed = case.answer in segment
        if revealed:
            cases.append(case)
        elif not _FAILED.search(segment):
            continue
        rules = world(case.seed, constants).rules
        for field in case.fields:
            slot, variant = rules[field.rule]
            source = EvidenceClarity.EXPECTED if revealed else EvidenceClarity.SCORE
            known = lessons.get((slot, variant))
            if known is None or known.source < source:
                lessons[slot, variant] = Lesson(slot=slot, variant=variant, source=source)
    return Evidence(instructions=instructions, lessons=tuple(lessons.values()), cases=tuple(cases))


def _instructions(text: str) -> Iterator[str]:
    """The instructions the request is about: named sections, else fences, else a labelled line."""
    found = False
    for name, body in _SECTION.findall(text):
        if _INSTRUCTION_NAME.search(name) and body.strip() and not body.startswith("{"):
            found = True
            yield body.strip()
    if found:
        return
    for fence in _FENCE.finditer(text):
        body = fence[1].strip()
        label = text[: fence.start()].rstrip().rpartition("\n")[2]
        shows_cases = any(True for _ in CASE_ID.finditer(body)) and _EVIDENCE_LABEL.search(label)
        if body and not shows_cases and not _labels_evidence(label, first=not found):
            found = True
            yield objective(body).strip()
    labelled = None if found else _LABELLED.search(text)
    if labelled:
        yield _without_material(labelled[1])


def _without_material(text: str) -> str:
    """The instruction that `text` begins with: the quoted part, or what precedes any case."""
    text = text.strip()
    quoted = _QUOTED.match(text)
    if quoted:
        return quoted[1]
    case = CASE_ID.search(text)
    return text[: text.rfind("\n", 0, case.start()) + 1].strip() if case else text


def _labels_evidence(label: str, *, first: bool) -> bool:
    """Whether the line above a fence announces material instead of an instruction."""
    if re.search(r"\b(?:instructions?|prompts?)\b", label, re.IGNORECASE):
        return False
    return not first or bool(_EVIDENCE_LABEL.search(label))


def _hints(text: str) -> Iterator[Lesson]:
    """Rules that the evidence states in words."""
    for sentence in sentences(text):
        for statement in CATALOGUE.statements(sentence):
            if not statement.negated:
                yield Lesson(
                    slot=statement.slot, variant=statement.variant, source=EvidenceClarity.HINT
                )


def _segments(text: str, constants: WorldConstants) -> Iterator[tuple[Case, str]]:
    """Each case and what is said from its first mention to that of the next case."""
    firsts: dict[str, re.Match[str]] = {}
    for identity in CASE_ID.finditer(text):
        firsts.setdefault(identity[0], identity)
    matches = list(firsts.values())[:_MOST_CASES]
    for match, following in zip_longest(matches, matches[1:]):
        end = len(text) if following is None else following.start()
        case = case_of(match, constants)
        yield case, text[match.start() : end].replace(case.text, "")
