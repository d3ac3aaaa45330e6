"""One run: how it went, what is best, what changed, why it stopped."""

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from tau.charts.outcomes import ExampleOutcome, Fate, outcome_chart
from tau.charts.svg import Svg
from tau.domain.dataset import Split
from tau.domain.ids import ResourcesHash, rollout_id
from tau.domain.resources import Resources
from tau.domain.rollout import RolloutStatus
from tau.domain.run import Run
from tau.errors import NotFound
from tau.gateway.alerts import nothing_scored, shown_state, shown_status
from tau.gateway.board import RunScores
from tau.gateway.contest import Contest, contest_of, run_and_board, verdict_of
from tau.gateway.context import Gateway
from tau.gateway.controls import controls
from tau.gateway.course import TONES, course_of
from tau.gateway.pages.front import front_of
from tau.gateway.pages.overview import activity, contest_chart, gain_chart, meters
from tau.gateway.pages.rendering import Page
from tau.readings.comparison import paired
from tau.reports import shortfalls
from tau.reports.account import baseline_of, resources_diff
from tau.reports.gain import Gain, of_comparison, of_evidence, partial_of
from tau.reports.words import Piece
from tau.scoring.compare import compare

_OUTCOMES = 240
_MOST_TEXT = 60_000


_NEEDS = {
    "crashed": "its process ended without a word; what had settled is kept.",
    "paused": "it stopped before its end and does not go on by itself.",
    "failed": "it cannot go on until its cause is mended.",
}


async def run_page(gateway: Gateway, request: Request) -> Page:
    """Everything about one run."""
    run, board = await run_and_board(gateway, request.path_params["run"])
    counts = await gateway.window.ask(lambda store: store.insights.counts(run.id))
    failures = await gateway.window.ask(lambda store: store.insights.failures(run.id))
    verdict = await verdict_of(gateway, run.id)
    contest = contest_of(run, board, verdict)
    course = course_of(run, board, contest, verdict)
    if course is not None and len(course.dots) < 2:
        course = None  # one measurement is no course
    snapshot = await gateway.watch.snapshot()
    current = snapshot.run is not None and snapshot.run.id == run.id
    return Page(
        template="run.html",
        title=run.id,
        section="run",
        run=run.id,
        live=True,
        values={
            "run": run,
            "state": shown_state(snapshot, run),
            "needs": _NEEDS,
            "store": gateway.settings.store_shown,
            "controls": controls(gateway, snapshot, gateway.settings.principal) if current else [],
            "counts": counts,
            "stands": {one: shown_status(snapshot, run, one) for one in RolloutStatus},
            "failures": failures,
            "verdict": verdict,
            "gain": of_evidence(verdict.evidence) if verdict else None,
            "gain_chart": gain_chart(verdict),
            "contest": contest,
            "contest_chart": contest_chart(contest),
            "course": course,
            "front": await front_of(gateway, run, board, contest),
            "scored": board.scored,
            "missing": list(shortfalls.table(board.shortfalls)),
            "commonest": shortfalls.commonest(board.shortfalls)
            if nothing_scored(run, board)
            else None,
            "partial": partial_of(verdict.evidence) if verdict else None,
            "standings": split_table(board, contest),
            "meters": meters(run),
            "activity": activity(board),
            "tones": TONES,
            "diffs": await diff_with_baseline(gateway, run, contest),
            "duel": duel_of(board, contest),
            "reading": not board.complete,
        },
    )


def split_table(board: RunScores, contest: Contest) -> list[dict[str, Any]]:
    """Baseline and best on every split."""
    rows = []
    for split in Split:
        for name, digest in (("baseline", contest.baseline_hash), ("best", contest.best_hash)):
            standing = board.standings.find(digest, split)
            if standing is not None and (name == "baseline" or contest.different):
                rows.append({"split": split, "name": name, "hash": digest, "standing": standing})
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """Best against baseline, example by example."""

    gain: Gain
    picture: Svg
    shown: int


def duel_of(board: RunScores, contest: Contest) -> Duel | None:
    """The paired difference on every example both were measured on, whatever it was used for."""
    if not contest.different or contest.best_hash is None:
        return None
    best, baseline = (
        board.of_resources.get(name, ()) for name in (contest.best_hash, contest.baseline_hash)
    )
    pairing = paired(best, baseline)
    if pairing is None:
        return None
    rows = {row.example: row.number for row in best}
    outcomes = [
        ExampleOutcome(
            label=example.partition(":")[0] + " " + example.partition(":")[2][:8],
            fate=Fate.FIXED if gap > 0 else Fate.BROKEN if gap < 0 else Fate.SAME,
            href=f"/rollouts/{rollout_id(board.run_id, rows[example])}",
        )
        for example, gap in zip(pairing.examples, pairing.differences, strict=True)
    ][:_OUTCOMES]
    return Duel(
        gain=of_comparison(compare(pairing)),
        picture=outcome_chart("Examples that the best fixed and broke", outcomes),
        shown=len(outcomes),
    )


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
