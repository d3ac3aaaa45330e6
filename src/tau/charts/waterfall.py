"""What happened inside an attempt, one bar per span, as time goes to the right."""

from collections.abc import Sequence
from dataclasses import dataclass

from tau.charts.svg import Svg, element, picture

_WIDTH = 1100
_ROW = 22
_LABEL = 250
_FIGURE = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanBar:
    """One span. `depth` indents it, `kind` colours it; `failed` hatches it."""

    label: str
    depth: int
    start_ns: int
    end_ns: int
    kind: str
    failed: bool = False


def waterfall_chart(title: str, bars: Sequence[SpanBar]) -> Svg:
    """Bars from the first start to the last end."""
    start = min((bar.start_ns for bar in bars), default=0)
    whole = max(1, max((bar.end_ns for bar in bars), default=0) - start)
    plot = _WIDTH - _LABEL - _FIGURE
    parts: list[Svg] = []
    for n, bar in enumerate(bars):
        y = _ROW * n
        x = _LABEL + plot * (bar.start_ns - start) / whole
        width = max(2.0, plot * max(0, bar.end_ns - bar.start_ns) / whole)
        tone = f"bar {bar.kind}{' failed' if bar.failed else ''}"
        mark = "✕ " if bar.failed else ""
        parts += [
            element("text", mark + bar.label, x=8 + 12 * bar.depth, y=y + 15, class_="label"),
            element("rect", element("title", f"{bar.label}: {milliseconds(bar)}"), x=x, y=y + 5,
                    width=width, height=_ROW - 10, rx=2, class_=tone),
            element("text", milliseconds(bar), x=_WIDTH - 4, y=y + 15, text_anchor="end",
                    class_="tick"),
        ]  # fmt: skip
    return picture(title, _WIDTH, _ROW * max(1, len(bars)) + 4, parts)


def milliseconds(bar: SpanBar) -> str:
    """How long it took, in words."""
    ms = max(0, bar.end_ns - bar.start_ns) / 1e6
    return f"{ms / 1000:,.2f} s" if ms >= 1000 else f"{ms:.1f} ms"
