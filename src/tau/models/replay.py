"""Recorded answers instead of a model: `replay/FILE`, no key and no network."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tau.domain.chat import Completion, ModelRequest
from tau.domain.spend import Usage
from tau.errors import InputError, ModelError, RequestRejected
from tau.models.recording import read_line, request_hash
from tau.ports.model import ModelContext

_SHOWN_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """There is nothing to set."""


class ReplayModel:
    """Answers from a file (see models/recording), relative to the working directory.

    The n-th request that is equal to earlier ones gets the n-th answer recorded for it; other
    requests in between do not matter. What was never recorded is refused. Calls are free.
    """

    Settings: ClassVar[type[ReplaySettings]] = ReplaySettings

    @classmethod
    def check(cls, settings: ReplaySettings, context: ModelContext) -> None:
        _read(context)

    @classmethod
    def build(cls, settings: ReplaySettings, context: ModelContext) -> "ReplayModel":
        return cls(context.name, _read(context))

    def __init__(self, file: str, answers: Mapping[str, Sequence[Completion | ModelError]]) -> None:
        """`answers` are by request hash, in the order of the file."""
        self._file = file
        self._answers = answers
        self._asked: defaultdict[str, int] = defaultdict(int)

    @property
    def ref(self) -> str:
        return f"replay/{self._file}"

    @property
    def provider(self) -> str:
        return "replay"

    def price(self, usage: Usage) -> int | None:
        return 0

    async def complete(self, request: ModelRequest) -> Completion:
        try:
            name = request_hash(request)
        except ValueError as error:
            raise RequestRejected("the request is not JSON", why=str(error)) from None
        recorded = self._answers.get(name, ())
        n = self._asked[name]
        if n >= len(recorded):
            raise self._unknown(name, len(recorded))
        self._asked[name] += 1
        await asyncio.sleep(0)  # other calls get their turn, as with a model that takes time
        answer = recorded[n]
        if isinstance(answer, ModelError):
            raise type(answer)(
                answer.what, retry_after_s=answer.retry_after_s, status=answer.status
            )
        return answer

    async def aclose(self) -> None:
        """Nothing is held open."""

    def _unknown(self, name: str, known: int) -> RequestRejected:
        short = name[:_SHOWN_DIGITS]
        times = "once" if known == 1 else f"{known} times"
        return RequestRejected(
            f"no answer is recorded for request {short}"
            if not known
            else f"request {short} was recorded {times} and asked for once more",
            where=self._file,
            why="the prompt or a parameter differs from what was recorded"
            if not known
            else "each recorded answer is given once",
            fix="record it: run the real model with this file as its 'record' and make the same "
            "calls",
        )


def _read(context: ModelContext) -> dict[str, list[Completion | ModelError]]:
    """The file's answers by request hash."""
    if not context.name.strip():
        raise InputError("the model reference 'replay/' names no file", fix="write replay/FILE")
    path = Path(context.name)
    answers: dict[str, list[Completion | ModelError]] = {}
    try:
        lines = path.read_bytes().split(b"\n")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(
            f"cannot read the recording '{path}'",
            why=getattr(error, "strerror", None) or str(error),
            fix="give the path of a file that a model's 'record' has written",
        ) from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            name, answer = read_line(line)
        except ValueError as error:
            raise InputError(
                f"line {number} of the recording '{path}' cannot be used", why=str(error),
                fix="the format is described in tau.models.recording",
            ) from None  # fmt: skip
        answers.setdefault(name, []).append(answer)
    if not answers:
        raise InputError(f"the recording '{path}' is empty")
    return answers
