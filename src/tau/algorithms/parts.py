"""Which examples are for what: breeding, selecting, certifying. Fixed before anything is spent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tau.domain.dataset import Example, Split
from tau.domain.draws import uniform
from tau.domain.ids import ExampleId
from tau.domain.json import content_hash
from tau.errors import InputError
from tau.ports.algorithm import Problem
from tau.scoring.blocks import hashed_order
from tau.scoring.power import fewest_rows

_CERTIFY_SHARE = 0.5
"""Of the validate rows, where there is no test split."""
_CERTIFY_SHARE_OF_OPTIMIZE = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Examples by use, each in a fixed hashed order; no content is in two of them.

    `breed` may be shown to a proposer, `select` only chooses, `certify` meets the winner and the
    baseline once. `caveats` tell what is wrong with the data.
    """

    breed: tuple[Example, ...]
    select: tuple[Example, ...]
    certify: tuple[Example, ...]
    caveats: tuple[str, ...] = ()

    @property
    def certification_set(self) -> str:
        """By what a claim on these rows is known later, whatever their order and number used."""
        return content_hash(sorted(example.content for example in self.certify))


def divide(problem: Problem, *, alpha: float) -> Parts:
    """Divide the examples of `problem`; the test split certifies, else a hashed part of the others.

    Equal rows of different splits stay where they are shown first: what was seen by a proposer can
    neither select nor certify.

    Raises:
        InputError: no examples to breed on.
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
    seed = problem.seed
    if test:
        breed, select, certify = optimize, validate, test
    elif validate:
        select, certify = _parted(validate, _CERTIFY_SHARE, seed)
        breed = optimize
    else:
        breed, certify = _parted(optimize, _CERTIFY_SHARE_OF_OPTIMIZE, seed)
        select = ()
    known = {example.content for example in breed}
    fresh_select, leaked_select = _without(select, known)
    known |= {example.content for example in fresh_select}
    fresh_certify, leaked_certify = _without(certify, known)
    return Parts(
        breed=_ordered(breed, seed),
        select=_ordered(fresh_select, seed),
        certify=_ordered(fresh_certify, seed),
        caveats=(
            *_leaks(leaked_select, "selecting"),
            *_leaks(leaked_certify, "certifying"),
            *_scarcity(len(fresh_certify), alpha, set_aside=not test),
        ),
    )


def _parted(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """All but a `share` of the distinct rows, and that share; equal rows stay together."""
    contents = sorted(
        {example.content for example in examples},
        key=lambda content: uniform(seed, "certify", content),
    )
    chosen = set(contents[: round(len(contents) * share)])
    rest = tuple(one for one in examples if one.content not in chosen)
    return rest, tuple(one for one in examples if one.content in chosen)


def _ordered(examples: Sequence[Example], seed: int) -> tuple[Example, ...]:
    by_id = {example.id: example for example in examples}
    return tuple(by_id[one] for one in hashed_order(list(by_id), seed, "order"))


def _without(
    examples: Iterable[Example], known: set[str]
) -> tuple[tuple[Example, ...], tuple[ExampleId, ...]]:
    fresh, leaked = [], []
    for example in examples:
        if example.content in known:
            leaked.append(example.id)
        else:
            fresh.append(example)
    return tuple(fresh), tuple(leaked)


def _leaks(leaked: Sequence[ExampleId], use: str) -> Iterable[str]:
    if leaked:
        yield (
            f"{len(leaked)} rows for {use} are also among the rows that came before "
            f"(as {leaked[0]}); they were left out"
        )


def _scarcity(count: int, alpha: float, *, set_aside: bool) -> Iterable[str]:
    needed = fewest_rows(alpha)
    if count < needed:
        where = "set aside for certifying" if set_aside else "in 'test'"
        yield (
            f"only {count} usable rows are {where}: with fewer than {needed} nothing can be proved "
            "better, so nothing will be promoted; give more rows"
        )
