"""Commands that read one JSON document on stdin and write one on stdout."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from subprocess import PIPE
from typing import cast

import orjson

from tau.domain.json import Json
from tau.errors import AttemptError, InputError, TimeLimitExceeded

TERMINATION_GRACE_S = 1.0
"""How long a group may take to end after SIGTERM before it is killed."""

_STDERR_TAIL_BYTES = 4096
_EXCERPT_CHARACTERS = 500
_PIPE_GRACE_S = 1.0


async def run_json_command(
    argv: Sequence[str],
    payload: Json,
    *,
    cwd: Path,
    environ: Mapping[str, str],
    time_limit_s: float | None,
    output_limit_bytes: int,
    failure: type[AttemptError],
) -> Json:
    """Run `argv` with `payload` as JSON on its stdin; what it printed, parsed.

    It runs in a session of its own with exactly `environ`. When this returns, raises or is
    cancelled, the whole process group has ended (SIGTERM, then SIGKILL) and is reaped; a process
    that moved itself into another session is out of reach. What its stdout holds must be one
    strict JSON document in UTF-8 with finite numbers. Lone surrogates of `payload` arrive escaped.

    Raises:
        TimeLimitExceeded: it ran longer than `time_limit_s`.
        AttemptError: `failure`, for everything else: it cannot be started, exits with another
            status than 0 (in `status`; -n for signal n), prints too much or no JSON.
    """
    data = _document(payload, failure)
    run = await _start(argv, cwd, environ, output_limit_bytes, failure)
    try:
        async with asyncio.timeout(time_limit_s):
            run.feed(data)
            await run.ended
    except TimeoutError as error:
        raise TimeLimitExceeded(
            f"command '{argv[0]}' ran longer than {time_limit_s:g} s and was stopped",
            why=run.stderr_excerpt() or None,
            fix="raise its time limit or make it faster",
        ) from error
    finally:
        await run.stop()
    return _answer(argv[0], run, output_limit_bytes, failure)


def find_command(name: str, *, cwd: Path, environ: Mapping[str, str]) -> Path | None:
    """The program `run_json_command` would start for `name`, or None."""
    path = cwd / name if "/" in name else name
    found = shutil.which(path, path=environ.get("PATH", os.defpath))
    return Path(found) if found else None


def check_named(names: Sequence[str], environ: Mapping[str, str], where: str | None) -> None:
    """Raise InputError where a variable that a command wants is not set."""
    missing = [name for name in names if name not in environ]
    if missing:
        raise InputError(
            f"the environment variable '{missing[0]}' is not set",
            where=where,
            why="the command wants it by its setting 'env'",
            fix="set it, or take it out of 'env'",
        )


class _Run(asyncio.SubprocessProtocol):
    """One running command: bounded buffers, and a future for its end."""

    def __init__(self, output_limit_bytes: int) -> None:
        loop = asyncio.get_running_loop()
        self.stdout = bytearray()
        self.overflow = False
        self.ended: asyncio.Future[None] = loop.create_future()
        self._exited: asyncio.Future[None] = loop.create_future()
        self._pipes_closed: asyncio.Future[None] = loop.create_future()
        self._open = {1, 2}
        self._stderr = bytearray()
        self._limit = output_limit_bytes
        self._transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 1 and not self.overflow:
            self.stdout += data
            if len(self.stdout) > self._limit:
                self.overflow = True
                self.stdout.clear()
                _resolve(self.ended)
        elif fd == 2:
            self._stderr += data
            del self._stderr[:-_STDERR_TAIL_BYTES]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open.discard(fd)
        if not self._open:
            _resolve(self._pipes_closed)

    def process_exited(self) -> None:
        _resolve(self._exited)
        _resolve(self.ended)

    @property
    def transport(self) -> asyncio.SubprocessTransport:
        """The running process."""
        assert self._transport is not None, "used before it was started"
        return self._transport

    def feed(self, data: bytes) -> None:
        """Send `data` and the end of input; a command may leave before reading it."""
        pipe = cast("asyncio.WriteTransport", self.transport.get_pipe_transport(0))
        pipe.write(data)
        pipe.write_eof()

    async def stop(self) -> None:
        """End and reap the whole group; a second cancellation makes it a kill at once."""
        try:
            if not self._exited.done():
                self._signal(signal.SIGTERM)
                await asyncio.wait([self._exited], timeout=TERMINATION_GRACE_S)
        finally:
            self._signal(signal.SIGKILL)
            await _through_cancellation([self._exited, self._pipes_closed])
            self.transport.close()

    def stderr_excerpt(self) -> str:
        """The end of what it wrote to stderr, in one printable line."""
        text = " ".join(self._stderr.decode("utf-8", errors="replace").split())
        return "".join(c for c in text if c.isprintable())[-_EXCERPT_CHARACTERS:]

    def _signal(self, number: signal.Signals) -> None:
        # The group outlives its leader: what a finished command left behind is found here too.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.transport.get_pid(), number)


def _document(payload: Json, failure: type[AttemptError]) -> bytes:
    try:
        return json.dumps(payload, allow_nan=False, separators=(",", ":")).encode("ascii")
    except (ValueError, TypeError, RecursionError) as error:
        raise failure("the command's input is no JSON document", why=str(error)) from error


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _through_cancellation(futures: Iterable[asyncio.Future[None]]) -> None:
    """Wait until killed processes are gone, bounded, even if cancelled meanwhile."""
    waiting = asyncio.ensure_future(asyncio.wait(list(futures), timeout=_PIPE_GRACE_S))
    try:
        await asyncio.shield(waiting)
    except asyncio.CancelledError:
        await waiting
        raise


async def _start(
    argv: Sequence[str],
    cwd: Path,
    environ: Mapping[str, str],
    output_limit_bytes: int,
    failure: type[AttemptError],
) -> _Run:
    loop = asyncio.get_running_loop()
    run = _Run(output_limit_bytes)
    starting = asyncio.ensure_future(
        loop.subprocess_exec(
            lambda: run, *argv,
            stdin=PIPE, stdout=PIPE, stderr=PIPE,
            cwd=cwd, env=dict(environ), start_new_session=True,
        )
    )  # fmt: skip
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        # asyncio alone would end only the leader, not what it has started since.
        with contextlib.suppress(OSError, ValueError):
            await starting
            await run.stop()
        raise
    except (OSError, ValueError) as error:
        raise _not_started(argv[0], cwd, error, failure) from error
    return run


def _not_started(
    name: str, cwd: Path, error: OSError | ValueError, failure: type[AttemptError]
) -> AttemptError:
    missing = isinstance(error, FileNotFoundError) and cwd.is_dir()
    return failure(
        f"command '{name}' cannot be started",
        why="no such program" if missing else str(error),
        fix="give a program on PATH, or a path relative to the configuration file",
    )


def _answer(name: str, run: _Run, limit: int, failure: type[AttemptError]) -> Json:
    if run.overflow:
        raise failure(
            f"command '{name}' printed more than {limit} bytes and was stopped",
            fix="print less, or raise its output limit",
        )
    status = run.transport.get_returncode()
    if status != 0:
        how = f"was ended by signal {-status}" if status and status < 0 else f"exited with {status}"
        raise failure(f"command '{name}' {how}", why=run.stderr_excerpt() or None, status=status)
    try:
        return cast("Json", orjson.loads(bytes(run.stdout)))
    except orjson.JSONDecodeError as error:
        raise failure(
            f"command '{name}' did not print one JSON document",
            why=str(error) if run.stdout else "it printed nothing",
            fix="print one JSON document to stdout, and everything else to stderr",
        ) from error
