"""Commands that look for better prompts."""

from collections.abc import Callable
from typing import Any

import click

from tau.cli.commands.running import (
    config_store_option,
    json_option,
    model_option,
    new_option,
    serve_option,
    strict_option,
    verbose_option,
    who_options,
)
from tau.cli.surface import Surface, debug_option
from tau.errors import UsageError

_LIMITS = (
    ("rollouts", click.IntRange(1), "rollouts, evaluations and proposals together"),
    ("calls", click.IntRange(1), "model calls"),
    ("tokens", click.IntRange(1), "tokens"),
    ("usd", click.FloatRange(0, min_open=True), "dollars"),
    ("seconds", click.FloatRange(0, min_open=True), "seconds of running time"),
)


def budget_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--budget-*`; the command gets them as `budget_rollouts` and so on."""
    for name, kind, what in reversed(_LIMITS):
        option = click.option(
            f"--budget-{name}", type=kind, metavar="N", help=f"At most so many {what}."
        )
        command = option(command)
    return command


def limits(options: dict[str, Any]) -> dict[str, float]:
    """The limits that were given, by their names in the configuration."""
    given = {name: options[f"budget_{name}"] for name, _, _ in _LIMITS}
    return {name: value for name, value in given.items() if value is not None}


@click.command("optimize", short_help="Look for a better prompt, and say whether it is better.")
@click.argument("cfg", metavar="CFG")
@model_option
@config_store_option
@click.option("--state-dir", metavar="PATH", help="Where status.json lives; beside the store.")
@click.option("--run", "run_id", metavar="ID", help="The run to go on with, where several match.")
@new_option
@budget_options
@json_option
@click.option("--events", is_flag=True, help="Print JSON lines while it goes on.")
@strict_option
@click.option("--require-improvement", is_flag=True,
              help="Exit with 3 unless the decision is promote.")  # fmt: skip
@click.option(
    "--show-proposal",
    is_flag=True,
    help="Print the next request to the reflection model; send and write nothing.",
)
@click.option("--workers", type=click.IntRange(1), help="Workers; overrides the config's.")
@click.option("--concurrency", type=click.IntRange(1),
              help="Rollouts in flight per worker; overrides the config's.")  # fmt: skip
@serve_option
@who_options
@verbose_option
@debug_option
@click.pass_obj
def optimize(
    surface: Surface,
    /,
    *,
    cfg: str,
    as_json: bool,
    show_proposal: bool,
    **options: Any,  # noqa: ANN401
) -> int:
    """Look for a better prompt for CFG, by the algorithm 'reflect' where it names none.

    The run ends with a decision: promote, keep_baseline or inconclusive, and publishes the new
    prompt only on promote. `tau plan CFG` says beforehand what the budget buys. Interrupted, it
    goes on when it is started again. Exit codes: 0 ok, 1 failed, 2 usage or config, 3 no
    improvement was proved (--require-improvement), 4 stopped by budget or time, 130 and 143
    interrupted.
    """
    if as_json and options["events"]:
        raise UsageError("--json cannot be used with --events", fix="choose one of them")

    from tau.cli.running import RunArguments, run

    arguments = RunArguments(
        config=cfg,
        json=as_json,
        algorithm="reflect",
        budget=limits(options),
        **{name: value for name, value in options.items() if not name.startswith("budget_")},
    )
    if show_proposal:
        from tau.cli.proposing import show_proposal as show_next

        return show_next(arguments)
    return run(arguments, surface)


@click.command("plan", short_help="Say what a configuration would cost and could show.")
@click.argument("cfg", metavar="CFG")
@model_option
@config_store_option
@budget_options
@strict_option
@json_option
@debug_option
def plan(*, cfg: str, store: str | None, as_json: bool, **options: Any) -> int:  # noqa: ANN401
    """Say what CFG's budget buys: rollouts, calls, dollars, proposals, the gain it can show.

    Nothing is run, called or written. A configuration that names no algorithm is planned as
    `tau optimize` would run it. Where the store is there already, claims that its runs have made
    on the same certification rows count against another one.
    """
    from tau.cli.planning import plan as plan_configuration
    from tau.cli.running import RunArguments

    arguments = RunArguments(
        config=cfg,
        store=store,
        model=options["model"],
        strict=options["strict"],
        algorithm="reflect",
        budget=limits(options),
    )
    return plan_configuration(arguments, as_json=as_json)
