"""The loopback provider itself: what it counts, answers and breaks."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tau.testing.faults import Fault, script
from tau.testing.provider import (
    LoopbackProvider,
    ProviderProcess,
    ReceivedCall,
    from_map,
    prompt_of,
)


def post(url: str, prompt: str, key: str | None = None) -> dict[str, object]:
    body = {"model": "m", "messages": [{"role": "user", "content": prompt}]}
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = Request(f"{url}/chat/completions", json.dumps(body).encode(), headers)
    with urlopen(request, timeout=10) as response:
        found: dict[str, object] = json.load(response)
    return found


def text(answer: dict[str, object]) -> str:
    choices = answer["choices"]
    assert isinstance(choices, list)
    return str(choices[0]["message"]["content"])


def test_in_a_process_of_its_own(tmp_path: Path) -> None:
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps({"a": "A", "again": ["one", "two"]}))
    with ProviderProcess(
        "--answers", str(answers), "--key", "k", "--fault", "5=status:status=503;retry-after=2"
    ) as server:
        said = [text(post(server.base_url, p, "k")) for p in ("a", "again", "again", "again")]
        with pytest.raises(HTTPError) as caught:
            post(server.base_url, "a", "k")
        with caught.value as unavailable:
            assert (unavailable.code, unavailable.headers["retry-after"]) == (503, "2")
        for prompt, key, status in (("a", None, 401), ("unknown", "k", 400)):
            with pytest.raises(HTTPError) as caught:
                post(server.base_url, prompt, key)
            with caught.value as refused:
                assert refused.code == status
        counts = server.counts()

    assert said == ["A", "one", "two", "two"]
    assert counts["calls"] == 7
    assert counts["prompts"] == {"a": 2, "again": 3, "unknown": 1}


def test_ends_with_a_signal() -> None:
    command = [sys.executable, "-m", "tau.testing.provider"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline().startswith("http://127.0.0.1:")
        child.send_signal(signal.SIGTERM)

        assert child.wait(timeout=10) == 0


@pytest.mark.parametrize(
    ("rules", "fails"),
    [
        (["3=reset"], [3]), (["2-4=close"], [2, 3, 4]), (["every/3=empty"], [3, 6, 9]),
        (["all=hang"], list(range(1, 10))), (["1=cut", "1-2=reset"], [1, 2]), ([], []),
    ],
)  # fmt: skip
def test_rules_say_when(rules: list[str], fails: list[int]) -> None:
    fault = script(rules)

    assert [n for n in range(1, 10) if fault(n)] == fails


def test_rules_say_what() -> None:
    fault = script(["1=status:status=429;retry-after=1;message=slow;code=busy;body={}"])(1)

    assert fault == Fault(
        kind="status", status=429, message="slow", code="busy", body=b"{}",
        headers={"retry-after": "1"},
    )  # fmt: skip


@pytest.mark.parametrize("rule", ["x=reset", "1=explode", "1", "-=reset", "1=status:status=x"])
def test_a_rule_that_cannot_be_read(rule: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        script([rule])


def test_the_prompt_is_the_last_user_message() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    asked = [{"role": "user", "content": "x"}, {"role": "user", "content": parts},
             {"role": "assistant", "content": "y"}]  # fmt: skip

    assert prompt_of({"messages": asked}) == "ab"
    assert prompt_of({"messages": [{"role": "system", "content": "s"}]}) == ""


def test_a_default_for_prompts_nobody_listed() -> None:
    call = ReceivedCall(n=1, nth=1, prompt="?", body={}, headers={}, path="/")

    assert from_map({"a": "A"}, "default")(call) == "default"


async def test_knows_how_many_are_in_flight() -> None:
    async with LoopbackProvider(latency_s=0.2) as server:
        calls = [asyncio.to_thread(post, server.base_url, "same") for _ in range(4)]
        await asyncio.gather(*calls)

        assert (server.calls, server.peak, server.in_flight, server.broken) == (4, 4, 0, 0)
        assert [call.nth for call in server.seen] == [1, 2, 3, 4]
