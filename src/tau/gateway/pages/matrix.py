"""Examples against candidates: who got what right."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from starlette.requests import Request

from tau.charts.matrix import Cell, cell_mark
from tau.charts.svg import Svg
from tau.domain.dataset import Example
from tau.domain.ids import RolloutId, RunId, rollout_id
from tau.domain.run import Run
from tau.domain.visible import clipped
from tau.gateway import figures
from tau.gateway.answers import Refused
from tau.gateway.board import RunScores
from tau.gateway.contest import Contest, contest_of, run_and_board, verdict_of
from tau.gateway.context import Gateway
from tau.gateway.pages.rendering import Page
from tau.gateway.paging import Paging, page_number
from tau.ports.insights import SettledRow
from tau.readings.scores import CandidateScore, across_splits
from tau.reports.account import resource_text

EXAMPLES = 30
_WORDS = 400
_SHOWN = 120
_SHARED = 3
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
    judges = _judges(contest.baseline_hash, contest.best_hash)
    judge = judges[wanted]
    names = [name for name, cells in table.items() if judge(cells)]
    names.sort(key=lambda name: _FIRST.index(_fate(table[name], contest)))
    shown = names[(number - 1) * EXAMPLES : number * EXAMPLES]
    words = await _words(gateway, run, board, [next(iter(table[name].values())) for name in shown])
    told = telling({name: words[name] for name in shown if name in words})
    return Page(
        template="matrix.html",
        title=f"Matrix of {run.id}",
        section="matrix",
        run=run.id,
        values={
            "run": run,
            "filter": wanted,
            "filters": {
                key: (label, sum(judges[key](cells) for cells in table.values()))
                for key, label in FILTERS.items()
            },
            "examples": len(names),
            "total": len(table),
            "candidates": len({name for name, _ in board.standings.by_place}),
            "shown": len(columns),
            "heads": [_head(board, name, contest) for name in columns],
            "rows": [
                _row(run.id, name, told, table[name], columns, contest) for name in shown
            ],
            "paging": Paging(
                request, number=number, more=number * EXAMPLES < len(names), total=len(names),
                size=EXAMPLES,
            ),
            "reading": not board.complete,
        },
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A column: which candidate, and its mean over the examples it was measured on."""

    name: str
    digest: str
    mean: float | None
    scored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An example with a square for each column; `fate` is how the best does against the baseline.

    `text` is how the example begins.
    """

    split: str
    text: str
    fate: str
    cells: tuple[tuple[Cell, Svg] | None, ...]


def _row(
    run: RunId,
    name: str,
    words: Mapping[str, str],
    cells: Mapping[str, SettledRow],
    columns: Sequence[str],
    contest: Contest,
) -> Row:
    split, _, rest = name.partition(":")
    digest, _, occurrence = rest.partition(":")
    again = f" (occurrence {occurrence})" if occurrence not in ("", "1") else ""
    text = words.get(name) or digest[:8]
    found = [_cell(run, cells.get(column), text) for column in columns]
    return Row(
        split=split,
        text=f"{text}{again}",
        fate=_fate(cells, contest),
        cells=tuple((one, cell_mark(one)) if one else None for one in found),
    )


def _fate(cells: Mapping[str, SettledRow], contest: Contest) -> str:
    """What became of an example from the baseline to the best: newly wrong or right."""
    pair = [cells.get(name or "") for name in (contest.baseline_hash, contest.best_hash)]
    before, after = (one.score if one else None for one in pair)
    if before is None or after is None or before == after:
        return ""
    return "newly right" if after > before else "newly wrong"


_FIRST = ("newly wrong", "newly right", "")


def telling(texts: Mapping[str, str]) -> dict[str, str]:
    """Each text without what all of them say alike, so that what is left tells them apart."""
    split = {name: text.split() for name, text in texts.items()}
    shared = set.intersection(*map(set, split.values())) if len(split) > 1 else set()
    found = {}
    for name, words in split.items():
        kept: list[str] = []
        for alike, group in groupby(words, key=shared.__contains__):
            some = list(group)
            kept += ["…"] if alike and len(some) >= _SHARED else some
        found[name] = clipped(" ".join(kept), _SHOWN) if kept != ["…"] else " ".join(words)
    return found


def _columns(board: RunScores, baseline: str, best: str | None) -> list[str]:
    """Baseline, best, then the others by mean."""
    places: dict[str, list[CandidateScore]] = {}
    for (name, _), standing in board.standings.by_place.items():
        places.setdefault(name, []).append(standing)
    means = {name: across_splits(scores) or 0.0 for name, scores in places.items()}
    ranked = sorted(means, key=lambda name: -means[name])
    first = [name for name in (baseline, best) if name in means]
    return list(dict.fromkeys([*first, *ranked]))[:CANDIDATES]


def _table(board: RunScores, columns: Sequence[str]) -> dict[str, dict[str, SettledRow]]:
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


def _cell(run: RunId, row: SettledRow | None, text: str) -> Cell | None:
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
        about=f"{text} with {row.resources[:8]}: {said}",
        href=f"/rollouts/{identity}",
    )


def _head(board: RunScores, name: str, contest: Contest) -> Head:
    standings = board.standings.of_resources(name)
    scored = sum(one.scored for one in standings)
    label = figures.short(name, 8)
    if name == contest.baseline_hash:
        label = "baseline"
    elif name == contest.best_hash:
        label = "best"
    return Head(name=label, digest=name, mean=across_splits(standings), scored=scored)


async def _words(
    gateway: Gateway, run: Run, board: RunScores, rows: Sequence[SettledRow]
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
