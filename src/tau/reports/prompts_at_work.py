"""Which prompt each model call of an attempt belongs to, in words."""

from collections.abc import Mapping, Sequence

from tau.domain.prompts_at_work import PROMPTS
from tau.domain.span import Span, SpanKind


def at_work(spans: Sequence[Span]) -> Mapping[int, str]:
    """For each model call by its sequence, such as `planner, call 2 of 5`; graders' calls aside."""
    kinds = {span.sequence: span for span in spans}
    calls = [
        span for span in spans if span.kind is SpanKind.MODEL_CALL and not _graded(span, kinds)
    ]
    told = {}
    for number, span in enumerate(calls, 1):
        names = span.attributes.get(PROMPTS)
        shown = [str(name) for name in names] if isinstance(names, list | tuple) else []
        if len(calls) > 1:
            shown.append(f"call {number} of {len(calls)}")
        if shown:
            told[span.sequence] = ", ".join(shown)
    return told


def _graded(span: Span, known: Mapping[int, Span]) -> bool:
    above: Span | None = span
    while above is not None and above.parent is not None:
        above = known.get(above.parent)
        if above is not None and above.kind is SpanKind.GRADE:
            return True
    return False
