"""Which stored scores may be compared: those measured under the same conditions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tau.cli import figures
from tau.domain.ids import RunId
from tau.ports.insights import Measurement
from tau.reports.conditions import Conditions

Side = Sequence[Measurement]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedSides:
    """What is compared of both sides, on which models, and how many scores are left out.

    It `crosses` where the models differ, or one model is set otherwise; both may be the `same`
    prompt.
    """

    sides: tuple[Side, Side]
    models: tuple[str | None, str | None]
    left: int
    crosses: bool = False
    same: bool = False

    def notes(self) -> Iterator[str]:
        """What is to be said of the choice."""
        if self.crosses:
            ours, theirs = self.models
            what = f"A on {ours}, B on {theirs}"
            if ours == theirs:
                what = f"both on {ours}, with other parameters"
            whose = "the models" if self.same else "prompt and model together"
            yield f"across models: {what}: the difference is that of {whose}"

        if self.left:
            scores = figures.count(self.left, "score")
            yield f"{scores} of runs with another model, other graders or settings are left out"


def choose(
    sides: tuple[Side, Side],
    conditions: Mapping[RunId, Conditions],
    *,
    across_models: bool = False,
    same: bool = False,
) -> ComparedSides:
    """Of each side the scores under one set of conditions, so that most examples are shared.

    Across models the models may differ, nothing else; where both are the `same` prompt they must.
    Where as many examples are shared within a model, that comes first.
    """
    first, second = (_grouped(side, conditions) for side in sides)
    pairs = [
        (ours, theirs)
        for ours in first
        for theirs in second
        if _comparable(ours, theirs, across_models=across_models, same=same)
    ]
    total = sum(map(len, sides))
    if not pairs:
        return _alone(first, second)
    ours, theirs = max(
        pairs,
        key=lambda pair: (
            _shared(first[pair[0]], second[pair[1]]),
            pair[0] == pair[1],
            len(first[pair[0]]) + len(second[pair[1]]),
        ),
    )
    chosen = first[ours], second[theirs]
    return ComparedSides(
        sides=chosen,
        models=(ours.model, theirs.model),
        left=total - sum(map(len, chosen)),
        crosses=ours.model_hash != theirs.model_hash,
        same=same,
    )


def _alone(first: Mapping[Conditions, Side], second: Mapping[Conditions, Side]) -> ComparedSides:
    """Where nothing can be compared: the largest group, of one side."""
    groups = [(0, *one) for one in first.items()] + [(1, *one) for one in second.items()]
    if not groups:
        return ComparedSides(sides=((), ()), models=(None, None), left=0)
    number, how, group = max(groups, key=lambda one: len(one[2]))
    left = sum(len(one[2]) for one in groups) - len(group)
    if number == 0:
        return ComparedSides(sides=(group, ()), models=(how.model, None), left=left)
    return ComparedSides(sides=((), group), models=(None, how.model), left=left)


def _comparable(ours: Conditions, theirs: Conditions, *, across_models: bool, same: bool) -> bool:
    if ours == theirs:
        return not same
    return across_models and ours.rest == theirs.rest


def _grouped(
    side: Side, conditions: Mapping[RunId, Conditions]
) -> dict[Conditions, list[Measurement]]:
    groups: dict[Conditions, list[Measurement]] = {}
    for one in side:
        groups.setdefault(conditions[one.run_id], []).append(one)
    return groups


def _shared(ours: Side, theirs: Side) -> int:
    return len({one.example for one in ours} & {one.example for one in theirs})
