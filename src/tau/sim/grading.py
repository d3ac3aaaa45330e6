"""Grading an answer of the world, with as much feedback as the level allows."""

from dataclasses import dataclass
from typing import Literal

from tau.sim.world import CASE_ID, Case, case_of, world

FeedbackLevel = Literal["score", "expected", "rule"]
"""Only right or wrong; the expected answer too; the first broken rule in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedVerdict:
    """`fields_right` is the share of fields in their right form. `reason` is for people."""

    right: bool
    fields_right: float
    reason: str
    feedback: str


def case_in(text: str) -> Case | None:
    """The case that `text` is the input of, None where it is none of the world."""
    identity = CASE_ID.search(text)
    if identity is None:
        return None
    case = case_of(identity)
    return case if case.text in text else None


def judge(case: Case, output: str, level: FeedbackLevel) -> SimulatedVerdict:
    """Right if and only if the trimmed output is the case's answer."""
    given = output.strip()
    if given == case.answer:
        return SimulatedVerdict(
            right=True, fields_right=1.0, reason="the booking line is right",
            feedback=f"Order {case.id}: right.",
        )  # fmt: skip
    parts = [part.strip() for part in given.split("|")]
    wanted = case.answer.split(" | ")
    hits = sum(part == want for part, want in zip(parts, wanted, strict=False))
    broken = _first_broken(case, parts)
    reason = "the form of the line is wrong" if broken is None else (
        f"the field '{case.fields[broken].slot.name}' is wrong"
    )  # fmt: skip
    return SimulatedVerdict(
        right=False,
        fields_right=hits / max(len(parts), len(wanted)),
        reason=reason,
        feedback=_feedback(case, broken, level),
    )


def _first_broken(case: Case, parts: list[str]) -> int | None:
    """The first field that is not as its rule wants it; None where the line itself is malformed."""
    if len(parts) != len(case.fields) + 1:
        return None
    for index, field in enumerate(case.fields):
        if parts[index + 1] != field.right:
            return index
    return None


def _feedback(case: Case, broken: int | None, level: FeedbackLevel) -> str:
    said = f"Order {case.id}: wrong."
    if level == "expected":
        return f"{said} The expected answer is:\n{case.answer}"
    if level == "rule" and broken is None:
        return f"{said} The line must hold the fields and nothing else."
    if level == "rule" and broken is not None:
        field = case.fields[broken]
        return f"{said} {world(case.seed).hint(field.rule)}"
    return said
