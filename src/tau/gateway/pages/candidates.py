"""The candidates of a run: where they come from, how they do, what they say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from tau.charts.lineage import Node, lineage_chart
from tau.domain.ids import ResourcesHash, rollout_id
from tau.domain.resources import Resources
from tau.domain.rollout import RolloutKind
from tau.domain.run import Run
from tau.domain.spend import NANO
from tau.domain.visible import clipped
from tau.errors import Conflict, NotFound
from tau.gateway import figures
from tau.gateway.board import RunScores
from tau.gateway.contest import Contest, contest_of, run_and_board, verdict_of
from tau.gateway.context import Gateway
from tau.gateway.pages.rendering import Page
from tau.gateway.pages.run import bounded_diff, digest_of
from tau.gateway.paging import Paging, page_number
from tau.ports.insights import CandidateRecord, SettledRow
from tau.readings.comparison import paired
from tau.reports.account import baseline_of, resource_text
from tau.reports.gain import Gain, of_comparison
from tau.reports.refused import unusable_counts
from tau.scoring.compare import compare

PER_PAGE = 50
ORIGIN_DIGITS = 16
_MOST_SHOWN = 20_000
_FAILURES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One candidate of the table."""

    resources: Resources
    wave: int | None
    tone: str
    mean: float | None
    low: float | None
    high: float | None
    rows: int
    operator: str | None
    abandoned: bool = False


async def candidates(gateway: Gateway, request: Request) -> Page:
    """Tree, table, and one candidate in detail where the address names it."""
    run, board = await run_and_board(gateway, request.path_params["run"])
    number = page_number(request)
    found = await gateway.window.ask(
        lambda store: store.insights.candidates(
            run.id, limit=PER_PAGE + 1, offset=(number - 1) * PER_PAGE
        )
    )
    contest = contest_of(run, board, await verdict_of(gateway, run.id))
    operators = await _operators(gateway, run)
    refused = await gateway.window.ask(lambda store: unusable_counts(store, run.id))
    lines = [_line(candidate, board, contest, operators) for candidate in found[:PER_PAGE]]
    baseline = baseline_of(run)
    if baseline.hash not in {line.resources.hash for line in lines}:
        first = CandidateRecord(resources=baseline, wave=0, abandoned=False)
        lines.insert(0, _line(first, board, contest, operators))
    chosen = request.query_params.get("c")
    detail = await _detail(gateway, request, run, board, chosen) if chosen else None
    return Page(
        template="candidates.html",
        title=f"Candidates of {run.id}",
        section="candidates",
        run=run.id,
        live=True,
        values={
            "run": run,
            "lines": lines,
            "refused": refused,
            "split": contest.split,
            "tree": lineage_chart("Which candidate came from which", _nodes(lines, run, request)),
            "operators": sorted({line.operator for line in lines if line.operator}),
            "chosen": str(detail["resources"].hash) if detail and not detail["missing"] else None,
            "paging": Paging(request, number=number, more=len(found) > PER_PAGE),
            "detail": detail,
            "reading": not board.complete,
        },
    )


def _line(
    candidate: CandidateRecord, board: RunScores, contest: Contest, operators: Mapping[str, str]
) -> Line:
    digest = candidate.resources.hash
    standing = board.standings.find(digest, contest.split)
    estimate = standing.estimate if standing else None
    operator = operators.get(digest[:ORIGIN_DIGITS])
    tone = "abandoned" if candidate.abandoned else "other"
    if digest == contest.baseline_hash:
        tone = "baseline"
    elif digest == contest.best_hash:
        tone = "best"
    return Line(
        resources=candidate.resources,
        wave=candidate.wave,
        tone=tone,
        mean=estimate.mean if estimate else None,
        low=estimate.low if estimate else None,
        high=estimate.high if estimate else None,
        rows=standing.rows if standing else 0,
        operator=None if digest == contest.baseline_hash else operator,
        abandoned=candidate.abandoned,
    )


def _nodes(lines: list[Line], run: Run, request: Request) -> list[Node]:
    page = request.query_params.get("page")
    more = f"&page={page}" if page else ""
    chosen = request.query_params.get("c")
    return [
        Node(
            key=line.resources.hash,
            parent=line.resources.parent,
            label=figures.short(line.resources.hash, 8),
            score=line.mean,
            evidence=line.rows,
            tone=line.tone,
            href=f"/runs/{run.id}/candidates?c={line.resources.hash[:12]}{more}#detail",
            operator=line.operator,
            chosen=bool(chosen) and line.resources.hash.startswith(str(chosen)),
        )
        for line in lines
    ]


async def _detail(
    gateway: Gateway, request: Request, run: Run, board: RunScores, chosen: str
) -> dict[str, Any]:
    """One candidate: its texts, what changed, its failures, the paired difference, its cost."""
    try:
        mine = await gateway.window.ask(lambda store: store.insights.resources(digest_of(chosen)))
    except (NotFound, Conflict) as error:
        return {"missing": str(error)}
    baseline = baseline_of(run)
    against = request.query_params.get("against", "parent")
    other = baseline
    if against != "baseline" and mine.parent is not None:
        other = await _parent(gateway, mine.parent) or baseline
    rows = board.of_resources.get(mine.hash, [])
    return {
        "missing": None,
        "resources": mine,
        "texts": {
            name: clipped(resource_text(value), _MOST_SHOWN) for name, value in mine.values.items()
        },
        "against": "parent" if other.hash == mine.parent else "baseline",
        "other": other,
        "diffs": bounded_diff(other, mine) if other.hash != mine.hash else {},
        "gain": _gain(board, mine.hash, other.hash) if other.hash != mine.hash else None,
        "proposals": _proposals(run, board, mine.parent),
        "failures": [_failure(run, row) for row in rows if _failed(row)][:_FAILURES],
        "failed": sum(map(_failed, rows)),
        "calls": sum(row.calls for row in rows),
        "tokens": sum(row.tokens for row in rows),
        "cost_nano_usd": sum(row.cost_nano_usd for row in rows),
        "standings": board.standings.of_resources(mine.hash),
    }


def _proposals(run: Run, board: RunScores, parent: str | None) -> list[str]:
    """The rollouts in which better ones than `parent` were asked for: they hold what was shown."""
    rows = board.of_resources.get(parent, ()) if parent else ()
    made = [row.number for row in rows if row.kind is RolloutKind.PROPOSE]
    return [rollout_id(run.id, number) for number in made[:_FAILURES]]


async def _parent(gateway: Gateway, digest: ResourcesHash) -> Resources | None:
    try:
        return await gateway.window.ask(lambda store: store.insights.resources(digest))
    except NotFound:
        return None


def _gain(board: RunScores, mine: str, other: str) -> Gain | None:
    rows = board.of_resources
    pairing = paired(rows.get(mine, ()), rows.get(other, ()))
    return of_comparison(compare(pairing)) if pairing else None


async def _operators(gateway: Gateway, run: Run) -> dict[str, str]:
    """How each candidate was made, by the first digits of its hash, where the algorithm tells."""
    checkpoint = await gateway.window.ask(lambda store: store.checkpoints.latest(run.id))
    found = checkpoint.state.get("origins") if checkpoint else None
    if not isinstance(found, Mapping):
        return {}
    return {digits: origin for digits, origin in found.items() if isinstance(origin, str)}


def _failed(row: SettledRow) -> bool:
    return row.failure is not None or (row.score is not None and row.score < 1)


def _failure(run: Run, row: SettledRow) -> dict[str, Any]:
    return {
        "id": rollout_id(run.id, row.number),
        "example": row.example,
        "score": row.score,
        "failure": row.failure,
        "cost": row.cost_nano_usd / NANO,
    }
