"""Which examples are for what: feedback, selecting, certifying. Fixed before anything is spent."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tau.domain.dataset import Example, Split
from tau.domain.draws import uniform
from tau.domain.json import content_hash
from tau.errors import InputError
from tau.ports.algorithm import Problem
from tau.scoring.blocks import hashed_order
from tau.scoring.power import fewest_rows

_CERTIFY_SHARE = 0.5
"""Of the validate rows, where there is no test split."""
_CERTIFY_SHARE_OF_OPTIMIZE = 0.35
_FEW_GROUPS = 12
"""With fewer groups than these an interval over groups is a rough one."""
_SAME_WHATEVER_THE_SEED = 0
"""What a claim has used up would be fresh again with another seed if the seed divided the rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleParts:
    """Examples by use, each in a fixed hashed order; no group of rows is in two of them.

    `feedback` may be shown to a proposer, `select` only chooses, `certify` meets the winner and the
    baseline once. `caveats` tell what is wrong with the data. `uses` counts earlier claims on rows
    of a group, where there are any.
    """

    feedback: tuple[Example, ...]
    select: tuple[Example, ...]
    certify: tuple[Example, ...]
    caveats: tuple[str, ...] = ()
    uses: Mapping[str, int] = field(default_factory=dict)

    def used(self, rows: Iterable[Example]) -> int:
        """How many claims the most-used group of `rows` has carried."""
        return max((self.uses.get(row.unit, 0) for row in rows), default=0)

    @property
    def certification_set(self) -> str:
        """By what the whole set is known, whatever the order of its rows and how many are used."""
        return content_hash(sorted(example.content for example in self.certify))


def divide(problem: Problem, *, alpha: float) -> ExampleParts:
    """Divide the examples of `problem`; the test split certifies, else a hashed part of the others.

    The unit is the group: rows of groups that were in an earlier part are left out, as what was
    seen by a proposer can neither select nor certify. What certifies does not depend on the seed;
    of it, rows that certified less often come first.

    Raises:
        InputError: no examples to optimize on.
    """
    optimize = tuple(problem.examples.get(Split.OPTIMIZE, ()))
    validate = tuple(problem.examples.get(Split.VALIDATE, ()))
    test = tuple(problem.examples.get(Split.TEST, ()))
    if not optimize:
        optimize, validate = validate, ()
    if not optimize:
        raise InputError(
            "there are no examples to optimize on",
            where="datasets",
            fix="give rows in 'optimize', and if you can in 'validate' and 'test'",
        )
    if test:
        feedback, select, certify = optimize, validate, test
    elif validate:
        select, certify = parted(validate, _CERTIFY_SHARE)
        feedback = optimize
    else:
        feedback, certify = parted(optimize, _CERTIFY_SHARE_OF_OPTIMIZE)
        select = ()
    known = {example.unit for example in feedback}
    fresh_select, leaked_select = _without(select, known)
    known |= {example.unit for example in fresh_select}
    fresh_certify, leaked_certify = _without(certify, known)
    seed, uses = problem.seed, _uses(fresh_certify, problem.certified)
    return ExampleParts(
        feedback=_ordered(feedback, seed),
        select=_ordered(fresh_select, seed),
        certify=_fresh_first(fresh_certify, uses),
        caveats=(
            *_leaks(leaked_select, "selecting"),
            *_leaks(leaked_certify, "certifying"),
            *_scarcity(fresh_certify, alpha, set_aside=not test),
        ),
        uses=uses,
    )


def parted(
    examples: Sequence[Example], share: float
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """All but about a `share` of the rows, and that share; groups of rows stay together.

    Where there are two groups or more, neither part is empty.
    """
    sizes = Counter(example.unit for example in examples)
    chosen: set[str] = set()
    if len(sizes) > 1:
        rows, wanted = 0, len(examples) * share
        order = sorted(sizes, key=lambda unit: uniform(_SAME_WHATEVER_THE_SEED, "certify", unit))
        for unit in order:
            # Whole groups, each as long as the part comes closer to its size by it.
            if rows + sizes[unit] / 2 <= wanted:
                chosen.add(unit)
                rows += sizes[unit]
        if not chosen:
            chosen.add(min(order, key=lambda unit: sizes[unit]))
    rest = tuple(one for one in examples if one.unit not in chosen)
    return rest, tuple(one for one in examples if one.unit in chosen)


def _ordered(examples: Sequence[Example], seed: int) -> tuple[Example, ...]:
    by_id = {example.id: example for example in examples}
    return tuple(by_id[one] for one in hashed_order(list(by_id), seed, "order"))


def _uses(examples: Sequence[Example], certified: Mapping[str, int]) -> dict[str, int]:
    """Earlier claims by group: as many as the most-used of its rows carried."""
    found: dict[str, int] = {}
    for example in examples:
        times = max(certified.get(key, 0) for key in example.row_keys)
        if times:
            found[example.unit] = max(times, found.get(example.unit, 0))
    return found


def _fresh_first(examples: Sequence[Example], uses: Mapping[str, int]) -> tuple[Example, ...]:
    ordered = _ordered(examples, _SAME_WHATEVER_THE_SEED)
    return tuple(sorted(ordered, key=lambda example: uses.get(example.unit, 0)))


def _without(
    examples: Iterable[Example], known: set[str]
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    found = tuple(examples)
    fresh = tuple(example for example in found if example.unit not in known)
    return fresh, tuple(example for example in found if example.unit in known)


def _leaks(leaked: Sequence[Example], use: str) -> Iterable[str]:
    if not leaked:
        return
    first = leaked[0]
    if first.group is None:
        yield (
            f"{len(leaked)} rows for {use} are also among the rows that came before "
            f"(as {first.id}); they were left out"
        )
    else:
        yield (
            f"{len(leaked)} rows for {use} belong to groups of rows that came before "
            f"(as '{first.group}'); they were left out"
        )


def _scarcity(examples: Sequence[Example], alpha: float, *, set_aside: bool) -> Iterable[str]:
    needed = fewest_rows(alpha)
    units = len({example.unit for example in examples})
    where = "set aside for certifying" if set_aside else "in 'test'"
    grouped = units < len(examples)
    if units < needed:
        what = f"{units} groups of rows" if grouped else f"{units} usable rows"
        yield (
            f"only {what} are {where}: with fewer than {needed} nothing can be proved "
            f"better, so nothing will be promoted; give more {'groups' if grouped else 'rows'}"
        )
    elif grouped and units < _FEW_GROUPS:
        yield (
            f"the {len(examples)} rows {where} are only {units} groups, which is what counts: with "
            f"fewer than {_FEW_GROUPS} the interval is a rough one and only large gains show"
        )
