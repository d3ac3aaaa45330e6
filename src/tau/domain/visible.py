"""Text that people or models wrote, made fit to be seen: nothing in it hides or steers."""

import re

# Controls but newline and tab, bidirectional controls, line separators, invisible characters.
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


def clipped(text: str, most: int) -> str:
    """The first `most` characters, with a mark where something was left out."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
