"""Examples against candidates: who got what right."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from starlette.requests import Request

from tau.charts.matrix import Cell, matrix_chart
from tau.domain.dataset import Example
from tau.domain.ids import RolloutId, RunId, rollout_id
from tau.domain.run import Run
from tau.domain.visible import clipped
from tau.gateway.answers import Refused
from tau.gateway.board import Board
from tau.gateway.context import Gateway
from tau.gateway.pages import figures
from tau.gateway.pages.overview import contest_of, verdict_of
from tau.gateway.pages.rendering import Page
from tau.gateway.pages.run import run_and_board
from tau.gateway.paging import Paging, page_number
from tau.ports.insights import SettledRow
from tau.reports.account import resource_text

EXAMPLES = 30
_WORDS = 44
CANDIDATES = 16

FILTERS = {
    "all": "every example",
    "failures": "wrong with the best",
    "different": "not the same with all",
    "regressed": "worse with the best than with the baseline",
    "errors": "failed to run",
}


async def matrix(gateway: Gateway, request: Request) -> Page:
    """A page of examples, and the candidates that did best, the baseline first."""
    wanted = request.query_params.get("filter", "all")
    if wanted not in FILTERS:
        raise Refused(
            400, "invalid_filter", "there is no such filter", fix=f"one of {', '.join(FILTERS)}"
        )
    run, board = await run_and_board(gateway, request.path_params["run"])
    number = page_number(request)
    contest = contest_of(run, board, await verdict_of(gateway, run.id))
    columns = _columns(board, contest.baseline_hash, contest.best_hash)
    table = _table(board, columns)
    judge = _judges(contest.baseline_hash, contest.best_hash)[wanted]
    names = [name for name, cells in table.items() if judge(cells)]
    shown = names[(number - 1) * EXAMPLES : number * EXAMPLES]
    heads = [_head(name, contest.baseline_hash, contest.best_hash) for name in columns]
    words = await _words(gateway, run, board, [next(iter(table[name].values())) for name in shown])
    rows = [
        (_label(name, words), [_cell(run.id, table[name].get(column)) for column in columns])
        for name in shown
    ]
    return Page(
        template="matrix.html",
        title=f"Matrix of {run.id}",
        section="matrix",
        run=run.id,
        values={
            "run": run,
            "filter": wanted,
            "filters": FILTERS,
            "examples": len(names),
            "total": len(table),
            "candidates": len({name for name, _ in board.standings}),
            "shown": len(columns),
            "heads": heads,
            "rows": rows,
            "chart": matrix_chart("What each candidate scored on each example", rows, heads),
            "paging": Paging(
                request, number=number, more=number * EXAMPLES < len(names), total=len(names)
            ),
            "reading": not board.complete,
        },
    )


def _columns(board: Board, baseline: str, best: str | None) -> list[str]:
    """Baseline, best, then the others by mean."""
    means: dict[str, tuple[int, float]] = {}
    for (name, _), standing in board.standings.items():
        count, total = means.get(name, (0, 0.0))
        means[name] = (count + standing.scored, total + standing.scored * standing.known.mean)
    ranked = sorted(means, key=lambda name: -means[name][1] / max(1, means[name][0]))
    first = [name for name in (baseline, best) if name in means]
    return list(dict.fromkeys([*first, *ranked]))[:CANDIDATES]


def _table(board: Board, columns: Sequence[str]) -> dict[str, dict[str, SettledRow]]:
    """The first replicate of each example with each of the candidates."""
    found: dict[str, dict[str, SettledRow]] = {}
    for name in columns:
        for row in board.of_resources.get(name, ()):
            if row.example is not None:
                found.setdefault(row.example, {}).setdefault(name, row)
    return found


def _judges(
    baseline: str, best: str | None
) -> dict[str, Callable[[Mapping[str, SettledRow]], bool]]:
    lead = best or baseline

    def score(cells: Mapping[str, SettledRow], name: str) -> float | None:
        return cells[name].score if name in cells else None

    def regressed(cells: Mapping[str, SettledRow]) -> bool:
        before, after = score(cells, baseline), score(cells, lead)
        return before is not None and after is not None and after < before

    def wrong(cells: Mapping[str, SettledRow]) -> bool:
        found = score(cells, lead)
        return lead in cells and (found is None or found < 1)

    return {
        "all": lambda cells: True,
        "failures": wrong,
        "different": lambda cells: len({row.score for row in cells.values()}) > 1,
        "regressed": regressed,
        "errors": lambda cells: any(row.failure for row in cells.values()),
    }


def _cell(run: RunId, row: SettledRow | None) -> Cell | None:
    if row is None:
        return None
    identity = rollout_id(run, row.number)
    mark = "✕" if row.failure else "?" if row.score is None else ""
    if row.score is not None:
        mark = "" if row.score >= 1 else "·" if row.score <= 0 else ""
    said = row.failure or (
        f"score {figures.score(row.score)}" if row.score is not None else "unscored"
    )
    return Cell(
        score=row.score,
        mark=mark,
        about=f"{row.example} with {row.resources[:8]}: {said}",
        href=f"/rollouts/{identity}",
    )


def _head(name: str, baseline: str, best: str | None) -> str:
    if name == baseline:
        return "baseline"
    return "best" if name == best else figures.short(name, 8)


async def _words(
    gateway: Gateway, run: Run, board: Board, rows: Sequence[SettledRow]
) -> Mapping[str, str]:
    """How each example begins, read off one of its rollouts."""
    names = [rollout_id(run.id, row.number) for row in rows if row.example not in board.beginnings]
    found = await asyncio.gather(*(_example(gateway, name) for name in names))
    board.beginnings |= {one.id: _beginning(one) for one in found if one is not None}
    return board.beginnings


def _beginning(example: Example) -> str:
    texts = [value for value in example.fields.values() if value]
    prompt = example.fields.get("prompt") or next(iter(texts), "")
    return clipped(resource_text(prompt), _WORDS)


async def _example(gateway: Gateway, identity: RolloutId) -> Example | None:
    view = await gateway.window.ask(lambda store: store.insights.rollout(identity))
    return view.result.request.example


def _label(example: str, words: Mapping[str, str]) -> str:
    """`validate · How much is ...` of an example's id."""
    split, _, rest = example.partition(":")
    digest, _, occurrence = rest.partition(":")
    again = f" #{occurrence}" if occurrence not in ("", "1") else ""
    return f"{split} · {words.get(example) or digest[:8]}{again}"
