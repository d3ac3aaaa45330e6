"""Text that people or models wrote, made fit to be seen: nothing in it hides or steers."""

import re

# Controls but newline and tab, bidirectional controls, line separators, invisible characters.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


# What joins: inside an emoji, and inside words of scripts that are written with joiners. There the
# character is part of the spelling; anywhere else it only hides.
_EMOJI = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2934\u2935"
    "\u2b00-\u2bff\U0001f000-\U0001faff"
)
_JOINING = (
    "\u0600-\u06ff\u0700-\u074f\u0750-\u077f\u08a0-\u08ff\u0900-\u0dff\ufb50-\ufdff\ufe70-\ufefc"
)
_SPELLED = re.compile(
    f"(?<=[{_EMOJI}\ufe0f])\u200d(?=[{_EMOJI}])|(?<=[{_JOINING}])[\u200c\u200d](?=[{_JOINING}])"
)


def shown(text: str) -> str:
    """`text` with everything invisible or steering written out as an escape.

    Joiners stay where a family emoji or a Persian word is spelled with them.
    """
    if "\u200c" not in text and "\u200d" not in text:
        return _UNSAFE.sub(_escape, text)
    spelled = {match.start() for match in _SPELLED.finditer(text)}
    return _UNSAFE.sub(lambda m: m[0] if m.start() in spelled else _escape(m), text)


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
