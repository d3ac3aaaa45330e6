"""What a certification found: the claim, its cost and its guards, decided together."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tau.domain.claim import CostMeasure
from tau.domain.decision import Decision
from tau.domain.json import Json
from tau.scoring import certify
from tau.scoring.certify import Certificate, no_candidate
from tau.scoring.claim_parts import Part, cost_part, joined, most
from tau.scoring.costs import Saving, saving

Column = tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A decision with its evidence and its reason in one sentence.

    `main` is about the score. `cost` and `guards` (by grader) are there where they are claimed:
    all parts must hold, each at the full level, so that a false claim passes with no more than that
    probability (intersection-union; R. L. Berger, Technometrics 24, 1982, 295-300).
    """

    main: Certificate
    cost: Part | None = None
    spent: Saving | None = None
    guards: Mapping[str, Part] = field(default_factory=dict)

    @property
    def decision(self) -> Decision:
        """Of all parts together."""
        return Decision(str(self._joined[0]))

    @property
    def reason(self) -> str:
        """Of all parts that decide it."""
        return self._joined[1]

    @property
    def caveats(self) -> tuple[str, ...]:
        """Of all parts, each once."""
        found = [*self.main.caveats]
        for part in self._others:
            found += part.caveats
        return tuple(dict.fromkeys(found))

    @property
    def _others(self) -> list[Part]:
        return [*([self.cost] if self.cost else []), *self.guards.values()]

    @property
    def _joined(self) -> tuple[str, str]:
        if not self._others:
            return self.main.decision, self.main.reason
        score = Part(decision=self.main.decision, reason=self.main.reason)
        decision, reason = joined([score, *self._others])
        return decision, reason

    def to_json(self) -> Mapping[str, Json]:
        """For evidence and reports; examples by id."""
        whole = self.main.to_json()
        assert isinstance(whole, Mapping)
        inconclusive = self.decision is Decision.INCONCLUSIVE
        return {
            **whole,
            "decision": self.decision.value,
            "reason": self.reason,
            "rows_to_settle": self._rows_to_settle if inconclusive else None,
            "caveats": list(self.caveats),
            **({"parts": self._parts} if self._others else {}),
            **({"cost": self.spent.to_json() if self.spent else None} if self.cost else {}),
            **({"guards": self._guards()} if self.guards else {}),
        }

    @property
    def _parts(self) -> dict[str, Json]:
        """What was decided of each part: the score, the cost, and each guard by its grader."""
        cost = {"cost": self.cost.decision.value} if self.cost else {}
        guards: dict[str, Json] = {name: one.decision.value for name, one in self.guards.items()}
        return {"score": self.main.decision.value, **cost, "guards": guards}

    @property
    def _rows_to_settle(self) -> int | None:
        """As many as the open part needs that needs most."""
        known = [self.main.rows_to_settle, *(part.rows_to_settle for part in self._others)]
        return most(known)

    def _guards(self) -> Mapping[str, Json]:
        return {name: {**part.to_json(), "margin": part.margin} for name, part in
                self.guards.items()}  # fmt: skip


def nothing_chosen(reason: str, *, searched: bool) -> Finding:
    """The decision where no candidate survived the search, or none could be tried at all."""
    return Finding(main=no_candidate(reason, searched=searched))


def saved(
    measure: CostMeasure,
    baseline: Column,
    candidate: Column,
    groups: tuple[str, ...],
    *,
    alpha: float,
) -> tuple[Part, Saving | None]:
    """Whether the candidate costs less; the length of a prompt is known, and needs no test."""
    spent = saving(baseline, candidate, groups, alpha=alpha)
    if measure is not CostMeasure.PROMPT_LENGTH or spent is None:
        return cost_part(spent, alpha), spent
    before, after = spent.baseline / spent.rows, spent.candidate / spent.rows
    text = f"the prompts have {after:,.0f} characters instead of {before:,.0f}"
    decision = (
        certify.ClaimDecision.PROMOTE if after < before else certify.ClaimDecision.KEEP_BASELINE
    )
    return Part(decision=decision, reason=text), spent
