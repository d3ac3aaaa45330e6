"""Beginning: a configuration to edit, and the schema that an editor can check it with."""

import os
import shlex
import sys
from pathlib import Path

from tau.cli.records.reading import print_json
from tau.cli.surface import Exit
from tau.config.json_schema import schema
from tau.config.starting import starter
from tau.errors import FileError
from tau.files.safety import open_here

CONFIG_NAME = "prompt-optimization.yaml"


def init(folder: str, *, force: bool) -> int:
    """Write a starter configuration and its dataset into `folder`.

    Raises:
        FileError: something is there already, or cannot be written; then nothing was written.
    """
    made = starter()
    texts = {Path(folder) / CONFIG_NAME: made.config, Path(folder) / made.rows_name: made.rows}
    there = [path for path in texts if path.exists() or path.is_symlink()]
    if there and not force:
        raise FileError(
            f"'{there[0]}' is there already",
            why="init never replaces what somebody may have written",
            fix="name another folder, or replace it with --force",
        )
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            _write(path, text, replace=force)
    except OSError as error:
        raise FileError(
            "the starter cannot be written",
            where=str(error.filename or folder),
            why=error.strerror or str(error),
        ) from error
    config = shlex.quote(str(Path(folder) / CONFIG_NAME))
    sys.stdout.write("".join(f"wrote {path}\n" for path in texts))
    sys.stderr.write(f"next:\n  tau check {config}\n  tau run {config}\n")
    return Exit.OK


def print_schema() -> int:
    """Print the JSON Schema of a configuration."""
    print_json(schema())
    return Exit.OK


def _write(path: Path, text: str, *, replace: bool) -> None:
    """Write a file of the user's own, with their usual permissions; a race replaces nothing."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if replace else os.O_EXCL)
    with os.fdopen(open_here(path, flags, 0o666), "w", encoding="utf-8") as file:
        file.write(text)
