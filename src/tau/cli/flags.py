"""The contract's flag surface: one flat command whose flags choose a mode."""

from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from tau import __version__
from tau.cli.modes import Mode, asked, chosen, flag
from tau.cli.surface import Exit, Surface, debug_option, name_variables
from tau.config.paths import DEFAULT_RBAC_POLICY, DEFAULT_STATE_DIR, DEFAULT_STORE
from tau.errors import UsageError
from tau.models.providers import EXAMPLE_MODEL

Command = Callable[..., Any]

RUN = Mode(
    name="run",
    selectors=("prompt_optimization_config",),
    modifiers=(
        "prompt_optimization_store_sqlite",
        "prompt_optimization_json",
        "new",
        "prompt_optimization_control_state_dir",
    ),
)
CONTROL = Mode(
    name="control",
    selectors=(
        "prompt_optimization_control_status",
        "prompt_optimization_control_pause",
        "prompt_optimization_control_resume",
        "prompt_optimization_control_cancel",
        "prompt_optimization_control_rollback",
    ),
    modifiers=(
        "prompt_optimization_control_state_dir",
        "prompt_optimization_store_sqlite",
        "prompt_optimization_control_json",
        "prompt_optimization_control_principal",
        "prompt_optimization_control_rbac_policy",
    ),
)
PROXY = Mode(
    name="proxy",
    selectors=("prompt_optimization_proxy_server",),
    modifiers=(
        "prompt_optimization_proxy_bind",
        "prompt_optimization_proxy_upstream_url",
        "prompt_optimization_proxy_state_dir",
        "prompt_optimization_proxy_timeout_ms",
    ),
)
MODES = (RUN, CONTROL, PROXY)


class _Truth(click.types.BoolParamType):
    """A truth value; says what it takes in fewer words."""

    name = "boolean"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> bool:
        """True or False, or a usage error."""
        known = self.str_to_bool(value) if isinstance(value, str | bool) else None
        if known is None:
            self.fail(f"{value!r} is neither true nor false", param, ctx)
        return known


def _switch(name: str, text: str) -> Callable[[Command], Command]:
    """A flag that may also be given as `--x=false`, for what is set in the environment."""
    return click.option(
        name, metavar="[BOOLEAN]", type=_Truth(), is_flag=False, flag_value=True, default=False,
        help=text,
    )  # fmt: skip


@click.command(
    name="tau-coding-agent",
    help="Measure and improve the prompts of language-model applications against examples.",
    epilog="Every flag can also be set by an environment variable: TAU_ and the flag in capitals "
    "with underscores, such as TAU_MODEL. `tau --help` lists the commands for people.",
)
@click.option(
    "--model",
    metavar="PROVIDER/MODEL",
    help=f"The model to run, such as {EXAMPLE_MODEL}; overrides the config's.",
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
@_switch("--prompt-optimization-json", "Print the result as one JSON document.")
@_switch("--new", "Begin a new run, whatever of this configuration is there already.")
@_switch("--prompt-optimization-control-status", "Show the state of a run's control files.")
@_switch("--prompt-optimization-control-pause", "Pause the run.")
@_switch("--prompt-optimization-control-resume", "Let the run go on; recover it after a crash.")
@_switch("--prompt-optimization-control-cancel", "End the run for good.")
@click.option(
    "--prompt-optimization-control-rollback", metavar="PATH", help="Go back to this checkpoint."
)
@click.option(
    "--prompt-optimization-control-state-dir",
    metavar="PATH",
    help=f"Where status.json and control files live; beside the store, or {DEFAULT_STATE_DIR}.",
)
@_switch("--prompt-optimization-control-json", "Print the result as one JSON document.")
@click.option(
    "--prompt-optimization-control-principal",
    metavar="NAME",
    help="Who is asking; the local user by default.",
)
@click.option(
    "--prompt-optimization-control-rbac-policy",
    metavar="PATH",
    help=f"Who may do what; {DEFAULT_RBAC_POLICY} if it is there.",
)
@_switch("--prompt-optimization-proxy-server", "Forward model calls, logged with their rollouts.")
@click.option(
    "--prompt-optimization-proxy-bind",
    metavar="HOST:PORT",
    default="127.0.0.1:8788",
    show_default=True,
    help="Where the proxy listens; port 0 takes a free one.",
)
@click.option(
    "--prompt-optimization-proxy-upstream-url",
    metavar="URL",
    help="The provider's base URL, with or without /v1.",
)
@click.option(
    "--prompt-optimization-proxy-state-dir",
    metavar="PATH",
    default=".tau",
    show_default=True,
    help="Its log is training/proxy-attribution.jsonl in there.",
)
@click.option(
    "--prompt-optimization-proxy-timeout-ms",
    metavar="MS",
    type=click.IntRange(1),
    default=30_000,
    show_default=True,
    help="How long upstream may be silent.",
)
@debug_option
@click.version_option(__version__)
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    model: str | None,
    prompt_optimization_config: str | None,
    prompt_optimization_json: bool,
    new: bool,
    prompt_optimization_control_state_dir: str | None,
    **_others: object,
) -> int:
    """Do what the chosen mode does, or show the help where nothing was asked for."""
    sources = {
        name: ParameterSource.DEFAULT if value is False else context.get_parameter_source(name)
        for name, value in context.params.items()
    }
    mode = chosen(MODES, sources)
    if mode is CONTROL:
        return _control_run(context, asked(mode, sources))
    if mode is PROXY:
        return _proxy_run(context)
    if mode is None or prompt_optimization_config is None:
        return _nothing_asked(context, [n for n, s in sources.items() if _is_explicit(s)])

    from tau.cli.running import RunArguments, run

    return run(
        RunArguments(
            config=prompt_optimization_config,
            model=model,
            store=_given(context, "prompt_optimization_store_sqlite"),
            state_dir=prompt_optimization_control_state_dir,
            json=prompt_optimization_json,
            new=new,
        ),
        context.ensure_object(Surface),
    )


def _control_run(context: click.Context, action: str) -> int:
    from tau.cli.lifecycle_control import ControlArguments, carry_out
    from tau.config.search import find_state_dir

    given = context.params
    value = given[action]
    chosen = given["prompt_optimization_control_state_dir"]
    store = _given(context, "prompt_optimization_store_sqlite")
    source = context.get_parameter_source("prompt_optimization_store_sqlite")
    if chosen is not None and not _is_explicit(source):
        store = None  # what is exported finds the run only where nothing else names it
    folder = chosen or (DEFAULT_STATE_DIR if store is None else None)
    return carry_out(
        ControlArguments(
            action=action.rpartition("_")[2],
            folder=find_state_dir(chosen=folder, store=store, files=False),
            policy=given["prompt_optimization_control_rbac_policy"],
            principal=given["prompt_optimization_control_principal"],
            checkpoint=value if isinstance(value, str) else None,
            json=given["prompt_optimization_control_json"],
            store=store,
            chosen=chosen is not None,
        ),
        context.ensure_object(Surface),
    )


def _proxy_run(context: click.Context) -> int:
    from tau.cli.attribution import ProxyArguments, serve_proxy

    given = context.params
    return serve_proxy(
        ProxyArguments(
            bind=given["prompt_optimization_proxy_bind"],
            upstream_url=given["prompt_optimization_proxy_upstream_url"],
            state_dir=given["prompt_optimization_proxy_state_dir"],
            timeout_ms=given["prompt_optimization_proxy_timeout_ms"],
        )
    )


def _nothing_asked(context: click.Context, explicit: list[str]) -> int:
    if explicit:
        raise UsageError(
            f"the flag {flag(explicit[0])} does nothing by itself",
            fix=f"give a configuration to run: {flag(RUN.selectors[0])} PATH",
        )
    click.echo(context.get_help())
    return Exit.OK


def _given(context: click.Context, name: str) -> str | None:
    """The value of an option, None where nobody gave it."""
    default = context.get_parameter_source(name) is ParameterSource.DEFAULT
    return None if default else context.params[name]


def _is_explicit(source: ParameterSource | None) -> bool:
    return source is ParameterSource.COMMANDLINE


name_variables(command)
