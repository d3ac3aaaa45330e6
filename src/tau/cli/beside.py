"""A dashboard beside a run: another process, so that nothing it does can slow or end the run."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from tau.config.environment import own_environ, snapshot
from tau.domain.visible import line

_PROGRAM = "from tau.cli.main import tau; tau()"
_GRACE_S = 5


@contextmanager
def dashboard_beside(bind: str, store: str, state_dir: str | None) -> Iterator[Callable[[], None]]:
    """Serve the dashboard of `store` until the block is left; its link goes to standard error.

    What is given waits until somebody at the terminal has seen enough and presses Ctrl-C, or the
    dashboard ends; without a person there it returns at once.
    It gets no model's key. It ends by itself when this process is gone: its standard input closes.
    A dashboard that cannot start says why and does not keep the run from running.
    """
    environ = snapshot()
    own = {"TAU_STORE": store}  # not an argument: it may be a URL with a password
    words = ["serve", "--bind", bind, "--beside-run"]
    if state_dir is not None:
        words += ["--state-dir", state_dir]
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            _PROGRAM,
            *words,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=own_environ(environ) | own,
        start_new_session=True,  # Ctrl-C is for the run; the dashboard shows how it ends
    )
    assert process.stdin is not None
    assert process.stdout is not None
    told = threading.Event()
    threading.Thread(target=_tell, args=(process.stdout, told), daemon=True).start()
    try:
        yield lambda: _stay(process, told)
    finally:
        process.stdin.close()
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _stay(process: subprocess.Popen[str], told: threading.Event) -> None:
    """A short run is over before the dashboard has said where it is: that comes first."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    with suppress(KeyboardInterrupt):
        told.wait()
        if process.poll() is None:
            sys.stderr.write("dashboard: still there, with the result; Ctrl-C ends it\n")
            process.wait()


def _tell(stream: IO[str], told: threading.Event) -> None:
    """Pass on the link; `told` is set once it is out, or there will be none."""
    for text in stream:
        sys.stderr.write(f"dashboard: {line(text.strip())}\n")
        told.set()
    told.set()
