"""Any program as the application under test: JSON on stdin, JSON on stdout."""

import asyncio
from collections.abc import Mapping
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
from tau.executors.folders import copied_folders, with_folders
from tau.ports.executor import ExecutorContext
from tau.ports.record import Recorder
from tau.processes.json_command import check_named, find_command, run_json_command


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSettings:
    """`command` is the program and its arguments; no shell is involved.

    `time_limit_s` bounds one run of it, within the rollout's own limit. `env` names environment
    variables that it gets beside the harmless ones, such as a token that it needs.
    """

    command: Annotated[tuple[Annotated[str, MinLen(1)], ...], MinLen(1)]
    time_limit_s: Annotated[float, Gt(0)] | None = None
    output_limit_bytes: Annotated[int, Ge(1)] = 1024 * 1024
    env: tuple[Annotated[str, MinLen(1)], ...] = ()


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

    @classmethod
    def build(cls, settings: CommandSettings, context: ExecutorContext) -> "CommandExecutor":
        return cls(settings, context)

    @property
    def calls_per_attempt(self) -> int:
        return 0

    async def execute(self, example: Example, resources: Resources, record: Recorder) -> Output:
        sources = self._context.sources
        if not with_folders(sources):
            return await self._run(example, resources, record, {})
        with TemporaryDirectory(prefix="tau-folders-", ignore_cleanup_errors=True) as folder:
            copies: Json = await asyncio.to_thread(
                copied_folders,
                sources,
                resources,
                base_dir=self._context.base_dir,
                into=Path(folder),
            )
            return await self._run(example, resources, record, {"folders": copies})

    async def _run(
        self,
        example: Example,
        resources: Resources,
        record: Recorder,
        more: Mapping[str, Json],
    ) -> Output:
        settings = self._settings
        name = settings.command[0]
        with record.span(name, kind=SpanKind.TOOL_CALL):
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
                environ=self._context.environ,
                time_limit_s=settings.time_limit_s,
                output_limit_bytes=settings.output_limit_bytes,
                failure=ExecutorFailed,
            )
        return to_output(answer, f"command '{name}'")

    async def aclose(self) -> None:
        """Nothing outlives a rollout."""
