"""Which candidate came from which: a tree that grows to the right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tau.charts.svg import Svg, element, picture

_COLUMN = 26
_ROW = 24
_MARGIN = 16
_LABEL = 190


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A candidate. `score` 0..1 fills it, None where nothing is known; `evidence` sizes it.

    `tone`: baseline, best, other or abandoned. `operator` is how it was made of its parent;
    `chosen` is the one that is looked at.
    """

    key: str
    parent: str | None
    label: str
    score: float | None
    evidence: int
    tone: str = "other"
    href: str | None = None
    operator: str | None = None
    chosen: bool = False


# Edges differ in their dashes, too; what is not listed here is drawn like the last.
OPERATORS = ("reflect", "edit", "history", "merge", "crossover", "paraphrase", "few_shot", "tidy")


def lineage_chart(title: str, nodes: Sequence[Node]) -> Svg:
    """A node per candidate in the order given, below its elders, one column right of its parent."""
    known = {node.key: node for node in nodes}
    depths: dict[str, int] = {}
    for node in nodes:
        depths[node.key] = _depth(node, known, depths)
    rows = {key: n for n, key in enumerate(_order(nodes, known))}
    most = max((node.evidence for node in nodes), default=1) or 1
    parts: list[Svg] = []
    for node in nodes:
        if node.parent in known and node.parent is not None:
            parts.append(_edge(node.parent, node, depths, rows))
    parts += [_mark(node, depths, rows, most) for node in nodes]
    width = _MARGIN * 2 + _COLUMN * max(depths.values(), default=0) + _LABEL
    return picture(title, width, _MARGIN * 2 + _ROW * max(1, len(nodes)), parts,
                   linked=any(node.href for node in nodes))  # fmt: skip


def _depth(node: Node, known: Mapping[str, Node], depths: dict[str, int]) -> int:
    """Steps from a root; a circle, which no honest store holds, ends where it closes."""
    seen: set[str] = set()
    steps, here = 0, node
    while here.parent is not None and here.parent in known and here.key not in seen:
        seen.add(here.key)
        if here.parent in depths:
            return steps + 1 + depths[here.parent]
        steps, here = steps + 1, known[here.parent]
    return steps


def _order(nodes: Sequence[Node], known: Mapping[str, Node]) -> list[str]:
    """Children right below their parents, in the order given."""
    children: dict[str | None, list[str]] = {}
    for node in nodes:
        parent = node.parent if node.parent in known and node.parent != node.key else None
        children.setdefault(parent, []).append(node.key)
    found: list[str] = []
    seen: set[str] = set()
    waiting = list(reversed(children.get(None, [])))
    while waiting:
        key = waiting.pop()
        if key not in seen:
            seen.add(key)
            found.append(key)
            waiting += reversed(children.get(key, []))
    return found + [node.key for node in nodes if node.key not in seen]


def _edge(parent: str, child: Node, depths: Mapping[str, int], rows: Mapping[str, int]) -> Svg:
    x1, y1 = _place(parent, depths, rows)
    x2, y2 = _place(child.key, depths, rows)
    made = [element("title", child.operator)] if child.operator else []
    return element("path", *made, d=f"M{x1} {y1}V{y2 - 8}Q{x1} {y2} {x1 + 8} {y2}H{x2}",
                   class_=f"edge {edge_class(child.operator)}".rstrip())  # fmt: skip


def edge_class(operator: str | None) -> str:
    """The class of an operator's edges: `op-1`, `op-2` ...; none where it is not known."""
    if operator is None:
        return ""
    return f"op-{1 + OPERATORS.index(operator) if operator in OPERATORS else len(OPERATORS)}"


def edge_key(operator: str) -> Svg:
    """A small picture of an operator's edge, for the key of a tree."""
    line = element("path", d="M1 7H27", class_=f"edge {edge_class(operator)}")
    return element("svg", line, xmlns="http://www.w3.org/2000/svg", viewBox="0 0 28 14", width=28,
                   height=14, aria_hidden="true", class_="chart mark-key")  # fmt: skip


def _mark(node: Node, depths: Mapping[str, int], rows: Mapping[str, int], most: int) -> Svg:
    x, y = _place(node.key, depths, rows)
    radius = 4 + 5 * (node.evidence / most) ** 0.5
    score = "not scored" if node.score is None else f"{node.score:.3f}"
    about = element("title", f"{node.label}: {score} on {node.evidence:,} rows")
    fill = 0.08 if node.score is None else 0.15 + 0.85 * min(1.0, max(0.0, node.score))
    if node.tone == "baseline":
        side = radius * 2
        mark = element("rect", about, x=x - radius, y=y - radius, width=side, height=side,
                       fill_opacity=fill, class_="node baseline")  # fmt: skip
    else:
        mark = element("circle", about, cx=x, cy=y, r=radius, fill_opacity=fill,
                       class_=f"node {node.tone}")  # fmt: skip
    words = [node.label, "" if node.score is None else score, node.operator or ""]
    text = element("text", " ".join(word for word in words if word), x=x + radius + 6, y=y + 4,
                   class_=f"label {node.tone}")  # fmt: skip
    parts = [mark, text]
    if node.chosen:
        parts.insert(0, element("circle", cx=x, cy=y, r=radius + 4, class_="chosen"))
    return element("a", *parts, href=node.href) if node.href else element("g", *parts)


def _place(key: str, depths: Mapping[str, int], rows: Mapping[str, int]) -> tuple[float, float]:
    return _MARGIN + _COLUMN * depths[key], _MARGIN + _ROW * rows[key] + _ROW / 2
