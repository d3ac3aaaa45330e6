"""A Python function as the application under test."""

import asyncio
import inspect
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any

from annotated_types import Ge, MinLen

from tau.domain.chat import Completion, Message, ModelRequest
from tau.domain.chat_messages import message_of
from tau.domain.client_errors import ClientErrors
from tau.domain.dataset import Example
from tau.domain.json import Json
from tau.domain.reasoning import without_reasoning
from tau.domain.resources import Resources
from tau.domain.rollout import Output
from tau.domain.span import SpanKind
from tau.errors import ExecutorFailed, InputError, boundary
from tau.executors.answer import to_output
from tau.executors.endpoint_use import output_limit
from tau.plugins import load_callable, spoken
from tau.ports.endpoint import EndpointAccess, EndpointLease, LeaseTerms
from tau.ports.executor import ExecutorContext
from tau.ports.record import OpenSpan, Recorder
from tau.processes.threads import CallThreads, TooManyStuck

_TURN_S = 3_600.0
"""For how long a thread waits for the environment; its rollout may end sooner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonSettings:
    """`function` is `package.module:name` or `path/file.py:name`.

    `calls` is the most calls of the run's model that one rollout makes through its session, or with
    a client of its own through `session.endpoint`; they are refused beyond it. `models` are further
    models of the provider that such clients may ask for. `stuck_limit` is how many timed-out calls
    of a plain (not async) function may still be running before further rollouts fail at once.
    """

    function: Annotated[str, MinLen(3)]
    calls: Annotated[int, Ge(0)] = 0
    endpoint: bool = True
    models: tuple[Annotated[str, MinLen(1)], ...] = ()
    stuck_limit: Annotated[int, Ge(1)] = 16


class PythonExecutor:
    """Calls `fn(example, resources)` or `fn(example, resources, session)`.

    `example` is a dict of the row's fields, `resources` a dict of the named texts; both are the
    function's own copies. `session` is a `Session`, or for a plain function a `BlockingSession`.
    The answer is a text, a dict (see executors/answer) or an `Output`.

    An async function runs on the event loop and is cancelled at its time limit. A plain one runs on
    a thread, and Python cannot end a thread: at its time limit the rollout ends and the call is
    left behind until it returns by itself. It can look at `session.over` to return sooner.
    """

    Settings = PythonSettings

    def __init__(
        self, settings: PythonSettings, context: ExecutorContext, function: Callable[..., Any]
    ) -> None:
        self._settings = settings
        self._context = context
        self._function = function
        self._with_session = _with_session(function, settings.function)
        self._threads = CallThreads(
            limit=max(1, context.concurrency),
            stuck_limit=settings.stuck_limit,
            name=f"tau-{spoken(settings.function)}",
        )

    @classmethod
    def check(
        cls,
        settings: PythonSettings,
        context: ExecutorContext,
        resources: Resources,
        example: Example | None,
    ) -> None:
        _with_session(load_callable(settings.function, context.base_dir), settings.function)
        if settings.calls and context.model is None:
            raise InputError(
                "the function may call the model, but there is none",
                where="executor.calls",
                fix="give --model provider/model, or 'model' in the config",
            )

    @classmethod
    def build(cls, settings: PythonSettings, context: ExecutorContext) -> "PythonExecutor":
        return cls(settings, context, load_callable(settings.function, context.base_dir))

    @property
    def calls_per_attempt(self) -> int:
        return self._settings.calls

    async def execute(self, example: Example, resources: Resources, record: Recorder) -> Output:
        who = f"'{spoken(self._settings.function)}'"
        arguments: list[object] = [dict(example.fields), dict(resources.values)]
        with ExitStack() as closing:
            session = Session(record, self._context, self._lease(record, closing))
            closing.callback(session.end)
            with boundary(ExecutorFailed, who), ClientErrors(who):
                answer = await self._answer(arguments, session, who)
        return to_output(answer, who)

    def _lease(self, record: Recorder, closing: ExitStack) -> EndpointLease | None:
        settings, endpoint = self._settings, self._context.endpoint
        if endpoint is None or not self._with_session or not (settings.endpoint and settings.calls):
            return None
        terms = LeaseTerms(
            calls=settings.calls,
            models=settings.models,
            max_tokens=output_limit(self._context.params),
        )
        return closing.enter_context(endpoint.lease(record, terms))

    async def aclose(self) -> None:
        self._threads.close()

    async def _answer(self, arguments: list[object], session: "Session", who: str) -> object:
        if is_async(self._function):
            return await self._function(*arguments, *([session] if self._with_session else []))
        blocking = BlockingSession(session, asyncio.get_running_loop())
        call = partial(self._function, *arguments, *([blocking] if self._with_session else []))
        try:
            answer = await self._threads.run(call)
        except TooManyStuck as error:
            raise ExecutorFailed(
                f"{who} was not called: calls past their time limit still run",
                why=str(error),
                fix="give the function time limits of its own, or make it async",
            ) from error
        # A partial, a decorator or a lambda can hide that the function is async.
        return await answer if inspect.isawaitable(answer) else answer


class Session:
    """What an async function may use while its rollout runs."""

    def __init__(
        self, record: Recorder, context: ExecutorContext, lease: EndpointLease | None = None
    ) -> None:
        self._record = record
        self._lease = lease
        self._model = context.model
        self._params = context.params
        self._keep_reasoning = context.keep_reasoning
        self._lock = threading.Lock()
        self._over = False
        self._awaited: set[Future[Completion]] = set()

    @property
    def over(self) -> bool:
        """Whether the rollout has ended: nothing the function does counts any more."""
        return self._over

    def end(self) -> None:
        """The rollout has ended: threads that still wait for an answer get none."""
        with self._lock:
            self._over = True
            awaited = tuple(self._awaited)
        for answer in awaited:
            answer.cancel()

    @property
    def endpoint(self) -> EndpointAccess:
        """Where clients of the function's own call the model: `base_url`, `api_key`, `model`.

        Their calls are counted, budgeted and recorded as those of `chat`. The key is the rollout's
        own and ends with it.

        Raises:
            ExecutorFailed: the run has no model, or the executor's `calls` is 0.
        """
        if self._over:
            raise ExecutorFailed("the rollout has ended")
        return self._leased().access

    def environment(self) -> AbstractContextManager[None]:
        """Let clients find the endpoint by environment variables: `with session.environment():`.

        The environment is one for the whole process. Plain functions wait for one another; async
        ones make their client within the block, without awaiting, and use it after.
        """
        return self._leased().environment(0.0)

    def environment_in_turn(self) -> AbstractContextManager[None]:
        """As `environment`, on a thread that can wait."""
        return self._leased().environment(_TURN_S)

    def _leased(self) -> EndpointLease:
        if self._lease is None:
            raise ExecutorFailed(
                "there is no endpoint for this rollout",
                why="the run has no model" if self._model is None else "no calls are allowed",
                fix="name a model, and the most calls of a rollout as the executor's 'calls'",
            )
        return self._lease

    async def chat(
        self,
        messages: Sequence[Mapping[str, Json] | Message],
        *,
        tools: Sequence[Json] | None = None,
        response_format: Json = None,
        **params: Json,
    ) -> Completion:
        """Call the run's model with chat messages; `params` come over the config's.

        Messages are as chat completions write them: {role, content} of every role, with tool calls
        and their results, and content in parts such as images. `.text`, `.tool_calls` and `.usage`
        are what came; `.message` is the answer as the next request's message.

        Reasoning that stands in the text of the answer is in the span alone, unless the run keeps
        it (`keep_reasoning`); where the answer was cut within it, the text is empty.

        Raises:
            ModelError: as the model does; let it pass, so that the rollout is retried if that
                can help.
            BudgetRefused: more calls than the executor's `calls`.
        """
        if self._model is None:
            raise ExecutorFailed("the run has no model to call")
        if self._over:
            raise ExecutorFailed("the rollout has ended")
        given: dict[str, Json] = {"tools": list(tools)} if tools else {}
        if response_format is not None:
            given["response_format"] = response_format
        request = ModelRequest(
            messages=_messages(messages),
            params={**self._params, **params, **given},
        )
        completion = await self._record.call(self._model, request)
        if self._keep_reasoning:
            return completion
        answer, reasoning = without_reasoning(completion.text)
        return replace(completion, text=answer) if reasoning else completion

    def tool(self, name: str, **attributes: Json) -> AbstractContextManager[OpenSpan]:
        """Record a tool call as a span: `with session.tool("search"): ...`."""
        return self._span(name, SpanKind.TOOL_CALL, attributes)

    def step(self, name: str, **attributes: Json) -> AbstractContextManager[OpenSpan]:
        """Record any other piece of work as a span."""
        return self._span(name, SpanKind.STEP, attributes)

    def reason(self, code: str) -> None:
        """Report a safety reason code."""
        self._record.reason(code)

    def blocked(self, event: str) -> None:
        """Report that something was blocked."""
        self._record.blocked(event)

    def wait(self, call: Coroutine[Any, Any, Completion], loop: AbstractEventLoop) -> Completion:
        """Let `loop` make `call` and block this thread until it has answered."""
        with self._lock:
            answer = asyncio.run_coroutine_threadsafe(call, loop)
            self._awaited.add(answer)
        try:
            return answer.result()
        finally:
            with self._lock:
                self._awaited.discard(answer)

    @contextmanager
    def _span(
        self, name: str, kind: SpanKind, attributes: Mapping[str, Json]
    ) -> Iterator[OpenSpan]:
        with self._record.span(name, kind=kind) as span:
            for key, value in attributes.items():
                span.set(key, value)
            yield span


class BlockingSession:
    """The same for a plain function, which runs on a thread."""

    def __init__(self, session: Session, loop: AbstractEventLoop) -> None:
        self._session = session
        self._loop = loop
        self.tool = session.tool
        self.step = session.step
        self.reason = session.reason
        self.blocked = session.blocked
        self.environment = session.environment_in_turn

    @property
    def over(self) -> bool:
        """Whether the rollout has ended: nothing the function does counts any more."""
        return self._session.over

    @property
    def endpoint(self) -> EndpointAccess:
        """As `Session.endpoint`."""
        return self._session.endpoint

    def chat(
        self,
        messages: Sequence[Mapping[str, Json] | Message],
        *,
        tools: Sequence[Json] | None = None,
        response_format: Json = None,
        **params: Json,
    ) -> Completion:
        """As `Session.chat`, waiting for the answer."""
        if self.over:
            raise ExecutorFailed("the rollout has ended")
        call = self._session.chat(messages, tools=tools, response_format=response_format, **params)
        return self._session.wait(call, self._loop)


def _messages(given: Sequence[Mapping[str, Json] | Message]) -> list[Message]:
    try:
        return [
            one if isinstance(one, Message) else message_of(one, f"messages[{number}]")
            for number, one in enumerate(given)
        ]
    except ValueError as error:
        raise ExecutorFailed(
            "session.chat was given what is no chat message",
            why=str(error),
            fix="write {role, content} as chat completions do",
        ) from error


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it makes a coroutine, as far as can be seen beforehand."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004  (not whether, but how it is called)
    )


def _with_session(function: Callable[..., Any], name: str) -> bool:
    return takes_session(
        function,
        what=f"'{name}' cannot be called with an example and resources",
        fix="define it as fn(example, resources) or fn(example, resources, session)",
        where="executor.function",
    )


def takes_session(
    function: Callable[..., Any], *, what: str, fix: str, where: str | None = None
) -> bool:
    """Whether it takes a third argument; an optional third one is the session only by that name.

    Raises:
        InputError: it takes neither two nor three arguments; in the words given.
    """
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        return False  # written in C, without a signature: called with two
    if _accepts(signature, 2):
        named = list(signature.parameters)[2:3] == ["session"]
        return named and _accepts(signature, 3)
    if _accepts(signature, 3):
        return True
    raise InputError(what, where=where, why=f"its signature is {signature}", fix=fix)


def _accepts(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True
