#!/usr/bin/env python
"""What an open tab costs: main thread and bytes while a run settles about ten rollouts a second.

Usage: .venv/bin/python benchmarks/bench_tab.py [SECONDS]   (needs chromium)
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from browser.chromium import Tab, chromium, tab
from browser.test_dashboard import dashboard, program

PAGES = (("overview", ""), ("run", "/runs/{run}"), ("queue", "/runs/{run}/queue"))


class Counting(Tab):
    """A tab that counts what comes over the network, as it is encoded there."""

    received = 0

    def _event(self, method: str, params: Mapping[str, Any]) -> None:
        if method == "Network.dataReceived":
            self.received += params["encodedDataLength"]
        super()._event(method, params)


def config_in(folder: Path, seconds: float) -> Path:
    (folder / "slow.py").write_text(
        "import asyncio\n\n\nasync def answer(fields, resources):\n"
        "    await asyncio.sleep(0.38)\n    return fields['prompt']\n"
    )
    rows = int(10 * seconds * (len(PAGES) + 3)) + 200
    config = {
        "executor": {"type": "python", "function": "slow.py:answer"},
        "model": "sim/rules", "resources": {"system_prompt": "Be brief."},
        "optimize": [{"prompt": f"row {n}", "expected": f"row {n - n % 2}"} for n in range(rows)],
        "validate": [{"prompt": "yes", "expected": "yes"}],
        "worker_count": 1, "worker_concurrency": 4,
    }  # fmt: skip
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path


async def busy_s(page: Tab) -> float:
    found = (await page.send("Performance.getMetrics"))["metrics"]
    return float(next(one["value"] for one in found if one["name"] == "TaskDuration"))


async def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = str(config_in(folder, seconds))
        async with (
            dashboard(folder) as link,
            chromium() as browser,
            tab(browser) as first,
            program(folder, "run", config, "--store", "store.sqlite"),
        ):
            root = link.partition("/login")[0]
            await first.open(link)
            await first.until("document.querySelector('.top a.pill.running')")
            run = await first.run("document.querySelector('.top a.pill').href.split('/').pop()")
            await asyncio.sleep(10)  # the first hundred rollouts
            await first.open("about:blank")
            for title, path in PAGES:
                await measured(first, title, root + path.format(run=run), seconds)


async def measured(page: Tab, title: str, address: str, seconds: float) -> None:
    """Print one page's figures, from when it is at rest."""
    page.__class__ = Counting
    await page.send("Performance.enable", timeDomain="threadTicks")  # not what others take
    await page.open(address)
    await asyncio.sleep(3)
    page.received, before = 0, await busy_s(page)  # type: ignore[attr-defined]
    await asyncio.sleep(seconds)
    spent = await busy_s(page) - before
    kilobytes = page.received / 1024  # type: ignore[attr-defined]
    print(
        f"{title:9} {100 * spent / seconds:5.1f} % of a core, {kilobytes / seconds:6.2f} KB/s"
        f" ({kilobytes:.0f} KB in {seconds:.0f} s)"
    )


asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 30.0))
