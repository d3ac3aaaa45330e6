"""The client over loopback HTTP: one server that answers, breaks and lies."""

import asyncio
import gzip
import logging
import ssl
import subprocess
import traceback
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from tau.domain.chat import Completion, Message, ModelRequest
from tau.errors import (
    ConnectionFailed,
    ContentFiltered,
    ContextTooLong,
    MalformedResponse,
    ModelError,
    ModelTimeout,
    NotConnected,
    RateLimited,
    RequestRejected,
    TauError,
)
from tau.models import openai
from tau.models.endpoint import Settings
from tau.models.openai import OpenAICompatible
from tau.ports.model import ModelContext
from tau.testing.faults import Fault
from tau.testing.model import CANARY, until
from tau.testing.provider import LoopbackProvider, ProviderReply, ReceivedCall

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
HELLO = ModelRequest(messages=[Message(role="user", content="hello")])


class StandingClock:
    def unix_ms(self) -> int:
        return int(NOW.timestamp() * 1000)

    def monotonic_ms(self) -> int:
        return 0


@pytest.fixture
async def server() -> AsyncIterator[LoopbackProvider]:
    async with LoopbackProvider() as provider:
        yield provider


def client(
    base_url: str, *, provider: str = "openai", name: str = "gpt-4o-mini",
    settings: Settings | None = None, environ: Mapping[str, str] | None = None,
    timeout_s: float = 10.0,
) -> OpenAICompatible:  # fmt: skip
    keys = {
        "OPENAI_API_KEY": CANARY, "OPENROUTER_API_KEY": CANARY, "AZURE_OPENAI_API_KEY": CANARY
    }  # fmt: skip
    context = ModelContext(
        provider=provider, name=name, environ={**keys, **(environ or {})}, base_url=base_url,
        timeout_s=timeout_s,
    )  # fmt: skip
    return OpenAICompatible.build(settings or Settings(), context, StandingClock())


async def ask(model: OpenAICompatible, request: ModelRequest = HELLO) -> Completion:
    try:
        return await model.complete(request)
    finally:
        await model.aclose()


async def failure(model: OpenAICompatible, request: ModelRequest = HELLO) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await ask(model, request)
    return caught.value


def reply(body: bytes | object, status: int = 200, **headers: str) -> ProviderReply:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ProviderReply(
        status=status, headers={"Content-Type": "application/json", **named}, body=data
    )


async def test_sends_what_the_protocol_wants(server: LoopbackProvider) -> None:
    settings = Settings(headers={"X-Team": "blue"})
    request = ModelRequest(messages=HELLO.messages, params={"temperature": 0.5})
    answer = await ask(client(server.base_url, settings=settings), request)
    call = server.seen[0]

    assert answer.text == "hello"
    assert call.body == {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "hello"}],
        "temperature": 0.5,
    }
    assert call.headers["Authorization"] == f"Bearer {CANARY}"
    assert call.headers["Content-Type"] == "application/json"
    assert call.headers["X-Team"] == "blue"
    assert "Cookie" not in call.headers


async def test_keeps_its_connection_and_no_cookies(server: LoopbackProvider) -> None:
    server.answer = lambda call: reply(
        {"choices": [{"message": {"content": "x"}}]}, Set_Cookie="a=b"
    )
    model = client(server.base_url)
    for _ in range(3):
        await model.complete(HELLO)
    await model.aclose()

    assert len({call.peer for call in server.seen}) == 1
    assert all("Cookie" not in call.headers for call in server.seen)


@pytest.mark.parametrize(
    ("provider", "model", "usage", "cost"),
    [
        ("openai", "gpt-4o-mini-2024-07-18", {"prompt_tokens": 1000, "completion_tokens": 100},
         210_000),
        ("openai", "gpt-4o-mini", {"prompt_tokens": 1000, "completion_tokens": 100,
                                   "prompt_tokens_details": {"cached_tokens": 1000}}, 135_000),
        ("openai", "gpt-4o-mini", {"prompt_tokens": 1000, "completion_tokens": 0}, None),
        ("openai", "gpt-4o-mini", None, None),
        ("openrouter", "some/model", {"prompt_tokens": 10, "completion_tokens": 1, "cost": 0.0021},
         2_100_000),
        ("openai", "gpt-4o-mini", {"prompt_tokens": 1000, "completion_tokens": 100, "cost": 9.0},
         210_000),
        ("ollama", "llama3", {"prompt_tokens": 1000, "completion_tokens": 100}, 0),
        ("ollama", "llama3", None, 0),
        ("openai-compatible", "x", {"prompt_tokens": 1000, "completion_tokens": 100}, None),
    ],
)  # fmt: skip
async def test_cost(
    server: LoopbackProvider, provider: str, model: str, usage: object, cost: int | None
) -> None:
    body = {"model": model, "usage": usage, "choices": [{"message": {"content": "x"}}]}
    server.answer = lambda call: reply(body)
    name = "gpt-4o-mini" if provider == "openai" else "unpriced"

    assert (await ask(client(server.base_url, provider=provider, name=name))).cost_nano_usd == cost


async def test_streams_that_nobody_asked_for_are_understood(server: LoopbackProvider) -> None:
    stream = (
        b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"he"}}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{"content":"y"},"finish_reason":"stop"}]}\n\n'
        b"data: [DONE]\n\n"
    )
    server.answer = lambda call: reply(stream, Content_Type="text/event-stream; charset=utf-8")
    assert (await ask(client(server.base_url))).text == "hey"

    server.answer = lambda call: reply(b'data: {"error":{"message":"slow","code":429}}\n\n')
    error = await failure(client(server.base_url))
    assert isinstance(error, RateLimited)
    assert error.status == 429


async def test_a_filter_that_withholds_the_answer(server: LoopbackProvider) -> None:
    server.answer = lambda call: reply(
        {"choices": [{"finish_reason": "content_filter", "index": 0}]}
    )

    assert isinstance(await failure(client(server.base_url)), ContentFiltered)


async def test_an_error_in_the_first_choice(server: LoopbackProvider) -> None:
    choice = {"message": {"content": "half"}, "finish_reason": "error",
              "error": {"code": 400, "message": "maximum context length exceeded"}}  # fmt: skip
    server.answer = lambda call: reply({"choices": [choice]})

    assert isinstance(await failure(client(server.base_url)), ContextTooLong)


async def test_dates_are_read_by_the_injected_clock(server: LoopbackProvider) -> None:
    headers = {"Retry-After": "Sun, 22 Nov 2026 12:00:42 GMT"}
    server.fail({1: Fault(kind="status", status=429, headers=headers)})

    assert (await failure(client(server.base_url))).retry_after_s == 42


async def test_reset_headers_count_only_where_the_call_was_limited(
    server: LoopbackProvider,
) -> None:
    headers = {"x-ratelimit-reset-tokens": "6m0s"}
    for status, wait in ((400, None), (500, None), (429, 360)):
        server.fail({server.calls + 1: Fault(kind="status", status=status, headers=headers)})

        assert (await failure(client(server.base_url))).retry_after_s == wait


async def test_a_redirect_is_not_followed_anywhere(server: LoopbackProvider) -> None:
    async with LoopbackProvider() as other:
        for target in (other, server):
            location = (
                f"{target.origin.replace('//', '//u:hunter2@')}/v1/chat/completions?k=hunter3"
            )
            before = server.calls
            server.fail({before + 1: Fault(kind="redirect", headers={"Location": location})})
            error = await failure(client(server.base_url))

            assert isinstance(error, RequestRejected)
            assert f"redirects to {target.origin}/v1/chat/completions" in error.what
            assert "hunter" not in shown(error)
            assert server.calls == before + 1
        assert other.calls == 0


async def test_a_giant_answer_is_cut_off(
    server: LoopbackProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai, "LARGEST_BODY", 1 << 20)
    server.answer = lambda call: reply(b"x" * (4 << 20))
    error = await failure(client(server.base_url))

    assert isinstance(error, MalformedResponse)
    assert "1 MB" in error.what


async def test_a_compressed_bomb_is_cut_off_too(
    server: LoopbackProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai, "LARGEST_BODY", 1 << 20)
    bomb = gzip.compress(b" " * (64 << 20))
    server.answer = lambda call: reply(bomb, Content_Encoding="gzip")

    assert isinstance(await failure(client(server.base_url)), MalformedResponse)


async def test_an_answer_that_claims_to_be_compressed(server: LoopbackProvider) -> None:
    server.answer = lambda call: reply(b'{"choices": []}', Content_Encoding="gzip")

    assert isinstance(await failure(client(server.base_url)), MalformedResponse)


async def raw_server(data: bytes) -> tuple[asyncio.Server, str]:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(data)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 \x1b[31m\xff\r\nContent-Length: 2\r\n\r\n{}",
    ],
)  # fmt: skip
async def test_servers_that_do_not_speak_http(data: bytes) -> None:
    server, base_url = await raw_server(data)
    async with server:
        error = await failure(client(base_url))

    assert isinstance(error, ConnectionFailed | MalformedResponse)
    assert str(error).isprintable()


async def test_no_server_and_no_such_host() -> None:
    server, base_url = await raw_server(b"")
    server.close()
    await server.wait_closed()
    for target in (base_url, "http://nobody.invalid/v1"):
        assert isinstance(await failure(client(target)), NotConnected)
    local = await failure(client(base_url, provider="ollama"))
    assert "start the server" in (local.fix or "")


async def test_a_certificate_nobody_signed(tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(  # noqa: ASYNC221  (nothing else runs in this loop)
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
         "-days", "1", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    async def never(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await failure(client(f"https://127.0.0.1:{port}/v1"))

    assert isinstance(error, NotConnected)
    assert "SSL_CERT_FILE" in (error.fix or "")


async def test_time_limits_of_model_and_request(server: LoopbackProvider) -> None:
    server.fail(["all=hang:seconds=30"])
    patient = client(server.base_url, timeout_s=30)
    hasty = ModelRequest(messages=HELLO.messages, timeout_s=0.1)

    assert "0.1 s" in str(await failure(patient, hasty))
    assert isinstance(await failure(client(server.base_url, timeout_s=0.1)), ModelTimeout)


async def test_waiting_for_a_connection_counts_towards_the_limit(server: LoopbackProvider) -> None:
    done = asyncio.Event()

    async def answer(call: ReceivedCall) -> ProviderReply:
        await done.wait()
        return reply({"choices": [{"message": {"content": "x"}}]})

    server.answer = answer
    context = ModelContext(
        provider="ollama", name="m", base_url=server.base_url, max_connections=1, timeout_s=60
    )
    model = OpenAICompatible.build(Settings(), context)
    first = asyncio.ensure_future(model.complete(HELLO))
    await until(lambda: server.in_flight == 1)
    hasty = ModelRequest(messages=HELLO.messages, timeout_s=0.1)
    waited = (model.complete(hasty) for _ in range(2))
    outcomes = await asyncio.gather(*waited, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ModelTimeout] * 2
    done.set()
    assert (await first).text
    await model.aclose()

    assert (server.peak, server.calls) == (1, 1)


async def test_a_closed_client_says_so(server: LoopbackProvider) -> None:
    model = client(server.base_url)
    await model.complete(HELLO)
    await model.aclose()

    assert isinstance(await failure(model), ConnectionFailed)
    assert server.calls == 1


async def test_closing_ends_the_calls_in_flight(server: LoopbackProvider) -> None:
    server.fail(["all=hang:seconds=30"])
    model = client(server.base_url)
    calls = [asyncio.ensure_future(model.complete(HELLO)) for _ in range(3)]
    await until(lambda: server.in_flight == 3)
    await model.aclose()
    outcomes = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5)

    assert [type(outcome) for outcome in outcomes] == [ConnectionFailed] * 3  # asked, not answered
    await until(lambda: server.in_flight == 0)


def telling(call: ReceivedCall) -> ProviderReply:
    """The worst server: tells back everything it got, in body and headers."""
    return reply({"error": {"message": f"You sent {dict(call.headers)}: {call.body}"}}, 400)


LIES = [
    Fault(kind="status", status=401, body=f"bad key {CANARY}".encode()),
    Fault(kind="status", status=500, body=f'{{"error":"{CANARY}"}}'.encode()),
    Fault(kind="status", status=429, headers={"Retry-After": CANARY}),
    Fault(kind="status", status=404, body=b'{"detail":"' + CANARY.encode() + b'"}'),
    Fault(kind="error200", body=orjson.dumps({"error": {"message": CANARY, "code": CANARY}})),
    Fault(kind="garbage", body=f"<html>{CANARY[:9]}\x00{CANARY[9:]}</html>".encode()),
    Fault(kind="redirect", headers={"Location": f"https://{CANARY}@evil/{CANARY}?k={CANARY}"}),
    *(Fault(kind=kind) for kind in ("reset", "close", "truncate", "cut", "empty", "shape")),
    Fault(kind="hang", seconds=30),
]


@pytest.mark.parametrize("fault", [*LIES, None], ids=lambda f: f"{f.kind}-{f.status}" if f else "-")
@pytest.mark.parametrize("provider", ["openai", "azure"])
async def test_the_key_is_nowhere_in_an_error(
    server: LoopbackProvider, caplog: pytest.LogCaptureFixture, fault: Fault | None, provider: str
) -> None:
    """In no text, repr, traceback (with locals of our own frames), log or attribute of it."""
    caplog.set_level(logging.DEBUG)
    server.answer = telling
    server.fail(lambda _: fault)
    hangs = fault is not None and fault.kind == "hang"
    model = client(server.base_url, provider=provider, timeout_s=2 if hangs else 60)
    error = await failure(model)

    assert "canary" not in shown(error)
    assert "canary" not in caplog.text
    assert "canary" not in repr(model)
    assert server.calls == 1


def shown(error: BaseException) -> str:
    """Everything of an error that a log, a report or a debugger would show."""
    texts = []
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is None:
            continue
        pending += [one.__cause__, one.__context__]
        texts += [str(one), repr(one), repr(one.args), repr(getattr(one, "__notes__", ""))]
        texts += [repr(value) for value in vars(one).values()]
        if isinstance(one, TauError):
            texts += [f"{one.what} {one.where} {one.why} {one.fix}"]
        texts += traceback.TracebackException.from_exception(one, capture_locals=True).format()
    return "\n".join(texts)
