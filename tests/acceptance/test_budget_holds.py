"""Whatever a provider says of what it has used, a limit holds; by the provider's own count."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tau.config import load
from tau.domain.run import StopReason
from tau.testing.provider import LoopbackProvider, ProviderReply, ReceivedCall
from tau.trainer.report import RunReport
from tau.trainer.stop import StopRequest
from tau.wiring.session import SessionRequest, run_session

BILLED = 6
"""What the provider really charges for each call: five tokens of input, one of output."""
TRUE = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
PRICE = 5 * 150 + 1 * 600
"""Nano-dollars of such a call to gpt-4o-mini."""
CONCURRENCY = 8
LIMIT = 240
ROWS = 44


class Silent:
    def started(self, *_: object, **__: object) -> None:
        pass

    def progress(self, _: object) -> None:
        pass

    def notice(self, _: str) -> None:
        pass


def body(usage: Any = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    message = {"role": "assistant", "content": "a"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    whole = {"id": "c", "model": "m", "choices": [{**choice, **more.pop("choice", {})}], **more}
    return whole if usage is None else {**whole, "usage": usage}


def raw(data: bytes, kind: str = "application/json", **more: Any) -> ProviderReply:  # noqa: ANN401
    return ProviderReply(body=data, headers={"Content-Type": kind}, **more)


def stream(*chunks: Mapping[str, Any], done: bool = True) -> ProviderReply:
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return raw("".join([*lines, "data: [DONE]\n\n" if done else ""]).encode(), "text/event-stream")


DELTA = {"id": "c", "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]}
FILTERED = {"finish_reason": "content_filter"}
ODD = {"message": {"content": 5}}

TOLD: Mapping[str, Any] = {
    "well formed": body(TRUE),
    "strings": body({"prompt_tokens": "5", "completion_tokens": "1", "total_tokens": "6"}),
    "strings with blanks": body({"prompt_tokens": " 5 ", "completion_tokens": "1 tokens"}),
    "floats": body({"prompt_tokens": 5.0, "completion_tokens": 1.0}),
    "total only": body({"total_tokens": 6}),
    "total as text": body({"total_tokens": "6"}),
    "total beside nulls": body({"prompt_tokens": None, "completion_tokens": None,
                                "total_tokens": 6}),
    "total beside zeros": body({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 6}),
    "total beside negatives": body({"prompt_tokens": -1, "completion_tokens": -1,
                                    "total_tokens": 6}),
    "input and total": body({"prompt_tokens": 5, "total_tokens": 6}),
    "output and total": body({"completion_tokens": 1, "total_tokens": 6}),
    "responses' names": body({"input_tokens": 5, "output_tokens": 1}),
    "camel case": body({"inputTokens": 5, "outputTokens": 1, "totalTokens": 6}),
    "Google's names": body(usageMetadata={"promptTokenCount": 5, "candidatesTokenCount": 1,
                                          "totalTokenCount": 6}),
    "Cohere's place": body({"tokens": {"input_tokens": 5, "output_tokens": 1}}),
    "Ollama's place": body(prompt_eval_count=5, eval_count=1),
    "Groq's place": body(x_groq={"usage": TRUE}),
    "in the choice": body(choice={"usage": TRUE}),
    "in a list": body([TRUE]),
    "as JSON text": body(json.dumps(TRUE)),
    "nested": body({"usage": TRUE}),
    "cached above input": body({**TRUE, "prompt_tokens_details": {"cached_tokens": 500}}),
    "details null": body({**TRUE, "prompt_tokens_details": None}),
    "filtered": body(TRUE, choice=FILTERED),
    "content of another kind": body(TRUE, choice=ODD),
    "no message": body(TRUE, choice={"message": None}),
    "an error beside it": body(TRUE, error={"message": "x"}),
    "an error in the choice": body(TRUE, choice={"error": {"message": "x"}}),
    "a refusal beside it": body(TRUE, error={"message": "x", "code": "invalid_api_key"}),
    "usage in the error": {"error": {"message": "x", "usage": TRUE}},
    "usage beside the error": {"error": {"message": "x"}, "usage": TRUE},
    "an empty error": body(TRUE, error={"message": "", "code": None}),
    "no choices": {"id": "c", "choices": [], "usage": TRUE},
    "a stream": stream(DELTA, {"choices": [], "usage": TRUE}),
    "a failure with usage": raw(json.dumps({"error": {"message": "x"}, "usage": TRUE}).encode(),
                                status=500),
}  # fmt: skip
"""Where all of it is said somewhere: 6 tokens a call."""

UNTOLD: Mapping[str, Any] = {
    "no usage": body(),
    "null": body(usage=None, more=1),
    "empty": body({}),
    "text": body("6 tokens"),
    "a number": body(6),
    "true": body({"prompt_tokens": True, "completion_tokens": True}),
    "zeros": body({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}),
    "output zero": body({"prompt_tokens": 5, "completion_tokens": 0}),
    "input only": body({"prompt_tokens": 5}),
    "output only": body({"completion_tokens": 1}),
    "negative": body({"prompt_tokens": -5, "completion_tokens": -1}),
    "huge": body({"prompt_tokens": 10**15, "completion_tokens": 10**15}),
    "infinite": body({"prompt_tokens": 1e300, "completion_tokens": "inf"}),
    "objects": body({"prompt_tokens": {"a": 5}, "completion_tokens": [1]}),
    "filtered": body(choice=FILTERED),
    "content of another kind": body(choice=ODD),
    "an error beside it": body(error={"message": "x"}),
    "a refusal beside it": body(error={"message": "x", "code": "invalid_api_key"}),
    "not JSON": raw(b"oops"),
    "NaN": raw(b'{"choices": [], "usage": {"prompt_tokens": NaN}}'),
    "no body": raw(b""),
    "a stream without": stream(DELTA),
    "a stream cut off": stream({"choices": [{"index": 0, "delta": {"content": "a"}}]}, done=False),
    "a failure": raw(b'{"error": {"message": "x"}}', status=500),
    "a gateway's failure": raw(b"<html>bad gateway</html>", "text/html", status=502),
    "cut off": raw(b'{"choices": ['),
}
"""Where at least a part is not."""


async def spend(
    folder: Path,
    reply: object,
    budget: dict[str, Any],
    **fields: Any,  # noqa: ANN401
) -> tuple[RunReport, int]:
    def answer(_: ReceivedCall) -> Any:  # noqa: ANN401
        return reply

    async with LoopbackProvider(answer=answer) as provider:
        document = {
            "model": {"name": "openai/gpt-4o-mini", "base_url": provider.base_url},
            "resources": {"system_prompt": "Say."},
            "params": {"max_tokens": 10},
            "budget": budget,
            "validate": [{"prompt": f"q{n}", "expected": "a"} for n in range(ROWS)],
            "worker_concurrency": CONCURRENCY,
            "retries": {"max_attempts": 2, "backoff_ms": 1, "max_backoff_ms": 1},
            "fail_fast": False,
            **fields,
        }
        path = folder / "config.json"
        path.write_text(json.dumps(document))
        config = load(path, environ={"OPENAI_API_KEY": "sk-test-canary-key"})
        request = SessionRequest(config=config, store=str(folder / "store.sqlite"))
        report = await run_session(request, observer=Silent(), stop=StopRequest())
        return report, provider.calls


@pytest.mark.parametrize("name", TOLD)
async def test_what_is_told_is_counted_wherever_it_stands(tmp_path: Path, name: str) -> None:
    report, calls = await spend(tmp_path, TOLD[name], {"tokens": LIMIT})

    assert report.stop_reason is StopReason.BUDGET
    assert calls * BILLED <= LIMIT
    assert report.spent.tokens == calls * BILLED
    assert report.spent.assumed_tokens == 0
    assert LIMIT - report.spent.tokens < 100  # what one more might have needed


@pytest.mark.parametrize("name", UNTOLD)
async def test_what_is_not_told_counts_as_reserved(tmp_path: Path, name: str) -> None:
    report, calls = await spend(tmp_path, UNTOLD[name], {"tokens": LIMIT, "usd": 0.0001})

    assert report.stop_reason is StopReason.BUDGET
    assert calls * BILLED <= report.spent.tokens <= LIMIT
    assert calls * PRICE <= report.spent.cost_nano_usd <= 100_000
    assert report.spent.assumed_tokens > 0
    assert report.spent.assumed_cost_nano_usd > 0


@pytest.mark.parametrize("name", ["well formed", "filtered", "strings", "an error beside it"])
async def test_money_is_counted_as_tokens_are(tmp_path: Path, name: str) -> None:
    report, calls = await spend(tmp_path, TOLD[name], {"usd": 0.00004})

    assert report.stop_reason is StopReason.BUDGET
    assert report.spent.cost_nano_usd == calls * PRICE <= 40_000
    assert report.spent.assumed_cost_nano_usd == 0


@pytest.mark.parametrize("status", [400, 401, 404])
async def test_a_refused_request_costs_nothing(tmp_path: Path, status: int) -> None:
    reply = raw(b'{"error": {"message": "x"}}', status=status)
    rows = [{"prompt": f"q{n}", "expected": "a"} for n in range(9)]
    report, _ = await spend(tmp_path, reply, {"tokens": LIMIT}, validate=rows)

    assert report.spent.tokens == 0


async def test_a_limit_that_covers_no_rollout_says_what_one_needs(tmp_path: Path) -> None:
    report, calls = await spend(tmp_path, TOLD["well formed"], {"tokens": 20})

    assert calls == 0
    assert report.stop_detail is not None
    assert "covers not one rollout: one may need up to" in report.stop_detail
    assert "raise budget.tokens" in report.stop_detail
