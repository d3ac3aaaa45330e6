"""Graders that ask a model: a rubric or criteria, one JSON object for an answer.

What is sent stands in `judge_request`, how the answer is read in `judge_scale`, the ready rubrics
in `judge_rubrics`. Other parts rely on three things: the object that is asked for
(`{"reason", "verdict"}` or `{"reason", "verdicts"}`), `judge_request` and `read_verdict` being
pure, and `judge_hash` naming whatever could change a verdict.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le, MaxLen, MinLen

from tau.domain.dataset import Example
from tau.domain.json import Json
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.errors import GraderFailed, InputError
from tau.graders.excerpt import excerpt
from tau.graders.judge_asking import AskSettings, JudgeAsker
from tau.graders.judge_injection import CODE, addresses_judge
from tau.graders.judge_material import material_of, without_reference
from tau.graders.judge_request import (
    TEMPLATE,
    JudgeRubric,
    check_template,
    judge_hash,
    judge_request,
)
from tau.graders.judge_rubrics import RUBRICS
from tau.graders.judge_scale import JudgeVerdict, scale_of
from tau.graders.reference import as_input_error
from tau.ports.grader import Grader, GraderContext
from tau.ports.record import Recorder

ModelName = Annotated[str, MinLen(3)]
Column = Annotated[str, MinLen(1)]

_TEMPLATE_BYTES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyJudgeSettings:
    """What every grader that asks a model has."""

    rubric: Annotated[str, MaxLen(50_000)] | None = None
    """What to judge by, as a question or a description of what is right."""
    scale: Annotated[str, MinLen(3)] | dict[str, float] = "yes-no"
    """`yes-no`, a range of whole numbers as `1-5`, or labels with what each is worth from 0 to
    1."""
    reference: Column | None = None
    """The column with a reference answer, which the judge is shown and the proposer is not."""
    context: Column | None = None
    """A column that the judge is shown beside input and output, as passages to be faithful to."""
    input: Column | None = None
    """The column that is shown as the input. Unset: the prompt, or all columns but the above."""
    pass_at: Annotated[float, Ge(0), Le(1)] | None = None
    """The least score that passes. Unset: only the best passes on `yes-no`; else none is said."""
    model: ModelName | dict[str, Json] | None = None
    """`provider/model` that judges, or an object as the section `model`. Unset: that of the
    section `judge`, else the task's own."""
    params: dict[str, Json] | None = None
    """Passed to the judge with every call. Unset: those of the section `judge`."""
    template: str | None = None
    """A file with another system message; it needs `{rubric}` and `{format}`."""
    structured: Literal["auto", "always", "never"] = "auto"
    """Ask for the answer by JSON Schema: where the provider is known to take it, or else."""
    repair: bool = True
    """Ask once more after an answer that cannot be read."""
    reuse: Literal["never", "run"] = "run"
    """Whether equal outputs of a row are judged once: in a run, by each process. Replicates of a
    rollout are judged each by itself in any case."""
    timeout_s: Annotated[float, Gt(0)] | None = None
    """The limit of one call, within the model's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSettings(ReadyJudgeSettings):
    """A rubric of your own."""

    criteria: dict[str, str] = field(default_factory=dict)
    """Several questions by name, each answered on the scale; in place of `rubric` or beside it."""
    weights: dict[str, Annotated[float, Gt(0), Le(1e9)]] = field(default_factory=dict)
    """What a criterion counts; 1 where nothing is said."""


class Judge:
    """Asks a model by a rubric. What it cannot read leaves the row unscored, it is never a 0.

    Reward: the score is the label's worth, or the weighted mean of the criteria's; the reason is
    the judge's, with its labels.
    """

    Settings: ClassVar[type[Any]] = JudgeSettings
    asks_model: ClassVar[bool] = True
    """The context's model is the judge, not the task's."""
    ready: ClassVar[str] = ""
    """Which ready rubric it has."""

    def __init__(self, settings: Any, context: GraderContext) -> None:  # noqa: ANN401
        if context.model is None:
            raise InputError("a judge needs a model", fix="give judge: {model: provider/model}")
        self._name = context.name
        self._settings = settings
        self._rubric = self.rubric_from(settings, context)
        self._asker = JudgeAsker(
            context.name,
            context.model,
            self._rubric,
            AskSettings(
                params=context.params,
                structured=settings.structured,
                repair=settings.repair,
                reuse=settings.reuse,
                timeout_s=settings.timeout_s,
            ),
        )
        self.judge_hash = judge_hash(context.model.ref, context.params, self._rubric)
        """Its identity; see judge_request."""

    @classmethod
    def rubric_from(cls, settings: Any, context: GraderContext) -> JudgeRubric:  # noqa: ANN401
        """What it judges by.

        Raises:
            InputError: nothing to judge by, a scale or template that cannot be used.
        """
        return rubric_of(settings, cls.ready, context.base_dir)

    @classmethod
    def check(cls, settings: Any, context: GraderContext, example: Example | None) -> None:  # noqa: ANN401
        cls.rubric_from(settings, context)
        if context.model is None or not context.model.ref:
            raise InputError(
                "a judge needs a model", fix="give judge: {model: provider/model} in the config"
            )
        if example is not None:
            try:
                material_of(example, Output(text=""), settings, cls.ready)
            except GraderFailed as failure:
                raise as_input_error(failure) from failure

    @classmethod
    def build(cls, settings: Any, context: GraderContext) -> Grader:  # noqa: ANN401
        return cls(settings, context)

    @property
    def name(self) -> str:
        return self._name

    @property
    def calls_per_attempt(self) -> int:
        return self._asker.calls

    async def grade(self, example: Example, output: Output, record: Recorder) -> Reward:
        material = material_of(example, output, self._settings, self.ready)
        shown = [material.input, material.reference or "", *material.more.values()]
        if addresses_judge(output.text, "\n".join(shown)):
            record.reason(CODE)
        verdict = await self._asker.ask(judge_request(self._rubric, material), record)
        return self._reward(verdict, material.reference)

    async def aclose(self) -> None:
        """The model belongs to whoever built it."""

    def _reward(self, verdict: JudgeVerdict, reference: str | None) -> Reward:
        rubric = self._rubric
        scores = {name: rubric.scale.values[label] for name, label in verdict.labels.items()}
        weights = {name: rubric.weights.get(name, 1.0) for name in scores}
        score = math.fsum(weights[name] * scores[name] for name in scores)
        score = min(1.0, score / math.fsum(weights.values()))
        said = ", ".join(f"{name}: {label}" if name else label for name, label in
                         verdict.labels.items())  # fmt: skip
        reason = excerpt(verdict.reason, 2_000)[1:-1]
        pass_at = self._settings.pass_at
        if pass_at is None and self._settings.scale == "yes-no":
            pass_at = 1.0
        told = without_reference(reason, reference)
        return Reward(
            name=self._name,
            score=score,
            passed=None if pass_at is None else score >= pass_at,
            reason=f"{said} - {reason}" if reason else said,
            feedback=f"{said} - {told}" if told else said,
            metrics={name: value for name, value in scores.items() if name},
        )


class FactualityJudge(Judge):
    """Do the facts agree with the reference? The column `expected` unless said otherwise."""

    Settings: ClassVar[type[Any]] = ReadyJudgeSettings
    ready: ClassVar[str] = "factuality"


class ClosedQAJudge(Judge):
    """Is it the reference's answer? The column `expected` unless said otherwise."""

    Settings: ClassVar[type[Any]] = ReadyJudgeSettings
    ready: ClassVar[str] = "closed-qa"


class FaithfulnessJudge(Judge):
    """Is every claim supported by the column `context`?"""

    Settings: ClassVar[type[Any]] = ReadyJudgeSettings
    ready: ClassVar[str] = "faithfulness"


class RelevanceJudge(Judge):
    """Is the output to the point?"""

    Settings: ClassVar[type[Any]] = ReadyJudgeSettings
    ready: ClassVar[str] = "relevance"


class RefusalJudge(Judge):
    """Does the output decline? 1 where it does; put it into `not` where it must not."""

    Settings: ClassVar[type[Any]] = ReadyJudgeSettings
    ready: ClassVar[str] = "refusal"


def rubric_of(settings: Any, ready: str, base_dir: Path) -> JudgeRubric:  # noqa: ANN401
    """What the settings judge by.

    Raises:
        InputError: nothing to judge by, a scale or template that cannot be used.
    """
    text = settings.rubric
    if text is None and ready:
        text = RUBRICS[ready].rubric
    criteria: Mapping[str, str] = getattr(settings, "criteria", {})
    weights: Mapping[str, float] = getattr(settings, "weights", {})
    if not criteria and not (text or "").strip():
        raise InputError("a judge has nothing to judge by", fix="give 'rubric' or 'criteria'")
    if blank := [name for name, each in criteria.items() if not (name.strip() and each.strip())]:
        raise InputError(f"the criterion '{blank[0][:80]}' is blank", where="criteria")
    if unknown := sorted(set(weights) - set(criteria)):
        raise InputError(
            f"there is no criterion '{unknown[0][:80]}'", where="weights", fix="weigh the criteria"
        )
    return JudgeRubric(
        rubric=(text or "").strip(),
        criteria=criteria,
        weights=weights,
        scale=scale_of(settings.scale),
        template=template_of(settings.template, base_dir),
    )


def template_of(file: str | None, base_dir: Path) -> str:
    """The text of a template file; the usual one where none is named.

    Raises:
        InputError: it cannot be read, or lacks what a judge has to be told.
    """
    if file is None:
        return TEMPLATE
    try:
        text = (base_dir / file).read_text("utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read the judge's template '{file}'", why=why) from error
    if len(text) > _TEMPLATE_BYTES:
        raise InputError(f"the judge's template '{file}' is far too long")
    check_template(text, file)
    return text
