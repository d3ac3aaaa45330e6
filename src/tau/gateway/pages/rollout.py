"""Rollouts: lists of them, and one with everything that happened inside."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from tau.charts.svg import Svg
from tau.charts.waterfall import SpanBar, waterfall_chart
from tau.domain.dataset import Split
from tau.domain.ids import RolloutId, RunId
from tau.domain.json import Json
from tau.domain.rollout import RolloutKind, RolloutStatus
from tau.domain.span import Span
from tau.domain.visible import clipped
from tau.gateway.alerts import shown_status
from tau.gateway.answers import Refused
from tau.gateway.context import Gateway
from tau.gateway.pages.rendering import Page
from tau.gateway.paging import Paging, page_number
from tau.ports.insights import AttemptView, RolloutFilter
from tau.reports.account import resource_text
from tau.reports.prompts_at_work import at_work
from tau.reports.refused import unusable_of, why_unusable

PER_PAGE = 50
_MOST_SHOWN = 20_000
_MOST_BARS = 100
_MOST_MESSAGES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message of a model call, cut where it is too long to show."""

    role: str
    text: str
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """A model call inside an attempt."""

    name: str
    prompts: str
    model: str
    input_tokens: int
    output_tokens: int
    error: str | None
    messages: tuple[Said, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptPanel:
    """An attempt with its picture and its calls."""

    view: AttemptView
    picture: Svg | None
    calls: tuple[ModelCall, ...]
    hidden_spans: int


async def rollouts(gateway: Gateway, request: Request) -> Page:
    """Rollouts of a run, newest first, filtered by status and split."""
    name = RunId(request.path_params["run"])
    run = await gateway.window.ask(lambda store: store.insights.run(name))
    status = _one_of(request, "status", RolloutStatus)
    split = _one_of(request, "split", Split)
    kind = _one_of(request, "kind", RolloutKind)
    where = RolloutFilter(
        run=run.id,
        statuses=frozenset({RolloutStatus(status)}) if status else None,
        splits=frozenset({Split(split)}) if split else None,
        kinds=frozenset({RolloutKind(kind)}) if kind else None,
    )
    number = page_number(request)
    found = await gateway.window.ask(
        lambda store: store.insights.rollouts(
            where, limit=PER_PAGE + 1, offset=(number - 1) * PER_PAGE, newest_first=True
        )
    )
    counts = await gateway.window.ask(lambda store: store.insights.counts(run.id))
    refused = await gateway.window.ask(lambda store: unusable_of(store, found[:PER_PAGE]))
    snapshot = await gateway.watch.snapshot()
    total = None
    if not (split or kind):
        total = counts[RolloutStatus(status)] if status else counts.total
    return Page(
        template="rollouts.html",
        title=f"Rollouts of {run.id}",
        section="rollouts",
        run=run.id,
        live=not (status or split or kind),  # those may take a long look each time
        values={
            "run": run,
            "rows": found[:PER_PAGE],
            "refused": refused,
            "stands": {one: shown_status(snapshot, run, one) for one in RolloutStatus},
            "status": status,
            "split": split,
            "kind": kind,
            "statuses": list(RolloutStatus),
            "splits": list(Split),
            "kinds": list(RolloutKind),
            "paging": Paging(
                request, number=number, more=len(found) > PER_PAGE, total=total, size=PER_PAGE
            ),
        },
    )


async def rollout(gateway: Gateway, request: Request) -> Page:
    """One rollout: attempts, spans, messages, rewards, cost."""
    name = RolloutId(request.path_params["rollout"])
    view = await gateway.window.ask(lambda store: store.insights.rollout(name))
    result = view.result
    example = result.request.example
    output = result.output
    refused = await gateway.window.ask(lambda store: why_unusable(store, view.run_id, result))
    run = await gateway.window.ask(lambda store: store.insights.run(view.run_id))
    return Page(
        template="rollout.html",
        title=name,
        section="rollouts",
        run=view.run_id,
        values={
            "view": view,
            "result": result,
            "refused": refused,
            "stands": shown_status(await gateway.watch.snapshot(), run, result.status),
            "example": example,
            "fields": {
                key: shortened(resource_text(value))
                for key, value in (example.fields if example else {}).items()
            },
            "proposal": shortened(resource_text(result.request.proposal))
            if result.request.kind is RolloutKind.PROPOSE
            else None,
            "output": shortened(output.text) if output else None,
            "value": output.value if output else None,
            "tries": [_try(attempt) for attempt in view.attempts],
        },
    )


def shortened(text: str) -> Said:
    """A text, cut where it is too long to show."""
    kept = clipped(text, _MOST_SHOWN)
    return Said(role="", text=kept, left_out=max(0, len(text) - _MOST_SHOWN))


def _try(attempt: AttemptView) -> AttemptPanel:
    spans = attempt.spans[:_MOST_BARS]
    depths: dict[int, int] = {}
    bars = []
    prompts = at_work(attempt.spans)
    for span in spans:
        depths[span.sequence] = depths.get(span.parent or 0, -1) + 1
        bars.append(
            SpanBar(
                label=clipped(span.name, 34),
                depth=min(6, depths[span.sequence]),
                start_ns=span.start_unix_ns,
                end_ns=span.end_unix_ns,
                kind=str(span.kind),
                failed=span.error is not None,
            )
        )
    title = f"What happened in attempt {attempt.n}"
    return AttemptPanel(
        view=attempt,
        picture=waterfall_chart(title, bars) if bars else None,
        calls=tuple(
            _call(span, prompts.get(span.sequence, ""))
            for span in spans
            if "gen_ai.input.messages" in span.attributes
        ),
        hidden_spans=max(0, len(attempt.spans) - _MOST_BARS),
    )


def _call(span: Span, prompts: str) -> ModelCall:
    found = span.attributes
    messages = [
        *_messages(found.get("gen_ai.input.messages")),
        *_messages(found.get("gen_ai.output.messages")),
    ]
    return ModelCall(
        name=span.name,
        prompts=clipped(prompts, 120),
        model=str(found.get("gen_ai.response.model") or found.get("gen_ai.request.model") or ""),
        input_tokens=_whole(found, "gen_ai.usage.input_tokens"),
        output_tokens=_whole(found, "gen_ai.usage.output_tokens"),
        error=span.error,
        messages=tuple(messages[:_MOST_MESSAGES]),
    )


def _messages(value: Json) -> Iterator[Said]:
    """Messages of any shape that a span may hold."""
    for message in value if isinstance(value, list) else []:
        if not isinstance(message, Mapping):
            continue
        parts = message.get("parts")
        texts = [_part(part) for part in parts] if isinstance(parts, list) else []
        text = shortened("\n".join(texts) or str(message.get("content") or ""))
        yield Said(role=str(message.get("role") or "?"), text=text.text, left_out=text.left_out)


def _part(part: Json) -> str:
    if not isinstance(part, Mapping):
        return str(part)
    for name in ("content", "response", "text"):
        if isinstance(part.get(name), str):
            return str(part[name])
    return resource_text(part)


def _whole(found: Mapping[str, Json], name: str) -> int:
    value = found.get(name)
    return value if type(value) is int else 0


def _one_of(request: Request, name: str, values: Sequence[Any] | Any) -> str | None:  # noqa: ANN401
    """A value of a query that must be one of an enumeration's.

    Raises:
        Refused: 400.
    """
    text = request.query_params.get(name) or None
    if text is not None and text not in list(values):
        known = ", ".join(str(one) for one in values)
        raise Refused(400, "invalid_filter", f"there is no such {name}", fix=f"one of {known}")
    return text
