"""TLS before a server that has none of its own: answers the request for it, and unwraps."""

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_REQUEST = bytes.fromhex("0000000804d2162f")
"""What a client sends that wants TLS."""


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """A certificate for `host` that vouches for itself, and its key."""
    made, key = folder / f"{host}.crt", folder / f"{host}.key"
    kind = "IP" if host[0].isdigit() else "DNS"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", f"/CN={host}", "-addext", f"subjectAltName={kind}:{host}",
         "-keyout", key, "-out", made],
        check=True, capture_output=True,
    )  # fmt: skip
    return made, key


@asynccontextmanager
async def wrapped(port: int, certificate: Path, key: Path) -> AsyncIterator[int]:
    """A port where the server at `port` is reached by TLS only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me is not None
        handlers.add(me)
        me.add_done_callback(handlers.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if await reader.readexactly(8) == _REQUEST:
                writer.write(b"S")
                await writer.start_tls(context)
                up = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(_pass(reader, up[1]), _pass(up[0], writer))
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        if handlers:
            await asyncio.wait(handlers)
        await server.wait_closed()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
