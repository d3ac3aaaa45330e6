"""One rollout or one set of resources in full."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tau.cli import figures
from tau.cli.records.naming import resolve
from tau.cli.records.reading import moment, print_json, print_lines, read
from tau.cli.surface import Exit
from tau.cli.text import columns, line, shown, wrapped
from tau.domain.condition import Condition, condition_of, standing
from tau.domain.ids import short_hash
from tau.domain.json import Json
from tau.domain.reward import Reward
from tau.domain.span import Span
from tau.ports.clock import SystemClock
from tau.ports.insights import AttemptView, RolloutView
from tau.ports.store import Store
from tau.reports.prompts_at_work import at_work
from tau.reports.refused import UNUSABLE, why_unusable
from tau.wiring.naming import rollout_named

_TOKENS = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
_PLAIN = frozenset({"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"})
_SHORT = 120


def show_rollout(store: str, rollout: str, *, content: bool, as_json: bool) -> int:
    """Print a rollout; texts of people and models only with `content`."""

    async def query(opened: Store) -> tuple[RolloutView, str | None, Condition]:
        view = await opened.insights.rollout(await rollout_named(opened, rollout))
        run, workers = await opened.insights.run(view.run_id), await opened.insights.workers()
        refused = await why_unusable(opened, view.run_id, view.result)
        return view, refused, condition_of(run, workers, SystemClock().unix_ms())

    view, refused, condition = read(store, query)
    stands = standing(view.result.status, condition)
    if as_json:
        fields = _view_fields(view, content=content)
        print_json({**fields, "standing": stands, "unusable": refused})
    else:
        print_lines(list(_view_lines(view, stands, refused, content=content)))
    return Exit.OK


def show_resources(store: str, name: str, *, content: bool, as_json: bool) -> int:
    """Print resources by any of their names; their texts only with `content`."""
    found = read(store, lambda opened: resolve(opened, name))
    if as_json:
        values = dict(found.values) if content else {key: None for key in found.values}
        print_json({"hash": found.hash, "parent": found.parent, "values": values})
        return Exit.OK
    lines = [f"hash    {found.hash}", f"parent  {found.parent or '-'}"]
    for key, value in found.values.items():
        text = value if isinstance(value, str) else json.dumps(value, indent=2)
        lines.append("")
        lines.append(f"{line(key)} ({len(text):,} characters)")
        if content:
            lines += _block(text)
    if not content and found.values:
        lines += ["", "--content shows the texts"]
    print_lines(lines)
    return Exit.OK


def _view_lines(
    view: RolloutView, stands: str, refused: str | None, *, content: bool
) -> Iterator[str]:
    result = view.result
    yield f"rollout   {line(str(result.rollout_id))}"
    yield f"run       {line(view.run_id)}"
    yield f"status    {stands if refused is None else UNUSABLE}"
    if refused is not None:
        yield f"why       {line(refused)}"
    yield f"score     {'none' if result.score is None else f'{result.score:.4f}'}"
    example = result.request.example
    yield f"example   {line(example.id) if example else '-'}"
    yield f"resources {short_hash(result.request.resources.hash)}"
    yield f"queued    {moment(view.created_unix_ms)}"
    if result.failure is not None:
        yield f"failure   {result.failure.kind}: {line(result.failure.message)}"
    used = figures.spending(result.spent)
    yield f"used      {', '.join(used) or 'nothing'}"
    yield from _reward_lines(result.rewards)
    for attempt in view.attempts:
        yield ""
        yield from _attempt_lines(attempt, content=content)
    if content:
        yield from _content_lines(view)


def _reward_lines(rewards: tuple[Reward, ...]) -> Iterator[str]:
    if rewards:
        yield ""
        yield "rewards"
    for reward in rewards:
        score = "unscored" if reward.score is None else f"{reward.score:.4g}"
        verdict = {True: "passed", False: "not passed", None: ""}[reward.passed]
        note = reward.error or reward.reason
        yield "  " + "  ".join(part for part in (f"{line(reward.name)}  {score}", verdict,
                                                line(note)) if part)  # fmt: skip


def _attempt_lines(attempt: AttemptView, *, content: bool) -> Iterator[str]:
    ended = attempt.ended_unix_ms
    took = "" if ended is None else figures.duration((ended - attempt.started_unix_ms) / 1000)
    parts = [
        str(attempt.status),
        f"by {attempt.worker_name}",
        took,
        moment(attempt.started_unix_ms),
    ]
    text = f"attempt {attempt.n}: " + ", ".join(line(part) for part in parts if part)
    yield from wrapped(text, columns())
    if attempt.failure is not None:
        yield f"  {attempt.failure.kind}: {line(attempt.failure.message)}"
    if attempt.late_spent.calls or attempt.late_spent.tokens:
        late = ", ".join(figures.spending(attempt.late_spent))
        yield f"  booked after it had been given up: {late}"
    prompts = at_work(attempt.spans)
    for depth, span in _tree(attempt.spans):
        yield "  " * (depth + 1) + _span_line(span, prompts.get(span.sequence))
        if content:
            for name, value in span.attributes.items():
                text = value if isinstance(value, str) else json.dumps(value)
                yield from _indented(f"{line(name)}: ", text, "  " * (depth + 3))


def _tree(spans: tuple[Span, ...]) -> Iterator[tuple[int, Span]]:
    """Spans with their depth, children after their parent in order of starting."""
    known = {span.sequence for span in spans}
    children: dict[int | None, list[Span]] = {}
    for span in sorted(spans, key=lambda one: one.sequence):
        parent = span.parent if span.parent in known else None
        children.setdefault(parent, []).append(span)
    waiting = [(0, span) for span in reversed(children.get(None, []))]
    while waiting:
        depth, span = waiting.pop()
        yield depth, span
        below = children.get(span.sequence, [])
        waiting += [(depth + 1, child) for child in reversed(below)]


def _span_line(span: Span, prompts: str | None) -> str:
    parts = [line(span.name), figures.duration((span.end_unix_ns - span.start_unix_ns) / 1e9)]
    tokens = [span.attributes.get(name) for name in _TOKENS]
    if all(isinstance(number, int) for number in tokens):
        parts.append(f"{tokens[0]:,} + {tokens[1]:,} tokens")
    if prompts is not None:
        parts.append(line(prompts))
    if span.error:
        parts.append(f"error: {line(span.error)[:_SHORT]}")
    return "  ".join(parts)


def _content_lines(view: RolloutView) -> Iterator[str]:
    result = view.result
    example = result.request.example
    for name, value in (
        ("prompt", example.prompt if example else None),
        ("expected", example.expected if example else None),
        ("output", result.output.text if result.output else None),
        ("proposal", result.request.proposal),
    ):
        if value is not None:
            yield ""
            yield name
            yield from _block(value if isinstance(value, str) else json.dumps(value, indent=2))


def _block(text: str) -> list[str]:
    """Lines of a text, made harmless and marked, so that they cannot pass for ours."""
    return [f"  | {part}" for part in shown(text).split("\n")]


def _indented(label: str, text: str, indent: str) -> Iterator[str]:
    first, *rest = shown(text).split("\n")
    yield f"{indent}{label}{first}"
    yield from (f"{indent}| {part}" for part in rest)


def _view_fields(view: RolloutView, *, content: bool) -> dict[str, Any]:
    result = view.result
    example = result.request.example
    fields: dict[str, Any] = {
        "rollout_id": result.rollout_id,
        "run_id": view.run_id,
        "kind": str(result.request.kind),
        "status": str(result.status),
        "score": result.score,
        "resources_hash": result.request.resources.hash,
        "example_id": example.id if example else None,
        "failure": _failure_fields(result.failure),
        "rewards": [_reward_fields(reward) for reward in result.rewards],
        "tokens": result.spent.tokens,
        "calls": result.spent.calls,
        "cost_usd": result.spent.cost_usd,
        "created_unix_ms": view.created_unix_ms,
        "updated_unix_ms": view.updated_unix_ms,
        "attempts": [_attempt_fields(attempt, content=content) for attempt in view.attempts],
    }
    if content:
        fields["example"] = example.value if example else None
        fields["proposal"] = result.request.proposal
        fields["output"] = result.output.text if result.output else None
    return fields


def _failure_fields(failure: Any) -> dict[str, Json] | None:  # noqa: ANN401
    if failure is None:
        return None
    return {"class": str(failure.kind), "message": failure.message, "status": failure.status}


def _reward_fields(reward: Reward) -> dict[str, Any]:
    return {
        "name": reward.name,
        "score": reward.score,
        "passed": reward.passed,
        "reason": reward.reason,
        "error": reward.error,
        "metrics": dict(reward.metrics),
    }


def _attempt_fields(attempt: AttemptView, *, content: bool) -> dict[str, Any]:
    return {
        "attempt_id": attempt.id,
        "status": str(attempt.status),
        "worker": attempt.worker_name,
        "started_unix_ms": attempt.started_unix_ms,
        "ended_unix_ms": attempt.ended_unix_ms,
        "failure": _failure_fields(attempt.failure),
        "tokens": attempt.spent.tokens,
        "cost_usd": attempt.spent.cost_usd,
        "spans": [_span_fields(span, content=content) for span in attempt.spans],
    }


def _span_fields(span: Span, *, content: bool) -> dict[str, Any]:
    plain: Mapping[str, Json] = {
        name: value
        for name, value in span.attributes.items()
        if isinstance(value, int | float) or name in _PLAIN
    }
    return {
        "sequence": span.sequence,
        "parent": span.parent,
        "name": span.name,
        "kind": str(span.kind),
        "start_unix_ns": span.start_unix_ns,
        "end_unix_ns": span.end_unix_ns,
        "error": span.error,
        "attributes": dict(span.attributes if content else plain),
    }
