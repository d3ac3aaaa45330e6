"""Copies of folders with a candidate's texts in them, for programs that read files."""

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from tau.domain.resources import Resources
from tau.domain.text_source import TextSource
from tau.errors import ExecutorFailed

_MOST_FILES = 2000
_MOST_BYTES = 64 * 1024 * 1024


def with_folders(sources: Mapping[str, TextSource]) -> bool:
    """Whether any resource is part of a folder."""
    return any(source.folder for source in sources.values())


def copied_folders(
    sources: Mapping[str, TextSource], resources: Resources, *, base_dir: Path, into: Path
) -> dict[str, str]:
    """Copy every folder that a resource is part of below `into`; paths by the resource's name.

    Raises:
        ExecutorFailed: a folder is gone, too large, or holds a link that leads out of it.
    """
    found: dict[str, str] = {}
    for name, source in sources.items():
        if not source.folder:
            continue
        relative = source.path.removeprefix(f"{source.folder}/")
        if source.folder == ".":
            relative = source.path
        key = name.removesuffix(f"/{relative}")
        if key not in found:
            target = into / str(len(found)) / (Path(source.folder).name or "folder")
            _copied(base_dir / source.folder, target)
            found[key] = str(target)
        text = resources.text(name)
        if text is not None:
            file = Path(found[key]) / relative
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode("utf-8", "surrogatepass"))
    return found


def _copied(folder: Path, target: Path) -> None:
    try:
        size = 0
        for number, file in enumerate(_files(folder)):
            size += file.lstat().st_size
            if number >= _MOST_FILES or size > _MOST_BYTES:
                raise ExecutorFailed(
                    f"the folder '{folder}' is too large to be copied for every rollout",
                    why=f"at most {_MOST_FILES} files and {_MOST_BYTES // 1024**2} MiB are",
                    fix="name a smaller folder",
                )
        shutil.copytree(folder, target, symlinks=True)
    except (OSError, shutil.Error) as error:
        raise ExecutorFailed(
            f"the folder '{folder}' cannot be copied", why=str(error), fix="is it still there?"
        ) from error


def _files(folder: Path) -> Iterator[Path]:
    """Every file below `folder`, none of which leads out of it or is anything but a file."""
    inside = folder.resolve(strict=True)
    for root, folders, names in os.walk(folder, onerror=_raised):
        for name in (*folders, *names):
            path = Path(root) / name
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                target = os.readlink(path)
                out = not path.resolve().is_relative_to(inside) or target.startswith("/")
            else:
                out = not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
            if out:
                raise ExecutorFailed(
                    f"'{path}' cannot be copied",
                    why="it is a link that leads out of its folder, or no file",
                    fix="move it out of the folder",
                )
            if name in names:
                yield path


def _raised(error: OSError) -> None:
    raise error
