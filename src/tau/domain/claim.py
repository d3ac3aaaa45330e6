"""What a run sets out to prove, fixed before anything is measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tau.domain.json import Json


class Aim(StrEnum):
    """What is claimed of the candidate beside the baseline."""

    BETTER = "better"
    NOT_WORSE = "not_worse"
    CHEAPER = "cheaper_and_not_worse"


class CostMeasure(StrEnum):
    """What an evaluation costs: money, seconds, tokens of the answer, characters of the prompts."""

    USD = "usd"
    LATENCY = "latency"
    OUTPUT_TOKENS = "output_tokens"
    PROMPT_LENGTH = "prompt_length"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Another grader's score, which must not be worse by `margin` (0..1) or more."""

    grader: str
    margin: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimTerms:
    """The claim of a run. `margin` is the loss from which a candidate counts as worse.

    It is None for `better` alone; `minimize` is given for `cheaper_and_not_worse` alone. Each of
    `guards` must hold as well.
    """

    aim: Aim = Aim.BETTER
    margin: float | None = None
    minimize: CostMeasure | None = None
    guards: tuple[Guard, ...] = ()

    @property
    def usual(self) -> bool:
        """Whether it is what is claimed where nothing is said."""
        return self == BETTER

    def to_json(self) -> Mapping[str, Json]:
        """By name."""
        return {
            "claim": self.aim.value,
            "margin": self.margin,
            "minimize": None if self.minimize is None else self.minimize.value,
            "guards": [{"grader": one.grader, "margin": one.margin} for one in self.guards],
        }

    def words(self) -> str:
        """As a clause: `better, with tone not worse by .02`."""
        points = "" if self.margin is None else f"{100 * self.margin:.3g} points"
        if self.aim is Aim.CHEAPER and self.minimize is not None:
            text = f"less {MEASURED[self.minimize]}, and not worse by {points}"
        else:
            text = "better" if self.aim is Aim.BETTER else f"not worse by {points}"
        guards = [f"{one.grader} by {100 * one.margin:.3g} points" for one in self.guards]
        return text + (f"; nor worse in {', '.join(guards)}" if guards else "")


BETTER = ClaimTerms()
"""What is claimed where nothing is said."""

MEASURED: Mapping[CostMeasure, str] = {
    CostMeasure.USD: "money",
    CostMeasure.LATENCY: "time",
    CostMeasure.OUTPUT_TOKENS: "output tokens",
    CostMeasure.PROMPT_LENGTH: "prompt",
}
"""What there is less of."""
