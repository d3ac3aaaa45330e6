"""Working on the runs of a store."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from tau.cli.lifecycle_control import policy_file, principal
from tau.cli.surface import Exit
from tau.cli.text import line
from tau.config.environment import prefer, snapshot
from tau.config.loading import load
from tau.config.search import audit_dir
from tau.domain.run import StopReason
from tau.errors import PluginError, UsageError
from tau.lifecycle.asking import Asked
from tau.lifecycle.authorization import COPY, COPY_KEY, PolicyFile
from tau.stores.location import shown
from tau.trainer.stop import StopRequest
from tau.wiring.access import check_start, guarded
from tau.wiring.copying import copy_store
from tau.wiring.stores import scheme_of
from tau.wiring.worker import WorkerReport, WorkerRequest, run_worker

_RAY = {
    "RAY_AUTH_MODE": "token",  # without it, anyone who reaches a cluster can run code there
    "RAY_NUM_REDIS_GET_RETRIES": "2",  # tries at a cluster that answers, but not to us
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkArguments:
    """What the command line says."""

    configs: tuple[str, ...]
    store: str
    model: str | None
    workers: int
    concurrency: int
    folder: str
    trust_store: bool
    once: bool
    strict: bool
    ray: str | None
    principal: str | None = None
    rbac_policy: str | None = None


def work(arguments: WorkArguments) -> int:
    """Work until a signal; exit code 0 when all that was begun is recorded."""
    report = _here(arguments) if arguments.ray is None else _on_ray(arguments, arguments.ray)
    sys.stdout.write(f"worked: succeeded={report.completed} failed={report.failed}\n")
    return Exit.OK


def _here(arguments: WorkArguments) -> WorkerReport:
    environ = snapshot()
    request = WorkerRequest(
        store=arguments.store,
        environ=environ,
        configs=[
            load(path, environ=environ, model=arguments.model, strict=arguments.strict)
            for path in arguments.configs
        ],
        workers=arguments.workers,
        concurrency=arguments.concurrency,
        base_dir=Path(arguments.folder),
        trust_store=arguments.trust_store,
        once=arguments.once,
        principal=principal(arguments.principal),
        policy=policy_file(arguments.rbac_policy),
    )
    with asyncio.Runner() as runner:
        return runner.run(
            _until_signal(lambda stop: run_worker(request, observer=_Lines(), stop=stop))
        )


def _on_ray(arguments: WorkArguments, address: str) -> WorkerReport:
    _check_placeable(arguments.store)
    prefer(**_RAY)
    try:
        from tau.wiring.placing import Placement, place_workers
        from tau.wiring.ray_cluster import connected
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "ray":
            raise
        raise PluginError("Ray is not installed", fix="pip install 'tau[ray]'") from error
    who, policy = principal(arguments.principal), policy_file(arguments.rbac_policy)
    placement = Placement(
        store=arguments.store,
        configs=tuple(str(Path(path).absolute()) for path in arguments.configs),
        model=arguments.model,
        concurrency=arguments.concurrency,
        base_dir=str(Path(arguments.folder).absolute()),
        trust_store=arguments.trust_store,
        once=arguments.once,
        strict=arguments.strict,
        principal=who,
    )

    def placed(stop: StopRequest) -> Coroutine[None, None, WorkerReport]:
        return place_workers(placement, actors=arguments.workers, observer=_Lines(), stop=stop)

    may = check_start(
        arguments.store, audit_dir(arguments.store), policy, who, detail="as workers on Ray"
    )
    # Ray prints what its nodes report to standard output, which is ours.
    with (
        contextlib.closing(may),
        redirect_stdout(sys.stderr),
        connected(address),
        asyncio.Runner() as runner,
    ):
        runner.run(may)
        return runner.run(_until_signal(placed))


def _check_placeable(store: str) -> None:
    """Before anything else: what actors could not use, or what would give a password away.

    Raises:
        UsageError: says which.
    """
    if scheme_of(store) == "sqlite":
        raise UsageError(
            "workers on a cluster cannot share a SQLite store",
            where=store,
            why="a file belongs to one machine",
            fix="tau store copy it to PostgreSQL, and name that: --store postgresql://...",
        )
    if shown(store) != store:
        raise UsageError(
            "the store's URL holds a password, and Ray would keep and show it",
            where=shown(store),
            fix="leave it out, and give the nodes PGPASSWORD or ~/.pgpass",
        )


async def _until_signal(
    working: Callable[[StopRequest], Coroutine[None, None, WorkerReport]],
) -> WorkerReport:
    """The first signal asks to stop, another one not to wait."""
    stop = StopRequest()

    def arrived(name: str) -> None:
        if stop.reason is None:
            _Lines().notice("finishing what is in flight; the same signal again gives it back")
            stop.set(StopReason.SIGNAL, name)
        else:
            stop.now()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, arrived, number.name)
    return await working(stop)


class _Lines:
    """Notices on standard error."""

    def notice(self, text: str) -> None:
        """One line for people."""
        sys.stderr.write(f"{line(text)}\n")
        sys.stderr.flush()


def copy(
    source: str, target: str, *, principal: str, policy: PolicyFile, reason: str | None
) -> int:
    """Copy a store; prints how much, and the hash that both agree on.

    Raises:
        AccessDenied: the source's policy does not allow it; that is audited there.
    """
    asked = Asked(
        action=COPY, key=COPY_KEY, principal=principal, reason=reason,
        detail=f"to {shown(target)}",
    )  # fmt: skip
    with asyncio.Runner() as runner:
        made = runner.run(guarded(source, asked, policy, lambda: copy_store(source, target)))
    sys.stdout.write(f"copied {made.rows:,} rows, equal on both sides: {made.hash[:16]}\n")
    return Exit.OK
