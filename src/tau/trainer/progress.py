"""How far a run is, as one snapshot for displays and `status.json`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tau.domain.rollout import RolloutCounts
from tau.domain.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitScore:
    """Scores of one split with one candidate: `low` to `high` is the 95 % interval of the mean.

    `mean`, `low` and `high` are None where nothing is scored. `rows` are those submitted;
    `unscored` ran but could not be graded; neither they nor `failed` enter the mean.
    """

    split: str
    rows: int
    scored: int
    unscored: int
    failed: int
    cancelled: int
    mean: float | None
    low: float | None
    high: float | None


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
