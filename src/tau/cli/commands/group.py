"""The program `tau`: its commands in the order in which people need them."""

import click

from tau import __version__
from tau.cli.commands import (
    candidates,
    certifying,
    control,
    copying,
    demonstrating,
    judging,
    moving,
    optimizing,
    records,
    running,
    serving,
    upkeep,
    working,
)
from tau.cli.surface import Exit, debug_option, name_variables, summarize


class _InOrder(click.Group):
    """Lists commands in the order they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names as added."""
        return list(self.commands)


@click.group(
    cls=_InOrder,
    invoke_without_command=True,
    help="Tau measures and improves the prompts of language-model applications against examples.",
    epilog="Every option can also be set by an environment variable: TAU_ and the option in "
    "capitals with underscores, such as TAU_MODEL.",
)
@debug_option
@click.version_option(__version__)
@click.pass_context
def tau_group(context: click.Context) -> int:
    """Show the help where no command is named."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    return Exit.OK


for command in (
    demonstrating.demo,
    running.init,
    running.check,
    optimizing.plan,
    moving.probe,
    optimizing.optimize,
    certifying.certify,
    certifying.label,
    judging.judge,
    running.run,
    running.evaluate,
    working.worker,
    control.status,
    control.pause,
    control.resume,
    control.cancel,
    control.rollback,
    serving.serve,
    records.runs,
    records.rollouts,
    records.resources,
    candidates.candidates,
    candidates.compare,
    moving.migrate,
    candidates.promote,
    candidates.aliases,
    candidates.prompt,
    candidates.export,
    candidates.replay,
    upkeep.graders,
    upkeep.models,
    upkeep.db,
    copying.store,
    control.rbac,
    control.audit,
    upkeep.doctor,
    upkeep.sim,
    running.schema,
    upkeep.completion,
):
    tau_group.add_command(command)
upkeep.db.add_command(serving.db_prune)

name_variables(tau_group)
summarize(tau_group)
