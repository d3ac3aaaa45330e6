"""A real browser, driven over its own debugging protocol."""

import asyncio
import base64
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-port=0",
)  # fmt: skip


def executable() -> str | None:
    """The browser's program, None where there is none."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


class Tab:
    """One page of the browser, with everything it asked for and complained of."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._answers: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self._reader = asyncio.create_task(self._read())
        self.requests: list[str] = []
        self.complaints: list[str] = []

    async def send(self, method: str, **params: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """One command and its answer."""
        self._number += 1
        answer = asyncio.get_running_loop().create_future()
        self._answers[self._number] = answer
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        async with asyncio.timeout(30):
            found = await answer
        assert "error" not in found, (method, found)
        result: Mapping[str, Any] = found["result"]
        return result

    async def begin(self) -> None:
        """Listen to everything."""
        for domain in ("Page", "Network", "Runtime", "Log"):
            await self.send(f"{domain}.enable")

    async def open(self, url: str) -> None:
        """Go to an address and wait until it is there."""
        self._loaded.clear()
        await self.send("Page.navigate", url=url)
        await self.loaded()

    async def loaded(self) -> None:
        """Wait until the page that is on its way is there."""
        async with asyncio.timeout(20):
            await self._loaded.wait()

    async def click(self, selector: str) -> None:
        """Click something that leads to another page, and wait for that."""
        self._loaded.clear()
        await self.run(f"document.querySelector({json.dumps(selector)}).click()")
        await self.loaded()

    async def run(self, script: str) -> Any:  # noqa: ANN401
        """The value of a JavaScript expression."""
        found = await self.send("Runtime.evaluate", expression=script, returnByValue=True,
                                awaitPromise=True)  # fmt: skip
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, script: str, *, timeout_s: float = 20) -> Any:  # noqa: ANN401
        """Wait until an expression is true; its value."""
        async with asyncio.timeout(timeout_s):
            # an element of the page comes as an empty object, and is there all the same
            while (value := await self.run(script)) in (None, False, 0, ""):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return value

    async def press(self, key: str) -> None:
        """Press and release a key."""
        codes = {"Tab": 9, "Enter": 13}
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            await self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                            windowsVirtualKeyCode=codes[key], **text)  # fmt: skip

    async def look(self, *, width: int = 1280, dark: bool = False, height: int = 800) -> None:
        """How wide the window is, and whether it is dark."""
        await self.send("Emulation.setDeviceMetricsOverride", width=width, height=height,
                        deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])

    async def without_scripts(self) -> None:
        """As for somebody who allows none."""
        await self.send("Emulation.setScriptExecutionDisabled", value=True)

    async def picture(self, path: Path, *, whole: bool = True) -> None:
        """A PNG of the page, all of its length."""
        found = await self.send("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    async def close(self) -> None:
        """Stop listening."""
        self._reader.cancel()
        await self._socket.close()

    async def _read(self) -> None:
        async for message in self._socket:
            found = json.loads(message.data)
            if "id" in found:
                self._answers.pop(found["id"]).set_result(found)
            else:
                self._event(found["method"], found["params"])

    def _event(self, method: str, params: Mapping[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Log.entryAdded":
            entry = params["entry"]
            self.complaints.append(f"{entry['source']}: {entry['text']} {entry.get('url', '')}")
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.complaints.append(str(params["args"]))


@asynccontextmanager
async def chromium(*, lang: str = "en_US.UTF-8") -> AsyncIterator[aiohttp.ClientSession]:
    """A browser with an empty profile; a session whose base is its debugging address."""
    program = executable()
    assert program is not None
    folder = tempfile.mkdtemp(prefix="tau-browser-")
    environ = {"PATH": os.environ.get("PATH", ""), "LANG": lang, "LC_ALL": lang, "HOME": folder}
    process = await asyncio.create_subprocess_exec(
        program, *FLAGS, f"--user-data-dir={folder}", "about:blank", env=environ,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        port_file = Path(folder, "DevToolsActivePort")
        async with asyncio.timeout(30):
            while not port_file.exists() or not port_file.read_text().strip():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        port = port_file.read_text().split()[0]
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            yield session
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def tab(browser: aiohttp.ClientSession) -> AsyncIterator[Tab]:
    """A new tab."""
    async with browser.put("/json/new?about:blank") as answer:
        address = (await answer.json())["webSocketDebuggerUrl"]
    async with browser.ws_connect(address, max_msg_size=0) as socket:
        found = Tab(socket)
        try:
            await found.begin()
            yield found
        finally:
            await found.close()
