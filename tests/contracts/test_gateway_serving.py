"""`tau serve` and `tau run --serve` as people start them."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import aiohttp
import pytest

PROGRAM = ("-c", "from tau.cli.main import tau; tau()")
SLOW = (
    "import asyncio, os\n\n\nasync def answer(fields, resources):\n"
    "    await asyncio.sleep(0.2)\n    return fields['prompt']\n"
)


async def started(folder: Path, *words: str, **env: str) -> asyncio.subprocess.Process:
    base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return await asyncio.create_subprocess_exec(
        sys.executable, *PROGRAM, *words, cwd=folder, env={**base, "USER": "tester", **env},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--auth", "localhost-dev", "--bind", "0.0.0.0:0"), "without authentication"),
        (("--auth", "localhost-dev", "--bind", "[::]:0"), "without authentication"),
        (("--auth", "password-session"), "needs a password"),
        (("--bind", "nowhere"), "no address to listen on"),
        (("--bind", "127.0.0.1:99999"), "no address to listen on"),
        (("--token-file", "missing"), "no secret"),
    ],
)
async def test_what_would_be_open_does_not_start(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    process = await started(tmp_path, "serve", *words)
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode in (1, 2)
    assert (out, said in err.decode()) == (b"", True), err.decode()


async def test_short_secrets_are_refused(tmp_path: Path) -> None:
    process = await started(tmp_path, "serve", TAU_GATEWAY_TOKEN="short")
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert "too short" in err.decode()
    assert "short'" not in err.decode()


async def test_a_link_is_printed_and_a_signal_ends_it_with_streams_open(tmp_path: Path) -> None:
    token = "a-token-of-the-environment"
    process = await started(tmp_path, "serve", "--bind", "127.0.0.1:0", TAU_GATEWAY_TOKEN=token)
    assert process.stdout is not None
    link = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
    match = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/login\?link=[\w-]{43}", link)
    assert match is not None
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(match[1], headers=headers) as session,
        session.get("/dashboard/stream") as stream,
    ):
        first = await asyncio.wait_for(stream.content.readline(), 10)
        assert first == b"event: dashboard.snapshot\n"
        process.terminate()
        _, err = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0
    assert token not in err.decode()


async def test_the_stream_resumes(tmp_path: Path) -> None:
    process = await started(tmp_path, "serve", "--bind", "127.0.0.1:0", "--auth", "localhost-dev")
    assert process.stdout is not None
    base = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip().rstrip("/")
    async with aiohttp.ClientSession(base) as session:
        async with session.get("/dashboard/stream") as stream:
            lines = [(await stream.content.readline()).decode() for _ in range(3)]
        seen = lines[1].removeprefix("id: ").strip()
        whole = json.loads(lines[2].removeprefix("data: "))
        async with session.post("/dashboard/actions", json={"action": "pause"}) as answer:
            assert answer.status == 200
        again = {"Last-Event-ID": seen}
        async with session.get("/dashboard/stream", headers=again) as stream:
            text = ""
            while '"paused":true' not in text:
                text += (await asyncio.wait_for(stream.content.readline(), 10)).decode()
    process.terminate()
    await process.communicate()
    assert re.fullmatch(r"dashboard-\d+", seen)
    assert whole["complete"] is True
    assert set(whole) >= {"health", "training", "control", "state", "alerts", "queue_timeline"}
    assert text.startswith("event: dashboard.reset\n")
    changed = next(one for one in text.splitlines() if '"paused":true' in one)
    assert json.loads(changed.removeprefix("data: "))["complete"] is False
    assert "queue_timeline" not in changed


async def test_a_run_serves_itself_and_hands_no_key_on(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    config = {
        "executor": {"type": "python", "function": "slow.py:answer"}, "model": "sim/rules",
        "validate": [{"prompt": str(n)} for n in range(600)], "worker_count": 1,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    token, key = "a-token-of-the-environment", "sk-canary-of-the-test"
    run = await started(
        tmp_path, "run", "config.json", "--store", "s.sqlite", "--serve", "127.0.0.1:0",
        TAU_GATEWAY_TOKEN=token, OPENAI_API_KEY=key,
    )  # fmt: skip
    assert run.stderr is not None
    async with asyncio.timeout(60):
        while not (text := (await run.stderr.readline()).decode()).startswith("dashboard: "):
            assert text, "the run ended before it said where its dashboard is"
        base = text.removeprefix("dashboard: ").partition("/login")[0]
        beside = [pid for pid in _children(run.pid) if b"--beside-run" in _read(pid, "cmdline")]
        assert len(beside) == 1
        assert key.encode() not in _read(beside[0], "environ")
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(base, headers=headers) as session:
            state = ""
            while state != "running":
                async with session.get("/dashboard/health") as answer:
                    state = (await answer.json())["training"]["run_state"]
                await asyncio.sleep(0.05)
        run.kill()  # the dashboard ends by itself even then
        await run.wait()
        while _read(beside[0], "cmdline"):  # noqa: ASYNC110  (another process's life)
            await asyncio.sleep(0.05)


def _children(pid: int) -> list[int]:
    folder = Path("/proc", str(pid), "task")
    return [
        int(one) for task in folder.iterdir() for one in (task / "children").read_text().split()
    ]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path("/proc", str(pid), name).read_bytes()
    except OSError:
        return b""
