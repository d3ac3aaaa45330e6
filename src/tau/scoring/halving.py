"""Sequential halving: the best of many candidates for a fixed number of rollouts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tau.domain.ids import ExampleId, ResourcesHash
from tau.scoring.contest import Standing, ranked, unasked
from tau.scoring.table import Cell, ScoreTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """So many candidates are evaluated on the first `examples` of the order (earlier ones too)."""

    candidates: int
    examples: int


def plan_halving(
    candidates: int, examples: int, rollouts: int, *, replicates: int = 1
) -> tuple[Stage, ...]:
    """The stages that `rollouts` buy; what they take together never exceeds them.

    Z. Karnin, T. Koren and O. Somekh (Almost optimal exploration in multi-armed bandits, ICML
    2013): ceil(log2 k) stages of equal cost, the better half goes on. Here the stages are nested
    prefixes of one order, so nothing is evaluated twice, and what a stage cannot use because all
    examples are taken goes to the others.

    Raises:
        ValueError: not enough for one example per candidate, with the number that is.
    """
    sizes = _sizes(candidates)
    needed = fewest_rollouts(candidates, replicates=replicates)
    if rollouts < needed or examples < 1:
        raise ValueError(
            f"halving {candidates} candidates takes at least {needed} rollouts and 1 example, "
            f"got {rollouts} and {examples}"
        )
    low, high = candidates, rollouts
    while low < high:
        share = (low + high + 1) // 2
        if rollouts_of(_stages(sizes, examples, share), replicates=replicates) <= rollouts:
            low = share
        else:
            high = share - 1
    return _stages(sizes, examples, low)


def fewest_rollouts(candidates: int, *, replicates: int = 1) -> int:
    """The smallest budget that `plan_halving` accepts: every stage adds an example at least."""
    sizes = _sizes(candidates)
    return rollouts_of(_stages(sizes, candidates * len(sizes), candidates), replicates=replicates)


def rollouts_of(stages: Sequence[Stage], *, replicates: int = 1) -> int:
    """What the stages take together."""
    taken = total = 0
    for stage in stages:
        total += stage.candidates * (stage.examples - taken) * replicates
        taken = stage.examples
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Halving:
    """A contest over nested prefixes of `order`; pure, its state is a `Standing`."""

    candidates: tuple[ResourcesHash, ...]
    order: tuple[ExampleId, ...]
    stages: tuple[Stage, ...]
    replicates: int = 1

    def start(self) -> Standing:
        """Everyone is left, on the first stage."""
        examples = self.stages[0].examples
        spent = rollouts_of(self.stages[:1], replicates=self.replicates)
        return Standing(alive=self.candidates, examples=examples, spent=spent)

    def advance(self, standing: Standing, table: ScoreTable) -> Standing:
        """Take every decision for which all scores are in, known or missing."""
        while standing.reason is None and not self.wave(standing, table):
            standing = self._decided(standing, table)
        return standing

    def wave(self, standing: Standing, table: ScoreTable) -> tuple[tuple[ResourcesHash, Cell], ...]:
        """What to evaluate next; nothing once the contest has ended."""
        if standing.reason is not None:
            return ()
        return unasked(table, standing.alive, self.order[: standing.examples], self.replicates)

    def stopped(self, standing: Standing, table: ScoreTable, reason: str) -> Standing:
        """End early: those left, ranked on what is known of the present stage."""
        order = ranked(table, standing.alive, self.order[: standing.examples])
        return replace(standing, alive=order, reason=reason)

    def _decided(self, standing: Standing, table: ScoreTable) -> Standing:
        order = ranked(table, standing.alive, self.order[: standing.examples])
        looks = standing.looks + 1
        if looks == len(self.stages):
            return replace(standing, alive=order, looks=looks, reason="budget")
        return Standing(
            alive=order[: self.stages[looks].candidates],
            examples=self.stages[looks].examples,
            spent=rollouts_of(self.stages[: looks + 1], replicates=self.replicates),
            looks=looks,
        )


def _sizes(candidates: int) -> list[int]:
    """k, k/2, ..., 2, rounded up; a single candidate has nothing to be chosen from."""
    if candidates < 2:
        raise ValueError(f"a contest needs at least 2 candidates, got {candidates}")
    sizes = [candidates]
    while sizes[-1] > 2:
        sizes.append((sizes[-1] + 1) // 2)
    return sizes


def _stages(sizes: Sequence[int], examples: int, share: int) -> tuple[Stage, ...]:
    stages, taken = [], 0
    for size in sizes:
        taken = min(examples, taken + share // size)
        stages.append(Stage(candidates=size, examples=taken))
    return tuple(stages)
