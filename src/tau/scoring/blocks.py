"""The fixed order in which all candidates meet the examples."""

from collections.abc import Sequence

from tau.domain.draws import uniform
from tau.domain.ids import ExampleId


def hashed_order(examples: Sequence[ExampleId], seed: int, purpose: str) -> tuple[ExampleId, ...]:
    """All of `examples` in an order fixed by seed, purpose and their ids, not by where they stand.

    Any prefix is a sample without replacement, the same for every candidate.
    """
    return tuple(sorted(examples, key=lambda example: (uniform(seed, purpose, example), example)))


def blocks(examples: Sequence[ExampleId], size: int) -> tuple[tuple[ExampleId, ...], ...]:
    """`examples` in blocks of `size`, in order; the last may be shorter.

    Raises:
        ValueError: a size below 1.
    """
    if size < 1:
        raise ValueError(f"a block must hold at least 1 example, got {size}")
    return tuple(tuple(examples[i : i + size]) for i in range(0, len(examples), size))
