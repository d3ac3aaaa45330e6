"""A loopback provider: speaks OpenAI chat completions, answers by rule, fails by script.

In a test: `async with LoopbackProvider() as provider: ... provider.base_url`. In a process of its
own: `python -m tau.testing.provider --port 0` (or `with ProviderProcess("--port", "0")`), whose
first line of output is the base URL; `GET /__calls` tells what it has seen.
"""

import argparse
import asyncio
import contextlib
import signal
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.request import urlopen

import orjson
from aiohttp import web

from tau.testing.faults import Fault, Script, commit, script


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedCall:
    """A call as it came in: the `n`-th (from 1), and the `nth` with this prompt (from 1).

    `peer` is the client's address: the same for calls over one connection.
    """

    n: int
    nth: int
    prompt: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(repr=False)
    path: str
    peer: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderReply:
    """A whole answer as it goes out. `close` breaks the connection after it."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Answer = Callable[
    [ReceivedCall], str | Mapping[str, Any] | ProviderReply | Awaitable[ProviderReply]
]
"""Text, the JSON of a whole completion, or a reply byte for byte."""


def echo(call: ReceivedCall) -> str:
    """Say the prompt again."""
    return call.prompt


def from_map(answers: Mapping[str, Any], default: str | None = None) -> Answer:
    """Answer by prompt; one without an answer gets `default`, or a 400.

    A value is a text, a whole completion, or a list with one of them for each repetition of the
    prompt, of which the last one stays.
    """

    def answer(call: ReceivedCall) -> str | Mapping[str, Any] | ProviderReply:
        found = answers.get(call.prompt, default)
        if isinstance(found, list):
            found = found[min(call.nth, len(found)) - 1]
        if isinstance(found, str | Mapping):
            return found
        error = {"message": "no answer is known for this prompt", "code": "unknown_prompt"}
        return ProviderReply(
            status=400,
            headers={"Content-Type": "application/json"},
            body=orjson.dumps({"error": error}),
        )

    return answer


def prompt_of(body: Mapping[str, Any]) -> str:
    """The content of the last user message, "" where there is none."""
    for message in reversed(body.get("messages") or []):
        if message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, str):
                return content
            return "".join(part.get("text", "") for part in content or [])
    return ""


class LoopbackProvider:
    """The server. `calls` counts every POST, `peak` the most at a time.

    `broken` are those whose client went away before the answer. The last `keep` calls are in
    `seen`. With `key`, calls without it get a 401.
    """

    def __init__(
        self,
        *,
        answer: Answer = echo,
        faults: Mapping[int, Fault] | Sequence[str] | Script | None = None,
        latency_s: float = 0.0,
        key: str | None = None,
        keep: int = 1000,
        port: int = 0,
    ) -> None:
        """Starts with `async with`; port 0 takes a free one."""
        self.answer = answer
        self.latency_s = latency_s
        self.key = key
        self.calls = 0
        self.in_flight = 0
        self.peak = 0
        self.broken = 0
        self.prompts: Counter[str] = Counter()
        self.seen: deque[ReceivedCall] = deque(maxlen=keep)
        self._script = script(faults)
        self._port = port
        self._runner: web.ServerRunner | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        """What a client is given."""
        return f"{self.origin}/v1"

    def fail(self, faults: Mapping[int, Fault] | Sequence[str] | Script | None) -> None:
        """Replace the script; calls are still counted from the first one."""
        self._script = script(faults)

    async def __aenter__(self) -> Self:
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, backlog=4096)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def counts(self, *, prompts: bool = False) -> dict[str, Any]:
        """What `GET /__calls` tells; with `prompts`, how often each was asked."""
        told: dict[str, Any] = {
            "calls": self.calls,
            "in_flight": self.in_flight,
            "peak": self.peak,
            "broken": self.broken,
            "different_prompts": len(self.prompts),
        }
        if prompts:
            told["prompts"] = dict(self.prompts)
        return told

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method != "POST":
            return self._tell(request)
        self.calls += 1
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            return await self._serve(request, self.calls)
        except (asyncio.CancelledError, ConnectionResetError):
            self.broken += 1
            raise
        finally:
            self.in_flight -= 1

    async def _serve(self, request: web.BaseRequest, n: int) -> web.StreamResponse:
        if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
            return _json(401, {"error": {"message": "no", "code": "invalid_api_key"}})
        if not request.path.endswith("/chat/completions"):
            return _json(404, {"error": {"message": f"no route {request.path}"}})
        try:
            body = orjson.loads(await request.read())
            prompt = prompt_of(body)
        except (orjson.JSONDecodeError, AttributeError, TypeError):
            return _json(400, {"error": {"message": "not a chat completion request"}})
        self.prompts[prompt] += 1
        peer = request.transport.get_extra_info("peername") if request.transport else None
        call = ReceivedCall(
            n=n, nth=self.prompts[prompt], prompt=prompt, body=body, headers=request.headers,
            path=request.path_qs, peer=peer,
        )  # fmt: skip
        self.seen.append(call)
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        reply = await self._reply(call)
        if fault := self._script(n):
            return await commit(fault, request, reply.body)
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)

    async def _reply(self, call: ReceivedCall) -> ProviderReply:
        answer = self.answer(call)
        if isinstance(answer, Awaitable):
            answer = await answer
        if isinstance(answer, ProviderReply):
            return answer
        body = completion(call, answer) if isinstance(answer, str) else answer
        return ProviderReply(headers={"Content-Type": "application/json"}, body=orjson.dumps(body))

    def _tell(self, request: web.BaseRequest) -> web.Response:
        if request.path == "/__calls":
            return _json(200, self.counts(prompts="prompts" in request.query))
        if request.path.endswith("/models"):
            return _json(200, {"object": "list", "data": [{"id": "echo", "object": "model"}]})
        return _json(404, {"error": {"message": f"no route {request.path}"}})


class ProviderProcess:
    """The server as a child process, with the options of the program; `with` ends it."""

    def __init__(self, *options: str) -> None:
        """Starts with `with`."""
        self._command = [sys.executable, "-m", "tau.testing.provider", *options]
        self._child: subprocess.Popen[str] | None = None
        self.base_url = ""

    def __enter__(self) -> Self:
        self._child = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._child.stdout is not None
        self.base_url = self._child.stdout.readline().strip()
        if not self.base_url:
            raise RuntimeError("the provider did not start; its error stands above")
        return self

    def __exit__(self, *exc: object) -> None:
        if self._child is not None:
            self._child.terminate()
            with self._child:
                self._child.wait(timeout=10)

    def counts(self) -> dict[str, Any]:
        """What it has seen, prompts included."""
        url = f"{self.base_url.removesuffix('/v1')}/__calls?prompts"
        with urlopen(url, timeout=10) as response:
            told: dict[str, Any] = orjson.loads(response.read())
        return told


def completion(call: ReceivedCall, text: str) -> dict[str, Any]:
    """A whole completion that says `text`; a token is a word."""
    asked = sum(len(str(m.get("content") or "").split()) for m in call.body.get("messages") or [])
    said = len(text.split())
    return {
        "id": f"chatcmpl-{call.n}",
        "object": "chat.completion",
        "created": 0,
        "model": call.body.get("model", "echo"),
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said},
    }


def _json(status: int, value: Mapping[str, Any]) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")


async def serve(provider: LoopbackProvider) -> None:
    """Serve until SIGTERM or SIGINT; the first line of standard output is the base URL."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with provider:
        print(provider.base_url, flush=True)
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it as a program."""
    parser = argparse.ArgumentParser(prog="python -m tau.testing.provider", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--answers", type=Path, help="JSON object from prompt to answer")
    parser.add_argument("--default", help="the answer for a prompt the file does not know")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--key", help="refuse calls without this key")
    parser.add_argument("--fault", action="append", default=[], help="see tau.testing.faults")
    given = parser.parse_args(arguments)
    answer: Answer = echo
    if given.answers:
        answer = from_map(orjson.loads(given.answers.read_bytes()), given.default)
    provider = LoopbackProvider(
        answer=answer,
        faults=given.fault,
        latency_s=given.latency_ms / 1000,
        key=given.key,
        port=given.port,
        keep=0,
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(provider))  # noqa: TID251  (a program of its own)
    return 0


if __name__ == "__main__":
    sys.exit(main())
