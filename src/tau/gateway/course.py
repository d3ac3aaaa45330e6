"""The best so far along a run, for the page's drawing, its table, and the API."""

from collections.abc import Container, Sequence
from dataclasses import dataclass

import orjson

from tau.charts.curve import CertifiedPoint, Dot, Point, curve_chart
from tau.charts.svg import Svg
from tau.domain.dataset import Split
from tau.domain.decision import Verdict
from tau.domain.run import Run, RunStatus
from tau.gateway import figures
from tau.gateway.board import RunScores
from tau.gateway.contest import Contest
from tau.readings.scores import CandidateScore
from tau.reports.gain import of_evidence

_DOTS = 250
_DRAWN = 160
TONES = {
    "baseline": "baseline",
    "best": "best",
    "accepted": "accepted: was ahead for a while",
    "discarded": "discarded",
    "gated": "stopped by the safety gate",
    "other": "on trial",
}


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


def _rounded(rollouts: int, *scores: float) -> list[float]:
    return [rollouts, *(round(score, 4) for score in scores)]


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
