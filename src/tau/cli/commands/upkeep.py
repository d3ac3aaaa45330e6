"""Commands about the installation."""

import click

from tau.cli.commands.running import json_option, store_option
from tau.cli.surface import Exit, debug_option


@click.command("doctor", short_help="Look for what could go wrong on this machine.")
@store_option
@json_option
@debug_option
def doctor(*, store: str, as_json: bool) -> int:
    """Show versions, the store's state, free space, and which keys are set, by name only."""
    from tau.cli.doctor import examine

    return examine(store, as_json=as_json)


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


@click.command("completion", short_help="Print a script that completes commands in your shell.")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@debug_option
def completion(*, shell: str) -> int:
    """Print a script that completes commands; for bash: source <(tau completion bash)."""
    from click.shell_completion import get_completion_class

    from tau.cli.commands.group import tau_group

    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(tau_group, {}, "tau", "_TAU_COMPLETE").source())
    return Exit.OK
