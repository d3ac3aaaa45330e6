"""Chat-completions requests to the simulated endpoint, checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from tau.domain.chat import Message
from tau.domain.json import Json
from tau.errors import RequestRejected

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_MOST_ANSWERS = 128
_PASSED_ON = ("stop", "max_tokens", "max_completion_tokens", "seed", "response_format")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """What the endpoint looks at; the rest of a request is accepted and ignored."""

    model: str
    messages: tuple[Message, ...]
    params: Mapping[str, Json]
    n: int = 1
    stream: bool = False
    include_usage: bool = False

    def params_of(self, index: int) -> Mapping[str, Json]:
        """The parameters of answer `index`: with a seed, the answers have consecutive ones."""
        seed = self.params.get("seed")
        return {**self.params, "seed": seed + index} if isinstance(seed, int) else self.params


def parse(body: bytes) -> ChatRequest:
    """Check a request's body.

    Raises:
        RequestRejected: with what is wrong; `where` is the parameter.
    """
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestRejected("the body is not JSON", why=str(error), status=400) from error
    if not isinstance(data, dict):
        raise _wrong("the body must be a JSON object", None)
    model = data.get("model")
    if not isinstance(model, str) or not model:
        raise _wrong("you must provide a model parameter", "model")
    messages = data.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _wrong("'messages' must be a list with at least one message", "messages")
    options = data.get("stream_options")
    return ChatRequest(
        model=model,
        messages=tuple(_message(m, f"messages[{i}]") for i, m in enumerate(messages)),
        params={name: data[name] for name in _PASSED_ON if _fits(name, data.get(name))},
        n=_count(data.get("n")),
        stream=data.get("stream") is True,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
    )


def _message(value: object, where: str) -> Message:
    if not isinstance(value, dict) or value.get("role") not in _ROLES:
        raise _wrong(f"'{where}' needs a role that is one of {', '.join(sorted(_ROLES))}", where)
    return Message(role=value["role"], content=_content(value.get("content"), where))


def _content(value: object, where: str) -> str:
    """Text, or the texts of a list of parts; an assistant that only called tools has none."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    texts = [p.get("text") for p in value if isinstance(p, dict)] if isinstance(value, list) else []
    if not texts or not all(isinstance(text, str) for text in texts):
        raise _wrong(f"'{where}.content' must be a text or a list of text parts", where)
    return "\n".join(str(text) for text in texts)


def _count(value: object) -> int:
    if value is None:
        return 1
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST_ANSWERS:
        raise _wrong(f"'n' must be an integer from 1 to {_MOST_ANSWERS}", "n")
    return value


def _fits(name: str, value: object) -> bool:
    """Whether a parameter is there; raises where it is there and wrong."""
    if value is None:
        return False
    if name == "stop":
        ends = [value] if isinstance(value, str) else value
        if not isinstance(ends, Sequence) or not all(isinstance(end, str) for end in ends):
            raise _wrong("'stop' must be a text or a list of texts", name)
    elif name == "response_format":
        if not isinstance(value, Mapping):
            raise _wrong(f"'{name}' must be an object", name)
    elif not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(f"'{name}' must be an integer", name)
    elif name != "seed" and value < 1:
        raise _wrong(f"'{name}' must be at least 1", name)
    return True


def _wrong(what: str, where: str | None) -> RequestRejected:
    return RequestRejected(what, where=where, status=400)
