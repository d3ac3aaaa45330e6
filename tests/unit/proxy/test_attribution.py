"""The attribution proxy: whose call it is, unaltered answers, one line for each in the log."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from tau.domain.worker import WorkerRole
from tau.errors import InputError
from tau.ports.processes import SystemProcesses
from tau.wiring.attribution import AttributionRequest, serve_attribution
from unit.proxy.test_endpoint import ANSWER, CHUNKS, EVENTS
from unit.proxy.upstreams import Scripted
from unit.runner.working import bench, until

CHAT = "/v1/chat/completions"
WHOSE = {"x-rollout-id": "r1", "x-attempt-id": "a1"}
ASK = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]})


@dataclass
class Running:
    """A proxy at work."""

    base: str
    folder: Path
    http: aiohttp.ClientSession

    def post(self, headers: Mapping[str, str], *, path: str = CHAT, body: bytes = ASK) -> Any:  # noqa: ANN401
        """A reply, as a context manager."""
        given = {"Content-Type": "application/json", **headers}
        return self.http.post(f"{self.base}{path}", data=body, headers=given)

    @property
    def log(self) -> list[Any]:
        path = self.folder / "training" / "proxy-attribution.jsonl"
        return [orjson.loads(x) for x in path.read_bytes().splitlines()] if path.exists() else []


class _Told:
    def __init__(self) -> None:
        self.port: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def listening(self, host: str, port: int, upstream: str, log: Path) -> None:
        self.port.set_result(port)


@asynccontextmanager
async def running(folder: Path, upstream: str, timeout_ms: int = 5_000) -> AsyncIterator[Running]:
    told, stop = _Told(), asyncio.Event()
    request = AttributionRequest(
        host="127.0.0.1", port=0, upstream_url=upstream, state_dir=folder, timeout_ms=timeout_ms,
        environ={},
    )  # fmt: skip
    serving = asyncio.ensure_future(serve_attribution(request, stop=stop, listener=told))
    await asyncio.wait((serving, told.port), return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    async with aiohttp.ClientSession() as http:
        yield Running(f"http://127.0.0.1:{told.port.result()}", folder, http)
    stop.set()
    await serving


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-rollout-id": "r"},
        {"x-attempt-id": "a"},
        {"x-rollout-id": " ", "x-attempt-id": "a"},
        {**WHOSE, "x-sequence-id": "-1"},
        {**WHOSE, "x-sequence-id": "1.5"},
        {**WHOSE, "x-sequence-id": ""},
        {**WHOSE, "x-sequence-id": "99999999999999999999"},
    ],
)
async def test_nothing_is_forwarded_without_attribution(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    async with Scripted() as up, running(tmp_path, up.base_url) as proxy:
        async with proxy.post(headers) as reply:
            assert reply.status == 400
            code = (await reply.json())["error"]["code"]
        assert code == "training_proxy_missing_or_invalid_attribution_header"
        assert up.seen == []


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
async def test_a_call_passes_with_the_callers_own_key_and_is_logged(
    tmp_path: Path, suffix: str
) -> None:
    async with Scripted(pieces=[ANSWER], status=201) as up:
        async with running(tmp_path, up.base_url.removesuffix("/v1") + suffix) as proxy:
            sent = {"Authorization": "Bearer own", "OpenAI-Beta": "x", "X-Other": "y", **WHOSE}
            more = {"x-sequence-id": "7", "x-trace-id": "t"}
            async with proxy.post({**sent, **more}) as reply:
                assert (reply.status, await reply.read()) == (201, ANSWER)
            await until(lambda: len(proxy.log) == 1)
            (line,) = proxy.log
        path, headers, body = up.seen[0]
    assert (path, body) == (CHAT, ASK)
    assert headers["Authorization"] == "Bearer own"
    assert headers["openai-beta" if "openai-beta" in headers else "OpenAI-Beta"] == "x"
    assert not {"X-Other", "x-rollout-id", "x-attempt-id"} & set(headers)
    assert line.pop("timestamp_unix_ms") > 0
    assert line.pop("duration_ms") >= 0
    assert line == {
        "schema_version": 1,
        "method": "POST",
        "path": CHAT,
        "upstream_url": up.base_url + "/chat/completions",
        "rollout_id": "r1",
        "attempt_id": "a1",
        "sequence_id": 7,
        "trace_id": "t",
        "request_bytes": len(ASK),
        "response_bytes": len(ANSWER),
        "status_code": 201,
    }
    log = tmp_path / "training" / "proxy-attribution.jsonl"
    assert log.stat().st_mode & 0o777 == 0o600
    assert b"own" not in log.read_bytes()


async def test_the_url_says_whose_call_it_is(tmp_path: Path) -> None:
    async with Scripted(pieces=[ANSWER]) as up, running(tmp_path, up.base_url) as proxy:
        async with proxy.post({}, path=f"/rollout/r9/attempt/a9{CHAT}") as reply:
            assert reply.status == 200
        async with proxy.post(WHOSE, path=f"/rollout/r9/attempt/a9{CHAT}") as reply:
            assert reply.status == 400
        await until(lambda: len(proxy.log) == 1)
        assert [(x["rollout_id"], x["attempt_id"]) for x in proxy.log] == [("r9", "a9")]


async def test_streams_pass_chunk_by_chunk_and_bodies_are_large(tmp_path: Path) -> None:
    gates = [asyncio.Event() for _ in CHUNKS]
    up = Scripted(pieces=CHUNKS, kind=EVENTS, pause=gates.__getitem__)
    big = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 900_000}]})
    async with up, running(tmp_path, up.base_url) as proxy:
        async with proxy.post(WHOSE, body=big) as reply:
            for gate, chunk in zip(gates, CHUNKS, strict=True):
                gate.set()
                assert await reply.content.readexactly(len(chunk)) == chunk
        await until(lambda: len(proxy.log) == 1)
        assert proxy.log[0]["response_bytes"] == sum(map(len, CHUNKS))


@pytest.mark.parametrize("dead", [True, False])
async def test_a_dead_or_silent_upstream_is_a_502(tmp_path: Path, dead: bool) -> None:
    never = asyncio.Event()
    async with Scripted(pieces=[ANSWER], head=never) as up:
        url = "http://127.0.0.1:9/v1" if dead else up.base_url
        async with running(tmp_path, url, timeout_ms=50) as proxy, proxy.post(WHOSE) as reply:
            assert reply.status == 502
            code = (await reply.json())["error"]["code"]
            assert code == "training_proxy_upstream_request_failed"
            assert proxy.log[0]["error_code"] == code
            assert "status_code" not in proxy.log[0]


async def test_upstreams_refusals_pass(tmp_path: Path) -> None:
    async with (
        Scripted(status=429, pieces=[b"slow down"], kind="text/plain") as up,
        running(tmp_path, up.base_url) as proxy,
        proxy.post(WHOSE) as reply,
    ):
        assert (reply.status, await reply.text()) == (429, "slow down")
        await until(lambda: len(proxy.log) == 1)
        assert proxy.log[0]["status_code"] == 429


async def test_health_and_what_is_not_served(tmp_path: Path) -> None:
    async with Scripted() as up, running(tmp_path, up.base_url) as proxy:
        async with proxy.http.get(f"{proxy.base}/training/proxy/health") as reply:
            assert await reply.json() == {
                "schema_version": 1,
                "status": "ready",
                "upstream_chat_completions_url": up.base_url + "/chat/completions",
                "attribution_log_path": str(tmp_path / "training" / "proxy-attribution.jsonl"),
            }
        async with proxy.post(WHOSE, path="/v1/completions") as reply:
            assert reply.status == 404


@pytest.mark.parametrize("url", ["", "host/v1", "ftp://host", "http://user:pw@host/v1"])
async def test_an_upstream_that_is_no_url_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match="upstream-url") as caught:
        async with running(tmp_path, url):
            pass
    assert "pw" not in str(caught.value)


async def test_a_span_lands_under_its_attempt_in_the_store(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    held = await bench(tmp_path / "training" / "store.sqlite")
    work = held.store.work
    worker = await work.register(
        name="w", role=WorkerRole.WORKER, process=SystemProcesses().this(), lease_ms=60_000
    )
    await held.submit("Hi")
    (claim,) = await work.claim(worker.id, limit=1, run_id=held.run_id)
    async with Scripted(pieces=CHUNKS, kind=EVENTS) as up, running(tmp_path, up.base_url) as proxy:
        for attempt in (claim.attempt_id, "another"):
            whose = {"x-rollout-id": claim.rollout_id, "x-attempt-id": attempt}
            async with proxy.post(whose) as reply:
                await reply.read()
        await until(lambda: len(proxy.log) == 2)
    view = await held.store.insights.rollout(claim.rollout_id)
    (span,) = view.attempts[0].spans
    assert span.name == "chat m"
    assert span.attributes["gen_ai.usage.output_tokens"] == 3
    assert "Ho" in str(span.attributes["gen_ai.output.messages"])
    await held.store.aclose()
