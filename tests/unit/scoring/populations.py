"""Score tables made for tests."""

from collections.abc import Mapping, Sequence

from tau.domain.ids import ExampleId, ResourcesHash
from tau.scoring.table import Pairing, ScoreRow, ScoreTable


def name(text: str) -> ResourcesHash:
    return ResourcesHash(text)


def example(n: int) -> ExampleId:
    return ExampleId(f"e{n}")


def examples(n: int) -> tuple[ExampleId, ...]:
    return tuple(example(i) for i in range(n))


def table(scores: Mapping[str, Sequence[float | None]]) -> ScoreTable:
    """One replicate per example, in order."""
    return ScoreTable.of(
        ScoreRow(candidate=name(candidate), example=example(n), score=score)
        for candidate, row in scores.items()
        for n, score in enumerate(row)
    )


def pairing(differences: Sequence[float], missing: int = 0) -> Pairing:
    return Pairing(
        examples=examples(len(differences)), differences=tuple(differences), missing=missing
    )


def outcomes(n: int, fixed: int, broken: int) -> Pairing:
    """Right and wrong answers: so many fixed, so many broken, the rest equal."""
    return pairing([1.0] * fixed + [-1.0] * broken + [0.0] * (n - fixed - broken))
