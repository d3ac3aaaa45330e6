"""The examples that the new prompt got wrong and the old one had right, to be looked at."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tau.domain.dataset import Example
from tau.domain.ids import RolloutId, RunId
from tau.domain.json import Json
from tau.domain.rollout import RolloutResult
from tau.ports.insights import Measurement
from tau.ports.store import Store

_MOST = 5
_SENTENCE = re.compile(r"[.!:]\s|\n")
_NAMES = ("id", "name", "title", "case")


@dataclass(frozen=True, slots=True, kw_only=True)
class Worsened:
    """One of them, by its evaluation with the new prompt. Texts are as they were written.

    `wanted` is None where the row names no answer, `got` where there was none.
    """

    rollout_id: RolloutId
    name: str
    wanted: str | None
    got: str | None


async def worsened(
    store: Store, run_id: RunId, measurements: Sequence[Measurement], broken: Sequence[str]
) -> tuple[Worsened, ...]:
    """The first few of the examples `broken`; `measurements` are those of the new prompt."""
    by_example = {str(one.example): one for one in reversed(measurements)}
    found = [by_example[name] for name in broken if name in by_example][:_MOST]
    ids = [one.rollout_id for one in found]
    results = await store.queue.collect(run_id, ids) if ids else ()
    return tuple(
        _of(name, result) for name, result in zip(ids, results, strict=True) if result is not None
    )


def _of(name: RolloutId, result: RolloutResult) -> Worsened:
    example = result.request.example
    wanted = example.expected if example else None
    failed = result.failure.message if result.failure else None
    return Worsened(
        rollout_id=name,
        name=_name(example),
        wanted=None if wanted is None else _text(wanted),
        got=result.output.text if result.output else failed,
    )


def _name(example: Example | None) -> str:
    """What the row calls itself, else how it begins."""
    if example is None:
        return ""
    for name in _NAMES:
        value = example.fields.get(name)
        if isinstance(value, str | int) and str(value).strip():
            return str(value)
    prompt = (example.prompt or "").strip()
    return _SENTENCE.split(prompt, maxsplit=1)[0] or _text(example.value)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
