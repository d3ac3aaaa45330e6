"""Grades answers of the simulated world."""

from dataclasses import dataclass

from tau.domain.dataset import Example
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.errors import GraderFailed, InputError
from tau.ports.grader import GraderContext
from tau.ports.record import Recorder
from tau.sim.grading import FeedbackLevel, case_in, judge
from tau.sim.world import Case


@dataclass(frozen=True, slots=True, kw_only=True)
class SimSettings:
    """`feedback`: only right or wrong, the expected answer too, or the first broken rule in words.

    With `partial` the score is the share of fields in their right form, else 0 or 1.
    """

    feedback: FeedbackLevel = "rule"
    partial: bool = False


class SimGrader:
    """Compares with the one right answer; the row's `prompt` says which case it is."""

    Settings = SimSettings

    def __init__(self, name: str, settings: SimSettings) -> None:
        self._name = name
        self._settings = settings

    @classmethod
    def check(cls, settings: SimSettings, context: GraderContext, example: Example | None) -> None:
        if example is not None and _case(example) is None:
            raise InputError(
                "the sim grader grades only rows of the simulated world",
                where=example.id,
                fix="make rows with tau.sim.world, or choose another grader",
            )

    @classmethod
    def build(cls, settings: SimSettings, context: GraderContext) -> "SimGrader":
        return cls(context.name, settings)

    @property
    def name(self) -> str:
        return self._name

    @property
    def calls_per_attempt(self) -> int:
        return 0

    async def grade(self, example: Example, output: Output, record: Recorder) -> Reward:
        case = _case(example)
        if case is None:
            raise GraderFailed("the row is no case of the simulated world", where=example.id)
        if example.expected not in (None, case.answer):
            raise GraderFailed(
                "the row's 'expected' is not the answer of its case",
                where=example.id,
                why="the row was made by another version of the world, or edited",
                fix="make the rows again with tau.sim.world",
            )
        verdict = judge(case, output.text, self._settings.feedback)
        score = verdict.fields_right if self._settings.partial else float(verdict.right)
        return Reward(
            name=self._name,
            score=score,
            passed=verdict.right,
            reason=verdict.reason,
            feedback=verdict.feedback,
            metrics={"fields_right": verdict.fields_right},
        )

    async def aclose(self) -> None:
        """There is nothing to release."""


def _case(example: Example) -> Case | None:
    return None if example.prompt is None else case_in(example.prompt)
