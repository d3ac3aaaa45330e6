"""The section `judge`, and which model every grader asks that asks one."""

from collections.abc import Mapping
from dataclasses import replace

from tau import plugins
from tau.config import choices
from tau.config.fields import JudgeFields, given
from tau.config.report import IssueReport, JsonPath
from tau.config.run_settings import GraderChoice, JudgeChoice, ModelChoice, RunConfig
from tau.config.values import describe
from tau.config.wording import validated
from tau.domain.json import Json

SECTION = "judge"


def judged(
    graders: tuple[GraderChoice, ...], value: Json, task: ModelChoice | None, report: IssueReport
) -> tuple[GraderChoice, ...]:
    """`graders` with the model that each one asks: its own, else that of the section `judge`.

    A model that a grader names itself has the settings of the section's, or of the task's, where
    it is of the same provider.
    """
    usual = _section(value, report)
    return tuple(_with_judge(each, usual, task, ("graders",), report) for each in graders)


def self_preferences(config: RunConfig) -> list[str]:
    """What to say of judges that judge their own answers."""
    return [
        f"self_preference: '{grader.name}' is judged by {model.ref}, which also gives the answers; "
        "models tend to prefer their own: name another one as judge: {model: provider/model}"
        for grader, model in config.judges
        if model.ref == config.model_ref
    ]


def _section(value: Json, report: IssueReport) -> JudgeChoice:
    if value is None:
        return JudgeChoice()
    if isinstance(value, str):
        value = {"model": value}
    if not isinstance(value, Mapping):
        report.error(
            (SECTION,),
            f"training config field 'judge' must be an object, not {describe(value)}",
            fix="write {model: provider/model}",
        )
        return JudgeChoice()
    options = given(value)
    named = options.pop("model", None)
    fields = validated(JudgeFields, options, steps=(SECTION,), report=report)
    params = {} if fields is None else fields.params
    if named is None:
        return JudgeChoice(params=params)
    chosen = choices.model(named, None, report, steps=(SECTION, "model"))
    return JudgeChoice(model=chosen, params=params)


def _with_judge(
    grader: GraderChoice,
    usual: JudgeChoice,
    task: ModelChoice | None,
    steps: JsonPath,
    report: IssueReport,
) -> GraderChoice:
    here = steps if grader.position is None else (*steps, grader.position)
    inner = "graders" if "graders" in grader.options else "grader"
    children = tuple(
        _with_judge(each, usual, task, (*here, inner), report) for each in grader.children
    )
    if not getattr(plugins.load(plugins.GRADERS, grader.type), "asks_model", False):
        return replace(grader, children=children)
    params = grader.settings.params
    params = usual.params if params is None else params
    model = usual.model
    if grader.settings.model is not None:
        model = _own(grader.settings.model, (usual.model, task), (*here, "model"), report)
    return replace(grader, children=children, judge=JudgeChoice(model=model, params=params))


def _own(
    named: str | Mapping[str, Json],
    others: tuple[ModelChoice | None, ...],
    steps: JsonPath,
    report: IssueReport,
) -> ModelChoice | None:
    chosen = choices.model(named, None, report, steps=steps)
    if chosen is None or not isinstance(named, str):
        return chosen
    alike = next((one for one in others if one and one.provider == chosen.provider), None)
    if alike is None:
        return chosen
    return replace(alike, ref=chosen.ref, name=chosen.name, by_flag=False)
