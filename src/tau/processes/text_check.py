"""A command that says whether a text can be used, such as a compiler or a linter."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_EXCERPT_CHARACTERS = 600
_MOST_BYTES = 64 * 1024
FILE = "{file}"


def failed_check(
    command: Sequence[str],
    text: str,
    *,
    file_name: str,
    cwd: Path,
    environ: Mapping[str, str],
    time_limit_s: float,
) -> str | None:
    """Why `text` does not pass `command`, in words for who wrote it; None where it passes.

    The command is started without a shell, in a session of its own that is ended afterwards; in
    its arguments `{file}` is a file with the text, in a folder that is removed afterwards.
    """
    with tempfile.TemporaryDirectory(prefix="tau-check-") as folder:
        file = Path(folder) / file_name
        file.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")
        argv = [part.replace(FILE, str(file)) for part in command]
        said = Path(folder) / ".said"
        with said.open("w+b") as output:
            try:
                status = _status(argv, output.fileno(), cwd, environ, time_limit_s)
            except (OSError, ValueError) as error:
                return f"its checker '{command[0]}' cannot be started: {error}"
            output.seek(max(0, output.seek(0, os.SEEK_END) - _MOST_BYTES))
            told = output.read().decode("utf-8", "replace")
        if status == 0:
            return None
        if status is None:
            return f"its checker '{command[0]}' ran longer than {time_limit_s:g} s"
        words = " ".join(told.replace(str(file), file_name).split())
        shown = "".join(c for c in words if c.isprintable())[-_EXCERPT_CHARACTERS:]
        return f"its checker '{command[0]}' refuses it: {shown or f'exit status {status}'}"


def _status(
    argv: Sequence[str], output: int, cwd: Path, environ: Mapping[str, str], limit_s: float
) -> int | None:
    """Its exit status; None where it was stopped at the limit."""
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        cwd=cwd, env=dict(environ), start_new_session=True,
    )  # fmt: skip
    try:
        return process.wait(limit_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
