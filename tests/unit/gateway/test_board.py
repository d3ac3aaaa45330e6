"""Following what settles: in order, once, and again where it must be."""

import math
from pathlib import Path

import pytest

from tau.domain.dataset import Split
from tau.domain.rollout import RolloutCounts, RolloutKind, RolloutStatus
from tau.gateway.board import RunScores
from tau.gateway.window import StoreWindow
from tau.ports.insights import SettledRow
from tau.testing.clock import ManualClock
from tau.testing.store_bench import RUN, SEED
from unit.stores.stores import fill


def row(number: int, at: int, *, score: float | None = 1.0, failed: bool = False) -> SettledRow:
    status = RolloutStatus.FAILED if failed else RolloutStatus.SUCCEEDED
    return SettledRow(
        number, at, RolloutKind.EVALUATE, status, Split.OPTIMIZE, "h", f"e{number}", 0,
        None if failed else score, "server" if failed else None, 1, 5, 1, 10, 7,
    )  # fmt: skip


class Rows:
    """A window on rows that a test changes."""

    def __init__(self, rows: list[SettledRow]) -> None:
        self.rows = rows
        self.asked = 0

    async def ask(self, query: object) -> object:
        self.asked += 1
        return await query(self)  # type: ignore[operator]

    @property
    def insights(self) -> "Rows":
        return self

    async def settled(
        self, run: str, *, since_unix_ms: int, after: int, limit: int
    ) -> list[SettledRow]:
        found = sorted(self.rows, key=lambda one: (one.updated_unix_ms, one.number))
        beyond = (since_unix_ms, after)
        return [one for one in found if (one.updated_unix_ms, one.number) > beyond][:limit]


def counts(rows: Rows) -> RolloutCounts:
    statuses = [one.status for one in rows.rows]
    return RolloutCounts(by_status={one: statuses.count(one) for one in set(statuses)})


async def follow(board: RunScores, rows: Rows, times: int = 1) -> None:
    for _ in range(times):
        await board.follow(rows, counts(rows))  # type: ignore[arg-type]


async def test_a_real_store_is_followed(tmp_path: Path) -> None:
    await fill(tmp_path / "store.sqlite")
    window = StoreWindow(str(tmp_path / "store.sqlite"), ManualClock())
    board = RunScores(RUN)
    known = await window.ask(lambda store: store.insights.counts(RUN))
    await board.follow(window, known)
    await window.aclose()
    standing = board.standings.by_place[SEED.hash, Split.OPTIMIZE]
    assert (len(board.rows), standing.scored, standing.failed) == (2, 1, 1)
    assert board.failures == {"server": 1}


async def test_late_commits_are_seen_and_nothing_counts_twice() -> None:
    rows, board = Rows([row(1, 1000), row(3, 2000)]), RunScores(RUN)
    await follow(board, rows)
    rows.rows.append(row(2, 1900, score=0.0))  # committed after row 3, with an earlier time
    await follow(board, rows, 3)
    standing = board.standings.by_place["h", Split.OPTIMIZE]
    assert sorted(board.rows) == [1, 2, 3]
    assert standing.estimate is not None
    assert standing.rows == 3
    assert standing.estimate.mean == pytest.approx(2 / 3)
    assert sum(sum(one.statuses.values()) for one in board.slices(10)) == 3


async def test_a_long_run_is_read_bit_by_bit() -> None:
    rows, board = Rows([row(n, n // 100) for n in range(1, 5_000)]), RunScores(RUN)
    seen = []
    for _ in range(3):
        await follow(board, rows)
        seen.append((len(board.rows), board.complete))
    assert seen == [(2_000, False), (4_000, False), (4_999, True)]


def measured(start: int, name: str, scores: list[float]) -> list[SettledRow]:
    return [
        row(start + n, start + n, score=score)._replace(resources=name)
        for n, score in enumerate(scores)
    ]


async def test_the_best_so_far_comes_from_whole_sets_and_never_falls() -> None:
    first = measured(1, "baseline", [1.0] + [0.0] * 9 + [0.5] * 10)
    lucky = measured(21, "lucky", [1.0] * 5)
    better = measured(26, "better", [1.0, 0.0] * 10)
    worse = measured(46, "worse", [0.1] * 20)
    best = measured(66, "best", [0.9] * 20)
    rows, board = Rows([*first, *lucky, *better, *worse, *best]), RunScores(RUN)
    await follow(board, rows)
    found = board.course(Split.OPTIMIZE)
    assert [(n, round(one.mean, 2)) for n, one in found.points] == [(18, 0.3), (43, 0.5), (83, 0.9)]
    assert found.led == {"baseline", "better", "best"}


@pytest.mark.parametrize("size", [1, 9])
async def test_fewer_than_ten_scores_are_no_course(size: int) -> None:
    rows = Rows([*measured(1, "a", [0.0] * size), *measured(20, "b", [1.0] * size)])
    board = RunScores(RUN)
    await follow(board, rows)
    assert board.course(Split.OPTIMIZE).points == ()


async def test_a_failure_that_settles_anew_replaces_what_was() -> None:
    rows, board = Rows([row(1, 1000), row(2, 1100, failed=True)]), RunScores(RUN)
    await follow(board, rows)
    assert board.failure_streak == 1
    rows.rows[1] = row(2, 1300)
    await follow(board, rows, 2)
    assert (board.failure_streak, dict(board.failures)) == (0, {})
    assert board.standings.by_place["h", Split.OPTIMIZE].rows == 2


async def test_a_clock_that_jumped_back_is_noticed_by_the_totals() -> None:
    rows, board = Rows([row(1, 100_000)]), RunScores(RUN)
    await follow(board, rows)
    rows.rows.append(row(2, 10))
    await follow(board, rows)
    assert sorted(board.rows) == [1]
    await follow(board, rows, 50)
    assert sorted(board.rows) == [1, 2]


async def test_strange_scores_enter_no_mean() -> None:
    rows, board = (
        Rows([row(1, 1, score=math.nan), row(2, 2, score=0.5), row(3, 3, score=None)]),
        RunScores(RUN),
    )
    await follow(board, rows)
    standing = board.standings.by_place["h", Split.OPTIMIZE]
    assert (standing.unscored, standing.scored, standing.known.mean) == (2, 1, 0.5)


async def test_a_pause_is_seen_as_one() -> None:
    rows, board = Rows([row(1, 1_000), row(2, 21_000)]), RunScores(RUN)
    await follow(board, rows)
    assert [sum(one.statuses.values()) for one in board.slices(64)] == [1, *[0] * 19, 1]


async def test_who_was_gated_is_remembered() -> None:
    rows = Rows([row(1, 1, score=0.2), row(2, 2, score=0.9)])
    rows.rows[1] = rows.rows[1]._replace(resources="j", gated=True)
    board = RunScores(RUN)
    await follow(board, rows)
    assert [one.gated for one in board.standings.by_split[Split.OPTIMIZE]] == [False, True]


@pytest.mark.parametrize(
    ("seconds", "width"), [(1, 1), (64, 1), (65, 2), (3600, 60), (10**7, 172800)]
)
async def test_slices_are_few_and_hold_everything(seconds: int, width: int) -> None:
    rows = Rows(
        [row(n, n * max(1, seconds // 50) * 1000) for n in range(1, 51)] + [row(99, seconds * 1000)]
    )
    board = RunScores(RUN)
    await follow(board, rows)
    slices = board.slices(64)
    assert len(slices) <= 64
    assert sum(one.tokens for one in slices) == 510
    assert slices[0].width_ms <= width * 1000
