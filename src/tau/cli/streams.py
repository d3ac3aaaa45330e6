"""Standard output for the result alone."""

import errno
import io
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def open_streams() -> None:
    """Make sure that the standard streams exist and take any text.

    A closed descriptor would be given to the next file that is opened, and what is meant for a
    person would be written into it.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or _text_on(1)
    sys.stderr = sys.stderr or _text_on(2)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _text_on(descriptor: int) -> TextIO:
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8")


def output_lost(error: OSError) -> int:
    """The exit code where standard output could not take the result; other errors pass on."""
    gone = isinstance(error, BrokenPipeError)  # the reader has seen enough
    if not gone and (error.filename is not None or error.errno not in _NO_ROOM):
        raise error
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if gone:
        return 128 + signal.SIGPIPE
    sys.stderr.write(f"Error: the result cannot be written: {error.strerror}\n")
    return 1


@contextmanager
def reserved_stdout() -> Iterator[TextIO]:
    """The only stream that reaches standard output meanwhile.

    Whatever else is written there, by code under test, a grader or a child process, goes to
    standard error: descriptor 1 itself is turned round, not only `sys.stdout`.
    """
    sys.stdout.flush()
    result = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    os.dup2(2, 1)
    try:
        yield result
    finally:
        sys.stdout.flush()
        os.dup2(result.fileno(), 1)
        result.close()


def interactive(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether a person is watching `stream` on a terminal that can redraw."""
    dumb = environ.get("TERM", "dumb") in ("dumb", "unknown")
    return stream.isatty() and not dumb and not environ.get("CI")
