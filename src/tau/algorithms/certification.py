"""Set aside first: the one winner meets the baseline once and in full."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from tau.algorithms.parts import Parts
from tau.algorithms.pool import Pool
from tau.algorithms.settings import SearchSettings
from tau.domain.dataset import Example
from tau.domain.decision import Decision
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json
from tau.ports.algorithm import CERTIFICATION_SET, CERTIFIED_BEFORE
from tau.scoring.certify import Certificate, certify, no_candidate
from tau.scoring.power import detectable_gain, fewest_rows
from tau.scoring.spending import CertificationLevel, certification_level
from tau.scoring.table import pair

SHARE = 0.25
"""Of the evaluations, for certifying."""
_FEWEST = 20
_BROKEN = 0.03
"""The share of examples a better prompt usually breaks, for the smallest detectable effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certification:
    """`rows` in their order; both prompts are evaluated on each of them.

    They are the first of a set whose hash is `whole`, by which later claims know it again.
    """

    rows: tuple[Example, ...]
    whole: str
    level: CertificationLevel
    effect: float

    @classmethod
    def planned(
        cls,
        parts: Parts,
        settings: SearchSettings,
        *,
        evaluations: int,
        search: int,
        certified: Sequence[str],
    ) -> Self:
        """As many rows as wanted, else a share of the `evaluations`; `search` must remain.

        `certified` are the sets of earlier claims.
        """
        wanted = settings.certification
        size = max(_FEWEST, round(evaluations * SHARE / 2)) if wanted is None else wanted
        size = min(size, len(parts.certify), max(0, (evaluations - search) // 2))
        uses = list(certified).count(parts.certification_set)
        return cls.from_json([size, uses], parts, settings)

    def to_json(self) -> Json:
        """For a checkpoint: a claim stays at the level it was begun at."""
        return [len(self.rows), self.level.uses]

    @classmethod
    def from_json(cls, state: Any, parts: Parts, settings: SearchSettings) -> Self:  # noqa: ANN401
        """What `to_json` made; TypeError or ValueError for anything else."""
        size, uses = state
        return cls(
            rows=parts.certify[: int(size)],
            whole=parts.certification_set,
            level=certification_level(settings.alpha, int(uses)),
            effect=settings.effect,
        )

    @property
    def cost(self) -> int:
        """Evaluations it takes."""
        return 2 * len(self.rows)

    @property
    def detectable(self) -> float | None:
        """The smallest true gain promoted in 4 of 5 runs; None where no gain is."""
        alpha = self.level.alpha
        if len(self.rows) < fewest_rows(alpha):
            return None
        return detectable_gain(len(self.rows), _BROKEN, alpha=alpha)

    def decide(self, pool: Pool, winner: ResourcesHash, why_none: str) -> Certificate:
        """The decision, once both have been evaluated."""
        if winner == pool.baseline:
            return no_candidate(pool.exhausted(why_none))
        ids: list[ExampleId] = [example.id for example in self.rows]
        return certify(
            pair(pool.table, winner, pool.baseline, ids),
            effect=self.effect,
            alpha=self.level.alpha,
            planned=len(self.rows),
            gated=winner in pool.gated,
        )

    def mean(self, pool: Pool, name: ResourcesHash) -> float | None:
        """Of a candidate on the rows set aside; None where nothing of it is known there."""
        known = pool.table[name].by_example
        scores = [known[row.id] for row in self.rows if row.id in known]
        return sum(scores) / len(scores) if scores else None

    def known(self) -> Mapping[str, Json]:
        """The set and its earlier claims, by which later ones count them."""
        return {CERTIFICATION_SET: self.whole, CERTIFIED_BEFORE: self.level.uses}

    def evidence(self, found: Certificate) -> Mapping[str, Json]:
        """The certificate for reports."""
        return {
            "certificate": found.to_json(),
            "certification_rows": len(self.rows),
            "detectable_effect": self.detectable,
            "effect_that_matters": self.effect,
        }


def decision_of(found: Certificate) -> Decision:
    """As the domain names it."""
    return Decision(str(found.decision))
