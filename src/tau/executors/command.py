"""Any program as the application under test: JSON on stdin, JSON on stdout."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from annotated_types import Ge, Gt, MinLen

from tau.domain.dataset import Example
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.rollout import Output
from tau.domain.span import SpanKind
from tau.errors import ExecutorFailed, InputError
from tau.executors.answer import to_output
from tau.executors.endpoint_use import check_endpoint, output_limit
from tau.executors.folders import copied_folders, with_folders
from tau.ports.endpoint import EndpointLease, LeaseTerms
from tau.ports.executor import ExecutorContext
from tau.ports.record import Recorder
from tau.processes.json_command import check_named, find_command, run_json_command


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSettings:
    """`command` is the program and its arguments; no shell is involved.

    `time_limit_s` bounds one run of it, within the rollout's own limit. `env` names environment
    variables that it gets beside the harmless ones, such as a token that it needs.

    `calls` is the most calls of the run's model that one rollout makes through the endpoint, whose
    address and key it finds in OPENAI_BASE_URL, OPENAI_API_KEY, ANTHROPIC_BASE_URL and
    ANTHROPIC_API_KEY; its client's retries count. `endpoint` false leaves these variables alone.
    `models` are further models of the same provider that it may ask for.
    """

    command: Annotated[tuple[Annotated[str, MinLen(1)], ...], MinLen(1)]
    time_limit_s: Annotated[float, Gt(0)] | None = None
    output_limit_bytes: Annotated[int, Ge(1)] = 1024 * 1024
    env: tuple[Annotated[str, MinLen(1)], ...] = ()
    calls: Annotated[int, Ge(0)] = 0
    endpoint: bool | None = None
    models: tuple[Annotated[str, MinLen(1)], ...] = ()


class CommandExecutor:
    """Starts the program once per rollout, in the config's folder, with few variables.

    It reads one object from stdin, `{"id", "split", "example", "resources"}`, where `example` has
    the row's fields, and prints one JSON document: a text, or an object as in executors/answer.
    Where resources are files of a folder, `folders` has the path of a copy with the texts in it,
    which is removed afterwards.
    """

    Settings = CommandSettings

    def __init__(self, settings: CommandSettings, context: ExecutorContext) -> None:
        self._settings = settings
        self._context = context

    @classmethod
    def check(
        cls,
        settings: CommandSettings,
        context: ExecutorContext,
        resources: Resources,
        example: Example | None,
    ) -> None:
        name = settings.command[0]
        if find_command(name, cwd=context.base_dir, environ=context.environ) is None:
            raise InputError(
                f"command '{name}' was not found",
                where="executor.command",
                fix="give a program on PATH, or a path relative to the configuration file",
            )
        check_named(settings.env, context.environ, "executor.env")
        check_endpoint(settings.calls, settings.endpoint, context)

    @classmethod
    def build(cls, settings: CommandSettings, context: ExecutorContext) -> "CommandExecutor":
        return cls(settings, context)

    @property
    def calls_per_attempt(self) -> int:
        return self._settings.calls

    async def execute(self, example: Example, resources: Resources, record: Recorder) -> Output:
        sources = self._context.sources
        if not with_folders(sources):
            return await self._served(example, resources, record, {})
        with TemporaryDirectory(prefix="tau-folders-", ignore_cleanup_errors=True) as folder:
            copies: Json = await asyncio.to_thread(
                copied_folders,
                sources,
                resources,
                base_dir=self._context.base_dir,
                into=Path(folder),
            )
            return await self._served(example, resources, record, {"folders": copies})

    async def _served(
        self,
        example: Example,
        resources: Resources,
        record: Recorder,
        more: Mapping[str, Json],
    ) -> Output:
        settings = self._settings
        name = settings.command[0]
        with record.span(name, kind=SpanKind.TOOL_CALL) as span, ExitStack() as closing:
            environ = self._context.environ
            lease = self._lease(record, closing)
            if lease is not None:
                environ = lease.access.added_to(environ)
                closing.callback(lambda: span.set("tau.endpoint.calls", lease.calls))
            try:
                return await self._run(example, resources, environ, more)
            except ExecutorFailed as error:
                if lease is None or lease.trouble is None:
                    raise
                raise lease.trouble from error  # whether another try can help, the call knows

    def _lease(self, record: Recorder, closing: ExitStack) -> EndpointLease | None:
        settings, endpoint = self._settings, self._context.endpoint
        if endpoint is None or not settings.calls or settings.endpoint is False:
            return None
        terms = LeaseTerms(
            calls=settings.calls,
            models=settings.models,
            max_tokens=output_limit(self._context.params),
            expected=True,
        )
        return closing.enter_context(endpoint.lease(record, terms))

    async def _run(
        self,
        example: Example,
        resources: Resources,
        environ: Mapping[str, str],
        more: Mapping[str, Json],
    ) -> Output:
        settings = self._settings
        answer = await run_json_command(
            settings.command,
            {
                "id": example.id,
                "split": example.split,
                "example": example.fields,
                "resources": resources.values,
                **more,
            },
            cwd=self._context.base_dir,
            environ=environ,
            time_limit_s=settings.time_limit_s,
            output_limit_bytes=settings.output_limit_bytes,
            failure=ExecutorFailed,
        )
        return to_output(answer, f"command '{settings.command[0]}'")

    async def aclose(self) -> None:
        """Nothing outlives a rollout."""
