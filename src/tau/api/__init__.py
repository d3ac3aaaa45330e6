"""Tau from Python: measure or optimize a prompt in a script or a notebook.

`tau.certify`, `tau.evaluate` and `tau.optimize` are these functions.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from tau.api.certification import certify
from tau.api.driving import driven
from tau.api.results import Evaluation, Optimization
from tau.api.setup import (
    Budget,
    CallLimits,
    ClaimArguments,
    Columns,
    Data,
    Graders,
    Guards,
    Prompts,
    Task,
    configuration,
)
from tau.domain.json import Json
from tau.trainer.progress import Progress

__all__ = ["Evaluation", "Optimization", "Progress", "certify", "evaluate", "optimize"]

OnProgress = Callable[[Progress], None]
Retries = int | Mapping[str, Json] | None


def evaluate(
    task: Task,
    *,
    prompt: Prompts,
    data: Data,
    graders: Graders = (),
    params: Mapping[str, Json] | None = None,
    budget: Budget = None,
    replicates: int = 1,
    concurrency: int = 8,
    seed: int = 0,
    store: str | Path | None = None,
    progress: OnProgress | None = None,
    model: str | None = None,
    calls: int | None = None,
    retries: Retries = None,
    time_limit_s: float | None = None,
) -> Evaluation:
    """Measure a prompt on every row, as it is.

    `task` is a model (`provider/model`) or a function `fn(example, prompt)` that answers with a
    text, plain or async; `example` is the row as a dict. `prompt` is a text, or a mapping of named
    texts, which the function then gets whole. `data` is a list of rows, a file of them, or either
    of these per split. A row is a text or a dict with `prompt` and, for most graders, `expected`.
    `graders` are names, dicts as in a configuration, or functions `fn(example, output)`; the first
    gives the score. `budget` is a number of rollouts or a dict of limits.

    A function that takes a third argument gets a session: `session.chat(messages)` calls `model`,
    counted, budgeted and recorded, at most `calls` times a row (8 by default); `session.step` and
    `session.tool` record its own steps. `time_limit_s` is the limit of one row. A client of the
    function's own is known by its errors: rate limits, time-outs and failures of connections and
    servers are tried again, as `tau.RetryLater` is; `retries` says how often, or is a dict as in a
    configuration. What went wrong is in the result's `errors` and `traceback`.

    With a `store` everything is kept there, and an interrupted call goes on when it is made again;
    else it lives as long as the call. Works inside a running event loop too.

    Raises:
        InputError: something given cannot be used; nothing was run.
        RunError: the run failed; NothingScored, which has the `result`, where no row got a score.
        KeyboardInterrupt: after calls in flight have been recorded.
    """
    config = configuration(
        task, prompt, data, graders, algorithm="evaluate", params=params, budget=budget,
        seed=seed, concurrency=concurrency, replicates=replicates,
        limits=CallLimits(model=model, calls=calls, retries=retries, time_limit_s=time_limit_s),
    )  # fmt: skip
    return Evaluation(driven(config, store=store, progress=progress, rows=True)).scored()


def optimize(
    task: Task,
    *,
    prompt: Prompts,
    data: Data,
    graders: Graders = (),
    budget: Budget = 600,
    reflection_model: str | None = None,
    algorithm: str | Mapping[str, Json] = "reflect",
    params: Mapping[str, Json] | None = None,
    concurrency: int = 8,
    seed: int = 0,
    store: str | Path | None = None,
    progress: OnProgress | None = None,
    model: str | None = None,
    calls: int | None = None,
    retries: Retries = None,
    time_limit_s: float | None = None,
    group: Columns = None,
    claim: str | Mapping[str, Json] | None = None,
    objective: Mapping[str, Json] | None = None,
    guards: Guards = None,
    purpose: str = "",
) -> Optimization:
    """Look for a better prompt, and say whether it is better.

    As `evaluate`; besides, `reflection_model` writes the new prompts. It is needed where `task` is
    a function; else the task's own model is the default. `algorithm` is a name, or a dict of its
    settings with the name as `type`. One list of rows is divided into three parts: to learn from,
    to choose on, and to certify on; the parts can be given as `optimize`, `validate` and `test`.
    `group` names a column, or several, whose value says which rows belong together (a document, a
    customer): no part divides a group, and the claim counts groups.

    What is to be proved is as in a configuration: `claim` is 'better' (the default) or
    {'kind': 'not_worse', 'margin': 0.02}; `objective` claims less of something instead, as in
    {'minimize': 'output_tokens', 'not_worse': 0.02}; each of `guards`, {'grader': name or function,
    'margin': 0.02}, is another grader whose score must not get worse.

    `purpose` says in a sentence or two what the application is for: whoever writes the new prompts
    is told.

    Raises:
        InputError: something given cannot be used; nothing was run.
        RunError: the run failed; NothingScored, which has the `result`, where no row got a score.
        KeyboardInterrupt: after calls in flight have been recorded.
    """
    config = configuration(
        task, prompt, data, graders, algorithm=algorithm, params=params, budget=budget,
        seed=seed, concurrency=concurrency, reflection_model=reflection_model, group=group,
        purpose=purpose,
        claims=ClaimArguments(claim=claim, objective=objective, guards=guards),
        limits=CallLimits(model=model, calls=calls, retries=retries, time_limit_s=time_limit_s),
    )  # fmt: skip
    return Optimization(driven(config, store=store, progress=progress)).scored()
