"""Working on the runs of a store."""

import asyncio
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from tau.cli.surface import Exit
from tau.cli.text import line
from tau.config.environment import snapshot
from tau.config.loading import load
from tau.domain.run import StopReason
from tau.trainer.stop import StopRequest
from tau.wiring.copying import copy_store
from tau.wiring.worker import WorkerReport, WorkerRequest, run_worker


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


def work(arguments: WorkArguments) -> int:
    """Work until a signal; exit code 0 when all that was begun is recorded."""
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
    )
    with asyncio.Runner() as runner:
        report = runner.run(_worked(request))
    sys.stdout.write(f"worked: succeeded={report.completed} failed={report.failed}\n")
    return Exit.OK


async def _worked(request: WorkerRequest) -> WorkerReport:
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
    return await run_worker(request, observer=_Lines(), stop=stop)


class _Lines:
    """Notices on standard error."""

    def notice(self, text: str) -> None:
        """One line for people."""
        sys.stderr.write(f"{line(text)}\n")
        sys.stderr.flush()


def copy(source: str, target: str) -> int:
    """Copy a store; prints how much, and the hash that both agree on."""
    with asyncio.Runner() as runner:
        made = runner.run(copy_store(source, target))
    sys.stdout.write(f"copied {made.rows:,} rows, equal on both sides: {made.hash[:16]}\n")
    return Exit.OK
