"""Sequential halving: the best of many candidates for a fixed number of rollouts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tau.domain.ids import ExampleId, ResourcesHash
from tau.scoring.contest import ContestStanding, ranked, unasked
from tau.scoring.table import Cell, ScoreTable

KEPT = 0.6
"""The share that goes on; a little above half found the best more often in replays."""


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
    2013): stages of about equal cost, after each of which the better part goes on (there half of
    the candidates, here KEPT of them). Stages are nested prefixes of one order, so nothing is
    evaluated twice; what a stage cannot use, because all examples are taken or by rounding, goes to
    others.

    Raises:
        ValueError: not enough for one example per candidate, with the number that is.
    """
    sizes = _sizes(candidates)
    needed = candidates * replicates
    if rollouts < needed or examples < 1:
        raise ValueError(
            f"halving {candidates} candidates takes at least {needed} rollouts and 1 example, "
            f"got {rollouts} and {examples}"
        )
    low, high = 0, rollouts
    while low < high:
        share = (low + high + 1) // 2
        if rollouts_of(_stages(sizes, examples, share), replicates=replicates) <= rollouts:
            low = share
        else:
            high = share - 1
    return _topped_up(_stages(sizes, examples, low), examples, rollouts // replicates)


def rollouts_of(stages: Sequence[Stage], *, replicates: int = 1) -> int:
    """What the stages take together."""
    taken = total = 0
    for stage in stages:
        total += stage.candidates * (stage.examples - taken) * replicates
        taken = stage.examples
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Halving:
    """A contest over nested prefixes of `order`; pure, its state is a `ContestStanding`."""

    candidates: tuple[ResourcesHash, ...]
    order: tuple[ExampleId, ...]
    stages: tuple[Stage, ...]
    replicates: int = 1

    def start(self) -> ContestStanding:
        """Everyone is left, on the first stage."""
        examples = self.stages[0].examples
        spent = rollouts_of(self.stages[:1], replicates=self.replicates)
        return ContestStanding(alive=self.candidates, examples=examples, spent=spent)

    def advance(self, standing: ContestStanding, table: ScoreTable) -> ContestStanding:
        """Take every decision for which all scores are in, known or missing."""
        while standing.reason is None and not self.wave(standing, table):
            standing = self._decided(standing, table)
        return standing

    def wave(
        self, standing: ContestStanding, table: ScoreTable
    ) -> tuple[tuple[ResourcesHash, Cell], ...]:
        """What to evaluate next; nothing once the contest has ended."""
        if standing.reason is not None:
            return ()
        return unasked(table, standing.alive, self.order[: standing.examples], self.replicates)

    def stopped(self, standing: ContestStanding, table: ScoreTable, reason: str) -> ContestStanding:
        """End early: those left, ranked on what is known of the present stage."""
        order = ranked(table, standing.alive, self.order[: standing.examples])
        return replace(standing, alive=order, reason=reason)

    def _decided(self, standing: ContestStanding, table: ScoreTable) -> ContestStanding:
        order = ranked(table, standing.alive, self.order[: standing.examples])
        looks = standing.looks + 1
        if looks == len(self.stages):
            return replace(standing, alive=order, looks=looks, reason="budget")
        return ContestStanding(
            alive=order[: self.stages[looks].candidates],
            examples=self.stages[looks].examples,
            spent=rollouts_of(self.stages[: looks + 1], replicates=self.replicates),
            looks=looks,
        )


def _sizes(candidates: int) -> list[int]:
    """How many go on, stage by stage, down to 2."""
    if candidates < 2:
        raise ValueError(f"a contest needs at least 2 candidates, got {candidates}")
    sizes = [candidates]
    while sizes[-1] > 2:
        sizes.append(max(2, min(sizes[-1] - 1, math.ceil(sizes[-1] * KEPT))))
    return sizes


def _stages(sizes: Sequence[int], examples: int, share: int) -> tuple[Stage, ...]:
    """Stages of about equal cost; one that adds no example decides nothing and is left out."""
    stages, taken = [], 0
    for size in sizes:
        fresh = min(examples - taken, share // size if taken else max(1, share // size))
        if fresh:
            taken += fresh
            stages.append(Stage(candidates=size, examples=taken))
    return tuple(stages)


def _topped_up(stages: tuple[Stage, ...], examples: int, evaluations: int) -> tuple[Stage, ...]:
    """What rounding left, spent from the end: one more example from a stage onwards."""
    for start in reversed(range(len(stages))):
        # One more example from here on is new to this stage alone; later ones only keep up.
        while stages[start].examples < examples:
            longer = _longer(stages, start, examples)
            if rollouts_of(longer) > evaluations:
                break
            stages = longer
    # Where all examples are taken before the last stage, the rest adds none.
    ends = [stage.examples for stage in stages]
    return stages[: ends.index(ends[-1]) + 1]


def _longer(stages: tuple[Stage, ...], start: int, examples: int) -> tuple[Stage, ...]:
    return tuple(
        replace(stage, examples=min(examples, stage.examples + 1)) if index >= start else stage
        for index, stage in enumerate(stages)
    )
