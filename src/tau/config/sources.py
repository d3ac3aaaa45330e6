"""Reading files that people name: only regular ones, bounded, unpacked and decoded."""

import codecs
import gzip
import io
import os
import stat
import zlib
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from tau.config.report import ParseError

MIB = 1024 * 1024

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)
_BOMS = (  # the longer ones first: UTF-32 begins like UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)
_MOST_NAMES = 1000
_GZIP = b"\x1f\x8b"
_LONGEST_MARK = 16
_HEAD = 4096
_LEAST_WIDE = 4
_AS_CSV = "save it as CSV UTF-8"
_OTHER_KINDS = (
    (b"PK\x03\x04", "an Excel workbook or another zip archive", _AS_CSV),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", _AS_CSV),
    (b"PAR1", "a Parquet file", "write it as JSONL or CSV"),
    (b"ARROW1", "an Arrow file", "write it as JSONL or CSV"),
    (b"SQLite format 3\0", "a SQLite database", "export the table as CSV UTF-8"),
    (b"%PDF-", "a PDF document", "copy its rows into CSV UTF-8"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "unpack it, or pack it with gzip"),
    (b"BZh91AY", "packed with bzip2", "unpack it, or pack it with gzip"),
    (b"\xfd7zXZ\0", "packed with xz", "unpack it, or pack it with gzip"),
)


def open_file(path: Path) -> BinaryIO:
    """Open a regular file, unpacked where it is gzip; never blocks on a pipe or device.

    Raises:
        Unusable: there is none, it is something else, or it may not be read.
    """
    try:
        # O_NONBLOCK: opening a pipe nobody writes to would otherwise wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ParseError(_open_error(error), fix=_nearby(path, error)) from None
    mode = os.fstat(descriptor).st_mode
    for is_kind, name in _KINDS:
        if is_kind(mode):
            os.close(descriptor)
            raise ParseError(f"is {name}, not a file")
    stream = io.BufferedReader(io.FileIO(descriptor, closefd=True))
    head = _first_bytes(stream)
    if head.startswith(_GZIP):
        return io.BufferedReader(_Unpacking(stream))
    for mark, kind, fix in _OTHER_KINDS:
        if head.startswith(mark):
            stream.close()
            raise ParseError(f"is {kind}, no text", fix=fix)
    return stream


class _Unpacking(gzip.GzipFile):
    """Unpacks a stream and closes it with itself."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(fileobj=stream, mode="rb")
        self._packed = stream

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._packed.close()


def _nearby(path: Path, error: OSError | ValueError) -> str | None:
    """The file that was probably meant, where there is none of this name."""
    if not isinstance(error, FileNotFoundError):
        return None
    try:
        names = [each.name for each in islice(os.scandir(path.parent), _MOST_NAMES)]
    except OSError:
        return None
    close = get_close_matches(path.name, names, n=1, cutoff=0.75)
    return f"did you mean '{path.parent / close[0]}'?" if close else None


def _first_bytes(stream: "io.BufferedReader[io.FileIO]") -> bytes:
    try:
        return stream.peek(_LONGEST_MARK)[:_LONGEST_MARK]
    except OSError as error:
        stream.close()
        raise _damaged(error) from None


def read_bytes(path: Path, *, limit: int, fix: str) -> bytes:
    """The whole file, unpacked; at most `limit` bytes, with `fix` for those who need more.

    Raises:
        Unusable: as `open_file`; it is larger, or damaged.
    """
    with open_file(path) as stream:
        data = read_some(stream, limit + 1)
    if len(data) > limit:
        raise ParseError(f"is larger than {limit // MIB} MiB", fix=fix)
    return data


def read_some(stream: BinaryIO, size: int) -> bytes:
    """Up to `size` bytes; an error of the disk or of the packing is Unusable."""
    try:
        return stream.read(size)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(error) from None


def read_line(stream: BinaryIO, size: int) -> bytes:
    """The next line with its end, cut at `size` bytes; errors as in `read_some`."""
    try:
        return stream.readline(size)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(error) from None


def decode(data: bytes, *, first_line: int = 1, offset: int = 0) -> str:
    """The text of `data`: UTF-8, UTF-16, or what its byte order mark says; without the mark.

    `first_line` and `offset` say where in its file `data` begins.

    Raises:
        Unusable: names the line and byte that is no such text.
    """
    bom, codec = b"", "utf-8"
    for mark, name in _BOMS:
        if data.startswith(mark):
            bom, codec = mark, name
            break
    else:
        codec = _unmarked(data) or codec
    try:
        return data[len(bom) :].decode(codec)
    except UnicodeDecodeError as error:
        at = len(bom) + error.start
        line = first_line + data.count(b"\n", 0, at)
        raise ParseError(
            f"not {codec.upper()}: invalid byte 0x{data[at]:02x} at byte {offset + at}",
            line=line,
            fix="save it as UTF-8",
        ) from None


def _unmarked(data: bytes) -> str | None:
    """UTF-16 without a byte order mark, as spreadsheets and shells write it: every other byte is 0.

    Text in UTF-8 has no such byte at all.
    """
    head = data[: _HEAD // 2 * 2]
    even, odd = head[0::2], head[1::2]
    if len(head) < _LEAST_WIDE or b"\0" not in head:
        return None
    if 2 * odd.count(0) >= len(odd) and not even.count(0):
        return "utf-16-le"
    return "utf-16-be" if 2 * even.count(0) >= len(even) and not odd.count(0) else None


def is_wide(data: bytes) -> bool:
    """Whether lines cannot be told apart byte by byte: a byte order mark says so, or zeros."""
    marked = any(data.startswith(mark) for mark, codec in _BOMS if codec != "utf-8")
    return marked or _unmarked(data) is not None


def _open_error(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, PermissionError):
        return "may not be read by this user"
    if isinstance(error, OSError):
        return f"cannot be opened: {error.strerror or error}"
    return f"cannot be opened: {error}"


def _damaged(error: Exception) -> ParseError:
    if isinstance(error, EOFError):
        return ParseError("is cut off in the middle of its gzip data")
    if isinstance(error, gzip.BadGzipFile | zlib.error):
        return ParseError(f"is not whole gzip data: {error}")
    return ParseError(f"cannot be read: {getattr(error, 'strerror', None) or error}")
