"""What has settled in one run, followed as it comes, so that no request reads it all again."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tau.domain.dataset import Split
from tau.domain.ids import RunId
from tau.domain.rollout import SETTLED, RolloutCounts, RolloutKind, RolloutStatus
from tau.gateway.window import StoreWindow
from tau.ports.insights import FailedWhy, SettledRow, Shortfalls
from tau.readings.scores import CandidateScore, Standings
from tau.scoring.aggregate import Estimate

_PAGE = 2000
LEAST = 10
_ABOUT = 0.9
_OVERLAP_MS = 500
_PATIENCE = 40
_REASONS = 20


@dataclass(slots=True)
class Totals:
    """What some rollouts came to together."""

    rollouts: int = 0
    calls: int = 0
    tokens: int = 0
    cost_nano_usd: int = 0

    def add(self, row: SettledRow) -> None:
        """One more of them."""
        self.rollouts += 1
        self.calls += row.calls
        self.tokens += row.tokens
        self.cost_nano_usd += row.cost_nano_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class BestSoFar:
    """The best so far on one split, after how many rollouts; `led` are those that were it."""

    points: tuple[tuple[int, Estimate], ...] = ()
    led: frozenset[str] = frozenset()


def course(standings: Sequence[CandidateScore]) -> BestSoFar:
    """The best so far by what is known now, from complete sets only: it never falls.

    A set is complete that has about as many scores as the largest among the others. Fewer than
    `LEAST` say nothing. The first of a split is what the others are measured against.
    """
    counts = sorted((one.scored for one in standings), reverse=True)
    if len(counts) < 2:
        return BestSoFar()
    reached = []
    for one in standings:
        others = counts[1] if one.scored == counts[0] else counts[0]
        need = max(LEAST, math.ceil(_ABOUT * others))
        found = one.estimate
        if found is not None and one.scored >= need:
            reached.append((one.numbers[need - 1], one.resources, found))
    points: list[tuple[int, Estimate]] = []
    led = set()
    for number, name, found in sorted(reached, key=lambda one: one[:2]):
        if not points or found.mean > points[-1][1].mean:
            led.add(name)
            points.append((number, found))
    return BestSoFar(points=tuple(points), led=frozenset(led))


def leading(standings: Iterable[CandidateScore], most: int) -> CandidateScore | None:
    """The highest mean among those with at least half of `most` scores."""
    tried = [one for one in standings if one.scored and 2 * one.scored >= most]
    return max(tried, key=lambda one: one.known.mean, default=None)


@dataclass(slots=True, kw_only=True)
class Slice:
    """What settled within `width_ms` from `start_ms` on; costs and tokens by kind of rollout."""

    start_ms: int
    width_ms: int
    statuses: Counter[str] = field(default_factory=Counter)
    cost_nano_usd: Counter[str] = field(default_factory=Counter)
    tokens_of: Counter[str] = field(default_factory=Counter)

    @property
    def tokens(self) -> int:
        """Of every kind of rollout."""
        return self.tokens_of.total()

    def add(self, other: "Slice") -> None:
        """Take in what settled in `other`."""
        self.statuses.update(other.statuses)
        self.cost_nano_usd.update(other.cost_nano_usd)
        self.tokens_of.update(other.tokens_of)


class RunScores:
    """Settled rollouts of one run in order of settling, with what follows from them.

    `beginnings` are the first words of examples that were shown already: they never change.
    """

    def __init__(self, run_id: RunId) -> None:
        self.run_id = run_id
        self.version = 0
        self.complete = False
        self.beginnings: dict[str, str] = {}
        self._strange = 0
        self._clear()

    def _clear(self) -> None:
        self.rows: dict[int, SettledRow] = {}
        self.standings = Standings()
        self.of_resources: dict[str, list[SettledRow]] = {}
        self.kinds: dict[RolloutKind, Totals] = {kind: Totals() for kind in RolloutKind}
        self.splits: dict[Split, Totals] = {split: Totals() for split in Split}
        self.failures: Counter[str] = Counter()
        self._failed: Counter[tuple[RolloutKind, str, str]] = Counter()
        self._unscored: Counter[str] = Counter()
        self._answers: Counter[str] = Counter()
        self.settled: Counter[RolloutStatus] = Counter()
        self._seconds: dict[int, Slice] = {}
        self._place = (0, 0)

    def course(self, split: Split) -> BestSoFar:
        """The best so far on a split."""
        return course(self.standings.by_split[split])

    async def follow(self, window: StoreWindow, counts: RolloutCounts, *, pages: int = 1) -> None:
        """Read what settled since, at most so many pages of it.

        Raises:
            StoreError: it cannot be read just now; what was known stays.
        """
        since, after = max(0, self._place[0] - _OVERLAP_MS), 0
        if not self.complete:
            since, after = self._place
        for _ in range(pages):
            rows = await self._page(window, since, after)
            if not all(self._take(row) for row in rows):
                return
            if len(rows) < _PAGE:
                self.complete = True
                break
            since, after = self._place
        if self.complete:
            self._check(counts)

    async def _page(self, window: StoreWindow, since: int, after: int) -> Sequence[SettledRow]:
        return await window.ask(
            lambda store: store.insights.settled(
                self.run_id, since_unix_ms=since, after=after, limit=_PAGE
            )
        )

    def _take(self, row: SettledRow) -> bool:
        """Add a row; False where everything has to be read anew."""
        known = self.rows.get(row.number)
        if known is not None and known != row:  # it failed, was requeued and has settled again
            self._clear()
            self.complete = False
            return False
        self._place = max(self._place, (row.updated_unix_ms, row.number))
        if known is None:
            self._add(row)
        return True

    def _add(self, row: SettledRow) -> None:
        self.rows[row.number] = row
        self.of_resources.setdefault(row.resources, []).append(row)
        self.kinds[row.kind].add(row)
        self.version += 1
        self.settled[row.status] += 1
        at = row.updated_unix_ms // 1000
        second = self._seconds.setdefault(at, Slice(start_ms=at * 1000, width_ms=1000))
        second.statuses[row.status] += 1
        second.cost_nano_usd[row.kind] += row.cost_nano_usd
        second.tokens_of[row.kind] += row.tokens
        if row.status is RolloutStatus.FAILED:
            self.failures[row.failure or "internal"] += 1
            self._failed[row.kind, row.failure or "internal", row.why or ""] += 1
        elif row.why is not None:
            self._unscored[row.why] += 1
        if row.kind is RolloutKind.EVALUATE:
            self._answers.update(row.codes)
        if row.split is not None:
            self.splits[row.split].add(row)
            self.standings.follow(row, row.split, settled=len(self.rows))

    def _check(self, counts: RolloutCounts) -> None:
        """Begin anew where the store's counters say otherwise for long: a clock may have jumped."""
        if all(self.settled[status] <= counts[status] for status in SETTLED) and (
            len(self.rows) >= counts.settled
        ):
            self._strange = 0
            return
        self._strange += 1
        if self._strange >= _PATIENCE:
            self._strange = 0
            self._clear()
            self.complete = False

    @property
    def shortfalls(self) -> Shortfalls:
        """As Insights.shortfalls, of what is read so far; nothing is asked for it."""
        return Shortfalls(
            unscored=dict(self._unscored.most_common(_REASONS)),
            failed=tuple(
                FailedWhy(kind=kind, failure=failure, message=message, number=number)
                for (kind, failure, message), number in self._failed.most_common(_REASONS)
            ),
            answers=dict(self._answers.most_common()),
        )

    @property
    def scored(self) -> int:
        """How many evaluations have a score."""
        return sum(one.scored for one in self.standings.by_place.values())

    @property
    def lost(self) -> int:
        """How many evaluations have settled without one, cancelled ones not counted."""
        return sum(one.unscored + one.failed for one in self.standings.by_place.values())

    @property
    def failure_streak(self) -> int:
        """How many of the last settled rollouts failed in a row."""
        streak = 0
        for row in self.newest():
            if row.status is RolloutStatus.CANCELLED:
                continue
            if row.status is not RolloutStatus.FAILED:
                break
            streak += 1
        return streak

    def newest(self) -> Iterator[SettledRow]:
        """Last settled first."""
        return reversed(self.rows.values())

    def slices(self, most: int) -> list[Slice]:
        """The time from first to last settled, in at most `most` equal slices, empty ones too."""
        if not self._seconds:
            return []
        first, last = min(self._seconds), max(self._seconds)
        width = next(w for w in _widths() if last // w - first // w < most)
        starts = range(first // width * width, last + 1, width)
        found = {start: Slice(start_ms=start * 1000, width_ms=width * 1000) for start in starts}
        for second, what in self._seconds.items():
            found[second // width * width].add(what)
        return list(found.values())


def _widths() -> Iterator[int]:
    """Seconds that divide the day well, then days doubled without end."""
    yield from (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400)
    days = 2
    while True:
        yield 86400 * days
        days *= 2
