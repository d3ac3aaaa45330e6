"""A real browser on a real gateway: a run watched as it goes, every page read, controls used."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from browser.chromium import Tab, chromium, executable, tab

pytestmark = [
    pytest.mark.skipif(executable() is None, reason="no chromium; .ci/run installs it"),
    pytest.mark.timeout(180),
]

HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "\u202eevil\u202c zero\u200bwidth \x1b[31mred {{ 7*7 }} </textarea>'\"&amp;"
)


def _config(folder: Path, *, rows: int) -> Path:
    """A run of some seconds: a program that waits, and texts that mean harm."""
    (folder / "slow.py").write_text(
        "import asyncio\n\n\nasync def answer(fields, resources):\n"
        "    await asyncio.sleep(0.1)\n    return fields['prompt']\n"
    )
    config = {
        "executor": {"type": "python", "function": "slow.py:answer"},
        "model": "sim/rules",
        "resources": {"system_prompt": f"Be brief. {HOSTILE}"},
        "optimize": [{"prompt": f"{n} {HOSTILE}", "expected": "x"} for n in range(rows)],
        "validate": [{"prompt": "yes", "expected": "yes"}],
        "worker_count": 1,
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path


@asynccontextmanager
async def program(
    folder: Path, *words: str, env: Mapping[str, str] | None = None, errors: bool = False
) -> AsyncIterator[asyncio.subprocess.Process]:
    """One of Tau's commands, ended with the block."""
    base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from tau.cli.main import tau; tau()", *words, cwd=folder,
        env={**base, "PYTHONPATH": str(folder), "USER": "tester", **(env or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE if errors else asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def dashboard(folder: Path) -> AsyncIterator[str]:
    """A gateway on the folder; the link that logs in."""
    async with program(folder, "serve", "--store", "store.sqlite", "--bind", "127.0.0.1:0") as one:
        assert one.stdout is not None
        async with asyncio.timeout(30):
            link = (await one.stdout.readline()).decode().strip()
        yield link


def _calm(found: Tab, root: str) -> None:
    """Nothing complained, and nobody else was asked."""
    assert found.complaints == []
    foreign = [url for url in found.requests if not url.startswith((root, "data:", "about:"))]
    assert foreign == []


FAINT = (Path(__file__).parent / "faint.js").read_text()

STUMBLES = (Path(__file__).parent / "stumbles.js").read_text()

PAGES = ("", "/candidates", "/matrix", "/rollouts", "/queue", "/cost")


@pytest.mark.parametrize("lang", ["en_US.UTF-8", "C.UTF-8"])
async def test_a_run_is_watched_from_start_to_end(tmp_path: Path, lang: str) -> None:
    config = _config(tmp_path, rows=40)
    async with dashboard(tmp_path) as link, chromium(lang=lang) as browser, tab(browser) as page:
        root = link.partition("/login")[0]
        await page.open(link)
        await page.until("document.querySelector('h1')?.textContent === 'Overview'")
        assert "There is no run yet." in await page.run("document.body.innerText")
        await page.run("window.mark = 'the page was never loaded again'")
        async with program(tmp_path, "run", str(config), "--store", "store.sqlite") as run:
            await page.until("document.querySelector('#live .pill.running')")
            first = await page.until(_settled("> 0"))
            await page.until(_settled(f"> {first}"))
            assert await page.run("window.mark") == "the page was never loaded again"
            assert await asyncio.wait_for(run.wait(), 60) == 0
        await page.until("document.querySelector('#live .pill.done')")
        assert await page.until(_settled("== 41")) == 41
        address = await page.run("document.querySelector('.sections a[href^=\"/runs/\"]').href")
        for path in (*(address + one for one in PAGES), *_more(root)):
            await page.open(path)
            await page.until("document.querySelector('h1') && document.readyState == 'complete'")
            assert "did not work" not in await page.run("document.querySelector('h1').innerText")
            assert "owned" not in await page.run("document.title")
            await page.look(width=390)
            assert await page.run("document.documentElement.scrollWidth") <= 390, path
            for dark in (False, True):
                await page.look(dark=dark)
                assert await page.run(FAINT) == [], path
                assert await page.run(STUMBLES) == [], path
            await page.look()
        await page.open(f"{address}/rollouts")
        await page.click("tbody a[href$='-r1']")
        text = await page.run("document.body.innerText")
        assert "<script>document.title='owned'</script>" in text
        assert "\\u202eevil\\u202c zero\\u200bwidth \\x1b[31mred {{ 7*7 }}" in text
        _calm(page, root)


async def test_controls_are_previewed_used_and_audited(tmp_path: Path) -> None:
    config = _config(tmp_path, rows=300)
    async with dashboard(tmp_path) as link, chromium() as browser, tab(browser) as page:
        root = link.partition("/login")[0]
        await page.open(link)
        await page.until("document.querySelector('h1')?.textContent === 'Overview'")
        async with program(tmp_path, "run", str(config), "--store", "store.sqlite") as run:
            await page.until("document.querySelector('#live .pill.running')")
            own = await page.run("document.querySelector('.top a.pill').href")
            await page.open(own)
            await page.click("a.button.pause")
            assert "in flight will finish" in await page.run("document.body.innerText")
            assert "tau pause --state-dir" in await page.run("document.body.innerText")
            await page.run("document.querySelector('#reason').value = 'to have a look'")
            await page.click("button.pause")
            await page.open(own)
            await page.until("document.querySelector('#live .pill.paused')")
            await page.click("a.button.resume")
            await page.click("button.resume")
            await page.open(own)
            await page.until("document.querySelector('#live .pill.running')")
            await page.click("a.button.cancel")
            for dark in (False, True):
                await page.look(dark=dark)
                assert await page.run(FAINT) == []
            await page.click("button.cancel")
            await asyncio.wait_for(run.wait(), 60)
        await page.open(f"{root}/audit")
        text = await page.run("document.body.innerText")
        assert "The chain holds" in text
        assert "to have a look" in text
        words = [json.loads(one)["action"] for one in _audit(tmp_path)]
        assert [one for one in words if one in ("pause", "resume", "cancel")] == [
            "pause", "resume", "cancel",
        ]  # fmt: skip
        _calm(page, root)


async def test_it_works_by_keyboard_and_without_scripts(tmp_path: Path) -> None:
    config = _config(tmp_path, rows=3)
    async with program(tmp_path, "run", str(config), "--store", "store.sqlite") as run:
        assert await asyncio.wait_for(run.wait(), 60) == 0
    async with dashboard(tmp_path) as link, chromium() as browser, tab(browser) as page:
        await page.without_scripts()
        await page.open(link)
        await page.send("Page.bringToFront")
        await page.press("Tab")
        await page.press("Tab")
        page._loaded.clear()
        await page.press("Enter")
        await page.loaded()
        assert "Is it running?" in await page.run("document.body.innerText")
        await page.press("Tab")
        focused = "document.activeElement.innerText"
        assert await page.run(focused) == "Skip to the content"
        for _ in range(60):
            await page.press("Tab")
            if await page.run(focused) == "Matrix":
                break
        page._loaded.clear()
        await page.press("Enter")
        await page.loaded()
        assert await page.run("document.querySelector('h1').innerText") == "Matrix"
        assert await page.run("document.querySelectorAll('svg.chart .cell').length") == 4
        _calm(page, link.partition("/login")[0])


async def test_what_a_reader_did_outlives_updates_and_the_last_state_is_told(
    tmp_path: Path,
) -> None:
    config = _search_config(tmp_path)
    words = ("optimize", str(config), "--store", "store.sqlite", "--serve", "127.0.0.1:0")
    async with chromium() as browser, tab(browser) as page:
        async with program(tmp_path, *words, errors=True) as run:
            link = await _link(run)
            root = link.partition("/login")[0]
            await page.open(link)
            await page.until("document.querySelector('.top a.pill.running')")
            await page.open(await page.run("document.querySelector('.top a.pill').href"))
            await page.until("document.querySelector('.drawn canvas')")
            await page.run(ZOOM)
            zoomed = await page.run(SCALE)
            await page.run("document.querySelectorAll('details').forEach(d => { d.open = true })")
            await page.run("window.panel = document.querySelector('.drawn')")
            first = await page.run("document.querySelector('table.meters').innerText")
            await page.until(
                f"document.querySelector('table.meters').innerText !== {json.dumps(first)}"
            )
            assert await page.run("document.querySelector('.drawn') === window.panel")
            assert await page.run("[...document.querySelectorAll('details')].some(d => d.open)")
            assert await page.run(SCALE) == zoomed
            assert await asyncio.wait_for(run.wait(), 90) == 0
        await page.until("document.querySelector('#live .pill.done')")
        await page.until("document.body.innerText.includes('this is the last state')")
        assert await page.run("!!document.querySelector('.panel.verdict')")
        _calm(page, root)


async def _link(run: asyncio.subprocess.Process) -> str:
    assert run.stderr is not None
    async with asyncio.timeout(30):
        while not (line := (await run.stderr.readline()).decode()).startswith("dashboard: http"):
            pass
    return line.partition(" ")[2].strip()


async def test_squares_are_one_tab_stop_and_arrows_go_between_them(tmp_path: Path) -> None:
    config = _config(tmp_path, rows=12)
    async with program(tmp_path, "run", str(config), "--store", "store.sqlite") as run:
        assert await asyncio.wait_for(run.wait(), 60) == 0
    async with dashboard(tmp_path) as link, chromium() as browser, tab(browser) as page:
        await page.open(link)
        await page.until("document.querySelector('h1')?.textContent === 'Overview'")
        run_page = await page.run("document.querySelector('tbody a').href")
        await page.open(f"{run_page}/matrix")
        stops = "[...document.querySelectorAll('table.matrix a')].filter(a => a.tabIndex === 0)"
        assert await page.run(f"{stops}.length") == 1
        await page.run("document.querySelector('table.matrix tbody a').focus()")
        await page.send("Page.bringToFront")
        before = await page.run("document.activeElement.href")
        await page.run(
            "document.activeElement.dispatchEvent(new KeyboardEvent('keydown',"
            " {key: 'ArrowDown', bubbles: true, cancelable: true}))"
        )
        after = await page.run("document.activeElement.href")
        assert after != before
        assert "/rollouts/" in after
        assert await page.run(f"{stops}.length") == 1


ZOOM = (Path(__file__).parent / "zoom.js").read_text()
SCALE = "document.querySelector('.drawn').dataset.range"


def _search_config(folder: Path) -> Path:
    """A search of some seconds with enough rows for a course."""
    demo = Path(__file__).parents[2] / "examples" / "demo"
    config = json.loads((demo / "prompt-optimization.json").read_text())
    for name in ("optimize", "validate", "test"):
        found = config.get(name)
        if isinstance(found, dict) and "file" in found:
            found["file"] = str(demo / found["file"])
    config["model"]["latency_ms"] = 250
    (folder / "config.json").write_text(json.dumps(config))
    return folder / "config.json"


def _settled(condition: str) -> str:
    """The overview's number of settled rollouts where it meets a condition, else nothing."""
    return (
        "(() => { const found = /(\\d+) of \\d+ rollouts settled/.exec(document.body.innerText);"
        f" return found && Number(found[1]) {condition} ? Number(found[1]) : 0; }})()"
    )


def _more(root: str) -> tuple[str, ...]:
    return tuple(root + path for path in ("/alerts", "/audit", "/prompts", "/prompts/1"))


def _audit(folder: Path) -> list[str]:
    return (folder / "control-audit.jsonl").read_text().splitlines()
