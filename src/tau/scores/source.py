"""Opening a file of scores: its bytes, unpacked and decoded, a part at a time."""

import gzip
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TextIO

from tau.domain.visible import line
from tau.errors import InputError

DOCUMENT_BYTES = 1 << 30
"""A JSON document is read whole, and never more than so many bytes of it."""

_GZIP = b"\x1f\x8b"
_WIDE = (b"\xff\xfe", b"\xfe\xff")


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked where it is a gzip file.

    Raises:
        InputError: there is no such file, it cannot be read, or it is torn.
    """
    try:
        with open(_regular(path), "rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            if packed:
                with gzip.open(raw, "rb") as stream:
                    yield stream  # type: ignore[misc]
            else:
                yield raw
    except FileNotFoundError:
        raise InputError(f"there is no file '{line(path)}'") from None
    except (EOFError, gzip.BadGzipFile) as error:
        raise InputError(f"'{line(path)}' is torn", why=str(error)) from None
    except OSError as error:
        raise InputError(f"cannot read '{line(path)}'", why=error.strerror or str(error)) from None


@contextmanager
def opened_text(path: str) -> Iterator[TextIO]:
    """The file as text: UTF-8 with or without a mark, or UTF-16 with one.

    Raises:
        InputError: as `opened`, or it is no text.
    """
    with opened(path) as stream:
        wide = stream.read(2) in _WIDE
        stream.seek(0)
        encoding = "utf-16" if wide else "utf-8-sig"
        text = io.TextIOWrapper(stream, encoding=encoding, newline="")
        try:
            yield text
        except UnicodeError as error:
            raise InputError(
                f"'{line(path)}' is no text in {encoding.removesuffix('-sig').upper()}",
                why=str(error),
                fix="save it as UTF-8",
            ) from None


def document_bytes(path: str) -> bytes:
    """All of a JSON document.

    Raises:
        InputError: it cannot be read, or is larger than what is read whole.
    """
    with opened(path) as stream:
        data = stream.read(DOCUMENT_BYTES + 1)
    if len(data) > DOCUMENT_BYTES:
        raise InputError(
            f"'{line(path)}' is larger than {DOCUMENT_BYTES >> 20} MiB",
            why="a JSON document is read whole",
            fix="write one JSON object a line (JSONL), which is read line by line",
        )
    if data[:2] in _WIDE:
        try:
            return data.decode("utf-16").encode()
        except UnicodeError as error:
            raise InputError(f"'{line(path)}' is no text", why=str(error)) from None
    return data.removeprefix(b"\xef\xbb\xbf")


def _regular(path: str) -> str:
    """The path of a file that can be read again; a folder, pipe or device is refused."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise InputError(f"'{line(path)}' is {kind}", fix="name a file")
    return path
