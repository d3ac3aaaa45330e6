"""The sections that say what a run sets out to prove: claim, objective and guards."""

from collections.abc import Mapping, Sequence

from tau.config.fields import ClaimFields, GuardFields, ObjectiveFields, given
from tau.config.report import IssueReport, suggestion
from tau.config.run_settings import GraderChoice
from tau.config.values import describe
from tau.config.wording import validated
from tau.domain.claim import Aim, ClaimTerms, CostMeasure, Guard
from tau.domain.json import Json

SECTIONS = ("claim", "objective", "guards")
_NO_MARGIN = (
    "needs a margin, the loss from which a prompt counts as worse: no number of rows can prove "
    "that there is no loss at all"
)


def terms(
    value: Mapping[str, Json], graders: Sequence[GraderChoice], report: IssueReport
) -> ClaimTerms | None:
    """What the sections of a configuration come to; None where a mistake was reported."""
    claim = _claim(value.get("claim"), report)
    objective = _objective(value.get("objective"), report)
    guards = _guards(value.get("guards"), graders, report)
    if claim is None or guards is None or (value.get("objective") and objective is None):
        return None
    if objective is None and Aim(claim.kind) is Aim.CHEAPER:
        report.error(
            ("claim",),
            "training config field 'claim' says cheaper, but not what is to be minimized",
            fix='write "objective": {"minimize": "usd", "not_worse": 0.02} and leave it out',
        )
        return None
    if objective is not None and value.get("claim") and Aim(claim.kind) is not Aim.CHEAPER:
        report.error(
            ("claim",),
            f"training config fields 'claim' and 'objective' differ: '{claim.kind}', and cheaper "
            "and not worse",
            fix="keep one of them",
        )
        return None
    if objective is not None:
        minimize = CostMeasure(objective.minimize)
        return ClaimTerms(
            aim=Aim.CHEAPER, margin=objective.not_worse, minimize=minimize, guards=guards
        )
    return ClaimTerms(aim=Aim(claim.kind), margin=claim.margin, guards=guards)


def _claim(value: Json, report: IssueReport) -> ClaimFields | None:
    if value is None:
        return ClaimFields()
    if not isinstance(value, str | Mapping):
        report.error(
            ("claim",),
            f"training config field 'claim' must be a name or an object, not {describe(value)}",
            fix='write "better", or {"kind": "not_worse", "margin": 0.02}',
        )
        return None
    fields = {"kind": value} if isinstance(value, str) else given(value)
    found: ClaimFields | None = validated(ClaimFields, fields, steps=("claim",), report=report)
    if found is None:
        return None
    if Aim(found.kind) is Aim.NOT_WORSE and found.margin is None:
        report.error(
            ("claim",),
            f"training config field 'claim': 'not_worse' {_NO_MARGIN}",
            fix='write {"kind": "not_worse", "margin": 0.02} for two points',
        )
        return None
    if Aim(found.kind) is not Aim.NOT_WORSE and found.margin is not None:
        report.error(
            ("claim", "margin"),
            f"training config field 'claim.margin' is not for '{found.kind}'",
            fix="'not_worse' takes one; with 'objective' it is called 'not_worse' there",
        )
        return None
    return found


def _objective(value: Json, report: IssueReport) -> ObjectiveFields | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        report.error(
            ("objective",),
            f"training config field 'objective' must be an object, not {describe(value)}",
            fix='write {"minimize": "usd", "not_worse": 0.02}',
        )
        return None
    fields = given(value)
    if "minimize" in fields and "not_worse" not in fields:
        report.error(
            ("objective",),
            f"training config field 'objective' {_NO_MARGIN}",
            fix='add "not_worse": 0.02 for two points',
        )
        return None
    found: ObjectiveFields | None = validated(
        ObjectiveFields, fields, steps=("objective",), report=report
    )
    return found


def _guards(
    value: Json, graders: Sequence[GraderChoice], report: IssueReport
) -> tuple[Guard, ...] | None:
    if value is None:
        return ()
    if not isinstance(value, list):
        report.error(
            ("guards",),
            f"training config field 'guards' must be a list, not {describe(value)}",
            fix='write [{"grader": "name", "margin": 0.02}]',
        )
        return None
    names = [one.name for one in graders]
    found: list[Guard] = []
    for number, each in enumerate(value):
        guard = _guard(each, number, names, report)
        if guard is None:
            return None
        if guard.grader in {one.grader for one in found}:
            report.error(("guards", number), f"'{guard.grader}' is guarded twice")
            return None
        found.append(guard)
    return tuple(found)


def _guard(value: Json, number: int, names: Sequence[str], report: IssueReport) -> Guard | None:
    steps = ("guards", number)
    if not isinstance(value, Mapping):
        report.error(
            steps,
            f"training config field 'guards[{number}]' must be an object, not {describe(value)}",
            fix='write {"grader": "name", "margin": 0.02}',
        )
        return None
    fields = given(value)
    if "grader" in fields and "margin" not in fields:
        message = f"training config field 'guards[{number}]' {_NO_MARGIN}"
        report.error(steps, message, fix='add "margin": 0.02 for two points')
        return None
    found: GuardFields | None = validated(GuardFields, fields, steps=steps, report=report)
    if found is None:
        return None
    if names and found.grader == names[0]:
        report.error(
            (*steps, "grader"),
            f"'{found.grader}' is the goal itself: the first grader gives the score",
            fix="name one of the others, or reorder 'graders'",
        )
        return None
    if found.grader not in names:
        known = ", ".join(f"'{name}'" for name in names[1:]) or "none: 'graders' has one only"
        report.error(
            (*steps, "grader"),
            f"there is no grader '{found.grader}' beside the first",
            fix=suggestion(found.grader, names[1:]) or f"known: {known}",
        )
        return None
    return Guard(grader=found.grader, margin=found.margin)
