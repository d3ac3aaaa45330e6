"""The contract's flag surface: one flat command whose flags choose a mode."""

import click
from click.core import ParameterSource

from tau import __version__
from tau.cli.modes import Mode, chosen, flag
from tau.cli.surface import Exit, Surface, debug_option, name_variables
from tau.config.paths import DEFAULT_STORE
from tau.errors import UsageError

RUN = Mode(
    name="run",
    selectors=("prompt_optimization_config",),
    modifiers=(
        "prompt_optimization_store_sqlite",
        "prompt_optimization_json",
        "prompt_optimization_control_state_dir",
    ),
)
MODES = (RUN,)


@click.command(
    name="tau-coding-agent",
    help="Measure and improve the prompts of language-model applications against examples.",
    epilog="Every flag can also be set by an environment variable: TAU_ and the flag in capitals "
    "with underscores, such as TAU_MODEL. `tau --help` lists the commands for people.",
)
@click.option(
    "--model",
    metavar="PROVIDER/MODEL",
    help="The model to run, such as openai/gpt-4o-mini; overrides the config's.",
)
@click.option(
    "--prompt-optimization-config",
    metavar="PATH",
    help="Run prompt optimization with this configuration, then exit.",
)
@click.option(
    "--prompt-optimization-store-sqlite",
    metavar="PATH",
    default=DEFAULT_STORE,
    show_default=True,
    help="Where rollouts, attempts, spans and resources are kept.",
)
@click.option(
    "--prompt-optimization-json",
    metavar="[BOOLEAN]",
    type=bool,
    is_flag=False,
    flag_value=True,
    default=False,
    help="Print the result as one JSON document.",
)
@click.option(
    "--prompt-optimization-control-state-dir",
    metavar="PATH",
    help="Where status.json and control files live; beside the store by default.",
)
@debug_option
@click.version_option(__version__)
@click.pass_context
def command(
    context: click.Context,
    *,
    model: str | None,
    prompt_optimization_config: str | None,
    prompt_optimization_store_sqlite: str,
    prompt_optimization_json: bool,
    prompt_optimization_control_state_dir: str | None,
) -> int:
    """Do what the chosen mode does, or show the help where nothing was asked for."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    mode = chosen(MODES, sources)
    if mode is None or prompt_optimization_config is None:
        return _nothing_asked(context, [n for n, s in sources.items() if _is_explicit(s)])

    from tau.cli.running import RunArguments, run

    return run(
        RunArguments(
            config=prompt_optimization_config,
            model=model,
            store=prompt_optimization_store_sqlite,
            state_dir=prompt_optimization_control_state_dir,
            json=prompt_optimization_json,
        ),
        context.ensure_object(Surface),
    )


def _nothing_asked(context: click.Context, explicit: list[str]) -> int:
    if explicit:
        raise UsageError(
            f"the flag {flag(explicit[0])} does nothing by itself",
            fix=f"give a configuration to run: {flag(RUN.selectors[0])} PATH",
        )
    click.echo(context.get_help())
    return Exit.OK


def _is_explicit(source: ParameterSource | None) -> bool:
    return source is ParameterSource.COMMANDLINE


name_variables(command)
