"""Set aside first: the one winner meets the baseline once and in full."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tau.algorithms.pool import Pool
from tau.domain.dataset import Example
from tau.domain.decision import Decision
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json
from tau.scoring.certify import Certificate, certify, no_candidate
from tau.scoring.power import detectable_gain, fewest_rows
from tau.scoring.table import pair

SHARE = 0.25
"""Of the evaluations, for certifying."""
_FEWEST = 20
_BROKEN = 0.03
"""The share of examples a better prompt usually breaks, for the smallest detectable effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certification:
    """`rows` in their order; both prompts are evaluated on each of them."""

    rows: tuple[Example, ...]
    alpha: float
    effect: float

    @classmethod
    def planned(
        cls,
        rows: Sequence[Example],
        *,
        wanted: int | None,
        evaluations: int,
        search: int,
        alpha: float,
        effect: float,
    ) -> "Certification":
        """As many of `rows` as wanted, else a share of the `evaluations`; `search` must remain."""
        size = max(_FEWEST, round(evaluations * SHARE / 2)) if wanted is None else wanted
        size = min(size, len(rows), max(0, (evaluations - search) // 2))
        return cls(rows=tuple(rows[:size]), alpha=alpha, effect=effect)

    @property
    def cost(self) -> int:
        """Evaluations it takes."""
        return 2 * len(self.rows)

    @property
    def detectable(self) -> float | None:
        """The smallest true gain promoted in 4 of 5 runs; None where no gain is."""
        if len(self.rows) < fewest_rows(self.alpha):
            return None
        return detectable_gain(len(self.rows), _BROKEN, alpha=self.alpha)

    def decide(self, pool: Pool, winner: ResourcesHash, why_none: str) -> Certificate:
        """The decision, once both have been evaluated."""
        if winner == pool.baseline:
            return no_candidate(why_none)
        ids: list[ExampleId] = [example.id for example in self.rows]
        return certify(
            pair(pool.table, winner, pool.baseline, ids),
            effect=self.effect,
            alpha=self.alpha,
            planned=len(self.rows),
            gated=winner in pool.gated,
        )

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
