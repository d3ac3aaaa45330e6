"""Serving the gateway until somebody says stop."""

import asyncio
import importlib.util
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from tau.cli.lifecycle_control import policy_file, principal
from tau.cli.surface import Exit
from tau.config.environment import snapshot
from tau.config.paths import state_dir as state_dir_of
from tau.errors import FileError, InputError, UsageError
from tau.files.documents import read_bytes
from tau.lifecycle.authorization import load_policy

TOKEN_VARIABLE = "TAU_GATEWAY_TOKEN"
PASSWORD_VARIABLE = "TAU_GATEWAY_PASSWORD"
_PARTS = ("fastapi", "httptools", "jinja2", "uvicorn")
_MOST_SECRET_BYTES = 4096
_IN_THE_CLEAR = (
    "warning: tokens and prompts cross the network unencrypted, for anybody on the way to read;\n"
    "  give --tls-cert and --tls-key, or listen on 127.0.0.1 behind a proxy that speaks HTTPS\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeArguments:
    """What the command line says of a gateway; None where it says nothing.

    `beside`: a run started it, and it ends when the run's end of standard input is closed.
    """

    bind: str
    store: str
    state_dir: str | None = None
    auth: str = "token"
    token_file: str | None = None
    tokens: str | None = None
    tls: tuple[str | None, str | None] = (None, None)
    trusted_proxies: tuple[str, ...] = ()
    password_file: str | None = None
    read_only: bool = False
    principal: str | None = None
    rbac_policy: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    beside: bool = False


def serve_gateway(arguments: ServeArguments) -> int:
    """Serve; the first line of standard output is the address to open.

    Raises:
        InputError: it cannot be set up like that.
    """
    missing = [name for name in _PARTS if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            "the gateway is not installed",
            why=f"there is no {', '.join(missing)}",
            fix="install it with: pip install 'tau[gateway]'",
        )
    with asyncio.Runner() as runner:
        return runner.run(_serve(arguments))


async def _serve(arguments: ServeArguments) -> int:
    from tau.gateway.addresses import Networks
    from tau.gateway.server import serving
    from tau.gateway.server_settings import AuthMode, GatewaySettings, parse_bind

    environ = snapshot()
    host, port = parse_bind(arguments.bind)
    settings = GatewaySettings(
        store=arguments.store,
        state_dir=state_dir_of(arguments.store, arguments.state_dir),
        policy=policy_file(arguments.rbac_policy),
        principal=principal(arguments.principal),
        host=host,
        port=port,
        auth=AuthMode(arguments.auth),
        token=_secret(arguments.token_file) or environ.get(TOKEN_VARIABLE) or None,
        password=_secret(arguments.password_file) or environ.get(PASSWORD_VARIABLE) or None,
        tokens=Path(arguments.tokens) if arguments.tokens is not None else None,
        tls=_tls(*arguments.tls),
        trusted_proxies=Networks(arguments.trusted_proxies),
        read_only=arguments.read_only,
        allowed_hosts=arguments.allowed_hosts,
    )
    load_policy(settings.policy)  # one that is named must be there, before anything listens
    if not arguments.beside and settings.in_the_clear:
        sys.stderr.write(_IN_THE_CLEAR)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if arguments.beside:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop.set)
    async with serving(settings) as server:
        sys.stdout.write(f"{server.link()}\n")
        sys.stdout.flush()
        sys.stderr.write(_about(settings.auth))
        await stop.wait()
    return Exit.OK


def _tls(certificate: str | None, key: str | None) -> tuple[Path, Path] | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise UsageError(
            "a certificate and its key belong together",
            fix="give both --tls-cert and --tls-key",
        )
    return Path(certificate), Path(key)


def _about(auth: str) -> str:
    if auth == "token":
        return "this link opens one browser session, once; restart for another. Ctrl-C ends it\n"
    return "Ctrl-C ends it\n"


def _secret(path: str | None) -> str | None:
    """The first line of a file that holds a secret."""
    if path is None:
        return None
    data = read_bytes(Path(path), limit=_MOST_SECRET_BYTES)
    text = (data or b"").split(b"\n")[0].strip().decode("utf-8", "replace")
    if not text:
        raise FileError(f"there is no secret in '{path}'")
    return text
