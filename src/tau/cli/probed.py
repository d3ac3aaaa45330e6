"""What a probe found, and how it is told."""

import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from tau.cli import figures
from tau.cli.running import RunArguments
from tau.cli.text import facts
from tau.domain.json import Json
from tau.scoring.claims import ClaimResult

_MOSTLY = 0.5
"""Of the variance, for the grader to be named as what makes the noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """One prompt measured twice on the same rows, as two prompts would be.

    `flipped` rows came out differently; `alone` is the gain that chance reaches in one of twenty
    comparisons, `luckiest` what the best of the rewrites would seem to gain if all were equal.
    `variance` is that of one score of a row. `grader`: the same answers judged twice, which is what
    of all this is the grader's; None where it says the same to the same, or could not be asked.
    """

    rows: int
    mean: float
    flipped: int
    alone: float
    luckiest: float
    groups: int = 0
    variance: float = 0.0
    grader: "Noise | None" = None

    @property
    def grader_share(self) -> float | None:
        """How much of the variance is the grader's, from 0 to 1; None where it is not known."""
        if self.grader is None:
            return None
        if not self.variance:
            return 1.0 if self.grader.variance else 0.0
        return min(1.0, self.grader.variance / self.variance)

    @property
    def by_grader(self) -> float:
        """The gain that chance would reach so often if only the grader varied."""
        return self.alone * math.sqrt(self.grader_share or 0.0)

    @property
    def saturated(self) -> bool:
        """Whether there is nothing to gain on these rows."""
        return self.mean > 1 - 1 / (2 * self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What was found; `headroom` is None where no rewrites were tried.

    `apart`: no row that measures was one that the rewrites were chosen on. `budgets` are the
    smallest gains that a search of so many rollouts would prove in 4 of 5 runs.
    """

    noise: Noise
    tried: int = 0
    ahead: bool = False
    headroom: ClaimResult | None = None
    apart: bool = True
    budgets: tuple[tuple[int, float], ...] = ()
    runs: tuple[str, ...] = ()

    @property
    def gain(self) -> float | None:
        """The headroom; 0 where rewrites were tried and none was ahead."""
        if self.headroom is not None:
            return self.headroom.difference
        return 0.0 if self.tried else None

    @property
    def pays(self) -> bool | None:
        """Whether a search is worth its budget; None where this cannot tell."""
        if self.noise.saturated:
            return False
        if self.headroom is None:
            return False if self.tried else None
        low, high = self.headroom.low, self.headroom.high
        if low is not None and low > 0:
            return True
        gain = self.gain or 0.0
        return False if gain <= 0 or (high is not None and high < self.noise.alone) else None


def _points(share: float) -> str:
    return f"{100 * share:.1f}"


def _verdict(found: Probe) -> str:
    noise = f"noise {_points(found.noise.alone)} points"
    if (found.noise.grader_share or 0.0) >= _MOSTLY and found.noise.alone:
        noise += ", mostly the grader's"
    if found.gain is None:
        if found.pays is False:
            return f"{noise}, and every answer is right already: a search will not pay"
        return f"{noise}: a gain below that on so few rows is nothing"
    said = f"{noise}, headroom {_points(found.gain)}"
    if found.pays is None:
        return f"{said}: not settled whether a search will pay"
    return f"{said}: a search {'will' if found.pays else 'will not'} pay"


def lines(found: Probe, arguments: RunArguments) -> Iterator[str]:
    """For a terminal: the verdict first."""
    yield _verdict(found)
    yield ""
    yield from facts(_said(found))
    enough = _enough(found)
    if found.pays and enough is not None:
        yield ""
        yield "next"
        words = ["tau", "optimize", arguments.config]
        words += ["--store", arguments.store] if arguments.store else []
        yield f"  {shlex.join([*words, '--budget-rollouts', str(enough)])}"


def _said(found: Probe) -> Iterator[tuple[str, str]]:
    noise = found.noise
    grouped = 0 < noise.groups < noise.rows
    groups = f" of {figures.count(noise.groups, 'group')}" if grouped else ""
    yield "baseline", f"{noise.mean:.3f} on {figures.count(noise.rows, 'row')}{groups}, asked twice"
    yield (
        "noise",
        f"{noise.flipped:,} of {noise.rows:,} rows came out differently the second time; chance "
        f"alone shows a gain of {_points(noise.alone)} points in 1 of 20 comparisons",
    )
    if noise.grader is not None:
        yield "grader", _grader_words(noise, noise.grader)
    if grouped:
        yield "", "rows of one group count as one: they may err together"
    if not found.tried:
        return
    if noise.luckiest:
        yield "", f"the luckiest of the rewrites would seem {_points(noise.luckiest)} points better"
    tried = figures.count(found.tried, "rewrite")
    if found.headroom is None:
        yield "headroom", f"{tried} tried, none was ahead of the baseline"
    else:
        yield "headroom", f"the best of {tried}: {found.headroom.words()}"
        if not found.apart:
            yield "note", "it was chosen on the rows that measured it, which flatters it"
    for rollouts, detectable in found.budgets:
        yield f"{rollouts:,} rollouts", f"would prove gains from {_points(detectable)} points on"
    if found.pays and found.budgets and _enough(found) is None:
        yield "note", "none of these would prove such a gain: more rows in 'test' would"


def _grader_words(noise: Noise, grader: Noise) -> str:
    if not grader.flipped:
        return f"it judged the same {grader.rows:,} answers twice, and always alike"
    share = noise.grader_share or 0.0
    steadier = "; a steadier grader would show more than more rows" if share >= _MOSTLY else ""
    return (
        f"{grader.flipped:,} of {grader.rows:,} answers were judged otherwise the second time: "
        f"{_points(noise.by_grader)} points of the noise alone{steadier}"
    )


def _enough(found: Probe) -> int | None:
    """The smallest budget that would prove a gain like this one."""
    gain = found.gain or 0.0
    return next((rollouts for rollouts, least in found.budgets if least <= gain), None)


def fields(found: Probe) -> dict[str, Json]:
    """The result as JSON."""
    noise = found.noise
    return {
        "verdict": _verdict(found),
        "pays": found.pays,
        "baseline": {"score": noise.mean, "rows": noise.rows, "groups": noise.groups},
        "noise": {
            "flipped": noise.flipped,
            "flip_rate": noise.flipped / noise.rows,
            "gain_by_chance": noise.alone,
            "gain_of_luckiest": noise.luckiest,
            "grader": _grader_fields(noise),
        },
        "rewrites": found.tried,
        "headroom": found.gain,
        "headroom_claim": found.headroom.to_json() if found.headroom else None,
        "rows_apart": found.apart,
        "budgets": [
            {"rollouts": rollouts, "detectable_gain": least} for rollouts, least in found.budgets
        ],
        "budget_rollouts": _enough(found),
        "runs": list(found.runs),
    }


def _grader_fields(noise: Noise) -> dict[str, Json] | None:
    grader = noise.grader
    if grader is None:
        return None
    return {
        "rows": grader.rows,
        "flipped": grader.flipped,
        "flip_rate": grader.flipped / grader.rows,
        "gain_by_chance": noise.by_grader,
        "share_of_variance": noise.grader_share,
    }
