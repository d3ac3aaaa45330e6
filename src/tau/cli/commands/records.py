"""Commands that look at what is in a store; none of them changes it."""

import click

from tau.cli.commands.running import json_option, store_option
from tau.cli.surface import ListingGroup, debug_option

limit_option = click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="At most so many.",
)
offset_option = click.option(
    "--offset", type=click.IntRange(0), default=0, help="Leave out so many at the start."
)
content_option = click.option(
    "--content", is_flag=True, help="Show texts too: prompts, answers, messages."
)

RUN_STATUSES = ("running", "paused", "completed", "failed", "cancelled")
ROLLOUT_STATUSES = (
    "queuing", "preparing", "running", "succeeded", "failed", "cancelled", "requeuing"
)  # fmt: skip


@click.command("runs", short_help="List runs.")
@store_option
@click.option("--status", type=click.Choice(RUN_STATUSES), help="Only these.")
@limit_option
@offset_option
@json_option
@debug_option
def runs(*, store: str, status: str | None, limit: int, offset: int, as_json: bool) -> int:
    """List runs, newest first."""
    from tau.cli.records import list_runs

    return list_runs(store, status=status, limit=limit, offset=offset, as_json=as_json)


@click.group("rollouts", cls=ListingGroup, short_help="List rollouts, or look into one.")
def rollouts() -> None:
    """List rollouts, or look into one. Without a command: ls."""


@rollouts.command("ls")
@store_option
@click.option("--run", "run_id", metavar="ID", help="Of this run; the newest by default.")
@click.option("--all-runs", is_flag=True, help="Of every run.")
@click.option("--status", "statuses", type=click.Choice(ROLLOUT_STATUSES), multiple=True,
              help="Only these; may be repeated.")  # fmt: skip
@click.option("--split", "splits", type=click.Choice(("optimize", "validate", "test")),
              multiple=True, help="Only these; may be repeated.")  # fmt: skip
@click.option("--kind", type=click.Choice(("evaluate", "propose")), help="Only these.")
@click.option("--newest", is_flag=True, help="Newest first; else in order of submission.")
@limit_option
@offset_option
@json_option
@debug_option
def rollouts_ls(
    *,
    store: str,
    run_id: str | None,
    all_runs: bool,
    statuses: tuple[str, ...],
    splits: tuple[str, ...],
    kind: str | None,
    newest: bool,
    limit: int,
    offset: int,
    as_json: bool,
) -> int:
    """List rollouts with their scores and failures."""
    from tau.cli.records import RolloutListing, list_rollouts

    listing = RolloutListing(
        run_id=run_id,
        all_runs=all_runs,
        statuses=statuses,
        splits=splits,
        kind=kind,
        newest=newest,
        limit=limit,
        offset=offset,
    )
    return list_rollouts(store, listing, as_json=as_json)


@rollouts.command("show")
@click.argument("rollout", metavar="ID")
@store_option
@content_option
@json_option
@debug_option
def rollouts_show(*, rollout: str, store: str, content: bool, as_json: bool) -> int:
    """Show one rollout: its attempts, what happened inside them, and its rewards.

    Texts of prompts and answers are shown only with --content, and then made harmless: a control
    character appears as its code.
    """
    from tau.cli.records import show_rollout

    return show_rollout(store, rollout, content=content, as_json=as_json)


@click.group(
    "resources",
    cls=ListingGroup,
    short_help="List published resources, or look at some.",
)
def resources() -> None:
    """List published resources, or look at some. Without a command: ls."""


@resources.command("ls")
@store_option
@limit_option
@offset_option
@json_option
@debug_option
def resources_ls(*, store: str, limit: int, offset: int, as_json: bool) -> int:
    """List published versions, newest first."""
    from tau.cli.records import list_versions

    return list_versions(store, limit=limit, offset=offset, as_json=as_json)


@resources.command("show")
@click.argument("name", metavar="VERSION|HASH")
@store_option
@content_option
@json_option
@debug_option
def resources_show(*, name: str, store: str, content: bool, as_json: bool) -> int:
    """Show resources by version (resources-3) or by the first digits of their hash."""
    from tau.cli.records import show_resources

    return show_resources(store, name, content=content, as_json=as_json)
