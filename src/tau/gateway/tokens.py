"""Tokens of several principals: a file with a hash and a name on each line."""

import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from tau.errors import FileError, UsageError
from tau.files.atomic import append_line
from tau.files.documents import read_bytes

_LINE = re.compile(r"(?P<hash>[0-9a-f]{64})\s+(?P<principal>\S.*)\Z")
_MOST_BYTES = 1024 * 1024


class TokenFile:
    """Whose tokens are valid, as the file says now: a line that is taken out ends its token."""

    def __init__(self, path: Path) -> None:
        """Read it once.

        Raises:
            FileError: it is missing or cannot be read.
            UsageError: a line is malformed.
        """
        self._path = path
        self._known: Mapping[str, str] = _read(path)
        self._stamp = _stamp(path)

    def principal(self, hash_: str) -> str | None:
        """Whose token has this hash; nobody's where the file cannot be read any more."""
        stamp = _stamp(self._path)
        if stamp is None or stamp != self._stamp:
            try:
                self._known = _read(self._path)
            except (FileError, UsageError):
                self._known = {}
            self._stamp = stamp
        return self._known.get(hash_)


def add_token(path: Path, principal: str) -> str:
    """Make a token for `principal`, put its hash into the file, and return it.

    Raises:
        UsageError: a name that no line can hold, or a malformed line is in the file.
        FileError: the file cannot be written.
    """
    name = principal.strip()
    if not name or not name.isprintable():
        raise UsageError("a principal has a name", fix="such as local:ann or ci:deploy")
    if path.exists():
        _read(path)
    token = secrets.token_urlsafe(32)
    append_line(path, f"{hash_of(token)} {name}".encode())
    return token


def hash_of(token: str) -> str:
    """What the file holds of a token. Tokens are random: no stretching makes them safer."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _read(path: Path) -> dict[str, str]:
    data = read_bytes(path, limit=_MOST_BYTES)
    if data is None:
        raise FileError(
            f"there is no file '{path}'", fix="make one with: tau rbac token NAME --tokens FILE"
        )
    found: dict[str, str] = {}
    for number, raw in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        text = raw.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.match(text)
        if match is None:
            raise UsageError(
                f"line {number} of '{path}' is no token",
                why="a line is the SHA-256 of a token as 64 hex digits, and a principal",
                fix="add one with: tau rbac token NAME --tokens FILE",
            )
        found[match["hash"]] = match["principal"].strip()
    return found


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size)
