"""`tau judge test`: how far a configuration's judge agrees with people."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from tau.cli import figures, judged
from tau.cli.judge_runs import (
    GivenOutput,
    JudgedOutputs,
    JudgeUnderTest,
    ask,
    judge_of,
    run_place,
)
from tau.cli.lifecycle_control import principal
from tau.cli.measuring import StoppedEarly
from tau.cli.records.reading import print_json, print_lines
from tau.cli.running import RunArguments, loaded, placed
from tau.cli.surface import Exit, warn
from tau.config.paths import state_dir
from tau.config.run_settings import RunConfig
from tau.domain.dataset import Example
from tau.domain.json import Json
from tau.errors import InputError, RunError
from tau.ports.clock import SystemClock
from tau.scores.calibrations import Calibration, CalibrationKind, keep_calibration
from tau.scores.judge_labels import LabelColumns, LabelledOutput, read_labelled, scale_of
from tau.scoring.agreement import krippendorff_alpha
from tau.scoring.calibration import FEWEST_RATED, RatedOutput, agreement_of


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeArguments:
    """What is tested: the `grader` of a configuration, with `new` asked again."""

    run: RunArguments
    grader: str | None = None
    new: bool = False

    def command(self, verb: str, *more: str) -> str:
        """The shell command that goes on with it."""
        words = ["tau", "judge", verb, self.run.config, *more]
        given = (
            ("--grader", self.grader), ("--store", self.run.store), ("--model", self.run.model),
            ("--principal", self.run.principal), ("--rbac-policy", self.run.rbac_policy),
        )  # fmt: skip
        words += [word for name, value in given if value for word in (name, value)]
        return shlex.join(words)


def opened(arguments: JudgeArguments) -> tuple[JudgeArguments, JudgeUnderTest]:
    """The judge, with the store that is meant.

    Raises:
        InputError: the configuration cannot be used, or has no such grader.
    """
    config = loaded(arguments.run)
    warn(config.warnings)
    found = judge_of(config, arguments.grader)
    run = placed(arguments.run, config)
    return JudgeArguments(run=run, grader=arguments.grader, new=arguments.new), found


def all_rows(config: RunConfig) -> tuple[Example, ...]:
    """Of every split, each content once."""
    rows = {row.content: row for split in config.examples.values() for row in split}
    return tuple(rows.values())


def test_judge(
    arguments: JudgeArguments,
    labels: str,
    columns: LabelColumns,
    *,
    fail_under: float | None,
    as_json: bool,
) -> int:
    """Ask the judge about the labelled outputs and compare; 3 where kappa is below `fail_under`.

    Raises:
        InputError: the labels cannot be used; nothing was asked.
    """
    arguments, judge = opened(arguments)
    labelled = read_labelled(
        labels, all_rows(judge.config), columns, scale_of(judge.grader.options)
    )
    usable = usable_labels(labelled, labels)
    place = run_place(arguments.run, arguments.command("test", "--labels", labels))
    given = [GivenOutput(example=one.example, output=one.output) for one in usable]
    try:
        said = ask(judge, given, place, again=arguments.new)
    except StoppedEarly as stopped:
        return stopped.code
    tested = compared(judge, labelled, usable, said)
    keep(arguments, judge, "test", tested.agreement.rows, judged.agreement_fields(tested), said)
    if as_json:
        print_json(judged.agreement_fields(tested))
    else:
        print_lines(list(judged.agreement_lines(tested)))
    kappa = tested.agreement.kappa.value
    if fail_under is not None and (kappa is None or kappa < fail_under):
        return Exit.GATE
    return Exit.OK


def usable_labels(labelled: Sequence[LabelledOutput], path: str) -> list[LabelledOutput]:
    """Those on which most people agree.

    Raises:
        InputError: too few, or all with the same score.
    """
    usable = [one for one in labelled if one.human is not None]
    if len(usable) < FEWEST_RATED:
        raise InputError(
            f"{figures.count(len(usable), 'labelled output')} are too few to test a judge with",
            where=path,
            why="with so few, any agreement may be chance",
            fix=f"label at least {FEWEST_RATED}, better 60 or more: tau label helps",
        )
    if len({one.human for one in usable}) < 2:
        raise InputError(
            f"all {len(usable):,} labels are {usable[0].human:g}",
            where=path,
            why="whether a judge tells good from bad shows only where people found both",
            fix="label outputs of both kinds, such as those of a worse prompt",
        )
    return usable


def compared(
    judge: JudgeUnderTest,
    labelled: Sequence[LabelledOutput],
    usable: Sequence[LabelledOutput],
    said: JudgedOutputs,
) -> judged.JudgeOnLabels:
    """The agreement of verdicts with labels.

    Raises:
        RunError: the judge gave too few verdicts.
    """
    rated = [
        RatedOutput(human=one.human, judge=score, length=len(one.output), group=one.group)
        for one, score in zip(usable, said.first, strict=True)
        if score is not None and one.human is not None
    ]
    if len(rated) < FEWEST_RATED:
        raise RunError(
            f"the judge gave a verdict on {len(rated):,} of {len(usable):,} outputs",
            why="fewer than 10 say nothing about it",
            fix=f"see why: tau rollouts ls --run {said.run_id}",
        )
    several = [one.scores for one in labelled if len(one.scores) > 1]
    most = max(map(len, several), default=0)
    padded = [[*scores, *[None] * (most - len(scores))] for scores in several]
    return judged.JudgeOnLabels(
        grader=judge.grader.name,
        judge=judge.hash,
        model=judge.model,
        agreement=agreement_of(rated),
        unread=len(usable) - len(rated),
        undecided=len(labelled) - len(usable),
        people=krippendorff_alpha(padded) if len(several) >= FEWEST_RATED else None,
        run_id=said.run_id,
    )


def keep(
    arguments: JudgeArguments,
    judge: JudgeUnderTest,
    kind: CalibrationKind,
    rows: int,
    figures_: dict[str, Json],
    said: JudgedOutputs,
) -> None:
    """Write a measurement down by the judge's hash, unless it was only told again."""
    keep_calibration(
        state_dir(arguments.run.location).root,
        Calibration(
            judge=judge.hash,
            grader=judge.grader.name,
            model=judge.model,
            kind=kind,
            rows=rows,
            figures=figures_,
            run_id=said.run_id,
            principal=principal(arguments.run.principal),
            measured_unix_ms=SystemClock().unix_ms(),
        ),
    )
