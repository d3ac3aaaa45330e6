"""Racing: candidates drop out as soon as betting proves one that leads to be better."""

from dataclasses import dataclass, replace

from tau.domain.ids import ExampleId, ResourcesHash
from tau.scoring.betting import bet
from tau.scoring.contest import ContestStanding, ranked, unasked
from tau.scoring.table import Cell, ScoreTable, pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """A contest over blocks of `order`; pure, its state is a `ContestStanding`.

    The best on all of `order` is eliminated with probability at most `alpha`, however often one
    looks: each of the k - 1 others would have to win a bet without replacement against it at level
    alpha / (k - 1) (union bound; so the leader may be chosen by looking). It ends with one
    survivor (`one_left`), when every survivor is proved to be better than the leader by less than
    `tolerance` (at the same level), or when the `examples` or the `budget` of rollouts is used up.
    """

    candidates: tuple[ResourcesHash, ...]
    order: tuple[ExampleId, ...]
    block: int
    alpha: float = 0.05
    tolerance: float = 0.0
    rollouts: int | None = None
    replicates: int = 1

    def start(self) -> ContestStanding:
        """Everyone is left, on the first block.

        Raises:
            ValueError: fewer than two candidates, no examples, no block, or too small a budget.
        """
        if len(self.candidates) < 2:
            raise ValueError(f"a race needs at least 2 candidates, got {len(self.candidates)}")
        start = self._extended(ContestStanding(alive=self.candidates, examples=0, spent=0))
        if start.reason is not None:
            raise ValueError(
                f"a race of {len(self.candidates)} candidates takes at least one example and "
                f"{len(self.candidates) * self.replicates} rollouts, got {len(self.order)} in "
                f"blocks of {self.block} and {self.rollouts}"
            )
        return start

    def advance(self, standing: ContestStanding, table: ScoreTable) -> ContestStanding:
        """Take every decision for which all scores are in, known or missing."""
        while standing.reason is None and not self.wave(standing, table):
            standing = self._decided(standing, table)
            if standing.reason is None:
                standing = self._extended(standing)
        return standing

    def wave(
        self, standing: ContestStanding, table: ScoreTable
    ) -> tuple[tuple[ResourcesHash, Cell], ...]:
        """What to evaluate next; nothing once the contest has ended."""
        if standing.reason is not None:
            return ()
        return unasked(table, standing.alive, self.order[: standing.examples], self.replicates)

    def stopped(self, standing: ContestStanding, table: ScoreTable, reason: str) -> ContestStanding:
        """End early: those left, ranked on what is known of the present block."""
        order = ranked(table, standing.alive, self.order[: standing.examples])
        return replace(standing, alive=order, reason=reason)

    def _decided(self, standing: ContestStanding, table: ScoreTable) -> ContestStanding:
        examples = self.order[: standing.examples]
        leader, *others = ranked(table, standing.alive, examples)
        left, rivals = [leader], 0
        for other in others:
            lead, losses = self._evidence(table, leader, other, examples)
            if not lead:
                left.append(other)
                rivals += not losses
        reason = None
        if len(left) == 1:
            reason = "one_left"
        elif not rivals:
            reason = "tolerance"
        return replace(standing, alive=tuple(left), looks=standing.looks + 1, reason=reason)

    def _evidence(
        self,
        table: ScoreTable,
        leader: ResourcesHash,
        other: ResourcesHash,
        examples: tuple[ExampleId, ...],
    ) -> tuple[bool, bool]:
        """Whether `leader` is proved better than `other`, and not worse by the tolerance."""
        pairing = pair(table, leader, other, examples)
        level = self.alpha / (len(self.candidates) - 1)
        population = len(self.order) - pairing.missing
        better, close = (
            bet(pairing.differences, null=null, population=population).rejects(level)
            for null in (0.0, -self.tolerance)
        )
        return better, close

    def _extended(self, standing: ContestStanding) -> ContestStanding:
        """On to the next block, or to as much of it as all who are left can still pay for."""
        width = len(standing.alive) * self.replicates
        size = min(self.block, len(self.order) - standing.examples)
        if size < 1:
            return replace(standing, reason="examples")
        if self.rollouts is not None:
            size = min(size, (self.rollouts - standing.spent) // width)
        if size < 1:
            return replace(standing, reason="budget")
        return replace(
            standing, examples=standing.examples + size, spent=standing.spent + size * width
        )
