"""The candidates of a run by quality and cost, and which of them no other one beats in both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tau.charts.front import Spot, front_chart
from tau.charts.svg import Svg
from tau.domain.claim import CostMeasure
from tau.domain.dataset import Split
from tau.domain.ids import ResourcesHash, short_hash
from tau.domain.json import Json
from tau.domain.run import Run
from tau.domain.spend import NANO
from tau.ports.insights import MeanCost
from tau.reports.wording import dollars
from tau.scoring.aggregate import Estimate
from tau.scoring.pareto import front

_UNITS = {
    CostMeasure.USD: "dollars per evaluation",
    CostMeasure.LATENCY: "time per evaluation",
    CostMeasure.OUTPUT_TOKENS: "tokens per answer",
    CostMeasure.PROMPT_LENGTH: "characters of the prompts",
}


KEY = (
    ("baseline", "baseline"),
    ("best", "best: what the search chose"),
    ("accepted", "on the front: none scores more for as little"),
    ("discarded", "another one does"),
    ("gated", "stopped by the safety gate"),
)
"""What the shapes of the drawing stand for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A candidate with its mean score and mean cost; `role` is baseline, best or empty.

    `undominated`: by both means no other candidate is better in one and not worse in the other.
    """

    resources: str
    score: Estimate
    cost: float
    characters: int | None
    role: str = ""
    undominated: bool = False
    gated: bool = False

    @property
    def tone(self) -> str:
        """The shape it is drawn with, see `charts.curve.dot_mark`."""
        if self.gated and self.role != "baseline":
            return "gated"
        return self.role or ("accepted" if self.undominated else "discarded")

    @property
    def said(self) -> str:
        """`best, on the front`."""
        return ", ".join(
            part for part in (self.role, "on the front" if self.undominated else "") if part
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityCost:
    """Candidates on the rows of a split, the cheapest first; two or more of them."""

    measure: CostMeasure
    split: Split
    points: tuple[Priced, ...]

    @property
    def unit(self) -> str:
        """What a cost is."""
        return _UNITS[self.measure]

    @property
    def apart(self) -> bool:
        """Whether the length of the prompts is something else than the cost."""
        return self.measure is not CostMeasure.PROMPT_LENGTH

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """Shapes that are drawn, with what they stand for."""
        tones = {one.tone for one in self.points}
        return tuple((tone, said) for tone, said in KEY if tone in tones)

    @property
    def leading(self) -> tuple[Priced, ...]:
        """Those to look at: undominated ones, the baseline and the best."""
        return tuple(one for one in self.points if one.undominated or one.role)

    @property
    def others(self) -> tuple[Priced, ...]:
        """Those that another one beats."""
        return tuple(one for one in self.points if not one.undominated and not one.role)

    def figure(self, cost: float) -> str:
        """A cost with its unit."""
        if self.measure is CostMeasure.USD:
            return dollars(cost)
        if self.measure is CostMeasure.LATENCY:
            return f"{1000 * cost:,.0f} ms" if cost < 1 else f"{cost:,.1f} s"
        return f"{cost:,.0f}" if cost >= 100 or cost == int(cost) else f"{cost:,.1f}"

    def picture(self, *, candidates: str | None = None) -> Svg:
        """The drawing; `candidates` is the address of their page, where there is one."""
        spots = [
            Spot(
                label=f"{short_hash(one.resources)}{f' ({one.role})' if one.role else ''}",
                cost=one.cost,
                mean=one.score.mean,
                low=one.score.low,
                high=one.score.high,
                tone=one.tone,
                undominated=one.undominated,
                href=f"{candidates}?c={one.resources[:12]}" if candidates else None,
            )
            for one in self.points
        ]
        title = f"Mean score on {self.split} against {self.unit}"
        return front_chart(title, spots, unit=self.unit, figure=self.figure)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCosts:
    """What is known of a run's candidates: scores by split, costs, the length of their texts."""

    estimates: Mapping[Split, Mapping[str, Estimate]]
    costs: Sequence[MeanCost]
    characters: Mapping[str, int]
    baseline: str
    best: str

    @property
    def split(self) -> Split:
        """Of those that choose the one with the baseline and with the most candidates."""

        def told(split: Split) -> tuple[bool, int]:
            known = self.estimates.get(split, {})
            return self.baseline in known, len(known)

        return max((Split.VALIDATE, Split.OPTIMIZE), key=told)


def quality_cost(run: Run, found: KnownCosts) -> QualityCost | None:
    """Score against what the run's objective names, else what is known; None for one alone."""
    split = found.split
    scores = found.estimates.get(split, {})
    here = {one.resources: one for one in found.costs if one.split is split}
    asked = _objective(run)
    for measure in dict.fromkeys([*([asked] if asked else []), *_USUAL]):
        priced = {
            name: cost
            for name in scores
            if (cost := _cost(measure, here.get(name), found.characters.get(name))) is not None
        }
        if len(priced) > 1 and any(priced.values()):
            gated = {name for name, one in here.items() if one.gated}
            points = tuple(_points(found, scores, priced, gated))
            return QualityCost(measure=measure, split=split, points=points)
    return None


_USUAL = (
    CostMeasure.USD, CostMeasure.OUTPUT_TOKENS, CostMeasure.LATENCY, CostMeasure.PROMPT_LENGTH,
)  # fmt: skip


def _points(
    found: KnownCosts, scores: Mapping[str, Estimate], priced: Mapping[str, float], gated: set[str]
) -> list[Priced]:
    aims = {
        ResourcesHash(name): (scores[name].mean, -cost)
        for name, cost in priced.items()
        if name not in gated
    }
    undominated = set(front(aims))
    roles = {found.best: "best", found.baseline: "baseline"}
    made = [
        Priced(
            resources=name,
            score=scores[name],
            cost=cost,
            characters=found.characters.get(name),
            role=roles.get(name, ""),
            undominated=name in undominated,
            gated=name in gated,
        )
        for name, cost in priced.items()
    ]
    return sorted(made, key=lambda one: (one.cost, -one.score.mean, one.resources))


def _cost(measure: CostMeasure, known: MeanCost | None, characters: int | None) -> float | None:
    if measure is CostMeasure.PROMPT_LENGTH:
        return None if characters is None else float(characters)
    if known is None:
        return None
    if measure is CostMeasure.USD:
        return known.nano_usd / NANO
    if measure is CostMeasure.LATENCY:
        return known.duration_ms / 1000
    return known.output_tokens


def _objective(run: Run) -> CostMeasure | None:
    claim: Json = run.config.get("claim")
    asked = claim.get("minimize") if isinstance(claim, Mapping) else None
    return CostMeasure(asked) if asked in set(CostMeasure) else None
