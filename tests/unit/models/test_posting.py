"""Posting over connections that are kept, against servers that are told byte for byte."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from yarl import URL

from tau.models.posting import HttpPoster
from tau.testing.model import until

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

HEADERS = {"Authorization": "Bearer canary", "Content-Type": "application/json"}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Says what it is told to on each request; keeps what it has read, by connection."""

    def __init__(self, *answers: bytes, close: bool = False) -> None:
        self.requests: list[list[bytes]] = []
        self._answers = iter(answers)
        self._close = close

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard: list[bytes] = []
        self.requests.append(heard)
        while head := await until_blank(reader):
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
            heard.append(head + await reader.readexactly(length))
            writer.write(next(self._answers, OK))
            if self._close:
                break


async def until_blank(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


@asynccontextmanager
async def served(talk: Talk) -> AsyncIterator[str]:
    """Where `talk` has its say on every connection; returns when all are closed."""
    talking = 0

    async def whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal talking
        talking += 1
        try:
            await talk(reader, writer)
            writer.close()
            await writer.wait_closed()
        except ConnectionError:
            pass
        finally:
            talking -= 1

    async with await asyncio.start_server(whole, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await until(lambda: not talking)


@asynccontextmanager
async def posting(url: str, *, proxy: str | None = None) -> AsyncIterator[HttpPoster]:
    made = HttpPoster(
        URL(url), HEADERS, proxy=URL(proxy) if proxy else None, connections=4, largest_body=1000
    )
    yield made
    await made.aclose()


async def test_sends_one_whole_request_after_another_over_one_connection() -> None:
    server = Server()
    async with served(server.talk) as origin, posting(f"{origin}/v1?a=b%20c") as box:
        for body in (b"{}", b"", b"x" * 300_000):
            assert (await box.post(body, timeout_s=10))[0::2] == (200, b"ok")

    (heard,) = server.requests
    for request, body in zip(heard, (b"{}", b"", b"x" * 300_000), strict=True):
        head, _, sent = request.partition(b"\r\n\r\n")
        line, *headers = head.decode().split("\r\n")
        assert line == "POST /v1?a=b%20c HTTP/1.1"
        assert sent == body
        named = dict(header.split(": ", 1) for header in headers)
        assert len(named) == len(headers)
        assert named["Host"] == origin.removeprefix("http://")
        assert named["Content-Length"] == str(len(body))
        assert named.items() >= HEADERS.items()
        assert "gzip" in named["Accept-Encoding"]


async def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    server = Server(b"HTTP/1.1 200 OK\r\n\r\nall of it", close=True)
    async with served(server.talk) as origin, posting(origin) as box:
        assert (await box.post(b"", timeout_s=10)).body == b"all of it"
        assert (await box.post(b"", timeout_s=10)).body == b"ok"

    assert len(server.requests) == 2


async def test_what_comes_before_the_answer_is_not_the_answer() -> None:
    server = Server(
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK
    )
    async with served(server.talk) as origin, posting(origin) as box:
        assert (await box.post(b"", timeout_s=10)).body == b"ok"
        assert (await box.post(b"", timeout_s=10)).body == b"ok"

    assert len(server.requests) == 1


@pytest.mark.parametrize("late", [False, True])
async def test_an_answer_nobody_asked_for_is_nobodys(late: bool) -> None:
    stray = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"
    answered, sent = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await until_blank(reader)
        if late and not sent.is_set():
            writer.write(OK)
            await answered.wait()
            writer.write(stray)
        else:
            writer.write(OK + stray)
        await writer.drain()
        sent.set()
        await reader.read()

    async with served(talk) as origin, posting(origin) as box:
        assert (await box.post(b"", timeout_s=10)).body == b"ok"
        answered.set()
        await sent.wait()
        for _ in range(5):  # rounds of the loop: what was sent over loopback is read in the next
            await asyncio.sleep(0)
        assert (await box.post(b"", timeout_s=10)).body == b"ok"


async def test_a_connection_with_half_a_request_on_it_is_not_used_again() -> None:
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
        await done.wait()

    done = asyncio.Event()
    async with served(talk) as origin, posting(origin) as box:
        for _ in range(2):
            assert (await box.post(b"x" * 50_000_000, timeout_s=10)).body == b"ok"
        done.set()

    assert connections == 2


async def test_cancelling_closes_the_connection() -> None:
    reached, left = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await until_blank(reader)
        reached.set()
        await reader.read()
        left.set()

    async with served(talk) as origin, posting(origin) as box:
        calling = asyncio.ensure_future(box.post(b"", timeout_s=10))
        await reached.wait()
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await asyncio.wait_for(left.wait(), 10)


async def test_too_much_is_not_read_to_its_end() -> None:
    server = Server(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n" + b"x" * 5_000_000)
    async with served(server.talk) as origin, posting(origin) as box:
        assert 1000 < len((await box.post(b"", timeout_s=10)).body) < 5_000_000
        assert (await box.post(b"", timeout_s=10)).body == b"ok"

    assert len(server.requests) == 2


async def test_an_http_proxy_gets_the_whole_address_and_its_own_password() -> None:
    server = Server()
    async with served(server.talk) as proxy:
        proxy = proxy.replace("//", "//user:hunter2@")
        async with posting("http://far.invalid/v1", proxy=proxy) as box:
            for _ in range(2):
                assert (await box.post(b"{}", timeout_s=10)).body == b"ok"

    password = base64.b64encode(b"user:hunter2")
    (heard,) = server.requests
    assert len(heard) == 2
    for request in heard:
        assert request.startswith(b"POST http://far.invalid/v1 HTTP/1.1\r\n")
        assert request.count(b"Proxy-Authorization: Basic " + password) == 1


async def test_a_tunnel_is_asked_for_without_the_key() -> None:
    server = Server(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    async with served(server.talk) as proxy, posting("https://far.invalid/v1", proxy=proxy) as box:
        with pytest.raises(aiohttp.ClientHttpProxyError):
            await box.post(b"{}", timeout_s=10)

    await until(lambda: bool(server.requests))
    (request,) = server.requests[0]
    assert request.startswith(b"CONNECT far.invalid:443 HTTP/1.1\r\n")
    assert b"canary" not in request


async def test_no_header_can_bring_another_one_along() -> None:
    async with served(Server().talk) as origin:
        box = HttpPoster(
            URL(origin), {"X": "a\r\nY: b"}, proxy=None, connections=1, largest_body=10
        )
        with pytest.raises(ValueError, match="unprintable"):
            await box.post(b"", timeout_s=10)
        await box.aclose()
