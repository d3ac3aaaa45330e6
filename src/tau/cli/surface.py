"""How a program meets the shell: declared options, exit codes, and errors in words."""

import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import click
from click.core import ParameterSource

from tau import __version__
from tau.cli.streams import open_streams, output_lost
from tau.cli.text import line
from tau.errors import (
    AccessDenied,
    AttemptError,
    ConfigError,
    ConfigIssue,
    InputError,
    RunError,
    RunStopped,
    TauError,
    UsageError,
)

Command = Callable[..., Any]


class Exit(IntEnum):
    """Exit codes; an interrupted program exits with 128 and the signal's number instead."""

    OK = 0
    FAILED = 1
    USAGE = 2
    GATE = 3
    STOPPED = 4
    DENIED = 5


@dataclass(slots=True, kw_only=True)
class Surface:
    """One program: `flat` is the contract's, whose exit codes are 0, 1 and 2 only."""

    program: str
    flat: bool = False
    debug: bool = False

    def code(self, error: TauError) -> Exit:
        """The exit code an error leads to."""
        if isinstance(error, UsageError):
            return Exit.USAGE
        if self.flat:
            return Exit.FAILED
        if isinstance(error, InputError):
            return Exit.USAGE
        if isinstance(error, AccessDenied):
            return Exit.DENIED
        return Exit.STOPPED if isinstance(error, RunStopped) else Exit.FAILED

    def describe(self, error: TauError) -> list[str]:
        """What, then indented where, why, every problem, the causes and the fix."""
        lines = [f"Error: {line(error.what)}"]
        if self.flat and isinstance(error, RunError):
            lines = ["Error: prompt-optimization run failed", f"  {line(error.what)}"]
        return lines + [f"  {part}" for part in _parts(error)]


def debug_option(command: Command) -> Command:
    """Add `--debug`."""
    return click.option(
        "--debug", is_flag=True, expose_value=False, is_eager=True, callback=_set_debug,
        help="Show tracebacks of errors.",
    )(command)  # fmt: skip


class ListingGroup(click.Group):
    """A group that lists where none of its commands is named, with the options of `ls`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `ls` where a command's name is missing."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["ls", *args]
        return super().parse_args(ctx, args)


def summarize(command: click.Command) -> None:
    """Let groups list the whole first sentence of each command, where click would cut it."""
    if isinstance(command, click.Group):
        for child in command.commands.values():
            if child.help and not child.short_help:
                child.short_help = " ".join(child.help.split("\n\n")[0].split())
            summarize(child)


def name_variables(command: click.Command) -> None:
    """Give every option of `command` and its subcommands its environment variable."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            flag = max(parameter.opts, key=len)
            parameter.envvar = "TAU_" + flag.lstrip("-").replace("-", "_").upper()
    if isinstance(command, click.Group):
        for child in command.commands.values():
            name_variables(child)


def program(command: click.Command, surface: Surface, arguments: Sequence[str]) -> int:
    """Run `command` and return the exit code; errors made on purpose end as words on stderr."""
    sys.excepthook = _unexpected(surface)
    signal.signal(signal.SIGTERM, _terminated)
    open_streams()
    try:
        code = command.main(
            list(arguments), prog_name=surface.program, standalone_mode=False, obj=surface
        )
        sys.stdout.flush()
    except click.ClickException as error:
        _name_variable(error)
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return 128 + signal.SIGINT
    except OSError as error:
        return output_lost(error)
    except TauError as error:
        if surface.debug:
            raise
        click.echo("\n".join(surface.describe(error)), err=True)
        return surface.code(error)
    return code if isinstance(code, int) else Exit.OK


def _name_variable(error: click.ClickException) -> None:
    """Let a message about a value from the environment say so: nobody typed that option."""
    if isinstance(error, click.BadParameter) and error.ctx and error.param:
        source = error.ctx.get_parameter_source(error.param.name or "")
        if source is ParameterSource.ENVIRONMENT:
            error.param_hint = str(error.param.envvar)


def _parts(error: TauError) -> Iterator[str]:
    if error.where:
        yield f"where: {line(error.where)}"
    if error.why:
        yield f"why: {line(error.why)}"
    problems = error.problems if isinstance(error, ConfigError) else ()
    mistakes = [problem for problem in problems if not problem.warning]
    said = mistakes[0] if len(mistakes) == 1 and mistakes[0].message in error.what else None
    for problem in problems:
        yield from _place(problem) if problem is said else (_problem_line(problem),)
    yield from _causes(error)
    if error.fix:
        yield f"fix: {line(error.fix)}"


def _problem_line(problem: ConfigIssue) -> str:
    """A problem as one safe line; warnings are marked."""
    return ("warning: " if problem.warning else "") + line(str(problem))


def warn(problems: Iterable[ConfigIssue]) -> None:
    """Show warnings on standard error."""
    for problem in problems:
        click.echo(_problem_line(problem), err=True)


def _place(problem: ConfigIssue) -> Iterator[str]:
    """Where the only problem is, when the error's own line has said what it is."""
    if problem.pointer or problem.line or problem.file.startswith("--"):
        place = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
        yield f"where: {line(f'{place} {problem.pointer}'.rstrip())}"


def _causes(error: TauError) -> Iterator[str]:
    """The errors made on purpose that led to this one; what they say of others is in `why`."""
    cause = error.__cause__
    while isinstance(cause, TauError) and not isinstance(cause, AttemptError):
        if cause.what not in str(error):
            yield f"caused by: {line(str(cause))}"
        cause = cause.__cause__


def _set_debug(context: click.Context, _: click.Parameter, value: bool) -> None:
    context.ensure_object(Surface).debug |= value


def _unexpected(surface: Surface) -> Callable[..., None]:
    """What is said of an error nobody foresaw; the interpreter then exits with 1."""

    def say(kind: type[BaseException], error: BaseException, trace: Any) -> None:  # noqa: ANN401
        if surface.debug:
            sys.__excepthook__(kind, error, trace)
            return
        what = line(str(error).partition("\n")[0][:500])
        click.echo(f"Error: unexpected {kind.__name__}: {what}", err=True)
        click.echo(f"  this is a defect of Tau {__version__}; --debug shows where", err=True)

    return say


def _terminated(number: int, _: object) -> None:
    raise SystemExit(128 + number)
