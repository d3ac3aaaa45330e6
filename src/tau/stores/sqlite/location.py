"""The place of a store: what is there, whether it may be used, and whether it is still the same."""

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import apsw

from tau.errors import StoreDamaged, StoreUnavailable
from tau.files.atomic import sync_folder
from tau.files.safety import NEVER_FOLLOW, make_folder
from tau.stores.sqlite.connection import Access
from tau.stores.sqlite.faults import translated

APPLICATION_ID = 0x54617521  # "Tau!"

_MAGIC = b"SQLite format 3\x00"
_NETWORK = frozenset(
    {
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs", "ceph", "glusterfs",
        "lustre", "gfs2", "ocfs2", "beegfs", "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs",
        "fuse.rclone", "fuse.gcsfuse",
    }
)  # fmt: skip


def file_system(path: Path) -> str:
    """The type of the file system that holds `path`, "" where the system does not say."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
        real = path.resolve()
    except OSError:
        return ""
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        mount = Path(fields[1].replace("\\040", " "))
        if real.is_relative_to(mount) and len(mount.parts) >= best:
            best, kind = len(mount.parts), fields[2]
    return kind


class Place:
    """One path, looked at before SQLite is let near it."""

    def __init__(self, path: Path, *, file_system: Callable[[Path], str] = file_system) -> None:
        """`file_system` names the type of the file system that holds a path."""
        self.path = path
        self._file_system = file_system
        self._identity: tuple[int, int] | None = None

    def prepare(self, *, read_only: bool) -> None:
        """Make folder and file where they are missing; refuse what cannot be a store."""
        where = str(self.path)
        try:
            if self.path.is_dir():
                raise StoreUnavailable(
                    "the store's path is a folder", where=where, fix="name a file in it"
                )
            self._refuse_network()
            if not self.path.exists():
                if read_only:
                    raise StoreUnavailable(
                        "there is no store", where=where,
                        fix="a run makes one: tau run CFG; name another with --store",
                    )  # fmt: skip
                self._create()
            elif not self.path.is_file():
                raise StoreUnavailable("the store's path is not a file", where=where)
        except OSError as error:
            raise StoreUnavailable(
                "the store cannot be opened",
                where=where,
                why=error.strerror or str(error),
                fix="check that the folder exists and that you may write to it",
            ) from error

    def recognise(self, access: Access) -> None:
        """Refuse a file that is neither empty nor a Tau store, without touching it."""
        where = str(self.path)
        try:
            with self.path.open("rb") as file:
                header = file.read(100)
        except OSError as error:
            raise StoreUnavailable(
                "the store cannot be read", where=where, why=error.strerror
            ) from error
        if not header:
            return
        if len(header) < 100 or not header.startswith(_MAGIC):
            raise StoreDamaged(
                "not a Tau store",
                where=where,
                why="it is not an SQLite database",
                fix="name another file; this one was left as it is",
            )
        if int.from_bytes(header[68:72], "big") == APPLICATION_ID:
            return
        if self._foreign(access):
            raise StoreDamaged(
                "not a Tau store",
                where=where,
                why="it is a database of another program",
                fix="name another file; this one was left as it is",
            )

    def remember(self) -> None:
        """Note which file it is from now on."""
        self._identity = self._identify()

    def check(self) -> None:
        """Raise StoreUnavailable where the file was removed or replaced under our feet."""
        if self._identity is not None and self._identify() != self._identity:
            raise StoreUnavailable(
                "the store was removed or replaced while it was open",
                where=str(self.path),
                why="what is written now would be lost",
                fix="put the file back, or start again with the new one",
            )

    @property
    def writable(self) -> bool:
        """Both the file and its folder may be written."""
        return os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK | os.X_OK)

    @property
    def logged(self) -> bool:
        """There is a write-ahead log with something in it."""
        log = Path(f"{self.path}-wal")
        return log.exists() and log.stat().st_size > 0

    def _identify(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return (status.st_dev, status.st_ino)

    def _create(self) -> None:
        make_folder(self.path.parent)
        with contextlib.suppress(FileExistsError):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | NEVER_FOLLOW
            os.close(os.open(self.path, flags, 0o600))
        sync_folder(self.path.parent)

    def _refuse_network(self) -> None:
        folder = self.path.parent
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        kind = self._file_system(folder)
        if kind in _NETWORK:
            raise StoreUnavailable(
                "the store is on a network file system",
                where=str(self.path),
                why=f"{kind} does not lock files reliably, and a store there gets damaged",
                fix="keep it on a local disk",
            )

    def _foreign(self, access: Access) -> bool:
        """Neither ours nor empty, as SQLite sees it (the header may still be in the log)."""
        try:
            # Without a log nothing needs to be put beside the file to read it.
            connection = replace(access, immutable=not self.logged).reader()
            try:
                ours = connection.pragma("application_id") == APPLICATION_ID
                tables = connection.execute("SELECT name FROM sqlite_schema").fetchall()
                pages = connection.pragma("page_count")
            finally:
                connection.close()
        except apsw.Error as error:
            raise translated(error, str(self.path), writing=False) from error
        return not ours and (bool(tables) or pages > 1)
