"""Moving a whole store to another place or kind of database."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tau import plugins
from tau.errors import InputError, StoreDamaged, StoreUnavailable
from tau.stores.location import shown
from tau.stores.sqlite.transfer import FileTransfer
from tau.stores.transfer import TABLES, digest
from tau.wiring.stores import scheme_of

_SERVERS = frozenset({"postgresql", "postgres"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What was moved: rows in all, and the hash over them that both sides agree on."""

    rows: int
    hash: str


async def copy_store(source: str, target: str) -> Copy:
    """Copy the store at `source` to a new one at `target`; all of it, or nothing is kept.

    Everything is read back from the target and compared by hashes before it is kept.

    Raises:
        InputError: one of the two is neither a file nor a PostgreSQL URL.
        StoreUnavailable: rollouts are in flight, or there is something at the target already.
        StoreDamaged: what was read back is not what was written.
    """
    async with AsyncExitStack() as closing:
        reading = await _reading(source, closing)
        busy = await reading.in_use()
        if busy:
            raise StoreUnavailable(
                f"{busy} rollouts are in flight",
                where=shown(source),
                why="a copy would give them to two",
                fix="stop the run and its workers, then copy",
            )
        writing = await _writing(target, closing)
        total, whole = 0, digest(())
        for table in TABLES:
            known = digest(())
            async for page in reading.lines(table):
                await writing.put(table, page)
                digest([page], known)
                total += len(page)
            again = digest(())
            async for page in writing.lines(table):
                digest([page], again)
            if known.digest() != again.digest():
                raise StoreDamaged(
                    f"the copy of '{table}' is not what was read", where=shown(target)
                )
            whole.update(known.digest())
        await writing.commit()
        return Copy(rows=total, hash=whole.hexdigest())


async def _reading(location: str, closing: AsyncExitStack) -> Any:  # noqa: ANN401  (a Source)
    if _kind(location) == "sqlite":
        made: Any = FileTransfer.reading(_path(location))
    else:
        plugins.load(plugins.STORES, scheme_of(location))
        from tau.stores.postgres.transfer import ServerTransfer  # noqa: PLC0415  (an extra)

        made = await ServerTransfer.reading(location)
    closing.push_async_callback(made.aclose)
    return made


async def _writing(location: str, closing: AsyncExitStack) -> Any:  # noqa: ANN401  (a Target)
    if _kind(location) == "sqlite":
        made: Any = FileTransfer.writing(_path(location))
    else:
        plugins.load(plugins.STORES, scheme_of(location))
        from tau.stores.postgres.transfer import ServerTransfer  # noqa: PLC0415  (an extra)

        made = await ServerTransfer.writing(location)
    closing.push_async_callback(made.aclose)
    return made


def _kind(location: str) -> str:
    scheme = scheme_of(location)
    if scheme != "sqlite" and scheme not in _SERVERS:
        raise InputError(f"stores of kind '{scheme}' cannot be copied", fix="copy its database")
    return scheme


def _path(location: str) -> Path:
    return Path(location.removeprefix("sqlite://"))
