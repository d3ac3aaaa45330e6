"""Everything that goes wrong with a provider, on purpose."""

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import orjson
from aiohttp import web

FaultKind = Literal[
    "status", "error200", "redirect", "reset", "close", "truncate", "cut", "garbage", "empty",
    "shape", "nochoices", "hang", "drip",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong instead of the answer.

    *status*: an error `status` with `headers` and, where given, `body`. *error200*: the same error
    inside a 200. *redirect*: 307 to the header `location`. *reset*: a TCP reset before any byte.
    *close*: closed before any byte. *truncate*: closed in the middle of the body. *cut*: a whole
    answer of half a JSON text. *garbage*, *empty*, *shape*, *nochoices*: not a completion. *hang*:
    silent for `seconds`, then closed. *drip*: the answer's bytes one by one, `seconds` apart.
    """

    kind: FaultKind
    status: int = 500
    message: str = "scripted fault"
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    seconds: float = 60.0


Script = Callable[[int], Fault | None]
"""The fault for the n-th call, counted from 1."""


def script(rules: Mapping[int, Fault] | Sequence[str] | Script | None) -> Script:
    """A script from a map of call numbers, from rules as text, or as it is.

    A rule is `WHEN=KIND[:NAME=VALUE[;NAME=VALUE]...]`. WHEN is `3`, `3-7`, `every/5` or `all`.
    Names are the fields of `Fault`; any other is a header: `2=status:status=429;retry-after=1`.
    The first rule that fits counts.

    Raises:
        ValueError: a rule that cannot be read.
    """
    if rules is None:
        return lambda _: None
    if callable(rules):
        return rules
    if isinstance(rules, Mapping):
        return rules.get
    parsed = [_rule(rule) for rule in rules]
    return lambda n: next((fault for fits, fault in parsed if fits(n)), None)


def _rule(rule: str) -> tuple[Callable[[int], bool], Fault]:
    when, _, what = rule.partition("=")
    kind, _, options = what.partition(":")
    if kind not in FaultKind.__args__:  # type: ignore[attr-defined]
        raise ValueError(f"unknown fault in {rule!r}; known: {', '.join(FaultKind.__args__)}")  # type: ignore[attr-defined]
    values: dict[str, object] = {}
    headers: dict[str, str] = {}
    for option in filter(None, options.split(";")):
        name, _, value = option.partition("=")
        if name == "status":
            values[name] = int(value)
        elif name == "seconds":
            values[name] = float(value)
        elif name in ("message", "code"):
            values[name] = value
        elif name == "body":
            values[name] = value.encode()
        else:
            headers[name] = value
    return _when(when), Fault(kind=kind, headers=headers, **values)  # type: ignore[arg-type]


def _when(text: str) -> Callable[[int], bool]:
    if text == "all":
        return lambda _: True
    if text.startswith("every/"):
        step = int(text.removeprefix("every/"))
        return lambda n: n % step == 0
    first, _, last = text.partition("-")
    low, high = int(first), int(last or first)
    return lambda n: low <= n <= high


async def commit(fault: Fault, request: web.BaseRequest, whole: bytes) -> web.StreamResponse:
    """Let it happen. `whole` is the body that would have been right."""
    if fault.kind in ("reset", "close", "hang"):
        if fault.kind == "hang":
            await asyncio.sleep(fault.seconds)
        return drop(request, reset=fault.kind == "reset")
    if fault.kind == "truncate":
        response = await _begin(request, whole)
        await response.write(whole[: len(whole) // 2])
        return drop(request, response)
    if fault.kind == "drip":
        response = await _begin(request, whole)
        for n in range(len(whole)):
            await response.write(whole[n : n + 1])
            await asyncio.sleep(fault.seconds)
        await response.write_eof()
        return response
    return _wrong(fault, whole)


def _wrong(fault: Fault, whole: bytes) -> web.Response:
    """The faults that are a whole answer."""
    headers = {"Content-Type": "application/json", **fault.headers}
    error = {"error": {"message": fault.message, "type": "scripted", "code": fault.code}}
    bodies: dict[str, bytes] = {
        "status": orjson.dumps(error) if fault.body is None else fault.body,
        "error200": orjson.dumps(error) if fault.body is None else fault.body,
        "redirect": b"",
        "cut": whole[: len(whole) // 2],
        "garbage": b"\x00\xff<html>\x1b[31mnot json" if fault.body is None else fault.body,
        "empty": b"",
        "shape": b'{"object":"chat.completion","choices":[{"index":0,"message":"text"}]}',
        "nochoices": b'{"object":"chat.completion","choices":[]}',
    }
    status = {"status": fault.status, "redirect": 307}.get(fault.kind, 200)
    return web.Response(status=status, headers=headers, body=bodies[fault.kind])


def drop(
    request: web.BaseRequest, response: web.StreamResponse | None = None, *, reset: bool = False
) -> web.StreamResponse:
    """Close the connection at once, with a TCP reset if asked; what is returned goes nowhere."""
    transport = request.transport
    if transport is not None:
        if reset:
            endpoint = transport.get_extra_info("socket")
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()
    return response or web.Response()


async def _begin(request: web.BaseRequest, whole: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(whole)
    await response.prepare(request)
    return response
