"""Texts without the differences nobody sees."""

import unicodedata
from typing import Literal

import regex

UnicodeForm = Literal["none", "NFC", "NFKC"]

_MARKS = regex.compile(r"(\p{M}{30})(?=\p{M})")
_UNSEEN = regex.compile(r"[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]+")
"""What leaves no trace on a page. Joiners are not among them: they change letters and emoji."""

_LINE_END = regex.compile(r"\r\n?")


def trimmed(text: str) -> str:
    """`text` without white space and without invisible characters at its ends."""
    short = text.strip()
    if short.isascii():
        return short
    start, end = 0, len(short)
    while start < end and _is_blank(short[start]):
        start += 1
    while end > start and _is_blank(short[end - 1]):
        end -= 1
    return short[start:end]


def unix_lines(text: str) -> str:
    """`text` with one kind of line end, as one system or another would have written it."""
    return _LINE_END.sub("\n", text) if "\r" in text else text


def comparable(text: str, *, form: UnicodeForm, casefold: bool) -> str:
    """`text` normalised and, if wanted, without case."""
    normal = _normal(unix_lines(text), form)
    return _normal(normal.casefold(), form) if casefold else normal


def _is_blank(c: str) -> bool:
    return c.isspace() or c in "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"


def _normal(text: str, form: UnicodeForm) -> str:
    if form == "none" or text.isascii():
        return text
    # Sorting a run of marks takes time quadratic in its length, so runs are broken as in the
    # Stream-Safe Text Format (Unicode Standard Annex 15, section 13).
    text = _MARKS.sub("\\1\u034f", _UNSEEN.sub("", text))
    return unicodedata.normalize(form, text)
