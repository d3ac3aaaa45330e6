"""From what a program gives to a validated configuration."""

import hashlib
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeAlias

from tau import plugins
from tau.config.environment import snapshot
from tau.config.loading import compose
from tau.config.settings import RunConfig
from tau.domain.json import Json, content_hash
from tau.errors import InputError

Answer: TypeAlias = Callable[..., str | Awaitable[str]]
Task: TypeAlias = str | Answer
Prompts: TypeAlias = str | Mapping[str, Json]
Rows: TypeAlias = Sequence[Json] | str | Path
Data: TypeAlias = Rows | Mapping[str, Rows]
Graders: TypeAlias = Sequence[str | Mapping[str, Json] | Callable[..., Any]]
Budget: TypeAlias = int | Mapping[str, float] | None

PROMPT = "system_prompt"
_SPLITS = ("optimize", "validate", "test")
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")


def configuration(
    task: Task,
    prompt: Prompts,
    data: Data,
    graders: Graders,
    *,
    algorithm: str | Mapping[str, Json],
    params: Mapping[str, Json] | None,
    budget: Budget,
    seed: int,
    concurrency: int,
    replicates: int = 1,
    reflection_model: str | None = None,
) -> RunConfig:
    """The configuration.

    Raises:
        ConfigError: with every problem found, as for a file.
    """
    chosen = {"type": algorithm} if isinstance(algorithm, str) else dict(algorithm)
    if reflection_model is not None:
        chosen["reflection_model"] = reflection_model
    value: dict[str, Any] = {
        **_splits(data, whole=chosen.get("type") == "evaluate", seed=seed),
        "resources": {PROMPT: prompt} if isinstance(prompt, str) else dict(prompt),
        "algorithm": chosen,
        "params": dict(params or {}),
        "budget": {"rollouts": budget} if isinstance(budget, int) else dict(budget or {}),
        "seed": seed,
        "replicates": replicates,
        "worker_count": 1,
        "worker_concurrency": concurrency,
    }
    if graders:
        value["graders"] = [_grader(one) for one in graders]
    if isinstance(task, str):
        value["model"] = task
    else:
        value["executor"] = {"type": "python", "function": _offered(task, prompt)}
    return compose(value, base_dir=Path.cwd(), environ=snapshot())


def _splits(data: Data, *, whole: bool, seed: int) -> dict[str, Any]:
    """Rows per split; a single list is measured whole, or divided in three by hash."""
    if isinstance(data, Mapping):
        return {name: _rows(rows) for name, rows in data.items()}
    if whole:
        return {"validate": _rows(data)}
    if isinstance(data, str | Path):
        raise InputError(
            f"one file, '{data}', is to be divided",
            fix="give its rows as a list, or a file for each of optimize, validate and test",
        )
    order = sorted(range(len(data)), key=lambda n: content_hash([seed, data[n], n]))
    part = {n: place % len(_SPLITS) for place, n in enumerate(order)}
    return {
        split: [row for n, row in enumerate(data) if part[n] == number]
        for number, split in enumerate(_SPLITS)
    }


def _rows(rows: Rows) -> Any:  # noqa: ANN401  (JSON, or a file as a configuration names it)
    return {"file": str(rows)} if isinstance(rows, str | Path) else list(rows)


def _grader(grader: str | Mapping[str, Json] | Callable[..., Any]) -> Json:
    if isinstance(grader, str):
        return grader
    if isinstance(grader, Mapping):
        return dict(grader)
    name = _name(grader)
    return {"type": "python", "name": name, "function": plugins.offer(grader, _mark(grader))}


def _offered(task: Answer, prompt: Prompts) -> str:
    """The function in the shape the executor calls; known by its name and source."""
    alone = isinstance(prompt, str)

    if inspect.iscoroutinefunction(task):

        @wraps(task)
        async def answer(example: Mapping[str, Json], resources: Mapping[str, Json]) -> str:
            return await task(example, resources[PROMPT] if alone else resources)  # type: ignore[no-any-return]

    else:

        @wraps(task)
        def answer(example: Mapping[str, Json], resources: Mapping[str, Json]) -> Any:  # noqa: ANN401
            return task(example, resources[PROMPT] if alone else resources)

    del answer.__wrapped__  # its own two parameters count, whatever the function's are called
    return plugins.offer(answer, _mark(task))


def _name(function: Callable[..., Any]) -> str:
    found = getattr(function, "__qualname__", None) or type(function).__name__
    return _NOT_IN_NAMES.sub("_", found.rpartition("<locals>.")[2]).strip("_") or "function"


def _mark(function: Callable[..., Any]) -> str:
    """Name and hash of the source: a changed function is another run, the same one goes on."""
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        source = repr(getattr(function, "__code__", type(function)).__class__)
    return f"{_name(function)}-{hashlib.sha256(source.encode()).hexdigest()[:12]}"
