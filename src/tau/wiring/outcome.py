"""What a run leaves in the store for those who read of it later."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tau.config.paths import state_dir
from tau.domain.decision import Verdict
from tau.domain.ids import WorkerId
from tau.domain.resources import Resources
from tau.domain.rollout import RolloutStatus
from tau.domain.run import Run, StopReason
from tau.ports.algorithm import UNANSWERED_PROPOSALS, Plan, Recommendation
from tau.ports.insights import RolloutFilter
from tau.ports.store import Store
from tau.reports.account import Account, baseline_of, gather, retries, right_or_wrong
from tau.reports.judges_html import JudgeMeasurement, JudgeReport
from tau.reports.shortfalls import nothing_scored
from tau.scores.calibrations import cited, read_calibrations
from tau.trainer.loop import TrainingResult
from tau.trainer.progress import Progress
from tau.trainer.report import RunReport

_VERSIONS = 1000
_WHY = "why_unusable"


async def give_verdict(store: Store, run: Run, best: Recommendation, trainer: WorkerId) -> None:
    """Keep what the run recommends now, in place of what it said before."""
    verdict = Verdict(
        run_id=run.id,
        resources=best.resources,
        decision=best.decision,
        evidence=best.evidence,
        caveats=best.caveats,
    )
    await store.verdicts.save(verdict, trainer=trainer)


async def judged(store: Store, run: Run, fit: TrainingResult) -> TrainingResult:
    """`fit`, or that nothing was scored or searched, which is no result and decides nothing."""
    why = await nothing_scored(store, run.id)
    found = fit.recommendation
    if why is None:
        if fit.stop_reason is not StopReason.FINISHED or not _unanswered(found):
            return fit
        return TrainingResult(
            recommendation=replace(found, decision=None),
            stop_reason=StopReason.NOT_SEARCHED,
            detail=f"no request to the reflection model was answered: {found.evidence[_WHY]}",
        )
    evidence = {name: value for name, value in found.evidence.items() if name != "certificate"}
    undecided = replace(found, decision=None, evidence=evidence)
    if fit.stop_reason is not StopReason.FINISHED:
        return replace(fit, recommendation=undecided, detail=f"{fit.detail}; {why}")
    return TrainingResult(
        recommendation=undecided, stop_reason=StopReason.NOTHING_SCORED, detail=why
    )


def _unanswered(found: Recommendation) -> bool:
    """Whether nothing was tried because the reflection model never answered."""
    lost = found.evidence.get(UNANSWERED_PROPOSALS)
    return (
        bool(lost)
        and not found.evidence.get("candidates")
        and lost == found.evidence.get("failed_proposals")
    )


async def account_of(store: Store, run: Run, best: Recommendation) -> Account | None:
    """What an optimization tried and found; None where only the given resources were measured."""
    found = await store.insights.candidates(run.id, limit=2)
    if best.decision is None and not any(_is_new(one.resources, run) for one in found):
        return None
    return await gather(store, run.id)


async def report_of(
    store: Store,
    best: Recommendation,
    progress: Progress,
    *,
    store_path: str,
    resumed: bool,
    prices_known: bool,
    plan: Plan | None,
) -> RunReport:
    """The final report; `progress` is the last look, `plan` what the algorithm had planned."""
    run = progress.run
    versions = await store.insights.versions(limit=_VERSIONS)
    unpriced = not prices_known and run.spent.calls and not run.spent.cost_nano_usd
    return RunReport(
        run_id=run.id,
        model_ref=run.model_ref,
        store_path=store_path,
        status=run.status,
        stop_reason=run.stop_reason or StopReason.FINISHED,
        stop_detail=run.stop_detail,
        resumable=run.unfinished,
        resumed=resumed,
        counts=progress.counts,
        splits=progress.splits,
        best_hash=best.resources.hash,
        best_version=next(
            (one.id for one in versions if one.resources.hash == best.resources.hash), None
        ),
        decision=best.decision and str(best.decision),
        evidence=best.evidence,
        spent=run.spent,
        cost_usd=None if unpriced else run.spent.cost_usd,
        failures=progress.failures,
        last_failure=await _last_failure(store, run) if progress.failures else None,
        duration_s=progress.elapsed_s,
        active_s=run.active_s,
        caveats=best.caveats,
        judges=judges_of(run, store_path),
        account=await account_of(store, run, best),
        shortfalls=await store.insights.shortfalls(run.id),
        plan=plan,
        binary=await right_or_wrong(store, run.id),
        retries=await retries(store, run),
        reused=await store.insights.reused(run.id),
    )


def judges_of(run: Run, store_path: str) -> tuple[str, ...]:
    """What is known of the judges of a run: a sentence each."""
    return tuple(one.said for one in judge_reports(run, store_path))


def judge_reports(run: Run, store_path: str) -> tuple[JudgeReport, ...]:
    """What is known of the judges of a run, with all measurements."""
    named = run.config.get("judges")
    if not isinstance(named, Mapping):
        return ()
    state = state_dir(store_path).root
    return tuple(
        judge_report(grader, str(one["hash"]), state)
        for grader, one in named.items()
        if isinstance(one, Mapping) and "hash" in one
    )


def judge_report(grader: str, judge: str, state: Path) -> JudgeReport:
    """What is known of one judge."""
    known = read_calibrations(state, judge)
    kinds: dict[str, list[JudgeMeasurement]] = {"test": [], "check": []}
    for one in known:
        measured = JudgeMeasurement(measured_unix_ms=one.measured_unix_ms, figures=one.figures)
        kinds[one.kind].append(measured)
    return JudgeReport(
        grader=grader,
        judge=judge,
        said=cited(grader, judge, known),
        tests=tuple(kinds["test"]),
        checks=tuple(kinds["check"]),
    )


async def _last_failure(store: Store, run: Run) -> str | None:
    failed = RolloutFilter(run=run.id, statuses=frozenset({RolloutStatus.FAILED}))
    rows = await store.insights.rollouts(failed, limit=1, newest_first=True)
    return next((row.failure.message for row in rows if row.failure is not None), None)


def _is_new(resources: Resources, run: Run) -> bool:
    return resources.hash != baseline_of(run).hash
