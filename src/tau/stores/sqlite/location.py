"""The place of a store: what is there, whether it may be used, and whether it is still the same."""

import contextlib
import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import apsw

from tau.errors import FileError, StoreDamaged, StoreUnavailable
from tau.files.atomic import sync_folder
from tau.files.safety import NEVER_FOLLOW, make_folder, refuse_link
from tau.stores.sqlite.connection import SqliteAccess
from tau.stores.sqlite.faults import translated

APPLICATION_ID = 0x54617521  # "Tau!"

_MAGIC = b"SQLite format 3\x00"
_LONGEST_NAME = 247
_BESIDE = ("-wal", "-shm")
_NETWORK = frozenset(
    {
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs", "ceph", "glusterfs",
        "lustre", "gfs2", "ocfs2", "beegfs", "gpfs", "orangefs", "virtiofs", "vboxsf", "prl_fs",
        "vmhgfs", "fuse.vmhgfs-fuse", "smbfuse", "davfs",
    }
)  # fmt: skip
_LOCAL_FUSE = frozenset(
    {
        "fuseblk", "fuse.fuse-overlayfs", "fuse.ntfs-3g", "fuse.ntfs", "fuse.exfat", "fuse.ext2",
        "fuse.ext4", "fuse.fuse2fs", "fuse.zfs", "fuse.gocryptfs", "fuse.encfs", "fuse.cryfs",
        "fuse.bindfs", "fuse.mergerfs", "fuse.lxcfs", "fuse.shfs",
    }
)  # fmt: skip
"""File systems of one machine that run as a program; any other such program may be a network."""


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


class DatabasePath:
    """One path, looked at before SQLite is let near it."""

    def __init__(self, path: Path, *, file_system: Callable[[Path], str] = file_system) -> None:
        """`file_system` names the type of the file system that holds a path."""
        self.path = path
        self._file_system = file_system
        self._identity: tuple[int, int] | None = None
        self._beside: dict[Path, tuple[int, int]] = {}

    def check_name(self) -> None:
        """Refuse a name with which SQLite's own files beside the store cannot be made or named."""
        name = self.path.name
        try:
            size = len(name.encode())
            str(self.path).encode()
        except UnicodeEncodeError as error:
            raise StoreUnavailable(
                "the store's path is not UTF-8",
                where=os.fsencode(self.path).decode("utf-8", "backslashreplace"),
                why="SQLite takes no other names",
                fix="rename it, or name another file with --store",
            ) from error
        if size > _LONGEST_NAME:
            raise StoreUnavailable(
                "the store's name is too long",
                where=str(self.path),
                why=f"it has {size} bytes; with '-journal', which SQLite adds, at most "
                f"{_LONGEST_NAME} fit into a file's name",
                fix="name another file with --store",
            )

    def prepare(self, *, read_only: bool) -> None:
        """Make folder and file where they are missing; refuse what cannot be a store."""
        self.check_name()
        where = str(self.path)
        try:
            self._refuse_links(read_only=read_only)
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

    def recognise(self, access: SqliteAccess) -> None:
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
        self._identity = self._identify(self.path)

    def check(self) -> None:
        """Raise StoreUnavailable where a file was removed, replaced or emptied under our feet."""
        if self._identity is None:
            return
        if self._identify(self.path) != self._identity:
            raise self._gone(self.path, "removed or replaced")
        if not os.path.getsize(self.path):
            raise self._gone(self.path, "emptied")

    def check_log(self) -> None:
        """As `check`, and of the write-ahead log with its index, which are there for a writer.

        They stay the same files as long as one connection is open.
        """
        self.check()
        if self._identity is None:
            return
        for suffix in _BESIDE:
            path = Path(f"{self.path}{suffix}")
            found = self._identify(path)
            known = self._beside.get(path)
            if found is not None and known is None:
                self._beside[path] = found
            elif found != known:
                raise self._gone(path, "removed or replaced")

    @property
    def writable(self) -> bool:
        """Both the file and its folder may be written."""
        return os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK | os.X_OK)

    @property
    def logged(self) -> bool:
        """There is a write-ahead log with something in it."""
        log = Path(f"{self.path}-wal")
        return log.exists() and log.stat().st_size > 0

    def _gone(self, path: Path, how: str) -> StoreUnavailable:
        what = "the store" if path == self.path else f"'{path.name}', a part of the store,"
        return StoreUnavailable(
            f"{what} was {how} while it was open",
            where=str(self.path),
            why="what is written from then on is lost",
            fix="put the files back as they were, or look at what is left and set it aside with: "
            f"tau db recover --store {shlex.quote(str(self.path))}; then start the run again, "
            "which goes on from its checkpoint file",
        )

    @staticmethod
    def _identify(path: Path) -> tuple[int, int] | None:
        try:
            status = os.stat(path)
        except OSError:
            return None
        return (status.st_dev, status.st_ino)

    def _create(self) -> None:
        make_folder(self.path.parent)
        with contextlib.suppress(FileExistsError):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | NEVER_FOLLOW
            os.close(os.open(self.path, flags, 0o600))
        sync_folder(self.path.parent)

    def _refuse_links(self, *, read_only: bool) -> None:
        """SQLite would follow a link and write what it points at, even in order to read."""
        paths = [Path(f"{self.path}{suffix}") for suffix in (*_BESIDE, "-journal")]
        for path in paths if read_only else (self.path, *paths):
            try:
                refuse_link(path)
            except FileError as error:
                raise StoreUnavailable(error.what, why=error.why, fix=error.fix) from error

    def _refuse_network(self) -> None:
        folder = self.path.parent
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        kind = self._file_system(folder)
        if kind in _NETWORK or (kind.startswith("fuse") and kind not in _LOCAL_FUSE):
            raise StoreUnavailable(
                "the store is on a network file system",
                where=str(self.path),
                why=f"{kind} does not lock files reliably, and a store there gets damaged",
                fix="keep it on a local disk",
            )

    def _foreign(self, access: SqliteAccess) -> bool:
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
