"""What a prompt scores on rows: from the store where it is known, else by a run of its own."""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from tau.cli import results
from tau.cli.displays import Display, PlainDisplay
from tau.cli.edge import drive
from tau.cli.streams import interactive
from tau.cli.surface import Exit
from tau.config.environment import snapshot
from tau.config.identity import identified
from tau.config.run_settings import RunConfig
from tau.domain.dataset import Example, Split
from tau.domain.ids import ExampleId
from tau.domain.json import Json
from tau.domain.rollout import RolloutResult
from tau.domain.run import RunStatus, StopReason
from tau.lifecycle.authorization import PolicyFile
from tau.ports.insights import Measurement
from tau.ports.store import Store
from tau.reports.conditions import Conditions, conditions_of, each_once
from tau.reports.rows import EvaluationRow, evaluation_rows
from tau.trainer.report import RunReport
from tau.wiring.delivery import mark_delivered
from tau.wiring.session import SessionRequest
from tau.wiring.stores import open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlace:
    """Where runs are kept, who starts them, and the command that goes on with them."""

    store: str
    principal: str
    policy: PolicyFile
    origin: dict[str, Json]
    resume: str


class StoppedEarly(Exception):
    """A run did not come to its end; why has been said, and `code` is the program's."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the run did not come to its end: exit code {code}")
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """One prompt on one model: by row the mean score (None: missing), dollars and milliseconds.

    `runs` are those that measured it.
    """

    model: str
    scores: tuple[float | None, ...]
    usd: tuple[float | None, ...]
    ms: tuple[float | None, ...]
    runs: tuple[str, ...]

    @property
    def known(self) -> int:
        """How many rows have a score."""
        return sum(one is not None for one in self.scores)

    @property
    def mean(self) -> float | None:
        """The mean over rows."""
        return mean(self.scores)


def mean(column: Iterable[float | None]) -> float | None:
    """The mean of what is known."""
    known = [one for one in column if one is not None]
    return fmean(known) if known else None


def on_rows(config: RunConfig, rows: Sequence[Example], *, split: Split) -> RunConfig:
    """The same configuration with no rows but these, all of one split."""
    return identified(replace(config, examples={one: () for one in Split} | {split: tuple(rows)}))


def carry_out(config: RunConfig, place: RunPlace) -> RunReport:
    """Run to the end; started again, an interrupted one goes on.

    Raises:
        StoppedEarly: a signal, a limit or an error ended it before.
        TauError: whatever prevented it.
    """
    request = SessionRequest(
        config=config, store=place.store, origin=place.origin, principal=place.principal,
        policy=place.policy,
    )  # fmt: skip
    with _display() as display:
        report, signal_number = drive(request, display, resume=place.resume)
    if signal_number is not None:
        raise StoppedEarly(128 + signal_number)
    if report is None or report.status is not RunStatus.COMPLETED:
        if report is not None:
            sys.stderr.write(f"{results.essence(report)}\n")
            sys.stderr.write("".join(f"  {detail}\n" for detail in results.details(report)))
        sys.stderr.write(f"to go on: {place.resume}\n")
        limited = report is not None and report.stop_reason in (
            StopReason.BUDGET, StopReason.TIME_LIMIT, StopReason.OPERATOR,
        )  # fmt: skip
        raise StoppedEarly(Exit.STOPPED if limited else Exit.FAILED)
    asyncio.run(mark_delivered(place.store, report))
    return report


def _display() -> Display:
    if interactive(sys.stderr, snapshot()):
        from tau.cli.live import LiveDisplay

        return LiveDisplay(sys.stderr)
    return PlainDisplay(sys.stderr)


def stored_scores(place: RunPlace, config: RunConfig, rows: Sequence[Example]) -> Scores:
    """What the store has of the configuration's prompt on its model, whichever runs measured it."""
    found = asyncio.run(_stored(place.store, config)) if is_there(place.store) else []
    by_row: dict[ExampleId, list[EvaluationRow]] = {}
    for one in found:
        by_row.setdefault(one.measurement.example, []).append(one)
    own = [by_row.get(row.id, []) for row in rows]
    return Scores(
        model=config.model_ref or "-",
        scores=tuple(mean(one.measurement.compared_score for one in each) for each in own),
        usd=tuple(mean(_usd(one.result) for one in each) for each in own),
        ms=tuple(mean(_ms(one.result) for one in each) for each in own),
        runs=tuple(dict.fromkeys(one.measurement.run_id for each in own for one in each)),
    )


def is_there(store: str) -> bool:
    """Whether there can be anything to read."""
    return "://" in store or Path(store).exists()


async def _stored(location: str, config: RunConfig) -> list[EvaluationRow]:
    async with await open_store(location, read_only=True) as store:
        return await _rows(store, config)


async def _rows(store: Store, config: RunConfig) -> list[EvaluationRow]:
    wanted = Conditions.of(config.model_ref, config.semantic)
    every = [
        one
        for one in each_once(await store.insights.measurements(resources=config.resources.hash))
        if one.compared_score is not None
    ]  # fmt: skip
    conditions = await conditions_of(store, every)
    by_run: dict[str, list[Measurement]] = {}
    for one in every:
        if conditions[one.run_id] == wanted:
            by_run.setdefault(one.run_id, []).append(one)
    return [
        row
        for some in by_run.values()
        for row in await evaluation_rows(store, some[0].run_id, some)
    ]


def _usd(result: RolloutResult | None) -> float | None:
    """None where calls cost nothing: that is, where no price is known."""
    return None if result is None else result.cost_usd or None


def _ms(result: RolloutResult | None) -> float | None:
    return None if result is None else float(result.duration_ms)
