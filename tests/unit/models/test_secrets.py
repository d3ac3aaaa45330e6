"""A key that comes back from the other side is kept nowhere."""

from typing import Any

import pytest

from tau.domain.chat import LEAKED_KEY, Message, ModelRequest, reason_codes
from tau.models.endpoint import Settings
from tau.models.openai import OpenAICompatible
from tau.models.redaction import is_credential
from tau.ports.clock import SystemClock
from tau.ports.model import ModelContext
from tau.testing.provider import LoopbackProvider

KEY = "sk-test-canary-0123456789"
ASKED = ModelRequest(messages=[Message(role="user", content="q")])


@pytest.mark.parametrize(
    "message",
    [
        {"content": f"the key is {KEY}."},
        {"content": None, "refusal": f"I will not say {KEY}"},
        {"content": "", "tool_calls": [{"id": "1", "type": "function", "function": {
            "name": "send", "arguments": f'{{"key": "{KEY}"}}'}}]},
    ],
)  # fmt: skip
async def test_an_answer_that_repeats_the_key_is_masked_and_told(message: dict[str, Any]) -> None:
    reply = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    async with LoopbackProvider(answer=lambda _: reply) as server:
        context = ModelContext(
            provider="openai", name="m", base_url=server.base_url, environ={"OPENAI_API_KEY": KEY}
        )
        model = OpenAICompatible(Settings(), context, SystemClock())
        said = await model.complete(ASKED)
        await model.aclose()

    assert KEY not in repr(said)
    assert "[key]" in repr(said)
    assert LEAKED_KEY in reason_codes(said)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ocp-Apim-Subscription-Key", True), ("api-key", True), ("x-functions-key", True),
        ("X-Auth", True), ("X-Session", True), ("x-amz-security-token", True), ("X-JWT", True),
        ("X-Author", False), ("X-Title", False), ("HTTP-Referer", False), ("X-Region", False),
    ],
)  # fmt: skip
def test_headers_that_carry_credentials_are_known_by_name(name: str, expected: bool) -> None:
    assert is_credential(name, "plain") is expected
