"""Commands about one configuration."""

from collections.abc import Callable
from typing import Any

import click

from tau.cli.surface import Surface, debug_option
from tau.config.paths import DEFAULT_RBAC_POLICY, DEFAULT_STORE
from tau.errors import UsageError

Command = Callable[..., Any]


def options(*some: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator, in this order."""

    def add(command: Command) -> Command:
        for option in reversed(some):
            command = option(command)
        return command

    return add


who_options = options(
    click.option("--principal", metavar="NAME", help="Who is asking; the local user by default."),
    click.option("--rbac-policy", metavar="PATH",
                 help=f"Who may do what; {DEFAULT_RBAC_POLICY} if it is there."),
)  # fmt: skip
model_option = click.option(
    "--model", metavar="PROVIDER/MODEL", help="The model to run; overrides the config's."
)
store_option = click.option(
    "--store",
    metavar="PATH",
    default=DEFAULT_STORE,
    show_default=True,
    help="The store, where everything is kept.",
)
config_store_option = click.option(
    "--store",
    metavar="PATH",
    help=f"The store, where everything is kept; else the config's 'store', else {DEFAULT_STORE}.",
)
strict_option = click.option("--strict", is_flag=True, help="Unknown keys are errors.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")

verbose_option = click.option(
    "--verbose", is_flag=True,
    help="Report intervals, p-values, the plan and the changed texts too.",
)  # fmt: skip

new_option = click.option(
    "--new", is_flag=True, help="Begin a new run, whatever of this configuration is there already."
)


serve_option = click.option(
    "--serve", metavar="HOST:PORT", is_flag=False, flag_value="127.0.0.1:8787", default=None,
    help="Serve the dashboard meanwhile; 127.0.0.1:8787 where nothing else is said.",
)  # fmt: skip


@click.command("run", short_help="Run a configuration to its end.")
@click.argument("cfg", metavar="CFG")
@model_option
@config_store_option
@click.option("--state-dir", metavar="PATH", help="Where status.json lives; beside the store.")
@click.option("--run", "run_id", metavar="ID", help="The run to go on with, where several match.")
@new_option
@json_option
@click.option("--events", is_flag=True, help="Print JSON lines while it goes on.")
@strict_option
@click.option("--fail-under", metavar="SCORE", type=float,
              help="Exit with 3 where a split's mean score is below SCORE.")  # fmt: skip
@click.option("--algorithm", "instead", metavar="NAME",
              help="In place of the config's; evaluate measures prompts as they are.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1), help="Workers; overrides the config's.")
@click.option("--concurrency", type=click.IntRange(1),
              help="Rollouts in flight per worker; overrides the config's.")  # fmt: skip
@serve_option
@who_options
@verbose_option
@debug_option
@click.pass_obj
def run(surface: Surface, /, *, cfg: str, as_json: bool, **options: Any) -> int:  # noqa: ANN401
    """Run CFG: execute and grade its rollouts, and keep everything in the store.

    A run that was interrupted goes on when it is started again. Exit codes: 0 ok, 1 failed,
    2 usage or config, 3 a gate not met, 4 stopped by budget or time, 130 and 143 interrupted.
    """
    if as_json and options["events"]:
        raise UsageError("--json cannot be used with --events", fix="choose one of them")

    from tau.cli.running import RunArguments
    from tau.cli.running import run as run_configuration

    return run_configuration(RunArguments(config=cfg, json=as_json, **options), surface)


@click.command("eval", short_help="Measure a configuration's prompts as they are.")
@click.argument("cfg", metavar="CFG")
@model_option
@store_option
@click.option("--state-dir", metavar="PATH", help="Where status.json lives; beside the store.")
@json_option
@strict_option
@click.option("--fail-under", metavar="SCORE", type=float,
              help="Exit with 3 where a split's mean score is below SCORE.")  # fmt: skip
@who_options
@verbose_option
@debug_option
@click.pass_obj
def evaluate(surface: Surface, /, *, cfg: str, as_json: bool, **options: Any) -> int:  # noqa: ANN401
    """Measure the prompts of CFG as they are, whatever algorithm it names.

    The same as `tau run CFG --algorithm evaluate`: a baseline without a second configuration.
    """
    from tau.cli.running import RunArguments
    from tau.cli.running import run as run_configuration

    arguments = RunArguments(config=cfg, json=as_json, instead="evaluate", **options)
    return run_configuration(arguments, surface)


@click.command("check", short_help="Validate a configuration without running it.")
@click.argument("cfg", metavar="CFG")
@model_option
@strict_option
@json_option
@debug_option
def check(*, cfg: str, model: str | None, strict: bool, as_json: bool) -> int:
    """Validate CFG with its datasets, plug-ins and keys; nothing is run or written.

    All mistakes are shown at once, each with its place and, where there is one, a suggestion.
    """
    from tau.cli.checking import check as check_configuration

    return check_configuration(cfg, model=model, strict=strict, as_json=as_json)


@click.command("init", short_help="Write a starter configuration to edit.")
@click.argument("path", metavar="[PATH]", default=".", type=click.Path(file_okay=False))
@click.option("--force", is_flag=True, help="Replace files that are there.")
@debug_option
def init(*, path: str, force: bool) -> int:
    """Write a commented configuration and a small dataset into the folder PATH."""
    from tau.cli.starting import init as write_starter

    return write_starter(path, force=force)


@click.group("schema", short_help="Show the schemas of Tau's files.")
def schema() -> None:
    """Show the schemas of Tau's files."""


@schema.command("config")
@debug_option
def schema_config() -> int:
    """Print the JSON Schema of a configuration."""
    from tau.cli.starting import print_schema

    return print_schema()
