"""From what a program gives to a validated configuration."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tau.api.arguments import check_data, check_graders, check_limits, check_task
from tau.api.functions import PROMPT, Answer, Functions, name_of
from tau.config.environment import snapshot
from tau.config.loading import compose
from tau.config.run_settings import RunConfig
from tau.domain.json import Json, content_hash
from tau.errors import InputError
from tau.executors.python import takes_session

Task: TypeAlias = str | Answer
Prompts: TypeAlias = str | Mapping[str, Json]
Rows: TypeAlias = Sequence[Json] | str | Path
Data: TypeAlias = Rows | Mapping[str, Rows]
Graders: TypeAlias = Sequence[str | Mapping[str, Json] | Callable[..., Any]]
Budget: TypeAlias = int | Mapping[str, float] | None
Columns: TypeAlias = str | Sequence[str] | None
Guards: TypeAlias = Sequence[Mapping[str, Any]] | None

_CALLS = 8
"""Calls of the model that one row may make where a model is given and no number."""
_SPLITS = ("optimize", "validate", "test")


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
    limits: "CallLimits",
    replicates: int = 1,
    reflection_model: str | None = None,
    group: Columns = None,
    claims: "ClaimArguments | None" = None,
    purpose: str = "",
) -> RunConfig:
    """The configuration.

    Raises:
        ConfigError: with every problem found, as for a file.
    """
    check_task(task, prompt)
    check_data(data)
    check_graders(graders)
    check_limits(budget, limits.retries, params, limits.time_limit_s, concurrency)
    functions = Functions()
    chosen = {"type": algorithm} if isinstance(algorithm, str) else dict(algorithm)
    if reflection_model is not None:
        chosen["reflection_model"] = reflection_model
    value: dict[str, Any] = {
        **_splits(data, whole=chosen.get("type") == "evaluate", group=group),
        "resources": {PROMPT: prompt} if isinstance(prompt, str) else dict(prompt),
        "algorithm": chosen,
        "params": dict(params or {}),
        "budget": {"rollouts": budget} if isinstance(budget, int) else dict(budget or {}),
        "seed": seed,
        "replicates": replicates,
        "worker_count": 1,
        "worker_concurrency": concurrency,
        "purpose": purpose,
        **limits.fields(),
    }
    if group is not None:
        value["group"] = group if isinstance(group, str) else list(group)
    named = [functions.grader(one) if callable(one) else one for one in graders]
    if named:
        value["graders"] = named
    if claims is not None:
        value |= claims.fields(graders, named)
    value |= _called(functions, task, prompt, limits)
    return compose(value, base_dir=Path.cwd(), environ=snapshot())


def _called(
    functions: Functions, task: Task, prompt: Prompts, limits: "CallLimits"
) -> dict[str, Any]:
    """The model or the executor that the task stands for."""
    if not isinstance(task, str):
        executor = {"executor": _executor(functions, task, prompt, limits)}
        return executor if limits.model is None else {**executor, "model": limits.model}
    if limits.model is not None or limits.calls is not None:
        raise InputError(
            "'model' and 'calls' are for a function as task",
            why=f"the task is the model {task}",
            fix="leave them out",
        )
    return {"model": task}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimArguments:
    """What is to be proved: see `optimize`."""

    claim: str | Mapping[str, Json] | None = None
    objective: Mapping[str, Json] | None = None
    guards: Guards = None

    def fields(self, graders: Graders, named: Sequence[Json]) -> dict[str, Any]:
        """The configuration's own fields for them; a guard may be one of `graders` itself."""
        given = {"claim": self.claim, "objective": self.objective, "guards": self._guards(graders,
                 named)}  # fmt: skip
        return {
            name: dict(value) if isinstance(value, Mapping) else value
            for name, value in given.items()
            if value is not None
        }

    def _guards(self, graders: Graders, named: Sequence[Json]) -> Any:  # noqa: ANN401  (JSON)
        if not isinstance(self.guards, list | tuple):
            return self.guards
        names = [one.get("name") if isinstance(one, Mapping) else one for one in named]
        return [
            {**one, "grader": _name(one["grader"], graders, names)}
            if isinstance(one, Mapping) and callable(one.get("grader"))
            else one
            for one in self.guards
        ]


def _name(function: object, graders: Graders, names: Sequence[Json]) -> Json:
    """What the grader that `function` is is called here, else what it would be called."""
    found = (name for one, name in zip(graders, names, strict=True) if one is function)
    return next(found, name_of(function))  # type: ignore[arg-type]  # callers have looked


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """How a task is called: see `evaluate`."""

    model: str | None = None
    calls: int | None = None
    retries: int | Mapping[str, Json] | None = None
    time_limit_s: float | None = None

    def fields(self) -> dict[str, Any]:
        """The configuration's own fields for them."""
        found: dict[str, Any] = {}
        if self.retries is not None:
            again = self.retries
            found["retries"] = (
                {"max_attempts": again + 1} if isinstance(again, int) else dict(again)
            )
        if self.time_limit_s is not None:
            found["rollout_time_limit_secs"] = self.time_limit_s
        return found


def _executor(
    functions: Functions, task: Answer, prompt: Prompts, limits: CallLimits
) -> dict[str, Any]:
    """The function as a configuration names it.

    Raises:
        InputError: it cannot be called with a row and a prompt, or its session could call nothing.
    """
    with_session = takes_session(
        task,
        what=f"the task '{name_of(task)}' cannot be called with a row and a prompt",
        fix="define it as fn(example, prompt) or fn(example, prompt, session)",
    )
    if not with_session and (limits.model is not None or limits.calls is not None):
        raise InputError(
            "'model' and 'calls' are for a task that takes a session",
            why=f"'{name_of(task)}' takes a row and a prompt only",
            fix="define it as fn(example, prompt, session) and call session.chat(messages)",
        )
    calls = limits.calls
    if calls is None:
        calls = 0 if limits.model is None else _CALLS
    target = functions.task(task, alone=isinstance(prompt, str), with_session=with_session)
    return {"type": "python", "function": target, "calls": calls}


def _splits(data: Data, *, whole: bool, group: Columns) -> dict[str, Any]:
    """Rows per split; a single list is measured whole, or divided in three by hash of groups."""
    if isinstance(data, Mapping):
        return {name: _rows(rows) for name, rows in data.items()}
    if whole:
        return {"validate": _rows(data)}
    if isinstance(data, str | Path):
        raise InputError(
            f"one file, '{data}', is to be divided",
            fix="give its rows as a list, or a file for each of optimize, validate and test",
        )
    columns = (group,) if isinstance(group, str) else tuple(group or ())
    units = [_unit(row, columns) for row in data]
    sizes = Counter(units)
    part, before = {}, 0
    # The same whatever the seed, and nearly the same with a row more: what a claim has used up
    # does not become fresh by dividing anew.
    for unit in sorted(sizes, key=lambda one: content_hash(["split", one])):
        middle = before + sizes[unit] / 2
        part[unit] = min(len(_SPLITS) - 1, int(len(_SPLITS) * middle / len(data)))
        before += sizes[unit]
    return {
        split: [row for row, unit in zip(data, units, strict=True) if part[unit] == number]
        for number, split in enumerate(_SPLITS)
    }


def _unit(row: Json, columns: Sequence[str]) -> str:
    """What rows that must stay together have in common: their group, else that they are equal."""
    found = [row.get(name) for name in columns] if isinstance(row, Mapping) else []
    return content_hash(found if any(one not in (None, "") for one in found) else row)


def _rows(rows: Rows) -> Any:  # noqa: ANN401  (JSON, or a file as a configuration names it)
    return {"file": str(rows)} if isinstance(rows, str | Path) else list(rows)
