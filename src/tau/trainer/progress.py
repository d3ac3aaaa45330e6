"""How far a run is, as one snapshot for displays and `status.json`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tau.domain.rollout import RolloutCounts
from tau.domain.run import Run
from tau.readings.scores import SplitScore


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchProgress:
    """How far a search is: its phase in a word, and what is ahead by the scores so far.

    `candidates` were measured beside the baseline. `leader` has the splits of the one that is
    ahead, proved or not; it is empty while that is the baseline.
    """

    phase: str
    candidates: int
    leader: tuple[SplitScore, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One look at a live run. `elapsed_s` is since this start, `waiting_for` None or a reason.

    `splits` are those of the given resources; `search` is None where only they are measured.
    """

    run: Run
    counts: RolloutCounts
    elapsed_s: float
    splits: tuple[SplitScore, ...] = ()
    failures: Mapping[str, int] = field(default_factory=dict)
    resumed: bool = False
    waiting_for: str | None = None
    limit_now: int | None = None
    search: SearchProgress | None = None
