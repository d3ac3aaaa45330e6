"""Serving the simulated model until somebody says stop."""

import asyncio
import signal
import sys

from tau.cli.surface import Exit
from tau.models.sim import SimulatorSettings
from tau.models.sim_server import serve_sim


def serve(settings: SimulatorSettings, *, host: str, port: int) -> int:
    """Serve; the first line of standard output is the base URL.

    Raises:
        InputError: not a loopback address, or it cannot be listened on.
    """
    with asyncio.Runner() as runner:
        return runner.run(_serve(settings, host, port))


async def _serve(settings: SimulatorSettings, host: str, port: int) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve_sim(settings, host=host, port=port) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        sys.stderr.write(
            "serving the simulated model; use it from another shell:\n"
            f"  OPENAI_BASE_URL={url} OPENAI_API_KEY=none tau run CFG --model openai/rules\n"
        )
        await stop.wait()
    return Exit.OK
