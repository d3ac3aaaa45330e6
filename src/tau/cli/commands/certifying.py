"""Commands that judge scores, whoever measured them."""

from collections.abc import Callable
from typing import Any

import click

from tau.cli.commands.margins import Margin
from tau.cli.commands.running import json_option, store_option
from tau.cli.surface import debug_option
from tau.errors import UsageError

FORMATS = ("csv", "jsonl", "json", "promptfoo", "inspect", "mlflow", "lm-eval", "tau")


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what tells whose scores are where."""
    for option in reversed((
        click.argument("files", nargs=-1, metavar="[FILE [FILE]]"),
        click.option("--baseline", metavar="NAME",
                     help="The baseline: a column of scores, or a prompt in the file."),
        click.option("--candidate", metavar="NAME", help="The candidate, likewise."),
        click.option("--id", "ids", metavar="COLUMN", multiple=True,
                     help="Pair rows by it; several together. 'id' where there is one."),
        click.option("--metric", metavar="COLUMN",
                     help="The column of scores, where names are of prompts or files."),
        click.option("--by", metavar="COLUMN", help="The column that tells whose row it is."),
        click.option("--format", "form", type=click.Choice(FORMATS),
                     help="What wrote the files; their content tells."),
        click.option("--run", "run_id", metavar="RUN", help="A run's stored scores, not files."),
        store_option,
        click.option("--split", type=click.Choice(("optimize", "validate", "test")),
                     help="A run's rows; those of 'test' where both were measured there."),
    )):  # fmt: skip
        command = option(command)
    return command


@click.command("certify", short_help="Decide whether scores prove a claim, whoever measured them.")
@source_options
@click.option("--group", "groups", metavar="COLUMN", multiple=True,
              help="Rows with one value belong together: a document, a conversation.")  # fmt: skip
@click.option("--human", nargs=2, metavar="COLUMN COLUMN",
              help="People's scores of both answers, where rows have any.")  # fmt: skip
@click.option("--no-labels", is_flag=True, help="Leave out what `tau label` has kept.")
@click.option("--cost", nargs=2, metavar="COLUMN COLUMN",
              help="Costs of both: claim that it is cheaper too.")  # fmt: skip
@click.option(
    "--margin",
    metavar="LOSS",
    type=Margin(),
    help="Claim that it is not worse by LOSS, such as 0.02, instead of better.",
)
@click.option("--alpha", type=float, default=0.05, show_default=True,
              help="The chance to find a false claim met.")  # fmt: skip
@click.option("--scale", nargs=2, type=float, metavar="WORST BEST",
              help="The ends of the scores' scale, where it is not 0 to 1.")  # fmt: skip
@click.option("--judged", is_flag=True, help="The scores are a judge's verdicts.")
@click.option("--repeats", is_flag=True, help="Rows of one id are repeated tries: use their mean.")
@click.option("--common", is_flag=True,
              help="Rows that only one side has count as missing, not as an error.")  # fmt: skip
@click.option(
    "--ledger",
    metavar="FILE",
    help="Keep account of claims on the same rows: each halves the next one's level.",
)
@json_option
@click.option("--markdown", is_flag=True, help="Print Markdown, for a pull request.")
@click.option("--junit", is_flag=True, help="Print JUnit XML, for a build server.")
@debug_option
def certify(
    *, margin: float | None, alpha: float, judged: bool, ledger: str | None, no_labels: bool,
    as_json: bool, markdown: bool, junit: bool, **options: Any,  # noqa: ANN401
) -> int:  # fmt: skip
    """Decide from scores whether the candidate is better than the baseline.

    One FILE with the scores of both, or the baseline's and the candidate's: CSV, JSONL, results of
    promptfoo, logs of Inspect, tables of MLflow, samples of lm-eval, or what `tau export` wrote;
    or a stored --run. With --margin the claim is that it is not worse, with --cost cheaper and not
    worse. Exit codes: 0 the claim is met, 3 it is not met, 2 the input cannot be used.
    """
    shapes = {"json": as_json, "markdown": markdown, "junit": junit}
    asked = [name for name, given in shapes.items() if given]
    if len(asked) > 1:
        raise UsageError(f"--{asked[0]} cannot be used with --{asked[1]}", fix="choose one of them")

    from tau.cli.certifying import CertifyTerms
    from tau.cli.certifying import certify as certify_scores

    terms = CertifyTerms(
        margin=margin, alpha=alpha, judged=judged, ledger=ledger, labels=not no_labels
    )
    sources, request = _given(options)
    return certify_scores(sources, request, terms, shape=asked[0] if asked else "text")


@click.command("label", short_help="Score answers yourself, blind, so that a judge can be checked.")
@source_options
@click.option("--input", "question", metavar="COLUMN", help="The column of questions.")
@click.option("--output", "answers", nargs=2, metavar="COLUMN COLUMN",
              help="The columns of the baseline's and the candidate's answers.")  # fmt: skip
@click.option("--count", type=click.IntRange(1), metavar="N", help="Stop after so many rows.")
@click.option("--principal", metavar="NAME", help="Who labels; the local principal by default.")
@debug_option
def label(
    *, question: str | None, answers: tuple[str, str] | None, count: int | None,
    principal: str | None, **options: Any,  # noqa: ANN401
) -> int:  # fmt: skip
    """Score the answers in FILE, or of a --run, without being told whose they are.

    Rows come in a random order, the same each time; each label is kept at once, beside the file or
    the store, with who and when. Stop whenever you like: it goes on where it was. `tau certify`
    uses the labels of rows of which both answers are labelled.
    """
    from tau.cli.labelling import label as label_answers

    sources, request = _given(options)
    return label_answers(
        sources, request, question=question, answers=answers, count=count, who=principal
    )


def _given(options: dict[str, Any]) -> tuple[Any, Any]:
    """Sources and request from the options of a command."""
    from tau.cli.certifying import Sources
    from tau.domain.dataset import Split
    from tau.scores.reading import Format
    from tau.scores.sides import Request
    from tau.scores.values import AS_GIVEN, Scale

    form, split, scale = options["form"], options["split"], options.get("scale")
    files = options["files"]
    run = options["run_id"]
    sources = Sources(
        files=files,
        form=None if form is None else Format(form),
        run=run,
        store=options["store"],
        split=None if split is None else Split(split),
    )
    request = Request(
        baseline=options["baseline"],
        candidate=options["candidate"],
        ids=tuple(options["ids"]),
        groups=tuple(options.get("groups") or ()),
        human=options.get("human"),
        cost=options.get("cost"),
        metric=options["metric"],
        by=options["by"],
        scale=AS_GIVEN if scale is None else Scale(*scale),
        repeats=bool(options.get("repeats")),
        common=bool(options.get("common")),
    )
    return sources, request
