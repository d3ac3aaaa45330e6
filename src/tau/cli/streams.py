"""Standard output for the result alone."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


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
        result.flush()
    finally:
        sys.stdout.flush()
        os.dup2(result.fileno(), 1)
        result.close()


def interactive(stream: TextIO) -> bool:
    """Whether a person is watching `stream` on a terminal that can redraw."""
    dumb = os.environ.get("TERM", "dumb") in ("dumb", "unknown")
    return stream.isatty() and not dumb and not os.environ.get("CI")
