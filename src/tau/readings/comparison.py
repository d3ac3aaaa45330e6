"""Candidates against each other on the examples they share, from what is stored."""

import math
from collections.abc import Iterable

from tau.domain.ids import ExampleId, ResourcesHash
from tau.ports.insights import Measurement, SettledRow
from tau.scoring.table import Pairing, ScoreRow, ScoreTable, pair

_MINE, _OTHER = ResourcesHash("mine"), ResourcesHash("other")


def paired(
    mine: Iterable[Measurement | SettledRow], other: Iterable[Measurement | SettledRow]
) -> Pairing | None:
    """The differences, `mine` minus `other`, by example; None where they share none.

    An example stands for the mean over its replicates. A prompt that itself led to there being no
    answer scores 0, as where an algorithm compares; whatever else has no score is left out.
    """
    table = ScoreTable.of([*_by_example(_MINE, mine), *_by_example(_OTHER, other)])
    ours, theirs = table[_MINE].by_example, table[_OTHER].by_example
    pairing = pair(table, _MINE, _OTHER, [name for name in theirs if name in ours])
    return pairing if pairing.differences else None


def _by_example(
    name: ResourcesHash, rows: Iterable[Measurement | SettledRow]
) -> Iterable[ScoreRow]:
    known: dict[str, list[float]] = {}
    for row in rows:
        score = row.compared_score
        if row.example is not None and score is not None and math.isfinite(score):
            known.setdefault(row.example, []).append(score)
    for example, scores in known.items():
        mean = math.fsum(scores) / len(scores)
        yield ScoreRow(candidate=name, example=ExampleId(example), score=mean)
