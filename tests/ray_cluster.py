"""A Ray cluster of the tests' own: one node on loopback that asks for a token, gone afterwards."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

# Ray takes 127.0.0.1 for "any address of this machine"; the whole of 127.0.0.0/8 is loopback.
HOST = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class RayCluster:
    """Where it is, the token without which it says nothing, and the process of its head."""

    folder: Path
    address: str
    token: str = field(repr=False)
    head: int = 0

    def environ(self) -> dict[str, str]:
        """The environment of a program that may use it; nothing of a person's own Ray."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        return {**kept, "HOME": str(self.folder), "RAY_AUTH_TOKEN": self.token}


@contextmanager
def ray_cluster(**environ: str) -> Iterator[RayCluster]:
    """A running head; `environ` is what its actors find in their environment."""
    folder = Path(tempfile.mkdtemp(prefix="tau-ray-"))
    made = RayCluster(folder=folder, address=f"{HOST}:{_free_port()}", token=secrets.token_hex(32))
    settings = {
        "RAY_AUTH_MODE": "token",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_memory_monitor_refresh_ms": "0",  # a busy machine is no reason to kill actors
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                Path(sys.executable).with_name("ray"), "start", "--head", "--block",
                "--node-ip-address", HOST, "--port", made.address.rpartition(":")[2],
                "--min-worker-port", "0", "--max-worker-port", "0", "--num-cpus", "4",
                "--object-store-memory", "80000000", "--include-dashboard", "false",
                "--temp-dir", str(folder / "ray"),
            ],
            env={**made.environ(), **settings, **environ}, cwd=folder,
            stdout=subprocess.PIPE, stderr=log, start_new_session=True, text=True,
        )  # fmt: skip
        try:
            _await_start(process, folder / "log")
            yield replace(made, head=process.pid)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # all of it is in the group; order takes 10 s
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
            shutil.rmtree(folder, ignore_errors=True)


def _await_start(process: subprocess.Popen[str], log: Path) -> None:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if "Ray runtime started" in line:
            return
    raise RuntimeError("".join(said) + log.read_text()[-2000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
