"""One run: how it went, what is best, what changed, why it stopped."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request

from tau.charts.curve import CertifiedPoint, Dot, Point, curve_chart
from tau.charts.outcomes import ExampleOutcome, Fate, outcome_chart
from tau.charts.svg import Svg
from tau.domain.dataset import Split
from tau.domain.decision import Verdict
from tau.domain.ids import ResourcesHash, RunId, rollout_id
from tau.domain.resources import Resources
from tau.domain.rollout import RolloutStatus
from tau.domain.run import Run, RunStatus
from tau.errors import NotFound
from tau.gateway.alerts import nothing_scored, shown_state, shown_status
from tau.gateway.board import RunScores
from tau.gateway.context import Gateway
from tau.gateway.controls import controls
from tau.gateway.pages import figures
from tau.gateway.pages.front import front_of
from tau.gateway.pages.overview import (
    Contest,
    activity,
    contest_chart,
    contest_of,
    gain_chart,
    meters,
    verdict_of,
)
from tau.gateway.pages.rendering import Page
from tau.readings.comparison import paired
from tau.readings.scores import CandidateScore
from tau.reports import shortfalls
from tau.reports.account import baseline_of, resources_diff
from tau.reports.gain import Gain, of_comparison, of_evidence, partial_of
from tau.reports.words import Piece
from tau.scoring.compare import compare

_DOTS = 250
_OUTCOMES = 240
_DRAWN = 160
_MOST_TEXT = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCourse:
    """How a run went, for the drawing and for its table."""

    split: Split
    points: tuple[Point, ...]
    dots: tuple[Dot, ...]
    baseline: float | None
    beside: Split | None
    beside_points: tuple[Point, ...]
    certified: CertifiedPoint | None
    last: int
    picture: Svg

    @property
    def data(self) -> str:
        """For the browser's own drawing: rollouts with the best's mean, low and high, and so on."""
        found = {
            "best": [_rounded(p.rollouts, p.mean, p.low, p.high) for p in self.points],
            "beside": [_rounded(p.rollouts, p.mean) for p in self.beside_points],
            "dots": [[*_rounded(d.rollouts, d.mean), d.tone, d.label] for d in self.dots],
            "baseline": self.baseline,
            "certified": [*(round(v, 4) for v in (one.mean, one.low, one.high)), one.label]
            if (one := self.certified)
            else None,
            "last": self.last,
            "split": self.split,
            "beside_split": self.beside,
        }
        return orjson.dumps(found).decode()

    @property
    def tones(self) -> list[str]:
        """Which kinds of dots there are, in the order of the key."""
        found = {dot.tone for dot in self.dots}
        return [tone for tone in TONES if tone in found]


_NEEDS = {
    "crashed": "its process ended without a word; what had settled is kept.",
    "paused": "it stopped before its end and does not go on by itself.",
    "failed": "it cannot go on until its cause is mended.",
}
TONES = {
    "baseline": "baseline",
    "best": "best",
    "accepted": "accepted: was ahead for a while",
    "discarded": "discarded",
    "gated": "stopped by the safety gate",
    "other": "on trial",
}


def _rounded(rollouts: int, *scores: float) -> list[float]:
    return [rollouts, *(round(score, 4) for score in scores)]


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


async def run_and_board(gateway: Gateway, name: str) -> tuple[Run, RunScores]:
    """A run and what has settled of it.

    Raises:
        NotFound: there is no such run.
        StoreError: the store cannot be read.
    """
    run = await gateway.window.ask(lambda store: store.insights.run(RunId(name)))
    return run, await gateway.watch.board(run.id)


def course_of(
    run: Run, board: RunScores, contest: Contest, verdict: Verdict | None = None
) -> ScoreCourse | None:
    """The best so far along the run, a dot for each candidate; None without a score."""
    split = contest.split
    standings = [one for one in board.standings.by_split[split] if one.scored] if split else []
    if split is None or not standings:
        return None
    points = _points(board, split)
    others = (Split.OPTIMIZE, Split.VALIDATE)
    beside = next((one for one in others if one != split and board.course(one).points), None)
    beside_points = _points(board, beside) if beside else []
    baseline = contest.baseline.estimate if contest.baseline else None
    over = run.status in (RunStatus.COMPLETED, RunStatus.CANCELLED)
    enough = 0 if over else max((one.scored for one in standings), default=0) / 2
    led = board.course(split).led
    dots = [
        _dot(board, one, fate_of(led, one, contest, enough)) for one in _thinned(standings, contest)
    ]
    mean = baseline.mean if baseline else None
    title = f"Best score so far on {split} against rollouts"
    certified = certified_of(verdict)
    return ScoreCourse(
        split=split,
        points=tuple(points),
        dots=tuple(dots),
        baseline=mean,
        beside=beside,
        beside_points=tuple(beside_points),
        certified=certified,
        last=len(board.rows),
        picture=curve_chart(
            title, _few(points), dots, baseline=mean, beside=_few(beside_points),
            certified=certified,
        ),
    )  # fmt: skip


def certified_of(verdict: Verdict | None) -> CertifiedPoint | None:
    """The best where it was certified: the baseline's mean there and the gain with its interval."""
    gain = of_evidence(verdict.evidence) if verdict else None
    before = verdict.evidence.get("baseline_mean") if verdict else None
    if gain is None or not isinstance(before, int | float):
        return None
    words = (
        f"certified: {before + gain.difference:.3f}, {figures.signed(gain.difference)} on "
        f"{figures.counted(gain.n, 'example')} that chose nothing "
        f"({figures.percent(1 - gain.alpha)} interval of the gain "
        f"{figures.signed(gain.low)} to {figures.signed(gain.high)})"
    )
    return CertifiedPoint(
        mean=before + gain.difference, low=before + gain.low, high=before + gain.high, label=words
    )


def _few(points: Sequence[Point]) -> list[Point]:
    """Enough for the picture that is seen where scripts are not allowed; the last always."""
    step = max(1, -(-len(points) // _DRAWN))
    return [*points[:-1:step], *points[-1:]]


def _points(board: RunScores, split: Split) -> list[Point]:
    return [
        Point(rollouts=number, mean=found.mean, low=found.low, high=found.high)
        for number, found in board.course(split).points
    ]


def _thinned(standings: Sequence[CandidateScore], contest: Contest) -> list[CandidateScore]:
    """At most so many, evenly chosen; baseline and best always."""
    step = max(1, -(-len(standings) // _DOTS))
    named = (contest.baseline_hash, contest.best_hash)
    return [one for n, one in enumerate(standings) if n % step == 0 or one.resources in named]


def fate_of(led: Container[str], standing: CandidateScore, contest: Contest, enough: float) -> str:
    """What became of a candidate, as a tone of `TONES`; with fewer than `enough` it is open."""
    if standing.resources == contest.baseline_hash:
        return "baseline"
    if standing.gated:
        return "gated"
    if standing.resources == contest.best_hash:
        return "best"
    if standing.resources in led:
        return "accepted"
    return "discarded" if standing.scored >= enough else "other"


def _dot(board: RunScores, standing: CandidateScore, tone: str) -> Dot:
    estimate = standing.estimate
    return Dot(
        label=figures.short(standing.resources),
        rollouts=standing.first,
        mean=estimate.mean if estimate else 0.0,
        tone=tone,
        href=f"/runs/{board.run_id}/candidates?c={standing.resources[:12]}",
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
