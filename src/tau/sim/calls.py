"""What a chat request asks for, told from its messages alone.

- *task*: the last thing said is a case; what stands above it is the prompt.
- *reflection*: a new or better instruction is asked for.
- *critique*: reasons for failures, or what examples have in common, but no new prompt.
- *judgement*: an answer is to be judged; only the judge is asked that.
- *other*: nothing of this world.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tau.domain.chat import Message
from tau.sim.constants import WORLD_CONSTANTS, WorldConstants
from tau.sim.world import CASE_ID, Case, case_of

_ADJECTIVES = (
    r"new|improved|better|revised|updated|rewritten|refined|optimi[sz]ed|combined|merged|"
    r"proposed|alternative|edited|modified|different|stronger"
)
_VERBS = (
    r"write|rewrite|propose|improve|revise|generate|create|suggest|produce|combine|merge|"
    r"paraphrase|rephrase|refine|edit|optimi[sz]e|mutate|draft"
)
_ASK = re.compile(
    rf"\b(?:{_ADJECTIVES}|{_VERBS})\b[^.\n]{{0,60}}\b(?:instructions?|(?:system )?prompts?)\b"
    r"|\b(?:variation|version)s? of\b[^.\n]{0,60}\b(?:instructions?|prompts?|text)\b",
    re.IGNORECASE,
)
_CRITIQUE = re.compile(
    r"\b(?:give|list|state|explain|describe|name|say|identify)\b[^.\n]{0,60}"
    r"\b(?:reasons?|why|problems?|issues?|weakness(?:es)?|mistakes?|critique|criticism)\b",
    re.IGNORECASE,
)
_REVIEW = re.compile(
    r"\b(?:feedback|expected|incorrect|wrong|score|correct answer|your answer|response was)\b",
    re.IGNORECASE,
)
_FIELD = re.compile(r"\[\[ ## (\w+) ## \]\]")
_OUTPUT_FIELDS = re.compile(r"Your output fields are:\n(.*?)(?:\n\S*All interactions|\Z)", re.S)
_FIELD_ITEM = re.compile(r"^\s*\d+\.\s*`(\w+)`", re.M)
_OBJECTIVE = re.compile(r"your objective is:\s*", re.IGNORECASE)
_BOILERPLATE = re.compile(
    r"Respond with (?:the corresponding output fields|a JSON object).*|\[\[ ## \w+ ## \]\]|"
    r"This is an example of the task, though some input or output fields are not supplied\.",
    re.IGNORECASE | re.S,
)
_STUDY = re.compile(r"observation|summary|description|critique|feedback")
"""Names of output fields that ask for insights into examples."""

_TAIL = 80
"""Characters that may follow the case of a task call ("Answer:" and the like)."""


_MOST_DEMONSTRATIONS = 200
"""Cases before the last one that are looked at."""


class CallKind(StrEnum):
    """See the module."""

    TASK = "task"
    REFLECTION = "reflection"
    CRITIQUE = "critique"
    JUDGEMENT = "judgement"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedCall:
    """A request understood.

    `instructions` is what the prompt says without the case and the demonstrations; `text` is
    everything said. `output_fields` are names where the answer must be laid out in named sections,
    in order: as `[[ ## name ## ]]`, or as a JSON object with `as_json`.
    """

    kind: CallKind
    text: str
    case: Case | None = None
    instructions: str = ""
    demonstrations: tuple[Case, ...] = ()
    output_fields: tuple[str, ...] = ()
    as_json: bool = False


def understand(
    messages: Sequence[Message], constants: WorldConstants = WORLD_CONSTANTS
) -> SimulatedCall:
    """Tell what `messages` ask for."""
    text = "\n\n".join(message.content for message in messages)
    fields = _output_fields(messages)
    last = _last_user(messages)
    case, tail = _closing_case(last, constants)
    if any(_STUDY.search(name) for name in fields):
        return SimulatedCall(
            kind=CallKind.CRITIQUE,
            text=text,
            output_fields=fields,
            as_json=_wants_json(fields, last),
        )
    if case is not None and len(tail) <= _TAIL and not _REVIEW.search(tail):
        return _task(messages, case, fields, text, constants)
    if any("instruction" in name or "prompt" in name for name in fields) or (
        _ASK.search(text) and not _CRITIQUE.search(last)
    ):
        kind = CallKind.REFLECTION
    elif _CRITIQUE.search(last) or (case is not None and _REVIEW.search(tail)):
        kind = CallKind.CRITIQUE
    elif case is not None:
        return _task(messages, case, fields, text, constants)
    else:
        kind = CallKind.OTHER
    return SimulatedCall(
        kind=kind, text=text, output_fields=fields, as_json=_wants_json(fields, last)
    )


def objective(text: str) -> str:
    """The instruction inside a message laid out for named fields; other text as it is."""
    parts = _OBJECTIVE.split(text, maxsplit=1)
    return parts[-1] if "[[ ##" in text else text


def _output_fields(messages: Sequence[Message]) -> tuple[str, ...]:
    """The field names of a DSPy-style layout, without the closing marker."""
    for message in messages:
        declared = _OUTPUT_FIELDS.search(message.content)
        if declared and "[[ ##" in message.content:
            return tuple(_FIELD_ITEM.findall(declared[1]))
    return ()


def _wants_json(fields: tuple[str, ...], last: str) -> bool:
    """Whether named fields are to be given as one JSON object."""
    return bool(fields) and "Respond with a JSON object" in last


def _last_user(messages: Sequence[Message]) -> str:
    said = [m.content for m in messages if m.role not in {"assistant", "tool"}]
    return said[-1] if said else ""


def _closing_case(text: str, constants: WorldConstants) -> tuple[Case | None, str]:
    """The last case in `text` and what follows it, layout words left out."""
    matches = list(CASE_ID.finditer(text))
    if not matches:
        return None, ""
    case = case_of(matches[-1], constants)
    start = text.rfind(case.text)
    tail = text[start + len(case.text) :] if start >= 0 else text[matches[-1].end() :]
    return case, _BOILERPLATE.sub("", tail).strip()


def _task(
    messages: Sequence[Message],
    case: Case,
    fields: tuple[str, ...],
    text: str,
    constants: WorldConstants,
) -> SimulatedCall:
    """A task call, taken apart into instructions and demonstrations."""
    demonstrations = {}
    identities = {identity[0]: identity for identity in CASE_ID.finditer(text)}
    for identity in list(identities.values())[-_MOST_DEMONSTRATIONS:]:
        shown = case_of(identity, constants)
        if shown.id != case.id and _shown_right(text, shown):
            demonstrations[shown.id] = shown
    said = "\n".join(objective(m.content) for m in messages if m.role not in {"assistant", "tool"})
    for shown in (*demonstrations.values(), case):
        said = said.replace(shown.text, "").replace(f"{shown.answer}\n", "")
    return SimulatedCall(
        kind=CallKind.TASK,
        text=text,
        case=case,
        instructions=_BOILERPLATE.sub("", said),
        demonstrations=tuple(d for d in demonstrations.values() if d.seed == case.seed),
        output_fields=fields,
        as_json=_wants_json(fields, _last_user(messages)),
    )


def _shown_right(text: str, case: Case) -> bool:
    """Whether the whole case is shown and its right answer is the next line of that kind."""
    start = text.find(case.text)
    if start < 0:
        return False
    after = text[start + len(case.text) :]
    following = CASE_ID.search(after)
    segment = after[: following.start()] if following else after
    return any(
        line.strip().endswith(case.answer) and not line.strip().endswith(f"| {case.answer}")
        for line in segment.splitlines()
    )
