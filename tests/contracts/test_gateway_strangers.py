"""What strangers can take of a gateway that listens: real processes, real sockets."""

import asyncio
import json
import os
import re
import resource
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tau.gateway.guard import HEADERS
from unit.stores.stores import fill

PROGRAM = ("-c", "from tau.cli.main import tau; tau()")
FILES = 128
TOKEN = "a-token-of-the-environment"


@dataclass(frozen=True)
class Listening:
    port: int
    pid: int
    folder: Path

    @property
    def files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @property
    def memory_mb(self) -> int:
        text = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", text)
        assert found is not None
        return int(found[1]) // 1024

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    async def asked(self, path: str, token: str | None = None) -> tuple[int, dict[str, str]]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with (
            aiohttp.ClientSession(f"http://127.0.0.1:{self.port}") as session,
            session.get(path, headers=headers, timeout=aiohttp.ClientTimeout(20)) as answer,
        ):
            await answer.read()
            return answer.status, dict(answer.headers)


@asynccontextmanager
async def listening(folder: Path, *words: str) -> AsyncIterator[Listening]:
    base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with (folder / "err").open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *PROGRAM, "serve", "--bind", "127.0.0.1:0", "--store", "store.sqlite",
            *words, cwd=folder, env={**base, "USER": "tester", "TAU_GATEWAY_TOKEN": TOKEN},
            stdout=asyncio.subprocess.PIPE, stderr=errors,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES)),
        )  # fmt: skip
    assert process.stdout is not None
    link = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
    found = re.search(r":(\d+)/", link)
    assert found is not None, (folder / "err").read_text()
    try:
        yield Listening(int(found[1]), process.pid, folder)
    finally:
        process.terminate()
        await asyncio.wait_for(process.communicate(), 30)


async def test_hundreds_of_silent_connections_stop_nobody(tmp_path: Path) -> None:
    await fill(tmp_path / "store.sqlite")
    async with listening(tmp_path) as server:
        silent = []
        for number in range(500):
            one = server.connect()
            if number % 2:
                one.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ")
            silent.append(one)
        codes = [(await server.asked(path))[0] for path in ("/healthz", "/readyz")]
        codes.append((await server.asked("/dashboard/health", TOKEN))[0])
        files = server.files
        async with asyncio.timeout(60):
            while server.files > 16:  # noqa: ASYNC110  (another process's)
                await asyncio.sleep(0.2)
        for one in silent:
            one.close()
    assert codes == [200, 200, 200]
    assert files < FILES
    assert (tmp_path / "err").stat().st_size < 10_000


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ", b"a"),
        (b"GET /", b"a"),
        (b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n",
         b"1;" + b"a" * 100 + b"\r\nx\r\n"),
        (b"\x16\x03\x01\x02\x00\x01", b"\x00"),
    ],
)  # fmt: skip
async def test_endless_requests_end(tmp_path: Path, begin: bytes, more: bytes) -> None:
    async with listening(tmp_path) as server:
        before = server.memory_mb
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(begin)
        sent = 0
        try:
            while sent < 64 * 1024 * 1024:
                writer.write(more * (65536 // len(more)))
                await writer.drain()
                sent += 65536
        except ConnectionError:
            pass
        else:
            pytest.fail("nobody ended it")
        finally:
            writer.close()
        del reader
        assert server.memory_mb - before < 30
        assert (await server.asked("/healthz"))[0] == 200


async def test_every_token_acts_as_its_own_principal_until_it_is_taken_out(tmp_path: Path) -> None:
    await fill(tmp_path / "store.sqlite")
    made = {}
    for name in ("local:lead", "local:intern"):
        process = await asyncio.create_subprocess_exec(
            sys.executable, *PROGRAM, "rbac", "token", name, "--tokens", "tokens", cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
        made[name] = out.decode().strip()
    text = (tmp_path / "tokens").read_text()
    assert not any(token in text for token in made.values())
    assert (tmp_path / "tokens").stat().st_mode & 0o777 == 0o600
    policy = {
        "team_mode": True,
        "bindings": [
            {"principal": "local:lead", "roles": ["lead"]},
            {"principal": "local:intern", "roles": ["viewer"]},
        ],
        "roles": {"lead": {"allow": ["*"]}, "viewer": {"allow": ["control:rl:status"]}},
    }
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    words = ("--tokens", "tokens", "--rbac-policy", "policy.json")
    async with (
        listening(tmp_path, *words) as server,
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session,
    ):
        codes = {}
        for name, token in made.items():
            async with session.post(
                "/dashboard/actions", json={"action": "pause"},
                headers={"Authorization": f"Bearer {token}"},
            ) as answer:  # fmt: skip
                codes[name] = answer.status
        kept = [one for one in text.splitlines() if "intern" not in one]
        (tmp_path / "tokens").write_text("\n".join(kept) + "\n")
        after = [(await server.asked("/dashboard/health", token))[0] for token in made.values()]
    lines = [json.loads(one) for one in (tmp_path / "control-audit.jsonl").read_text().splitlines()]
    assert codes == {"local:lead": 200, "local:intern": 403}
    assert [(one["principal"], one["decision"]) for one in lines] == [
        ("local:lead", "allowed"), ("local:intern", "denied"),
    ]  # fmt: skip
    assert after == [200, 401]


async def test_odd_addresses_are_answered_with_the_usual_headers(tmp_path: Path) -> None:
    await fill(tmp_path / "store.sqlite")
    odd = ["%C2%B2", "%D9%A3", "%00", "-1", "1e3", "%F0%9F%98%80", "9" * 400, "%FF", "..%2F"]
    paths = [f"{base}{one}" for base in ("/prompts/", "/live/prompts/", "/promote/", "/runs/",
             "/rollouts/", "/api/v1/runs/", "/prompts?page=", "/controls/pause?run=",
             "/static/") for one in odd]  # fmt: skip
    async with listening(tmp_path) as server:
        for path in paths:
            status, headers = await server.asked(path, TOKEN)
            assert status < 500, path
            assert HEADERS.keys() <= headers.keys(), path
