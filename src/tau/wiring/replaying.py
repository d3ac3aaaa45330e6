"""Every number of a run again, from what is stored: nothing is called, nothing is written."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from tau import plugins
from tau.config.identity import identified
from tau.config.loading import compose, load
from tau.config.run_settings import RunConfig
from tau.domain.dataset import Split
from tau.domain.ids import RunId
from tau.domain.json import Json, canonical
from tau.domain.reward import SAFETY_PENALTY_TOTAL, Reward
from tau.domain.rollout import RolloutKind, RolloutRequest, RolloutResult, RolloutStatus
from tau.domain.run import Run, StopReason
from tau.domain.spend import Spend
from tau.errors import AttemptError, ConfigError
from tau.models.providers import PROVIDERS
from tau.ports.algorithm import (
    CERTIFIED_BEFORE,
    Algorithm,
    EarlierScores,
    Recommendation,
)
from tau.ports.clock import SystemClock
from tau.ports.insights import RolloutFilter
from tau.ports.store import Store
from tau.reports.account import Account, gather
from tau.runner.deadline import Deadline
from tau.runner.grading import Graded, Grading
from tau.runner.pacing import Pacing, PacingSettings
from tau.runner.recorder import SpanRecorder
from tau.wiring.history import RunHistory, certified_rows, measured
from tau.wiring.parts import ExecutionParts, build_parts, default_grader, problem_of
from tau.wiring.snapshots import as_configuration
from tau.wiring.workers import detect_unsafe

_PAGE = 1_000
_TOLERANCE = 1e-9
_GRADING_LIMIT_S = 60.0

Key = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One number that came out otherwise than it is stored."""

    what: str
    stored: Json
    again: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a replay found. `waves` are those told again, None where that could not be done.

    `graded` evaluations were graded again; `skipped` says what could not be checked, and why.
    """

    account: Account
    graded: int
    waves: int | None
    differences: tuple[Difference, ...]
    skipped: tuple[str, ...]


async def replay(
    store: Store, run_id: RunId, *, config_path: str | None, environ: Mapping[str, str]
) -> Replay:
    """Grade and tell again; NotFound for the run.

    A configuration that is not the run's is left aside, and said to be.

    Raises:
        ConfigError: the file at `config_path` cannot be used.
    """
    run = await store.insights.run(run_id)
    account = await gather(store, run.id)
    results = await _results(store, run)
    skipped: list[str] = []
    config = _configuration(run, results, config_path, environ, skipped)
    differences = list(_spending(run, results, account))
    graded, waves = 0, None
    if config is not None:
        async with AsyncExitStack() as closing:
            parts = build_parts(config, closing)
            graded, found = await _grade_again(config, parts, results, skipped)
            differences += found
            if config.config_hash == run.config_hash:
                scores = await measured(store, config, run)
                algorithm = _algorithm(config, parts, run, account.evidence, scores)
                waves = _tell_again(algorithm, run, results, skipped)
                if waves is not None:
                    differences += _verdicts(account, algorithm.best())
            else:
                skipped.append(_NO_ROWS)
    return Replay(
        account=account,
        graded=graded,
        waves=waves,
        differences=tuple(differences),
        skipped=tuple(skipped),
    )


_NO_ROWS = (
    "the algorithm was not told the results again: the store holds only the rows that were "
    "used; name the configuration with --config"
)


async def _results(store: Store, run: Run) -> list[RolloutResult]:
    """Everything of the run that is settled, in submission order."""
    found: list[RolloutResult] = []
    offset = 0
    while page := await store.insights.rollouts(
        RolloutFilter(run=run.id), limit=_PAGE, offset=offset
    ):
        offset += len(page)
        settled = await store.queue.collect(run.id, [row.id for row in page])
        found += [result for result in settled if result is not None]
    return found


# --- the configuration again


def _configuration(
    run: Run,
    results: Sequence[RolloutResult],
    path: str | None,
    environ: Mapping[str, str],
    skipped: list[str],
) -> RunConfig | None:
    """The configuration from its file, or from what the run keeps of it."""
    # Nothing is called, so any key will do; only a set-up without one would be refused.
    keys = {name: "replay" for each in PROVIDERS.values() for name in each.key_variables}
    known = {**keys, **environ}
    config = None if path is None else _from_file(path, run, known, skipped)
    if config is None:
        try:
            config = compose(as_configuration(run, _rows(results)), base_dir=Path(), environ=known)
        except ConfigError as error:
            skipped.append(f"nothing could be graded again: {error}")
            return None
    command = run.config.get("command")
    if isinstance(command, str):
        config = identified(replace(config, command=command))
    return replace(config, budget=run.budget, surroundings=environ)


def _from_file(
    path: str, run: Run, environ: Mapping[str, str], skipped: list[str]
) -> RunConfig | None:
    """The configuration in the file, if it is the run's."""
    config = load(path, environ=environ, model=run.model_ref, algorithm=run.algorithm)
    if config.config_hash == run.config_hash:
        return config
    skipped.append(
        f"'{path}' is not what the run was started with: data, prompts or settings differ"
    )
    return None


def _rows(results: Sequence[RolloutResult]) -> dict[str, list[Json]]:
    """The rows that were used, by split."""
    rows: dict[str, dict[str, Json]] = {split.value: {} for split in Split}
    for result in results:
        example = result.request.example
        if example is not None:
            rows[example.split][example.id] = example.value
    return {split: list(found.values()) for split, found in rows.items() if found}


# --- the numbers again


def _spending(run: Run, results: Sequence[RolloutResult], account: Account) -> Sequence[Difference]:
    """Counts of the run against its single rollouts."""
    again = {
        status: sum(result.status is status for result in results)
        for status in (RolloutStatus.SUCCEEDED, RolloutStatus.FAILED)
    }
    return [
        Difference(what=f"rollouts {status}", stored=account.counts[status], again=count)
        for status, count in again.items()
        if account.counts[status] != count
    ]


async def _grade_again(
    config: RunConfig, parts: ExecutionParts, results: Sequence[RolloutResult], skipped: list[str]
) -> tuple[int, list[Difference]]:
    """The rewards of graders that need no model, from the stored answers."""
    offline = tuple(one for one in parts.graders if one.calls_per_attempt == 0)
    primary = not parts.graders or parts.graders[0].calls_per_attempt == 0
    if len(offline) < len(parts.graders):
        left = len(parts.graders) - len(offline)
        skipped.append(f"{left} of {len(parts.graders)} graders call a model: their scores stand")
    grading = Grading(
        offline,
        default=None if parts.graders else default_grader(),
        safety=config.safety,
        detectors=(detect_unsafe,),
        deadline=Deadline(limit_s=_GRADING_LIMIT_S, grace_s=1.0),
    )
    graded, signalled, found = 0, 0, list[Difference]()
    for result in results:
        if result.output is None or result.request.example is None:
            continue
        again = await _graded(grading, result)
        graded += 1
        if again is None or _signals(again.rewards) != _signals(result.rewards):
            signalled += 1
            continue
        found += _differences(result, again, primary=primary)
    if signalled:
        skipped.append(f"{signalled:,} evaluations have safety signals of their own run")
    return graded - signalled, found


async def _graded(grading: Grading, result: RolloutResult) -> Graded | None:
    pacing = Pacing(PacingSettings(), ceiling=1)
    record = SpanRecorder(clock=SystemClock(), pacing=pacing, reserved=Spend())
    assert result.output is not None
    try:
        return await grading.grade(
            result.request.example, result.output, result.request.resources, record, ()
        )
    except AttemptError:
        return None


def _signals(rewards: Sequence[Reward]) -> float | None:
    return next((one.score for one in rewards if one.name == SAFETY_PENALTY_TOTAL), None)


def _differences(result: RolloutResult, again: Graded, *, primary: bool) -> list[Difference]:
    stored = {one.name: one.score for one in result.rewards}
    found = [
        Difference(what=f"{result.rollout_id} {one.name}", stored=stored[one.name], again=one.score)
        for one in again.rewards
        if one.name in stored and not _same(stored[one.name], one.score)
    ]
    if primary and not _same(result.score, again.score):
        what = f"{result.rollout_id} score"
        found.append(Difference(what=what, stored=result.score, again=again.score))
    return found


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= _TOLERANCE


# --- the search again


def _algorithm(
    config: RunConfig,
    parts: ExecutionParts,
    run: Run,
    evidence: Mapping[str, Json],
    scores: EarlierScores,
) -> Algorithm:
    """As it was then: what others have claimed since does not count."""
    past = RunHistory(certified=_certified_then(config, evidence), scores=scores)
    problem = replace(problem_of(config, parts, past), budget=run.budget)
    plugin = plugins.load(plugins.ALGORITHMS, config.algorithm.type)
    return cast(Algorithm, plugin.build(config.algorithm.settings, problem))


def _certified_then(config: RunConfig, evidence: Mapping[str, Json]) -> Mapping[str, int]:
    """Counts with which the same rows certify at the same level: all others are used up more."""
    before, keys = evidence.get(CERTIFIED_BEFORE), certified_rows(evidence)
    times = before if isinstance(before, int) else 0
    rows = [row for rows in config.examples.values() for row in rows]
    return {
        key: times if keys.issuperset(row.row_keys) else times + 1
        for row in rows
        for key in row.row_keys
    }


def _tell_again(
    algorithm: Algorithm, run: Run, results: Sequence[RolloutResult], skipped: list[str]
) -> int | None:
    """Answer every wave from the store; how many, None where the store cannot answer one."""
    known: dict[Key, RolloutResult] = {result.request.key: result for result in results}
    waves = 0
    while wave := algorithm.ask():
        missing = [request for request in wave if request.key not in known]
        if missing and run.stop_reason is not StopReason.BUDGET:
            kind = "a proposal" if missing[0].kind is RolloutKind.PROPOSE else "an evaluation"
            skipped.append(
                f"the search was told {waves} waves again; the store has not the results of "
                f"{len(missing)} of the {len(wave)} rollouts of the next one, {kind} first"
            )
            return None
        algorithm.tell([known.get(request.key) or _dropped(request) for request in wave])
        waves += 1
        if missing:
            break
    return waves


def _dropped(request: RolloutRequest) -> RolloutResult:
    """As the trainer tells what the end of the budget left over."""
    return RolloutResult(request=request, rollout_id=None, status=RolloutStatus.CANCELLED)


def _verdicts(account: Account, again: Recommendation) -> list[Difference]:
    verdict = account.verdict
    if verdict is None:
        return []
    pairs: list[tuple[str, Json, Json]] = [
        ("best", verdict.resources.hash, again.resources.hash),
        ("decision", verdict.decision, again.decision),
        ("caveats", list(verdict.caveats), list(again.caveats)),
    ]
    for name in sorted({*verdict.evidence, *again.evidence}):
        pairs.append((f"evidence {name}", verdict.evidence.get(name), again.evidence.get(name)))
    return [
        Difference(what=what, stored=stored, again=now)
        for what, stored, now in pairs
        if canonical(stored) != canonical(now)
    ]
