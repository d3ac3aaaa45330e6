"""Old names of flags, rewritten before anything is parsed."""

from collections.abc import Collection, Mapping, Sequence

import click

ALIASES: Mapping[str, str] = {
    "--train-config": "--prompt-optimization-config",
    "--train-store-sqlite": "--prompt-optimization-store-sqlite",
    "--train-json": "--prompt-optimization-json",
    "--training-proxy-server": "--prompt-optimization-proxy-server",
    "--training-proxy-bind": "--prompt-optimization-proxy-bind",
    "--training-proxy-upstream-url": "--prompt-optimization-proxy-upstream-url",
    "--training-proxy-state-dir": "--prompt-optimization-proxy-state-dir",
    "--training-proxy-timeout-ms": "--prompt-optimization-proxy-timeout-ms",
}


def valued(command: click.Command) -> frozenset[str]:
    """The options of `command` that always take the next argument, whatever it looks like."""
    return frozenset(
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        # Unset, a flag's value is an object of click's own, and true: only these are values.
        and not (parameter.is_flag or isinstance(parameter.flag_value, str | bool))
        for name in parameter.opts
    )


def rewritten(
    arguments: Sequence[str], *, valued: Collection[str], aliases: Mapping[str, str] = ALIASES
) -> tuple[list[str], list[str]]:
    """The arguments with canonical names, and one notice for each old name used.

    `valued` are the canonical options that take the next argument as their value: what stands
    there, and everything after `--`, is left as it is.
    """
    result: list[str] = []
    notices: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            result += [argument, *rest]
            break
        name, equals, value = argument.partition("=")
        canonical = aliases.get(name, name)
        if canonical != name:
            notices.append(f"deprecated CLI alias '{name}' detected; use '{canonical}' instead.")
        result.append(f"{canonical}{equals}{value}")
        if not equals and canonical in valued:
            result += [following for following in [next(rest, None)] if following is not None]
    return result, notices
