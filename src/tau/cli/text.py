"""Text that is safe to show: nothing in it can steer a terminal or hide from the reader."""

import re
from collections.abc import Iterable, Sequence

# Controls but newline and tab; bidirectional controls; line separators; lone surrogates; and the
# invisible characters (soft hyphen, zero-width, tags) that can hide text in text.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def shown(text: str) -> str:
    """`text` with everything invisible or steering written out as an escape."""
    return _UNSAFE.sub(_escape, text)


def line(text: str) -> str:
    """`shown` on one line."""
    return shown(text).replace("\n", "\\n").replace("\t", " ")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Aligned lines, two spaces between columns; cells are made safe here."""
    cells = [list(header), *([line(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
