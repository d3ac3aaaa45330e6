"""The simulated model behind an OpenAI-compatible endpoint, for any client on this machine.

Names of models are `rules` and `judge`, or `sim/rules`, with options as in `rules?seed=3`; equal
names share their numbering of repeated requests. Stands on loopback only: it asks for no key.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address

import orjson
from aiohttp import web

from tau.domain.chat import Completion, ModelRequest
from tau.domain.json import Json
from tau.errors import AttemptError, InputError, ModelNotFound
from tau.models.sim import WORLDS, SimulatedAnswer, SimulatedModel, SimulatorSettings, options
from tau.models.sim_request import ChatRequest, parse
from tau.ports.clock import Clock, SystemClock
from tau.ports.model import ModelContext
from tau.sim.calls import CallKind

_LARGEST_BODY = 16 * 1024 * 1024
_MOST_MODELS = 1000
_SHUTDOWN_S = 1.0
_PIECE = 24
"""Characters in one event of a stream."""

_COUNTED_AS = {
    CallKind.TASK: "task_calls",
    CallKind.REFLECTION: "reflection_calls",
    CallKind.CRITIQUE: "reflection_calls",
    CallKind.JUDGEMENT: "judge_calls",
    CallKind.OTHER: "other_calls",
}
_TYPES = {404: "invalid_request_error", 400: "invalid_request_error", 429: "rate_limit_error"}


class SimServer:
    """The endpoint's handlers and its counts, in total and per name of a model."""

    def __init__(self, settings: SimulatorSettings, clock: Clock | None = None) -> None:
        """`settings` hold where a model's name says nothing else."""
        self._settings = settings
        self._clock = clock or SystemClock()
        self._models: dict[str, SimulatedModel] = {}
        self._counts: dict[str, Counter[str]] = {}

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=_LARGEST_BODY, middlewares=[_openai_errors])
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._list)
        app.router.add_get("/sim/stats", self._stats)
        app.router.add_get("/healthz", _healthy)
        return app

    def stats(self) -> Mapping[str, Json]:
        """Calls by kind, refusals and tokens since the start; critiques count as reflections."""
        total = sum(self._counts.values(), Counter[str]())
        names = (*dict.fromkeys(_COUNTED_AS.values()), "refused", "input_tokens", "output_tokens")
        return {
            **{name: total[name] for name in names},
            "models": {
                model: {name: counts[name] for name in names}
                for model, counts in sorted(self._counts.items())
            },
        }

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        chat = parse(await request.read())
        model = self._model(chat.model)
        counts = self._counts[model.ref]
        try:
            answers = [await self._answer(model, chat, index) for index in range(chat.n)]
        except AttemptError:
            counts["refused"] += 1
            raise
        for answer in answers:
            counts[_COUNTED_AS[answer.kind]] += 1
            counts["output_tokens"] += answer.completion.usage.output_tokens
        counts["input_tokens"] += answers[0].completion.usage.input_tokens
        completions = [answer.completion for answer in answers]
        if chat.stream:
            return await self._streamed(request, chat, completions)
        return web.json_response(
            body=orjson.dumps(
                {
                    **self._head(chat, completions, "chat.completion"),
                    "choices": [_choice(i, c) for i, c in enumerate(completions)],
                    "usage": _usage(completions),
                }
            )
        )

    async def _answer(
        self, model: SimulatedModel, chat: ChatRequest, index: int
    ) -> SimulatedAnswer:
        return await model.answer(
            ModelRequest(messages=chat.messages, params=chat.params_of(index))
        )

    def _model(self, name: str) -> SimulatedModel:
        """The model of that name, made when it is first asked for."""
        name = name.removeprefix("sim/")
        known = self._models.get(name)
        if known is not None:
            return known
        context = ModelContext(provider="sim", name=name)
        try:
            if len(self._models) >= _MOST_MODELS:
                raise InputError(f"more than {_MOST_MODELS} names of models are in use")
            options(name, self._settings)
        except InputError as error:
            raise ModelNotFound(error.summary, fix=error.fix, where="model", status=404) from error
        model = self._models[name] = SimulatedModel.build(self._settings, context)
        self._counts[model.ref] = Counter()
        return model

    async def _list(self, _: web.Request) -> web.Response:
        created = self._clock.unix_ms() // 1000
        data = [
            {"id": name, "object": "model", "created": created, "owned_by": "tau-simulator"}
            for name in WORLDS
        ]
        return web.json_response({"object": "list", "data": data})

    async def _stats(self, _: web.Request) -> web.Response:
        return web.json_response(body=orjson.dumps(self.stats()))

    def _head(self, chat: ChatRequest, completions: list[Completion], kind: str) -> dict[str, Json]:
        return {
            "id": f"chatcmpl-{completions[0].response_id}",
            "object": kind,
            "created": self._clock.unix_ms() // 1000,
            "model": chat.model,
        }

    async def _streamed(
        self, request: web.Request, chat: ChatRequest, completions: list[Completion]
    ) -> web.StreamResponse:
        """The same answers as server-sent events."""
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        await response.prepare(request)
        head = self._head(chat, completions, "chat.completion.chunk")
        usage: dict[str, Json] = {"usage": None} if chat.include_usage else {}
        for index, completion in enumerate(completions):
            for choice in _pieces(index, completion):
                await _event(response, {**head, "choices": [choice], **usage})
        if chat.include_usage:
            await _event(response, {**head, "choices": [], "usage": _usage(completions)})
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response


@asynccontextmanager
async def serve_sim(
    settings: SimulatorSettings | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    server: SimServer | None = None,
) -> AsyncIterator[str]:
    """Serve for as long as the block lasts; gives the base URL, ending in `/v1`.

    `port` 0 takes a free one. With `server` its counts can be read in process.

    Raises:
        InputError: the address is not on loopback, or cannot be listened on.
    """
    if not _is_loopback(host):
        raise InputError(
            f"the simulated endpoint does not listen on '{host}'",
            why="it asks for no key, so it stands on loopback only",
            fix="use 127.0.0.1",
        )
    server = server or SimServer(settings or SimulatorSettings())
    runner = web.AppRunner(
        server.application(), access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_S
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise InputError(
                f"cannot listen on {host}:{port}",
                why=error.strerror or str(error),
                fix="choose another port; 0 takes a free one",
            ) from error
        bound = runner.addresses[0][1]
        yield f"http://{f'[{host}]' if ':' in host else host}:{bound}/v1"
    finally:
        await runner.cleanup()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # another name could stand for any address
        return False


async def _healthy(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok", "simulated": True})


@web.middleware
async def _openai_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refusals in the shape that OpenAI's clients expect."""
    try:
        return await handler(request)
    except AttemptError as error:
        status = error.status or 500
        headers = {}
        if error.retry_after_s is not None:
            headers["Retry-After"] = f"{error.retry_after_s:g}"
        message = f"{error.what}: {error.why}" if error.why else error.what
        return _error(status, message, error.where, error.code, headers)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _error(error.status, f"{request.method} {request.path}: {error.reason}", None, None)


def _error(
    status: int,
    message: str,
    param: str | None,
    code: str | None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return web.json_response(body, status=status, headers=headers)


def _choice(index: int, completion: Completion) -> Json:
    message = {"role": "assistant", "content": completion.text, "refusal": None}
    return {
        "index": index,
        "message": message,
        "logprobs": None,
        "finish_reason": completion.finish_reason,
    }


def _pieces(index: int, completion: Completion) -> list[Json]:
    """The choices of one answer's events."""
    text = completion.text
    deltas: list[dict[str, Json]] = [{"role": "assistant", "content": "", "refusal": None}]
    deltas += [{"content": text[at : at + _PIECE]} for at in range(0, len(text), _PIECE)]
    pieces: list[Json] = [
        {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
        for delta in deltas
    ]
    pieces.append(
        {"index": index, "delta": {}, "logprobs": None, "finish_reason": completion.finish_reason}
    )
    return pieces


def _usage(completions: list[Completion]) -> Json:
    prompt = completions[0].usage.input_tokens
    answers = sum(c.usage.output_tokens for c in completions)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answers,
        "total_tokens": prompt + answers,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


async def _event(response: web.StreamResponse, data: Mapping[str, Json]) -> None:
    await response.write(b"data: " + orjson.dumps(data) + b"\n\n")
