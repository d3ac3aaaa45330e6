"""What a run says about its best candidate."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tau.domain.ids import RunId
from tau.domain.json import Json
from tau.domain.resources import Resources


class Decision(StrEnum):
    """Proved better; nothing proved better and nothing worth more examples; or not settled."""

    PROMOTE = "promote"
    KEEP_BASELINE = "keep_baseline"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a run recommended when it last ended, as it stands in the store.

    `decision` is None for an algorithm that decides nothing. `evidence` and `caveats` are the
    algorithm's own.
    """

    run_id: RunId
    resources: Resources
    decision: Decision | None = None
    evidence: Mapping[str, Json] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()
    reached_unix_ms: int = 0
