"""Set aside first: the one winner meets the baseline once and in full."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypedDict

from tau.algorithms.economy import Economy
from tau.algorithms.finding import Finding, nothing_chosen, saved
from tau.algorithms.parts import ExampleParts
from tau.algorithms.pool import CandidatePool
from tau.algorithms.search_settings import SearchSettings
from tau.domain.claim import ClaimTerms
from tau.domain.dataset import Example
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json
from tau.ports.algorithm import CERTIFICATION_KEYS, CERTIFICATION_SET, CERTIFIED_BEFORE
from tau.scoring.certify import Threshold, settle
from tau.scoring.claim_parts import paired, plain_part
from tau.scoring.power import detectable_gain, fewest_rows
from tau.scoring.spending import CertificationLevel, certification_level
from tau.scoring.table import pair

SHARE = 0.25
"""Of the evaluations, for certifying."""
_FEWEST = 20
_ENOUGH_ROWS = 60
_REPLICATES = 4
"""Of each certifying row, where there are fewer rows than that and evaluations are left."""
_BROKEN = 0.03
"""The share of examples a better prompt usually breaks, for the smallest detectable effect."""
_CORRELATION = 0.3
"""Taken for rows of one group, for the smallest detectable effect; equal rows go together."""


class CertificationForecast(TypedDict):
    """See `ports.algorithm.Plan`."""

    certification: int
    detectable: float | None
    groups: int
    independent: int
    certification_replicates: int
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedRows:
    """Which rows certify, by their places in the whole set, and how often they did so before.

    Each is evaluated `replicates` times.
    """

    places: tuple[int, ...]
    uses: int
    replicates: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Certification:
    """`rows` in their order; both prompts are evaluated on each of them.

    They come from a set whose hash is `whole`. `terms` say what is claimed. Each row is evaluated
    `replicates` times; the claim is about the rows' means.
    """

    rows: tuple[Example, ...]
    whole: str
    level: CertificationLevel
    effect: float
    terms: ClaimTerms
    replicates: int = 1

    @classmethod
    def planned(
        cls,
        parts: ExampleParts,
        settings: SearchSettings,
        *,
        evaluations: int,
        search: int,
        terms: ClaimTerms,
    ) -> Self:
        """As many rows as wanted, else a share of the `evaluations`; `search` must remain."""
        wanted = settings.certification
        size = max(_FEWEST, round(evaluations * SHARE / 2)) if wanted is None else wanted
        size = min(size, len(parts.certify), max(0, (evaluations - search) // 2))
        # In an order that does not tell which of them were used before: a replay has the same.
        rows = tuple(sorted(parts.certify[:size], key=lambda example: example.id))
        return cls._of(rows, parts.used(rows), parts, settings, terms)

    def claimed(self, parts: ExampleParts) -> "ClaimedRows":
        """For a checkpoint: a claim stays on the rows and at the level it was begun with."""
        place = {one.id: number for number, one in enumerate(_in_order(parts))}
        return ClaimedRows(
            places=tuple(place[row.id] for row in self.rows),
            uses=self.level.uses,
            replicates=self.replicates,
        )

    @classmethod
    def of(
        cls,
        claimed: "ClaimedRows",
        parts: ExampleParts,
        settings: SearchSettings,
        terms: ClaimTerms,
    ) -> Self:
        """As `claimed` gave it; ValueError where there are no such rows."""
        order = _in_order(parts)
        if any(not 0 <= place < len(order) for place in claimed.places):
            raise ValueError("the rows that certify are not those of this state")
        rows = tuple(order[place] for place in claimed.places)
        found = cls._of(rows, claimed.uses, parts, settings, terms)
        return replace(found, replicates=claimed.replicates)

    @classmethod
    def _of(
        cls,
        rows: tuple[Example, ...],
        uses: int,
        parts: ExampleParts,
        settings: SearchSettings,
        terms: ClaimTerms,
    ) -> Self:
        return cls(
            rows=rows,
            whole=parts.certification_set,
            level=certification_level(settings.alpha, uses),
            effect=settings.effect,
            terms=terms,
        )

    def within(self, evaluations: int, *, varying: bool) -> Self:
        """On no more rows than so many evaluations buy: decided before any of them is seen.

        Where rows are few and answers are `varying`, each is evaluated as often as what is left
        allows.
        """
        rows = self.rows[: max(0, evaluations // 2)]
        most = self.most_replicates(varying=varying) if rows else 1
        times = min(most, evaluations // (2 * len(rows))) if rows else 1
        return replace(self, rows=rows, replicates=max(1, times))

    def most_replicates(self, *, varying: bool) -> int:
        """How often a row is evaluated at most; costs and guards are measured once."""
        few = len(self.rows) < _ENOUGH_ROWS
        once = self.terms.minimize is not None or self.terms.guards
        return _REPLICATES if few and varying and not once else 1

    @property
    def cost(self) -> int:
        """Evaluations it takes."""
        return 2 * len(self.rows) * self.replicates

    @property
    def groups(self) -> int:
        """How many groups the rows are, which is what the claim counts."""
        return len({row.unit for row in self.rows})

    @property
    def independent(self) -> int:
        """About how many independent rows tell as much (L. Kish, Survey Sampling, 1965, 5.4).

        Rows of a group are taken to be correlated by .3, equal ones fully.
        """
        groups: dict[str, dict[str, int]] = {}
        for row in self.rows:
            same = groups.setdefault(row.unit, {})
            same[row.same] = same.get(row.same, 0) + 1
        rows = len(self.rows)
        if len(groups) == rows:
            return rows
        pairs = 0.0
        for same in groups.values():
            size = sum(same.values())
            equal = sum(count * count for count in same.values())
            pairs += equal + _CORRELATION * (size * size - equal)
        return max(1, int(rows * rows / pairs))

    @property
    def detectable(self) -> float | None:
        """The smallest true gain promoted in 4 of 5 runs; None where no gain is."""
        alpha = self.level.alpha
        if min(self.independent, self.groups) < fewest_rows(alpha):
            return None
        return detectable_gain(self.independent, _BROKEN, alpha=alpha)

    def forecast(self, *, varying: bool) -> CertificationForecast:
        """Its part of a plan."""
        return CertificationForecast(
            certification=len(self.rows),
            detectable=self.detectable,
            groups=self.groups,
            independent=self.independent,
            certification_replicates=self.most_replicates(varying=varying) if self.rows else 1,
            level=self.level.alpha,
        )

    def decide(
        self,
        pool: CandidatePool,
        economy: Economy,
        winner: ResourcesHash,
        why_none: str,
        *,
        searched: bool,
    ) -> Finding:
        """The decision, once both have been evaluated; not `searched`: no proposal was usable."""
        if winner == pool.baseline:
            return nothing_chosen(pool.exhausted(why_none), searched=searched)
        alpha, names = self.level.alpha, (pool.baseline, winner)
        rows: list[ExampleId] = [example.id for example in self.rows]
        groups = {row.id: row.unit for row in self.rows}
        units = tuple(groups.values())
        main = settle(
            pair(pool.table, winner, pool.baseline, rows, groups=groups),
            self._bar(),
            alpha=alpha,
            planned=len(rows),
            gated=winner in pool.gated,
        )
        guards = {}
        for number, guard in enumerate(self.terms.guards):
            columns = [economy.guarded(name, rows, number) for name in names]
            bar = Threshold(effect=-guard.margin, margin=guard.margin)
            pairing = paired(rows, columns[0], columns[1], units)
            guards[guard.grader] = plain_part(guard.grader, pairing, bar, alpha)
        if self.terms.minimize is None:
            return Finding(main=main, guards=guards)
        costs = [economy.cost(name, rows) for name in names]
        cost, spent = saved(self.terms.minimize, costs[0], costs[1], units, alpha=alpha)
        return Finding(main=main, cost=cost, spent=spent, guards=guards)

    def _bar(self) -> Threshold:
        """What the difference is held against."""
        margin = self.terms.margin
        return (
            Threshold(effect=self.effect)
            if margin is None
            else Threshold(effect=-margin, margin=margin)
        )

    def mean(self, pool: CandidatePool, name: ResourcesHash) -> float | None:
        """Of a candidate on the rows set aside; None where nothing of it is known there."""
        known = pool.table[name].by_example
        scores = [known[row.id] for row in self.rows if row.id in known]
        return sum(scores) / len(scores) if scores else None

    def known(self) -> Mapping[str, Json]:
        """The rows and their earlier claims, by which later ones count them."""
        return {
            CERTIFICATION_SET: self.whole,
            CERTIFICATION_KEYS: "".join(key for row in self.rows for key in row.row_keys),
            CERTIFIED_BEFORE: self.level.uses,
        }

    def evidence(self, found: Finding) -> Mapping[str, Json]:
        """The certificate for reports."""
        return {
            "certificate": found.to_json(),
            "certification_rows": len(self.rows),
            **({"certification_replicates": self.replicates} if self.replicates > 1 else {}),
            "certification_groups": self.groups,
            "detectable_effect": self.detectable,
            "effect_that_matters": self.effect,
        }


def _in_order(parts: ExampleParts) -> Sequence[Example]:
    """The whole set in an order that no earlier claim changes."""
    return sorted(parts.certify, key=lambda example: example.id)
