"""The record of an attempt: names, nesting, bounds, meters."""

import asyncio
import gc
import re
import weakref
from pathlib import Path

import pytest

from tau.domain.chat import Message, ModelRequest
from tau.domain.json import canonical
from tau.domain.span import SpanKind
from tau.domain.spend import Spend
from tau.errors import BudgetRefused, ModelError, ModelTimeout, NotConnected
from tau.ports.clock import SystemClock
from tau.runner.pacing import Pacing, PacingSettings
from tau.runner.recorder import SpanLimits, SpanRecorder
from unit.runner.working import Echo

ASK = ModelRequest(
    messages=[Message(role="system", content="Be kind."), Message(role="user", content="Hi")],
    params={"temperature": 0.5, "max_tokens": 10, "stop": "END", "logit_bias": {}},
)


def record(calls: int = 9, limits: SpanLimits | None = None) -> SpanRecorder:
    pacing = Pacing(PacingSettings(), ceiling=8)
    return SpanRecorder(
        clock=SystemClock(), pacing=pacing, reserved=Spend(rollouts=1, calls=calls), limits=limits
    )


def tree(recorder: SpanRecorder) -> list[tuple[int, int | None, str]]:
    return [(span.sequence, span.parent, span.name) for span in recorder.close()]


async def test_a_model_call_has_the_names_of_the_conventions() -> None:
    recorder = record()

    await recorder.call(Echo(), ASK)

    (span,) = recorder.close()
    assert (span.name, span.kind, span.error) == ("chat echo", SpanKind.MODEL_CALL, None)
    assert span.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "test",
        "gen_ai.request.model": "echo",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 10,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.input.messages": [
            {"role": "system", "parts": [{"type": "text", "content": "Be kind."}]},
            {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
        ],
        "gen_ai.output.messages": [
            {
                "role": "assistant",
                "parts": [{"type": "text", "content": "Hi"}],
                "finish_reason": "stop",
            }
        ],
        "gen_ai.response.id": "r-1",
        "gen_ai.response.model": "echo-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 2,
        "gen_ai.usage.reasoning.output_tokens": 1,
        "tau.cost_nano_usd": 1_200,
    }
    assert recorder.spent == Spend(calls=1, tokens=12, cost_nano_usd=1_200)


async def test_a_failed_call_counts_and_carries_its_class() -> None:
    async def before() -> None:
        raise ModelTimeout("slow", retry_after_s=3)

    recorder = record()
    with pytest.raises(ModelTimeout):
        await recorder.call(Echo(before), ASK)

    (span,) = recorder.close()
    assert span.attributes["error.type"] == "timeout"
    assert span.error == "ModelTimeout: slow"
    assert recorder.spent == Spend(calls=1)


async def test_a_call_that_found_nobody_to_ask_spends_nothing() -> None:
    async def before() -> None:
        raise NotConnected("nobody there")

    recorder = record(calls=1)
    for _ in range(3):  # nor does it use up what was reserved
        with pytest.raises(NotConnected):
            await recorder.call(Echo(before), ASK)

    assert recorder.spent == Spend()


async def test_what_a_model_plug_in_raises_by_mistake_is_a_model_error() -> None:
    async def before() -> None:
        raise KeyError("choices")

    with pytest.raises(ModelError, match="KeyError"):
        await record().call(Echo(before), ASK)


async def test_spans_nest_by_task_and_by_thread() -> None:
    recorder = record()

    async def branch(name: str) -> None:
        with recorder.span(name):
            await asyncio.sleep(0.01)
            await asyncio.to_thread(leaf, f"{name}-leaf")

    def leaf(name: str) -> None:
        with recorder.span(name, kind=SpanKind.TOOL_CALL):
            pass

    with recorder.span("root"):
        await asyncio.gather(branch("a"), branch("b"))

    spans = recorder.close()
    by_sequence = {span.sequence: span for span in spans}
    assert [span.sequence for span in spans] == [1, 2, 3, 4, 5]
    parents = {
        span.name: by_sequence[span.parent].name for span in spans if span.parent is not None
    }
    assert parents == {
        "a": "root",
        "b": "root",
        "execute_tool a-leaf": "a",
        "execute_tool b-leaf": "b",
    }
    (tool,) = [span for span in spans if span.name == "execute_tool a-leaf"]
    assert tool.attributes == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "a-leaf",
    }


async def test_two_attempts_in_one_task_do_not_mix() -> None:
    one, other = record(), record()

    with one.span("one"), one.span("inner"), other.span("other"):
        pass

    assert tree(one) == [(1, None, "one"), (2, 1, "inner")]
    assert tree(other) == [(1, None, "other")]


async def test_an_error_passing_through_is_kept_and_passes() -> None:
    recorder = record()

    with pytest.raises(ValueError, match="no"), recorder.span("step"):
        raise ValueError("no\nsecond line")

    assert [span.error for span in recorder.close()] == ["ValueError: no"]


async def test_too_many_spans_are_dropped_and_the_root_says_so() -> None:
    recorder = record(limits=SpanLimits(spans=4))

    with recorder.span("root", kind=SpanKind.ROLLOUT):
        for n in range(10):
            with recorder.span(f"step {n}"), recorder.span("inner"):
                pass
        with recorder.span("grade x", kind=SpanKind.GRADE):
            pass

    spans = recorder.close()
    assert [span.name for span in spans] == ["root", "step 0", "inner", "step 1", "grade x"]
    assert spans[0].attributes["tau.spans_dropped"] == 17


@pytest.mark.parametrize(
    "value",
    ["x" * 10_000, ["y" * 100] * 100, {"k": "é" * 10_000}, "\ud800" * 10_000, 2**70, object()],
)
async def test_attributes_are_bounded_json(value: object) -> None:
    recorder = record(limits=SpanLimits(attribute_bytes=1_000))

    with recorder.span("step") as span:
        span.set("big", value)  # type: ignore[arg-type]  # plug-ins set what they like

    (done,) = recorder.close()
    assert 0 < len(canonical(done.attributes["big"])) <= 1_100


async def test_the_whole_record_is_bounded() -> None:
    recorder = record(limits=SpanLimits(total_bytes=5_000))

    for _ in range(100):
        with recorder.span("step") as span:
            span.set("text", "x" * 1_000)

    kept = sum(len(canonical(dict(span.attributes))) for span in recorder.close())
    assert kept < 5_000 + 100 * 100


async def test_long_conversations_are_recorded_in_part() -> None:
    messages = [Message(role="user", content="x" * 5_000) for _ in range(500)]
    recorder = record()

    await recorder.call(Echo(), ModelRequest(messages=messages))

    (span,) = recorder.close()
    kept = span.attributes["gen_ai.input.messages"]
    assert isinstance(kept, list)
    assert len(kept) == 64
    assert span.attributes["tau.messages_dropped"] == 436
    assert len(canonical(kept)) < 50_000


async def test_calls_are_bounded_even_when_made_at_once() -> None:
    async def before() -> None:
        await asyncio.sleep(0.01)

    model, recorder = Echo(before), record(calls=3)

    results = await asyncio.gather(
        *(recorder.call(model, ASK) for _ in range(8)), return_exceptions=True
    )

    assert model.calls == 3
    assert sum(isinstance(result, BudgetRefused) for result in results) == 5
    assert recorder.spent.calls == 3


async def test_a_call_cancelled_while_waiting_for_its_turn_was_not_made() -> None:
    gate = asyncio.Event()
    recorder = SpanRecorder(
        clock=SystemClock(),
        pacing=Pacing(PacingSettings(), ceiling=1),
        reserved=Spend(rollouts=1, calls=2),
    )
    first = asyncio.ensure_future(recorder.call(Echo(gate.wait), ASK))  # type: ignore[arg-type]
    second = asyncio.ensure_future(recorder.call(Echo(), ASK))
    await asyncio.sleep(0.05)
    second.cancel()
    await asyncio.wait([second])

    assert recorder.spent.calls == 1
    assert recorder.held_s > 0
    gate.set()
    await first
    assert recorder.spent.calls == 1


async def test_nothing_reported_after_the_end_counts() -> None:
    recorder = record()
    with recorder.span("root"):
        pass
    recorder.close()

    with recorder.span("late") as late:
        late.set("k", "v")
    with pytest.raises(BudgetRefused, match="ended"):
        await recorder.call(Echo(), ASK)

    assert tree(recorder) == [(1, None, "root")]
    assert recorder.spent == Spend()


async def test_a_finished_record_is_let_go_without_the_garbage_collector() -> None:
    recorder = record()
    with recorder.span("root", note="x"), recorder.span("step"):
        await recorder.call(Echo(), ASK)
    gone = weakref.ref(recorder)

    gc.disable()
    try:
        spans = recorder.close()
        del recorder
        assert gone() is None
    finally:
        gc.enable()
    assert [span.name for span in spans] == ["root", "step", "chat echo"]


async def test_reports_are_kept_apart_from_spans() -> None:
    recorder = record()

    recorder.reason("prompt_injection.x")
    recorder.reason(" prompt_injection.x ")
    recorder.blocked("tool: rm")

    assert recorder.reason_codes == ("prompt_injection.x",)
    assert recorder.blocked_events == 1
    assert [span.attributes for span in recorder.close()] == [{"tau.blocked.event": "tool: rm"}]


async def test_spans_still_open_at_the_end_are_closed() -> None:
    recorder = record()
    opened = recorder.span("never left")
    opened.__enter__()

    (span,) = recorder.close()

    assert span.error == "still open when the attempt ended"
    assert span.end_unix_ns >= span.start_unix_ns


def test_every_genai_name_is_one_of_the_registry() -> None:
    tests = Path(__file__).parents[2]
    known = (tests / "data" / "otel_genai_names.txt").read_text(encoding="utf-8").splitlines()
    source = (tests.parent / "src" / "tau" / "runner").glob("*.py")
    used = {
        name
        for path in source
        for name in re.findall(r'"(gen_ai\.[^"]+)"', path.read_text(encoding="utf-8"))
    }

    assert used
    assert used - set(known) == set()
