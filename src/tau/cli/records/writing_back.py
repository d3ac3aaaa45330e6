"""Prompts back where they came from: as files, or as a patch."""

import stat
import sys
from pathlib import Path

from tau.cli.records.naming import newest_run, resolve
from tau.cli.records.reading import read
from tau.cli.surface import Exit
from tau.cli.text import line
from tau.domain.resources import Resources
from tau.domain.text_source import sources_of
from tau.errors import FileError, InputError
from tau.files.atomic import atomic_write, undone_on_failure
from tau.ports.store import Store
from tau.reports.account import Account, gather
from tau.reports.source_files import FileChange, file_changes, patch


def write_back(
    store: str,
    run: str | None,
    *,
    shape: str,
    output: str | None,
    candidate: str | None,
    root: str,
) -> int:
    """Write what the run recommends, or `candidate`, into its files below `root`; or as a patch.

    Raises:
        InputError: nothing came from files, nothing is changed, or a file has changed meanwhile.
    """

    async def query(opened: Store) -> tuple[Account, Resources]:
        account = await gather(opened, await newest_run(opened, run))
        return account, await resolve(opened, candidate) if candidate else account.best

    account, chosen = read(store, query)
    changes = _changes(account, chosen, Path(root), candidate)
    if shape == "patch":
        text = patch(changes).encode("utf-8", "replace")
        if output is not None:
            atomic_write(Path(output), text)
            sys.stderr.write(f"wrote {line(output)}\n")
            return Exit.OK
        sys.stdout.buffer.write(text)
        return Exit.OK
    if output is not None:
        raise InputError("files are written where they came from", fix="leave out --output")
    _written(changes, Path(root))
    for change in changes:
        sys.stdout.write(f"wrote {line(str(Path(root) / change.path))}\n")
    return Exit.OK


def _changes(
    account: Account, chosen: Resources, root: Path, candidate: str | None
) -> tuple[FileChange, ...]:
    sources = sources_of(account.run.config.get("sources"))
    if not any(source.path for source in sources.values()):
        raise InputError(
            f"no prompt of the run {account.run.id} came from a file",
            fix='name files in resources: {"system_prompt": {"file": "prompt.md"}}, '
            "or use: tau prompt get NAME",
        )
    if chosen.hash == account.baseline.hash:
        raise InputError(
            "there is nothing to write: the run recommends what it began with"
            if candidate is None
            else "there is nothing to write: this is what the run began with",
            fix=f"name another of 'tau candidates ls {account.run.id[:6]}': --candidate HASH",
        )
    changes = file_changes(sources, account.baseline, chosen, root)
    if not changes:
        raise InputError(
            "there is nothing to write: the files hold these texts already, or what changed came "
            "from the configuration itself",
            fix="see it with: tau candidates diff",
        )
    return changes


def _written(changes: tuple[FileChange, ...], root: Path) -> None:
    """Replace all files or none; each keeps its mode."""
    paths = [root / change.path for change in changes]
    modes = [stat.S_IMODE(path.stat().st_mode) for path in paths]
    with undone_on_failure(*paths):
        for change, path, mode in zip(changes, paths, modes, strict=True):
            atomic_write(path, change.after.encode("utf-8", "replace"))
            try:
                path.chmod(mode)
            except OSError as error:
                raise FileError(f"cannot write '{path}'", why=str(error)) from error
