"""Commands for what comes before and after a search: another model, and whether one pays."""

from typing import Any

import click

from tau.cli.commands.margins import OpenMargin
from tau.cli.commands.optimizing import budget_options, limits
from tau.cli.commands.running import (
    config_store_option,
    json_option,
    model_option,
    strict_option,
    who_options,
)
from tau.cli.surface import debug_option


@click.command("migrate", short_help="Move a prompt to another model, if it is not worse there.")
@click.argument("cfg", metavar="CFG")
@click.option("--to", required=True, metavar="PROVIDER/MODEL", help="The new model.")
@click.option("--margin", required=True, metavar="LOSS",
              type=OpenMargin(),
              help="The loss from which the new model counts as worse, such as 0.02.")  # fmt: skip
@click.option("--model", metavar="PROVIDER/MODEL", help="The old model; overrides the config's.")
@click.option("--alias", metavar="ALIAS", help="Point it at the prompt, if the claim is met.")
@click.option("--remeasure", is_flag=True, help="Ask the old model again, whatever is stored.")
@config_store_option
@budget_options
@json_option
@strict_option
@who_options
@debug_option
def migrate(
    *, cfg: str, to: str, margin: float, alias: str | None, remeasure: bool, as_json: bool,
    **options: Any,  # noqa: ANN401
) -> int:  # fmt: skip
    """Decide whether CFG's prompt is not worse by LOSS on the model --to.

    Scores of the old model are taken from the store where there are any, so that it works after
    that model is gone. With --budget-rollouts a search on the new model follows, and what it finds
    is held to the same claim. Exit codes: 0 the claim is met, 3 it is not met, 2 usage or config.
    """
    from tau.cli.migrating import Move
    from tau.cli.migrating import migrate as migrate_prompt
    from tau.cli.running import RunArguments

    arguments = RunArguments(
        config=cfg,
        budget=limits(options),
        **{name: value for name, value in options.items() if not name.startswith("budget_")},
    )
    move = Move(arguments=arguments, to=to, margin=margin, alias=alias, remeasure=remeasure)
    return migrate_prompt(move, as_json=as_json)


@click.command("probe", short_help="Say whether a search would pay, before it is paid for.")
@click.argument("cfg", metavar="CFG")
@click.option("--rows", type=click.IntRange(10, 1000), default=40, show_default=True,
              help="Measure the baseline twice on so many rows.")  # fmt: skip
@click.option("--rewrites", type=click.IntRange(0, 100), default=12, show_default=True,
              help="Try so many quick rewrites; 0 measures the noise only.")  # fmt: skip
@click.option("--new", is_flag=True, help="Measure again what an earlier probe has measured.")
@model_option
@config_store_option
@json_option
@strict_option
@who_options
@debug_option
def probe(
    *, cfg: str, rows: int, rewrites: int, new: bool, as_json: bool,
    **options: Any,  # noqa: ANN401
) -> int:  # fmt: skip
    """Measure CFG's prompt twice, race a few rewrites, and say what a search would find.

    Rows that would certify are left alone. Everything is kept in the store: interrupted, it goes
    on when it is started again, and what it has measured is not measured again.
    """
    from tau.cli.probing import ProbeTerms
    from tau.cli.probing import probe as probe_configuration
    from tau.cli.running import RunArguments

    arguments = RunArguments(config=cfg, algorithm="reflect", **options)
    return probe_configuration(
        arguments, ProbeTerms(rows=rows, rewrites=rewrites, new=new), as_json=as_json
    )
