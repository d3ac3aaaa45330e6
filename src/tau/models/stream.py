"""Server-sent chunks put together again, for servers that stream although nobody asked."""

from collections.abc import Iterator, Mapping
from typing import Any

from tau.domain.json import Json
from tau.models.complaints import fault_in
from tau.models.wire import Unexpected, parse

_DONE = b"[DONE]"


def assemble(body: bytes) -> Json:
    """The chunks of `body` as one chat completion, or the error that stands among them.

    Raises:
        Unexpected: a chunk is not JSON, or the stream ends before the answer does.
    """
    whole: dict[str, Json] = {}
    choice = _Choice()
    done = False
    for data in events(body):
        if data == _DONE:
            done = True
            continue
        chunk = parse(data)
        if not isinstance(chunk, dict):
            raise Unexpected("a chunk of the stream is not an object")
        if fault_in({"error": chunk.get("error")} | {"choices": chunk.get("choices") or [0]}):
            begun = {"choices": [choice.json()]} if choice.seen else {}
            return {**whole, **begun, **chunk}
        whole.update({k: chunk[k] for k in ("id", "model", "usage") if chunk.get(k)})
        groq = chunk.get("x_groq")
        if isinstance(groq, dict) and groq.get("usage"):
            whole["usage"] = groq["usage"]
        choices = chunk.get("choices")
        for part in choices if isinstance(choices, list) else ():
            choice.add(part)
            if isinstance(part, dict) and part.get("usage"):  # Moonshot
                whole["usage"] = part["usage"]
    if not choice.seen or not (done or choice.finish_reason):
        raise Unexpected("the stream ended before the answer was complete")
    whole["choices"] = [choice.json()]
    return whole


def events(body: bytes) -> Iterator[bytes]:
    """The data of each event; comments and other fields are skipped."""
    pending: list[bytes] = []
    for line in body.splitlines():
        if line.startswith(b"data:"):
            pending.append(line[5:].strip())
        elif not line and pending:
            yield b"\n".join(pending)
            pending = []
    if pending:
        yield b"\n".join(pending)


class _Choice:
    """The first choice, growing."""

    def __init__(self) -> None:
        self.seen = False
        self.finish_reason: Json = None
        self._error: Json = None
        self._texts: dict[str, list[str]] = {"content": [], "refusal": []}
        self._calls: dict[Any, dict[str, str]] = {}

    def add(self, part: Json) -> None:
        """Take one chunk's choice; those of other indices are not ours."""
        if not isinstance(part, dict):
            raise Unexpected("a choice in the stream is not an object")
        if part.get("index") not in (0, None):
            return
        self.seen = True
        self.finish_reason = part.get("finish_reason") or self.finish_reason
        self._error = part.get("error") or self._error
        delta = part.get("delta") or part.get("message")
        if isinstance(delta, dict):
            self._add(delta)

    def _add(self, delta: Mapping[str, Json]) -> None:
        for name, pieces in self._texts.items():
            piece = delta.get(name)
            if isinstance(piece, str):
                pieces.append(piece)
            elif isinstance(piece, list):  # Mistral: parts, of which `thinking` is not the answer
                texts = (p.get("text") for p in piece if isinstance(p, dict))
                pieces += [text for text in texts if isinstance(text, str)]
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                self._call(
                    call.get("index", len(self._calls)), call.get("id"), call.get("function")
                )
        if delta.get("function_call"):
            self._call("function_call", "", delta["function_call"])

    def _call(self, index: Json, call_id: Json, function: Json) -> None:
        call = self._calls.setdefault(str(index), {"id": "", "name": "", "arguments": ""})
        if isinstance(call_id, str) and call_id:
            call["id"] = call_id
        if isinstance(function, dict):
            for name in ("name", "arguments"):
                piece = function.get(name)
                if isinstance(piece, str):
                    call[name] += piece

    def json(self) -> dict[str, Json]:
        """As a choice of an answer that was not streamed."""
        message: dict[str, Json] = {n: "".join(p) for n, p in self._texts.items()}
        message["tool_calls"] = [
            {"id": c["id"], "function": {"name": c["name"], "arguments": c["arguments"]}}
            for c in self._calls.values()
        ]
        choice: dict[str, Json] = {"message": message, "finish_reason": self.finish_reason}
        if self._error:
            choice["error"] = self._error
        return choice
