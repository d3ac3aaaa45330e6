"""The command of machines that only work."""

import click

from tau.cli.commands.running import model_option, store_option, strict_option, who_options
from tau.cli.surface import debug_option


@click.command("worker", short_help="Work on the runs of a store, from any machine.")
@click.argument("configs", metavar="[CFG]...", nargs=-1)
@store_option
@model_option
@click.option(
    "-n", "--workers", type=click.IntRange(1), default=1, show_default=True, help="Workers per run."
)
@click.option(
    "--concurrency",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Rollouts in flight per worker.",
)
@click.option("--dir", "folder", metavar="PATH", default=".", type=click.Path(file_okay=False),
              help="What relative paths in a run's configuration are relative to.")  # fmt: skip
@click.option("--trust-store", is_flag=True, help="Run code that a run's configuration names.")
@click.option("--ray", metavar="ADDRESS",
              help="Place the workers on a Ray cluster: HOST:PORT, or auto.")  # fmt: skip
@click.option("--once", is_flag=True, help="Leave when nothing is left to do.")
@strict_option
@who_options
@debug_option
def worker(
    *,
    configs: tuple[str, ...],
    store: str,
    model: str | None,
    workers: int,
    concurrency: int,
    folder: str,
    trust_store: bool,
    once: bool,
    strict: bool,
    ray: str | None,
    principal: str | None,
    rbac_policy: str | None,
) -> int:
    """Join the running runs of a store and work on them until told to leave.

    What a run needs is read from the store, or from CFG where that is the run's own file. Keys come
    from this machine's environment. The first SIGTERM or Ctrl-C lets what is in flight finish, the
    second gives it back at once.

    With --ray, -n is the number of actors; paths and keys are those of the cluster's nodes.
    """
    from tau.cli.working import WorkArguments, work

    return work(
        WorkArguments(
            configs=configs,
            store=store,
            model=model,
            workers=workers,
            concurrency=concurrency,
            folder=folder,
            trust_store=trust_store,
            once=once,
            strict=strict,
            ray=ray,
            principal=principal,
            rbac_policy=rbac_policy,
        )
    )
