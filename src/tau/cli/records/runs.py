"""The list of runs: how each is, what it came to, and which of them need somebody."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tau.cli import figures
from tau.cli.needs import held, why_waiting
from tau.cli.records.reading import print_json, print_lines, print_table, read
from tau.cli.report import store_option
from tau.cli.surface import Exit
from tau.cli.text import Column, cells, columns, facts, line
from tau.config.paths import state_dir
from tau.domain.actions import ControlState
from tau.domain.condition import Condition, condition_of, driven
from tau.domain.rollout import RolloutCounts
from tau.domain.run import CAME_TO_NOTHING, Run, RunStatus, StopReason
from tau.errors import ControlError
from tau.lifecycle.state import load_state
from tau.ports.clock import SystemClock
from tau.ports.store import Store
from tau.reports.gain import of_evidence
from tau.reports.wording import points, scored
from tau.wiring.naming import short_names

_MARKS = {
    Condition.RUNNING: ">",
    Condition.PAUSED: "||",
    Condition.CRASHED: "x",
    Condition.FAILED: "x",
    Condition.CANCELLED: "-",
    Condition.DONE: "v",
}
_COLUMNS = (
    Column(name="run"),
    Column(name="state"),
    Column(name="what", least=14),
    Column(name="", drop=1, right=True),
    Column(name="result", least=13),
    Column(name="cost", drop=3),
    Column(name="when", drop=2),
)
_NEEDY = (Condition.PAUSED, Condition.CRASHED)
_SHOWN = 5
_FAILED = {StopReason.BUDGET: "out of budget", StopReason.TIME_LIMIT: "out of time"}
_DECISIONS = {"keep_baseline": "keep baseline", "inconclusive": "not decided"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One run as it is listed; `alive`: its trainer lives."""

    run: Run
    counts: RolloutCounts
    condition: Condition
    result: str
    alive: bool = False


def list_runs(store: str, *, status: str | None, limit: int, offset: int, as_json: bool) -> int:
    """Print runs, newest first, and below them those that need somebody."""
    desired = _desired(store)
    now = SystemClock().unix_ms()

    async def query(opened: Store) -> list[_Line]:
        insights = opened.insights
        wanted = RunStatus(status) if status else None
        found = await insights.runs(status=wanted, limit=limit, offset=offset)
        workers = await insights.workers()
        lines = []
        for run in found:
            condition = condition_of(run, workers, now, held=_holds(desired, run))
            lines.append(
                _Line(
                    run=run,
                    counts=await insights.counts(run.id),
                    condition=condition,
                    result=await _result(opened, run, condition),
                    alive=driven(run, workers, now),
                )
            )
        return lines

    found = read(store, query)
    if as_json:
        print_json(
            [_fields(one.run, one.counts) | {"condition": str(one.condition)} for one in found]
        )
        return Exit.OK
    names = short_names([one.run.id for one in found])
    print_table(_COLUMNS, [_row(one, names, now) for one in found], "runs")
    print_lines(list(_needing(found, names, desired, store)))
    return Exit.OK


def _desired(store: str) -> ControlState | None:
    """What is wanted of the run beside the store; a file that cannot be read tells nothing."""
    try:
        return load_state(state_dir(store).control_state)
    except ControlError:
        return None


def _holds(desired: ControlState | None, run: Run) -> bool:
    """Whether an operator's pause holds this run."""
    return held(desired) and desired is not None and desired.run_id == run.id


def _row(one: _Line, names: Mapping[str, str], now: int) -> tuple[str, ...]:
    run = one.run
    return (
        names[run.id],
        f"{_MARKS[one.condition]:2} {one.condition}",
        f"{run.algorithm} {run.model_ref}",
        _progress(one),
        one.result or "-",
        figures.money(run.spent.cost_usd) if run.spent.cost_nano_usd else "-",
        figures.ago((now - run.created_unix_ms) / 1000),
    )


def _progress(one: _Line) -> str:
    """`499`, of a run that is not at its end `65/900`."""
    if one.condition in (Condition.DONE, Condition.FAILED, Condition.CANCELLED):
        return f"{one.counts.settled:,}"
    total = one.counts.total
    if one.run.algorithm != "evaluate":
        total = one.run.budget.rollouts or total
    return f"{one.counts.settled:,}/{total:,}"


async def _result(opened: Store, run: Run, condition: Condition) -> str:
    """What it came to in two or three words; empty while it has come to nothing."""
    if condition is Condition.FAILED:
        kinds = await opened.insights.failures(run.id)
        worst = max(kinds, key=lambda kind: kinds[kind], default="")
        if worst and run.stop_reason in (*CAME_TO_NOTHING, StopReason.ERROR):
            return f"fail {worst.replace('_', ' ')}"
        reason = run.stop_reason or StopReason.ERROR
        return _FAILED.get(reason, str(reason).replace("_", " "))
    verdict = await opened.verdicts.find(run.id)
    if verdict is None or condition is not Condition.DONE:
        return ""
    if verdict.decision is None:
        return _measured(verdict.evidence)
    gain = of_evidence(verdict.evidence)
    if verdict.decision == "promote" and gain is not None:
        return f"{points(gain.difference, gain.method == 'mcnemar', unit=False)} promote"
    return _DECISIONS.get(str(verdict.decision), str(verdict.decision))


def _measured(evidence: Mapping[str, Any]) -> str:
    """The mean of the last split that an evaluation has scores of."""
    splits = evidence.get("splits")
    means = [
        each["mean"]
        for each in (splits.values() if isinstance(splits, Mapping) else ())
        if isinstance(each, Mapping) and isinstance(each.get("mean"), int | float)
    ]
    return scored(float(means[-1]), binary=False) if means else ""


def _needing(
    found: Sequence[_Line], names: Mapping[str, str], desired: ControlState | None, store: str
) -> Iterator[str]:
    """The runs that nothing goes on with by itself, each with why and what to type."""
    needy = [one for one in found if one.condition in _NEEDY]
    if not needy:
        return
    yield f"{len(needy):,} need{'s' if len(needy) == 1 else ''} you:"
    said = [
        (
            f"{names[one.run.id]} {_why(one.run, one.condition, desired)}",
            _command(one, desired, store),
        )
        for one in needy[:_SHOWN]
    ]
    size = max(cells(text) for text, _ in said)
    for text, command in said:
        if 2 + size + 3 + cells(command) <= columns():
            yield f"  {text}{' ' * (size - cells(text))}   {command}"
        else:
            yield from facts([("", text)])
            yield f"    {command}"
    if len(needy) > _SHOWN:
        yield f"  and {len(needy) - _SHOWN:,} more"


def _why(run: Run, condition: Condition, desired: ControlState | None) -> str:
    mine = desired if desired is not None and desired.run_id == run.id else None
    return line(why_waiting(condition, run.stop_reason, mine) or "").removeprefix("it ")


def _command(one: _Line, desired: ControlState | None, store: str) -> str:
    """What lets it go on: `resume` reaches the run that its state dir has now."""
    run, where = one.run, store_option(store)
    if desired is None or desired.run_id != run.id:
        verb = "run" if run.algorithm == "evaluate" else "optimize"
        return f"tau {verb} CFG --run {short_names([run.id])[run.id]}{where}"
    return f"tau resume{where}" if one.alive else f"tau resume --run{where}"


def _fields(run: Run, counts: RolloutCounts) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "run_state": str(run.status),
        "stop_reason": str(run.stop_reason) if run.stop_reason else None,
        "stop_detail": run.stop_detail,
        "model_ref": run.model_ref,
        "algorithm": run.algorithm,
        "seed": run.seed,
        "config_hash": run.config_hash,
        "created_unix_ms": run.created_unix_ms,
        "updated_unix_ms": run.updated_unix_ms,
        "active_s": run.active_s,
        "total_rollouts": counts.total,
        "counts": {str(status): number for status, number in counts.by_status.items()},
        "calls": run.spent.calls,
        "tokens": run.spent.tokens,
        "cost_usd": run.spent.cost_usd,
        "assumed_tokens": run.spent.assumed_tokens,
        "assumed_cost_usd": run.spent.assumed_cost_usd,
    }
