"""A judge that compares: the output against another one of the same row, in both orders."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from tau.domain.dataset import Example
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.errors import GraderFailed, InputError
from tau.graders.excerpt import excerpt
from tau.graders.judge import Column, Judge, ReadyJudgeSettings, template_of
from tau.graders.judge_injection import CODE, addresses_judge
from tau.graders.judge_material import material_of, without_reference
from tau.graders.judge_request import JudgeRubric, judge_request
from tau.graders.judge_scale import JudgeScale, JudgeVerdict
from tau.graders.reference import as_input_error
from tau.ports.grader import GraderContext
from tau.ports.record import Recorder

RUBRIC = (
    "Which of the two outputs serves the input better: more correct, more complete, more to the "
    "point? Which one stands first says nothing. Where neither is better, it is a tie."
)
FIRST, SECOND, TIE = "first", "second", "tie"
_SCALE = JudgeScale(values={FIRST: 1.0, SECOND: 0.0, TIE: 0.5})
_FLIPPED = {FIRST: SECOND, SECOND: FIRST, TIE: TIE}


@dataclass(frozen=True, slots=True, kw_only=True)
class PairwiseSettings(ReadyJudgeSettings):
    """What it is compared with. `scale` is no choice here: first, second or tie."""

    against: Column = "expected"
    """The column with the other output: a reference, or what the prompt in use answers."""


class PairwiseJudge(Judge):
    """1 where the output is better than the other one, 0 where it is worse, 0.5 for a tie.

    Asked in both orders; where the two contradict each other it is a tie, and `order_flipped` is 1.
    The score is relative: it says how often this output wins against that column, nothing more.
    """

    Settings: ClassVar[type[Any]] = PairwiseSettings

    @classmethod
    def rubric_from(cls, settings: Any, context: GraderContext) -> JudgeRubric:  # noqa: ANN401
        if settings.scale != "yes-no":
            raise InputError("pairwise has a scale of its own", fix="leave 'scale' out")
        return JudgeRubric(
            rubric=(settings.rubric or RUBRIC).strip(),
            scale=_SCALE,
            template=template_of(settings.template, context.base_dir),
        )

    @classmethod
    def check(cls, settings: Any, context: GraderContext, example: Example | None) -> None:  # noqa: ANN401
        super().check(settings, context, example)
        if example is not None:
            try:
                _other(example, settings)
            except GraderFailed as failure:
                raise as_input_error(failure) from failure

    @property
    def calls_per_attempt(self) -> int:
        return 2 * super().calls_per_attempt

    async def grade(self, example: Example, output: Output, record: Recorder) -> Reward:
        other = _other(example, self._settings)
        shown = material_of(example, output, self._settings)
        if addresses_judge(output.text, f"{shown.input}\n{other}"):
            record.reason(CODE)
        verdicts = []
        for first, second in ((shown.output, other), (other, shown.output)):
            material = replace(
                shown,
                output=second,
                title="second output",
                more={**shown.more, "first output": first},
            )
            request = judge_request(self._rubric, material)
            verdicts.append(await self._asker.ask(request, record))
        return self._compared(verdicts[0], verdicts[1], other, shown.reference)

    def _compared(
        self, ahead: JudgeVerdict, behind: JudgeVerdict, other: str, reference: str | None
    ) -> Reward:
        said = ahead.labels[""], _FLIPPED[behind.labels[""]]
        scores = [_SCALE.values[each] for each in said]
        score = sum(scores) / 2
        flipped = set(said) == {FIRST, SECOND}
        told = {1.0: "better", 0.75: "better, or a tie", 0.5: "a tie", 0.25: "worse, or a tie"}
        head = "the order decided: a tie" if flipped else told.get(score, "worse")
        reasons = [excerpt(each.reason, 1_000)[1:-1] for each in (ahead, behind)]
        reason = f"{head}; as the first: {reasons[0]}; as the second: {reasons[1]}"
        hidden = without_reference(without_reference(reason, reference), other)
        pass_at = self._settings.pass_at
        return Reward(
            name=self.name,
            score=score,
            passed=None if pass_at is None else score >= pass_at,
            reason=reason,
            feedback=hidden,
            metrics={"order_flipped": float(flipped)},
        )


def _other(example: Example, settings: Any) -> str:  # noqa: ANN401
    pair = replace(settings, reference=settings.against, context=None)
    found = material_of(example, Output(text=""), pair).reference
    assert found is not None
    return found
