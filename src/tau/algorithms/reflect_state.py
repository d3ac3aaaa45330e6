"""What a reflective search can be told, and where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge

from tau.algorithms.search_settings import SearchSettings
from tau.domain.ids import ExampleId, ResourcesHash


@dataclass(frozen=True, slots=True, kw_only=True)
class ReflectSettings(SearchSettings):
    """`width` children per generation, `block` examples to screen them on.

    `leaders` are kept from generation to generation, `evidence` failures are shown at a time, of
    the baseline twice as many. Without `block` and `leaders` they follow from the budget. The
    `finalists` meet at the end. Up to `demonstrations` rows of `optimize` with right answers are
    then tried below the best instruction, a quarter of them too: they cost no proposal, but make
    every call longer.
    """

    width: Annotated[int, Ge(1)] = 3
    block: Annotated[int, Ge(2)] | None = None
    leaders: Annotated[int, Ge(1)] | None = None
    evidence: Annotated[int, Ge(1)] = 8
    finalists: Annotated[int, Ge(2)] = 6
    demonstrations: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReflectState:
    """`stage` is what the agenda is for; `generation` counts from 1, 0 looks at the baseline alone.

    `leaders` are those of now, since generation `led_since`; `priors` say how good all seem that
    are of use. `waiting` are children that were not screened yet. `cursor` is the place in the rows
    to screen on. `answers` are right ones, to be demonstrations. At the end there were so many
    `final_rounds`.
    """

    leaders: tuple[ResourcesHash, ...]
    stage: Literal["propose", "screen", "final"] = "screen"
    generation: int = 0
    led_since: int = 0
    cursor: int = 0
    final_rounds: int = 0
    priors: Mapping[ResourcesHash, float] = field(default_factory=dict)
    waiting: tuple[ResourcesHash, ...] = ()
    answers: Mapping[ExampleId, str] = field(default_factory=dict)
