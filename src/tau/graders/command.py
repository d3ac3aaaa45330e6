"""Any program as a grader: JSON on stdin, JSON on stdout."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, MinLen

from tau.domain.dataset import Example
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.errors import GraderFailed, InputError, TimeLimitExceeded
from tau.graders.answer import to_reward
from tau.ports.grader import Grader, GraderContext
from tau.ports.record import Recorder
from tau.processes.json_command import check_named, find_command, run_json_command


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandGraderSettings:
    """The program and its limits; no shell is involved."""

    command: Annotated[tuple[Annotated[str, MinLen(1)], ...], MinLen(1)]
    """The program and its arguments."""
    time_limit_s: Annotated[float, Gt(0)] = 60.0
    """How long one grading may take; the row stays unscored after that."""
    output_limit_bytes: Annotated[int, Ge(1)] = 1024 * 1024
    """The most it may print."""
    env: tuple[Annotated[str, MinLen(1)], ...] = ()
    """Environment variables that it gets beside the harmless ones."""


class CommandGrader:
    """Starts the program once per output, in the config's folder, with few variables.

    It reads `{"id", "split", "example", "output": {"text", "value", "finish_reason", "metadata"}}`
    and prints a JSON number from 0 to 1, a truth value, or an object as in graders/answer.
    """

    Settings: ClassVar[type[Any]] = CommandGraderSettings

    def __init__(self, settings: CommandGraderSettings, context: GraderContext) -> None:
        self._settings = settings
        self._context = context

    @classmethod
    def check(
        cls, settings: CommandGraderSettings, context: GraderContext, example: Example | None
    ) -> None:
        name = settings.command[0]
        if find_command(name, cwd=context.base_dir, environ=context.environ) is None:
            raise InputError(
                f"command '{name}' was not found",
                fix="give a program on PATH, or a path relative to the configuration file",
            )
        check_named(settings.env, context.environ, None)

    @classmethod
    def build(cls, settings: CommandGraderSettings, context: GraderContext) -> Grader:
        return cls(settings, context)

    @property
    def name(self) -> str:
        return self._context.name

    @property
    def calls_per_attempt(self) -> int:
        return 0

    async def grade(self, example: Example, output: Output, record: Recorder) -> Reward:
        try:
            answer = await run_json_command(
                self._settings.command,
                {
                    "id": example.id,
                    "split": example.split,
                    "example": example.fields,
                    "output": {
                        "text": output.text,
                        "value": output.value,
                        "finish_reason": output.finish_reason,
                        "metadata": output.metadata,
                    },
                },
                cwd=self._context.base_dir,
                environ=self._context.environ,
                time_limit_s=self._settings.time_limit_s,
                output_limit_bytes=self._settings.output_limit_bytes,
                failure=GraderFailed,
            )
        except TimeLimitExceeded as error:
            # Not the rollout's limit: its output is there, only its grade is not.
            raise GraderFailed(error.what, why=error.why, fix=error.fix) from error
        return to_reward(self.name, answer, f"command '{self._settings.command[0]}'")

    async def aclose(self) -> None:
        return
