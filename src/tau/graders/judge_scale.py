"""What a judge may answer, and how its answer is read.

The judge is asked for one JSON object, `{"reason": ..., "verdict": label}`, or, where there are
several criteria, `{"reason": ..., "verdicts": {criterion: label}}`. `read_verdict` takes the labels
from these fields and from nowhere else: what a reason says, or what stands around the object, can
never become a verdict.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tau.domain.json import Json
from tau.domain.reasoning import without_reasoning
from tau.errors import InputError

YES_NO: Mapping[str, float] = {"yes": 1.0, "no": 0.0}
_RANGE = re.compile(r"(\d{1,3})-(\d{1,3})")
_MOST_LABELS = 101
_MOST_CHARACTERS = 200_000
_FENCED = re.compile(r"\A(`{3,}|~{3,})[ \t]*(?:json)?[ \t]*\r?\n(.*?)\r?\n?\1\s*\Z", re.S | re.I)


class UnreadableVerdict(ValueError):
    """An answer of a judge that says no verdict; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeScale:
    """The labels a judge chooses from, and what each one is worth, from 0 to 1."""

    values: Mapping[str, float]

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order they are told to the judge."""
        return tuple(self.values)

    def label_of(self, said: object) -> str:
        """The label that is meant.

        Raises:
            UnreadableVerdict: none of them, or anything but one.
        """
        if isinstance(said, bool):
            said = {True: "yes", False: "no"}[said] if set(self.values) == set(YES_NO) else None
        if isinstance(said, float) and math.isfinite(said) and said.is_integer():
            said = int(said)
        text = str(said) if isinstance(said, int | str) else None
        if text is not None:
            if (text := text.strip()) in self.values:
                return text
            alike = [one for one in self.values if one.casefold() == text.casefold()]
            if len(alike) == 1:
                return alike[0]
        raise UnreadableVerdict(f"the verdict is none of {', '.join(self.values)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeVerdict:
    """What a judge said: one label for each criterion, or one under "" for the rubric."""

    reason: str
    labels: Mapping[str, str]


def scale_of(written: str | Mapping[str, float]) -> JudgeScale:
    """`yes-no`, a range of whole numbers as `1-5` (from 0 to 1 in equal steps), or labels.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(written, str):
        if written == "yes-no":
            return JudgeScale(values=YES_NO)
        found = _RANGE.fullmatch(written)
        low, high = (int(found[1]), int(found[2])) if found else (0, 0)
        if not low < high <= low + _MOST_LABELS - 1:
            raise _unusable(f"'{written[:40]}' is no scale")
        return JudgeScale(
            values={str(each): (each - low) / (high - low) for each in range(low, high + 1)}
        )
    labels = [label.strip() for label in written]
    if not 2 <= len(labels) <= _MOST_LABELS:
        raise _unusable(f"a scale of {len(labels)} labels tells nothing apart")
    if len({label.casefold() for label in labels}) < len(labels) or not all(labels):
        raise _unusable("two labels are the same, or one is blank")
    values = dict(zip(labels, map(float, written.values()), strict=True))
    if not all(0 <= value <= 1 for value in values.values()):
        raise _unusable("a label is worth less than 0 or more than 1")
    if len(set(values.values())) < 2:
        raise _unusable("all labels are worth the same")
    return JudgeScale(values=values)


def read_verdict(text: str, scale: JudgeScale, criteria: Sequence[str] = ()) -> JudgeVerdict:
    """The verdict in a judge's answer: its one JSON object, alone or in one code fence.

    Raises:
        UnreadableVerdict: it says none, or more than one.
    """
    found = _object(text)
    field, other = ("verdicts", "verdict") if criteria else ("verdict", "verdicts")
    if field not in found:
        raise UnreadableVerdict(f"the object has no field '{field}'")
    if other in found:
        raise UnreadableVerdict("the object has both 'verdict' and 'verdicts'")
    reason = found.get("reason", "")
    if not isinstance(reason, str):
        raise UnreadableVerdict("'reason' is no text")
    reason = reason.encode("utf-8", "replace").decode("utf-8")
    said = found[field]
    if not criteria:
        return JudgeVerdict(reason=reason, labels={"": scale.label_of(said)})
    if not isinstance(said, Mapping):
        raise UnreadableVerdict("'verdicts' is no object of criterion and label")
    if set(said) != set(criteria):
        odd = sorted(set(said) ^ set(criteria))
        raise UnreadableVerdict(f"'verdicts' lacks or adds {', '.join(odd)[:200]}")
    return JudgeVerdict(reason=reason, labels={one: scale.label_of(said[one]) for one in criteria})


def verdict_schema(scale: JudgeScale, criteria: Sequence[str] = ()) -> dict[str, Json]:
    """The JSON Schema of an answer: the reason comes before the verdict."""
    label: dict[str, Json] = {"type": "string", "enum": list(scale.labels)}
    field = "verdicts" if criteria else "verdict"
    verdict = _closed(dict.fromkeys(criteria, label)) if criteria else label
    return _closed({"reason": {"type": "string"}, field: verdict})


def _closed(properties: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _object(text: str) -> dict[str, Any]:
    answer, _ = without_reasoning(text)
    answer = answer.strip().removeprefix("\ufeff")
    if not answer:
        raise UnreadableVerdict("the answer is empty")
    if len(answer) > _MOST_CHARACTERS:
        raise UnreadableVerdict("the answer is far too long")
    if fenced := _FENCED.match(answer):
        answer = fenced[2]
    try:
        found = json.loads(answer, object_pairs_hook=_once, parse_constant=_no_number)
    except UnreadableVerdict:
        raise
    except (ValueError, RecursionError):
        raise UnreadableVerdict("the answer is not one JSON object and nothing else") from None
    if not isinstance(found, dict):
        raise UnreadableVerdict("the answer is not a JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise UnreadableVerdict("a field stands in the object twice")
    return found


def _no_number(name: str) -> float:
    raise UnreadableVerdict(f"'{name}' is no JSON")


def _unusable(why: str) -> InputError:
    return InputError(
        "the scale of a judge cannot be used",
        where="scale",
        why=why,
        fix="write yes-no, 1-5, or labels with what each is worth: {poor: 0, fair: 0.5, good: 1}",
    )
