"""The same answers judged once more, so that a grader's noise is told apart from the model's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tau import plugins
from tau.config.identity import identified
from tau.config.run_settings import GraderChoice, PluginChoice, RunConfig
from tau.domain.dataset import Example, Split
from tau.domain.ids import RunId
from tau.domain.json import Json, content_hash
from tau.domain.rollout import Output
from tau.executors.python import PythonSettings
from tau.ports.insights import Measurement
from tau.ports.store import Store
from tau.wiring.reuse import PROBE

_FIXED = frozenset(
    {
        "exact_match", "exact", "contains", "regex", "number", "choice", "is-json", "json-schema",
        "json-fields", "token-f1", "length", "ngram-similarity", "sim",
    }
)  # fmt: skip
"""Graders that answer the same to the same; whatever is not known to do so is asked twice."""


def may_vary(graders: Sequence[GraderChoice]) -> bool:
    """Whether the score can differ between two judgements of one answer."""
    return bool(graders) and varies(graders[0])


def varies(grader: GraderChoice) -> bool:
    """Whether a grader can say something else to the same answer."""
    if grader.children:
        return any(map(varies, grader.children))
    return grader.type not in _FIXED


async def answers_of(
    store: Store, run: RunId, measured: Iterable[Measurement], rows: Sequence[Example]
) -> dict[str, Output]:
    """What was answered at the first try to each of `rows` that has a score, by its content.

    Of equal rows there is none: nothing tells whose answer is whose.
    """
    scored = [one for one in measured if one.replicate == 0 and one.score is not None]
    results = await store.queue.collect(run, [one.rollout_id for one in scored])
    given = {
        one.example: result.output
        for one, result in zip(scored, results, strict=True)
        if result is not None and result.output is not None
    }
    found: dict[str, Output] = {}
    for row in rows:
        if row.id in given and _key(row.fields) not in found:
            found[_key(row.fields)] = given[row.id]
    counts: dict[str, int] = {}
    for row in rows:
        counts[_key(row.fields)] = counts.get(_key(row.fields), 0) + 1
    return {key: output for key, output in found.items() if counts[key] == 1}


def judged_again(
    config: RunConfig, run: RunId, answers: Mapping[str, Output], rows: Sequence[Example]
) -> RunConfig:
    """A run whose answers are those of another one, so that only the graders work."""

    async def answer(example: Mapping[str, Json], resources: Mapping[str, Json]) -> Output:
        return answers[_key(example)]

    target = plugins.offer(answer, f"the answers of {run}-again")
    executor = PluginChoice(
        type="python", settings=PythonSettings(function=target), options={"function": target}
    )
    kept = [row for row in rows if _key(row.fields) in answers]
    examples = {split: tuple(row for row in kept if row.split is split) for split in Split}
    return identified(replace(config, executor=executor, examples=examples, command=PROBE))


def _key(fields: Mapping[str, Json]) -> str:
    return content_hash(dict(fields))
