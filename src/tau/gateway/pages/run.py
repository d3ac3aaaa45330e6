"""One run: how it went, what is best, what changed, why it stopped."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request

from tau.charts.curve import Dot, Point, curve_chart
from tau.charts.svg import Svg
from tau.domain.dataset import Split
from tau.domain.ids import ResourcesHash, RunId
from tau.domain.resources import Resources
from tau.domain.run import Run
from tau.errors import NotFound
from tau.gateway.board import Board, Standing
from tau.gateway.context import Gateway
from tau.gateway.pages import figures
from tau.gateway.pages.overview import (
    Contest,
    activity_chart,
    contest_chart,
    contest_of,
    gain_chart,
    meters,
    verdict_of,
)
from tau.gateway.pages.rendering import Page
from tau.reports.account import baseline_of, resources_diff
from tau.reports.gain import of_evidence
from tau.reports.words import Piece

_DOTS = 400
_MOST_TEXT = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a run went, for the drawing and for its table."""

    points: tuple[Point, ...]
    dots: tuple[Dot, ...]
    baseline: float | None
    picture: Svg

    @property
    def data(self) -> str:
        """For the browser's own drawing: rollouts, best mean, low and high."""
        rows = [[p.rollouts, p.mean, p.low, p.high] for p in self.points]
        dots = [[d.rollouts, d.mean, d.tone] for d in self.dots]
        return orjson.dumps({"best": rows, "dots": dots, "baseline": self.baseline}).decode()


async def run_page(gateway: Gateway, request: Request) -> Page:
    """Everything about one run."""
    run, board = await run_and_board(gateway, request.path_params["run"])
    counts = await gateway.window.ask(lambda store: store.insights.counts(run.id))
    failures = await gateway.window.ask(lambda store: store.insights.failures(run.id))
    verdict = await verdict_of(gateway, run.id)
    contest = contest_of(run, board, verdict)
    course = course_of(board, contest)
    return Page(
        template="run.html",
        title=run.id,
        section="run",
        run=run.id,
        live=True,
        values={
            "run": run,
            "counts": counts,
            "failures": failures,
            "verdict": verdict,
            "gain": of_evidence(verdict.evidence) if verdict else None,
            "gain_chart": gain_chart(verdict),
            "contest": contest,
            "contest_chart": contest_chart(contest),
            "course": course,
            "standings": split_table(board, contest),
            "meters": meters(run),
            "activity": activity_chart(board),
            "diffs": await diff_with_baseline(gateway, run, contest),
            "reading": not board.complete,
        },
    )


async def run_and_board(gateway: Gateway, name: str) -> tuple[Run, Board]:
    """A run and what has settled of it.

    Raises:
        NotFound: there is no such run.
        StoreError: the store cannot be read.
    """
    run = await gateway.window.ask(lambda store: store.insights.run(RunId(name)))
    return run, await gateway.watch.board(run.id)


def course_of(board: Board, contest: Contest) -> Course | None:
    """The best so far, sampled along the run, and a dot for each candidate."""
    split = contest.split
    if split is None:
        return None
    standings = [one for one in board.of_split[split] if one.scored]
    points = [
        Point(rollouts=number, mean=found.mean, low=found.low, high=found.high)
        for number, found in board.courses[split].points
    ]
    baseline = contest.baseline.estimate if contest.baseline else None
    dots = [_dot(board, one, contest) for one in _thinned(standings, contest)]
    mean = baseline.mean if baseline else None
    title = f"Best score so far on {split} against rollouts"
    return Course(
        points=tuple(points),
        dots=tuple(dots),
        baseline=mean,
        picture=curve_chart(title, points, dots, baseline=mean),
    )


def _thinned(standings: Sequence[Standing], contest: Contest) -> list[Standing]:
    """At most so many, evenly chosen; baseline and best always."""
    step = max(1, -(-len(standings) // _DOTS))
    named = (contest.baseline_hash, contest.best_hash)
    return [one for n, one in enumerate(standings) if n % step == 0 or one.resources in named]


def _dot(board: Board, standing: Standing, contest: Contest) -> Dot:
    tone = "other"
    if standing.resources == contest.baseline_hash:
        tone = "baseline"
    elif standing.resources == contest.best_hash:
        tone = "best"
    estimate = standing.estimate
    return Dot(
        label=figures.short(standing.resources),
        rollouts=standing.first,
        mean=estimate.mean if estimate else 0.0,
        tone=tone,
        href=f"/runs/{board.run_id}/candidates?c={standing.resources[:12]}",
    )


def split_table(board: Board, contest: Contest) -> list[dict[str, Any]]:
    """Baseline and best on every split."""
    rows = []
    for split in Split:
        for name, digest in (("baseline", contest.baseline_hash), ("best", contest.best_hash)):
            standing = board.standings.get((digest, split)) if digest else None
            if standing is not None and (name == "baseline" or contest.different):
                rows.append({"split": split, "name": name, "hash": digest, "standing": standing})
    return rows


async def diff_with_baseline(
    gateway: Gateway, run: Run, contest: Contest
) -> dict[str, tuple[Piece, ...]]:
    """What changed from the baseline to the best, by resource."""
    if not contest.different or contest.best_hash is None:
        return {}
    try:
        best = await gateway.window.ask(
            lambda store: store.insights.resources(str(contest.best_hash))
        )
    except NotFound:
        return {}
    return bounded_diff(baseline_of(run), best)


def bounded_diff(old: Resources, new: Resources) -> dict[str, tuple[Piece, ...]]:
    """As `resources_diff`; where texts are too long to compare within a request, nothing."""
    size = sum(len(str(value)) for value in (*old.values.values(), *new.values.values()))
    return resources_diff(old, new) if size <= _MOST_TEXT else {}


def digest_of(text: str) -> ResourcesHash:
    """A hash or its first digits, as it comes in an address."""
    return ResourcesHash(text.lower())
