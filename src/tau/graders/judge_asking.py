"""Asking a judge: the call, the one repair, and verdicts that need not be asked for again."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal

from tau.domain.answers import CUT
from tau.domain.chat import Completion, Message, ModelRequest, reason_codes
from tau.domain.json import Json, content_hash
from tau.errors import GraderFailed
from tau.graders.excerpt import excerpt
from tau.graders.judge_request import JudgeRubric, repair_request
from tau.graders.judge_scale import (
    JudgeVerdict,
    UnreadableVerdict,
    read_verdict,
    verdict_schema,
)
from tau.ports.model import Model
from tau.ports.record import Recorder

SAMPLE: ContextVar[int] = ContextVar("judge_sample", default=0)
"""Which of several samples of one judge is being taken: each is a verdict of its own."""

_WITHOUT_SCHEMA = frozenset({"anthropic", "deepseek", "sim", ""})
"""Providers that refuse or ignore a response format by JSON Schema."""
_MOST_KEPT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AskSettings:
    """How a judge is called; see the settings of the grader."""

    params: Mapping[str, Json] = field(default_factory=dict)
    structured: Literal["auto", "always", "never"] = "auto"
    repair: bool = True
    reuse: Literal["never", "run"] = "run"
    timeout_s: float | None = None


class JudgeAsker:
    """Asks one judge by one rubric; serves many gradings at a time."""

    def __init__(self, name: str, model: Model, rubric: JudgeRubric, settings: AskSettings) -> None:
        self._name = name
        self._model = model
        self._rubric = rubric
        self._settings = settings
        self._criteria = tuple(rubric.criteria)
        self._params = dict(settings.params)
        if self._by_schema() and "response_format" not in self._params:
            schema = verdict_schema(rubric.scale, self._criteria)
            self._params["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "verdict", "strict": True, "schema": schema},
            }
        self._kept: OrderedDict[str, JudgeVerdict] = OrderedDict()
        self._asking: dict[str, asyncio.Lock] = {}

    @property
    def calls(self) -> int:
        """The most calls one verdict takes."""
        return 2 if self._settings.repair else 1

    async def ask(self, messages: tuple[Message, ...], record: Recorder) -> JudgeVerdict:
        """The verdict on what stands in `messages`.

        Raises:
            ModelError: as the model does.
            GraderFailed: it refused, or said nothing that can be read.
        """
        if self._settings.reuse == "never":
            return await self._asked(messages, record)
        said: list[Json] = [[message.role, message.content] for message in messages]
        key = content_hash([record.replicate, SAMPLE.get(), *said])
        lock = self._asking.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                known = self._kept.get(key)
                if known is not None:
                    with record.span("verdict reused") as span:
                        span.set("tau.judge.name", self._name)
                    return known
                verdict = await self._asked(messages, record)
                self._keep(key, verdict)
                return verdict
        finally:
            if not lock.locked():
                self._asking.pop(key, None)

    def _keep(self, key: str, verdict: JudgeVerdict) -> None:
        self._kept[key] = verdict
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)

    def _by_schema(self) -> bool:
        wanted = self._settings.structured
        if wanted == "auto":
            return self._model.provider not in _WITHOUT_SCHEMA
        return wanted == "always"

    async def _asked(self, messages: tuple[Message, ...], record: Recorder) -> JudgeVerdict:
        """The verdict, asked for once more where the first answer cannot be read."""
        for attempt in range(self.calls):
            request = ModelRequest(
                messages=messages, params=self._params, timeout_s=self._settings.timeout_s
            )
            answer = await record.call(self._model, request)
            try:
                return self._read(answer)
            except UnreadableVerdict as error:
                why = str(error)
            if attempt + 1 == self.calls or CUT in reason_codes(answer):
                raise _unreadable(self._name, answer, why)
            messages = repair_request(messages, answer.text, why, self._rubric)
        raise AssertionError("the loop returns or raises")

    def _read(self, answer: Completion) -> JudgeVerdict:
        if answer.refusal is not None:
            raise GraderFailed(
                f"judge '{self._name}' refused to judge", why=excerpt(answer.refusal)
            )
        return read_verdict(answer.text, self._rubric.scale, self._criteria)


def _unreadable(name: str, answer: Completion, why: str) -> GraderFailed:
    cut = CUT in reason_codes(answer)
    return GraderFailed(
        f"judge '{name}' gave no verdict that can be read: "
        + ("its answer was cut at the token limit" if cut else why),
        why=f"it said {excerpt(answer.text)}" if answer.text.strip() else None,
        fix="raise the judge's max_tokens" if cut else None,
    )
