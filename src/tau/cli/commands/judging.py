"""Commands that tell how far a judge can be trusted."""

from typing import Any

import click

from tau.cli.commands.optimizing import budget_options, limits
from tau.cli.commands.running import (
    config_store_option,
    json_option,
    model_option,
    options,
    strict_option,
    who_options,
)
from tau.cli.surface import debug_option

_judge_options = options(
    click.option("--grader", metavar="NAME", help="The grader; the first that asks a model."),
    click.option("--new", is_flag=True, help="Ask again what the judge was asked before."),
    model_option, config_store_option, json_option, strict_option, who_options, debug_option,
)  # fmt: skip
_column_options = options(
    click.option("--output", metavar="COLUMN", help="The column of outputs; 'output'."),
    click.option("--label", metavar="COLUMN", help="The column of people's labels; 'label'."),
    click.option("--group", metavar="COLUMN",
                 help="Outputs with one value belong together: a document, a conversation."),
)  # fmt: skip


@click.group("judge", short_help="Say how far a judge can be trusted, and improve it.")
def judge() -> None:
    """Say how far the judge of a configuration can be trusted, and improve it.

    What is found is kept beside the store by the judge's hash: its model, settings and rubric.
    """


@judge.command("test", short_help="Compare the judge's verdicts with people's labels.")
@click.argument("cfg", metavar="CFG")
@click.option("--labels", metavar="FILE", required=True,
              help="People's labels of outputs: CSV, JSONL, `tau export`.")  # fmt: skip
@_column_options
@click.option("--fail-under", metavar="KAPPA", type=float,
              help="Exit with 3 where Cohen's kappa is below KAPPA.")  # fmt: skip
@_judge_options
def test(
    *, cfg: str, labels: str, output: str | None, label: str | None, group: str | None,
    fail_under: float | None, as_json: bool, **options: Any,  # noqa: ANN401
) -> int:  # fmt: skip
    """Ask the judge of CFG about outputs that people have labelled, and compare.

    A line of FILE is an output with a label, and whatever columns of CFG's rows tell which row it
    answers. A label is yes or no, a number from 0 to 1, or a name of the judge's scale; an output
    may have labels of several people, a line each. Exit codes: 0 ok, 2 the labels cannot be used,
    3 kappa is below --fail-under.
    """
    from tau.cli.judging import test_judge
    from tau.scores.judge_labels import LabelColumns

    return test_judge(
        _arguments(cfg, options),
        labels,
        LabelColumns(output=output, label=label, group=group),
        fail_under=fail_under,
        as_json=as_json,
    )


@judge.command("check", short_help="Find what verdicts depend on besides the answers.")
@click.argument("cfg", metavar="CFG")
@click.option("--outputs", metavar="FILE",
              help="Outputs to use, without labels; else what CFG's prompt answers.")  # fmt: skip
@_column_options
@click.option("--rows", type=click.IntRange(10, 1000), default=40, show_default=True,
              help="Use so many outputs.")  # fmt: skip
@click.option("--gain", type=click.FloatRange(0, 1, min_open=True), metavar="GAIN",
              help="Hold weaknesses against this gain; that of CFG's last search.")  # fmt: skip
@_judge_options
def check(
    *, cfg: str, outputs: str | None, output: str | None, label: str | None, group: str | None,
    rows: int, gain: float | None, as_json: bool, **options: Any,  # noqa: ANN401
) -> int:  # fmt: skip
    """Judge the same outputs twice, and altered so that the verdict should stay or be bad.

    Padded, reworded, with an order to ignore the rubric; empty, that order alone, the answer to
    another row. No labels are needed. Each output is judged eight times.
    """
    from tau.cli.judge_checking import check_judge
    from tau.scores.judge_labels import LabelColumns

    return check_judge(
        _arguments(cfg, options),
        outputs,
        LabelColumns(output=output, label=label, group=group),
        rows=rows,
        gain=gain,
        as_json=as_json,
    )


@judge.command("improve", short_help="Search for a rubric that agrees better with people.")
@click.argument("cfg", metavar="CFG")
@click.option("--labels", metavar="FILE", required=True,
              help="People's labels of outputs, 40 or more.")  # fmt: skip
@_column_options
@click.option("--out", metavar="FILE", help="Write the new rubric here, where one is proved.")
@budget_options
@_judge_options
def improve(
    *, cfg: str, labels: str, output: str | None, label: str | None, group: str | None,
    out: str | None, as_json: bool, **options: Any,  # noqa: ANN401
) -> int:  # fmt: skip
    """Optimize the rubric of CFG's judge against people's labels.

    The rubric is a prompt: it is searched for by 'reflect' on one half of the labels, and
    certified on the other, which the search never saw. CFG itself is not changed. Exit codes: 0 a
    better rubric was proved, 3 none was, 2 the labels cannot be used, 4 stopped by budget or time.
    """
    from tau.cli.judge_improving import improve_judge
    from tau.scores.judge_labels import LabelColumns

    return improve_judge(
        _arguments(cfg, options),
        labels,
        LabelColumns(output=output, label=label, group=group),
        out=out,
        as_json=as_json,
    )


def _arguments(cfg: str, options: dict[str, Any]) -> Any:  # noqa: ANN401
    """What the commands have in common."""
    from tau.cli.judging import JudgeArguments
    from tau.cli.running import RunArguments

    grader, new = options.pop("grader"), options.pop("new")
    budget = limits(options) if "budget_rollouts" in options else {}
    kept = {name: value for name, value in options.items() if not name.startswith("budget_")}
    run = RunArguments(config=cfg, algorithm="reflect", budget=budget, **kept)
    return JudgeArguments(run=run, grader=grader, new=new)
