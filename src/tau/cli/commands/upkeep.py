"""Commands about the installation."""

import click

from tau.cli.commands.control import reason_option
from tau.cli.commands.running import json_option, store_option, who_options
from tau.cli.surface import Exit, debug_option


@click.command("doctor", short_help="Look for what could go wrong on this machine.")
@store_option
@json_option
@debug_option
def doctor(*, store: str, as_json: bool) -> int:
    """Show versions, the store's state, free space, and which keys are set, by name only."""
    from tau.cli.doctor import examine

    return examine(store, as_json=as_json)


@click.group("db", short_help="Back up, verify, migrate or recover a store.")
def db() -> None:
    """Back up, verify or migrate a store."""


@db.command("backup")
@click.argument("target", metavar="TARGET")
@store_option
@who_options
@reason_option
@debug_option
def db_backup(
    *, target: str, store: str, principal: str | None, rbac_policy: str | None, reason: str | None
) -> int:
    """Copy the store to the new file TARGET, whole, while runs may be using it."""
    from tau.cli.databases import backup
    from tau.cli.lifecycle_control import policy_file
    from tau.cli.lifecycle_control import principal as principal_of

    return backup(
        store, target, principal=principal_of(principal), policy=policy_file(rbac_policy),
        reason=reason,
    )  # fmt: skip


@db.command("verify")
@store_option
@json_option
@debug_option
def db_verify(*, store: str, as_json: bool) -> int:
    """Check the whole store without changing it: every page, digest and count."""
    from tau.cli.databases import verify

    return verify(store, as_json=as_json)


@db.command("migrate")
@store_option
@who_options
@reason_option
@debug_option
def db_migrate(
    *, store: str, principal: str | None, rbac_policy: str | None, reason: str | None
) -> int:
    """Bring a store of an older Tau to this version's schema, keeping a copy of it."""
    from tau.cli.databases import migrate
    from tau.cli.lifecycle_control import policy_file
    from tau.cli.lifecycle_control import principal as principal_of

    return migrate(
        store, principal=principal_of(principal), policy=policy_file(rbac_policy), reason=reason
    )


@db.command("recover")
@store_option
@click.option("--state-dir", metavar="PATH", help="Where the run's checkpoint file is.")
@debug_option
def db_recover(*, store: str, state_dir: str | None) -> int:
    """Set a store aside whose files were deleted, emptied or damaged; nothing is thrown away.

    Says what the checkpoint file of its run brings back when the run is started again. A store
    that is whole is left as it is.
    """
    from tau.cli.databases import recover

    return recover(store, state_dir)


@click.group("graders", short_help="List graders.")
def graders() -> None:
    """List graders."""


@graders.command("list")
@json_option
@debug_option
def graders_list(*, as_json: bool) -> int:
    """List the names that a configuration's `graders` may use."""
    from tau.cli.listing import list_graders

    return list_graders(as_json=as_json)


@click.group("models", short_help="List model providers.")
def models() -> None:
    """List model providers."""


@models.command("list")
@json_option
@debug_option
def models_list(*, as_json: bool) -> int:
    """List providers with their addresses and the variables that hold their keys."""
    from tau.cli.listing import list_models

    return list_models(as_json=as_json)


@click.group("sim", short_help="Serve the simulated model.")
def sim() -> None:
    """Serve the simulated model."""


@sim.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8789, show_default=True, help="0: a free one."
)
@click.option("--seed", type=click.IntRange(0), default=0, help="Of chance; the world stays.")
@click.option("--noise", type=click.FloatRange(0, 5), default=1.0, help="0: rules alone.")
@click.option("--latency-ms", type=click.FloatRange(0), default=0.0, help="Of every call.")
@click.option("--error-rate", type=click.FloatRange(0, 1), default=0.0, help="Of 503s.")
@click.option("--rate-limit-rate", type=click.FloatRange(0, 1), default=0.0, help="Of 429s.")
@debug_option
def sim_serve(
    *,
    host: str,
    port: int,
    seed: int,
    noise: float,
    latency_ms: float,
    error_rate: float,
    rate_limit_rate: float,
) -> int:
    """Serve the simulated model as an OpenAI-compatible endpoint until Ctrl-C."""
    from tau.cli.serve import serve
    from tau.models.sim import SimulatorSettings

    settings = SimulatorSettings(
        seed=seed,
        noise=noise,
        latency_ms=latency_ms,
        error_rate=error_rate,
        rate_limit_rate=rate_limit_rate,
    )
    return serve(settings, host=host, port=port)


@click.command("completion", short_help="Print a script that completes commands in your shell.")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish", "powershell")))
@debug_option
def completion(*, shell: str) -> int:
    """Print a script that completes commands, for your shell to read.

    bash and zsh: source <(tau completion bash); fish: tau completion fish | source;
    PowerShell: tau completion powershell | Out-String | Invoke-Expression
    """
    from click.shell_completion import get_completion_class

    from tau.cli.commands.group import tau_group
    from tau.cli.completing import register

    register()
    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(tau_group, {}, "tau", "_TAU_COMPLETE").source())
    return Exit.OK
