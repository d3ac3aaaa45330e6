"""The attribution proxy as a program."""

import asyncio
import signal
from dataclasses import dataclass
from pathlib import Path

import click

from tau.cli.text import line
from tau.config.environment import snapshot
from tau.errors import UsageError
from tau.wiring.attribution import AttributionRequest, serve_attribution

_FLAG = "--prompt-optimization-proxy-bind"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyArguments:
    """The flags as they were given."""

    bind: str
    upstream_url: str | None
    state_dir: str
    timeout_ms: int


def serve_proxy(arguments: ProxyArguments) -> int:
    """Serve until a signal; 128 and its number then, as for any program."""
    if not arguments.upstream_url:
        raise UsageError(
            "the flag --prompt-optimization-proxy-server needs an upstream",
            fix="give --prompt-optimization-proxy-upstream-url https://host/v1",
        )
    host, port = _address(arguments.bind)
    request = AttributionRequest(
        host=host,
        port=port,
        upstream_url=arguments.upstream_url,
        state_dir=Path(arguments.state_dir),
        timeout_ms=arguments.timeout_ms,
        environ=snapshot(),
    )
    with asyncio.Runner() as runner:
        return runner.run(_serve(request))


async def _serve(request: AttributionRequest) -> int:
    stop, numbers = asyncio.Event(), list[int]()

    def ended(number: int) -> None:
        numbers.append(number)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended, number)
    await serve_attribution(request, stop=stop, listener=_Listener())
    return 128 + numbers[0]


class _Listener:
    def listening(self, host: str, port: int, upstream: str, log: Path) -> None:
        shown = f"[{host}]" if ":" in host else host
        click.echo(
            f"prompt optimization proxy: listening on http://{shown}:{port} "
            f"upstream={line(upstream)} log={line(str(log))}",
            err=True,
        )


def _address(bind: str) -> tuple[str, int]:
    host, colon, port = bind.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise UsageError(
            f"{_FLAG} '{bind}' is not an address", fix="write HOST:PORT, such as 127.0.0.1:8788"
        )
    return host, int(port)
