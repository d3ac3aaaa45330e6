"""Commands about prompts that were tried: candidates, comparisons, promotion, export."""

import click

from tau.cli.commands.margins import OpenMargin
from tau.cli.commands.records import content_option, limit_option, offset_option
from tau.cli.commands.running import json_option, store_option, who_options
from tau.cli.surface import ListingGroup, debug_option

run_option = click.option(
    "--run", "run_id", metavar="ID", help="Of this run; the newest by default."
)
FORMATS = ("text", "json", "jsonl", "csv", "html", "junit", "files", "patch")


@click.group("candidates", cls=ListingGroup, short_help="Look at the prompts that a run tried.")
def candidates() -> None:
    """Look at the prompts that a run tried. Without a command: ls."""


@candidates.command("ls")
@click.argument("run", required=False, metavar="[RUN]")
@store_option
@limit_option
@offset_option
@json_option
@debug_option
def candidates_ls(
    *, run: str | None = None, store: str, limit: int, offset: int, as_json: bool
) -> int:
    """List a run's candidates with their scores, the baseline first; the newest run by default."""
    from tau.cli.records.candidates import list_candidates

    return list_candidates(store, run, limit=limit, offset=offset, as_json=as_json)


@candidates.command("show")
@click.argument("name", metavar="CANDIDATE")
@run_option
@store_option
@json_option
@debug_option
def candidates_show(*, name: str, run_id: str | None, store: str, as_json: bool) -> int:
    """Show a candidate's texts and scores; CANDIDATE is the first digits of its hash."""
    from tau.cli.records.candidates import show_candidate

    return show_candidate(store, name, run=run_id, as_json=as_json)


@candidates.command("diff")
@click.argument("first", required=False, metavar="[A]")
@click.argument("second", required=False, metavar="[B]")
@run_option
@store_option
@json_option
@debug_option
def candidates_diff(
    *, first: str | None, second: str | None, run_id: str | None, store: str, as_json: bool
) -> int:
    """Show what changed from A to B, word by word; by default from the baseline to the best.

    A and B are digits of hashes, versions, @aliases or runs; a run alone is shown by itself.
    """
    from tau.cli.records.candidates import diff_candidates

    return diff_candidates(store, first, second, run=run_id, as_json=as_json)


@click.command("compare", short_help="Compare two prompts on the examples they share.")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@store_option
@click.option("--alpha", type=click.FloatRange(0, 0.5, min_open=True, max_open=True), default=0.05,
              show_default=True, help="1 minus the level of the interval.")  # fmt: skip
@click.option("--margin", type=OpenMargin(), default=None,
              help="Ask whether B is not worse than A by so much.")  # fmt: skip
@click.option("--across-models", is_flag=True,
              help="Compare scores of different models too; says which.")  # fmt: skip
@click.option("--verbose", is_flag=True, help="Say how the interval was worked out.")
@json_option
@debug_option
def compare(
    *,
    first: str,
    second: str,
    store: str,
    alpha: float,
    margin: float | None,
    across_models: bool,
    verbose: bool,
    as_json: bool,
) -> int:
    """Compare A and B from stored scores: B minus A, paired, with an interval.

    Each is a run (what it recommends), resources-<n>, latest, @alias or digits of a hash. Nothing
    is run: where too little is stored, it says so. Scores of different models are compared only
    with --across-models: then A and B can be runs of one prompt.
    """
    from tau.cli.records.comparing import compare_stored

    return compare_stored(
        store, first, second, alpha=alpha, margin=margin, as_json=as_json, verbose=verbose,
        across_models=across_models,
    )  # fmt: skip


@click.command("promote", short_help="Point an alias at a better prompt.")
@click.argument("name", required=False, metavar="[RUN|VERSION]")
@click.option("--alias", required=True, metavar="ALIAS", help="The name to point, such as prod.")
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the alias's history.")
@click.option("--force", is_flag=True, help="Even where the run has not proved it better.")
@who_options
@store_option
@json_option
@debug_option
def promote(
    *,
    name: str | None,
    alias: str,
    reason: str,
    force: bool,
    principal: str | None,
    rbac_policy: str | None,
    store: str,
    as_json: bool,
) -> int:
    """Point ALIAS at what RUN recommends, or at published resources such as resources-3.

    Without a name it is the newest run. A run must have decided for promotion; who, when, why and
    its evidence are kept.
    """
    from tau.cli.lifecycle_control import policy_file
    from tau.cli.lifecycle_control import principal as principal_of
    from tau.cli.records.promoting import Promoter
    from tau.cli.records.promoting import promote as promote_resources

    who = Promoter(principal=principal_of(principal), policy=policy_file(rbac_policy))
    return promote_resources(
        store, name, who, alias=alias, reason=reason, force=force, as_json=as_json
    )


@click.group("aliases", cls=ListingGroup, short_help="List aliases of prompts.")
def aliases() -> None:
    """List aliases of prompts. Without a command: ls."""


@aliases.command("ls")
@click.argument("name", required=False, metavar="[ALIAS]")
@click.option("--history", is_flag=True, help="Everything they were ever pointed at.")
@store_option
@limit_option
@json_option
@debug_option
def aliases_ls(
    *, name: str | None = None, history: bool, store: str, limit: int, as_json: bool
) -> int:
    """List where aliases point; with a name, or with --history, what they were pointed at."""
    from tau.cli.records.promoting import list_aliases

    return list_aliases(store, name, history=history, limit=limit, as_json=as_json)


@click.group("prompt", short_help="Read prompts out of the store.")
def prompt() -> None:
    """Read prompts out of the store."""


@prompt.command("get")
@click.argument("name", metavar="NAME@VERSION")
@click.option("--filled", metavar="ROW",
              help="Show it filled from ROW, an object of columns as JSON.")  # fmt: skip
@store_option
@json_option
@debug_option
def prompt_get(*, name: str, filled: str | None, store: str, as_json: bool) -> int:
    """Print exactly the text of prompt NAME, without a newline of our own.

    Chat messages are printed as JSON. VERSION is an alias, latest, or resources-<n>; without it,
    that of the only alias. Where the text holds placeholders or doubled braces, standard error says
    by which rules an application has to fill it; --json tells it too, with the version.
    """
    from tau.cli.records.prompts import get_prompt

    return get_prompt(store, name, row=filled, as_json=as_json)


@click.command("export", short_help="Write a run as a report or rows, its prompts as files.")
@click.argument("run", required=False, metavar="[RUN]")
@click.option("--to", "shape", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--output", metavar="FILE", help="Write to FILE instead of standard output.")
@click.option("--pass-at", metavar="SCORE", type=click.FloatRange(0, 1), default=1.0,
              show_default=True, help="junit: a case passes from this score on.")  # fmt: skip
@click.option("--name-by", metavar="COLUMN",
              help="junit: the column that names a case; by default 'id'.")  # fmt: skip
@click.option("--threshold", "thresholds", metavar="SCORE", type=click.FloatRange(0, 1),
              multiple=True, help="junit: a case for each split's mean; repeatable.")  # fmt: skip
@click.option("--candidate", metavar="NAME",
              help="files, patch: the prompts to write; default: what RUN recommends.")  # fmt: skip
@click.option("--root", metavar="FOLDER", default=".", show_default=True,
              help="files, patch: the folder that the configuration is in.")  # fmt: skip
@store_option
@content_option
@debug_option
def export(
    *,
    run: str | None,
    shape: str,
    output: str | None,
    pass_at: float,
    name_by: str | None,
    thresholds: tuple[float, ...],
    candidate: str | None,
    root: str,
    store: str,
    content: bool,
) -> int:
    """Write RUN, by default the newest, for people or programs.

    text, json and html are reports; jsonl and csv have a line per evaluation, with --content also
    the texts; junit has a case per example of what the run recommends, and one per --threshold.
    files writes the prompts that were read from files back to where they came from, patch prints
    the same as a diff for `git apply`; both refuse where a file has changed since.
    """
    if shape in ("files", "patch"):
        from tau.cli.records.writing_back import write_back

        return write_back(store, run, shape=shape, output=output, candidate=candidate, root=root)
    from tau.cli.records.exporting import export as export_run
    from tau.reports.junit import Cases

    cases = Cases(pass_at=pass_at, column=name_by, thresholds=thresholds)
    return export_run(store, run, shape=shape, output=output, content=content, cases=cases)


@click.command("replay", short_help="Derive every number of a run again, offline.")
@click.argument("run", required=False, metavar="[RUN]")
@click.option("--config", metavar="CFG", help="The configuration, where the store lacks its rows.")
@store_option
@json_option
@debug_option
def replay(*, run: str | None, config: str | None, store: str, as_json: bool) -> int:
    """Grade stored answers again, tell stored results to the algorithm again, and compare.

    No model is called. Exit code 1 where anything differs from what is stored.
    """
    from tau.cli.records.replaying import replay as replay_run

    return replay_run(store, run, config=config, as_json=as_json)
