"""SVG as text: every value is escaped, numbers are short, nothing refers to anything outside."""

import re
from collections.abc import Iterable
from html import escape

from tau.domain.visible import shown

# What XML cannot hold at all, escaped or not.
_IMPOSSIBLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Svg(str):
    """A piece of SVG that is whole and safe to put into a document as it is."""

    __slots__ = ()


def element(tag: str, *children: "str | Svg", **attributes: str | float) -> Svg:
    """One element. Children that are plain text are escaped; `_` in names of attributes is `-`.

    `class_` is `class`.
    """
    parts = [tag]
    for name, value in attributes.items():
        text = number(value) if isinstance(value, int | float) else clean(value)
        parts.append(f'{name.rstrip("_").replace("_", "-")}="{text}"')
    inner = "".join(child if isinstance(child, Svg) else clean(child) for child in children)
    return Svg(f"<{' '.join(parts)}>{inner}</{tag}>" if inner else f"<{' '.join(parts)}/>")


def picture(
    title: str,
    width: float,
    height: float,
    children: Iterable[Svg],
    *,
    kind: str = "",
    linked: bool = False,
    **attributes: str,
) -> Svg:
    """A whole drawing that says what it shows, for those who cannot see it too.

    One with links in it is `linked`: a group of them, where else it is one image.
    """
    return element(
        "svg",
        element("title", title),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=width,
        height=height,
        role="group" if linked else "img",
        aria_label=title,
        class_=f"chart {kind}".rstrip(),
        **attributes,
    )


def clean(text: str) -> str:
    """`text` as XML content or the value of an attribute; nothing in it is invisible."""
    return escape(_IMPOSSIBLE.sub("\ufffd", shown(text)))


def number(value: float) -> str:
    """At most two decimals, none where there are none."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
