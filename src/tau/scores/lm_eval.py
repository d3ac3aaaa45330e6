"""Samples of lm-evaluation-harness (`--log_samples`): one line, or item, a document and filter."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tau.scores.sheet import Row, Sheet, unusable

_FIXED = frozenset({
    "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics",
    "doc_hash", "prompt_hash", "target_hash", "schema_hash", "task_name", "prompt", "gold", "truth",
})  # fmt: skip


def is_sample(row: Any) -> bool:  # noqa: ANN401
    """Whether a row is a logged sample."""
    return isinstance(row, Mapping) and "doc_id" in row and ("resps" in row or "doc" in row)


def is_aggregate(document: Any) -> bool:  # noqa: ANN401
    """Whether a document holds the results of tasks without their samples."""
    return (
        isinstance(document, Mapping)
        and isinstance(document.get("results"), Mapping)
        and ("versions" in document or "configs" in document or "n-shot" in document)
    )


def read_samples(path: str, samples: Callable[[], Iterator[Row]]) -> Sheet:
    """The sheet of a file of samples.

    Raises:
        InputError: no sample has a number for a score.
    """
    names: dict[str, None] = {}
    filters: dict[str, None] = {}
    for row in samples():
        filters |= dict.fromkeys([str(row.get("filter") or "none")])
        names |= dict.fromkeys(_metrics(row))
    if not names:
        raise unusable(path, "no sample has a number for a score")
    many = len(filters) > 1
    scores = tuple(f"{name},{each}" for name in names for each in filters) if many else tuple(names)
    return Sheet(
        where=path,
        form="lm-eval",
        rows=lambda: _rows(samples(), many=many),
        columns=("id", *scores, "input", "output", "target"),
        ids=("id",),
        scores=scores,
        content=("content",),
        question="input",
        answer="output",
    )


def _rows(samples: Iterator[Row], *, many: bool) -> Iterator[Row]:
    """A row a document; where answers went through several filters, their scores side by side."""
    if not many:
        for sample in samples:
            yield _row(sample) | _metrics(sample)
        return
    merged: dict[str, dict[str, Any]] = {}
    for sample in samples:
        row = merged.setdefault(str(sample.get("doc_id")), _row(sample))
        for name, value in _metrics(sample).items():
            row[f"{name},{sample.get('filter') or 'none'}"] = value
    yield from merged.values()


def _row(sample: Row) -> dict[str, Any]:
    doc = sample.get("doc")
    return {
        "id": str(sample.get("doc_id")),
        "content": sample.get("doc_hash") or doc,
        "input": _first(sample.get("arguments")) or doc,
        "output": _first(sample.get("filtered_resps")) or _first(sample.get("resps")),
        "target": sample.get("target"),
        **(dict(doc) if isinstance(doc, Mapping) else {}),
    } | {"id": str(sample.get("doc_id"))}


def _metrics(sample: Row) -> dict[str, Any]:
    named = sample.get("metrics")
    names = named if isinstance(named, list) and named else [n for n in sample if n not in _FIXED]
    return {
        name: sample[name]
        for name in names
        if isinstance(sample.get(name), int | float) or sample.get(name, 0) is None
    }


def _first(value: Any) -> Any:  # noqa: ANN401
    """The first text inside lists and objects."""
    while isinstance(value, list | Mapping) and value:
        value = value[0] if isinstance(value, list) else next(iter(value.values()))
    return value if isinstance(value, str) else None
